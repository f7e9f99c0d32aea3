"""The gold tables over HTTP: how each stands, how it ties out, and where its columns come from."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from brickyard.health.api.asked import Asked
from brickyard.health.flow import billing, kpis, telling
from brickyard.health.plan.lineage import Origin

router = APIRouter(prefix="/health", tags=["gold"])
Name = Annotated[str, Query(max_length=300, description="`domain.table.column`, or `table.column`.")]


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


class _Told(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class RunLine(_Told):
    """A run of the gold layer."""

    run: int
    run_id: str
    status: str
    started_at: datetime
    ended_at: datetime | None


class TableLine(_Told):
    """A gold table and how it stands."""

    table: str = Field(description="Domain and name.")
    domain: str
    kind: str
    source: str | None
    state: str = Field(validation_alias="word", description="OK, FAILED, UNTIED, NEVER_BUILT, NOT_ASSESSED or EMPTIED.")
    presence: str = Field(description="Whether its source can be read; empty where it has none.")
    rows: int
    run: int | None = Field(description="The last run that merged it.")
    merged_at: datetime | None
    newest: datetime | None = Field(description="The newest time that bronze holds of its source.")
    compared: int | None = Field(description="Comparisons with bronze, the newest of each day and measure.")
    untied: int | None = Field(description="Those of them that differ.")
    quarantined: int
    failure: str | None
    auxiliary: bool = Field(description="A companion beside the tables of the requirements.")


class Tables(_Told):
    """The gold catalog and its tables, in the order in which they are built."""

    catalog: str
    source_catalog: str
    last: RunLine
    holder: str = Field(description="Who is at work now; empty: nobody.")
    tables: list[TableLine]


class Comparison(_Told):
    """One comparison of gold with bronze."""

    table: str
    day: date | None
    measure: str
    bronze: str | None
    gold: str | None
    ok: bool
    run: int
    at: datetime


class Month(_Told):
    """The bill of a month: amounts in USD as text, so that no digit is lost."""

    month: date
    list_cost: Decimal
    gold: Decimal
    bronze: Decimal = Field(description="Computed from bronze again, by another way than the merges.")
    invoice: Decimal | None
    hash: str = Field(description="Of all records of the month with their costs.")
    ties: bool


class Reconciliation(_Told):
    """How gold ties out: every comparison with bronze, those that differ first, and the bill by month."""

    ok: bool
    comparisons: list[Comparison]
    months: list[Month]


class Lineage(_Told):
    """A column and what it is computed from."""

    layer: str = Field(description="gold or source.")
    name: str
    type: str
    expression: str | None
    comment: str
    origins: list[Lineage]


class KpiValue(_Told):
    """A KPI over its window."""

    name: str
    number: int
    title: str
    unit: str
    grain: str
    value: Annotated[str | None, BeforeValidator(_as_text)] = Field(
        description="As text, so that no digit is lost; null where it is not assessed, never 0 instead."
    )
    since: date
    until: date
    status: str = Field(description="OK, WARN, CRITICAL or NOT_ASSESSED.")
    reason: str
    remedy: str | None
    rows: list[dict[str, Any]]


@router.get("/tables", summary="List gold tables")
def list_tables(door: Asked) -> Tables:
    """Return every gold table with its rows, newest data, tie-out and state; 404 before the first run."""
    return Tables.model_validate(telling.status(door))


@router.get("/kpis/{name}", summary="Compute a KPI")
def read_kpi(
    door: Asked,
    name: Annotated[str, Path(max_length=100, pattern=r"^[a-z0-9_-]+$")],
    since: date | None = None,
    until: Annotated[date | None, Query(description="The day after the last.")] = None,
) -> KpiValue:
    """Return one KPI from `since` to before `until`; what cannot be known is NOT_ASSESSED and says why."""
    return KpiValue.model_validate(kpis.value(door, name, since=since, until=until))


@router.get("/reconciliation", summary="Tie gold out")
def read_reconciliation(
    door: Asked,
    table: Annotated[list[str] | None, Query(description="Only these tables.", max_length=100)] = None,
    untied: Annotated[bool, Query(description="Only comparisons that differ.")] = False,
) -> Reconciliation:
    """Return how gold compares with bronze, and the bill of each month; 404 before the first run."""
    found = telling.reconciliation(door, table or (), only_untied=untied)
    months = billing.statement(door)
    return Reconciliation(
        ok=all(one.ok for one in found) and all(month.ties for month in months),
        comparisons=[Comparison.model_validate(one) for one in found],
        months=[Month.model_validate(month) for month in months],
    )


@router.get("/lineage", summary="Tell where a column comes from")
def read_lineage(column: Name) -> Lineage:
    """Return what a gold column is computed from, down to the leaves of its sources; no workspace is asked."""
    found: Origin = telling.explain(column)
    return Lineage.model_validate(found)
