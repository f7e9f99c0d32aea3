"""Packs with pipelines: schema, change feed, notebook, pipeline and schedule, each once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from databricks.sdk.errors import NotFound
from tests.share.flow.conftest import Build, apply, pack_of, writes

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.share import flow
from brickyard.share.model.runs import RunStatus
from brickyard.workspace import run_sql


@pytest.fixture
def house(build: Build) -> Context:
    """A house that runs an identical pack again at once."""
    return build(share_repeat_seconds=0)


def fed(**pipeline: Any) -> list[dict[str, Any]]:
    copy = {
        "name_prefix": "orders_copy",
        "source_asset": "m.s.fresh",
        "schedule": {"cron": "0 0 6 * * ?", "timezone": "Europe/Berlin"},
        "key_columns": ["id"],
        "notification": ["ops@acme.com"],
        "tags": {"project": "loyalty"},
        **pipeline,
    }
    target = {"ext_catalog_name": "m", "ext_schema_name": "outside"}
    return [
        {
            "name": "sales",
            "share_assets": [{"name": "m.s.fresh"}],
            "recipients": ["acme"],
            "delta_share": target,
            "pipelines": [copy],
        }
    ]


def test_a_pipeline_is_made_changed_and_taken_away(house: Context, workspace: LocalWorkspace):
    client = workspace.client()
    run_sql(client, "CREATE OR REPLACE TABLE m.s.fresh (id BIGINT)")
    run_sql(client, "DROP SCHEMA IF EXISTS m.outside CASCADE")
    with suppress(NotFound):  # another test may have put it there
        client.workspace.delete(house.queue.settings.share_library_path)
    made = apply(house, pack_of(house, share=fed()))
    assert (made.status, {step.kind for step in made.steps}) == (
        RunStatus.COMPLETED,
        {
            "CreateRecipient",
            "CreateShare",
            "EnableChangeFeed",
            "ChangeObjects",
            "Grant",
            "CreateSchema",
            "ImportLibrary",
            "CreatePipeline",
            "CreateSchedule",
        },
    ), made.message
    before = len(workspace.requests())
    again = apply(house, pack_of(house, share=fed()))
    assert (again.status, again.steps, writes(workspace, before)) == (RunStatus.COMPLETED, (), [])

    later = apply(house, pack_of(house, share=fed(schedule={"cron": "0 0 7 * * ?"}, scd_type="1")))
    assert (later.status, sorted(step.kind for step in later.steps)) == (
        RunStatus.COMPLETED,
        ["ChangePipeline", "ChangeSchedule"],
    ), later.message
    (job,) = client.jobs.list()
    assert job.settings and job.settings.schedule and job.settings.schedule.quartz_cron_expression == "0 0 7 * * ?"

    removal = {"recipients": ["acme"], "shares": ["sales"]}
    gone = apply(house, pack_of(house, metadata={"strategy": "DELETE"}, recipient=[], share=[], removal=removal))
    assert gone.status is RunStatus.COMPLETED, gone.message
    left = [*client.jobs.list(), *client.pipelines.list_pipelines(), *client.shares.list_shares()]
    assert (left, flow.list_packs(house)) == ([], ())
