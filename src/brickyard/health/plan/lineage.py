"""Lineage: where a gold column comes from, down to the leaves of its sources, with every expression on the way. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from brickyard.health.model.compiled import GoldColumn, GoldTable
from brickyard.health.model.contract import Join
from brickyard.health.model.source import JOINT, Source
from brickyard.health.plan import expressions
from brickyard.health.plan.bronze import DATED, OWN
from brickyard.health.plan.checks import tables_in
from brickyard.health.plan.compile import Gold
from brickyard.kernel.errors import NotFound, SpecInvalid

_SOURCE = "source_rows"
_ENDS = ("valid_to", "is_current")


@dataclass(frozen=True, slots=True)
class Origin:
    """A gold column or a source's leaf, how it is computed, and what it is computed from.

    `layer` is gold or source; `name` is `domain.table.column`, or `schema.table.path.of.the.leaf`, or `schema.table.*`
    for the whole row, or `schema.table` for the time of a dated state.
    """

    layer: str
    name: str
    type: str
    expression: str | None = None
    comment: str = ""
    origins: tuple[Origin, ...] = ()

    def leaves(self) -> Iterator[Origin]:
        """Yield the source leaves at the end of every way, each once for every way."""
        if self.layer == "source":
            yield self
        for origin in self.origins:
            yield from origin.leaves()

    def ways(self) -> Iterator[tuple[str, ...]]:
        """Yield the names on every way from here to the end of it."""
        if not self.origins:
            yield (self.name,)
        for origin in self.origins:
            yield from ((self.name, *way) for way in origin.ways())


@dataclass(frozen=True, slots=True)
class Edge:
    """A gold column reads a leaf of a source (named as in `Origin`), itself or `through` other gold tables."""

    column: str
    leaf: str
    through: tuple[str, ...] = ()


def edges(gold: Gold) -> tuple[Edge, ...]:
    """Return what every column of every table reads of the sources, each leaf once; the engine's own columns left out."""
    found = [
        edge
        for table in gold
        for column in table.columns
        if column.origin != "audit"
        for edge in _edges(gold, table, column)
    ]
    return tuple(dict.fromkeys(found))


def _edges(gold: Gold, table: GoldTable, column: GoldColumn) -> Iterator[Edge]:
    origin = _of(gold, table, column, frozenset())
    leaves = {leaf.name for leaf in origin.leaves()}
    passed: dict[str, set[str]] = {}
    for *between, end in origin.ways():
        if end in leaves:
            tables = {name.rpartition(".")[0] for name in between} - {table.table}
            passed.setdefault(end, set()).update(tables)
    yield from (Edge(origin.name, leaf, tuple(sorted(passed[leaf]))) for leaf in sorted(passed))


def find(gold: Gold, name: str) -> tuple[GoldTable, GoldColumn]:
    """Find `table.column` or `domain.table.column`; raise NotFound with what looks alike, SpecInvalid without a dot."""
    head, dot, column = name.rpartition(".")
    if not dot:
        raise SpecInvalid(f"{name} is no TABLE.COLUMN", code="usage", remedy="for example billing.fact_usage.list_cost")
    tables = [table for table in gold if head in (table.table, table.contract.name)]
    if not tables:
        near = difflib.get_close_matches(head, [t.table for t in gold] + [t.contract.name for t in gold], n=1)
        raise NotFound(f"there is no gold table {head}", code="health-no-table", remedy=_near(near))
    found = tables[0].column(column)
    if found is None:
        near = difflib.get_close_matches(column, [c.name for c in tables[0].columns], n=1)
        raise NotFound(f"{tables[0].table} has no column {column}", code="health-no-table", remedy=_near(near))
    return tables[0], found


def _near(near: list[str]) -> str | None:
    return f"did you mean {near[0]}?" if near else None


def lineage(gold: Gold, name: str) -> Origin:
    """Return where a column comes from."""
    return _of(gold, *find(gold, name), frozenset())


