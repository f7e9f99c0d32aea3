"""DELETE packs: what they name goes, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.share.plan.simulated import ME, NOW, named, pack, recipient, share, table, world

from brickyard.share.model.current import (
    Claim,
    PipelineSettings,
    PipelineState,
    ScheduleSettings,
    ScheduleState,
)
from brickyard.share.model.pack import Removal
from brickyard.share.model.steps import DeletePipeline, DeleteRecipient, DeleteSchedule, DeleteShare
from brickyard.share.plan import plan


def removing(**fields: Any):
    return pack(strategy="DELETE").model_copy(update={"removal": Removal(**fields)})


def pipeline(name: str) -> PipelineState:
    settings = PipelineSettings(name=name, source="main.s.a", target="a", catalog="main", schema="ext")
    return PipelineState(id=name, settings=settings, owner=ME, mark="p")


def job(name: str) -> ScheduleState:
    return ScheduleState(
        job_id=1, settings=ScheduleSettings(name=f"{name}_schedule", pipeline=name, cron="0 0 6 * * ?"), mark="p"
    )


SALES = share("Sales", objects=(table("main.s.a"),), readers=("acme",))
WORLD = {
    "recipients": named(recipient("acme")),
    "shares": named(SALES),
    "pipelines": {name: pipeline(name) for name in ("named", "ours", "others")},
    "schedules": {f"{name}_schedule": job(name) for name in ("named", "ours", "others")},
}
MINE = frozenset({Claim("pipeline", "sales", "ours"), Claim("pipeline", "else", "others")})


def test_named_things_go_with_the_pipelines_that_this_pack_made_for_the_share():
    wanted = removing(recipients=("ACME", "gone"), shares=("sales",), pipelines={"sales": ("named",)})
    now = world(**WORLD, claims=MINE)
    found = plan(wanted, now, now=NOW)
    assert found.steps == (
        DeleteSchedule(now.schedules["named_schedule"], "sales"),
        DeleteSchedule(now.schedules["ours_schedule"], "sales"),
        DeletePipeline(now.pipelines["named"], "sales"),
        DeletePipeline(now.pipelines["ours"], "sales"),
        DeleteShare("Sales", SALES),
        DeleteRecipient("acme", now.recipients["acme"]),
    )
    assert found.warnings == ("There is no recipient gone to delete.",)
    assert {name for loss in found.losses for name in loss.who} == {"acme"}


def test_what_another_pack_needs_stays():
    others = frozenset(
        {Claim("object", "sales", "main.s.a"), Claim("reader", "x", "acme"), Claim("pipeline", "x", "named")}
    )
    wanted = removing(recipients=("acme",), shares=("sales",), pipelines={"sales": ("named",)})
    found = plan(wanted, world(**WORLD, others=others), now=NOW)
    assert found.steps == ()
    assert found.warnings == (
        "The pipeline named stays: another share pack needs it.",
        "The share Sales stays: another share pack needs it.",
        "The recipient acme stays: another share pack needs it.",
    )


def test_what_somebody_else_owns_is_refused_unless_it_is_adopted():
    theirs = recipient("acme", mark=None, owner="jo@corp.com")
    now = world(recipients=named(theirs))
    wanted = removing(recipients=("acme",))
    (problem,) = plan(wanted, now, now=NOW).refusals
    assert problem.message == "the recipient acme exists and belongs to jo@corp.com"
    adopted = plan(wanted, now, now=NOW, adopt=True)
    assert (adopted.refusals, adopted.steps) == ((), (DeleteRecipient("acme", theirs),))


def test_a_job_that_does_more_stays():
    state = ScheduleState(job_id=1, settings=job("named").settings, other_tasks=True, mark="p")
    now = world(pipelines={"named": pipeline("named")}, schedules={"named_schedule": state})
    found = plan(removing(pipelines={"sales": ("named",)}), now, now=NOW)
    assert [type(step).__name__ for step in found.steps] == ["DeletePipeline"]
    assert found.warnings == ("The job named_schedule stays: it does more than start a pipeline.",)


def test_a_pipeline_that_goes_says_that_its_table_goes_with_it():
    found = plan(removing(shares=("sales",)), world(**WORLD, claims=MINE), now=NOW)
    said = [(loss.what, loss.who, loss.irreversible) for loss in found.losses if "the pipeline ours" in loss.what]
    assert said == [("the pipeline ours is deleted, and with it the table main.ext.a", ("acme",), True)]
