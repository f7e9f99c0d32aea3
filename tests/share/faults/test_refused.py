"""Refusals on every call of a run, once or for ever: the outcome is named, nothing is taken for absent, and a second try ends well."""

from __future__ import annotations

import pytest
from tests.share.faults.conftest import City
from tests.share.faults.playing import forget_library
from tests.share.faults.scenes import first, second

from brickyard.kernel.errors import BrickyardError
from brickyard.share import flow
from brickyard.share.model.runs import RunRecord, RunStatus, StepStatus

pytestmark = pytest.mark.timeout(120)

EVER = 1000
CODES = {403: "PERMISSION_DENIED", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}
READS = {
    "new": (
        "recipients.get",
        "shares.get",
        "tables.get",
        "schemas.get",
        "workspace.export",
        "pipelines.list_pipelines",
        "jobs.list",
        "current_user.me",
        "warehouses.list",
        "warehouses.get",
    ),
    "update": (
        "recipients.get",
        "recipient_federation_policies.list",
        "shares.get",
        "shares.share_permissions",
        "tables.get",
        "pipelines.list_pipelines",
        "pipelines.get",
        "jobs.list",
        "current_user.me",
    ),
}
WRITES = {
    "new": (
        "recipients.create",
        "recipient_federation_policies.create",
        "shares.create",
        "shares.update",
        "shares.update_permissions",
        "schemas.create",
        "statements.execute",
        "workspace.mkdirs",
        "workspace.import",
        "pipelines.create",
        "jobs.create",
    ),
    "update": (
        "recipients.create",
        "recipients.update",
        "recipient_federation_policies.create",
        "recipient_federation_policies.delete",
        "shares.update",
        "shares.update_permissions",
        "shares.delete",
        "pipelines.update",
        "pipelines.delete",
        "jobs.update",
        "jobs.delete",
    ),
}
OUTCOMES = {"workspace-forbidden", "workspace-refused", "workspace-down", "workspace-busy", "share-refused"}
PASSING = (429, 1)
HOW = ((403, EVER), (429, 1), (500, 1), (503, EVER))
CASES = [(scene, op, how) for calls in (READS, WRITES) for scene, ops in calls.items() for op in ops for how in HOW]
FEW = (
    ("new", "tables.get", (403, EVER)),
    ("update", "shares.get", (503, EVER)),
    ("update", "pipelines.update", (500, 1)),
    ("new", "shares.create", (429, 1)),
)


@pytest.fixture(scope="module")
def quiet(city: City) -> City:
    """The city without its worker: runs are done in this process."""
    if city.worker:
        city.worker.kill()
        city.worker = None
    return city


def bring(city: City, run_id: str) -> RunRecord:
    """Do a run as a queue does it that tries only once."""
    house = city.house(retry_seconds=1.3)
    try:
        flow.provision(house, run_id)
    except BrickyardError as error:
        flow.gave_up(house, run_id, error)
    return flow.run_of(house, run_id)


@pytest.mark.parametrize(
    ("scene", "operation", "how"),
    [*FEW, *(pytest.param(*case, marks=pytest.mark.full) for case in CASES if case not in FEW)],
    ids=str,
)
def test_a_refused_call_has_a_named_outcome_and_nothing_is_lost_or_made_twice(
    quiet: City, scene: str, operation: str, how: tuple[int, int]
):
    city, (status, times), tag = quiet, how, quiet.tag()
    forget_library(city)
    if scene == "update":
        made = bring(city, city.upload(first(city.door.host, tag)).run_id)
        assert made.status is RunStatus.COMPLETED, made.message
    before = city.things(tag)
    pack = (first if scene == "new" else second)(city.door.host, tag)
    run_id = city.upload(pack).run_id
    seen = len(city.workspace.requests())
    if status == 429:
        city.workspace.rate_limit(operation, times, 1)
    else:
        city.workspace.fail_next(operation, status, CODES[status], times=times)
    run = bring(city, run_id)
    city.workspace.parts.control.faults.clear()
    struck = [one for one in city.workspace.requests()[seen:] if one.operation == operation and one.status == status]
    assert struck, f"{operation} is never called"
    check_outcome(city, tag, run, before, how)
    healed = bring(city, city.upload(pack).run_id)
    assert healed.status is RunStatus.COMPLETED, healed.message
    check_one_of_each(city, tag)


def check_outcome(city: City, tag: str, run: RunRecord, before: dict[str, list[str]], how: tuple[int, int]) -> None:
    """A passing refusal is overcome; another ends the run with its code, and what was taken back is gone."""
    if how == PASSING:
        assert run.status is RunStatus.COMPLETED, run.message
        return
    if run.status is RunStatus.COMPLETED:  # what is refused is not needed for the plan
        return
    assert run.status is (RunStatus.FAILED if run.code != "share-refused" else RunStatus.VALIDATION_FAILED)
    assert run.code in OUTCOMES, run.code
    assert flow.status(city.house(), run.pack_id or "").error_message
    assert {step.status for step in run.steps} <= {StepStatus.COMPENSATED, StepStatus.NOT_COMPENSATED}
    if all(step.status is StepStatus.COMPENSATED for step in run.steps):
        assert city.things(tag) == before


def check_one_of_each(city: City, tag: str) -> None:
    """No name stands twice in the workspace."""
    client = city.workspace.client()
    names = [one.name for one in client.pipelines.list_pipelines() if tag in (one.name or "")]
    jobs = [one.settings.name for one in client.jobs.list() if one.settings and tag in (one.settings.name or "")]
    assert (len(names), len(jobs)) == (len(set(names)), len(set(jobs)))


def test_a_refusal_in_the_midst_of_taking_back_is_told(quiet: City):
    tag = quiet.tag()
    forget_library(quiet)
    run_id = quiet.upload(first(quiet.door.host, tag)).run_id
    quiet.workspace.fail_next("pipelines.create", 403, "PERMISSION_DENIED")
    quiet.workspace.fail_next("shares.delete", 403, "PERMISSION_DENIED")
    run = bring(quiet, run_id)
    assert run.status is RunStatus.FAILED
    (kept,) = [step for step in run.steps if step.kind == "CreateShare" and step.status is StepStatus.NOT_COMPENSATED]
    assert "could not be undone" in (kept.outcome or "")
    assert "could not be" in flow.status(quiet.house(), run.pack_id or "").error_message
