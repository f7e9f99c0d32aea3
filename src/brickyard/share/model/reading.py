"""A tree turned into the plain data of a pack, guided by the pack's own model, with every fault on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from brickyard.share.model.fields import RULES, clean
from brickyard.share.model.nodes import Fault, Fields, Items, Node, Path, Place, RefusedError, Scalar
from brickyard.share.model.suggest import nearest

_TRUE = frozenset({"true", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "no", "n", "off", "0"})
_OMITTED = object()
_BAD = object()


@dataclass(slots=True)
class Reading:
    """How a tree is read, and what was found. *lenient* takes text for numbers and numbers for text, as cells hold them."""

    compat: bool = False
    lenient: bool = False
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def part(self, kind: type[BaseModel], node: Node, path: Path) -> dict[str, Any]:
        """Return the data of one part of a pack by the names of its model; what is faulty is left out."""
        if not isinstance(node, Fields):
            self._fault(path, _not_a_mapping(node, path), "write keys and values below it")
            return {}
        found: dict[str, Any] = {}
        for key, child in node.entries.items():
            name = _field_name(kind, key)
            if name is None:
                self._unknown(kind, key, path, node.keys.get(key))
            elif name in found:
                self._fault((*path, key), f"says again what {name!r} says", "keep one of the two")
            else:
                found[name] = self._field(kind, name, child, (*path, name))
        return {name: value for name, value in found.items() if value is not _OMITTED and value is not _BAD}

    def _unknown(self, kind: type[BaseModel], key: str, path: Path, place: Place | None) -> None:
        """Tell of a key that is not known: in a workbook once for the column, not for each row."""
        known = [info.alias or name for name, info in kind.model_fields.items() if name != "removal"]
        message, remedy = f"the key {key!r} is not known", nearest(key, known)
        fault = Fault((), message, remedy, place) if self.lenient else Fault((*path, key), message, remedy)
        (self.warnings if self.compat else self.faults).append(fault)

    def _field(self, kind: type[BaseModel], name: str, node: Node, path: Path) -> Any:
        info = kind.model_fields[name]
        annotation = _without_none(info.annotation)
        if isinstance(node, Scalar) and _is_blank(node):
            return self._blank(info, node, path)
        return self._value(annotation, node, path, (kind, name))

    def _blank(self, info: FieldInfo, node: Scalar, path: Path) -> Any:
        if _may_be_blank(info) or self.lenient:
            return _OMITTED
        remedy = "give it a value" if info.is_required() else "give it a value, or remove the key"
        return self._bad(path, "is empty", remedy)

    def _value(self, annotation: Any, node: Node, path: Path, key: tuple[type, str]) -> Any:
        origin = get_origin(annotation)
        if origin is tuple:
            return self._list(get_args(annotation)[0], node, path, key)
        if origin is dict:
            return self._mapping(get_args(annotation)[1], node, path, key)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self.part(annotation, node, path)
        if not isinstance(node, Scalar):
            return self._bad(path, "holds a list or a mapping where one value is wanted")
        try:
            return self._scalar(annotation, node, key)
        except RefusedError as refused:
            return self._instead(refused, path)

    def _instead(self, refused: RefusedError, path: Path) -> Any:
        if not self.compat or refused.instead is None:
            return self._bad(path, refused.message, refused.remedy)
        self.warnings.append(Fault(path, f"{refused.message}; read as {refused.instead}"))
        return refused.instead

    def _list(self, inner: Any, node: Node, path: Path, key: tuple[type, str]) -> Any:
        if not isinstance(node, Items):
            return self._bad(path, "is not a list", "write a list, one item a line with '- ' before it")
        values = [self._item(inner, item, (*path, at), key) for at, item in enumerate(node.items)]
        return [_placeholder(inner) if value is _BAD else value for value in values]

    def _item(self, inner: Any, node: Node, path: Path, key: tuple[type, str]) -> Any:
        if isinstance(node, Scalar) and _is_blank(node):
            return self._bad(path, "is empty", "remove the item, or give it a value")
        return self._value(inner, node, path, key)

    def _mapping(self, inner: Any, node: Node, path: Path, key: tuple[type, str]) -> Any:
        if not isinstance(node, Fields):
            return self._bad(path, "is not a mapping", "write keys and values below it")
        found: dict[str, Any] = {}
        for word, child in node.entries.items():
            name = self._key(word, (*path, word), key)
            value = self._value(inner, child, (*path, word), (NoneType, "")) if name is not _BAD else _BAD
            if value is not _BAD:
                found[name] = value
        return found

    def _key(self, word: str, path: Path, key: tuple[type, str]) -> Any:
        try:
            text = clean(word)
            if not text:
                raise RefusedError("has an empty key")
            return RULES[key](text) if key in RULES else text
        except RefusedError as refused:
            return self._bad(path, refused.message, refused.remedy)

    def _scalar(self, annotation: Any, node: Scalar, key: tuple[type, str]) -> Any:
        if annotation is bool:
            return _boolean(node, self.lenient)
        if annotation is int:
            return _integer(node, self.lenient)
        if isinstance(annotation, type) and issubclass(annotation, StrEnum):
            return _word(clean(node.text), [str(word) for word in annotation])
        if get_origin(annotation) is Literal:
            return _word(clean(node.text), list(get_args(annotation)))
        text = clean(_text(node, self.lenient or key[1] == "version"))
        return RULES[key](text) if key in RULES else text

    def _bad(self, path: Path, message: str, remedy: str | None = None) -> Any:
        self._fault(path, message, remedy)
        return _BAD

    def _fault(self, path: Path, message: str, remedy: str | None = None) -> None:
        self.faults.append(Fault(path, message, remedy))


def _not_a_mapping(node: Node, path: Path) -> str:
    if not path:
        return "the file holds no mapping of keys to values, so it is not a share pack"
    if path[0] in ("recipient", "share") and len(path) == 2 and isinstance(node, Scalar):
        return "is only a name, which is enough in a pack with strategy DELETE alone"
    return "is not a mapping of keys to values"


def _field_name(kind: type[BaseModel], key: str) -> str | None:
    return next((name for name, info in kind.model_fields.items() if key in (name, info.alias)), None)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        return next(part for part in get_args(annotation) if part is not NoneType)
    return annotation


def _is_blank(node: Scalar) -> bool:
    return node.value is None or (isinstance(node.value, str) and not node.value.strip())


def _may_be_blank(info: FieldInfo) -> bool:
    """Whether nothing stands for "not said": optional fields, texts that are empty by default, the strategy."""
    optional = get_origin(info.annotation) in (Union, UnionType)
    return not info.is_required() and (optional or info.default == "" or info.default == "NEW")


def _placeholder(inner: Any) -> Any:
    return {} if isinstance(inner, type) and issubclass(inner, BaseModel) else "?"


def _boolean(node: Scalar, lenient: bool) -> bool:
    if isinstance(node.value, bool):
        return node.value
    word = node.text.strip().lower()
    meant = True if word in _TRUE else False if word in _FALSE else None
    if meant is None:
        raise RefusedError(f"{node.text!r} is neither true nor false", "write true or false")
    if lenient:
        return meant
    written = str(meant).lower()
    raise RefusedError(f"{node.text!r} is text, not true or false", f"write {written} without quotes", instead=meant)


def _integer(node: Scalar, lenient: bool) -> int:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    text = node.text.strip()
    if not isinstance(node.value, str) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise RefusedError(f"{node.text!r} is not a whole number", "write digits only")
    if lenient:
        return int(text)
    raise RefusedError(f"{node.text!r} is text, not a number", f"write {text} without quotes", instead=int(text))


def _text(node: Scalar, lenient: bool) -> str:
    if isinstance(node.value, str):
        return node.value
    if isinstance(node.value, datetime):
        return node.value.date().isoformat() if node.value.time() == datetime.min.time() else node.value.isoformat()
    if isinstance(node.value, date):
        return node.value.isoformat()
    if lenient:
        return node.text
    kind = "true or false" if isinstance(node.value, bool) else "a number"
    raise RefusedError(
        f"{node.text} is {kind} where text is wanted", f'write "{node.text}" in quotes', instead=node.text
    )


def _word(text: str, known: list[str]) -> str:
    folded: Mapping[str, str] = {word.casefold(): word for word in known}
    if text.casefold() not in folded:
        raise RefusedError(f"{text!r} is not accepted", nearest(text, known))
    return folded[text.casefold()]
