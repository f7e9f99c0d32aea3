"""KPIs as SQL: names and window of a contract's query filled in, what it rests on, and the judgement of its rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from brickyard.health.model import source as sources
from brickyard.health.model.kpi import KpiContract, Status
from brickyard.health.model.reading import read_all
from brickyard.health.model.source import Capture, Source
from brickyard.health.plan.checks import tables_in
from brickyard.health.plan.text import Places, text
from brickyard.kernel import quartz
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import quote

_PARAMETER = re.compile(r"(?<![:\w]):(from_time|to_time|from|to|at)\b")
MOST = 10_000  # rows of a KPI that are kept and judged
MADE = "made."  # relations that are written for a query, not stored
_WORST = (Status.CRITICAL, Status.WARN, Status.OK)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """Whole UTC days from `since` to before `until`, looked at from `at` (UTC)."""

    since: date
    until: date
    at: datetime

    @classmethod
    def of(cls, contract: KpiContract, at: datetime, since: date | None, until: date | None) -> Window:
        """Return the window that is asked for; by default the contract's number of days that ended with yesterday."""
        end = until or at.date()
        return cls(since or end - timedelta(days=contract.window_days), end, at)

    @property
    def literals(self) -> Mapping[str, str]:
        """The window's ends as SQL."""
        return {
            "from": f"date'{self.since}'",
            "to": f"date'{self.until}'",
            "from_time": f"timestamp'{self.since} 00:00:00Z'",
            "to_time": f"timestamp'{self.until} 00:00:00Z'",
            "at": f"timestamp'{self.at:%Y-%m-%d %H:%M:%S}Z'",
        }


def rolling(days: int) -> Mapping[str, str]:
    """Return the ends of a window that moves with the day on which the SQL runs (in a session whose zone is UTC)."""
    return {
        "from": f"date_sub(current_date(), {days})",
        "to": "current_date()",
        "from_time": f"cast(date_sub(current_date(), {days}) as timestamp)",
        "to_time": "cast(current_date() as timestamp)",
        "at": "current_timestamp()",
    }


def filled(sql: str, places: Places, ends: Mapping[str, str], made: Mapping[str, str] | None = None) -> str:
    """Put names of tables in the place of `{schema.table}`, and the window's ends in the place of their parameters."""
    for name in tables_in(sql):
        relation = (made or {})[name] if name.startswith(MADE) else places.gold(name)
        sql = sql.replace("{" + name + "}", relation)
    return _PARAMETER.sub(lambda found: ends[found.group(1)], sql).strip()


def query(contract: KpiContract, places: Places, ends: Mapping[str, str], made: Mapping[str, str] | None = None) -> str:
    """Write the query of a computed KPI."""
    return filled(contract.sql or "", places, ends, made)


def observed(
    contract: KpiContract, places: Places, ends: Mapping[str, str], made: Mapping[str, str] | None = None
) -> str:
    """Ask how many observations a computed KPI rests on."""
    evidence = contract.evidence
    assert evidence is not None
    return filled(f"SELECT count({evidence.count}) AS found FROM {evidence.of}", places, ends, made)


def breaches(contract: KpiContract, sql: str, level: Status) -> str:
    """Write the query of an alert over the KPI's query: the rows at that level or worse."""
    limits = contract.limits
    assert limits is not None
    limit = limits.critical if level is Status.CRITICAL else limits.warn
    return f"SELECT * FROM (\n{sql}\n) WHERE {contract.judged} {'>=' if limits.worse == 'above' else '<'} {limit}"


def at_most(sql: str) -> str:
    """Ask for one row more than are kept, so that it is seen whether there are more."""
    return f"{sql}\nLIMIT {MOST + 1}"


def worst_first(contract: KpiContract, sql: str) -> str:
    """Ask for the rows that are kept of more than that: the worst, so that none of them goes unseen."""
    if contract.limits is None:
        return f"{sql}\nLIMIT {MOST}"
    order = "DESC" if contract.limits.worse == "above" else "ASC"
    return f"SELECT * FROM (\n{sql}\n) ORDER BY {contract.judged} {order} NULLS LAST LIMIT {MOST}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status and why."""

    status: Status
    reason: str


