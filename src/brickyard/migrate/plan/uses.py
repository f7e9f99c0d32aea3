"""Uses of objects in a notebook, found by running through its SQL and Python without executing either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial

from sqlglot import exp

from brickyard.dbsql.model import Hole, Kind, Reference, Script, Side, Statement
from brickyard.dbsql.parse import parse
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import TableName, split_name
from brickyard.migrate.model.inputs import PlanOptions
from brickyard.migrate.model.nouns import Finding, Severity
from brickyard.migrate.plan import names
from brickyard.migrate.plan.python.calls import widget_value
from brickyard.migrate.plan.python.frame import Frame, Machine
from brickyard.migrate.plan.python.strings import cut, place_of
from brickyard.migrate.plan.python.values import (
    Blank,
    Chars,
    Place,
    Slot,
    Table,
    Text,
    Unknown,
    Value,
    alternatives,
    as_text,
    concat,
    given_as,
    lift,
    made,
    plain,
    slot,
)
from brickyard.notebooks.model import Span

_DETAILS = {"if_not_exists": " IF NOT EXISTS", "partition": " PARTITION", "replace_where": " REPLACE WHERE"}
_NO_CATALOG_SCHEMAS = frozenset({"global_temp", "information_schema"})


@dataclass(frozen=True, slots=True)
class Qualification:
    """A table name before a column that follows the name of a use: where, and by which pieces it is written."""

    place: Place
    text: Text
    parts: int


@dataclass(slots=True)
class Use:
    """A name that a place of the notebook can take, and what is done with it.

    `text` spells the name piece by piece; `whole` is what a new name replaces where that is more than the place, as in
    `IDENTIFIER(…)`. `why` is the code of a finding where `original` is not known.
    """

    place: Place
    text: Text
    original: TableName | str | None
    why: str | None
    side: Side
    kind: Kind
    verb: str
    whole: Place | None = None
    alias: str | None = None
    can_alias: bool = False
    after: Place | None = None
    qualifiers: tuple[Qualification, ...] = ()
    others: frozenset[str] = frozenset()  # by which the statement's other relations qualify columns

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two uses the same row."""
        return self.place, self.original, self.text


@dataclass(frozen=True, slots=True)
class SchemaUse:
    """A schema named by a statement such as USE."""

    place: Place | None
    parts: tuple[str, ...] | None
    verb: str


@dataclass(frozen=True, slots=True)
class SqlText:
    """A SQL text that stands verbatim at one place of the notebook."""

    cell: int
    offset: int
    text: str
    script: Script
    embedded: bool


@lru_cache(maxsize=4096)
def parse_once(text: str, holes: tuple[Hole, ...]) -> Script:
    """Parse a SQL text; the same text is parsed once."""
    return parse(text, holes=holes)


