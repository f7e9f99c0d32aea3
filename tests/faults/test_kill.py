"""kill -9 of the worker, the service and the local workspace at each boundary of a run's steps.

A run waits at a gate in its own database: `INSERT <step>` is the moment before a step begins, `UPDATE <step>` the moment
when it was done and nobody knows it yet. Kills in the midst of a call to the workspace are in tests/migrate/test_killed.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.faults.conftest import SIDES, Town, eventually, wanted

pytestmark = pytest.mark.timeout(240)

EVERYTHING = ("worker", "web", "workspace")
HOUSE = ("worker", "web")
STEPS = (  # in their order; {run} stands for the run's id; without its workspace a run does not survive `wait`
    "plan",
    "observe",
    "check",
    "place",
    "tidy",
    "prove",
    "schema:proof:brickyard_rehearsal_{run}_proof_a",
    "schema:proof:brickyard_rehearsal_{run}_proof_b",
    *(
        f"{verb}:{side}:{name}"
        for side in SIDES
        for verb, name in (
            ("schema", f"brickyard_rehearsal_{{run}}_{side}"),
            ("clone", "summary"),
            ("view", f"brickyard_rehearsal_{{run}}_{side}.member"),
            ("import", "summary.py"),
        )
    ),
    "submit",
    "wait",
    "reconcile",
)
FEW = (
    ("UPDATE clone:refactored:summary", ("worker",)),
    ("INSERT import:original:summary.py", EVERYTHING),
    ("UPDATE submit", HOUSE),
    ("INSERT reconcile", ("workspace",)),
)
MANY = (
    *((f"UPDATE {step}", ("worker",)) for step in STEPS),
    *((f"INSERT {step}", EVERYTHING) for step in STEPS if step != "wait"),
    *((f"UPDATE {step}", ("workspace",)) for step in STEPS if step not in ("submit", "wait")),
)


def check_whole(
    town: Town, run: str, *, outcome: str = "reconciled", code: str | None = None, attempt: int = 1
) -> None:
    """One true final status, every step done once, one clone of each target, one submitted run, nothing left over."""
    suffix = "" if attempt == 1 else f"_{attempt}"
    record = town.ended(run)
    ending = record["status"], record["outcome"], record["code"], record["attempt"]
    assert ending == ("finished", outcome, code, attempt), record["message"]
    kinds = [line["kind"] for line in record["timeline"] if line["attempt"] == attempt]
    assert [kind for kind in kinds if kind in ("finished", "halted", "failed", "interrupted")] == [kinds[-1]]
    assert [step["key"] for step in record["steps"] if not step["done_at"]] == []
    if outcome == "reconciled" and attempt == 1:
        assert [step["key"] for step in record["steps"]] == [step.format(run=run) for step in STEPS]
    assert town.clones(run, suffix) == [1, 1]
    assert len(town.submitted(run, attempt)) == 1
    assert town.rehearsals(run) == [f"brickyard_rehearsal_{run}{suffix}_{side}" for side in SIDES]
    jobs = "SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FROM procrastinate_jobs WHERE args->>'run_id' = %s"
    eventually(lambda: town.rows(jobs, run) == [(attempt, attempt)], 10)


def killed_at(town: Town, point: str, victims: tuple[str, ...]) -> str:
    """Start a run, kill when it stands at a point of its journal, and start again what was killed."""
    with town.gate(point.replace("{run}", "%")) as somebody_waits:
        run = town.submit()
        somebody_waits()
        town.kill(*victims)
    town.restore()
    return run


@pytest.mark.parametrize(("point", "victims"), FEW)
def test_a_run_survives_a_kill_between_two_steps(town: Town, point: str, victims: tuple[str, ...]):
    check_whole(town, killed_at(town, point, victims))


@pytest.mark.full
@pytest.mark.parametrize(("point", "victims"), MANY)
def test_a_run_survives_a_kill_at_every_boundary(town: Town, point: str, victims: tuple[str, ...]):
    check_whole(town, killed_at(town, point, victims))


@pytest.mark.full
def test_a_run_whose_notebooks_die_with_the_workspace_fails_and_a_second_attempt_reconciles(town: Town):
    run = town.submit(params={"pause": "4"})
    eventually(lambda: bool(town.running_tasks(run)), 60)
    town.kill(*EVERYTHING)
    town.restore()
    check_whole(town, run, outcome="failed", code="run-lost")
    town.web.post("/migrate/runs", json=wanted(resume=run)).raise_for_status()
    check_whole(town, run, attempt=2)
    assert (len(town.submitted(run, 1)), len(town.submitted(run, 2))) == (1, 1)


def test_a_service_that_dies_while_it_takes_a_request_has_taken_all_of_it_or_nothing(town: Town):
    with town.gate("INSERT summary.py") as somebody_waits, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(town.submit, origin="torn")
        somebody_waits()
        town.kill("web")
        assert isinstance(answer.exception(10), httpx.TransportError)
    town.restore()
    assert town.rows("SELECT id FROM migrate_batches WHERE request->>'origin' = 'torn'") == []
    check_whole(town, town.submit(origin="torn"))
