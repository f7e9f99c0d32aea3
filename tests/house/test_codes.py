"""Every error and finding code in the source is explained, and every explanation is of a code in the source."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from brickyard.kernel.explain import explanations

SOURCE = Path(__file__).parents[2] / "src" / "brickyard"
KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "assets" not in path.parts)


def codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(body=body):
                yield from class_codes(body)
            case ast.Call(func=ast.Name(id="Finding"), args=[ast.Constant(value=str(code)), *_]):
                yield code
            case ast.Call(keywords=keywords):
                yield from (k.value.value for k in keywords if k.arg == "code" and isinstance(k.value, ast.Constant))


def class_codes(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                yield code
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(code))):
                yield code


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_code_in_the_source_is_explained(module: Path):
    found = {code for code in codes_in(ast.parse(module.read_text())) if isinstance(code, str) and KEBAB.match(code)}
    assert sorted(found - explanations().keys()) == []


def test_every_explained_code_stands_in_the_source():
    texts = [path.read_text() for path in MODULES]
    texts += [path.read_text() for path in SOURCE.glob("*/assets/**/*.yaml") if path.name != "codes.yaml"]
    whole = "\n".join(texts)
    assert [code for code in explanations() if f'"{code}"' not in whole and code not in whole.split()] == []


def test_a_code_is_explained_once():
    files = SOURCE.glob("*/assets/codes.yaml")
    codes = Counter(code for file in files for code in YAML(typ="safe").load(file.read_text()) or {})
    assert [code for code, times in codes.items() if times > 1] == []


def test_codes_are_kebab_case_and_say_everything():
    for entry in explanations().values():
        assert KEBAB.match(entry.code)
        assert entry.title and entry.cause and entry.remedy
        assert len(entry.title) <= 80
