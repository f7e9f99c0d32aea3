"""The synthetic account knows nothing of the engine that it judges."""

from __future__ import annotations

import ast
from importlib.resources import files

import pytest

SOURCES = sorted(
    each.name for each in files("brickyard").joinpath("health", "synthetic").iterdir() if each.name.endswith(".py")
)
ALLOWED = ("brickyard.health.synthetic", "brickyard.kernel", "numpy", "pyarrow", "polars", "ruamel")
STANDARD = {
    "__future__",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "re",
    "typing",
    "zlib",
    "zoneinfo",
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_columns_and_the_kernel_only(name: str) -> None:
    tree = ast.parse(files("brickyard").joinpath("health", "synthetic", name).read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {each for each in imported if not each.startswith(ALLOWED) and each.split(".")[0] not in STANDARD} == set()
