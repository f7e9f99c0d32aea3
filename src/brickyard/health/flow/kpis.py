"""The KPIs: each a query over gold, judged against its limits; what cannot be known is NOT_ASSESSED and says why."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from brickyard.health import observe
from brickyard.health.flow.terms import Door
from brickyard.health.model.kpi import Alert, KpiContract, Status, Unit, alerts, contracts
from brickyard.health.model.state import Presence
from brickyard.health.plan import kpis as plan
from brickyard.health.plan.kpis import Verdict, Window
from brickyard.kernel.errors import BrickyardError, NotFound, Problem, SpecInvalid, WorkspaceRefused

_OF_ITS_QUERY = (WorkspaceRefused, NotFound)  # a workspace that is down is no matter of one KPI
_ORDER = (Status.CRITICAL, Status.WARN, Status.NOT_ASSESSED, Status.OK)


@dataclass(frozen=True, slots=True)
class Kpi:
    """A KPI over its window: its judged rows (with the column `status`), its own status and why.

    `column` names what is measured. `value` is it, as text with every digit, where there is but one row, else in the
    first row that has the KPI's status; None where nothing is judged, and for several rows without limits.
    """

    name: str
    number: int
    title: str
    unit: Unit
    grain: str
    column: str | None
    value: str | None
    since: date
    until: date
    status: Status
    reason: str
    remedy: str | None = None
    rows: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Rang:
    """An alert and whether it rings; None: the KPI could not be assessed."""

    alert: Alert
    kpi: Kpi
    rings: bool | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What stands in the gold catalog: its tables, and why sources cannot be read (source -> reason, remedy)."""

    tables: observe.Tables
    closed: Mapping[str, tuple[str, str | None]]


def value(door: Door, name: str, *, since: date | None = None, until: date | None = None) -> Kpi:
    """Compute one KPI from *since* to before *until* (UTC days).

    Raises NotFound for an unknown name, SpecInvalid for an empty window, and WorkspaceRefused with the place of its
    contract and the engine's words when its query fails.
    """
    contract, known = _contract(name), _known(door)
    try:
        return _value(door, contract, known, since, until)
    except _OF_ITS_QUERY as error:
        raise _located(contract, error) from error


def all(  # noqa: A001 - said as `kpis.all(door)`
    door: Door, *, since: date | None = None, until: date | None = None
) -> tuple[Kpi, ...]:
    """Compute every KPI, in order of their numbers.

    One that gold holds no input for, or whose query fails, is NOT_ASSESSED with the reason and holds up no other.
    """
    known = _known(door)
    return tuple(_assessed(door, contract, known, since, until) for contract in contracts().values())


def ringing(door: Door) -> tuple[Rang, ...]:
    """Evaluate every alert, those that ring first."""
    known, found = _known(door), []
    for alert in alerts().values():
        kpi = _assessed(door, _contract(alert.kpi), known, None, None)
        found.append(Rang(alert, kpi, _rings(alert, kpi)))
    return tuple(sorted(found, key=lambda one: (not one.rings, one.alert.alert)))


def _rings(alert: Alert, kpi: Kpi) -> bool | None:
    if kpi.status is Status.NOT_ASSESSED:
        return None
    return _ORDER.index(kpi.status) <= _ORDER.index(alert.level)


def _contract(name: str) -> KpiContract:
    found = contracts().get(name)
    if found is None:
        near = difflib.get_close_matches(name, contracts(), n=1)
        raise NotFound(
            f"there is no KPI {name}",
            code="health-no-kpi",
            remedy=f"did you mean {near[0]}?" if near else "brickyard health kpi lists them",
        )
    return found


def _known(door: Door) -> _Known:
    there = observe.tables(door.sql, door.places.catalog)
    closed = _closed(door) if "ops.sources" in there else {}
    return _Known(there, closed)


def _closed(door: Door) -> dict[str, tuple[str, str | None]]:
    rows = door.sql(
        "SELECT source, max_by(presence, run) AS presence, max_by(coalesce(reason, ''), run) AS reason,"
        f" max_by(coalesce(remedy, ''), run) AS remedy FROM {door.places.ops('sources')} GROUP BY source"
    )
    return {
        row["source"]: (f"{row['presence']}: {row['reason']}", row["remedy"] or None)
        for row in rows
        if not Presence(row["presence"]).readable
    }


