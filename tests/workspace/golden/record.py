"""`python -m tests.workspace.golden.record [AREA …]`: write the answers of real Spark with Delta to `answers/`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.workspace.golden import suite

from brickyard.local import LocalWorkspace


def main(areas: list[str]) -> None:
    """Run the areas on Spark and write what it answers, one line a case."""
    suite.ANSWERS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, LocalWorkspace(Path(folder) / "home", engine="spark") as workspace:
        for area in areas or suite.AREAS:
            lines = [
                f"{json.dumps(id_)}: {json.dumps(found, ensure_ascii=False)}"
                for id_, found in suite.answers(workspace.client(), area)
            ]
            (suite.ANSWERS / f"{area}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
            sys.stderr.write(f"{area}: {len(lines)} answers\n")


if __name__ == "__main__":
    main(sys.argv[1:])
