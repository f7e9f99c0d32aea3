"""A write whose reply is lost is found, not done twice."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from tests.share.flow.conftest import bring, writes

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.share import flow
from brickyard.share.model.current import (
    ObjectKind,
    OidcPolicy,
    PipelineSettings,
    PipelineState,
    ScheduleSettings,
    ScheduleState,
    SharedObject,
    ShareState,
)
from brickyard.share.model.pack import RecipientType, Strategy
from brickyard.share.model.runs import RunKind, RunRecord, RunStatus
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeObjects,
    ChangePipeline,
    ChangeRecipient,
    ChangeSchedule,
    ChangeShare,
    CreatePipeline,
    CreateRecipient,
    CreateSchedule,
    CreateSchema,
    CreateShare,
    DeletePipeline,
    DeleteRecipient,
    DeleteSchedule,
    DeleteShare,
    EnableChangeFeed,
    Grant,
    ImportLibrary,
    Plan,
    RemovePolicy,
    Revoke,
    RotateToken,
    Step,
)
from brickyard.share.observe.library import shipped
from brickyard.share.observe.recipients import recipient
from brickyard.share.store import documents, runs

ORDERS = SharedObject(name="m.s.orders", kind=ObjectKind.TABLE)
POLICY = OidcPolicy("https://login.example.com", "sub", "beta", ("share",))
PIPELINE = PipelineSettings(
    name="feed_%_copy", source="m.s.feed", target="feed", catalog="m", schema="partner", keys=("id",)
)
SCHEDULE = ScheduleSettings(name="feed_schedule", pipeline="feed_%_copy", cron="0 0 6 * * ?")
MUTATES = {
    CreateRecipient: "recipients.create",
    CreateShare: "shares.create",
    ChangeObjects: "shares.update",
    Grant: "shares.update_permissions",
    AddPolicy: "recipient_federation_policies.create",
    CreatePipeline: "pipelines.create",
}
PATH = "/Shared/brickyard/share/pipelines"


def do(house: Context, *steps: Step) -> RunRecord:
    """Do these steps in a run of their own."""
    plan = Plan(strategy=Strategy.UPDATE, steps=steps)
    with house.metadata.transaction() as tx:
        run_id = str(uuid4())
        document = documents.plan_document(plan)
        runs.create(
            tx,
            run_id,
            RunKind.DIRECT,
            at=house.clock(),
            by=house.actor,
            workspace=house.workspaces.host or "",
            plan=document,
        )
    return bring(house, run_id)


MADE: list[tuple[str, tuple[Step, ...], Step]] = [
    ("recipients.create", (), CreateRecipient(name="acme", type=RecipientType.D2O, expires_in_days=30)),
    ("shares.create", (), CreateShare("sales", "for acme")),
    ("shares.update", (CreateShare("sales"),), ChangeShare("sales", "new words", "")),
    ("shares.update", (CreateShare("sales"),), ChangeObjects(share="sales", add=(ORDERS,))),
    (
        "shares.update",
        (CreateShare("sales"), ChangeObjects(share="sales", add=(ORDERS,))),
        ChangeObjects(share="sales", remove=(ORDERS,)),
    ),
    (
        "shares.update_permissions",
        (CreateRecipient(name="acme", type=RecipientType.D2O), CreateShare("sales")),
        Grant("sales", ("acme",)),
    ),
    (
        "shares.update_permissions",
        (CreateRecipient(name="acme", type=RecipientType.D2O), CreateShare("sales"), Grant("sales", ("acme",))),
        Revoke("sales", ("acme",)),
    ),
    (
        "recipient_federation_policies.create",
        (CreateRecipient(name="beta", type=RecipientType.OIDC),),
        AddPolicy("beta", POLICY),
    ),
    (
        "recipient_federation_policies.delete",
        (CreateRecipient(name="beta", type=RecipientType.OIDC), AddPolicy("beta", POLICY)),
        RemovePolicy("beta", POLICY),
    ),
    ("shares.delete", (CreateShare("sales"),), DeleteShare("sales", ShareState(name="sales", owner=""))),
    ("schemas.create", (), CreateSchema("m", "fresh")),
    ("statements.execute", (), EnableChangeFeed("m.s.items")),
    ("workspace.import", (), ImportLibrary(PATH, shipped())),
    ("pipelines.create", (), CreatePipeline(PIPELINE)),
    ("pipelines.delete", (CreatePipeline(PIPELINE),), DeletePipeline(PipelineState(id="", settings=PIPELINE))),
    ("jobs.create", (CreatePipeline(PIPELINE),), CreateSchedule(SCHEDULE)),
]


@pytest.mark.parametrize(("operation", "ground", "step"), MADE, ids=[type(made[2]).__name__ for made in MADE])
def test_a_lost_reply_makes_no_duplicate(
    house: Context, workspace: LocalWorkspace, operation: str, ground: tuple[Step, ...], step: Step
):
    client = workspace.client()
    if any(schema.name == "fresh" for schema in client.schemas.list("m")):
        client.schemas.delete("m.fresh")
    before = len(workspace.requests())
    lost = 1 + sum(MUTATES.get(type(one)) == operation for one in ground)
    workspace.drop_reply(operation, times=lost)
    run = do(house, *ground, step)
    assert (run.status, [one.adopted for one in run.steps][-1]) == (RunStatus.COMPLETED, True), run.message
    mine = [one for one in writes(workspace, before) if one == operation]
    assert len(mine) == lost


def test_a_rotation_whose_reply_was_lost_makes_one_token_and_keeps_its_link(house: Context, workspace: LocalWorkspace):
    do(house, CreateRecipient(name="acme", type=RecipientType.D2O))
    there = recipient(workspace.client(), "acme")
    assert there
    flow.deliver(house, "acme")
    before = len(workspace.requests("recipients.rotate_token"))
    workspace.drop_reply("recipients.rotate_token")
    run = do(house, RotateToken("acme", 3600, there.tokens[0].id))
    now = recipient(workspace.client(), "acme")
    assert (run.status, len(workspace.requests("recipients.rotate_token")) - before) == (RunStatus.COMPLETED, 1)
    assert now and there.tokens[0].id != now.tokens[-1].id
    assert flow.deliver(house, "acme").link.startswith("http")


def test_a_change_whose_reply_was_lost_is_found(house: Context, workspace: LocalWorkspace):
    do(house, CreateRecipient(name="acme", type=RecipientType.D2O))
    there = recipient(workspace.client(), "acme")
    assert there
    before = len(workspace.requests())
    workspace.drop_reply("recipients.update")
    step = ChangeRecipient(
        name="acme", comment="new", ip_addresses=("10.0.0.1/32",), properties={"k": "v"}, before=there
    )
    run = do(house, step)
    assert (run.status, writes(workspace, before)) == (RunStatus.COMPLETED, ["recipients.update"])
    gone = do(house, DeleteRecipient("acme", there))
    assert gone.status is RunStatus.COMPLETED


def test_pipelines_and_schedules_are_changed_and_removed_once(house: Context, workspace: LocalWorkspace):
    made = do(house, CreatePipeline(PIPELINE), CreateSchedule(SCHEDULE))
    client = workspace.client()
    (pipeline,), (job,) = list(client.pipelines.list_pipelines()), list(client.jobs.list())
    assert (made.status, pipeline.name) == (RunStatus.COMPLETED, PIPELINE.name)
    before = len(workspace.requests())
    for operation in ("pipelines.update", "jobs.update", "jobs.delete", "pipelines.delete"):
        workspace.drop_reply(operation)
    renamed = replace(PIPELINE, notifications=("ops@acme.com",))
    later = replace(SCHEDULE, cron="0 0 7 * * ?", paused=True)
    run = do(
        house,
        ChangePipeline(pipeline.pipeline_id or "", renamed, PIPELINE),
        ChangeSchedule(job.job_id or 0, later, SCHEDULE),
        DeleteSchedule(ScheduleState(job_id=job.job_id or 0, settings=later)),
        DeletePipeline(PipelineState(id=pipeline.pipeline_id or "", settings=renamed)),
    )
    assert (run.status, [one.adopted for one in run.steps]) == (RunStatus.COMPLETED, [True] * 4), run.message
    assert writes(workspace, before) == ["pipelines.update", "jobs.update", "jobs.delete", "pipelines.delete"]
