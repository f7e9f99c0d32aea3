"""String operations that keep where each character was written."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brickyard.migrate.plan.python.values import (
    Blank,
    Chars,
    Constant,
    Items,
    Made,
    Piece,
    Place,
    Slot,
    Table,
    Text,
    Unknown,
    Value,
    as_text,
    concat,
    given_as,
    made,
    plain,
    slot,
)
from brickyard.notebooks.model import Span

_FORMAT_FIELD = re.compile(r"\{\{|\}\}|\{([^{}!:]*)((?:![rsa])?(?::[^{}]*)?)\}")
_TEMPLATE = re.compile(r"\$\$|\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_SUFFIX = re.compile(r"(?:!([rsa]))?(?::([^{}]*))?")
_PERCENT = re.compile(r"%(?:\((\w+)\))?[#0\- +]*(?:\d+|\*)?(?:\.\d+)?([%a-zA-Z])")


@dataclass(frozen=True, slots=True)
class Argument:
    """A value given to a format, and where."""

    value: Value
    place: Place | None


def pieces_in(text: Text, start: int, end: int) -> Iterator[tuple[Piece, int, int]]:
    """The pieces that overlap `[start, end)`, each with the range of it, counted within the piece."""
    at = 0
    for piece in text.pieces:
        size = len(piece.text)
        if at < end and at + size > start:
            yield piece, max(start - at, 0), min(end - at, size)
        at += size


def cut(text: Text, start: int, end: int) -> Text:
    """The characters from *start* to *end*; a value that is put in only partly is taken apart."""
    found: list[Piece] = []
    for piece, first, last in pieces_in(text, start, end) if start < end else ():
        found += _part(piece, first, last)
    return Text(tuple(found))


def _part(piece: Piece, first: int, last: int) -> Sequence[Piece]:
    if (first, last) == (0, len(piece.text)):
        return (piece,)
    match piece:
        case Chars(literal, start, _):
            return (Chars(literal, start + first, start + last),)
        case Made(text):
            return (Made(text[first:last]),)
        case Slot(inner):
            return cut(inner, first, last).pieces
        case Blank():
            return (piece,)


def place_of(text: Text, start: int, end: int) -> Place | None:
    """Where `[start, end)` is written, or None when it is not written as one range of one cell."""
    places: list[Place] = []
    for piece, begin, stop in pieces_in(text, start, end):
        where = _piece_place(piece, begin, stop)
        if where is None or (places and not _follows(where, places[-1])):
            return None
        places.append(where)
    return Place(places[0].cell, Span(places[0].span.start, places[-1].span.end)) if places else None


def _follows(later: Place, earlier: Place) -> bool:
    return later.cell == earlier.cell and later.span.start >= earlier.span.end


def _piece_place(piece: Piece, begin: int, stop: int) -> Place | None:
    match piece:
        case Chars(literal, start, _) if stop > begin:
            return Place(literal.cell, Span(*literal.span(start + begin, start + stop))) if literal.cell else None
        case Slot(_, place) if place is not None and place.cell:
            return place
    return None


def apply_format(template: Text, positional: Sequence[Argument], named: Mapping[str, Argument]) -> Value:
    """`template.format(…)`; a field whose value is not given makes the result unknown there."""
    source = template.text
    parts: list[Text] = []
    at = counted = 0
    for found in _FORMAT_FIELD.finditer(source):
        parts.append(cut(template, at, found.start()))
        at = found.end()
        if found[1] is None:
            parts.append(cut(template, found.start(), found.start() + 1))
            continue
        key = found[1].strip()
        given = _pick(key or str(counted), positional, named)
        counted += not key
        place = place_of(template, found.start(), found.end())
        parts.append(
            slot(formatted(given.value, found[2]), place, expression=False, argument=None if key else given.place)
        )
    parts.append(cut(template, at, len(source)))
    return concat(*parts)


def _pick(key: str, positional: Sequence[Argument], named: Mapping[str, Argument]) -> Argument:
    if key.isdigit():
        return positional[int(key)] if int(key) < len(positional) else Argument(Unknown("argument"), None)
    name, index = [*key.rstrip("]").split("[", 1), ""][:2]
    given = named.get(name, Argument(Unknown(name or "argument"), None))
    if index and isinstance(given.value, Table):
        return Argument(given.value.get(index) or Unknown(name), given.place)
    return Argument(Unknown(name), None) if index or "." in name else given


def apply_percent(template: Text, arguments: Sequence[Argument], named: Mapping[str, Argument]) -> Value:
    """`template % …`."""
    source = template.text
    parts: list[Text] = []
    at = counted = 0
    for found in _PERCENT.finditer(source):
        parts.append(cut(template, at, found.start()))
        at = found.end()
        if found[2] == "%":
            parts.append(cut(template, found.start(), found.start() + 1))
            continue
        place = place_of(template, found.start(), found.end())
        given = _pick(found[1] or str(counted), arguments, named)
        counted += not found[1]
        value = given.value if found[0][-2:] in ("%s", "%d", ")s", ")d") else _percented(given.value, found)
        parts.append(slot(value, place, expression=False, argument=None if found[1] else given.place))
    parts.append(cut(template, at, len(source)))
    return concat(*parts)


def apply_template(template: Text, named: Mapping[str, Argument]) -> Value:
    """`Template(template).substitute(…)`."""
    source = template.text
    parts: list[Text] = []
    at = 0
    for found in _TEMPLATE.finditer(source):
        parts.append(cut(template, at, found.start()))
        at = found.end()
        if found[0] == "$$":
            parts.append(cut(template, found.start(), found.start() + 1))
            continue
        given = _pick(found[1] or found[2], (), named)
        parts.append(slot(given.value, place_of(template, found.start(), at), expression=False))
    return concat(*parts, cut(template, at, len(source)))


def _percented(value: Value, found: re.Match[str]) -> Value:
    """What `%02d`, `%r` and the like make of a value."""
    known = plain(value)
    if not isinstance(known, str | int | float):
        return Unknown("field")
    pattern = found[0].replace(f"({found[1]})", "") if found[1] else found[0]
    try:
        return made(pattern % known)
    except (TypeError, ValueError):
        return Unknown("field")


def formatted(value: Value, suffix: str) -> Value:
    """What the conversion and the format specification *suffix* of a field make of a value."""
    found, known = _SUFFIX.fullmatch(suffix), plain(value)
    if not suffix:
        return value
    if not found or not isinstance(known, str | int | float):
        return Unknown("field")
    try:
        result = format(_CONVERSIONS[found[1]](known), found[2] or "")
    except ValueError:
        return Unknown("field")
    return _same_or_made(value, result) if isinstance(value, Text) else made(result)


def _strip(text: Text, chars: str | None, sides: str) -> Text:
    source = text.text
    left = len(source) - len(source.lstrip(chars)) if "l" in sides else 0
    right = len(source.rstrip(chars)) if "r" in sides else len(source)
    return cut(text, left, max(left, right))


def replace(text: Text, old: str, new: Text, count: int = -1) -> Text:
    """`text.replace(old, new)`: what was written for *old* is a slot for *new*."""
    source = text.text
    parts: list[Text] = []
    at = 0
    while old and count != 0 and (found := source.find(old, at)) >= 0:
        after = found + len(old)
        parts += [cut(text, at, found), slot(new, place_of(text, found, after), expression=False)]
        at = after
        count -= 1
    return concat(*parts, cut(text, at, len(source)))


def dedent(text: Text) -> Text:
    """`textwrap.dedent(text)`."""
    wanted = textwrap.dedent(text.text).split("\n")
    parts: list[Text] = []
    at = 0
    for line, kept in zip(text.text.split("\n"), wanted, strict=True):
        end = at + len(line)
        start = end - len(kept)
        parts.append(cut(text, start, end + 1))
        at = end + 1
    return concat(*parts)


def split(text: Text, separator: str | None, limit: int = -1) -> Items:
    """`text.split(separator)`."""
    source = text.text
    items: list[Value] = []
    at = 0
    for part in source.split(separator, limit):
        start = source.index(part, at) if part else at
        items.append(cut(text, start, start + len(part)))
        at = start + len(part) + (len(separator) if separator else 0)
    return Items(tuple(items))


def join(separator: Text, items: Sequence[Value]) -> Text:
    """`separator.join(items)`."""
    parts: list[Text] = []
    for index, item in enumerate(items):
        parts += [separator, as_text(item)] if index else [as_text(item)]
    return concat(*parts)


_CONVERSIONS: Mapping[str | None, Callable[[object], object]] = {
    None: lambda value: value,
    "s": str,
    "r": repr,
    "a": ascii,
}


def _same_or_made(text: Text, result: str) -> Text:
    if text.text == result:
        return text
    given = text.given()
    return given_as(made(result), " and ".join(given)) if given else made(result)


_CASES: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "capitalize": str.capitalize,
    "casefold": str.casefold,
    "swapcase": str.swapcase,
}
_TESTS: Mapping[str, Callable[..., bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "isdigit": str.isdigit,
    "isalpha": str.isalpha,
    "isupper": str.isupper,
    "islower": str.islower,
}
_STRIPS = {"strip": "lr", "lstrip": "l", "rstrip": "r"}


def call_method(text: Text, name: str, arguments: Sequence[Value]) -> Value:
    """Call a method of a string; what is not understood, or has unknown parts it depends on, is unknown."""
    given = [plain(a) for a in arguments]
    if any(not isinstance(g, str | int | None) for g in given) and name not in ("join", "replace"):
        return Unknown("text")
    if name in _STRIPS and all(isinstance(g, str | None) for g in given):
        return _strip(text, given[0] if given and isinstance(given[0], str) else None, _STRIPS[name])
    if not text.known and name not in ("replace", "join"):
        return Unknown("text")
    if name in _CASES:
        return _same_or_made(text, _CASES[name](text.text))
    if name in _TESTS and all(isinstance(g, str) for g in given):
        return Constant(_TESTS[name](text.text, *given))
    return _with_arguments(text, name, arguments, given)


def _with_arguments(text: Text, name: str, arguments: Sequence[Value], given: Sequence[object]) -> Value:
    match name, given:
        case "replace", [str(old), _, *_] if isinstance(arguments[1], Text):
            return replace(text, old, arguments[1])
        case "join", [Items(items)]:
            return join(text, items)
        case "split", [] | [str() | None]:
            return split(text, given[0] if given and isinstance(given[0], str) else None)
        case "split", [str(separator), int(limit)]:
            return split(text, separator, limit)
        case "splitlines", []:
            return split(text, "\n")
        case "removeprefix", [str(prefix)] if text.text.startswith(prefix):
            return cut(text, len(prefix), len(text.text))
        case "removesuffix", [str(suffix)] if suffix and text.text.endswith(suffix):
            return cut(text, 0, len(text.text) - len(suffix))
        case (("removeprefix" | "removesuffix" | "encode" | "decode" | "expandtabs"), _):
            return text
        case "zfill", [int(width)]:
            return _same_or_made(text, text.text.zfill(width))
    return Unknown("text")
