"""Defects 17 to 36 of the service that this one replaces, in what it did to the workspace: each stays mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from databricks.sdk.service.iam import ComplexValue
from databricks.sdk.service.jobs import CronSchedule, PipelineTask, Task
from databricks.sdk.service.pipelines import NotebookLibrary, PipelineLibrary
from databricks.sdk.service.sharing import (
    AuthenticationType,
    SharedDataObject,
    SharedDataObjectUpdate,
    SharedDataObjectUpdateAction,
)
from sqlalchemy.exc import IntegrityError
from tests.share.api.conftest import served
from tests.share.defects.conftest import CRON, Build, fed, feed, pack, partner, share
from tests.share.flow.conftest import apply, bring, submit, writes

from brickyard.context import Context
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.share import flow
from brickyard.share.model.current import RecipientState, ShareState
from brickyard.share.model.runs import RunRecord, RunStatus, StepStatus
from brickyard.share.observe.recipients import recipient
from brickyard.share.observe.shares import share as observed_share
from brickyard.share.store import entities, runs
from brickyard.workspace import run_sql

COMPLETED, FAILED = RunStatus.COMPLETED, RunStatus.FAILED


def kinds(run: RunRecord) -> list[str]:
    return [step.kind for step in run.steps]


def the_share(workspace: LocalWorkspace, name: str) -> ShareState:
    found = observed_share(workspace.client(), name)
    assert found
    return found


def the_recipient(workspace: LocalWorkspace, name: str) -> RecipientState:
    found = recipient(workspace.client(), name)
    assert found
    return found


def pipelines(workspace: LocalWorkspace, *names: str) -> dict[str, str]:
    """The ids of those of some pipelines that are there."""
    listed = workspace.client().pipelines.list_pipelines()
    return {one.name or "": one.pipeline_id or "" for one in listed if one.name in names}


def removal(house: Context, number: int, **named: Any) -> Any:
    return pack(house, number, metadata={"strategy": "DELETE"}, recipient=[], share=[], removal=named)


def test_defect_17_what_cannot_be_read_is_never_taken_for_absent(house: Context, workspace: LocalWorkspace):
    apply(house, pack(house, 17))
    for operation in ("shares.get", "recipients.get", "shares.share_permissions"):
        for status, code in ((403, "PERMISSION_DENIED"), (500, "INTERNAL_ERROR")):
            workspace.fail_next(operation, status, code, times=50)
            before = len(workspace.requests())
            run = apply(house, pack(house, 17, metadata={"description": f"{operation} {status}"}))
            assert (operation, run.status, writes(workspace, before)) == (operation, FAILED, [])
            workspace.parts.control.faults.clear()


def test_defect_18_a_failed_addition_keeps_the_workspaces_own_status_and_words(
    house: Context, workspace: LocalWorkspace
):
    workspace.fail_next("shares.update", 503, "TEMPORARILY_UNAVAILABLE")
    sent = submit(house, pack(house, 18))
    with pytest.raises(WorkspaceRefused) as refused:
        flow.provision(house, sent.run_id)
    assert (refused.value.status, "nvalid parameter" in refused.value.message) == (503, False)
    assert bring(house, sent.run_id).status is COMPLETED


def test_defect_19_a_refusal_that_says_already_is_a_refusal(house: Context, workspace: LocalWorkspace):
    workspace.fail_next("shares.update", 503, "TEMPORARILY_UNAVAILABLE")
    sent = submit(house, pack(house, 19, share=[share(19, "m.s.items", "m.s.orders")]))
    with pytest.raises(WorkspaceRefused):
        flow.provision(house, sent.run_id)
    by_hand = SharedDataObjectUpdate(SharedDataObjectUpdateAction.ADD, SharedDataObject(name="m.s.items"))
    workspace.client().shares.update("s19", updates=[by_hand])
    run = bring(house, sent.run_id)
    assert "already" in (run.message or "")
    assert (run.status, flow.status(house, sent.pack_id).status) == (FAILED, "FAILED")


def test_defect_20_a_view_is_shared_as_a_view_and_stays_one(house: Context, workspace: LocalWorkspace):
    wanted = pack(house, 20, share=[share(20, "m.s.seen", "m.s.items")])
    assert apply(house, wanted).status is COMPLETED
    found = {one.name: str(one.kind) for one in the_share(workspace, "s20").objects}
    assert found == {"m.s.seen": "VIEW", "m.s.items": "TABLE"}
    before = len(workspace.requests())
    assert (apply(house, wanted).status, writes(workspace, before)) == (COMPLETED, [])


def test_defect_21_the_options_of_shared_objects_are_kept_when_a_removal_is_undone(
    house: Context, workspace: LocalWorkspace
):
    assets = [
        {"name": "m.s.items", "history": True, "shared_as": "out.things"},
        {"name": "m.s.feed", "cdf": True},
        {"name": "m.s.orders", "partitions": [[{"name": "region", "value": "EU"}]]},
    ]
    both = [partner(21), partner(21, name="r21b")]
    apply(house, pack(house, 21, recipient=both, share=[share(21, share_assets=assets)]))
    made = the_share(workspace, "s21")
    seen = {one.name: (one.history, one.shared_as, one.cdf, len(one.partitions)) for one in made.objects}
    assert seen == {
        "m.s.items": (True, "out.things", False, 0),
        "m.s.feed": (False, None, True, 0),
        "m.s.orders": (False, None, False, 1),
    }
    workspace.fail_next("recipients.delete", 403, "PERMISSION_DENIED")
    run = apply(house, pack(house, 21, share=[share(21, share_assets=assets[1:2])]))
    assert (run.status, "ChangeObjects" in kinds(run)) == (FAILED, True)
    assert the_share(workspace, "s21") == made


def test_defect_22_declared_addresses_are_set_and_can_be_emptied(house: Context, workspace: LocalWorkspace):
    for mode, addresses in (("merge", ["10.0.0.1"]), ("merge", ["10.0.0.2"]), ("exact", [])):
        wanted = pack(house, 22, metadata={"mode": mode}, recipient=[partner(22, recipient_ips=addresses)])
        assert apply(house, wanted).status is COMPLETED
        assert the_recipient(workspace, "r22").ip_addresses == tuple(addresses)


def test_defect_24_an_upload_rotates_no_token_and_a_new_ones_link_is_given_out_once(
    build: Build, workspace: LocalWorkspace
):
    house = build(share_repeat_seconds=0, share_rotation_minutes=0)
    before = len(workspace.requests("recipients.rotate_token"))
    for words in ("first", "second", "second"):
        apply(house, pack(house, 24, recipient=[partner(24, description=words, token_rotation=True)]))
    (token,) = the_recipient(workspace, "r24").tokens
    assert len(workspace.requests("recipients.rotate_token")) == before
    link = flow.deliver(house, "r24").link
    workspace.client().recipient_activation.retrieve_token(link.rpartition("=")[2])
    late = house.clock() + timedelta(days=91)
    old = replace(house, clock=lambda: late)
    assert flow.rotate_due(old) == ("r24",)
    with house.metadata.read() as tx:
        due = next(run for run in runs.listed(tx) if run.kind == "rotation")
    assert bring(house, due.id).status is COMPLETED
    tokens = {one.id for one in the_recipient(workspace, "r24").tokens}
    assert (len(tokens), token.id in tokens) == (2, True)
    assert flow.deliver(house, "r24").link.startswith("http")


def test_defect_25_a_change_that_fails_half_way_is_undone_in_every_part(house: Context, workspace: LocalWorkspace):
    apply(house, pack(house, 25, recipient=[partner(25, token_expiry=30)]))
    made = the_recipient(workspace, "r25"), the_share(workspace, "s25")
    assert (made[0].comment, made[1].comment) == ("", "")
    workspace.fail_next("shares.update_permissions", 403, "PERMISSION_DENIED")
    changed = partner(25, token_expiry=20, description="new words", recipient_ips=["10.0.0.1"])
    filled = share(25, recipients=["r25", "r25b"], description="new words")
    run = apply(house, pack(house, 25, recipient=[changed, partner(25, name="r25b")], share=[filled]))
    assert (run.status, kinds(run)) == (FAILED, ["ChangeRecipient", "CreateRecipient", "ChangeShare", "Grant"])
    assert (the_recipient(workspace, "r25"), the_share(workspace, "s25")) == made
    assert {step.status for step in run.steps} == {StepStatus.COMPENSATED}


def test_defect_26_a_pipeline_goes_last_when_nothing_can_fail_any_more(house: Context, workspace: LocalWorkspace):
    first = apply(house, pack(house, 26, share=[fed(26, feed("p26a"), feed("p26b", "m.s.items"))]))
    made = pipelines(workspace, "p26a", "p26b")
    assert (first.status, len(made)) == (COMPLETED, 2)
    workspace.fail_next("shares.update_permissions", 403, "PERMISSION_DENIED")
    both = [partner(26), partner(26, name="r26b")]
    fewer = fed(26, feed("p26a"), recipients=["r26", "r26b"])
    run = apply(house, pack(house, 26, recipient=both, share=[fewer]))
    assert (run.status, pipelines(workspace, "p26a", "p26b")) == (FAILED, made)
    done = apply(house, pack(house, 26, recipient=both, share=[fewer]))
    assert (done.status, kinds(done)[-1], list(pipelines(workspace, "p26a", "p26b"))) == (
        COMPLETED,
        "DeletePipeline",
        ["p26a"],
    )


def test_defect_27_a_schema_and_a_change_feed_are_steps_and_what_stays_of_them_is_said(
    house: Context, workspace: LocalWorkspace
):
    workspace.fail_next("jobs.create", 403, "PERMISSION_DENIED")
    run = apply(house, pack(house, 27, share=[fed(27, feed("p27", "m.s.still"), schema="fresh27")]))
    outcomes = {step.kind: (step.status, step.outcome) for step in run.steps}
    assert run.status is FAILED
    assert {"CreateSchema", "EnableChangeFeed"} <= outcomes.keys()
    assert outcomes["EnableChangeFeed"] == (StepStatus.NOT_COMPENSATED, "cannot be undone")
    left = sum(status is StepStatus.NOT_COMPENSATED for status, _ in outcomes.values())
    assert f"{left} could not be" in flow.status(house, run.pack_id or "").error_message


def test_defect_28_a_pipeline_is_found_by_its_exact_name(house: Context, workspace: LocalWorkspace):
    client = workspace.client()
    library = PipelineLibrary(notebook=NotebookLibrary("/Shared/theirs"))
    theirs = client.pipelines.create(name="p28 theirs", catalog="m", schema="partner", libraries=[library])
    before = client.pipelines.get(theirs.pipeline_id or "")
    names = ("p28%", "p28%%", "p28_%")  # as a filter, each finds all of them
    sources = ("m.s.feed", "m.s.items", "m.s.still")
    declared = [feed(name, source, target_asset=None) for name, source in zip(names, sources, strict=True)]
    assert apply(house, pack(house, 28, share=[fed(28, *declared)])).status is COMPLETED
    made = pipelines(workspace, *names)
    for name, pipeline in made.items():
        (job,) = client.jobs.list(name=f"{name}_schedule", expand_tasks=True)
        tasks = (job.settings.tasks if job.settings else None) or []
        assert [task.pipeline_task and task.pipeline_task.pipeline_id for task in tasks] == [pipeline]
    assert len(made) == 3
    assert client.pipelines.get(theirs.pipeline_id or "") == before


def test_defect_29_only_the_job_that_starts_the_pipeline_goes_with_it(house: Context, workspace: LocalWorkspace):
    apply(house, pack(house, 29, share=[fed(29, feed("p29a"), feed("p29b", "m.s.items"))]))
    client, made = workspace.client(), pipelines(workspace, "p29a", "p29b")
    tasks = [Task(task_key=name, pipeline_task=PipelineTask(made["p29a"])) for name in ("one", "two")]
    nightly = client.jobs.create(name="nightly29", tasks=tasks, schedule=CronSchedule(CRON, "UTC"))
    (ours,) = client.jobs.list(name="p29b_schedule")
    client.api_client.do(
        "POST",
        "/api/2.2/jobs/update",
        body={"job_id": ours.job_id, "new_settings": {"tasks": [task.as_dict() for task in tasks]}},
    )
    with served(house) as door:
        assert "1 schedule(s)" in door.delete("/pipelines/p29a/schedules").text
    run = apply(house, removal(house, 29, shares=["s29"], recipients=["r29"]))
    assert (run.status, pipelines(workspace, "p29a", "p29b")) == (COMPLETED, {})
    left = {job.settings.name for job in client.jobs.list() if job.settings and "29" in (job.settings.name or "")}
    assert left == {"nightly29", "p29b_schedule"}
    client.jobs.delete(nightly.job_id or 0)


def test_defect_30_a_continuous_pipeline_is_made_continuous(house: Context, workspace: LocalWorkspace):
    endless = feed("p30", schedule={"continuous": True})
    assert apply(house, pack(house, 30, share=[fed(30, endless)])).status is COMPLETED
    made = workspace.client().pipelines.get(pipelines(workspace, "p30")["p30"])
    assert (made.spec and made.spec.continuous, list(workspace.client().jobs.list(name="p30_schedule"))) == (True, [])


def test_defect_31_where_the_pipelines_notebook_lies_is_a_setting(build: Build, workspace: LocalWorkspace):
    path = "/Shared/elsewhere31/pipelines"
    house = build(share_library_path=path)
    assert apply(house, pack(house, 31, share=[fed(31, feed("p31"))])).status is COMPLETED
    made = workspace.client().pipelines.get(pipelines(workspace, "p31")["p31"])
    libraries = (made.spec.libraries if made.spec else None) or []
    assert [one.notebook and one.notebook.path for one in libraries] == [path]
    assert workspace.client().workspace.get_status(path).path == path


@pytest.fixture
def full_up(metadata: Metadata) -> Iterator[None]:
    """The database takes no row of the recipient r32."""
    with metadata.transaction() as tx:
        tx.execute(sa.text("ALTER TABLE deltashare.recipients ADD CONSTRAINT full_up CHECK (recipient_name <> 'r32')"))
    yield
    with metadata.transaction() as tx:
        tx.execute(sa.text("ALTER TABLE deltashare.recipients DROP CONSTRAINT IF EXISTS full_up"))


def test_defect_32_a_run_whose_rows_cannot_be_written_is_not_completed(
    house: Context, metadata: Metadata, full_up: None
):
    sent = submit(house, pack(house, 32))
    with pytest.raises(IntegrityError, match="full_up"):
        flow.provision(house, sent.run_id)
    assert flow.status(house, sent.pack_id).status == "IN_PROGRESS"
    with metadata.transaction() as tx:
        tx.execute(sa.text("ALTER TABLE deltashare.recipients DROP CONSTRAINT full_up"))
    assert bring(house, sent.run_id).status is COMPLETED
    with metadata.read() as tx:
        assert (entities.get(tx, "recipient", "r32"), entities.get(tx, "share", "s32")) != (None, None)


def test_defect_33_what_a_group_of_ours_owns_can_be_opened_and_closed(house: Context, workspace: LocalWorkspace):
    client = workspace.client()
    client.groups.create(display_name="team33", members=[ComplexValue(value=client.current_user.me().id)])
    for right in ("USE CATALOG ON CATALOG m", "USE SCHEMA ON SCHEMA m.s", "SELECT ON TABLE m.s.items"):
        run_sql(client, f"GRANT {right} TO team33")
    client.shares.create("s33")
    client.shares.update("s33", owner="team33")
    client.recipients.create("r33", AuthenticationType.TOKEN)
    client.recipients.update("r33", owner="team33")
    opened = apply(house, pack(house, 33))
    assert opened.status is COMPLETED, opened.message
    assert the_share(workspace, "s33").readers == ("r33",)
    closed = share(33, recipients=[], recipients_to_remove=["r33"])
    assert apply(house, pack(house, 33, share=[closed])).status is COMPLETED
    assert (the_share(workspace, "s33").readers, the_share(workspace, "s33").owner) == ((), "team33")


def test_defect_34_a_removal_spares_what_is_not_ours_and_what_cannot_be_read(
    house: Context, workspace: LocalWorkspace, metadata: Metadata
):
    client = workspace.client()
    workspace.client("eve@local").current_user.me()
    client.recipients.create("r34", AuthenticationType.TOKEN)
    client.recipients.update("r34", owner="eve@local")
    before = len(workspace.requests())
    theirs = apply(house, removal(house, 34, recipients=["r34"]))
    assert (theirs.status, writes(workspace, before)) == (RunStatus.VALIDATION_FAILED, [])
    assert the_recipient(workspace, "r34").owner == "eve@local"
    apply(house, pack(house, 34, recipient=[partner(34, name="q34")], share=[share(34, recipients=["q34"])]))
    workspace.fail_next("recipients.get", 403, "PERMISSION_DENIED", times=50)
    assert apply(house, removal(house, 34, recipients=["q34"])).status is FAILED
    with metadata.read() as tx:
        row = entities.get(tx, "recipient", "q34")
    assert row and not row.is_deleted
    workspace.parts.control.faults.clear()
    assert the_recipient(workspace, "q34").name == "q34"


def test_defect_35_a_pipeline_that_others_made_or_use_stays(house: Context, workspace: LocalWorkspace):
    client = workspace.client()
    library = PipelineLibrary(notebook=NotebookLibrary("/Shared/theirs"))
    configuration = {"pipelines.source_table": "m.s.items", "pipelines.target_table": "p35"}
    by_hand = client.pipelines.create(
        name="q35", catalog="m", schema="partner", libraries=[library], configuration=configuration
    )
    apply(house, pack(house, 35, share=[fed(35, feed("p35a"), feed("p35b", "m.s.items"))]))
    user = [fed(35, feed("p35b", "m.s.items"), name="s35b")]
    assert apply(house, pack(house, 35, metadata={"project_name": "user"}, share=user)).status is COMPLETED
    run = apply(house, pack(house, 35, share=[fed(35, feed("p35a"))]))
    assert (run.status, sorted(pipelines(workspace, "p35a", "p35b", "q35"))) == (COMPLETED, ["p35a", "p35b", "q35"])
    assert pipelines(workspace, "q35") == {"q35": by_hand.pipeline_id}


def test_defect_36_more_than_a_hundred_objects_go_in_parts(house: Context, workspace: LocalWorkspace):
    client = workspace.client()
    names = [f"m.x36_{number:03d}" for number in range(101)]
    for name in names:
        client.schemas.create(name.partition(".")[2], "m")
    before = len(workspace.requests("shares.update"))
    assert apply(house, pack(house, 36, share=[share(36, *names)])).status is COMPLETED
    assert sorted(one.name for one in the_share(workspace, "s36").objects) == names
    assert len(workspace.requests("shares.update")) - before == 2
