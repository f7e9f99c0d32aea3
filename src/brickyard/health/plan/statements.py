"""The statements of a merge: bounds of a batch, then one MERGE, by the kind of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from brickyard.health.model.compiled import GoldTable
from brickyard.health.model.contract import Join, Kind
from brickyard.health.model.source import Capture
from brickyard.health.model.state import Now
from brickyard.health.plan import relations, text
from brickyard.health.plan.merging import Stamp, add_audit_timestamps, merge_dimension_table, merge_fact_table
from brickyard.health.plan.relations import Batch
from brickyard.health.plan.text import Places, names, quote

_SLICE = 1_000_000  # rows of a merge
_MOST_DAYS = 100  # as literals in a condition; a wider batch is bounded by its first and last day


@dataclass(frozen=True, slots=True)
class Extent:
    """What a batch holds: rows, rows that break a rule, and the days of its prune column (None: some have no day)."""

    rows: int
    faulty: int
    days: tuple[date, ...] | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Extent:
        """Read the row that `extent` returns."""
        days = None if row["dayless"] else tuple(_day(day) for day in (row["days"] or "").split(",") if day)
        return cls(int(row["found"] or 0), int(row["faulty"] or 0), days)


def _day(day: str) -> date:
    return date.fromisoformat(day)


def stamp(now: Now) -> Stamp:
    """Return the run's stamp as SQL."""
    return Stamp(now.run, text.moment(now.at))


def extent(table: GoldTable, places: Places, batch: Batch) -> str:
    """Ask how many rows a batch holds, how many are faulty, and on which days they lie."""
    return measure(table, relations.typed(table, places, batch.sql))


def measure(table: GoldTable, relation: str, faults: str = "_faults") -> str:
    """Ask the extent of a relation."""
    day = f"cast({quote(table.contract.prune)} as date)" if table.contract.prune else "cast(NULL as date)"
    good = f"CASE WHEN {faults} = '' THEN {day} END"
    dayless = f"count_if({faults} = '' AND {day} IS NULL) > 0"
    return (
        f"SELECT count(*) AS found, count_if({faults} <> '') AS faulty, {dayless} AS dayless,"
        f" array_join(sort_array(collect_set(cast({good} as string))), ',') AS days FROM ({relation})"
    )


def bounds(table: GoldTable, days: Sequence[date] | None, of: str = "t.") -> str:
    """Say where rows on these days lie, as literals that prune files; nothing when it is not known."""
    if not days or table.contract.prune is None:
        return ""
    column = table.column(table.contract.prune)
    name = f"{of}{quote(table.contract.prune)}"
    first, last = min(days), max(days)
    if column is not None and column.type.lower() == "timestamp":
        return f"{name} >= timestamp'{first} 00:00:00Z' AND {name} <= timestamp'{last} 23:59:59.999999Z'"
    between = f"{name} >= date'{first}' AND {name} <= date'{last}'"
    if len(days) > _MOST_DAYS or (last - first).days + 1 == len(days):
        return between
    listed = ", ".join(f"date'{day}'" for day in days)
    return f"{between} AND {name} IN ({listed})"


