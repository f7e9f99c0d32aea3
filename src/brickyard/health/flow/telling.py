"""Telling: how every gold table stands, what did not tie out, and where a column comes from; reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from brickyard.health import observe, store
from brickyard.health.flow import Door, leasing
from brickyard.health.model.compiled import GoldTable
from brickyard.health.model.state import Presence
from brickyard.health.plan import lineage
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.lineage import Origin
from brickyard.health.plan.text import text
from brickyard.kernel.clock import system_clock
from brickyard.kernel.errors import NotFound


@dataclass(frozen=True, slots=True)
class TableState:
    """How one gold table stands; `untied` counts its newest comparisons with bronze that differ (None: none made).

    `newest` is the newest time that bronze holds of its source, by the source's watermark or the state's date.
    """

    table: str
    domain: str
    kind: str
    source: str | None
    presence: str
    rows: int
    run: int | None
    merged_at: datetime | None
    newest: datetime | None
    compared: int | None
    untied: int | None
    quarantined: int
    failure: str | None
    auxiliary: bool = False

    @property
    def word(self) -> str:
        """FAILED, UNTIED, NEVER_BUILT, NOT_ASSESSED (its source cannot be read), EMPTIED (it shows no rows) or OK."""
        if self.failure:
            return "FAILED"
        if self.untied:
            return "UNTIED"
        if self.presence and self.presence != Presence.PRESENT:
            return "EMPTIED" if self.presence == Presence.EMPTIED else "NOT_ASSESSED"
        return "OK" if self.run is not None else "NEVER_BUILT"


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run of the gold layer: RUNNING, SUCCEEDED, PARTLY, FAILED, INTERRUPTED, or LOST with its process."""

    run: int
    run_id: str
    status: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole gold catalog: its last run, who is at work (empty: nobody), and every table."""

    catalog: str
    source_catalog: str
    last: RunLine
    holder: str
    tables: tuple[TableState, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of gold with bronze: what, on which day, and both values as text."""

    table: str
    day: date | None
    measure: str
    bronze: str | None
    gold: str | None
    ok: bool
    run: int
    at: datetime


def last_run(door: Door) -> RunLine:
    """Return the last run, or raise NotFound where there was none."""
    try:
        rows = door.sql(f"SELECT * FROM {door.places.ops('runs')} WHERE run_id <> 'seed' ORDER BY run DESC LIMIT 1")
    except NotFound:
        rows = []
    if not rows:
        raise NotFound(
            f"nothing was run in catalog {door.places.catalog} yet",
            code="health-not-run",
            remedy=f"brickyard health run --source-catalog {door.places.source_catalog}",
        )
    row = rows[0]
    return RunLine(int(row["run"]), row["run_id"], row["status"], row["started_at"], row["ended_at"])


def _holder(door: Door) -> str:
    """Who is at work: a process that is known to be dead, or whose lease has ended, is not."""
    rows = door.sql(f"SELECT holder, until FROM {door.places.ops('lease')}")
    held = (row["holder"] for row in rows if row["holder"] and row["until"] > system_clock())
    return next((holder for holder in held if not leasing.is_dead(holder)), "")


def status(door: Door, gold: Gold | None = None) -> Status:
    """Return how every table stands; raise NotFound before the first run."""
    gold = gold or compile_all()
    last = last_run(door)
    holder = _holder(door)
    if last.status == "RUNNING" and last.run_id != holder:
        last = replace(last, status="LOST")
    looks = _Looks(
        _counts(door, gold), _batches(door), _newest(door, gold), _ties(door), _quarantined(door), _failures(door),
        store.presences(door.sql, door.places),
    )  # fmt: skip
    tables = tuple(_state(table, looks) for table in gold)
    return Status(door.places.catalog, door.places.source_catalog, last, holder, tables)


@dataclass(frozen=True, slots=True)
class _Looks:
    counts: Mapping[str, int]
    batches: Mapping[str, Mapping[str, Any]]
    newest: Mapping[str, datetime]
    ties: Mapping[str, tuple[int, int]]
    quarantined: Mapping[str, int]
    failures: Mapping[str, str]
    presences: Mapping[str, str]


