"""Where the evaluation stands: the text being read, the scopes in force, and what it tells the outside."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from brickyard.dbsql.model import Kind, Side
from brickyard.migrate.plan.python.literals import Field, Literal, scan
from brickyard.migrate.plan.python.values import Choice, Function, Place, Text, Unknown, Value, choose, restrict
from brickyard.notebooks.model import Span

Scope = MutableMapping[str, Value]
"""Variables by name; session state (`@schema`, `@widget:x`, `@conf:x`) is kept among the global ones."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of Python: its text, and where that stands (`base` is its offset in the source of cell number `cell`)."""

    text: str
    cell: int
    base: int
    lines: tuple[int, ...]
    ascii: bool

    @classmethod
    def of(cls, text: str, cell: int, base: int) -> Unit:
        """Note the line starts of *text*."""
        lines = [0]
        at = text.find("\n")
        while at >= 0:
            lines.append(at + 1)
            at = text.find("\n", at + 1)
        return cls(text, cell, base, tuple(lines), text.isascii())

    def offset(self, line: int, column: int) -> int:
        """The offset in `text` of a position as `ast` gives it: 1-based line, column in UTF-8 bytes."""
        start = self.lines[line - 1]
        if self.ascii:
            return start + column
        raw = self.text[start : start + column].encode()
        return start + (column if len(raw) == column else len(raw[:column].decode(errors="ignore")))

    def range(self, node: ast.expr) -> tuple[int, int]:
        """The offsets in `text` of a node."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def place(self, node: ast.expr) -> Place:
        """Where a node stands in its cell."""
        start, end = self.range(node)
        return Place(self.cell, Span(start + self.base, end + self.base))


@dataclass(frozen=True, slots=True)
class FieldExpression:
    """A field of an f-string with its expression parsed, None where that is not Python."""

    place: Place
    unit: Unit
    node: ast.expr | None
    suffix: str  # conversion and format specification, as written


@dataclass(frozen=True, slots=True)
class Frame:
    """The scopes in force, innermost first, for the code of one unit."""

    unit: Unit
    scopes: tuple[Scope, ...]
    depth: int = 0
    assumed: tuple[tuple[str, int], ...] = ()

    @property
    def globals(self) -> Scope:
        """The variables of the notebook, and the state of its session."""
        return self.scopes[-1]

    def lookup(self, name: str) -> Value | None:
        """The value of a variable."""
        return next((scope[name] for scope in self.scopes if name in scope), None)

    def assign(self, name: str, value: Value) -> None:
        """Bind a name in the innermost scope."""
        self.scopes[0][name] = value

    def rebind(self, name: str, value: Value) -> None:
        """Change what a name stands for, where it is bound."""
        owner = next((scope for scope in self.scopes if name in scope), self.scopes[0])
        owner[name] = value

    def within(self, unit: Unit) -> Frame:
        """The same scopes, for the code of another unit."""
        return replace(self, unit=unit)

    def assuming(self, value: Value) -> Value:
        """*value* under the choices that are taken for granted here."""
        for key, branch in self.assumed:
            value = restrict(value, key, branch)
        return value


class Witness(Protocol):
    """Who hears of the objects that the code names."""

    def sql(self, text: Text, frame: Frame, arguments: Value | None) -> None:
        """A SQL text is executed."""

    def name(self, text: Text, place: Place | None, frame: Frame, side: Side, kind: Kind, verb: str) -> object:
        """An object is named by a call (place None: by the literal itself); returns what identifies the use."""

    def refine(self, use: object, side: Side, verb: str) -> None:
        """It turns out what is done with a use."""

    def path(self, text: Text, place: Place, side: Side, verb: str) -> None:
        """A file or folder is named by a call."""

    def view(self, name: Text | None) -> None:
        """A temporary view is made; None when its name cannot be known."""

    def child(self, path: Text, arguments: Value | None, verb: str) -> None:
        """Another notebook is run."""


MAX_STEPS = 400_000
"""How much evaluation one notebook gets."""


class Exhausted(Exception):
    """The notebook takes more evaluation than is allowed for."""


Handler = Callable[..., Value]


@dataclass(slots=True)
class Machine:
    """What the evaluation of a notebook keeps beside variables.

    `handlers` evaluate each kind of expression, `run` executes a function's body; *callers* holds the arguments by which
    other notebooks run this one.
    """

    witness: Witness
    handlers: Mapping[type[ast.expr], Handler]
    otherwise: Handler
    run: Callable[[Sequence[ast.stmt], Frame, Machine], Value]
    params: Mapping[str, str] = field(default_factory=dict)
    callers: Sequence[Mapping[str, str]] = ()
    steps: int = 0
    depth: int = 0
    loops: int = 0
    called: set[int] = field(default_factory=set)
    defined: list[Function] = field(default_factory=list)
    escaped: set[tuple[int, int]] = field(default_factory=set)
    keys: Iterator[int] = field(default_factory=count)
    parsed: dict[int, tuple[ast.JoinedStr | ast.Constant, Sequence[Literal | FieldExpression] | None]] = field(
        default_factory=dict
    )

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """Evaluate an expression to a value, reporting every use of an object in it."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted
        return self.handlers.get(type(node), self.otherwise)(node, frame, self)

    def new_key(self, hint: str) -> str:
        """A name for a choice that nothing else depends on."""
        return f"{hint}#{next(self.keys)}"

    def escape(self, *values: Value) -> None:
        """Note that the literals in *values* are used for something that is not a reference."""
        for value in values:
            match value:
                case Text():
                    self.escaped |= {leaf.literal.key for leaf in value.leaves() if hasattr(leaf, "literal")}
                case Choice(_, options):
                    self.escape(*(option for _, option in options))

    def literal_pieces(
        self, node: ast.JoinedStr | ast.Constant, unit: Unit
    ) -> Sequence[Literal | FieldExpression] | None:
        """The scanned pieces of a string literal, or None where scanner and parser disagree."""
        known = self.parsed.get(id(node))
        if known is None:
            known = self.parsed[id(node)] = (node, _scan(node, unit))
        return known[1]