def slices(found: Extent) -> tuple[tuple[date, ...] | None, ...]:
    """Cut a large batch by days, so that an engine never holds more than some million rows at once."""
    if not found.days or found.rows <= _SLICE:
        return (found.days,)
    count = min(len(found.days), -(-found.rows // _SLICE))
    size = -(-len(found.days) // count)
    return tuple(found.days[at : at + size] for at in range(0, len(found.days), size))


def merge(
    table: GoldTable,
    places: Places,
    batch: Batch,
    now: Now,
    keys: Mapping[str, tuple[str, ...]],
    days: Sequence[date] | None = None,
    *,
    full: bool = False,
    empty: bool = False,
) -> str:
    """Write the MERGE of a batch. *keys*: of the tables that are looked up in. *full*: rows that differ are rewritten.

    *days* cut the batch and bound the target. Into an *empty* target rows are only inserted.
    """
    columns = [c.name for c in table.columns if c.origin in ("source", "enriched", "history")] + ["_version"]
    if table.latest:
        return _latest(table, places, batch, now, dict(keys), days, columns, full=full, empty=empty)
    if table.contract.kind is Kind.DIM_SCD2:
        rows, old = relations.versions(table, places, batch), relations.old_of_keys(table, places, batch)
    else:
        rows, old = relations.groups(table, places, batch), relations.old_of_groups(table, places, batch)
    stamped = add_audit_timestamps(relations.enriched(table, places, rows, dict(keys)), stamp(now))
    return merge_dimension_table(places.gold(table.table), stamped, table.key, columns, old)


def _latest(
    table: GoldTable,
    places: Places,
    batch: Batch,
    now: Now,
    keys: dict[str, tuple[str, ...]],
    days: Sequence[date] | None,
    columns: list[str],
    *,
    full: bool,
    empty: bool,
) -> str:
    where = bounds(table, days, "") or "true"
    rows = relations.enriched(table, places, relations.newest(table, places, batch, where), keys)
    stamped = add_audit_timestamps(f"SELECT {names(columns)} FROM ({rows})", stamp(now))
    differs = different(table)
    newer = f"s.{quote('_version')} > t.{quote('_version')}"
    if empty:
        newer = ""
    elif full:
        newer = f"(s.{quote('_version')} >= t.{quote('_version')} AND {differs})"
    dated = table.source is not None and table.source.capture is Capture.SNAPSHOT
    return merge_fact_table(
        places.gold(table.table),
        stamped,
        table.contract.key,
        columns,
        bounds=bounds(table, days),
        newer=newer,
        changed=differs if dated and not full else "",
    )


def different(table: GoldTable, *origins: str) -> str:
    """Whether any column (of these origins) of the source row `s` differs from the target row `t`."""
    columns = table.of_origin(*(origins or ("source", "enriched")))
    new = text.fingerprint([(f"s.{quote(c.name)}", c.type) for c in columns])
    old = text.fingerprint([(f"t.{quote(c.name)}", c.type) for c in columns])
    return f"{new} <> {old}"


def look_up_again(
    table: GoldTable,
    places: Places,
    join: Join,
    changed: Batch,
    now: Now,
    keys: Mapping[str, tuple[str, ...]],
    days: Sequence[date] | None,
) -> str:
    """Write the MERGE that renews the looked-up columns of the rows that a change of the other table concerns."""
    own = [c.name for c in table.of_origin("source")]
    added = [c.name for c in table.of_origin("enriched")]
    rows = relations.enriched(table, places, relations.looked_up_again(table, places, join, changed), dict(keys))
    stamped = add_audit_timestamps(f"SELECT {names([*own, *added, '_version'])} FROM ({rows})", stamp(now))
    sets = ", ".join(f"{quote(c)} = s.{quote(c)}" for c in [*added, "_batch", "record_updated_timestamp"])
    on = text.same(table.contract.key, "t", "s")
    where = bounds(table, days)
    return (
        f"MERGE INTO {places.gold(table.table)} t USING ({stamped}) s ON {on}{' AND ' + where if where else ''}\n"
        f"WHEN MATCHED AND {different(table, 'enriched')} THEN UPDATE SET {sets}"
    )


def quarantine(table: GoldTable, places: Places, batch: Batch, now: Now) -> str:
    """Write the MERGE that keeps the faulty rows of a batch, each once, with the rules that it breaks."""
    shown = [c for c in table.of_origin("source") if c.name not in table.contract.pii]
    row = f"to_json(named_struct({', '.join(f'{text.text(c.name)}, {quote(c.name)}' for c in shown)}))"
    rows = (
        f"SELECT {text.text(table.table)} AS table_name, _faults AS reason, _row_hash AS row_hash, min({row}) AS row"
        f" FROM ({relations.typed(table, places, batch.sql)}) WHERE _faults <> '' GROUP BY _faults, _row_hash"
    )
    return text.into_quarantine(places, rows, now.run, stamp(now).at)
