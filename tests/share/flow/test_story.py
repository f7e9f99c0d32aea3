"""A pack from its upload to its end: made, changed, taken away; each again without a write."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.share.flow.conftest import Build, apply, bring, pack_of, submit, writes

from brickyard.context import Context
from brickyard.kernel.errors import Conflict
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.share import flow
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import PackStatus, RunRecord, RunStatus
from brickyard.share.store import audit, entities


@pytest.fixture
def house(build: Build) -> Context:
    """A house that runs an identical pack again at once."""
    return build(share_repeat_seconds=0)


def kinds(run: RunRecord) -> list[str]:
    return [step.kind for step in run.steps]


def share(*assets: str, **fields: Any) -> list[dict[str, Any]]:
    listed = [{"name": name} for name in assets]
    return [{"name": "sales", "share_assets": listed, "recipients": ["acme"], **fields}]


def test_a_new_pack_is_made_and_a_second_apply_writes_nothing(house: Context, workspace: LocalWorkspace):
    run = apply(house, pack_of(house))
    assert (run.status, kinds(run)) == (
        RunStatus.COMPLETED,
        ["CreateRecipient", "CreateShare", "ChangeObjects", "Grant"],
    )
    client, before = workspace.client(), len(workspace.requests())
    assert [one.name for one in client.shares.get("sales", include_shared_data=True).objects or ()] == ["m.s.orders"]
    again = apply(house, pack_of(house))
    assert (again.status, kinds(again), writes(workspace, before)) == (RunStatus.COMPLETED, [], [])
    assert again.id != run.id
    assert flow.status(house, run.pack_id or "").version == 1
    assert flow.status(house, run.pack_id or "").provisioning_status == "Already up to date with share pack data"


def test_rows_carry_the_id_that_databricks_tells_and_a_share_has_none(
    house: Context, workspace: LocalWorkspace, metadata: Metadata
):
    apply(house, pack_of(house))
    with metadata.read() as tx:
        acme, sales = entities.get(tx, "recipient", "acme"), entities.get(tx, "share", "sales")
    assert acme and sales
    assert acme.fields["recipient_databricks_id"] == workspace.client().recipients.get("acme").id is not None
    assert sales.fields["databricks_share_id"] is None


def test_the_order_of_a_packs_lists_means_nothing(house: Context, workspace: LocalWorkspace):
    people = [{"name": "acme", "type": "D2O"}, {"name": "beta", "type": "D2O"}]
    first = apply(house, pack_of(house, recipient=people, share=share("m.s.orders", "m.s.items")))
    before = len(workspace.requests())
    shuffled = pack_of(house, recipient=people[::-1], share=share("M.S.items", "m.s.orders"))
    again = apply(house, shuffled)
    assert (first.status, again.status, writes(workspace, before)) == (RunStatus.COMPLETED, RunStatus.COMPLETED, [])


def test_an_update_adds_and_takes_away_what_the_version_before_had_added(house: Context, workspace: LocalWorkspace):
    first = apply(house, pack_of(house, share=share("m.s.orders")))
    second = apply(house, pack_of(house, share=share("m.s.items")))
    assert (second.status, second.pack_id, second.version) == (RunStatus.COMPLETED, first.pack_id, 2)
    found = workspace.client().shares.get("sales", include_shared_data=True).objects or ()
    assert [one.name for one in found] == ["m.s.items"]
    assert flow.status(house, first.pack_id or "").strategy is Strategy.UPDATE
    assert [one.version for one in flow.history(house, first.pack_id or "")] == [1, 2]


def test_a_delete_pack_takes_away_what_it_names_and_a_second_one_writes_nothing(
    house: Context, workspace: LocalWorkspace, metadata: Metadata
):
    made = apply(house, pack_of(house))
    gone = pack_of(
        house,
        metadata={"strategy": "DELETE"},
        recipient=[],
        share=[],
        removal={"recipients": ["acme"], "shares": ["sales"]},
    )
    run = apply(house, gone)
    assert (run.status, run.pack_id, kinds(run)[-1]) == (RunStatus.COMPLETED, made.pack_id, "DeleteRecipient")
    client = workspace.client()
    assert (list(client.shares.list_shares()), list(client.recipients.list())) == ([], [])
    assert flow.list_packs(house) == ()
    with metadata.read() as tx:
        assert audit.verify(tx) == ()


def test_what_exists_turns_new_into_update_with_the_documented_words(house: Context, workspace: LocalWorkspace):
    client = workspace.client()
    client.shares.create("sales")
    submitted = submit(house, pack_of(house))
    assert submitted.strategy is Strategy.UPDATE
    assert submitted.message == (
        "Share pack uploaded and queued. Strategy auto-corrected from NEW to UPDATE based on existing resources."
    )
    assert submitted.warnings == (
        "Auto-switched from NEW to UPDATE: 0 recipient(s) and 1 share(s) already exist."
        " Existing resources will be updated, new ones will be created.",
    )
    assert bring(house, submitted.run_id).status is RunStatus.COMPLETED


def test_an_upload_is_taken_when_the_workspace_cannot_be_read(house: Context, workspace: LocalWorkspace):
    workspace.fail_next("recipients.get", 403, "PERMISSION_DENIED", times=50)
    submitted = submit(house, pack_of(house))
    assert (submitted.strategy, submitted.new, len(submitted.warnings)) == (Strategy.NEW, True, 1)
    before = len(workspace.requests())
    run = bring(house, submitted.run_id)
    assert (run.status, run.code, writes(workspace, before)) == (RunStatus.FAILED, "workspace-forbidden", [])


def test_the_same_pack_twice_in_a_row_is_one_run(build: Build):
    house = build()
    first, second = submit(house, pack_of(house)), submit(house, pack_of(house))
    bring(house, first.run_id)
    third = submit(house, pack_of(house))
    assert (first.new, second.new, third.new) == (True, False, False)
    assert {first.run_id} == {second.run_id, third.run_id}
    assert third.status is PackStatus.COMPLETED


def test_a_newer_version_takes_the_place_of_one_that_has_not_begun(house: Context):
    first = submit(house, pack_of(house, share=share("m.s.orders")))
    second = submit(house, pack_of(house, share=share("m.s.items")))
    assert flow.run_of(house, first.run_id).status is RunStatus.SUPERSEDED
    flow.provision(house, first.run_id)
    assert bring(house, second.run_id).status is RunStatus.COMPLETED
    assert flow.run_of(house, first.run_id).steps == ()


def test_two_packs_may_fill_one_share_and_neither_takes_what_is_the_others(house: Context, workspace: LocalWorkspace):
    one = pack_of(house, share=share("m.s.orders"))
    other = pack_of(house, metadata={"project_name": "other"}, share=share("m.s.items"))
    assert {apply(house, one).status, apply(house, other).status} == {RunStatus.COMPLETED}
    exact = pack_of(house, metadata={"mode": "exact"}, share=share("m.s.orders"))
    assert apply(house, exact).status is RunStatus.COMPLETED
    found = workspace.client().shares.get("sales", include_shared_data=True).objects or ()
    assert sorted(one.name for one in found) == ["m.s.items", "m.s.orders"]


def test_a_pack_that_cannot_be_done_changes_nothing(house: Context, workspace: LocalWorkspace):
    before = len(workspace.requests())
    run = apply(house, pack_of(house, share=share("m.s.orders", "m.s.absent")))
    record = flow.status(house, run.pack_id or "")
    assert (run.status, record.status) == (RunStatus.VALIDATION_FAILED, PackStatus.VALIDATION_FAILED)
    assert "m.s.absent" in record.error_message
    assert writes(workspace, before) == []
    mended = apply(house, pack_of(house, share=share("m.s.orders")))
    assert (mended.status, flow.status(house, run.pack_id or "").error_message) == (RunStatus.COMPLETED, "")


def test_a_request_that_is_repeated_gets_the_first_ones_answer(house: Context):
    first = submit(house, pack_of(house), idempotency_key="k1")
    bring(house, first.run_id)
    assert submit(house, pack_of(house), idempotency_key="k1") == first
    with pytest.raises(Conflict, match="another request"):
        submit(house, pack_of(house, share=share("m.s.items")), idempotency_key="k1")


def test_an_upload_does_not_wait_for_a_workspace_that_hangs(build: Build, workspace: LocalWorkspace):
    house = build(share_detect_seconds=0.3)
    workspace.delay("recipients.get", 2.0)
    begun = time.monotonic()
    submitted = submit(house, pack_of(house))
    assert (submitted.new, submitted.strategy, len(submitted.warnings)) == (True, Strategy.NEW, 1)
    assert time.monotonic() - begun < 1.5


def test_the_same_pack_with_another_wish_is_another_run(house: Context):
    first = submit(house, pack_of(house))
    second = submit(house, pack_of(house), adopt=True)
    assert (second.pack_id, second.version, second.run_id != first.run_id) == (first.pack_id, 1, True)
