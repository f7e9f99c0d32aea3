"""The executable proof of edits: each statement before and after, on generated rows, in a scratch schema, as multisets.

A statement runs in two worlds that hold the same rows: the one knows the legacy names, the other the refactored ones.
What it returns, or what it leaves in its target, must be equal. Rows hold ties, NULLs, empty texts and whole duplicates,
once with empty sources; targets are filled beforehand. An engine that says that it rewrote the statement itself has not
run both forms, so that proves nothing.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from brickyard.dbsql.model import Kind, Reference, Side, Statement
from brickyard.dbsql.parse import parse
from brickyard.dbsql.rewrite import quote_string, replace_spans
from brickyard.kernel.errors import NotFound, WorkspaceRefused
from brickyard.kernel.names import TableName, quote
from brickyard.migrate.model.nouns import Edit, NotebookPlan, Verdict
from brickyard.migrate.model.pack import REWRITES
from brickyard.migrate.model.runs import Column
from brickyard.notebooks.edit import position
from brickyard.notebooks.model import Cell, Language, Position, Span

Columns = Mapping[TableName, Sequence[Column]]  # by folded legacy name
Execute = Callable[[str], Sequence[Sequence[Any]]]

REFERENCES = "references"
_ROWS = 14
_SEEDS = (None, 11, 23)  # None: empty sources
_WRITES = ("INSERT", "INSERT OVERWRITE", "MERGE", "UPDATE", "DELETE", "TRUNCATE")
_TEMP_VIEW = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:global\s+)?temp(?:orary)?\s+view\s+(?:`[^`]+`|\w+)", re.IGNORECASE
)
_REWRITTEN = re.compile(r"^== Rewritten(?: by the workspace)?: (?P<what>.*?) ==", re.MULTILINE)
_NEEDS_NATIVE = {"row-number-to-qualify": "QUALIFY"}
_TRIED = ("row-number-to-qualify", "truncate-insert", "ordinals")
_NOT_REPEATABLE = re.compile(
    r"\b(rand|randn|uuid|now|current_timestamp|monotonically_increasing_id)\s*\(", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a proof says of one group of edits, and why."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a trial: statements for one world, and what to read afterwards."""

    statements: tuple[str, ...]
    read: str

    @property
    def query(self) -> str:
        """The query that decides the rows: the last statement's own, without what writes them."""
        text = self.statements[-1] if self.statements else self.read
        found = parse(text, trees=False).statements[0].arguments.get("query")
        return found.slice(text) if isinstance(found, Span) else text


@dataclass(frozen=True, slots=True)
class Trial:
    """A statement (or pair of statements) in two forms, for the groups of edits that make the second from the first."""

    groups: tuple[str, ...]
    rule: str
    before: Form
    after: Form
    after_world: int
    resets: tuple[TableName, ...]  # the legacy names of the tables it writes, which every form finds as they were


@dataclass(frozen=True, slots=True)
class Proof:
    """All trials of a notebook, the tables and views they need, and the groups that cannot be tried, with the reason."""

    scratch: TableName
    tables: Mapping[TableName, TableName]  # folded legacy name → refactored name
    columns: Columns
    views: tuple[tuple[str, str], ...]  # the notebook's temp views as views of each world
    trials: tuple[Trial, ...]
    values: tuple[str, ...] = ()  # literals of the notebook, which the generated rows hold too
    barred: Mapping[str, str] = field(default_factory=dict)


# ── build ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def build(plan: NotebookPlan, columns: Columns, scratch: TableName) -> Proof:
    """Lay out the proof of a plan's applied edits; *scratch* names a catalog and the start of schemas to be made in it."""
    builder = _Builder(plan, columns, scratch)
    places = list(_places(plan))
    trials: list[Trial] = []
    for place in places:
        builder.view(place)
        trials += builder.renames(place)
    for group, chosen in _rewrites(plan):
        trials += builder.rewrite(group, chosen, places)
    tried = {group for trial in trials for group in trial.groups}
    wanted = {e.group: "it is not in an SQL statement that can be run on its own" for e in plan.edits if e.applied}
    barred = {g: builder.barred.get(g, why) for g, why in wanted.items() if g not in tried}
    values = tuple(dict.fromkeys(v for p in places for v in _literals(p)))
    return Proof(scratch, builder.tables, columns, tuple(builder.views), tuple(trials), values, barred)


