"""Who lets a pack through, the way back, what drifted, who reads what, and what time brings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.share.flow.conftest import Build, apply, bring, pack_of, submit, writes

from brickyard.context import Context
from brickyard.kernel.errors import Conflict, GuardRefused, NotFound, SpecInvalid, WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.share import flow
from brickyard.share.model.current import ObjectKind, SharedObject
from brickyard.share.model.pack import SharePack
from brickyard.share.model.parse import parse
from brickyard.share.model.runs import (
    Change,
    DriftState,
    PackStatus,
    RequestStatus,
    RunKind,
    RunStatus,
    TenantsImported,
    Upload,
)
from brickyard.share.model.steps import ChangeObjects, ChangeShare, CreateShare
from brickyard.share.store import runs, tenants


def share(*assets: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": "sales", "share_assets": [{"name": name} for name in assets], "recipients": ["acme"], **fields}]


def upload(pack: SharePack) -> Upload:
    return Upload(pack=pack, file_name="pack.yaml")


# ── approval ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_is_done_when_somebody_else_has_approved_it(build: Build, workspace: LocalWorkspace):
    house, carol = build(share_approval="one"), build("carol@acme.com", share_approval="one")
    pack = pack_of(house, metadata={"approver_status": "pending"})
    before, sent = len(workspace.requests()), submit(house, pack)
    waiting = flow.status(house, sent.pack_id)
    assert (waiting.status, waiting.request_status) == (PackStatus.IN_PROGRESS, RequestStatus.PENDING_APPROVAL)
    plan = flow.plan_of(house, sent.pack_id)
    approved = flow.approve(carol, sent.pack_id, plan_hash=plan.hash, reason="looked at it")
    assert (approved.approved_by, writes(workspace, before)) == ("carol@acme.com", [])
    assert bring(house, sent.run_id).status is RunStatus.COMPLETED
    assert flow.status(house, sent.pack_id).request_status is RequestStatus.COMPLETED
    with pytest.raises(Conflict, match="does not wait for approval"):  # and not that its plan has changed by being done
        flow.approve(carol, sent.pack_id, plan_hash=plan.hash)


def test_who_wants_a_pack_cannot_let_it_through(build: Build):
    house = build(share_approval="one")
    sent = submit(house, pack_of(house))
    plan = flow.plan_of(house, sent.pack_id)
    for actor, code in (
        ("up@loader.com", "share-approver-involved"),
        ("Ada@acme.com", "share-approver-involved"),
        ("service", "share-approver-unnamed"),
    ):
        with pytest.raises(GuardRefused) as refused:
            flow.approve(build(actor, share_approval="one"), sent.pack_id, plan_hash=plan.hash)
        assert refused.value.error_code == code


def test_an_approval_is_void_when_the_plan_is_another_one(build: Build, workspace: LocalWorkspace):
    house, carol = build(share_approval="one"), build("carol@acme.com", share_approval="one")
    sent = submit(house, pack_of(house))
    plan = flow.plan_of(house, sent.pack_id)
    with pytest.raises(GuardRefused, match="another one"):
        flow.approve(carol, sent.pack_id, plan_hash="0" * 64)
    flow.approve(carol, sent.pack_id, plan_hash=plan.hash)
    workspace.client().shares.create("sales")
    assert bring(house, sent.run_id).status is RunStatus.PENDING_APPROVAL
    flow.approve(carol, sent.pack_id, plan_hash=flow.plan_of(house, sent.pack_id).hash)
    assert bring(house, sent.run_id).status is RunStatus.COMPLETED


def test_two_persons_are_two_persons(build: Build):
    house = build(share_approval="two")
    sent = submit(house, pack_of(house))
    plan = flow.plan_of(house, sent.pack_id)
    for _ in range(2):
        flow.approve(build("carol@acme.com", share_approval="two"), sent.pack_id, plan_hash=plan.hash)
    assert flow.run_of(house, sent.run_id).status is RunStatus.PENDING_APPROVAL
    flow.approve(build("dave@acme.com", share_approval="two"), sent.pack_id, plan_hash=plan.hash)
    assert bring(house, sent.run_id).status is RunStatus.COMPLETED


def test_a_declined_pack_is_over(build: Build, workspace: LocalWorkspace):
    house, carol = build(share_approval="one"), build("carol@acme.com", share_approval="one")
    sent = submit(house, pack_of(house))
    declined = flow.decline(carol, sent.pack_id, reason="not yet")
    assert declined.status is PackStatus.VALIDATION_FAILED
    assert declined.error_message == "declined by carol@acme.com: not yet"
    with pytest.raises(Conflict):
        flow.approve(carol, sent.pack_id, plan_hash=flow.plan_of(house, sent.pack_id).hash)


def test_by_default_the_file_says_whether_it_is_approved(house: Context):
    run = apply(house, pack_of(house, metadata={"approver_status": "pending"}))
    assert (run.status, run.code) == (RunStatus.VALIDATION_FAILED, "share-not-approved")


def test_a_stale_hash_is_refused_before_anything_is_remembered(
    house: Context, workspace: LocalWorkspace, metadata: Metadata
):
    plan = flow.preview(house, upload(pack_of(house)))
    workspace.client().shares.create("sales")
    with pytest.raises(GuardRefused) as refused:
        submit(house, pack_of(house), plan_hash=plan.hash)
    with metadata.read() as tx:
        assert (refused.value.error_code, runs.listed(tx), flow.list_packs(house)) == ("share-plan-stale", (), ())
    fresh = apply(house, pack_of(house), plan_hash=flow.preview(house, upload(pack_of(house))).hash)
    assert fresh.status is RunStatus.COMPLETED


def test_a_plan_that_changes_between_upload_and_run_is_not_done(house: Context, workspace: LocalWorkspace):
    plan = flow.preview(house, upload(pack_of(house)))
    sent = submit(house, pack_of(house), plan_hash=plan.hash)
    workspace.client().shares.create("sales")
    stale = bring(house, sent.run_id)
    assert (stale.status, stale.code, stale.steps) == (RunStatus.VALIDATION_FAILED, "share-plan-stale", ())


def test_a_hash_is_compared_by_the_worker_where_the_upload_could_not_read(build: Build, workspace: LocalWorkspace):
    house = build(share_detect_seconds=0.5)
    pack = pack_of(house, metadata={"strategy": "UPDATE"})
    workspace.fail_next("recipients.get", 403, "PERMISSION_DENIED")
    sent = submit(house, pack, plan_hash="0" * 64)
    run = bring(house, sent.run_id)
    assert (run.status, run.code) == (RunStatus.VALIDATION_FAILED, "share-plan-stale")


def test_the_same_upload_with_the_same_hash_is_the_same_run_while_it_is_under_way_and_just_after(house: Context):
    wish = {"plan_hash": flow.preview(house, upload(pack_of(house))).hash, "idempotency_key": "once"}
    first = submit(house, pack_of(house), **wish)
    again = submit(house, pack_of(house), plan_hash=wish["plan_hash"])
    bring(house, first.run_id)
    after, kept = submit(house, pack_of(house), plan_hash=wish["plan_hash"]), submit(house, pack_of(house), **wish)
    assert [one.run_id for one in (again, after, kept)] == [first.run_id] * 3


# ── the way back ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rollback_brings_an_earlier_version_back(house: Context, workspace: LocalWorkspace):
    first = apply(house, pack_of(house, share=share("m.s.orders")))
    then = datetime.now(UTC)
    apply(house, pack_of(house, share=share("m.s.items")))
    pack_id = first.pack_id or ""
    for to in (1, then):
        plan = flow.preview_rollback(house, pack_id, to)
        assert [type(step).__name__ for step in plan.steps] == ["ChangeObjects", "ChangeObjects"]
    sent = flow.rollback(house, pack_id, 1, plan_hash=plan.hash)
    run = bring(house, sent.run_id)
    assert (run.status, run.kind, run.version) == (RunStatus.COMPLETED, RunKind.ROLLBACK, 3)
    found = workspace.client().shares.get("sales", include_shared_data=True).objects or ()
    assert [one.name for one in found] == ["m.s.orders"]
    assert flow.plan_of(house, pack_id).steps == ()
    with pytest.raises(GuardRefused):
        flow.rollback(house, pack_id, 2, plan_hash=plan.hash)
    with pytest.raises(NotFound):
        flow.preview_rollback(house, pack_id, 9)


# ── drift and access ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_drift_says_what_is_missing_changed_and_added(house: Context, workspace: LocalWorkspace):
    run = apply(house, pack_of(house, share=share("m.s.orders", "m.s.items")))
    pack_id = run.pack_id or ""
    assert [one.state for one in flow.drift(house)] == [DriftState.NONE]
    client = workspace.client()
    client.recipients.update("acme", comment="other words")
    flow.direct(house, ChangeObjects(share="sales", remove=(_table("m.s.items"),), add=(_table("m.s.feed"),)))
    before = len(workspace.requests())
    (found,) = flow.drift(house, pack_id)
    said = {(one.change, one.kind, one.name) for one in found.differences}
    assert (found.state, said) == (
        DriftState.DRIFTED,
        {
            (Change.MISSING, "object", "m.s.items"),
            (Change.ADDED, "object", "m.s.feed"),
            (Change.CHANGED, "recipient", "acme"),
        },
    )
    assert writes(workspace, before) == []


@pytest.mark.parametrize("status", [403, 500, 503])
def test_what_cannot_be_read_is_unknown(house: Context, workspace: LocalWorkspace, status: int):
    apply(house, pack_of(house))
    workspace.fail_next("shares.get", status, "INTERNAL_ERROR", times=50)
    (found,) = flow.drift(house)
    assert (found.state, found.differences) == (DriftState.UNKNOWN, ())


def test_access_tells_who_reads_what_and_who_never_came(house: Context, workspace: LocalWorkspace):
    run = apply(house, pack_of(house, recipient=[{"name": "acme", "type": "D2O", "token_expiry": 5}]))
    (found,) = flow.access(house, "ACME")
    assert (found.recipient, found.share, found.objects, found.pack_id, found.state) == (
        "acme",
        "sales",
        ("m.s.orders",),
        run.pack_id,
        "never-activated",
    )
    assert found.since and found.expires_at
    later = replace(house, clock=lambda: datetime.now(UTC) + timedelta(days=6))
    assert [one.state for one in flow.access(later)] == ["expired"]
    with pytest.raises(NotFound):
        flow.access(house, "nobody")


def test_a_link_is_given_out_once_and_stands_nowhere_else(house: Context, workspace: LocalWorkspace):
    run = apply(house, pack_of(house))
    delivered = flow.deliver(house, "acme")
    assert delivered.link.startswith("http")
    assert delivered.link not in repr(delivered)
    with pytest.raises(NotFound):
        flow.deliver(house, "acme")
    secret = delivered.link.rsplit("/", 1)[-1].partition("?")[2] or delivered.link[-20:]
    with house.metadata.read() as tx:
        whole = repr(runs.get(tx, run.id)) + repr(runs.timeline(tx, run.id)) + repr(flow.run_of(house, run.id))
    assert secret not in whole


# ── what time brings ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pack_is_planned_by_its_name_too(house: Context):
    run = apply(house, pack_of(house))
    name = flow.status(house, run.pack_id or "").name
    assert flow.plan_of(house, name.upper()).hash == flow.plan_of(house, run.pack_id or "").hash
    with pytest.raises(NotFound):
        flow.plan_of(house, "nothing")


def test_a_token_is_rotated_when_it_is_too_old_and_never_by_an_upload(build: Build, workspace: LocalWorkspace):
    house = build(share_repeat_seconds=0)
    partner = {"name": "acme", "type": "D2O", "token_rotation": True, "token_policy": {"max_age_days": 30}}
    for _ in range(2):
        assert apply(house, pack_of(house, recipient=[partner])).status is RunStatus.COMPLETED
    assert (flow.rotate_due(house), len(workspace.requests("recipients.rotate_token"))) == ((), 0)
    later = replace(house, clock=lambda: datetime.now(UTC) + timedelta(days=31))
    assert flow.rotate_due(later) == ("acme",)
    assert flow.rotate_due(later) == ()  # it is under way
    with house.metadata.read() as tx:
        (run,) = runs.listed(tx, kind=RunKind.ROTATION)
    assert bring(later, run.id).status is RunStatus.COMPLETED
    assert len(workspace.requests("recipients.rotate_token")) == 1


def test_access_ends_on_its_day(house: Context, workspace: LocalWorkspace):
    soon = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    apply(house, pack_of(house, recipient=[{"name": "acme", "type": "D2O", "expires_on": soon}]))
    assert flow.expire_due(house) == ()
    later = replace(house, clock=lambda: datetime.now(UTC) + timedelta(days=4))
    assert flow.expire_due(later) == ("acme",)
    with house.metadata.read() as tx:
        (run,) = runs.listed(tx, kind=RunKind.EXPIRY)
    assert bring(later, run.id).status is RunStatus.COMPLETED
    permissions = workspace.client().shares.share_permissions("sales").privilege_assignments
    assert not permissions
    assert flow.expire_due(later) == ()


# ── direct steps, imports ────────────────────────────────────────────────────────────────────────────────────────────


def test_one_step_goes_through_the_journal(house: Context, workspace: LocalWorkspace):
    run = flow.direct(house, CreateShare("lone", "by hand"))
    assert (run.status, run.kind, [step.kind for step in run.steps]) == (
        RunStatus.COMPLETED,
        RunKind.DIRECT,
        ["CreateShare"],
    )
    flow.direct(house, ChangeShare("lone", "other words", "by hand"))
    with pytest.raises(WorkspaceRefused) as refused:
        flow.direct(house, CreateShare("lone"))
    assert refused.value.status in (400, 409)


def test_live_shares_become_a_pack_whose_plan_is_empty(house: Context):
    apply(house, pack_of(house, recipient=[{"name": "acme", "type": "D2O", "recipient_ips": ["10.0.0.0/24"]}]))
    text = flow.import_live(house, ["SALES"])
    parsed = parse("imported.yaml", text.encode())
    plan = flow.preview(house, upload(parsed.pack))
    assert (plan.steps, plan.refusals) == ((), ())
    with pytest.raises(NotFound):
        flow.import_live(house, ["sales", "absent"])


YAML = b"""
tenants:
  - business_line: Retail
    short_name: RT
    executive_team: [ada@acme.com]
    regions: {EMEA: https://adb-1.azuredatabricks.net}
    projects: [loyalty, {name: stock, approver: [bob@acme.com]}]
"""
CSV = (
    b"business_line,short_name,region,workspace_url,project\nRetail,RT,EMEA,https://adb-1.azuredatabricks.net,loyalty\n"
)


def test_business_lines_are_imported_and_a_second_import_changes_nothing(house: Context):
    first = flow.import_tenants(house, "tenants.yaml", YAML)
    again = flow.import_tenants(house, "tenants.yaml", YAML)
    assert (first, again) == (
        TenantsImported(tenants=1, regions=1, projects=2, unchanged=0),
        TenantsImported(tenants=1, regions=1, projects=2, unchanged=1),
    )
    flow.import_tenants(house, "tenants.csv", CSV)
    with house.metadata.read() as tx:
        (found,) = tenants.listed(tx)
    assert (found.business_line_name, dict(found.regions), sorted(found.projects)) == (
        "Retail",
        {"EMEA": "https://adb-1.azuredatabricks.net"},
        ["loyalty", "stock"],
    )


def test_every_fault_of_an_import_is_said_at_once(house: Context):
    bad = b"business_line,region,wrkspace_url\nRetail,MARS,x\n,EMEA,\n"
    with pytest.raises(SpecInvalid) as refused:
        flow.import_tenants(house, "tenants.csv", bad)
    assert len(refused.value.problems) >= 5


def _table(name: str) -> SharedObject:
    return SharedObject(name=name, kind=ObjectKind.TABLE)


def test_one_token_is_rotated_now_by_its_plans_hash(house: Context, workspace: LocalWorkspace):
    apply(house, pack_of(house))
    before = len(workspace.requests("recipients.rotate_token"))
    plan = flow.preview_rotation(house, "ACME", 3600)
    assert [(loss.what, loss.irreversible) for loss in plan.losses] == [
        ("the token that acme has ends after 1 hour", True)
    ]
    assert flow.preview_rotation(house, "acme", 0).hash != plan.hash == flow.preview_rotation(house, "acme", 3600).hash
    assert flow.rotate(house, "acme", 3600, plan_hash=plan.hash).status is RunStatus.COMPLETED
    with pytest.raises(GuardRefused, match="has changed since"):
        flow.rotate(house, "acme", 3600, plan_hash=plan.hash)
    assert len(workspace.requests("recipients.rotate_token")) - before == 1
    assert flow.deliver(house, "acme").link
    with pytest.raises(NotFound):
        flow.preview_rotation(house, "nobody", 0)
