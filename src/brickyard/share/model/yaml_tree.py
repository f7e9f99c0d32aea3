"""YAML 1.2 as a tree that knows its lines: plain data only, without anchors, tags, merges and repeated keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from brickyard.share.model.nodes import TOP, Fault, Fields, Items, Node, Place, Scalar

DEPTH = 20
NODES = 100_000
_INT = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_HALF = re.compile("[\ud800-\udfff]")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read(data: bytes) -> tuple[Node | None, list[Fault]]:
    """Read one YAML document; the faults of its form come with the tree, which is None when reading stopped early."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _nothing(_not_utf8(data, error))
    if "\0" in text:
        return _nothing(_at(text, text.index("\0"), "a NUL character stands here", "save the file as UTF-8 text"))
    builder = _Builder()
    try:
        builder.document(text)
    except _Stop as stop:
        return _nothing(*builder.faults, stop.fault)
    except MarkedYAMLError as error:
        return _nothing(*builder.faults, _not_yaml(text, error))
    except ReaderError as error:
        character = f"the character {text[error.position]!a} is not accepted in YAML"
        return _nothing(*builder.faults, _at(text, error.position, character, "remove it"))
    if isinstance(builder.root, Scalar) and looks_like_csv(text):
        return _nothing(_csv(Place.line(1, 1)))
    return builder.tree(), builder.faults


def _csv(place: Place) -> Fault:
    return Fault((), "this looks like CSV, not YAML", "send the pack as .yaml or .xlsx", place)


def _nothing(*faults: Fault) -> tuple[None, list[Fault]]:
    return None, list(faults)


def _at(text: str, position: int, message: str, remedy: str | None = None) -> Fault:
    before = text[:position]
    place = Place.line(before.count("\n") + 1, position - before.rfind("\n"))
    return Fault((), message, remedy, place)


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> Fault:
    line = data[: error.start].count(b"\n") + 1
    column = error.start - data.rfind(b"\n", 0, error.start)
    return Fault((), "the text is not UTF-8", "save the file with the encoding UTF-8", Place.line(line, column))


def _not_yaml(text: str, error: MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    place = Place.line(mark.line + 1, mark.column + 1) if mark else TOP
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in str(error.problem):
        return Fault((), "a tab stands where YAML wants spaces", "indent with spaces, two for each level", place)
    if looks_like_csv(text):
        return _csv(place)
    return Fault((), f"this is not YAML: {str(error.problem or 'unreadable').splitlines()[0]}", None, place)


def looks_like_csv(text: str) -> bool:
    """Tell whether a text that is no pack begins with lines of separated values."""
    lines = [line for line in text.splitlines() if line.strip()][:2]
    return any(bool(lines) and all(mark in line and ": " not in line for line in lines) for mark in ",;\t")


class _Stop(Exception):
    """The document is not worth reading on."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come; *key* is the key that waits for its value."""

    place: Place
    mapping: bool
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    key: Scalar | None = None

    def closed(self) -> Node:
        if self.mapping:
            return Fields(self.entries, self.keys, self.place)
        return Items(tuple(self.items), self.place)


@dataclass(slots=True)
class _Builder:
    """Makes the tree out of ruamel's events, which know nothing of types, tags or references."""

    faults: list[Fault] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    root: Node | None = None
    documents: int = 0

    def document(self, text: str) -> None:
        for number, event in enumerate(_events(text)):
            if number > NODES:
                raise _Stop(_fault(event, f"the file has more than {NODES:,} nodes", "split it into several packs"))
            self._take(event)

    def tree(self) -> Node:
        return self.root or Scalar(None, "", Place.line(1, 1))

    def _take(self, event: Any) -> None:
        match event:
            case DocumentStartEvent():
                self._begin(event)
            case AliasEvent():
                self._refuse(event, f"the alias *{event.anchor} is not accepted", "write the value out")
                self._put(Scalar("", "", _place(event), quoted=True))
            case MappingStartEvent() | SequenceStartEvent():
                self._enter(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._put(self.open.pop().closed())
            case ScalarEvent():
                self._plain_only(event)
                event.value = self._text(event)
                self._put(_scalar(event))

    def _begin(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _Stop(_fault(event, "a second document begins here", "send one pack a file"))

    def _enter(self, event: Any) -> None:
        self._plain_only(event)
        if len(self.open) >= DEPTH:
            raise _Stop(_fault(event, f"the file is nested deeper than {DEPTH} levels"))
        self.open.append(_Open(_place(event), isinstance(event, MappingStartEvent)))

    def _plain_only(self, event: Any) -> None:
        if event.anchor is not None:
            self._refuse(event, f"the anchor &{event.anchor} is not accepted", "write the value out where it is needed")
        if event.tag is not None:
            self._refuse(event, f"the tag {event.tag!r} is not accepted", "remove the tag")

    def _text(self, event: ScalarEvent) -> str:
        r"""Return a scalar's text, pairs such as \ud83d\ude00 joined as JSON has them; half of one is no character."""
        text = str(event.value)
        if not _HALF.search(text):
            return text
        units = text.encode("utf-16-le", "surrogatepass")
        try:
            return units.decode("utf-16-le")
        except UnicodeDecodeError:
            self._refuse(event, "an escape here is half of a character", "write the character itself")
            return units.decode("utf-16-le", "replace")

    def _put(self, node: Node) -> None:
        if not self.open:
            self.root = node
        elif not self.open[-1].mapping:
            self.open[-1].items.append(node)
        elif self.open[-1].key is None:
            self.open[-1].key = self._key(node)
        else:
            self._entry(self.open[-1], self.open[-1].key, node)

    def _entry(self, into: _Open, key: Scalar, node: Node) -> None:
        into.key = None
        if key.text in into.entries:
            first = into.keys[key.text].text.removeprefix(":")
            self.faults.append(Fault((), f"the key {key.text!r} stands twice, first at {first}", "keep one", key.place))
        elif key.text == "<<" and not key.quoted:
            self.faults.append(Fault((), "merge keys (<<) are not accepted", "write the keys out", key.place))
        else:
            into.entries[key.text] = node
            into.keys[key.text] = key.place

    def _key(self, node: Node) -> Scalar:
        if isinstance(node, Scalar):
            return node
        self.faults.append(Fault((), "a key is a mapping or a list", "keys are words", node.place))
        return Scalar("", "", node.place)

    def _refuse(self, event: Any, message: str, remedy: str) -> None:
        self.faults.append(_fault(event, message, remedy))


def _fault(event: Any, message: str, remedy: str | None = None) -> Fault:
    return Fault((), message, remedy, _place(event))


def _events(text: str) -> Iterator[Any]:
    return YAML(typ="rt", pure=True).parse(text)


def _place(event: Any) -> Place:
    return Place.line(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(event: ScalarEvent) -> Scalar:
    text = str(event.value)
    quoted = event.style is not None
    return Scalar(text if quoted else resolved(text), text, _place(event), quoted)


def resolved(text: str) -> str | bool | int | float | date | None:
    """Return the value of a plain scalar by the core schema of YAML 1.2, and ISO dates."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return (_date(text) if _DATE.match(text) else None) or text


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