def _assessed(door: Door, contract: KpiContract, known: _Known, since: date | None, until: date | None) -> Kpi:
    """Compute a KPI; what its own query fails with is its reason."""
    try:
        return _value(door, contract, known, since, until)
    except _OF_ITS_QUERY as error:
        verdict = Verdict(Status.NOT_ASSESSED, f"its query failed: {error.message}")
        return _kpi(contract, Window.of(contract, door.at, since, until), verdict, _remedy(contract, error))


def _located(contract: KpiContract, error: BrickyardError) -> WorkspaceRefused:
    remedy = _remedy(contract, error)
    fault = Problem(error.message, f"health/assets/kpis/{contract.kpi}.yaml", remedy)
    told = f"KPI {contract.kpi} could not be computed: {error.message}"
    return WorkspaceRefused(told, code="health-kpi-failed", remedy=remedy, problems=(fault,))


def _remedy(contract: KpiContract, error: BrickyardError) -> str:
    return error.remedy or f"brickyard health run, which adds what gold lacks; it reads {', '.join(contract.needs)}"


def _value(door: Door, contract: KpiContract, known: _Known, since: date | None, until: date | None) -> Kpi:
    window = Window.of(contract, door.at, since, until)
    if window.until <= window.since:
        raise SpecInvalid(f"the window from {window.since} to before {window.until} is empty", code="usage")
    blocked = _blocked(contract, known)
    if blocked:
        return _kpi(contract, window, *blocked)
    jobs = door.sql(plan.scheduled(door.places, window)) if plan.needs_slots(contract) else ()
    made = plan.made(door.places, known.tables, jobs, window)
    found = int(door.sql(plan.observed(contract, door.places, window.literals, made))[0]["found"])
    enough = contract.evidence is None or found >= contract.evidence.least
    rows, more = (
        _rows(door, contract, plan.query(contract, door.places, window.literals, made)) if enough else ((), False)
    )
    told = plan.judged(contract, rows)
    return _kpi(contract, window, plan.verdict(contract, found, told, more=more), None, told)


def _rows(door: Door, contract: KpiContract, sql: str) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """Return the rows that are kept, and whether there are more; then the worst are kept."""
    rows = door.sql(plan.at_most(sql))
    if len(rows) <= plan.MOST:
        return rows, False
    return door.sql(plan.worst_first(contract, sql)), True


def _kpi(
    contract: KpiContract,
    window: Window,
    verdict: Verdict,
    remedy: str | None,
    rows: tuple[Mapping[str, Any], ...] = (),
) -> Kpi:
    return Kpi(
        name=contract.kpi,
        number=contract.number,
        title=contract.title,
        unit=contract.unit,
        grain=contract.grain,
        column=contract.value,
        value=_headline(contract, verdict, rows),
        since=window.since,
        until=window.until,
        status=verdict.status,
        reason=verdict.reason,
        remedy=remedy,
        rows=rows,
    )


def _headline(contract: KpiContract, verdict: Verdict, rows: tuple[Mapping[str, Any], ...]) -> str | None:
    if contract.value is None or not (contract.limits or len(rows) == 1):
        return None
    value = next((row[contract.value] for row in rows if row["status"] is verdict.status), None)
    return f"{value:f}" if isinstance(value, Decimal) else None if value is None else str(value)


def _blocked(contract: KpiContract, known: _Known) -> tuple[Verdict, str | None] | None:
    """Return why a KPI cannot even be asked for: no input in gold, a table that was not built, a closed source."""
    if not contract.computed:
        missing = ", ".join(contract.missing)
        return Verdict(Status.NOT_ASSESSED, f"{contract.not_assessed} Missing: {missing}."), None
    for table in contract.needs:
        if table not in known.tables:
            return Verdict(Status.NOT_ASSESSED, f"{table} was not built"), "brickyard health run"
    return None if contract.partial else _closed_source(contract, known)


def _closed_source(contract: KpiContract, known: _Known) -> tuple[Verdict, str | None] | None:
    for table in contract.needs:
        source = plan.read_from().get(table)
        if source in known.closed:
            reason, remedy = known.closed[source]
            return Verdict(Status.NOT_ASSESSED, f"{source} of {table} is {reason}"), remedy
    return None