@dataclass(slots=True)
class Uses:
    """The witness of a notebook's evaluation: collects uses, SQL texts and findings."""

    options: PlanOptions
    found: dict[tuple[object, ...], Use] = field(default_factory=dict)
    schemas: list[SchemaUse] = field(default_factory=list)
    texts: dict[tuple[int, int], SqlText] = field(default_factory=dict)
    findings: dict[tuple[object, ...], Finding] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)
    unknown_views: bool = False
    kept: set[tuple[int, int]] = field(default_factory=set)
    widgets: dict[str, str] = field(default_factory=dict)
    children: list[tuple[str | None, Mapping[str, str], str]] = field(default_factory=list)
    muted: int = 0
    machine: Machine | None = None
    cell: int = 0

    # What the evaluation tells

    def sql(self, text: Text, frame: Frame, arguments: Value | None) -> None:
        """Read a SQL text that is executed."""
        holes = tuple(_blank_holes(text))
        script = parse_once(text.text, holes)
        self._keep_text(text, script)
        if any(s.span.start == hole.span.start and not s.references for s in script.statements for hole in holes):
            self._note_unknown_sql(text)
        if not self.muted:
            self._keep_literals(text, script)
        reading = _Reading(self, text, frame, arguments, {(h.span.start, h.span.end) for h in holes})
        for statement in script.statements:
            reading.statement(statement)

    def _keep_literals(self, text: Text, script: Script) -> None:
        """Note the literals put into the text that are no part of a name."""
        named = [r.span for s in script.statements for r in s.references]
        for key, start, end in _put_in(text, 0, False):
            if not any(span.start <= start and end <= span.end for span in named):
                self.kept.add(key)

    def keep(self, text: Text) -> None:
        """Note that the literals of a text serve something that is no object of the catalog."""
        self.kept |= {leaf.literal.key for leaf in text.leaves() if isinstance(leaf, Chars)}

    def name(self, text: Text, place: Place | None, frame: Frame, side: Side, kind: Kind, verb: str) -> object:
        """Note an object that a call names."""
        source = text.text
        start, end = len(source) - len(source.lstrip()), len(source.rstrip())
        if place is None:
            text = cut(text, start, end)
            place = place_of(text, 0, len(text.text))
        if place is None or not place.cell:
            return None
        use = self.resolve(text, place, frame, side, kind, verb)
        if use is None:
            self.keep(text)
            return None
        return self._add(use)

    def refine(self, use: object, side: Side, verb: str) -> None:
        """Note what is done with an object named before."""
        known = self.found.get(use) if isinstance(use, tuple) else None
        if known is not None:
            known.side, known.verb = side, verb

    def path(self, text: Text, place: Place, side: Side, verb: str) -> None:
        """Note a file or folder that a call names."""
        inside = place_of(text, 0, len(text.text)) if text.text else None
        where = inside or place
        if where.cell:
            known = text.text if text.known else None
            self._add(Use(where, text, known, None if known else "path-unknown", side, Kind.PATH, verb))

    def view(self, name: Text | None) -> None:
        """Note a temporary view."""
        if name is None:
            self.unknown_views = True
        else:
            self.keep(name)
            self.views.add(name.text.lower())

    def child(self, path: Text, arguments: Value | None, verb: str) -> None:
        """Note another notebook that is run."""
        if not self.muted:
            self.children.append((path.text if path.known else None, _plain_arguments(arguments), verb))

    # What is made of it

    def resolve(self, text: Text, place: Place, frame: Frame, side: Side, kind: Kind, verb: str) -> Use | None:
        """The use that a spelled name is, or None when it names no object of the catalog."""
        if not text.known:
            return Use(place, text, None, "name-unknown", side, kind, verb)
        try:
            parts = split_name(text.text)
        except SpecInvalid:
            return Use(place, text, None, "name-unknown", side, kind, verb)
        if kind is Kind.PATH:
            return Use(place, text, parts[-1], None, side, kind, verb)
        if len(parts) == 2 and _is_path_format(parts):
            return Use(place, text, parts[1], None, side, Kind.PATH, verb)
        if len(parts) > 1 and parts[-2].lower() in _NO_CATALOG_SCHEMAS and (len(parts) == 2):
            return None
        if len(parts) == 1 and parts[0].lower() in self.views:
            return None
        return self._located(text, place, parts, frame, (side, kind, verb))

    def _located(
        self, text: Text, place: Place, parts: tuple[str, ...], frame: Frame, what: tuple[Side, Kind, str]
    ) -> Use:
        catalog, schema = self._current(frame)
        missing = (len(parts) == 1 and schema is None) or (len(parts) == 2 and catalog is None)
        if missing or len(parts) > 3:
            code = "schema-unknown" if len(parts) == 1 else "name-unknown"
            return Use(place, text, None, code, *what)
        if len(parts) == 1 and self.unknown_views:
            return Use(place, text, None, "name-unknown", *what)
        full = names.original(parts, catalog or None, schema, self.options.pack)
        return Use(place, text, full, None if full else "name-unknown", *what)

    def _current(self, frame: Frame) -> tuple[str | None, str | None]:
        """The current catalog (empty when never set, None when not known) and schema."""
        catalog = _known(frame.assuming(frame.globals.get("@catalog", made(""))))
        default = made(self.options.schema) if self.options.schema else Unknown()
        schema = _known(frame.assuming(frame.globals.get("@schema", default)))
        return catalog, schema

    def add(self, use: Use) -> object:
        """Keep a use that is written in this notebook."""
        return self._add(use)

    def _add(self, use: Use) -> object:
        if self.muted or not use.place.cell:
            return None
        known = self.found.setdefault(use.key, use)
        if known is not use and known.side != use.side and Side.READWRITE not in (known.side, use.side):
            known.side = Side.READWRITE
        return use.key

    def note(self, code: str, severity: Severity, message: str, remedy: str, place: Place | None) -> None:
        """Keep a finding; its line is found later, from the place."""
        if not self.muted:
            cell = place.cell if place and place.cell else self.cell
            offset = place.span.start if place and place.cell else None
            finding = Finding(code, severity, message, remedy, cell, offset)
            self.findings.setdefault((code, cell, offset, message), finding)

    def _note_unknown_sql(self, text: Text) -> None:
        self.note(
            "sql-unknown",
            Severity.WARN,
            "this SQL text is put together from values that cannot be known, so what it names is not known either",
            "give the widgets it depends on with --param, or look at what it names yourself",
            place_of(text, 0, len(text.text)) if text.text else None,
        )

    def _keep_text(self, text: Text, script: Script) -> None:
        if self.muted or len(text.pieces) != 1 or not isinstance(piece := _only(text), Chars):
            return
        literal = piece.literal
        if literal.cell and isinstance(literal.starts, range) and len(piece.text) == len(text.text):
            offset = literal.starts[piece.start] if piece.text else literal.starts.start
            key = (literal.cell, offset)
            self.texts.setdefault(key, SqlText(*key, text.text, script, embedded=literal.opening != ""))


