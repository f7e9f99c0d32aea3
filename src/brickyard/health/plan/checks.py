"""What the compiler refuses: the defects that made earlier gold layers wrong, each found in the contract itself."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brickyard.health.model import types
from brickyard.health.model.compiled import GoldColumn, GoldTable
from brickyard.health.model.contract import Column, Contract, Expectation, Join, Kind
from brickyard.health.model.reading import Path, Read
from brickyard.health.model.source import Leaf, Source
from brickyard.health.plan import expressions, text

_ENUM_IN_COMMENT = re.compile(r"^[A-Z][A-Z_]+(?:(?:, | or | and )[A-Z][A-Z_]+)+")
_WORD = re.compile(r"[A-Z][A-Z_]+")
_TABLE_IN_SQL = re.compile(r"\{([a-z_]+\.[a-z0-9_]+)\}")
_OF_BRONZE = {"_row_hash", "_batch", "_copied_at", "_snapshot_at"}
_BY_DAY = {"date", "timestamp"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which part of the contract, and what to do."""

    path: Path
    message: str
    remedy: str | None = None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Suggest the known name that *name* was probably meant to be."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {found[0]}?" if found else None


def tables_in(sql: str) -> tuple[str, ...]:
    """Return the gold tables named `{domain.table}` in SQL."""
    return tuple(dict.fromkeys(_TABLE_IN_SQL.findall(sql)))


def alone(table: GoldTable) -> Iterator[Fault]:
    """Find what can be seen in one contract."""
    yield from _names(table)
    yield from _keys(table)
    yield from _sequence(table)
    yield from _times(table)
    yield from _unmapped(table)
    yield from _expressions(table)
    yield from _literals(table)
    yield from _decimals(table)
    yield from _groups(table)
    yield from _kept_out(table)


def _names(table: GoldTable) -> Iterator[Fault]:
    seen: set[str] = set()
    for column in table.columns:
        if column.name in seen:
            yield Fault(("columns",), f"column {column.name} stands twice", "rename or drop one of them")
        seen.add(column.name)


def _keys(table: GoldTable) -> Iterator[Fault]:
    have = [column.name for column in table.columns]
    for part in ("key", "pii"):
        for at, name in enumerate(getattr(table.contract, part)):
            if name not in have:
                yield Fault((part, at), f"{part} column {name} is no column of the table", nearest(name, have))


def _sequence(table: GoldTable) -> Iterator[Fault]:
    contract = table.contract
    if table.latest and not contract.sequence and contract.kind is not Kind.FACT_APPEND:
        yield Fault(("kind",), f"{contract.kind} needs a sequence that tells which version of a key is newest")
    if contract.kind is Kind.DIM_SCD2 and not contract.valid_from:
        yield Fault(("kind",), "a history needs `valid_from`: the source column that dates a version")
    known = _known(table)
    for path, name in (
        *((("sequence", at), name) for at, name in enumerate(contract.sequence)),
        (("valid_from",), contract.valid_from),
        (("delete_time",), contract.delete_time),
    ):
        if name and table.source and name not in known and not contract.rows:
            yield Fault(path, f"the source has no column {name}", nearest(name, known))


def _known(table: GoldTable) -> set[str]:
    return {leaf.column for leaf in table.source.leaves} | _OF_BRONZE if table.source else set(_OF_BRONZE)


def _times(table: GoldTable) -> Iterator[Fault]:
    prune = table.contract.prune
    if prune is None:
        return
    column = table.column(prune)
    if column is None:
        yield Fault(("prune",), f"{prune} is no column of the table", nearest(prune, [c.name for c in table.columns]))
    elif column.type.lower() not in _BY_DAY:
        yield Fault(("prune",), f"{prune} is a {column.type}; only a date or a timestamp bounds a merge by days")


def _unmapped(table: GoldTable) -> Iterator[Fault]:
    """Every leaf is read or ignored with a reason; a leaf that is both, or unknown, is a fault too."""
    if table.source is None:
        return
    contract = table.contract
    read = {name for column in table.columns for name in column.reads} | set(contract.sequence)
    read |= {name for name in (contract.valid_from, contract.delete_time) if name}
    if contract.rows:
        read |= _named(contract.rows)
    known = _known(table)
    for name in contract.ignore:
        if not _covered(name, known):
            yield Fault(("ignore", name), f"the source has no column {name}", nearest(name, known))
    for leaf in table.source.leaves:
        if leaf.column not in read and not _ignored(leaf, contract.ignore) and not contract.auxiliary:
            yield Fault(
                ("columns",), f"source column {'.'.join(leaf.path)} is not mapped", "map it, or ignore it with a reason"
            )


def _named(sql: str) -> set[str]:
    return set(re.findall(r"\w+", sql))


def _covered(name: str, known: Iterable[str]) -> bool:
    return any(column == name or column.startswith(name + "__") for column in known)


def _ignored(leaf: Leaf, ignore: Mapping[str, str]) -> bool:
    return any("__".join(leaf.path[: depth + 1]) in ignore for depth in range(len(leaf.path)))


