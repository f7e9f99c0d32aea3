"""Lineage: where a gold column comes from, down to the leaves of its sources, with every expression on the way. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from brickyard.health.model.compiled import GoldColumn, GoldTable
from brickyard.health.model.contract import Join
from brickyard.health.plan import expressions
from brickyard.health.plan.bronze import DATED
from brickyard.health.plan.compile import Gold
from brickyard.kernel.errors import NotFound, SpecInvalid


@dataclass(frozen=True, slots=True)
class Origin:
    """A gold column or a source's leaf, how it is computed, and what it is computed from.

    `layer` is gold or source; `name` is `domain.table.column`, or `schema.table.path.of.the.leaf`.
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
    elif column.origin == "history" and table.source and table.contract.valid_from:
        yield from _leaf(table, table.contract.valid_from)


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
    """A column that the contract's own query made reads what the query names; any other is a leaf."""
    if not table.contract.rows:
        yield from _leaf(table, read)
        return
    if table.source and table.source.leaf(read):
        yield from _leaf(table, read)
        return
    for name in _names(table, table.contract.rows, read):
        yield from _leaf(table, name)


def _names(table: GoldTable, rows: str, read: str) -> list[str]:
    """Name what a column of the contract's query is made of: its own projection, else all that the query names."""
    query = rows.replace("{", "`").replace("}", "`")
    projection = expressions.projection(query, read)
    found = sorted({name.rpartition(".")[2] for name in expressions.read(projection or query).columns})
    if projection and not all(table.source and table.source.leaf(name) for name in found):
        return _names(table, rows, "")
    return found


def _leaf(table: GoldTable, name: str) -> Iterator[Origin]:
    leaf = table.source.leaf(name) if table.source else None
    if table.source and name == DATED[0]:
        yield Origin("source", table.source.name, DATED[1], comment=DATED[2])
    elif table.source and leaf:
        yield Origin("source", f"{table.source.name}.{'.'.join(leaf.path)}", leaf.type, comment=leaf.comment)
