"""`python -m brickyard.local --home DIR [--port N] [--engine sail|spark]`: serve one workspace until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from brickyard.kernel.errors import BrickyardError
from brickyard.local.server import LocalWorkspace


def main(arguments: list[str] | None = None) -> int:
    """Serve, and print one JSON line on stdout when it answers."""
    parser = argparse.ArgumentParser(prog="python -m brickyard.local", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the workspace")
    parser.add_argument("--port", type=int, default=0, help="port of the first start; later starts reuse it")
    parser.add_argument("--engine", choices=("sail", "spark"), default="sail", help="what runs the SQL")
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with LocalWorkspace(options.home, port=options.port, engine=options.engine) as workspace:
            _announce(workspace)
            threading.Thread(target=workspace.parts.kernels.service, name="sql-warm-up", daemon=True).start()
            ended.wait()
    except BrickyardError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    return 0


def _announce(workspace: LocalWorkspace) -> None:
    sys.stdout.write(json.dumps({"host": workspace.host, "token_file": str(workspace.token_file)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