def _expressions(table: GoldTable) -> Iterator[Fault]:
    contract = table.contract
    known = None if contract.rows or table.source is None else _known(table)
    for at, entry in enumerate(contract.columns):
        if isinstance(entry, Column) and entry.expr:
            yield from _expression(("columns", at, "expr"), entry.name, text.macros(entry.expr), known)
    for at, column in enumerate(contract.enrich.columns if contract.enrich else ()):
        yield from _expression(("enrich", "columns", at, "expr"), column.name, text.macros(column.expr), None)
    if contract.rows:
        yield from _expression(("rows",), "rows", _bare(contract.rows), None)


def _bare(rows: str) -> str:
    """The SQL of `rows` with plain names in the place of `{source}` and `{domain.table}`, so that it can be read."""
    return re.sub(r"\{([a-z0-9_.]+)\}", r"\1", rows)


def _expression(path: Path, name: str, sql: str, known: set[str] | None) -> Iterator[Fault]:
    try:
        found = expressions.read(sql)
    except expressions.Unreadable as error:
        yield Fault(path, f"{name}: {error}")
        return
    for column in sorted(found.columns - known) if known is not None else ():
        yield Fault(path, f"{name} reads {column}, which the source does not have", nearest(column, known or ()))
    for call in found.unsteady:
        yield Fault(path, f"{name} calls {call}, so that a second run gives another result")


def _literals(table: GoldTable) -> Iterator[Fault]:
    """A literal compared with a column that has known values must be one of them."""
    if table.source is None:
        return
    enums = _enums(table)
    for path, sql in _compared_texts(table.contract):
        try:
            pairs = expressions.read(sql).compared
        except expressions.Unreadable:
            continue  # told by whoever reads the expression for its columns
        for column, value in pairs:
            allowed = enums.get(column)
            if allowed and value not in allowed:
                remedy = nearest(value, allowed) or f"known values: {', '.join(allowed)}"
                yield Fault(path, f"{column} never is '{value}'", remedy)


def _compared_texts(contract: Contract) -> Iterator[tuple[Path, str]]:
    for at, entry in enumerate(contract.columns):
        if isinstance(entry, Column) and entry.expr:
            yield ("columns", at, "expr"), text.macros(entry.expr)
    for at, rule in enumerate(contract.expect):
        yield ("expect", at), _rule(rule)
    if contract.rows:
        yield ("rows",), _bare(contract.rows)


def _rule(rule: Expectation) -> str:
    return f"({rule.when}) AND ({rule.check})" if rule.when else rule.check


def _enums(table: GoldTable) -> dict[str, tuple[str, ...]]:
    """Collect the known values of columns: the source's, those its comments list, and the contract's own."""
    source: Source | None = table.source
    if source is None:
        return {}
    listed = {leaf.column: tuple(_WORD.findall(found.group())) for leaf in source.leaves if (found := _enum(leaf))}
    declared = {e.name: e.enum for e in table.contract.columns if isinstance(e, Column) and e.enum}
    of_leaves = {**listed, **{name.replace(".", "__"): values for name, values in source.enums.items()}}
    taken = {
        c.name: of_leaves[c.reads[0]] for c in table.columns if c.reads[:1] and _plain(c) and c.reads[0] in of_leaves
    }
    return {**of_leaves, **taken, **declared}


def _plain(column: GoldColumn) -> bool:
    """Whether a column is a leaf as it is, so that it has the leaf's values."""
    return column.sql == text.quote(column.reads[0])


def _enum(leaf: Leaf) -> re.Match[str] | None:
    return _ENUM_IN_COMMENT.match(leaf.comment) if leaf.type == "string" else None


def _decimals(table: GoldTable) -> Iterator[Fault]:
    for column in table.columns:
        if column.type.lower() in ("decimal", "dec", "numeric"):
            yield Fault(
                _at(table, column.name), f"{column.name}: a bare {column.type} is decimal(10,0); write both numbers"
            )
    for at, entry in enumerate(table.contract.columns):
        if isinstance(entry, Column) and entry.expr and not table.contract.rows:
            yield from _rounded(entry, table, ("columns", at))


def _at(table: GoldTable, name: str) -> Path:
    """Where a column is declared, or the head of the columns."""
    declared = [getattr(entry, "name", None) for entry in table.contract.columns]
    return ("columns", declared.index(name)) if name in declared else ("columns",)


def _rounded(entry: Column, table: GoldTable, path: Path) -> Iterator[Fault]:
    """An expression over a decimal that is cast to a narrower one rounds in silence, unless it is to be quarantined."""
    column, source = table.column(entry.name), table.source
    if column is None or source is None or entry.narrow or not text.is_decimal(column.type):
        return
    for leaf in (found for name in column.reads if (found := source.leaf(name)) and text.is_decimal(found.type)):
        if not types.fits(leaf.type, column.type):
            yield Fault(
                path,
                f"{entry.name} {column.type} is narrower than {leaf.column} {leaf.type}, which it reads",
                "widen it, or say `narrow: quarantine`",
            )


