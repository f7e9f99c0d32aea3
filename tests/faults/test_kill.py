"""kill -9 of the worker, the service and the local workspace at each boundary of a run's steps."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.faults.conftest import Town, eventually

pytestmark = pytest.mark.timeout(240)

EVERYTHING = ("worker", "web", "workspace")


def check_whole(town: Town, run: str) -> None:
    """One true final status, every step done once, one clone of each target, one submitted run, nothing left over."""
    record = town.ended(run)
    assert (record["status"], record["outcome"], record["code"]) == ("finished", "reconciled", None), record["message"]
    assert [e["kind"] for e in record["timeline"]].count("finished") == 1
    assert [s["key"] for s in record["steps"] if not s["done_at"]] == []
    assert town.clones(run) == [1, 1]
    assert len(town.submitted(run)) == 1
    assert town.rehearsals(run) == [f"brickyard_rehearsal_{run}_{side}" for side in ("original", "refactored")]
    jobs = "SELECT status::text FROM procrastinate_jobs WHERE args->>'run_id' = %s"
    eventually(lambda: town.rows(jobs, run) == [("succeeded",)], 10)


def killed_at_gate(town: Town, point: str, victims: tuple[str, ...]) -> str:
    """Start a run, kill when it stands at a point of its journal, and start again what was killed."""
    with town.gate(point) as somebody_waits:
        run = town.submit()
        somebody_waits()
        town.kill(*victims)
    town.restore()
    return run


def killed_in_call(town: Town, operation: str, matching: str | None, victims: tuple[str, ...]) -> str:
    """Start a run, kill while the workspace answers a call, and start again what was killed."""
    town.fault("delay", operation, seconds=1.0, matching=matching)
    run = town.submit()
    town.await_faults()
    town.kill(*victims)
    town.restore()
    return run


@pytest.mark.parametrize(
    ("point", "victims"),
    [
        ("UPDATE clone:refactored:%", ("worker",)),
        ("UPDATE submit", EVERYTHING),
        ("INSERT reconcile", ("worker", "web")),
    ],
)
def test_a_run_survives_a_kill_between_two_steps(town: Town, point: str, victims: tuple[str, ...]):
    check_whole(town, killed_at_gate(town, point, victims))
