"""Tying out: bronze, one row of each key, against gold by day: rows, keys as a set, and the contract's sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Context, Decimal
from typing import Any

from brickyard.health.model.compiled import GoldTable
from brickyard.health.plan import relations, statements, text
from brickyard.health.plan.relations import Batch
from brickyard.health.plan.text import Places, names, quote

Row = Mapping[str, Any]  # day, measure, bronze, gold

_EXACT = Context(prec=60)  # a sum has 38 digits at the most
_STANDS, _STOOD = "_stands", "_stood"


def whole(table: GoldTable, places: Places, last: int, days: Sequence[date] | None) -> str:
    """Compare all that bronze and gold hold of some days (of every day when None)."""
    where = statements.bounds(table, days, "") or "true"
    rows = relations.newest(table, places, Batch(0, last), where)
    bronze = f"SELECT {_day(table)} AS day, {_measured(table)} FROM ({rows}) GROUP BY 1"
    return _compared(table, bronze, _gold(table, places, where))


def since(table: GoldTable, places: Places, batch: Batch, days: Sequence[date] | None) -> str:
    """Compare what a batch adds to bronze with all that gold holds of the days that it touches.

    `bronze` is a change: measured over the keys of the batch only, as they stand now less as they stood before it.
    With what was last remembered of a day (`carried`) it gives what bronze holds, without reading every key again.
    """
    where = statements.bounds(table, days, "") or "true"
    key = table.contract.key
    fresh = f"SELECT DISTINCT {names(key)} FROM ({_good(table, places, batch, where)})"
    held = (
        f"SELECT r.* FROM ({_good(table, places, Batch(0, batch.last), where)}) r"
        f" LEFT SEMI JOIN ({fresh}) k ON {text.same(key, 'r', 'k')}"
    )
    older = f"CASE WHEN {quote('_batch')} <= {batch.first} THEN {quote('_version')} END"
    kept = []
    for version, order in ((_STANDS, quote("_version")), (_STOOD, older)):
        kept += [f"max({order}) AS {version}", f"max_by({_day(table)}, {order}) AS {_of(version, 'day')}"]
        kept += [f"max_by({quote(c)}, {order}) AS {quote(_of(version, c))}" for c in table.contract.reconcile.sums]
    moved = f"SELECT {names(key)}, {', '.join(kept)} FROM ({held}) GROUP BY {names(key)}"
    bronze = _by_day_of_each(table, f"SELECT * FROM ({moved}) WHERE NOT ({_STANDS} <=> {_STOOD})")
    return _compared(table, bronze, _gold(table, places, where), changes=True)


def _by_day_of_each(table: GoldTable, moved: str) -> str:
    """Measure both versions of the keys that changed, each on its own day: a correction may have moved a row."""
    days = f"{_of(_STANDS, 'day')}, {_of(_STOOD, 'day')}"
    measured = f"{_measured(table, _STANDS)}, {_measured(table, _STOOD)}"
    pairs = (
        f"SELECT *, explode(array(true, false)) AS _now FROM (SELECT {days}, {measured} FROM ({moved}) GROUP BY {days})"
    )
    each = [
        f"sum(CASE WHEN {'' if version == _STANDS else 'NOT '}_now THEN {quote(_of(version, name))} END)"
        f" AS {quote(_of(version, name))}"
        for version in (_STANDS, _STOOD)
        for _, name in _pairs(table)
    ]
    day = f"CASE WHEN _now THEN {_of(_STANDS, 'day')} ELSE {_of(_STOOD, 'day')} END AS day"
    return f"SELECT {day}, {', '.join(each)} FROM ({pairs}) WHERE _now OR {_of(_STOOD, 'found')} > 0 GROUP BY 1"


def remembered(table: GoldTable, places: Places, days: Sequence[date] | None) -> str:
    """Ask what bronze held when a table was last compared, by day and measure."""
    where = f"table_name = {text.text(table.table)}"
    if days and table.contract.prune:
        where += f" AND day >= date'{min(days)}' AND day <= date'{max(days)}'"
    return (
        f"SELECT day, measure, max_by(bronze, run) AS bronze FROM {places.ops('reconciliation')} WHERE {where}"
        " GROUP BY day, measure"
    )


def carried(held: Iterable[Row], found: Iterable[Row]) -> list[Row]:
    """Add changes of bronze (`since`) to what was remembered of it; what adds up to gold's figure is told as gold tells it."""
    before = {(row["day"], row["measure"]): row["bronze"] for row in held}
    return [_carried(row, before.get((row["day"], row["measure"]))) for row in found]


