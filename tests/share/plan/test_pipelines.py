"""Pipelines and the jobs that start them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.share.plan.simulated import ME, NOW, assets, named, pack, share, table, tables, world

from brickyard.share.model.current import (
    Claim,
    ObjectKind,
    PipelineSettings,
    PipelineState,
    ScheduleSettings,
    ScheduleState,
    Source,
)
from brickyard.share.model.pack import DeltaShareSpec, PipelineSpec, ScheduleSpec, ShareSpec
from brickyard.share.model.steps import (
    ChangePipeline,
    ChangeSchedule,
    CreatePipeline,
    CreateSchedule,
    CreateSchema,
    DeletePipeline,
    DeleteSchedule,
    EnableChangeFeed,
    ImportLibrary,
    Step,
)
from brickyard.share.plan import plan

A, B = "main.s.a", "main.s.b"
PLACE = DeltaShareSpec(ext_catalog_name="main", ext_schema_name="ext")
DAILY = ScheduleSpec(cron="0 0 6 * * ?", timezone="Europe/Paris")
SETTINGS = PipelineSettings(name="My_%Pipe", source=A, target="a", catalog="main", schema="ext", keys=("id",))
JOB = ScheduleSettings(name="My_%Pipe_schedule", pipeline="My_%Pipe", cron="0 0 6 * * ?", timezone="Europe/Paris")
MADE = frozenset({Claim("pipeline", "sales", "my_%pipe"), Claim("schedule", "sales", "my_%pipe_schedule")})


def spec(**fields: Any) -> PipelineSpec:
    return PipelineSpec(
        **{"name_prefix": "My_%Pipe", "source_asset": A, "schedule": DAILY, "key_columns": ("id",), **fields}
    )


def sales(*pipelines: PipelineSpec, **fields: Any) -> ShareSpec:
    return ShareSpec(
        **{"name": "sales", "share_assets": assets(A), "delta_share": PLACE, "pipelines": pipelines, **fields}
    )


def there(pipeline: PipelineSettings = SETTINGS, job: ScheduleSettings | None = JOB, **fields: Any) -> Any:
    """A workspace in which the pipeline runs already."""
    mark = fields.pop("mark", "p")
    jobs = {job.name.lower(): ScheduleState(job_id=7, settings=job, owner=ME, mark=mark)} if job else {}
    defaults = {
        "pipelines": {pipeline.name.lower(): PipelineState(id="1", settings=pipeline, owner=ME, mark=mark)},
        "schedules": jobs,
        "shares": named(share("sales", objects=(table(A),), readers=("acme",))),
        "sources": {A: Source(name=A, kind=ObjectKind.TABLE, columns=("id",), change_feed=True), **tables(B)},
        "schemas": frozenset({"main.ext"}),
        "library": "new",
        "claims": MADE,
    }
    return world(**{**defaults, **fields})


def steps(*shares: ShareSpec, now: Any) -> tuple[Step, ...]:
    return plan(pack([], shares), now, now=NOW).steps


def test_a_pipeline_comes_with_its_feed_schema_library_and_schedule():
    now = world(sources=tables(A), shares=named(share("sales", objects=(table(A),))))
    assert steps(sales(spec(description="D", tags={"k": "v"}, notification=("x@corp.com",))), now=now) == (
        EnableChangeFeed(A),
        CreateSchema("main", "ext"),
        ImportLibrary("/lib", "new"),
        CreatePipeline(
            PipelineSettings(
                name="My_%Pipe",
                source=A,
                target="a",
                catalog="main",
                schema="ext",
                keys=("id",),
                notifications=("x@corp.com",),
                tags={"k": "v"},
            ),
            "sales",
        ),
        CreateSchedule(
            ScheduleSettings(
                name="My_%Pipe_schedule",
                pipeline="My_%Pipe",
                cron="0 0 6 * * ?",
                timezone="Europe/Paris",
                notifications=("x@corp.com",),
                tags={"k": "v"},
                description="D",
            ),
            "sales",
        ),
    )


def test_a_pipeline_that_is_as_wanted_is_left_alone():
    assert steps(sales(spec()), now=there()) == ()


def test_continuous_is_really_continuous_and_has_no_schedule():
    wanted = sales(spec(schedule=ScheduleSpec(continuous=True)))
    found = steps(wanted, now=there())
    job = there().schedules["my_%pipe_schedule"]
    after = PipelineSettings(
        name="My_%Pipe", source=A, target="a", catalog="main", schema="ext", keys=("id",), continuous=True
    )
    assert found == (ChangePipeline("1", after, SETTINGS), DeleteSchedule(job, "sales"))


def test_a_change_of_cron_or_zone_changes_the_schedule_and_leaves_it_paused():
    paused = ScheduleSettings(name=JOB.name, pipeline=JOB.pipeline, cron="0 0 7 * * ?", timezone="UTC", paused=True)
    wanted = ScheduleSettings(name=JOB.name, pipeline=JOB.pipeline, cron=JOB.cron, timezone="Europe/Paris", paused=True)
    assert steps(sales(spec()), now=there(job=paused)) == (ChangeSchedule(7, wanted, paused),)


def test_another_source_is_refused_or_made_anew_with_its_job():
    now = there()
    wanted = pack([], [sales(spec(source_asset=B), share_assets=assets(A, B))])
    (problem,) = plan(wanted, now, now=NOW).refusals
    assert problem.message == f"the pipeline My_%Pipe copies {A}; its source cannot become {B}"
    found = plan(wanted, now, now=NOW, replace=True)
    kinds = [type(s).__name__ for s in found.steps]
    assert kinds[-4:] == ["DeleteSchedule", "DeletePipeline", "CreatePipeline", "CreateSchedule"]
    assert [loss.irreversible for loss in found.losses] == [True]


def test_a_job_that_does_other_things_is_never_changed_or_deleted():
    other = ScheduleSettings(name=JOB.name, pipeline="", cron="0 0 9 * * ?")
    state = ScheduleState(job_id=7, settings=other, other_tasks=True, mark="p")
    now = there(schedules={JOB.name.lower(): state})
    (problem,) = plan(pack([], [sales(spec())]), now, now=NOW).refusals
    assert problem.message == "the job My_%Pipe_schedule (7) does other things than start this pipeline"
    gone = plan(pack([], [sales(spec(name_prefix="other"))]), now, now=NOW)
    assert [type(s).__name__ for s in gone.steps[-3:]] == ["CreatePipeline", "CreateSchedule", "DeletePipeline"]
    assert "The job My_%Pipe_schedule stays: it does more than start a pipeline." in gone.warnings


def test_the_pipeline_of_a_removed_asset_goes_last_and_only_when_this_pack_made_it():
    wanted = sales(share_assets=assets(B), pipelines=())
    now = there()
    found = plan(pack([], [wanted]), now, now=NOW)
    assert found.steps[-2:] == (
        DeleteSchedule(now.schedules["my_%pipe_schedule"], "sales"),
        DeletePipeline(now.pipelines["my_%pipe"], "sales"),
    )
    assert next(loss for loss in found.losses if loss.irreversible).who == ("acme",)
    unclaimed = plan(pack([], [wanted]), there(claims=frozenset()), now=NOW)
    assert not [s for s in unclaimed.steps if isinstance(s, DeletePipeline | DeleteSchedule)]
    shared = plan(pack([], [wanted]), there(others=MADE), now=NOW)
    assert not [s for s in shared.steps if isinstance(s, DeletePipeline | DeleteSchedule)]
    assert "The pipeline My_%Pipe stays: another share pack needs it." in shared.warnings


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source_asset": "main.s.x"}, "the source main.s.x does not exist, or we may not see it"),
        ({"key_columns": ("idd",)}, "main.s.a has no column idd"),
        ({"ext_catalog_name": "mian"}, "there is no catalog mian"),
        ({"source_asset": "main.s.v"}, "main.s.v is a VIEW, which keeps no changes to copy"),
    ],
)
def test_what_a_pipeline_cannot_stand_on_is_refused(fields: dict[str, Any], message: str):
    view = {"main.s.v": Source(name="main.s.v", kind=ObjectKind.VIEW, columns=("id",))}
    now = world(sources={**tables(A), **view})
    assert [p.message for p in plan(pack([], [sales(spec(**fields))]), now, now=NOW).refusals] == [message]


def test_a_full_refresh_needs_no_change_feed():
    now = world(sources=tables(A))
    found = steps(sales(spec(scd_type="full_refresh", key_columns=())), now=now)
    assert not [s for s in found if isinstance(s, EnableChangeFeed)]


def test_two_pipelines_of_one_name_are_refused():
    other = sales(spec(), name="other")
    (problem,) = plan(pack([], [sales(spec()), other]), world(sources=tables(A)), now=NOW).refusals
    assert problem.message == "the pipeline My_%Pipe is declared twice"


def test_a_pipeline_that_others_made_keeps_its_people_and_tags():
    old = PipelineSettings(
        name="My_%Pipe",
        source=A,
        target="a",
        catalog="main",
        schema="ext",
        keys=("ID",),
        notifications=("jo@corp.com",),
        tags={"team": "x"},
    )
    now = there(pipeline=old, claims=frozenset())
    assert steps(sales(spec()), now=now) == ()
    change = steps(sales(spec(notification=("a@corp.com",), tags={"k": "v"})), now=now)[0]
    assert isinstance(change, ChangePipeline)
    assert (change.settings.notifications, change.settings.tags) == (
        ("a@corp.com", "jo@corp.com"),
        {"team": "x", "k": "v"},
    )


def test_the_prefix_of_a_share_names_targets_that_have_no_name_of_their_own():
    place = DeltaShareSpec(ext_catalog_name="main", ext_schema_name="ext", prefix_assetname="eu")
    now = world(sources=tables(A))
    targets = [
        s.settings.target
        for wanted in (spec(), spec(target_asset="own"))
        for s in steps(sales(wanted, delta_share=place), now=now)
        if isinstance(s, CreatePipeline)
    ]
    assert targets == ["eu_a", "own"]
