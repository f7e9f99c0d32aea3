"""The contract of a KPI: one YAML file under `assets/kpis/`, parsed strictly; and of an alert, under `assets/alerts/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from ruamel.yaml import YAML

from brickyard.health.model.contract import Name, TableId
from brickyard.kernel.assets import asset

Kebab = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Words = Annotated[str, StringConstraints(min_length=10)]


class Status(StrEnum):
    """How a value stands against its limits; NOT_ASSESSED is never taken for good, nor for a zero."""

    OK = "OK"
    WARN = "WARN"
    CRITICAL = "CRITICAL"
    NOT_ASSESSED = "NOT_ASSESSED"


class Unit(StrEnum):
    """What a value counts."""

    USD = "USD"
    PERCENT = "percent"
    COUNT = "count"
    MILLISECONDS = "ms"
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    SCORE = "score"


class Page(StrEnum):
    """The page of the dashboard that shows a KPI."""

    COST = "cost"
    JOBS = "jobs"
    QUERIES = "queries"
    SECURITY = "security"
    DATA = "data"
    PRODUCT = "product"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    """From which value on a row is WARN and CRITICAL: `above` (or equal) or `below`; `column` is the value by default."""

    column: Name | None = None
    worse: Literal["above", "below"]
    warn: Decimal
    critical: Decimal

    def status(self, value: Any) -> Status:
        """Judge one value; None is NOT_ASSESSED."""
        if value is None:
            return Status.NOT_ASSESSED
        for status, limit in ((Status.CRITICAL, self.critical), (Status.WARN, self.warn)):
            if value >= limit if self.worse == "above" else value < limit:
                return status
        return Status.OK


class Evidence(_Strict):
    """What a KPI rests on: `of` is a relation with its condition, of which the window must hold `least` rows."""

    what: str
    of: str
    count: str = "*"
    least: int = Field(default=1, ge=1)


class KpiContract(_Strict):
    """All that is known of a KPI.

    `sql` is over `{domain.table}` of gold and `{ops.table}` of our records, and over the window: `:from` (inclusive) and
    `:to` (exclusive) are dates, `:from_time` and `:to_time` their beginnings in UTC, `:at` is now. `by` are the columns
    that tell its rows apart, `value` the one that is judged unless `limits` name another, `also` the further ones.
    A `line` or `bar` is drawn over `x` (the last of `by` by default), in colours by `color`. `missing` instead of `sql`
    says what gold does not hold. `partial`: a source that cannot be read leaves only its own rows without a value.
    """

    kpi: Kebab
    number: int = Field(ge=1)
    title: str
    definition: Words
    grain: str
    unit: Unit
    filter: str = "none"
    owner: str
    page: Page
    chart: Literal["line", "bar", "table", "counter"] = "table"
    x: Name | None = None
    color: Name | None = None
    window_days: int = Field(default=30, ge=1)
    needs: Mapping[TableId, tuple[Name, ...]] = Field(default_factory=dict)
    evidence: Evidence | None = None
    sql: str | None = None
    by: tuple[Name, ...] = ()
    value: Name | None = None
    also: tuple[Name, ...] = ()
    limits: Limits | None = None
    partial: bool = False
    not_assessed: Words
    missing: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.computed == bool(self.missing):
            raise ValueError("a KPI has either `sql` or `missing`")
        if self.computed and not (self.value and self.needs and self.evidence):
            raise ValueError("a KPI with `sql` needs `value`, `needs` and `evidence`")
        if self.limits and self.limits.column and self.limits.column not in self.columns:
            raise ValueError(f"limits name {self.limits.column}, which is no column")
        return self

    @property
    def computed(self) -> bool:
        """Whether gold holds what it needs."""
        return self.sql is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its rows, in their order."""
        return (*self.by, *([self.value] if self.value else []), *self.also)

    @property
    def across(self) -> str:
        """The column that a line or a bar is drawn over."""
        return self.x or self.by[-1]

    @property
    def judged(self) -> str:
        """The column that is held against the limits."""
        return (self.limits.column if self.limits else None) or self.value or ""


class Alert(_Strict):
    """When somebody is told: as soon as a row of the KPI is at `level` or worse; `cron` says when it is looked at (UTC)."""

    alert: Kebab
    kpi: Kebab
    level: Literal[Status.WARN, Status.CRITICAL]
    title: str
    message: Words
    owner: str
    cron: str = "0 30 5 * * ?"


@cache
def contracts() -> Mapping[str, KpiContract]:
    """Read every KPI of the package, by name, in order of their numbers."""
    read = [KpiContract.model_validate(data) for data in _files("kpis")]
    return {one.kpi: one for one in sorted(read, key=lambda one: (one.number, one.kpi))}


@cache
def alerts() -> Mapping[str, Alert]:
    """Read every alert of the package, by name."""
    return {one.alert: one for one in (Alert.model_validate(data) for data in _files("alerts"))}


def _files(folder: str) -> Iterator[Mapping[str, Any]]:
    for file in sorted(asset("health", folder).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            yield YAML(typ="safe").load(file.read_text(encoding="utf-8"))
