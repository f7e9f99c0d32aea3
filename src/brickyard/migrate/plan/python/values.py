"""Values of the evaluation: strings that know where they were written, choices between branches, and the unknown."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from brickyard.migrate.plan.python.literals import Literal
from brickyard.notebooks.model import Span

MAX_CHOICES = 64
"""How many alternatives one value may have before it counts as unknown."""


@dataclass(frozen=True, slots=True)
class Place:
    """A range of the source of a cell; cell 0 stands for text outside the notebook that is planned."""

    cell: int
    span: Span


@dataclass(frozen=True, slots=True)
class Chars:
    """Consecutive characters of a literal, from `start` to `end`."""

    literal: Literal
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters."""
        return self.literal.value[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Slot:
    """A value put in by an expression, a field or a `%s`.

    `place` is what is written there. `argument` is where the value is given to a `format` or `%` whose slots are
    counted, so that the slot itself cannot be taken out. `given` names what the value comes from when it can be
    another one at run time: a widget, a setting.
    """

    inner: Text
    place: Place | None
    expression: bool  # whether `place` is a Python expression (else a part of a literal)
    argument: Place | None = None
    given: str | None = None

    @property
    def text(self) -> str:
        """The characters put in."""
        return self.inner.text


@dataclass(frozen=True, slots=True)
class Made:
    """Characters that are computed."""

    text: str


@dataclass(frozen=True, slots=True)
class Blank:
    """A stretch whose text cannot be known; `text` stands in for it."""

    name: str

    @property
    def text(self) -> str:
        """A word that no notebook uses."""
        return f"__{self.name}__"


Piece = Chars | Slot | Made | Blank


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The characters, with stand-ins for what is unknown."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def known(self) -> bool:
        """Whether no stretch is unknown."""
        return not any(isinstance(piece, Blank) for piece in self.leaves())

    def given(self) -> dict[str, str]:
        """What gives parts of the string from outside, each with the value taken for it."""
        found: dict[str, str] = {}
        for piece in self.pieces:
            if isinstance(piece, Slot):
                found |= {piece.given: piece.text} if piece.given else piece.inner.given()
        return found

    def leaves(self) -> Iterator[Chars | Made | Blank]:
        """The innermost pieces."""
        for piece in self.pieces:
            if isinstance(piece, Slot):
                yield from piece.inner.leaves()
            else:
                yield piece


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a truth value or None."""

    value: int | float | bool | complex | None


@dataclass(frozen=True, slots=True)
class Items:
    """A list, tuple or set. Lists are values: what changes one makes a new one."""

    items: tuple[Value, ...]
    kind: str = "list"


@dataclass(frozen=True, slots=True)
class Table:
    """A dict whose keys are known strings or numbers."""

    entries: tuple[tuple[object, Value, Value], ...]  # plain key, key, value

    def get(self, key: object) -> Value | None:
        """The value under a plain key."""
        return next((value for plain, _, value in reversed(self.entries) if plain == key), None)


@dataclass(frozen=True, slots=True)
class Handle:
    """An object of the platform's API, by its path, such as `spark.read`.

    `options` are those set on the way (format, mode); `uses` identify the references that made the object.
    """

    path: str
    options: tuple[tuple[str, str], ...] = ()
    uses: tuple[object, ...] = ()

    def option(self, name: str) -> str | None:
        """The value of an option."""
        return dict(self.options).get(name)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A class of the notebook, or an object of it: what its attributes are."""

    members: tuple[tuple[str, Value], ...]

    def get(self, name: str) -> Value | None:
        """The value of an attribute."""
        return dict(self.members).get(name)

    def having(self, name: str, value: Value) -> Namespace:
        """The same with an attribute set."""
        return Namespace((*((n, v) for n, v in self.members if n != name), (name, value)))


@dataclass(frozen=True, eq=False, slots=True)
class Function:
    """A function of the notebook, with the scope it was defined in."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    frame: Any
    defaults: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Method:
    """A method bound to a value: `name.lower` before it is called."""

    owner: Value
    name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything else; `name` says what the source calls it."""

    name: str = "value"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values, as branch number `key` was taken; choices with one key are taken alike."""

    key: str
    options: tuple[tuple[int, Value], ...]


Value = Text | Constant | Items | Table | Namespace | Handle | Function | Method | Unknown | Choice


def restrict(value: Value, key: str, branch: int) -> Value:
    """Return *value* when branch *branch* of choice *key* is taken."""
    match value:
        case Choice(own, options):
            if own == key:
                taken = dict(options)
                return restrict(taken[branch], key, branch) if branch in taken else Unknown()
            return choose(own, {n: restrict(v, key, branch) for n, v in options})
        case Items(items, kind) if _has_choice(items):
            return Items(tuple(restrict(item, key, branch) for item in items), kind)
        case Table(entries) if _has_choice(tuple(e[2] for e in entries)):
            return Table(tuple((plain, k, restrict(v, key, branch)) for plain, k, v in entries))
    return value


def _has_choice(values: tuple[Value, ...]) -> bool:
    return any(isinstance(v, Choice | Items | Table) for v in values)


def choose(key: str, options: Mapping[int, Value]) -> Value:
    """Make a choice, or the value itself when every branch has the same."""
    distinct = list(options.values())
    if all(value == distinct[0] for value in distinct[1:]):
        return distinct[0]
    made = Choice(key, tuple(options.items()))
    return made if count(made) <= MAX_CHOICES else Unknown()


def count(value: Value) -> int:
    """How many alternatives a value has."""
    return sum(count(v) for _, v in value.options) if isinstance(value, Choice) else 1


def alternatives(value: Value) -> Iterator[Value]:
    """Every plain value that *value* can be."""
    if isinstance(value, Choice):
        for _, option in value.options:
            yield from alternatives(option)
    else:
        yield value


def lift(function: Callable[..., Value], *values: Value) -> Value:
    """Apply *function* to plain values, once for each combination of choices that can occur together."""
    total = 1
    for value in values:
        total *= count(value)
    if total == 1:
        return function(*values)
    if total > MAX_CHOICES * MAX_CHOICES:
        return Unknown()
    chosen = next(value for value in values if isinstance(value, Choice))
    branches = [branch for branch, _ in chosen.options]
    return choose(
        chosen.key, {b: lift(function, *(restrict(value, chosen.key, b) for value in values)) for b in branches}
    )


def made(text: str) -> Text:
    """A string without a place in the source."""
    return Text((Made(text),))


def given_as(text: Text, by: str) -> Text:
    """A string that can be another one at run time, since *by* gives it."""
    return Text((Slot(text, None, expression=False, given=by),))


def blank(name: str) -> Text:
    """A string of which nothing is known."""
    return Text((Blank("".join(c if c.isalnum() else "_" for c in name) or "value"),))


def concat(*texts: Text) -> Text:
    """Join strings, each keeping where it was written."""
    return Text(tuple(piece for text in texts for piece in text.pieces))


def slot(value: Value, place: Place | None, *, expression: bool, argument: Place | None = None) -> Text:
    """Put a plain value where an expression or a field stands."""
    return Text((Slot(as_text(value), place, expression, argument),))


def as_text(value: Value) -> Text:
    """What `str()` makes of a plain value."""
    match value:
        case Text():
            return value
        case Constant(plain):
            return made(str(plain))
        case Unknown(name):
            return blank(name)
    return blank("value")


def plain(value: Value) -> object:
    """The Python value of a known plain value, or the value itself."""
    match value:
        case Text() if value.known:
            return value.text
        case Constant(constant):
            return constant
    return value


def truth(value: Value) -> bool | None:
    """Whether a plain value counts as true; None where that is not known."""
    match value:
        case Text():
            return (
                bool(value.text)
                if value.known
                else (True if any(not isinstance(p, Blank) for p in value.leaves()) else None)
            )
        case Constant(constant):
            return bool(constant)
        case Items(items) | Table(items):
            return bool(items)
        case Handle() | Function():
            return True
    return None