def narrowed(entry: Column, leaf: Leaf, path: Path) -> Iterator[Fault]:
    """Refuse a decimal that cannot hold every value of its source, unless such values are to be quarantined."""
    target = entry.type or leaf.type
    if text.is_decimal(leaf.type) and text.is_decimal(target) and not types.fits(leaf.type, target):
        if entry.narrow is None:
            yield Fault(
                path,
                f"{entry.name} {target} is narrower than its source {leaf.type}",
                "widen it, or say `narrow: quarantine`",
            )
    elif entry.narrow:
        yield Fault(path, f"{entry.name} is not narrower than its source; drop `narrow`")


def _groups(table: GoldTable) -> Iterator[Fault]:
    contract = table.contract
    if contract.kind in (Kind.DERIVED, Kind.ROLLUP) and not contract.rows:
        yield Fault(("kind",), f"{contract.kind} needs `rows`: the SQL that makes its rows")
    if len(contract.group) != len(contract.by):
        yield Fault(("group",), "`group` and `by` must name as many columns")
    have = [column.name for column in table.columns]
    for at, name in enumerate(contract.by):
        if name not in have:
            yield Fault(("by", at), f"{name} is no column of the table", nearest(name, have))


def _kept_out(table: GoldTable) -> Iterator[Fault]:
    """Rows that break a rule are kept in quarantine where rows are judged one by one; elsewhere they would vanish."""
    if table.latest:
        return
    told = f"a {table.contract.kind} keeps no quarantine, so rows that break it would vanish"
    for at, entry in enumerate(table.contract.columns):
        if isinstance(entry, Column) and (entry.not_null or entry.narrow):
            yield Fault(
                ("columns", at), f"{entry.name}: {told}", "leave such rows out in `rows`, or judge them in the fact"
            )
    for at, rule in enumerate(table.contract.expect):
        yield Fault(("expect", at), f"{rule.name}: {told}", "judge them in the fact that this table is made from")


def between(contract: Contract, reads: Sequence[Read], tables: Mapping[str, GoldTable]) -> Iterator[Fault]:
    """Find what can be seen only with the other contracts at hand."""
    yield from _twice(contract, reads)
    yield from _references(contract, tables)
    for at, join in enumerate(contract.enrich.joins if contract.enrich else ()):
        yield from _join(join, ("enrich", "joins", at), tables[contract.table], tables)
    for name in tables_in(contract.rows or ""):
        if name not in tables:
            yield Fault(("rows",), f"{name} is no gold table", nearest(name, tables))


def _twice(contract: Contract, reads: Sequence[Read]) -> Iterator[Fault]:
    others = [one for one in reads if one.contract is not contract]
    for other in others:
        if other.contract.table == contract.table:
            yield Fault(("table",), f"{contract.table} has a second contract in {other.file}", "keep one of them")
        elif _content(other.contract) == _content(contract):
            yield Fault(("table",), f"{contract.table} is the same as {other.contract.table}", "keep one of them")


def _content(contract: Contract) -> object:
    return contract.model_copy(update={"table": "", "description": "", "grain": "", "views": ()})


def _references(contract: Contract, tables: Mapping[str, GoldTable]) -> Iterator[Fault]:
    own = [column.name for column in tables[contract.table].columns]
    for at, reference in enumerate(contract.references):
        path: Path = ("references", at)
        for name in reference.columns:
            if name not in own:
                yield Fault(path, f"{name} is no column of the table", nearest(name, own))
        target = tables.get(reference.to)
        if target is None:
            yield Fault(path, f"{reference.to} is no gold table", nearest(reference.to, tables))
            continue
        aimed = reference.target or reference.columns
        if len(aimed) != len(reference.columns):
            yield Fault(
                path, f"{len(reference.columns)} columns point at {len(aimed)} of {reference.to}", "name as many"
            )
        theirs = [column.name for column in target.columns]
        for name in (one for one in aimed if one not in theirs):
            yield Fault(path, f"{name} is no column of {reference.to}", nearest(name, theirs))
        if not set(target.contract.key) <= {*aimed, "account_id"}:
            yield Fault(path, f"{', '.join(aimed)} is not the key of {reference.to}: {', '.join(target.contract.key)}")


def _join(join: Join, path: Path, table: GoldTable, tables: Mapping[str, GoldTable]) -> Iterator[Fault]:
    """A look-up matches one row at most: its columns and the interval's begin must make up the other table's key."""
    target = tables.get(join.to)
    if target is None:
        yield Fault(path, f"{join.to} is no gold table", nearest(join.to, tables))
        return
    have = [column.name for column in target.columns]
    for name in (*join.on, *join.where, *join.valid):
        if name not in have:
            yield Fault(path, f"{join.to} has no column {name}", nearest(name, have))
    open_parts = set(target.contract.key) - set(join.on) - set(join.where) - {join.valid[0]}
    if open_parts:
        yield Fault(
            path,
            f"the join can multiply rows: {', '.join(sorted(open_parts))} of the key of {join.to} is left open",
            "join on it, or fix it under `where`",
        )
    own = [column.name for column in table.columns]
    for name in (*join.on.values(), join.as_of):
        if name not in own:
            yield Fault(path, f"{name} is no column of {table.table}", nearest(name, own))