def _state(table: GoldTable, looks: _Looks) -> TableState:
    name, source = table.table, table.contract.source
    batch = looks.batches.get(name)
    compared = looks.ties.get(name)
    return TableState(
        table=name,
        domain=table.contract.domain,
        kind=table.contract.kind,
        source=source,
        presence=looks.presences.get(source, Presence.PRESENT) if source else "",
        rows=looks.counts.get(name, 0),
        run=int(batch["run"]) if batch else None,
        merged_at=batch["at"] if batch else None,
        newest=looks.newest.get(source) if source else None,
        compared=compared[0] if compared else None,
        untied=compared[1] if compared else None,
        quarantined=looks.quarantined.get(name, 0),
        failure=looks.failures.get(name),
        auxiliary=table.contract.auxiliary,
    )


def _counts(door: Door, gold: Gold) -> dict[str, int]:
    there = observe.tables(door.sql, door.places.catalog)
    each = [
        f"SELECT {text(t.table)} AS name, count(*) AS found FROM {door.places.gold(t.table)}"
        for t in gold
        if t.table in there
    ]
    return {row["name"]: int(row["found"]) for row in door.sql(" UNION ALL ".join(each))} if each else {}


def _batches(door: Door) -> dict[str, Mapping[str, Any]]:
    rows = door.sql(
        f"SELECT table_name, max(run) AS run, max(at) AS at FROM {door.places.ops('batches')}"
        " WHERE layer = 'gold' GROUP BY table_name"
    )
    return {row["table_name"]: row for row in rows}


def _newest(door: Door, gold: Gold) -> dict[str, datetime]:
    known = {table.source.name: table.source for table in gold if table.source}
    found = observe.newest(door.sql, door.places, list(known.values()), door.at)
    dated = door.sql(
        f"SELECT source, max(at) AS at FROM {door.places.ops('batches')} WHERE layer = 'bronze' GROUP BY source"
    )
    return {row["source"]: row["at"] for row in dated} | found


def _ties(door: Door) -> dict[str, tuple[int, int]]:
    rows = door.sql(
        f"SELECT table_name, count(*) AS compared, count_if(NOT ok) AS untied FROM ({newest_comparisons(door)}) GROUP BY 1"
    )
    return {row["table_name"]: (int(row["compared"]), int(row["untied"])) for row in rows}


def newest_comparisons(door: Door) -> str:
    """Return SQL of the newest comparison of each table and day, all its measures: a day is compared as a whole."""
    ranked = "rank() OVER (PARTITION BY table_name, day ORDER BY run DESC, at DESC) AS _rank"
    return f"SELECT * FROM (SELECT *, {ranked} FROM {door.places.ops('reconciliation')}) WHERE _rank = 1"


def _quarantined(door: Door) -> dict[str, int]:
    rows = door.sql(f"SELECT table_name, count(*) AS found FROM {door.places.ops('quarantine')} GROUP BY 1")
    return {row["table_name"]: int(row["found"]) for row in rows}


def _failures(door: Door) -> dict[str, str]:
    return {table: f"{code}: {words}" for table, (code, words) in store.failures(door.sql, door.places).items()}


def reconciliation(door: Door, tables: Iterable[str] = (), *, only_untied: bool = False) -> tuple[Comparison, ...]:
    """Return the newest comparison of every table (of these tables), day and measure, those that differ first."""
    last_run(door)
    wanted = ", ".join(text(table) for table in tables)
    conditions = [*([f"table_name IN ({wanted})"] if wanted else []), *(["NOT ok"] if only_untied else [])]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = door.sql(f"SELECT * FROM ({newest_comparisons(door)}){where} ORDER BY ok, table_name, day, measure")
    return tuple(
        Comparison(r["table_name"], r["day"], r["measure"], r["bronze"], r["gold"], r["ok"], int(r["run"]), r["at"])
        for r in rows
    )


def explain(name: str, gold: Gold | None = None) -> Origin:
    """Return where `TABLE.COLUMN` comes from; raise NotFound for a name that is none."""
    return lineage.lineage(gold or compile_all(), name)
