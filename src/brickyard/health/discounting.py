"""Discounts as they are kept, and the account's prices that they make of the list prices in gold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from brickyard.health import store
from brickyard.health.model import source as sources
from brickyard.health.model.bill import Discount
from brickyard.health.model.state import Now, Sql
from brickyard.health.plan import bronze
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.discounts import ACCOUNT, LIST, RULES, SERIES, SOURCE, Price, Series, negotiated, relation
from brickyard.health.plan.merging import Merged
from brickyard.health.plan.text import Places, moment, text

_AT_ONCE = 500  # rows of one statement
_TICK = timedelta(microseconds=1)


def keep(sql: Sql, places: Places, discounts: Sequence[Discount], now: Now) -> None:
    """Keep these discounts, at least one, in the place of all earlier ones; until the new ones stand the old ones count."""
    table = places.ops("discounts")
    at = _after(now.at, sql(f"SELECT max(loaded_at) AS at FROM {table}")[0]["at"])
    rows = ", ".join(
        f"({text(one.sku_name)}, {text(one.cloud)}, cast('{one.percent}' as decimal(9,6)),"
        f" {_date(one.valid_from)}, {_date(one.valid_to)}, {moment(at)})"
        for one in discounts
    )
    sql(f"INSERT INTO {table} VALUES {rows}")
    sql(f"DELETE FROM {table} WHERE loaded_at < {moment(at)}")
    found = len(discounts)
    store.merged(sql, places, "-", 0, now.run, Merged(RULES, found, found, 0, 0), "", now, 0)


def rules(sql: Sql, places: Places) -> tuple[Discount, ...]:
    """Return the discounts that are kept, without the lines of their file."""
    table = places.ops("discounts")
    rows = sql(
        f"SELECT * FROM {table} WHERE loaded_at = (SELECT max(loaded_at) FROM {table})"
        " ORDER BY sku_name, cloud, valid_from, valid_to"
    )
    return tuple(
        Discount(r["sku_name"], r["cloud"], Decimal(r["percent"]), r["valid_from"], r["valid_to"], 0) for r in rows
    )


def prices(sql: Sql, places: Places, discounts: Sequence[Discount]) -> tuple[Price, ...]:
    """Return the account's prices that discounts make of the list prices in gold; reads only."""
    known: dict[Series, list[datetime]] = defaultdict(list)
    for price in _told(sql, places, ACCOUNT, "account_price"):
        known[price.series].append(price.start)
    return negotiated(_told(sql, places, LIST, "effective_list_price"), discounts, known)


def take(sql: Sql, places: Places, now: Now) -> int:
    """Put the prices of the kept discounts into bronze as a state of the account's own table, unless gold has them.

    Returns how many there are. The state is dated after the one before, which it replaces.
    """
    found = prices(sql, places, rules(sql, places))
    if set(found) == set(_told(sql, places, ACCOUNT, "account_price")):
        return len(found)
    source = sources.load(SOURCE)
    last = sql(f"SELECT max(_snapshot_at) AS at FROM {places.bronze(source.bronze)}")[0]["at"]
    dated = replace(now, at=_after(now.at, last))
    for part in _parts(found):
        sql(bronze.insert(Shape(source, {}), places, relation(part, source), dated))
    store.copied(sql, places, source.bronze, SOURCE, len(found), now, 0)
    return len(found)


def _after(at: datetime, last: datetime | None) -> datetime:
    return at if last is None or last.astimezone(UTC) < at else last.astimezone(UTC) + _TICK


def _date(day: date | None) -> str:
    return f"date'{day}'" if day else "cast(NULL as date)"


def _parts(found: Sequence[Price]) -> Iterator[Sequence[Price]]:
    yield from (found[at : at + _AT_ONCE] for at in range(0, len(found), _AT_ONCE))


def _told(sql: Sql, places: Places, table: str, column: str) -> tuple[Price, ...]:
    rows = sql(f"SELECT * FROM {places.gold(table)} WHERE {column} IS NOT NULL")
    return tuple(
        Price(
            tuple(row[c] for c in SERIES),  # type: ignore[arg-type] — five columns make the five parts of a series
            row["price_start_time"].astimezone(UTC),
            row["price_end_time"].astimezone(UTC) if row["price_end_time"] else None,
            Decimal(row[column]),
        )
        for row in rows
    )
