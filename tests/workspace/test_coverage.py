"""Nothing is served that the contract suite does not call, and nothing is called that the documentation leaves out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from brickyard.local import LocalWorkspace
from brickyard.local.api.routes import Route

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "local-workspace.md"
OURS = ("local.", "pages.")  # not Databricks' API: tests/local/api exercises these


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    with LocalWorkspace(tmp_path_factory.mktemp("served")) as workspace:
        return workspace.parts.routes()


def covered() -> set[str]:
    """The operations that the tests of this folder say that they exercise; a fixture checks that they do."""
    found = set()
    for file in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.covers":
                found |= {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    return found


def test_every_served_operation_is_exercised(served: list[Route]):
    operations = {e.operation for e in served if not e.operation.startswith(OURS)}
    assert (operations - covered(), covered() - operations) == (set(), set())


def test_every_route_stands_in_the_documentation(served: list[Route]):
    documented = set(re.findall(r"^\| `([A-Z]+) (/[^`]*)` \| `([\w.]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert documented == {(e.method, e.path, e.operation) for e in served}, "run docs/local_routes.py"