def _scan(node: ast.JoinedStr | ast.Constant, unit: Unit) -> Sequence[Literal | FieldExpression] | None:
    start, end = unit.range(node)
    shifted = scan(unit.text, start, end, unit.cell)
    if shifted is None:
        return None
    if isinstance(node, ast.Constant) and "".join(p.value for p in shifted if isinstance(p, Literal)) != node.value:
        return None
    return [_expression(piece, unit) if isinstance(piece, Field) else _shift(piece, unit.base) for piece in shifted]


def _shift(literal: Literal, base: int) -> Literal:
    """The literal as it stands in its cell."""
    return replace(literal, starts=_moved(literal.starts, base), ends=_moved(literal.ends, base))


def _moved(offsets: Sequence[int], base: int) -> Sequence[int]:
    if isinstance(offsets, range):
        return range(offsets.start + base, offsets.stop + base)
    return tuple(offset + base for offset in offsets)


def _expression(piece: Field, unit: Unit) -> FieldExpression:
    start, end = piece.expression
    source = f"({unit.text[start:end]})"
    inner = Unit.of(source, unit.cell, unit.base + start - 1)
    place = Place(unit.cell, Span(unit.base + piece.start, unit.base + piece.end))
    suffix = unit.text[end : piece.end - 1]
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError):
        return FieldExpression(place, inner, None, suffix)
    return FieldExpression(place, inner, tree, suffix)


def merge(key: str, scope: Scope, branches: Sequence[Scope]) -> None:
    """Make *scope* hold, for each name, the choice between what the branches left in it."""
    names = dict.fromkeys(name for branch in branches for name in branch)
    for name in names:
        values = {index: branch.get(name, Unknown(name)) for index, branch in enumerate(branches)}
        if name.startswith("@") and any(name not in branch for branch in branches):
            values = {index: branch[name] for index, branch in enumerate(branches) if name in branch}
        scope[name] = choose(key, values)
