"""A stand for KPIs: gold tables of a local workspace that hold exactly the few rows that a test gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from databricks.sdk import WorkspaceClient

from brickyard.health.flow import kpis
from brickyard.health.flow.kpis import Kpi
from brickyard.health.flow.terms import Door
from brickyard.health.model.kpi import contracts
from brickyard.health.plan import ddl
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places, quote, text
from brickyard.workspace import run_sql

AT = datetime(2026, 5, 1, 4, tzinfo=UTC)
Rows = Sequence[Mapping[str, Any]]


@cache
def gold() -> Gold:
    """The compiled contracts."""
    return compile_all()


def types(table: str) -> dict[str, str]:
    """Return the columns of a table with their types."""
    schema, _, name = table.partition(".")
    if schema == "ops":
        return dict(column.strip().rsplit(" ", 1) for column in _split(ddl.OPS[name]))
    return {column.name: column.type for column in gold()[table].columns}


def _split(columns: str) -> Iterable[str]:
    depth, word = 0, ""
    for letter in columns + ",":
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            yield word
            word = ""
        else:
            word += letter


@dataclass
class Stand:
    """One gold catalog; a table is made when a test first fills it."""

    client: WorkspaceClient
    catalog: str = "kpis"
    made: set[str] = field(default_factory=set)

    @property
    def door(self) -> Door:
        return Door(self.sql, Places(self.catalog, "system"), AT)

    def sql(self, statement: str) -> Sequence[Mapping[str, Any]]:
        return run_sql(self.client, statement).dicts()

    def fill(self, rows: Mapping[str, Rows]) -> None:
        """Let tables hold these rows and no others."""
        for table, wanted in rows.items():
            self._empty(table)
            if wanted:
                columns = list(dict.fromkeys(column for row in wanted for column in row))
                kinds = types(table)
                values = ", ".join(
                    f"({', '.join(literal(row.get(column), kinds[column]) for column in columns)})" for row in wanted
                )
                names = ", ".join(map(quote, columns))
                self.sql(f"INSERT INTO {self.door.places.gold(table)} ({names}) VALUES {values}")

    def _empty(self, table: str) -> None:
        places, schema = self.door.places, table.partition(".")[0]
        if table in self.made:
            self.sql(f"DELETE FROM {places.gold(table)}")
            return
        if not self.made:
            self.sql(f"CREATE CATALOG {self.catalog}")
        self.sql(f"CREATE SCHEMA IF NOT EXISTS {self.catalog}.{schema}")
        own = schema == "ops"
        self.sql(ddl.create_ops(places, table.partition(".")[2]) if own else ddl.create_gold(gold()[table], places))
        self.made.add(table)

    def value(self, name: str, rows: Mapping[str, Rows], since: date | None = None, until: date | None = None) -> Kpi:
        """Compute a KPI over these rows; the tables that it needs further are empty."""
        self.fill({table: rows.get(table, ()) for table in contracts()[name].needs})
        return kpis.value(self.door, name, since=since, until=until)


def literal(value: Any, kind: str) -> str:
    """Write a Python value as SQL of a type."""
    match value:
        case None:
            return f"cast(NULL as {kind})"
        case bool():
            return str(value).lower()
        case datetime():
            return f"timestamp'{value:%Y-%m-%d %H:%M:%S.%f}Z'"
        case date():
            return f"date'{value}'"
        case dict():
            pairs = ", ".join(f"{text(k)}, {text(v)}" for k, v in value.items())
            return f"map({pairs})" if pairs else f"cast(map() as {kind})"
        case str():
            return f"cast({text(value)} as {kind})"
    return f"cast('{value}' as {kind})"


def lines(kpi: Kpi, *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns of the rows."""
    return [tuple(row[column] for column in columns) for row in kpi.rows]


def money(value: str) -> Decimal:
    """Write an amount as gold holds it: nineteen decimals."""
    return Decimal(value).quantize(Decimal("1e-19"))


def day(number: int, month: int = 4) -> date:
    """Return a day of 2026."""
    return date(2026, month, number)


def at(number: int, hour: int = 0, minute: int = 0, second: int = 0, month: int = 4) -> datetime:
    """Return a UTC time of 2026."""
    return datetime(2026, month, number, hour, minute, second, tzinfo=UTC)


def used(record: str, cost: str | None, when: date, **more: Any) -> dict[str, Any]:
    """A record of usage; its list cost is its cost unless it is given."""
    kind = more.get("record_type", "ORIGINAL")
    plain = {
        "record_id": record,
        "record_type": kind,
        "usage_date": when,
        "ingestion_date": when,
        "usage_quantity": "1",
        "workspace_id": "w",
        "sku_name": "JOBS",
        "cloud": "AWS",
        "usage_unit": "DBU",
        "billing_origin_product": "JOBS",
        "is_tagged": False,
    }
    return {**plain, "effective_cost": cost, "list_cost": cost, **more}
