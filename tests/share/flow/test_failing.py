"""A step that Databricks refuses: what was done before it is taken back, and the record says how that went."""

from __future__ import annotations

import pytest
from tests.share.flow.conftest import apply, pack_of, submit, writes

from brickyard.context import Context
from brickyard.kernel.errors import Conflict, WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.share import flow
from brickyard.share.model.runs import PackStatus, RunStatus, StepStatus
from brickyard.share.store import entities

OIDC = {"issuer": "https://login.example.com", "subject_claim": "sub", "subject": "acme", "audiences": ["share"]}
PARTNERS = [{"name": "acme", "type": "D2O"}, {"name": "beta", "type": "OIDC", "oidc": OIDC}]
POINTS = [
    "recipients.create",
    "recipient_federation_policies.create",
    "shares.create",
    "shares.update",
    "shares.update_permissions",
]


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("operation", POINTS)
def test_a_refused_step_leaves_the_workspace_as_it_was(
    house: Context, workspace: LocalWorkspace, operation: str, status: int
):
    code = "PERMISSION_DENIED" if status == 403 else "TEMPORARILY_UNAVAILABLE"
    workspace.fail_next(operation, status, code)
    run = apply(house, pack_of(house, recipient=PARTNERS))
    client = workspace.client()
    assert (list(client.shares.list_shares()), list(client.recipients.list())) == ([], [])
    assert run.status is RunStatus.FAILED
    assert {step.status for step in run.steps} == {StepStatus.COMPENSATED}
    record = flow.status(house, run.pack_id or "")
    assert (record.status, f"{len(run.steps)} step(s) taken back" in record.error_message) == (PackStatus.FAILED, True)
    mended = apply(house, pack_of(house, recipient=PARTNERS))
    assert (mended.status, flow.status(house, run.pack_id or "").error_message) == (RunStatus.COMPLETED, "")


def test_an_update_that_fails_gives_back_what_was_there(house: Context, workspace: LocalWorkspace):
    apply(house, pack_of(house))
    partner = {"name": "acme", "type": "D2O", "description": "other words", "recipient_ips": ["10.0.0.1/32"]}
    workspace.fail_next("shares.update_permissions", 403, "PERMISSION_DENIED")
    changed = pack_of(
        house,
        recipient=[partner, {"name": "beta", "type": "D2O"}],
        share=[{"name": "sales", "share_assets": [{"name": "m.s.items"}], "recipients": ["acme", "beta"]}],
    )
    run = apply(house, changed)
    client = workspace.client()
    acme = client.recipients.get("acme")
    assert run.status is RunStatus.FAILED
    assert (acme.comment, acme.ip_access_list and acme.ip_access_list.allowed_ip_addresses) == ("the partner", None)
    assert [one.name for one in client.shares.get("sales", include_shared_data=True).objects or ()] == ["m.s.orders"]
    assert [one.name for one in client.recipients.list()] == ["acme"]


def test_what_cannot_be_taken_back_is_said(house: Context, workspace: LocalWorkspace):
    workspace.fail_next("shares.create", 403, "PERMISSION_DENIED")
    workspace.fail_next("recipients.delete", 403, "PERMISSION_DENIED")
    run = apply(house, pack_of(house))
    assert [(step.kind, step.status) for step in run.steps] == [
        ("CreateRecipient", StepStatus.NOT_COMPENSATED),
        ("CreateShare", StepStatus.COMPENSATED),
    ]
    assert "1 could not be" in flow.status(house, run.pack_id or "").error_message


def test_a_workspace_that_cannot_be_read_is_not_an_empty_one(house: Context, workspace: LocalWorkspace):
    apply(house, pack_of(house))
    before = len(workspace.requests())
    workspace.fail_next("shares.get", 500, "INTERNAL_ERROR", times=20)
    run = apply(house, pack_of(house, metadata={"description": "again"}))
    assert (run.status, writes(workspace, before)) == (RunStatus.FAILED, [])


def test_databricks_own_words_reach_the_status(house: Context, workspace: LocalWorkspace):
    workspace.fail_next("shares.create", 403, "PERMISSION_DENIED")
    run = apply(house, pack_of(house))
    assert (run.code, run.http_status) == ("workspace-forbidden", 403)


def test_taking_back_goes_on_when_the_workspace_answers_again(house: Context, workspace: LocalWorkspace):
    submitted = submit(house, pack_of(house))
    workspace.fail_next("shares.update", 403, "PERMISSION_DENIED")
    workspace.fail_next("shares.delete", 503, "TEMPORARILY_UNAVAILABLE")
    with pytest.raises(WorkspaceRefused):
        flow.provision(house, submitted.run_id)
    assert flow.run_of(house, submitted.run_id).status is RunStatus.RUNNING
    flow.provision(house, submitted.run_id)
    run = flow.run_of(house, submitted.run_id)
    client = workspace.client()
    assert (run.status, run.code, run.http_status) == (RunStatus.FAILED, "workspace-forbidden", 403)
    assert (list(client.shares.list_shares()), list(client.recipients.list())) == ([], [])


@pytest.mark.parametrize(("status", "code"), [(403, "PERMISSION_DENIED"), (503, "TEMPORARILY_UNAVAILABLE")])
def test_what_was_done_stands_though_it_cannot_be_read_any_more(
    house: Context, workspace: LocalWorkspace, metadata: Metadata, status: int, code: str
):
    workspace.fail_next("shares.share_permissions", status, code, times=50)  # of a new share, only read at the end
    run = apply(house, pack_of(house))
    client = workspace.client()
    assert (run.status, run.code) == (RunStatus.COMPLETED, "share-unconfirmed")
    assert [step.status for step in run.steps] == [StepStatus.DONE] * 4
    assert [one.name for one in client.shares.get("sales", include_shared_data=True).objects or ()] == ["m.s.orders"]
    record = flow.status(house, run.pack_id or "")
    assert (record.status, record.error_message) == (PackStatus.COMPLETED, "")
    assert record.provisioning_status.startswith(
        "All steps completed successfully (3 created, 1 updated); what is there now could not be read: "
    )
    assert run.warnings[-1].startswith("what is there now could not be read: ")
    workspace.parts.control.faults.clear()
    before = len(workspace.requests())
    again = apply(house, pack_of(house), again=True)
    assert (again.status, again.code, writes(workspace, before)) == (RunStatus.COMPLETED, None, [])
    with metadata.read() as tx:
        assert [row.fields["share_name"] for row in entities.listed(tx, "share")] == ["sales"]


def test_a_run_that_is_killed_for_good_before_its_last_step_is_still_taken_back(
    house: Context, workspace: LocalWorkspace
):
    submitted = submit(house, pack_of(house))
    workspace.fail_next("shares.update_permissions", 503, "TEMPORARILY_UNAVAILABLE", times=2)
    with pytest.raises(WorkspaceRefused) as stopped:
        flow.provision(house, submitted.run_id)
    flow.gave_up(house, submitted.run_id, stopped.value)
    run = flow.run_of(house, submitted.run_id)
    assert (run.status, {step.status for step in run.steps}) == (RunStatus.FAILED, {StepStatus.COMPENSATED})
    assert list(workspace.client().shares.list_shares()) == []


def test_a_worker_that_lost_its_job_leaves_the_run_to_the_next(house: Context):
    submitted = submit(house, pack_of(house))
    flow.gave_up(house, submitted.run_id, Conflict("taken over", code="job-taken-over"))
    assert flow.run_of(house, submitted.run_id).status is RunStatus.QUEUED
