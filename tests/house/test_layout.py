"""The shape of the house: which files may stand where, and what the product must not know."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from brickyard.rooms import ROOMS

TOP = Path(__file__).parents[2]
SOURCE = TOP / "src" / "brickyard"
HOUSE = {
    *("__init__", "__main__", "cli", "worker", "web", "context", "rooms", "settings"),
    *("workspace", "metadata", "queue", "notebooks", "dbsql", "kernel", "local", "home", "demo"),
}
ROOM = {
    *("__init__", "model", "plan", "observe", "apply", "tables", "store", "flow"),
    *("api", "cli", "tasks", "job", "attempt", "journal", "trail", "report", "assets"),
}
OWN = {"health": {"synthetic", "oracle"}}  # docs/decisions: a room may have parts that no other has
BANNED_NAMES = {"utils", "helpers", "common", "base", "manager", "service"}
SPEAKS_OF_SERVICES = {"local"}  # its parts are the services of the Databricks API
ASKS_FOR_LOCAL = re.compile(r"\b(is|if|when|running)_(local|laptop|emulat\w+)\b|/api/local|brickyard[./]local")
KNOWS_LOCAL = {"local", "home"}
MAY_START_IT = {"demo"}


def names(folder: Path) -> set[str]:
    entries = [e for e in folder.iterdir() if e.name not in ("__pycache__", "py.typed")]
    return {e.stem if e.suffix == ".py" else e.name for e in entries if e.is_file() or any(e.rglob("*.*"))}


def test_the_top_of_the_package_holds_the_house_and_the_rooms():
    assert names(SOURCE) - HOUSE == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_only_files_with_the_names_of_a_room(room: str):
    assert names(SOURCE / room) - ROOM - OWN.get(room, set()) == set()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_a_story_and_doors(room: str):
    assert {"model", "plan", "observe", "apply", "flow", "api", "cli", "tasks"} - names(SOURCE / room) == set()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_does_in_its_first_line(room: str):
    assert ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text()))


def test_no_module_has_a_name_that_says_nothing():
    modules = [path for path in SOURCE.rglob("*.py") if "assets" not in path.parts]
    found = [path.relative_to(SOURCE) for path in modules if path.stem in BANNED_NAMES]
    assert [path for path in found if path.stem != "service" or path.parts[0] not in SPEAKS_OF_SERVICES] == []


def test_every_module_opens_with_a_sentence():
    modules = [path for path in SOURCE.rglob("*.py") if "assets" not in path.parts]
    assert [path for path in modules if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_module_of_the_product_asks_whether_it_is_local():
    skipped = KNOWS_LOCAL | MAY_START_IT
    modules = [path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] not in skipped]
    found = [(path.name, hit.group()) for path in modules for hit in ASKS_FOR_LOCAL.finditer(path.read_text())]
    assert found == []


def test_the_import_contracts_name_every_room():
    linter = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    rooms = {f"brickyard.{room}" for room in ROOMS}
    inside = contracts["Inside a room, doors open onto the flow, and the plan stands on the model"]
    assert set(inside["containers"]) == rooms
    pure = contracts["Plan and model are pure"]
    assert set(pure["source_modules"]) == {f"{room}.{part}" for room in rooms for part in ("plan", "model")}
    below = contracts["The product knows nothing of the local workspace"]
    assert rooms <= set(below["source_modules"])