@dataclass(frozen=True, slots=True)
class _Place:
    """A statement of an SQL cell, with the applied edits inside."""

    cell: Cell
    statement: Statement
    edits: tuple[Edit, ...]

    @property
    def text(self) -> str:
        return self.statement.span.slice(self.cell.code)

    @property
    def start(self) -> int:
        return self.cell.body.start + self.statement.span.start

    def edited(self, edits: Iterable[Edit]) -> str:
        """The statement with some of its edits made."""
        return replace_spans(self.text, ((_local(e, self), e.hunk.replacement) for e in edits))


def _local(edit: Edit, place: _Place) -> Span:
    """An edit's span in the statement's text; what lies around the statement (a semicolon, line breaks) is cut off."""
    span = edit.hunk.span.shift(-place.start)
    return Span(max(span.start, 0), min(span.end, len(place.text)))


def _places(plan: NotebookPlan) -> Iterator[_Place]:
    temp: set[str] = set()
    for cell in plan.notebook.cells if plan.notebook else ():
        if cell.language is Language.SQL:
            for statement in parse(cell.code, temp_views=temp).statements:
                temp |= {statement.temp_view} if statement.temp_view else set()
                span = statement.span.shift(cell.body.start)
                edits = (e for e in plan.edits if e.applied and e.hunk.cell == cell.index)
                yield _Place(cell, statement, tuple(e for e in edits if _concerns(e.hunk.span, span)))


def _concerns(edit: Span, statement: Span) -> bool:
    """Whether an edit changes a statement: it overlaps it, or inserts into it."""
    return edit.overlaps(statement) or (edit.start == edit.end and statement.start <= edit.start <= statement.end)


def _is_rename(edit: Edit) -> bool:
    return edit.rule == REFERENCES or edit.rule not in REWRITES


def _rewrites(plan: NotebookPlan) -> Iterator[tuple[str, list[Edit]]]:
    groups: dict[str, list[Edit]] = defaultdict(list)
    for edit in plan.edits:
        if edit.applied and edit.rule in _TRIED:
            groups[edit.group].append(edit)
    yield from groups.items()


def _literals(place: _Place) -> Iterator[str]:
    yield from (m[1] for m in re.finditer(r"'([^'\\\n]{1,30})'", place.text))
    yield from re.findall(r"(?<![\w.])\d{1,6}(?![\w.])", place.text)


