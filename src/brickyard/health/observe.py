"""Looking: which tables stand in the gold catalog, how the sources look now, how much in them is new, what things cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from brickyard.health.model import source as sources
from brickyard.health.model.bill import Discount
from brickyard.health.model.source import Capture, Source
from brickyard.health.model.state import Drift, DriftKind, Looked, Presence, Sql
from brickyard.health.plan import bronze
from brickyard.health.plan.bronze import Shape, Window
from brickyard.health.plan.discounts import LIST, SERIES, SOURCE, Price, Series, negotiated
from brickyard.health.plan.text import Places, text
from brickyard.kernel.errors import NotFound, WorkspaceRefused
from brickyard.kernel.names import quote

Tables = Mapping[str, Mapping[str, str]]  # `schema.table` -> column -> type


def tables(sql: Sql, catalog: str) -> Tables:
    """Return every table of a catalog with its columns; none when the catalog does not exist."""
    try:
        rows = sql(
            "SELECT table_schema, table_name, column_name, full_data_type"
            f" FROM {quote(catalog)}.information_schema.columns WHERE table_schema <> 'information_schema'"
            " ORDER BY table_schema, table_name, ordinal_position"
        )
    except NotFound:
        return {}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[f"{row['table_schema']}.{row['table_name']}"][row["column_name"]] = row["full_data_type"]
    return dict(found)


def look(sql: Sql, places: Places, wanted: Sequence[str]) -> dict[str, Looked]:
    """Look at sources: present with their columns, absent, or denied with the grant to ask for."""
    listed = tables(sql, places.source_catalog)
    return {name: _looked(sql, places, name, listed.get(name)) for name in wanted}


def _looked(sql: Sql, places: Places, name: str, columns: Mapping[str, str] | None) -> Looked:
    if columns:
        return Looked(name, Presence.PRESENT, dict(columns))
    table = places.source(name)
    try:
        sql(f"SELECT 1 FROM {table} LIMIT 0")
    except NotFound as error:
        return Looked(
            name, Presence.ABSENT, reason=error.message, remedy=f"ask for the schema of {table} to be enabled"
        )
    except WorkspaceRefused as error:
        grant = f"GRANT SELECT ON TABLE {table} TO `<who runs this>`"
        return Looked(name, Presence.DENIED, reason=error.message, remedy=grant)
    return Looked(name, Presence.DENIED, reason=f"{table} is not listed", remedy=f"GRANT SELECT ON TABLE {table}")


def shape(found: Looked) -> Shape:
    """Return a present source with its live leaves."""
    source = sources.load(found.source)
    live = bronze.live_leaves(found.leaves)
    return Shape(source, live, bronze.extras(source, found.leaves, live))


def newest(sql: Sql, places: Places, wanted: Sequence[Source], now: datetime) -> dict[str, datetime]:
    """Return, of every source copied by its watermark, the newest time that bronze holds."""
    asked = [s for s in wanted if s.capture is Capture.APPEND and s.watermark]
    if not asked:
        return {}
    each = (f"SELECT {text(s.name)} AS source, newest FROM ({bronze.newest(s, places, now)})" for s in asked)
    rows = sql(" UNION ALL ".join(each))
    return {row["source"]: row["newest"] for row in rows if row["newest"] is not None}


def later(sql: Sql, places: Places, wanted: Sequence[Source], now: datetime) -> dict[str, int]:
    """Count, of every source with such rows, those later than the newest that bronze holds."""
    each = [f"SELECT {text(s.name)} AS source, found FROM ({bronze.later(s, places, now)})" for s in wanted]
    rows = sql(" UNION ALL ".join(each)) if each else ()
    return {row["source"]: int(row["found"]) for row in rows if row["found"]}


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a copy would bring: rows that bronze does not hold, or differences from the last dated state.

    Of a source with rows later than all of bronze only those are counted: telling which others came late means to read
    and hash the overlap whole, which the copy itself does in any case. `lost` rows were in the state of `dated` of a
    source that shows none at all now.
    """

    found: int
    lost: int = 0
    dated: datetime | None = None


def fresh(sql: Sql, places: Places, seen: Shape, since: datetime | None) -> Fresh:
    """Count what a copy of a source would bring."""
    if seen.source.capture is not Capture.SNAPSHOT:
        return Fresh(int(sql(bronze.count(bronze.fresh(seen, places, Window(since))))[0]["found"]))
    row = sql(bronze.unlike_last_snapshot(seen, places))[0]
    lost = int(row["held"]) if not int(row["here"]) else 0
    return Fresh(int(row["found"]), lost, row["dated"])


def emptied(places: Places, seen: Looked, found: Fresh) -> tuple[Looked, Drift]:
    """Say of a source that shows no rows any more what its last state had, and what to do."""
    when = f"{found.dated:%Y-%m-%d %H:%M}"
    reason = f"{places.source(seen.source)} shows no rows; its state of {when} had {found.lost}, which stay in gold"
    remedy = (
        "see whether who runs this lost its rows by a grant or a row filter; it goes on by itself when rows are back,"
        " and if all of it has really ended, nothing is to be done"
    )
    drift = Drift(seen.source, "*", DriftKind.EMPTIED, f"{found.lost} rows of {when}", "no rows")
    return replace(seen, presence=Presence.EMPTIED, reason=reason, remedy=remedy), drift


def rows(sql: Sql, places: Places, source: Source) -> int:
    """Count all rows of a source, for one that bronze has no table of yet."""
    return int(sql(f"SELECT count(*) AS found FROM {places.source(source.name)}")[0]["found"])


def last_account_prices(sql: Sql, places: Places) -> tuple[Price, ...]:
    """Return the account's prices by the newest state in bronze, which gold may not have taken up yet."""
    table = places.bronze(sources.load(SOURCE).bronze)
    newest = f" AND _snapshot_at = (SELECT max(_snapshot_at) FROM {table})"
    return tuple(map(_price, sql(_priced(table, "pricing__default") + newest)))


def _priced(table: str, column: str) -> str:
    read = ", ".join((*SERIES, "price_start_time", "price_end_time"))
    return f"SELECT {read}, {column} AS price FROM {table} WHERE {column} IS NOT NULL"


def _price(row: Mapping[str, Any]) -> Price:
    end = row["price_end_time"]
    return Price(
        _series(row),
        row["price_start_time"].astimezone(UTC),
        end.astimezone(UTC) if end else None,
        Decimal(row["price"]),
    )


def _series(row: Mapping[str, Any]) -> Series:
    return tuple(row[c] for c in SERIES)  # type: ignore[return-value] — five columns make the five parts of a series


def negotiated_prices(sql: Sql, places: Places, discounts: Sequence[Discount]) -> tuple[Price, ...]:
    """Return the account's prices that discounts make of the list prices in gold; reads only.

    Begins are those of every state in bronze, since gold takes up each of them, whether or not it has yet.
    """
    known: dict[Series, list[datetime]] = defaultdict(list)
    bronze_prices = places.bronze(sources.load(SOURCE).bronze)
    for row in sql(f"SELECT DISTINCT {', '.join(SERIES)}, price_start_time FROM {bronze_prices}"):
        known[_series(row)].append(row["price_start_time"].astimezone(UTC))
    listed = map(_price, sql(_priced(places.gold(LIST), "effective_list_price")))
    return negotiated(listed, discounts, known)
