"""Checking: contracts, sources and their grants, references without a partner, time left before sources forget; reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from brickyard.health import observe
from brickyard.health.flow import Door, preview
from brickyard.health.flow.telling import RunLine, Status, TableState, status
from brickyard.health.model.compiled import GoldTable
from brickyard.health.model.contract import Reference
from brickyard.health.model.source import Source
from brickyard.health.model.state import Looked, Presence
from brickyard.health.model.steps import CopyBronze, Plan, Skip
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import names, quote, text
from brickyard.kernel.errors import NotFound

_AT_ONCE = 8  # references measured by one statement
_NEAR = 0.25  # of its retention is left before a source forgets


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARN = "warn"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that the check found: its code, what it concerns, and what to do."""

    code: str
    severity: Severity
    subject: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many rows of a table find the row that they point to; rows whose reference is null are not counted."""

    table: str
    columns: tuple[str, ...]
    to: str
    rows: int
    matched: int
    orphan: str

    @property
    def percent(self) -> float | None:
        """Matched rows in percent; None where no row points anywhere."""
        return round(100 * self.matched / self.rows, 3) if self.rows else None


@dataclass(frozen=True, slots=True)
class Margin:
    """How many days are left until a source forgets rows that bronze does not hold; None: it keeps them, as far as known."""

    source: str
    retention_days: int | None
    days_left: float | None
    behind: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, the worst first."""

    findings: tuple[Found, ...]
    coverage: tuple[Coverage, ...]
    margins: tuple[Margin, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing needs anybody's hands."""
        return all(one.severity is Severity.INFO for one in self.findings)


def check(door: Door, gold: Gold | None = None) -> Checked:
    """Compile the contracts (SpecInvalid tells their faults), look at every source, and measure references and time."""
    gold = gold or compile_all()
    sources = {table.source.name: table.source for table in gold if table.source}
    looked = observe.look(door.sql, door.places, sorted(sources))
    findings = list(_sources(gold, looked))
    try:
        now = status(door, gold)
    except NotFound as error:
        findings.append(Found(error.error_code, Severity.INFO, door.places.catalog, error.message, error.remedy or ""))
        return Checked(_sorted(findings), (), ())
    covered = coverage(door, gold)
    coming = preview(door, gold=gold)
    margins = tuple(_margins(door, coming, now, sources, looked))
    findings += [*_emptied(coming, gold), *_run(now), *_tables(now), *_orphans(covered), *_retention(margins)]
    return Checked(_sorted(findings), covered, margins)


def _sorted(findings: Sequence[Found]) -> tuple[Found, ...]:
    order = list(reversed(Severity))
    return tuple(sorted(findings, key=lambda one: (order.index(one.severity), one.code, one.subject)))


def _sources(gold: Gold, looked: dict[str, Looked]) -> Iterator[Found]:
    optional = {t.source.name for t in gold if t.source and t.contract.optional}
    for name, one in looked.items():
        if one.presence is Presence.PRESENT:
            continue
        severity = Severity.INFO if name in optional and one.presence is Presence.ABSENT else Severity.WARN
        yield Found(one.presence.code, severity, name, one.reason or "", one.remedy or "")


def _emptied(coming: Plan, gold: Gold) -> Iterator[Found]:
    told = [step for step in coming.of(Skip) if isinstance(step, Skip) and step.code == Presence.EMPTIED.code]
    for source, step in {gold[step.table].contract.source or step.table: step for step in told}.items():
        yield Found(step.code, Severity.WARN, source, step.reason, step.remedy)


def _run(now: Status) -> Iterator[Found]:
    last: RunLine = now.last
    if last.status == "LOST":
        yield Found(
            "health-run-broken-off",
            Severity.WARN,
            f"run {last.run}",
            f"run {last.run} of {last.run_id} has no end, and its process is gone or its lease has ended",
            "brickyard health run; what it had done is not done again",
        )


def _tables(now: Status) -> Iterator[Found]:
    again = "brickyard health run --failed"
    for table in now.tables:
        if table.failure:
            yield Found("health-table-failed", Severity.CRITICAL, table.table, table.failure, again)
        if table.untied:
            told = f"{table.untied} of {table.compared} comparisons with bronze differ"
            rebuild = f"brickyard health run --table {table.table} --full"
            yield Found("health-untied", Severity.CRITICAL, table.table, told, rebuild)
        if table.quarantined:
            yield _quarantined(table)


def _quarantined(table: TableState) -> Found:
    told = f"{table.quarantined} rows are in quarantine"
    return Found("health-quarantined", Severity.WARN, table.table, told, "read ops.quarantine for their reasons")


def _orphans(found: Sequence[Coverage]) -> Iterator[Found]:
    for one in found:
        if one.orphan == "warn" and one.matched < one.rows:
            told = f"{one.rows - one.matched} rows point to no row of {one.to} by {', '.join(one.columns)}"
            yield Found("health-orphans", Severity.WARN, one.table, f"{told} ({one.percent} % match)")


def _retention(margins: Sequence[Margin]) -> Iterator[Found]:
    for one in margins:
        if one.retention_days is None or one.days_left is None or not one.behind:
            continue
        if one.days_left < 0:
            told = f"rows are older than its {one.retention_days} days of retention before they are copied"
            yield Found("retention-passed", Severity.CRITICAL, one.source, told, "brickyard health run, now and daily")
        elif one.days_left < _NEAR * one.retention_days:
            told = f"{one.days_left:.1f} days are left before it forgets rows that bronze does not hold"
            yield Found("retention-near", Severity.WARN, one.source, told, "brickyard health run")


def _margins(
    door: Door, coming: Plan, now: Status, sources: dict[str, Source], looked: dict[str, Looked]
) -> Iterator[Margin]:
    """A source is behind when it holds rows that bronze does not; what it holds can be lost from its last copy on."""
    behind = {step.source for step in coming.of(CopyBronze) if isinstance(step, CopyBronze)}
    copied = {row["source"]: row["at"] for row in _copies(door)}
    for name in sorted(sources):
        if looked[name].presence is not Presence.PRESENT:
            continue
        kept = sources[name].retention
        since = copied.get(name, now.last.started_at)
        age = door.at - since if name in behind else timedelta()
        left = None if kept is None else round(kept - age / timedelta(days=1), 3)
        yield Margin(name, kept, left, name in behind)


def _copies(door: Door) -> Sequence:
    return door.sql(
        f"SELECT source, max(at) AS at FROM {door.places.ops('batches')} WHERE layer = 'bronze' GROUP BY source"
    )


# ── references ───────────────────────────────────────────────────────────────────────────────────────────────────────


def coverage(door: Door, gold: Gold | None = None) -> tuple[Coverage, ...]:
    """Measure how many rows of each gold table find the rows that its contract points to."""
    gold = gold or compile_all()
    there = observe.tables(door.sql, door.places.catalog)
    asked = [
        (table, at, reference)
        for table in gold
        for at, reference in enumerate(table.contract.references)
        if table.table in there and reference.to in there
    ]
    found: list[Coverage] = []
    for begin in range(0, len(asked), _AT_ONCE):
        part = asked[begin : begin + _AT_ONCE]
        rows = door.sql(" UNION ALL ".join(_measure(door, *one) for one in part))
        counted = {(row["table_name"], int(row["at"])): row for row in rows}
        found += [_covered(table, ref, counted[(table.table, at)]) for table, at, ref in part]
    return tuple(found)


def _covered(table: GoldTable, reference: Reference, row) -> Coverage:
    rows, matched = int(row["found"]), int(row["matched"])
    return Coverage(table.table, reference.columns, reference.to, rows, matched, reference.orphan)


def _measure(door: Door, table: GoldTable, at: int, reference: Reference) -> str:
    aimed = reference.target or reference.columns
    pairs = list(zip(reference.columns, aimed, strict=True))
    known = " AND ".join(f"{quote(ours)} IS NOT NULL" for ours, _ in pairs)
    condition = f"{known} AND ({reference.when})" if reference.when else known
    on = " AND ".join(f"f.{quote(ours)} = d.{quote(theirs)}" for ours, theirs in pairs)
    return (
        f"SELECT {text(table.table)} AS table_name, {at} AS at, count(*) AS found, count(d._hit) AS matched"
        f" FROM (SELECT * FROM {door.places.gold(table.table)} WHERE {condition}) f LEFT JOIN"
        f" (SELECT DISTINCT {names(aimed)}, 1 AS _hit FROM {door.places.gold(reference.to)}) d ON {on}"
    )