class _Builder:
    """Turns statements into trials, collecting the tables and views that they name."""

    def __init__(self, plan: NotebookPlan, columns: Columns, scratch: TableName) -> None:
        self.plan, self.columns, self.scratch = plan, columns, scratch
        self.tables: dict[TableName, TableName] = {}
        self.views: list[tuple[str, str]] = []
        self.temp: set[str] = set()
        self.barred: dict[str, str] = {}
        self.names = dict(_names(plan))
        self.tables |= {original: refactored for original, refactored in self.names.values() if original in columns}
        functions = {row.position for row in plan.references if row.kind is Kind.FUNCTION}
        self.functions = dict(both for at, both in self.names.items() if at in functions)

    def view(self, place: _Place) -> None:
        """Keep a temp view of the notebook as a view of both worlds."""
        name = place.statement.temp_view
        if not name:
            return
        try:
            self._check(place)
            both = (self._rewired(place.text, 0), self._rewired(place.edited(filter(_is_rename, place.edits)), 1))
        except _Barred as reason:
            self.barred |= {e.group: str(reason) for e in place.edits}
            return
        self.views.append(both)
        self.temp.add(name.lower())

    def renames(self, place: _Place) -> Iterator[Trial]:
        """The trial of a statement's renames, all of them together."""
        edits = [e for e in place.edits if _is_rename(e)]
        groups = tuple(dict.fromkeys(e.group for e in edits))
        if not edits:
            return
        try:
            self._check(place)
            before = self._form([(place, place.text)], 0)
            after = self._form([(place, place.edited(edits))], 1)
            yield Trial(groups, REFERENCES, before, after, 1, self._written(place))
        except _Barred as reason:
            self.barred |= dict.fromkeys(groups, str(reason))

    def rewrite(self, group: str, edits: list[Edit], places: list[_Place]) -> Iterator[Trial]:
        """The trial of one rewrite: the statements it touches, under their legacy names, before and after."""
        touched = [p for p in places if any(e in edits for e in p.edits)]
        try:
            for place in touched:
                self._check(place)
            before = self._form([(p, p.text) for p in touched], 0)
            after = self._form([(p, p.edited(e for e in p.edits if e in edits)) for p in touched], 0)
            written = tuple(dict.fromkeys(name for p in touched for name in self._written(p)))
            yield Trial((group,), edits[0].rule, before, after, 0, written)
        except _Barred as reason:
            self.barred[group] = str(reason)

    def _check(self, place: _Place) -> None:
        """Raise _Barred for a statement that cannot be run on generated rows."""
        statement = place.statement
        if statement.error:
            raise _Barred("the statement could not be parsed")
        if statement.holes or statement.markers:
            raise _Barred("the statement takes values when it runs")
        if _NOT_REPEATABLE.search(place.text):
            raise _Barred("the statement gives other rows each time it runs")
        for reference in statement.references:
            if reference.kind is not Kind.FUNCTION and self._name(place, reference) not in self.columns:
                raise _Barred("the columns of one of its tables are not known")
        known = self.temp | {(statement.temp_view or "").lower()}
        if any(".".join(r.literal or ()).lower() not in known for r in statement.temp_references):
            raise _Barred("the statement reads a temp view that was not made by a statement that can be run")

    def _name(self, place: _Place, reference: Reference) -> TableName:
        """The legacy name of a reference of the original text."""
        assert self.plan.notebook is not None
        at = position(self.plan.notebook, place.cell.index, reference.span.shift(place.cell.body.start))
        if at not in self.names:
            raise _Barred("the statement names an object whose full name is not known")
        return self.names[at][0]

    def _written(self, place: _Place) -> tuple[TableName, ...]:
        found = (self._name(place, r) for r in place.statement.references if r.side is not Side.READ)
        return tuple(dict.fromkeys(found))

    def _form(self, texts: list[tuple[_Place, str]], world: int) -> Form:
        """The statements for a world; those that an edit emptied are left out."""
        statements = tuple(self._rewired(text, world) for _, text in texts if text.strip())
        place = texts[-1][0]
        if place.statement.verb == "SELECT":
            return Form(statements[:-1], statements[-1])
        if place.statement.temp_view:
            return Form(
                statements, f"SELECT * FROM {_schema(self.scratch, world, 'v')}.{quote(place.statement.temp_view)}"
            )
        if place.statement.verb not in _WRITES:
            raise _Barred(f"{place.statement.verb} is not run on generated rows")
        return Form(statements, f"SELECT * FROM {table_in(self.scratch, self.tables, self._written(place)[0], world)}")

    def _rewired(self, text: str, world: int) -> str:
        """A statement's text with every name set to its table of the scratch world."""
        found = parse(text, temp_views=self.temp)
        if len(found.statements) != 1 or found.statements[0].error:
            raise _Barred("the rewritten text is not one statement")
        return replace_spans(text, self._placed(text, found.statements[0], world))

    def _placed(self, text: str, statement: Statement, world: int) -> Iterator[tuple[Span, str]]:
        if statement.temp_view:
            head = _TEMP_VIEW.match(text)
            if head is None:
                raise _Barred("the temp view is not made by a plain CREATE VIEW")
            view = f"{_schema(self.scratch, world, 'v')}.{quote(statement.temp_view)}"
            yield Span(0, head.end()), f"CREATE OR REPLACE VIEW {view}"
        for reference in statement.references:
            whole, known = reference.whole or reference.span, self._known(reference, world)
            if reference.kind is Kind.FUNCTION:
                yield whole, (self.functions[known] if world else known).sql
            else:
                yield whole, table_in(self.scratch, self.tables, known, world)
        for reference in (r for r in statement.temp_references if not _is_own(r, statement)):
            yield reference.span, f"{_schema(self.scratch, world, 'v')}.{quote('.'.join(reference.literal or ()))}"
        for qualifier in statement.qualifiers:
            last = qualifier.parts[-1].literal
            if len(qualifier.parts) > 1 and last:
                yield qualifier.span, quote(last)

    def _known(self, reference: Reference, world: int) -> TableName:
        """The legacy name of a name in a text of *world*: full, or by its ending."""
        words = tuple(p.lower() for p in reference.literal or ())
        objects = self.functions if reference.kind is Kind.FUNCTION else self.tables
        for original, refactored in objects.items():
            name = refactored if world else original
            if words and (name.catalog, name.schema, name.name)[-len(words) :] == words:
                return original
        raise _Barred(f"{'.'.join(words) or 'a computed name'} is not one of the statement's objects")


