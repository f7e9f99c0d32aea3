"""Reading contracts from their files, with the line of everything that is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from brickyard.health.model.contract import KEYS, Contract, of
from brickyard.kernel.assets import asset
from brickyard.kernel.errors import Problem, SpecInvalid

FOLDER = "gold"
Path = tuple[str | int, ...]
_SORTS = ("Copy", "Flatten", "Column")  # pydantic puts the sort of an entry between its number and its key
_PECULIAR = re.compile(r"\t|^%", re.MULTILINE)  # what the fast reader takes otherwise than the other
_UNKNOWN = "extra_forbidden"  # pydantic's word for a key that a model does not have


@dataclass(frozen=True, slots=True)
class Read:
    """A contract with its file, to tell the line of a part of it."""

    contract: Contract
    file: str
    text: str = field(repr=False, compare=False, default="")

    def where(self, path: Path) -> str:
        """Return `file:line` of the part at that path, or of the nearest part around it."""
        return f"{self.file}:{_line(_with_lines(self.text), path)}"


def read(text: str, file: str) -> Read:
    """Parse one contract, or raise SpecInvalid with every fault and its line."""
    try:
        return _checked(text, file)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        fault = Problem(str(error.problem), f"{file}:{line}")
        raise SpecInvalid(f"{file} is not YAML", code="contract-invalid", problems=(fault,)) from error


def _checked(text: str, file: str) -> Read:
    tree = _tree(text)
    if not isinstance(tree, dict):
        fault = Problem("a contract is a mapping of keys", f"{file}:1")
        raise SpecInvalid(f"{file} is no contract", code="contract-invalid", problems=(fault,))
    try:
        return Read(of(tree), file, text)
    except ValidationError as error:
        faults = tuple(_faults(error, file, _with_lines(text)))
        raise SpecInvalid(f"{file} is no valid contract", code="contract-invalid", problems=faults) from error


@cache
def read_all() -> tuple[Read, ...]:
    """Read every contract of the package, in order of their names; SpecInvalid tells the faults of all files."""
    found: list[Read] = []
    faults: list[Problem] = []
    for file, text in _files():
        try:
            found.append(read(text, file))
        except SpecInvalid as error:
            faults += error.problems
    if faults:
        raise SpecInvalid("the contracts have faults", code="contract-invalid", problems=tuple(faults))
    return tuple(found)


def _files() -> Iterator[tuple[str, str]]:
    folders = sorted(asset("health", FOLDER).iterdir(), key=lambda folder: folder.name)
    for folder in (entry for entry in folders if entry.is_dir()):
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".yaml"):
                yield f"{FOLDER}/{folder.name}/{file.name}", file.read_text(encoding="utf-8")


def _faults(error: ValidationError, file: str, tree: Any) -> Iterator[Problem]:
    for fault in error.errors():
        path = tuple(part for part in fault["loc"] if part not in _SORTS)
        label = ".".join(str(part) for part in path)
        told = "is no key here" if fault["type"] == _UNKNOWN else fault["msg"]
        yield Problem(f"{label}: {told}", f"{file}:{_line(tree, path)}", _remedy(fault["type"], str(path[-1])))


def _remedy(kind: str, key: str) -> str | None:
    meant = difflib.get_close_matches(key, KEYS, n=1) if kind == _UNKNOWN else []
    return f"did you mean {meant[0]}?" if meant else None


def _tree(text: str) -> Any:
    """Plain data; what is no YAML is told in the words of the reader that every machine has, not of the fast one."""
    if _PECULIAR.search(text):
        return YAML(typ="safe", pure=True).load(text)
    try:
        return YAML(typ="safe").load(text)
    except MarkedYAMLError:
        return YAML(typ="safe", pure=True).load(text)


def _with_lines(text: str) -> Any:
    """The tree with the places of its parts: reading it so takes six times as long."""
    return YAML(typ="rt").load(text) if text else None


def _line(tree: Any, path: Path) -> int:
    """Follow *path* as far as it goes and return the line of where it ends, counted from 1."""
    node, line = tree, _start(tree)
    for part in path:
        if isinstance(node, CommentedMap) and part in node:
            line, node = node.lc.key(part)[0] + 1, node[part]
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line, node = node.lc.item(part)[0] + 1, node[part]
    return line


def _start(tree: Any) -> int:
    return tree.lc.line + 1 if hasattr(tree, "lc") else 1