def _only(text: Text) -> object:
    """The one piece of a text, taken out of the expressions that hand it on."""
    piece = text.pieces[0]
    while isinstance(piece, Slot) and piece.expression and len(piece.inner.pieces) == 1:
        piece = piece.inner.pieces[0]
    return piece


def _put_in(text: Text, at: int, inside: bool) -> Iterator[tuple[tuple[int, int], int, int]]:
    """The literals that come into a text by a value, with the range they take up."""
    for piece in text.pieces:
        if isinstance(piece, Slot):
            yield from _put_in(piece.inner, at, True)
        elif isinstance(piece, Chars) and inside:
            yield piece.literal.key, at, at + len(piece.text)
        at += len(piece.text)


def _blank_holes(text: Text) -> Iterator[Hole]:
    at = 0
    for leaf in text.leaves():
        size = len(leaf.text)
        if isinstance(leaf, Blank):
            yield Hole(Span(at, at + size), leaf.name)
        at += size


def _known(value: Value) -> str | None:
    options = list(alternatives(value))
    known = plain(options[0])
    return known if len(options) == 1 and isinstance(known, str) else None


def _is_path_format(parts: tuple[str, ...]) -> bool:
    return parts[0].lower() in ("delta", "parquet", "csv", "json", "orc", "avro", "text") and any(
        c in parts[1] for c in "/:"
    )


def _plain_arguments(value: Value | None) -> Mapping[str, str]:
    if not isinstance(value, Table):
        return {}
    pairs = [(str(key), plain(item)) for key, _, item in value.entries]
    return {key: str(item) for key, item in pairs if isinstance(item, str | int | float)}