def _is_own(reference: Reference, statement: Statement) -> bool:
    """Whether a reference is the temp view that the statement itself makes."""
    return ".".join(reference.literal or ()).lower() == (statement.temp_view or "").lower()


def _names(plan: NotebookPlan) -> Iterator[tuple[Position, tuple[TableName, TableName]]]:
    for row in plan.references:
        if row.original and row.refactored and row.kind is not Kind.PATH:
            yield row.position, (TableName.parse(row.original).folded(), TableName.parse(row.refactored).folded())


class _Barred(Exception):
    """Why a statement is not tried."""


def _schema(scratch: TableName, world: int, slot: str = "") -> str:
    """A schema of a world: its tables', a further one for names that end alike, or `v`, that of its views."""
    schema = f"{scratch.schema}_{'ab'[world]}{slot}"
    return f"{quote(scratch.catalog)}.{quote(schema)}"


def table_in(scratch: TableName, tables: Mapping[TableName, TableName], original: TableName, world: int) -> str:
    """The scratch table of a legacy name; tables whose names end alike go to schemas of their own."""
    last = (tables[original] if world else original).name
    alike = [o for o, r in tables.items() if (r if world else o).name == last]
    slot = alike.index(original)
    return f"{_schema(scratch, world, str(slot) if slot else '')}.{quote(last)}"


# ── settle ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def settle(proof: Proof, execute: Execute) -> dict[str, Ruling]:
    """Run every trial and return the ruling of each group; what was made in the scratch schemas is dropped again."""
    rulings = {group: Ruling(Verdict.UNPROVED, why) for group, why in proof.barred.items()}
    if not proof.trials:
        return rulings
    schemas = _schemas(proof)
    try:
        for schema in schemas:
            execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        found = _run_all(proof, execute)
    finally:
        for schema in schemas:
            execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    return rulings | {group: found[trial] for trial in proof.trials for group in trial.groups}


def _schemas(proof: Proof) -> list[str]:
    tables = [table_in(proof.scratch, proof.tables, name, world) for name in proof.tables for world in (0, 1)]
    views = [_schema(proof.scratch, world, "v") for world in (0, 1)] if proof.views else []
    return list(dict.fromkeys([*(t.rpartition(".")[0] for t in tables), *views]))


def _run_all(proof: Proof, execute: Execute) -> dict[Trial, Ruling]:
    """Run the trials round by round; one that is refuted or cannot run is settled, the others need rows in some round."""
    settled: dict[Trial, Ruling] = {}
    rows: Counter[Trial] = Counter()
    for round_, seed in enumerate(_SEEDS):
        for name in proof.tables:
            _fill(proof, execute, name, seed, worlds=(0, 1))
        for statement in (s for both in proof.views for s in both) if round_ == 0 else ():
            _quietly(execute, statement)
        for trial in (t for t in proof.trials if t not in settled):
            found = _run(proof, execute, trial, seed)
            if isinstance(found, Ruling):
                settled[trial] = found
            else:
                rows[trial] += found
    return {trial: settled.get(trial) or _unrefuted(rows[trial]) for trial in proof.trials}


def _unrefuted(rows: int) -> Ruling:
    if not rows:
        return Ruling(Verdict.UNPROVED, "no generated row came through the statement, so nothing was compared")
    return Ruling(Verdict.PROVEN, f"executed before and after on generated rows: {rows} rows, all equal")


def _quietly(execute: Execute, statement: str) -> None:
    """Make a view; one that cannot be made fails the trials that read it, which then say so."""
    with suppress(WorkspaceRefused, NotFound):
        execute(statement)


def _fill(proof: Proof, execute: Execute, name: TableName, seed: int | None, worlds: Iterable[int]) -> None:
    query = rows_of(proof.columns[name], proof.values, name, seed)
    for world in worlds:
        execute(f"CREATE OR REPLACE TABLE {table_in(proof.scratch, proof.tables, name, world)} AS {query}")


