"""What a task of the Databricks job runs: the same flow, on the cluster's own Spark session.

The wheel's entry point `brickyard-health-job`. The first task copies to bronze, one a domain merges its tables, and the
last one proves the result; all hold one lease, by the id of the job's run, which the last one gives back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from brickyard.health import flow
from brickyard.health.flow import Choice, Door, Hold, Outcome, Phase, billing, leasing, session, telling
from brickyard.health.flow.door import chosen, places
from brickyard.health.model.steps import Step
from brickyard.kernel.errors import Problem, WorkspaceRefused

RECONCILE = "reconcile"
PHASES = (Phase.ALL.value, Phase.BRONZE.value, Phase.GOLD.value, RECONCILE)


@dataclass(frozen=True, slots=True)
class Order:
    """What one task is to do."""

    phase: str
    tables: tuple[str, ...]
    domains: tuple[str, ...]
    catalog: str | None
    source_catalog: str | None
    run_id: str | None
    as_of: datetime | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments say on the session of this task; what fails is raised, so that the task fails."""
    perform(order(sys.argv[1:] if arguments is None else arguments))


def order(arguments: Sequence[str]) -> Order:
    """Read the arguments of a task."""
    parser = argparse.ArgumentParser(prog="brickyard-health-job", description="One task of the gold layer's job.")
    parser.add_argument("--phase", choices=PHASES, default=PHASES[0], help="bronze, gold, reconcile, or all")
    parser.add_argument("--table", action="append", default=[], help="only this table; may be repeated")
    parser.add_argument("--domain", action="append", default=[], help="only this domain; may be repeated")
    parser.add_argument("--catalog", help="the gold catalog; the source catalog's name and _health by default")
    parser.add_argument("--source-catalog", help="the catalog of the system tables; system by default")
    parser.add_argument("--run-id", help="the job's run, whose tasks share one lease")
    parser.add_argument("--as-of", type=_moment, help="the time to take for now, ISO, in UTC")
    read = parser.parse_args(arguments)
    return Order(
        read.phase, tuple(read.table), tuple(read.domain), read.catalog or None, read.source_catalog or None,
        read.run_id or None, read.as_of,
    )  # fmt: skip


def _moment(value: str) -> datetime | None:
    """Read a time; the job's parameter is empty where none was given."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if value else None


def perform(wanted: Order) -> None:
    """Do one task; raises WorkspaceRefused naming every table that failed or does not tie out."""
    where = places(wanted.source_catalog, wanted.catalog)
    door = Door(session.on(session.active()), where, wanted.as_of or datetime.now(UTC))
    holder = f"job:{wanted.run_id}" if wanted.run_id else None
    if wanted.phase == RECONCILE:
        with leasing.held(door, Hold(holder) if holder else None):
            _prove(door)
        return
    hold = Hold(holder, release=False) if holder else None
    choice = Choice(chosen(wanted.tables, wanted.domains), phase=Phase(wanted.phase))
    _must(flow.run(door, choice, on_step=_say, hold=hold))


def _say(step: Step, what: str, told: str) -> None:
    if what != "begun" and told:
        sys.stdout.write(f"{what}: {told}\n")
        sys.stdout.flush()


def _must(outcome: Outcome) -> None:
    sys.stdout.write(f"run {outcome.run}: {outcome.status}\n")
    if outcome.failed:
        faults = tuple(Problem(error.message, type(step).__name__, error.remedy) for step, error in outcome.failed)
        told = "; ".join(map(str, faults))
        raise WorkspaceRefused(f"{len(faults)} steps failed: {told}", code="health-table-failed", problems=faults)


def _prove(door: Door) -> None:
    """Say how every month ties out, and raise for what failed or differs."""
    months = billing.statement(door)
    for month in months:
        word = "ties out" if month.ties else "differs"
        sys.stdout.write(f"{month.month:%Y-%m} {word}: gold {month.gold}, bronze {month.bronze}, hash {month.hash}\n")
    wrong = [f"{one.table} {one.word}" for one in telling.status(door).tables if one.word in ("FAILED", "UNTIED")]
    wrong += [f"the bill of {month.month:%Y-%m} differs" for month in months if not month.ties]
    if wrong:
        raise WorkspaceRefused("; ".join(wrong), code="health-untied")