@dataclass(slots=True)
class _Reading:
    """One SQL text being read, statement by statement."""

    uses: Uses
    text: Text
    frame: Frame
    arguments: Value | None
    blanks: set[tuple[int, int]]

    def statement(self, statement: Statement) -> None:
        """Take in what a statement does to the session, and what it names."""
        for reference in statement.references:
            self._reference(reference, statement)
        for namespace in statement.namespaces:
            self._namespace(namespace, statement)
        if statement.temp_view:
            self.uses.view(made(statement.temp_view))
        effect = _EFFECTS.get(statement.verb)
        if effect is not None:
            effect(self, statement)
        if statement.error is not None:
            self._note_error(statement)

    def _note_error(self, statement: Statement) -> None:
        at = min(
            statement.error_offset if statement.error_offset is not None else statement.span.start,
            len(self.text.text) - 1,
        )
        self.uses.note(
            "cell-unparsable",
            Severity.WARN,
            f"this statement does not parse: {statement.error}",
            "look at the statement; the names found in it are refactored, its rewrites are not made",
            place_of(self.text, at, at + 1),
        )

    def _reference(self, reference: Reference, statement: Statement) -> None:
        spelled = self._spelled(reference, statement)
        for option in alternatives(self.frame.assuming(spelled)):
            self._use(reference, statement, as_text(option))

    def _use(self, reference: Reference, statement: Statement, name: Text) -> None:
        place = place_of_range(self.text, reference.span)
        if place is None or not place.cell:
            return
        use = self.uses.resolve(name, place, self.frame, reference.side, reference.kind, _verb(statement))
        if use is None:
            self.uses.keep(name)
            return
        whole = place_of_range(self.text, reference.whole) if reference.whole else None
        index = statement.references.index(reference)
        use.whole = whole
        use.alias = reference.alias
        use.can_alias = reference.alias is None and reference.version is None and not reference.in_string
        use.qualifiers = tuple(self._qualifications(statement, index))
        use.others = frozenset(_shown_as(r) for i, r in enumerate(statement.references) if i != index)
        self.uses.add(use)

    def _qualifications(self, statement: Statement, index: int) -> Iterator[Qualification]:
        for qualifier in statement.qualifiers:
            if qualifier.reference == index:
                place = place_of_range(self.text, qualifier.span)
                if place is not None and place.cell:
                    yield Qualification(place, self._range_text(qualifier.span, ()), len(qualifier.parts))

    def _spelled(self, reference: Reference, statement: Statement) -> Value:
        """The name as text, with the values of widgets and settings filled in."""
        if reference.pieces and reference.whole:
            return lift(_joined, *(made(p) if isinstance(p, str) else self._hole(p) for p in reference.pieces))
        if reference.computed is not None:
            return self._evaluate(reference.computed)
        if reference.whole and reference.literal:
            return made(".".join(f"`{part}`" for part in reference.literal))
        inside = [
            h for h in statement.holes if reference.span.start <= h.span.start and h.span.end <= reference.span.end
        ]
        unsolved = [h for h in inside if (h.span.start, h.span.end) not in self.blanks]
        if not unsolved:
            return self._range_text(reference.span, ())
        return lift(partial(self._filled, reference.span, unsolved), *(self._hole(h) for h in unsolved))

    def _filled(self, span: Span, holes: list[Hole], *values: Value) -> Value:
        return self._range_text(span, tuple(zip(holes, values, strict=True)))

    def _range_text(self, span: Span, filled: tuple[tuple[Hole, Value], ...]) -> Text:
        parts: list[Text] = []
        at = span.start
        for hole, value in filled:
            parts.append(cut(self.text, at, hole.span.start))
            parts.append(slot(value, place_of(self.text, hole.span.start, hole.span.end), expression=False))
            at = hole.span.end
        return concat(*parts, cut(self.text, at, span.end))

    def _hole(self, hole: Hole) -> Value:
        """What `${x}`, `$x`, `{{x}}`, `:x` stands for."""
        scope = self.frame.globals
        machine = self.uses.machine
        assert machine is not None
        if isinstance(self.arguments, Table) and (given := self.arguments.get(hole.name)) is not None:
            return given
        name = hole.name.removeprefix("hivevar:").removeprefix("hiveconf:").strip()
        for key in (f"@conf:{hole.name}", f"@conf:{name}"):
            if key in scope:
                return scope[key]
        value = widget_value(name, scope, machine)
        return scope.get(f"@var:{name}", value) if isinstance(value, Unknown) else value

    def _evaluate(self, tree: object) -> Value:
        """Evaluate the argument of IDENTIFIER."""
        match tree:
            case exp.Literal() if tree.is_string:
                return made(str(tree.this))
            case exp.DPipe() | exp.Add():
                return lift(_joined, self._evaluate(tree.left), self._evaluate(tree.right))
            case exp.Concat():
                return lift(_joined, *map(self._evaluate, tree.expressions))
            case exp.Parameter() | exp.Placeholder():
                return self._hole(Hole(Span(0, 0), tree.name))
            case exp.Column():
                return self.frame.globals.get(f"@var:{tree.name.lower()}", Unknown(tree.name))
            case exp.Paren():
                return self._evaluate(tree.this)
            case exp.Lower() | exp.Upper():
                change = str.lower if isinstance(tree, exp.Lower) else str.upper
                return lift(
                    lambda v: made(change(v.text)) if isinstance(v, Text) and v.known else v, self._evaluate(tree.this)
                )
            case exp.Anonymous() if str(tree.this).lower() == "getargument" and tree.expressions:
                return self._hole(Hole(Span(0, 0), tree.expressions[0].name))
        return Unknown("expression")

    def _namespace(self, reference: Reference, statement: Statement) -> None:
        if reference.kind is not Kind.SCHEMA or self.uses.muted:
            return
        options = list(alternatives(self._spelled(reference, statement)))
        text = as_text(options[0])
        parts = _split(text.text) if len(options) == 1 and text.known else None
        self.uses.schemas.append(SchemaUse(place_of_range(self.text, reference.span), parts, statement.verb))

    # Effects on the session

    def use_schema(self, statement: Statement) -> None:
        """`USE db` or `USE catalog.db`."""
        name = statement.arguments.get("name")
        if isinstance(name, Reference):
            value = self._spelled(name, statement)
            self.frame.globals["@schema"] = lift(lambda v: _level(v, -1), value)
            if any(isinstance(v, Text) and "." in v.text for v in alternatives(value)):
                self.frame.globals["@catalog"] = lift(lambda v: _level(v, 0), value)

    def use_catalog(self, statement: Statement) -> None:
        """`USE CATALOG c`."""
        name = statement.arguments.get("name")
        if isinstance(name, Reference):
            self.frame.globals["@catalog"] = lift(lambda v: _level(v, 0), self._spelled(name, statement))
            self.frame.globals["@schema"] = made("default")

    def set_value(self, statement: Statement) -> None:
        """`SET x = y`."""
        key, value = statement.arguments.get("key"), statement.arguments.get("value")
        if isinstance(key, str) and isinstance(value, str):
            name = key.removeprefix("hivevar:")
            self.frame.globals[f"@conf:{name}"] = lift(
                lambda v: given_as(v, f"setting {name}") if isinstance(v, Text) else v, self._text_value(value.strip())
            )

    def _text_value(self, text: str) -> Value:
        holes = [h for s in parse_once(text, ()).statements for h in s.holes]
        if not holes:
            return made(text.strip("'\""))
        return self._hole(holes[0]) if len(holes) == 1 and len(text) == holes[0].span.end else Unknown("setting")

    def create_widget(self, statement: Statement) -> None:
        """`CREATE WIDGET TEXT w DEFAULT 'x'`."""
        name, default = statement.arguments.get("name"), statement.arguments.get("default")
        if isinstance(name, str):
            self.frame.globals[f"@widget:{name}"] = made(default) if isinstance(default, str) else Unknown(name)

    def declare(self, statement: Statement) -> None:
        """`DECLARE VARIABLE v STRING DEFAULT 'x'`."""
        name, default = statement.arguments.get("name"), statement.arguments.get("default")
        if isinstance(name, str) and isinstance(default, Span):
            text = default.slice(self.text.text).strip()
            literal = text[:1] in "'\"" and text[-1:] == text[:1]
            self.frame.globals[f"@var:{name.lower()}"] = made(text[1:-1]) if literal else Unknown(name)