def _run(proof: Proof, execute: Execute, trial: Trial, seed: int | None) -> Ruling | int:
    """Run a trial once: what settles it, or how many equal rows were seen."""
    native = _NEEDS_NATIVE.get(trial.rule)
    if native and (told := _rewritten(execute, trial.after)):
        return Ruling(Verdict.UNPROVED, told)
    before = _outcome(proof, execute, trial, trial.before, 0, seed)
    if isinstance(before, str):
        return Ruling(Verdict.UNPROVED, f"the statement as it was does not run on generated rows: {before}")
    after = _outcome(proof, execute, trial, trial.after, trial.after_world, seed)
    if isinstance(after, str):
        return Ruling(Verdict.COUNTEREXAMPLE, f"the rewritten statement fails: {after}")
    if before != after:
        return Ruling(Verdict.COUNTEREXAMPLE, _difference(before, after))
    return sum(before.values())


def _rewritten(execute: Execute, form: Form) -> str | None:
    """Why the workspace's engine has not run the statement as it stands, None when it has."""
    try:
        rows = execute(f"EXPLAIN {form.query}")
    except (WorkspaceRefused, NotFound) as error:
        return f"the workspace cannot explain the statement: {error.message}"
    match = _REWRITTEN.search("\n".join(str(cell) for row in rows for cell in row))
    return f"the workspace rewrites {match['what']} itself, so its engine has not run both forms" if match else None


def _outcome(
    proof: Proof, execute: Execute, trial: Trial, form: Form, world: int, seed: int | None
) -> Counter[tuple[str | None, ...]] | str:
    """The rows a form gives, or the workspace's own words where it fails."""
    for name in trial.resets:
        _fill(proof, execute, name, 5 if seed is None else seed, worlds=(world,))
    try:
        for statement in form.statements:
            execute(statement)
        rows = execute(form.read)
    except (WorkspaceRefused, NotFound) as error:
        return error.message
    return Counter(tuple(None if cell is None else str(cell) for cell in row) for row in rows)


def _difference(before: Counter[tuple[str | None, ...]], after: Counter[tuple[str | None, ...]]) -> str:
    lost, gained = list((before - after).elements()), list((after - before).elements())
    shown = "; ".join(f"{words} {rows[0]!r}" for words, rows in (("before only", lost), ("after only", gained)) if rows)
    return f"on generated rows {len(lost)} rows are lost and {len(gained)} are new: {shown}"


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_of(columns: Sequence[Column], values: Sequence[str], name: TableName, seed: int | None) -> str:
    """A query that gives generated rows of a table: small pools, so that keys meet and tie; none for no seed."""
    chance = random.Random(f"{seed}/{name}")  # noqa: S311 — reproducible rows, no secret
    pools = [_pool(c.type, values) for c in columns]
    rows = [tuple(chance.choice(pool) for pool in pools) for _ in range(_ROWS)]
    rows += rows[:3]
    written = ", ".join("(" + ", ".join(_text(v) for v in row) + ")" for row in rows)
    listed = ", ".join(f"CAST(c{i} AS {c.type}) AS {quote(c.name)}" for i, c in enumerate(columns))
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    return f"SELECT {listed} FROM (VALUES {written}) AS v({names})" + (" WHERE FALSE" if seed is None else "")


def _text(value: str | None) -> str:
    return "CAST(NULL AS STRING)" if value is None else quote_string(value)


def _pool(type_text: str, values: Sequence[str]) -> list[str | None]:
    """Values of a type as text, NULL among them, with those of the notebook's literals that fit."""
    plain = type_text.lower().partition("(")[0]
    numbers = [v for v in values if v.isdigit()][:4]
    days = [v for v in values if re.fullmatch(r"\d{4}-\d{2}-\d{2}", v)][:4]
    words = [v for v in values if not v.isdigit() and v not in days][:6]
    match plain:
        case "tinyint" | "smallint" | "int" | "integer" | "bigint" | "long":
            return ["0", "1", "2", "3", *(n for n in numbers if int(n) < 100), None]
        case "decimal" | "float" | "double" | "real":
            return ["0", "0.25", "1.5", "-2", None]
        case "boolean":
            return ["true", "false", None]
        case "date":
            return ["2024-01-01", "2024-01-02", *days, None]
        case "timestamp" | "timestamp_ntz":
            return ["2024-01-01 00:00:00", "2024-01-01 23:59:59", None]
        case "string" | "varchar" | "char":
            return ["", "a", "A ", "b", *words, None]
    return [None]
