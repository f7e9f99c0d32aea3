"""One local workspace for the tests of a module, whose gold tables they fill in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.health.kpis.stand import Stand

from brickyard.local import LocalWorkspace


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("kpis"))) as workspace:
        yield Stand(workspace.client())