_EFFECTS = {
    "USE SCHEMA": _Reading.use_schema,
    "USE CATALOG": _Reading.use_catalog,
    "SET": _Reading.set_value,
    "CREATE WIDGET": _Reading.create_widget,
    "DECLARE VARIABLE": _Reading.declare,
}


def _shown_as(reference: Reference) -> str:
    """The word that qualifies columns of a relation."""
    last = reference.literal[-1] if reference.literal else ""
    return (reference.alias or last).lower()


def _joined(*values: Value) -> Value:
    return concat(*(as_text(value) for value in values))


def _split(text: str) -> tuple[str, ...] | None:
    try:
        return split_name(text)
    except SpecInvalid:
        return None


def _level(value: Value, index: int) -> Value:
    parts = _split(value.text) if isinstance(value, Text) and value.known else None
    return made(parts[index]) if parts else Unknown("schema")


def place_of_range(text: Text, span: Span) -> Place | None:
    """Where a range is written: at the outermost place that spells it as a whole, in this notebook."""
    place = place_of(text, span.start, span.end)
    inner = _partly_in(text, span)
    if inner is None:
        return place
    slot_piece, offset = inner
    deeper = place_of_range(slot_piece.inner, Span(span.start - offset, span.end - offset))
    return deeper if deeper is not None and deeper.cell else place


def _partly_in(text: Text, span: Span) -> tuple[Slot, int] | None:
    """The value that holds the range without being all of it, and where it starts."""
    at = 0
    for piece in text.pieces:
        size = len(piece.text)
        if at <= span.start and span.end <= at + size:
            return (piece, at) if isinstance(piece, Slot) and size > span.end - span.start else None
        at += size
    return None


def _verb(statement: Statement) -> str:
    """The statement's verb with what tells whether it keeps the target's earlier rows."""
    return statement.verb + "".join(word for key, word in _DETAILS.items() if statement.arguments.get(key))