def _carried(row: Row, before: str | None) -> Row:
    bronze = _EXACT.add(Decimal(before or 0), Decimal(row["bronze"] or 0))
    return {**row, "bronze": row["gold"] if bronze == Decimal(row["gold"] or 0) else format(bronze, "f")}


def _good(table: GoldTable, places: Places, batch: Batch, where: str) -> str:
    return f"SELECT * FROM ({relations.typed(table, places, batch.sql)}) WHERE _faults = '' AND {where}"


def _gold(table: GoldTable, places: Places, where: str) -> str:
    gold = places.gold(table.contract.table)
    return f"SELECT {_day(table)} AS day, {_measured(table)} FROM {gold} WHERE {where} GROUP BY 1"


def _day(table: GoldTable) -> str:
    return f"cast({quote(table.contract.prune)} as date)" if table.contract.prune else "cast(NULL as date)"


def _measured(table: GoldTable, version: str = "") -> str:
    """Count and add up rows; or, of keys with two versions each, the *version* that stands now or that stood before."""
    counted = f"CASE WHEN {version} IS NOT NULL THEN {{}} END" if version else "{}"
    found = [("found", f"count({counted.format(1)})")]
    found += [("keys", f"sum({counted.format(_folded(table))})")]
    found += [(f"sum_{c}", f"sum({quote(_of(version, c))})") for c in table.contract.reconcile.sums]
    return ", ".join(f"{sql} AS {quote(_of(version, name))}" for name, sql in found)


def _of(version: str, name: str) -> str:
    return f"{version}_{name}" if version else name


def _folded(table: GoldTable) -> str:
    """A number of 64 bits for a key: the sum over keys is that of the set, in whatever order they come."""
    texts = text.texts([(quote(name), _type(table, name)) for name in table.contract.key])
    return f"cast(xxhash64({texts}) as decimal(20,0))"


def measures(table: GoldTable, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return what `whole` and `since` found as one row for each day and measure, figures as text."""
    return [
        {"day": row["day"], "measure": label, "bronze": _gained(row, name), "gold": row[f"g_{name}"]}
        for row in rows
        for label, name in _pairs(table)
    ]


def _gained(row: Mapping[str, Any], name: str) -> str | None:
    now, before = row[f"b_{name}"], row.get(f"w_{name}")
    return now if before is None else format(_EXACT.subtract(Decimal(now or 0), Decimal(before)), "f")


def is_measured(table: GoldTable, held: Iterable[Row], days: Sequence[date] | None) -> bool:
    """Whether all that is remembered of these days was measured as we do, so that changes can be added to it."""
    measured: dict[date | None, set[str]] = {}
    for row in held:
        measured.setdefault(row["day"], set()).add(row["measure"])
    wanted = {label for label, _ in _pairs(table)}
    return all(known >= wanted for day, known in measured.items() if days is None or day in days)


def _pairs(table: GoldTable) -> list[tuple[str, str]]:
    """Each measure as it is told, and its column."""
    return [("rows", "found"), ("key set", "keys"), *((f"sum({c})", f"sum_{c}") for c in table.contract.reconcile.sums)]


def _compared(table: GoldTable, bronze: str, gold: str, *, changes: bool = False) -> str:
    shown = []
    for _, name in _pairs(table):
        sides = [("b", _of(_STANDS if changes else "", name), f"b_{name}"), ("g", name, f"g_{name}")]
        sides += [("b", _of(_STOOD, name), f"w_{name}")] if changes else []
        shown += [f"cast({side}.{quote(column)} as string) AS {quote(told)}" for side, column, told in sides]
    return (
        f"SELECT coalesce(b.day, g.day) AS day, {', '.join(shown)}"
        f" FROM ({bronze}) b FULL OUTER JOIN ({gold}) g ON b.day <=> g.day"
    )


def _type(table: GoldTable, name: str) -> str:
    column = table.column(name)
    return column.type if column else "string"
