"""Runs that touch the same things take turns, and a run that was cut off anywhere goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection
from tests.share.flow.conftest import bring, pack_of, submit, writes

from brickyard.context import Context
from brickyard.kernel.errors import Interrupted
from brickyard.local import LocalWorkspace
from brickyard.share import flow
from brickyard.share.model.runs import RunStatus, StepStatus
from brickyard.share.store import leases, runs


def test_a_run_waits_for_the_one_that_holds_its_share_and_is_queued_again_after_it(house: Context):
    one = submit(house, pack_of(house))
    other = submit(
        house,
        pack_of(
            house,
            metadata={"project_name": "other"},
            share=[{"name": "Sales", "share_assets": [{"name": "m.s.items"}], "recipients": ["acme"]}],
        ),
    )
    with house.metadata.transaction() as tx:
        started = runs.start(tx, one.run_id, house.clock())
        leases.take(tx, one.run_id, [f"{started.workspace} share:sales"], house.clock())
    flow.provision(house, other.run_id)
    assert flow.run_of(house, other.run_id).status is RunStatus.WAITING
    assert bring(house, one.run_id).status is RunStatus.COMPLETED
    assert flow.wait(house, other.run_id).status is RunStatus.COMPLETED


class CutOff:
    """A queue whose worker dies at the *nth* checkpoint."""

    def __init__(self, house: Context, nth: int) -> None:
        self._queue, self._left = house.queue, nth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def checkpoint(self, tx: Connection) -> None:
        self._left -= 1
        if self._left < 0:
            raise Interrupted("killed")


POINTS = range(1, 13)  # of a run with four steps


@pytest.mark.parametrize("nth", POINTS)
def test_a_run_that_is_cut_off_at_any_checkpoint_converges(house: Context, workspace: LocalWorkspace, nth: int):
    submitted = submit(house, pack_of(house))
    before = len(workspace.requests())
    dying: Any = replace(house, queue=CutOff(house, nth))
    try:
        flow.provision(dying, submitted.run_id)
    except Interrupted:
        assert not flow.run_of(house, submitted.run_id).status.final
    flow.provision(house, submitted.run_id)
    run = flow.run_of(house, submitted.run_id)
    assert run.status is RunStatus.COMPLETED
    assert {step.status for step in run.steps} == {StepStatus.DONE}
    assert writes(workspace, before) == [
        "recipients.create",
        "shares.create",
        "shares.update",
        "shares.update_permissions",
    ]
    assert flow.plan_of(house, submitted.pack_id).steps == ()


@pytest.mark.parametrize("nth", POINTS)
def test_taking_back_that_is_cut_off_converges(house: Context, workspace: LocalWorkspace, nth: int):
    submitted = submit(house, pack_of(house))
    workspace.fail_next("shares.update_permissions", 403, "PERMISSION_DENIED")
    dying: Any = replace(house, queue=CutOff(house, nth))
    for context in (dying, house, house):
        try:
            flow.provision(context, submitted.run_id)
        except Interrupted:
            continue
    run = flow.run_of(house, submitted.run_id)
    client = workspace.client()
    there = [*(one.name for one in client.shares.list_shares()), *(one.name for one in client.recipients.list())]
    ends = {  # who dies before it could write down the refusal tries the step again, and is not refused
        RunStatus.FAILED: ({StepStatus.COMPENSATED}, []),
        RunStatus.COMPLETED: ({StepStatus.DONE}, ["sales", "acme"]),
    }
    assert ({step.status for step in run.steps}, there) == ends[run.status]
