"""An account whose rows are spoiled by chance: nulls in keys, time backwards, rivals, strange text, maps turned round."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa

from brickyard.health.synthetic import ARRIVED, Account, Shape, source

_TEXTS = ("O'Brien", 'say "hi"', "back\\slash", "ü – 雪", "", " ", "a|b", "line\nbreak", "\\N", "FREE_USAGE", "null")
_NUMBERS = (0, 1, -1, 7, 100)


@dataclass(frozen=True)
class Spoiled:
    """The same account with about *share* more rows in every source, each a spoiled copy of another."""

    account: Account
    seed: int
    share: float = 0.2

    def arrivals(self, name: str) -> pa.Table:
        """Return all rows of a source with the instants of their arrival."""
        return _spoiled(self, name)

    def snapshots(self, name: str) -> tuple[Any, ...]:
        """Return the dated states, each spoiled in its own way."""
        return tuple(
            (day, spoil(table, random.Random(f"{self.seed} {name} {day}"), self.share))
            for day, table in self.account.snapshots(name)
        )

    def schema(self, name: str, on: date) -> dict[str, str]:
        """Return each column's SQL type as of a day."""
        return self.account.schema(name, self.account.last_day)

    def visible(self, name: str, at: datetime) -> pa.Table:
        """Return what a reader sees at an instant; a source that is updated in place shows its rivals as well."""
        if source(name).shape is Shape.SNAPSHOT:
            return [table for day, table in self.snapshots(name) if day <= at.date()][-1]
        rows = self.arrivals(name)
        there = pa.array([arrived <= at for arrived in rows.column(ARRIVED).to_pylist()], pa.bool_())
        return rows.filter(there).drop_columns([ARRIVED])


@cache
def _spoiled(account: Spoiled, name: str) -> pa.Table:
    return spoil(account.account.arrivals(name), random.Random(f"{account.seed} {name}"), account.share)


def spoil(table: pa.Table, chance: random.Random, share: float) -> pa.Table:
    """Add spoiled copies of rows: one to three values of each are made strange."""
    rows = table.to_pylist(maps_as_pydicts=None)
    for row in chance.sample(rows, k=max(3, round(len(rows) * share))) if len(rows) > 3 else rows[:]:
        copy = dict(row)
        for field in chance.sample([f for f in table.schema if f.name != ARRIVED], k=chance.choice((0, 1, 1, 2, 3))):
            copy[field.name] = _strange(copy[field.name], field.type, chance)
        rows.append(copy)
    return pa.Table.from_pylist(rows, schema=table.schema)


def _strange(value: Any, kind: pa.DataType, chance: random.Random) -> Any:
    """Return another value of the same type; null now and then."""
    if chance.random() < 0.25:
        return None
    for test, make in _BY_TYPE:
        if test(kind):
            return make(value, kind, chance)
    return value


def _struct(value: Any, kind: pa.DataType, chance: random.Random) -> Any:
    value = value or dict.fromkeys(field.name for field in kind.fields)
    field = chance.choice(list(kind.fields))
    return {**value, field.name: _strange(value[field.name], field.type, chance)}


def _map(value: Any, kind: pa.DataType, chance: random.Random) -> Any:
    if not value or not pa.types.is_string(kind.key_type):
        return []
    turned = list(reversed(value))
    return turned if chance.random() < 0.6 else [*turned, ("zz " + chance.choice(_TEXTS), turned[0][1])]


def _list(value: Any, kind: pa.DataType, chance: random.Random) -> Any:
    return [*(value or []), *(value or [])][: chance.randrange(3)]


def _time(value: Any, _: pa.DataType, chance: random.Random) -> Any:
    step = chance.choice((timedelta(microseconds=1), timedelta(days=1), timedelta(hours=-5), timedelta(seconds=-1)))
    return value and value + step


def _decimal(value: Any, _: pa.DataType, chance: random.Random) -> Any:
    other = Decimal("99999999999.5"), Decimal("0.000000000000000001"), Decimal("0E-18"), Decimal("-3.25")
    return chance.choice((*other, value and -value))


def _byte(value: Any, _: pa.DataType, chance: random.Random) -> Any:
    return chance.choice(_NUMBERS)


_BY_TYPE: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, Any, random.Random], Any]], ...] = (
    (pa.types.is_struct, _struct),
    (pa.types.is_map, _map),
    (pa.types.is_list, _list),
    (pa.types.is_timestamp, _time),
    (pa.types.is_date, lambda value, _, chance: value and value + timedelta(days=chance.choice((-1, 1, 40)))),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_boolean, lambda value, _, chance: not value),
    (pa.types.is_integer, _byte),
    (pa.types.is_floating, lambda value, _, chance: chance.choice((0.0, 1.5, 0.1, 33.3333333, 99.0))),
    (pa.types.is_string, lambda value, _, chance: chance.choice(_TEXTS)),
)
