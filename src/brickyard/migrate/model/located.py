"""YAML read with the line and column of every key, validated by a strict model, every fault reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from io import StringIO
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.reader import ReaderError

from brickyard.kernel.errors import Problem, SpecInvalid

Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """A frozen model that knows every key it accepts."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def load(kind: type[Model], name: str, text: str) -> Model:
    """Parse YAML *text* of the file *name*, or raise SpecInvalid with each fault at file:line:column."""
    tree = _tree(name, text)
    try:
        return kind.model_validate(_plain(tree))
    except ValidationError as error:
        located = [(_where(tree, _path(detail)), _problem(kind, name, tree, detail)) for detail in error.errors()]
        problems = tuple(problem for _, problem in sorted(located, key=lambda pair: pair[0]))
        raise SpecInvalid(f"{name} is not valid", code="rule-pack-invalid", problems=problems) from error


def _path(detail: ErrorDetails) -> list[int | str]:
    return [step for step in detail["loc"] if isinstance(step, int | str)]


def _tree(name: str, text: str) -> CommentedMap:
    yaml = YAML(typ="rt", pure=True)
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(typ="rt", pure=True).parse(StringIO(text))):
            _refuse(name, 1, 1, "aliases (`*name`) are not accepted")
        tree = yaml.load(text)
    except DuplicateKeyError as error:
        _refuse_marked(name, error)
    except MarkedYAMLError as error:
        _refuse_marked(name, error)
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        _refuse(name, line, column, f"the character {text[error.position]!a} is not accepted in YAML")
    if not isinstance(tree, CommentedMap):
        _refuse(name, 1, 1, "the file must hold a mapping of keys to values")
    return tree


def _refuse_marked(name: str, error: MarkedYAMLError) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    _refuse(name, line, column, str(error.problem or "not YAML").splitlines()[0])


def _refuse(name: str, line: int, column: int, message: str) -> NoReturn:
    problem = Problem(message, where=f"{name}:{line}:{column}")
    raise SpecInvalid(f"{name} is not valid", code="rule-pack-invalid", problems=(problem,))


def _plain(node: Any) -> Any:
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(item) for item in node]
    return node


def _problem(kind: type[BaseModel], name: str, tree: CommentedMap, detail: ErrorDetails) -> Problem:
    path = _path(detail)
    line, column = _where(tree, path)
    where = f"{name}:{line}:{column}"
    dotted = ".".join(map(str, path)) or "the file"
    if detail["type"] == "extra_forbidden":
        return Problem(f"unknown key {path[-1]!r}", where, _nearest(kind, path))
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(f"{dotted}: {message[:1].lower()}{message[1:]}", where)


def _where(tree: Any, path: Sequence[int | str]) -> tuple[int, int]:
    """The 1-based place of the innermost key on *path* that the file holds."""
    line, column = 1, 1
    node = tree
    for step in path:
        if isinstance(node, CommentedMap) and step in node:
            line, column = (n + 1 for n in node.lc.key(step))
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line, column = (n + 1 for n in node.lc.item(step))
        else:
            break
        node = node[step]
    return line, column


def _nearest(kind: type[BaseModel], path: Sequence[int | str]) -> str:
    known = _keys(kind, path[:-1])
    close = get_close_matches(str(path[-1]), known, n=1, cutoff=0.4)
    return f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"


def _keys(kind: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The keys that the model at *path* accepts."""
    here: type[BaseModel] = kind
    for step in path:
        field = next((f for n, f in here.model_fields.items() if step in (n, f.alias)), None)
        if field is not None:
            here = _model_in(field.annotation) or here
    return [field.alias or name for name, field in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