def judged(contract: KpiContract, rows: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    """Return the rows, each with its status; one whose judged column is NULL is NOT_ASSESSED."""
    return tuple({**row, "status": _row(contract, row)} for row in rows)


def _row(contract: KpiContract, row: Row) -> Status:
    value = row[contract.judged]
    if contract.limits:
        return contract.limits.status(value)
    return Status.NOT_ASSESSED if value is None else Status.OK


def verdict(contract: KpiContract, found: int, rows: Sequence[Row], *, more: bool = False) -> Verdict:
    """Judge a KPI by what it rests on and its judged rows: the worst status that any row has, and how many have it.

    *more*: there are further rows, none of them worse. Too few observations, or not one row with a value, is NOT_ASSESSED; no row at all over enough observations is OK.
    """
    evidence = contract.evidence
    if evidence and found < evidence.least:
        told = f"{found} {evidence.what} in the window, at least {evidence.least} are needed"
        return Verdict(Status.NOT_ASSESSED, f"{told}. {contract.not_assessed}")
    if not rows:
        return Verdict(Status.OK, f"nothing found in {found} {evidence.what if evidence else 'rows'}")
    counts = {status: sum(row["status"] is status for row in rows) for status in Status}
    worst = next((status for status in _WORST if counts[status]), Status.NOT_ASSESSED)
    if worst is Status.NOT_ASSESSED:
        return Verdict(worst, f"no row has a value of {contract.judged}. {contract.not_assessed}")
    told = f"; more than {MOST} rows, the others are not shown" if more else ""
    return Verdict(worst, _told(contract, worst, counts, len(rows)) + told)


def _told(contract: KpiContract, worst: Status, counts: Mapping[Status, int], rows: int) -> str:
    unknown = counts[Status.NOT_ASSESSED]
    parts = (
        [f"{counts[worst]} of {rows} rows are {worst}"] if contract.limits else [f"{rows - unknown} rows, no limits"]
    )
    if unknown:
        parts.append(f"{unknown} are not assessed")
    return "; ".join(parts)


def needed(contracts: Iterable[KpiContract]) -> frozenset[str]:
    """Name the tables that KPIs read."""
    return frozenset(table for contract in contracts for table in contract.needs)


# ── relations that are written for a query ───────────────────────────────────────────────────────────────────────────

SOURCES, SLOTS = "made.sources", "made.slots"
_MOST_A_DAY = 1440  # a schedule that fires more often than every minute is not followed


def needs_slots(contract: KpiContract) -> bool:
    """Whether a KPI asks when jobs should have run, which `scheduled` must be asked for first."""
    return "{" + SLOTS + "}" in (contract.sql or "")


def made(places: Places, tables: Iterable[str], scheduled_jobs: Sequence[Row], window: Window) -> Mapping[str, str]:
    """Write the relations that are not stored; *tables* says what stands in the gold catalog.

    `made.sources`: source, retention_days, dated (its rows tell when they happened), newest time that bronze holds. `made.slots`: workspace_id, job_id, slot (when
    the job's schedule fires; NULL for a schedule that cannot be read).
    """
    return {SOURCES: sources_seen(places, tables), SLOTS: slots(scheduled_jobs, window)}


@cache
def read_from() -> Mapping[str, str]:
    """Return the source of every gold table that has one."""
    return {one.contract.table: one.contract.source for one in read_all() if one.contract.source}


def sources_seen(places: Places, tables: Iterable[str]) -> str:
    """Write every described source that gold reads, with its retention and the newest time that bronze holds of it."""
    there = frozenset(tables)
    return (
        "("
        + " UNION ALL ".join(_seen(sources.load(name), places, there) for name in sorted(set(read_from().values())))
        + ")"
    )


def _seen(source: Source, places: Places, there: frozenset[str]) -> str:
    kept = "cast(NULL as int)" if source.retention is None else str(source.retention)
    append = source.capture is Capture.APPEND and source.watermark is not None
    head = f"SELECT {text(source.name)} AS source, {kept} AS retention_days, {str(append).lower()} AS dated"
    if f"bronze.{source.bronze}" not in there:
        return f"{head}, cast(NULL as timestamp) AS newest"
    column = f"cast({quote(source.watermark or '')} as timestamp)" if append else "_snapshot_at"
    return f"{head}, max({column}) AS newest FROM {places.bronze(source.bronze)} WHERE {column} <= :at"


def scheduled(places: Places, window: Window) -> str:
    """Ask for the schedules of jobs that were not paused, each with the time for which it stood."""
    return filled(
        "SELECT workspace_id, job_id, trigger_schedule_quartz_cron_expression AS cron,"
        " trigger_schedule_timezone_id AS zone, valid_from_open AS begins, valid_to AS ends FROM {lakeflow.dim_job}"
        " WHERE trigger_schedule_quartz_cron_expression IS NOT NULL AND NOT coalesce(paused, false)"
        " AND valid_from_open < :to_time AND (valid_to IS NULL OR valid_to > :from_time)"
        " ORDER BY workspace_id, job_id, valid_from_open",
        places,
        window.literals,
    )


def slots(jobs: Sequence[Row], window: Window) -> str:
    """Write when jobs should have run within the window, as a relation of workspace_id, job_id and slot."""
    told = ", ".join(
        f"({text(job['workspace_id'])}, {text(job['job_id'])}, {text(','.join(_fires(job, window)))})" for job in jobs
    )
    rows = f"VALUES {told}" if told else "SELECT '', '', '' WHERE false"
    return (
        "(SELECT workspace_id, job_id, timestamp_seconds(cast(nullif(fires, '?') as bigint)) AS slot FROM"
        " (SELECT workspace_id, job_id, explode(split(seconds, ',')) AS fires FROM"
        f" ({rows}) AS jobs (workspace_id, job_id, seconds)) WHERE fires <> '')"
    )


def _fires(job: Row, window: Window) -> list[str]:
    """Return the seconds since 1970 at which a job's schedule fires; `?` alone when it cannot be followed."""
    first = datetime(window.since.year, window.since.month, window.since.day, tzinfo=UTC)
    last = first + (window.until - window.since)
    begin, end = max(first, _utc(job["begins"])), min(last, _utc(job["ends"]) if job["ends"] else last)
    try:
        schedule, zone = quartz.parse(job["cron"]), ZoneInfo(job["zone"] or "UTC")
    except (SpecInvalid, ZoneInfoNotFoundError, ValueError):
        return ["?"]
    found: list[str] = []
    at = schedule.next_after((begin - timedelta(seconds=1)).astimezone(zone))
    while at is not None and at < end:
        found.append(str(int(at.timestamp())))
        if len(found) > _MOST_A_DAY * (window.until - window.since).days:
            return ["?"]
        at = schedule.next_after(at)
    return found


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