def _of(gold: Gold, table: GoldTable, column: GoldColumn, passed: frozenset[str]) -> Origin:
    name = f"{table.table}.{column.name}"
    if name in passed:
        return Origin("gold", name, column.type)
    origins = tuple(_origins(gold, table, column, passed | {name}))
    return Origin("gold", name, column.type, _expression(table, column), column.comment, origins)


def _expression(table: GoldTable, column: GoldColumn) -> str | None:
    if column.origin == "enriched" and table.contract.enrich:
        return next(one.expr for one in table.contract.enrich.columns if one.name == column.name)
    return column.sql or None


def _origins(gold: Gold, table: GoldTable, column: GoldColumn, passed: frozenset[str]) -> Iterator[Origin]:
    if column.origin == "enriched":
        yield from _enriched(gold, table, column, passed)
    elif column.origin == "source":
        for read in column.reads:
            yield from _read(gold, table, read, passed)
    elif column.origin == "history":
        for read in (table.contract.valid_from, table.contract.delete_time if column.name in _ENDS else None):
            yield from _leaf(table, read) if read else ()


def _enriched(gold: Gold, table: GoldTable, column: GoldColumn, passed: frozenset[str]) -> Iterator[Origin]:
    """An enriched column reads our own columns, columns of the tables that are looked up in, and what finds the row."""
    joins = {join.alias: join for join in (table.contract.enrich.joins if table.contract.enrich else ())}
    used: dict[str, Join] = {}
    for read in column.reads:
        alias, dot, name = read.partition(".")
        if dot and alias in joins:
            used[alias] = joins[alias]
            yield from _gold(gold, joins[alias].to, name, passed)
        else:
            yield from _gold(gold, table.table, read, passed)
    keys = {ours for join in used.values() for ours in (*join.on.values(), join.as_of)}
    for ours in sorted(keys - set(column.reads)):
        yield from _gold(gold, table.table, ours, passed)


def _gold(gold: Gold, table: str, name: str, passed: frozenset[str]) -> Iterator[Origin]:
    other = gold[table]
    column = other.column(name)
    if column is not None:
        yield _of(gold, other, column, passed)


def _read(gold: Gold, table: GoldTable, read: str, passed: frozenset[str]) -> Iterator[Origin]:
    """A column that the contract's own query made reads what the query computes it from; any other is a leaf."""
    if not table.contract.rows:
        yield from _leaf(table, read)
    elif table.source:
        yield from _computed(gold, table, table.source, read, passed)


def _computed(gold: Gold, table: GoldTable, source: Source, read: str, passed: frozenset[str]) -> Iterator[Origin]:
    """A column that reads no column counts rows, or says that there is one."""
    rows = table.contract.rows or ""
    others = tables_in(rows)
    query = rows.replace("{source}", _SOURCE)
    for other in others:
        query = query.replace("{" + other + "}", _flat(other))
    own = (_SOURCE, (*(leaf.column for leaf in source.leaves), *(name for name, _, _ in (*OWN, DATED))))
    known = (own, *((_flat(other), tuple(column.name for column in gold[other].columns)) for other in others))
    found = expressions.traced(query, known).get(read.lower(), ())
    for name, column in found:
        if name == _SOURCE:
            yield from _leaf(table, column)
        else:
            yield from _gold(gold, next(other for other in others if _flat(other) == name), column, passed)
    if not found:
        yield Origin("source", f"{source.name}.*", "row", comment="Whether the row is there")


def _flat(table: str) -> str:
    return table.replace(".", JOINT)


def _leaf(table: GoldTable, name: str) -> Iterator[Origin]:
    source = table.source
    leaf = source.leaf(name) if source else None
    if source and name == DATED[0]:
        yield Origin("source", source.name, DATED[1], comment=DATED[2])
    elif source and name == OWN[0][0]:
        yield Origin("source", f"{source.name}.*", "row", comment="Every column of the row")
    elif source and leaf:
        yield Origin("source", f"{source.name}.{'.'.join(leaf.path)}", leaf.type, comment=leaf.comment)
