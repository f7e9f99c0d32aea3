"""What jobs, pipelines and warehouses really do stands in the system tables, row by row."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from databricks.sdk.service import jobs
from databricks.sdk.service.pipelines import NotebookLibrary, PipelineLibrary
from databricks.sdk.service.sql import CreateWarehouseRequestWarehouseType
from databricks.sdk.service.workspace import Language
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.api.documents import Documents
from brickyard.local.api.scim import user_id
from brickyard.local.runs.model import Attempt, Job, Life, Outcome, Run, RunEnded, RunType, TaskKind, TaskSpec, Trigger
from brickyard.local.system.jobs import Starters, attempt_rows, begun, job_row, run_rows
from brickyard.local.system.record import Recorder
from brickyard.local.system.timeline import Period, full_hour, timeline_rows

OWNER = "owner@local"
ME = user_id(OWNER)


def at(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def condition(key, left, right, *after):
    body = jobs.ConditionTask(op=jobs.ConditionTaskOp.EQUAL_TO, left=left, right=right)
    edges = [jobs.TaskDependency(task_key=k, outcome=outcome) for k, outcome in after]
    return jobs.Task(task_key=key, condition_task=body, depends_on=edges or None)


def test_every_change_of_a_job_is_a_version_and_only_changed_tasks_get_one(observed):
    schedule = jobs.CronSchedule(
        quartz_cron_expression="0 0 4 * * ?", timezone_id="UTC", pause_status=jobs.PauseStatus.PAUSED
    )
    client = observed.client
    made = client.jobs.create(
        name="nightly",
        description="d",
        tags={"team": "x"},
        timeout_seconds=60,
        schedule=schedule,
        tasks=[condition("a", "1", "1"), condition("b", "1", "1", ("a", "true"))],
    )
    job_id = made.job_id
    client.jobs.update(job_id, new_settings=jobs.JobSettings(name="renamed"), fields_to_remove=["schedule"])
    client.jobs.reset(job_id, jobs.JobSettings(name="renamed", tasks=[condition("b", "1", "1")]))
    client.jobs.delete(job_id)
    rows = observed.wait("lakeflow.jobs", 4, job_id=str(job_id))
    created = rows[0]["create_time"]
    common = {
        **observed.stamp,
        "job_id": str(job_id),
        "creator_id": ME,
        "run_as": ME,
        "run_as_user_name": OWNER,
        "creator_user_name": OWNER,
        "create_time": created,
        "health_rules": None,
        "deployment": None,
    }
    trigger = {"quartz_cron_expression": "0 0 4 * * ?", "timezone_id": "UTC"}
    kinds = ("file_arrival", "periodic", "continuous", "table_update")
    first = {
        "name": "nightly",
        "description": "d",
        "tags": [("team", "x")],
        "timeout_seconds": 60,
        "trigger": {**dict.fromkeys(kinds), "schedule": trigger},
        "trigger_type": "CRON",
        "paused": True,
        "change_time": created,
        "delete_time": None,
    }
    bare = {"trigger": None, "trigger_type": None, "paused": None}
    second = {**first, **bare, "name": "renamed", "change_time": rows[1]["change_time"]}
    third = {**second, "description": None, "tags": [], "timeout_seconds": None, "change_time": rows[2]["change_time"]}
    last = {**third, "change_time": rows[3]["change_time"], "delete_time": rows[3]["change_time"]}
    assert rows == [{**common, **version} for version in (first, second, third, last)]
    tasks = observed.rows("lakeflow.job_tasks", job_id=str(job_id))
    assert sorted((t["change_time"], t["task_key"], t["depends_on_keys"], t["delete_time"]) for t in tasks) == [
        (rows[0]["change_time"], "a", [], None),
        (rows[0]["change_time"], "b", ["a"], None),
        (rows[2]["change_time"], "a", [], rows[2]["change_time"]),
        (rows[2]["change_time"], "b", [], None),
        (rows[3]["change_time"], "b", [], rows[3]["change_time"]),
    ]


def test_a_run_of_one_task_is_told_with_its_phases_and_its_lineage_names_it(observed):
    path = observed.put("/Shared/writes", "CREATE TABLE main.default.made AS SELECT 1 AS one", Language.SQL)
    task = jobs.Task(task_key="t", notebook_task=jobs.NotebookTask(path, base_parameters={"p": "v"}))
    job = observed.client.jobs.create(
        name="writes", tasks=[task], parameters=[jobs.JobParameterDefinition(name="day", default="1")]
    )
    run = observed.client.jobs.run_now_and_wait(job.job_id, job_parameters={"day": "2"})
    (attempt,) = run.tasks
    (row,) = observed.wait("lakeflow.job_run_timeline", 1, run_id=str(run.run_id))
    setup, execution = attempt.setup_duration // 1000, attempt.execution_duration // 1000
    assert row == {
        **observed.stamp,
        "job_id": str(job.job_id),
        "run_id": str(run.run_id),
        "period_start_time": at(run.start_time),
        "period_end_time": at(run.end_time),
        "trigger_type": "ONETIME",
        "result_state": "SUCCEEDED",
        "run_type": "JOB_RUN",
        "run_name": "writes",
        "compute_ids": [],
        "termination_code": "SUCCESS",
        "job_parameters": [("day", [("value", "2")])],
        "source_task_run_id": None,
        "root_task_run_id": None,
        "compute": None,
        "termination_type": "SUCCESS",
        "setup_duration_seconds": setup,
        "queue_duration_seconds": row["queue_duration_seconds"],
        "run_duration_seconds": (run.end_time - run.start_time) // 1000,
        "cleanup_duration_seconds": 0,
        "execution_duration_seconds": execution,
    }
    (task_row,) = observed.rows("lakeflow.job_task_run_timeline", job_run_id=str(run.run_id))
    assert task_row == {
        **observed.stamp,
        "job_id": str(job.job_id),
        "run_id": str(attempt.run_id),
        "period_start_time": at(attempt.start_time),
        "period_end_time": at(attempt.end_time),
        "task_key": "t",
        "compute_ids": [],
        "result_state": "SUCCEEDED",
        "job_run_id": str(run.run_id),
        "parent_run_id": str(run.run_id),
        "termination_code": "SUCCESS",
        "compute": None,
        "termination_type": "SUCCESS",
        "task_parameters": [("p", [("value", "v")]), ("day", [("value", "2")])],
        "setup_duration_seconds": setup,
        "cleanup_duration_seconds": 0,
        "execution_duration_seconds": execution,
    }
    (history,) = observed.rows("query.history", statement_text="CREATE TABLE main.default.made AS SELECT 1 AS one")
    ids = {"job_id": str(job.job_id), "job_run_id": str(run.run_id), "job_task_run_id": str(attempt.run_id)}
    assert (history["query_source"]["job_info"], history["compute"]["type"]) == (ids, "SERVERLESS_COMPUTE")
    (lineage,) = observed.rows("access.table_lineage", target_table_full_name="main.default.made")
    assert (lineage["entity_type"], lineage["entity_id"], lineage["statement_id"]) == (
        "JOB",
        str(job.job_id),
        history["statement_id"],
    )


def test_the_tasks_of_a_run_end_in_the_words_of_the_timeline(observed):
    missing = jobs.Task(task_key="fails", notebook_task=jobs.NotebookTask("/Shared/no_such_notebook"))
    after = [jobs.TaskDependency("fails")]
    blocked = jobs.Task(task_key="blocked", condition_task=condition("x", "1", "1").condition_task, depends_on=after)
    job = observed.client.jobs.create(
        name="mixed",
        tasks=[condition("asks", "1", "2"), condition("never", "1", "1", ("asks", "true")), missing, blocked],
    )
    waiting = observed.client.jobs.run_now(job.job_id)
    observed.wait("lakeflow.job_run_timeline", 1, run_id=str(waiting.run_id))
    tasks = observed.rows("lakeflow.job_task_run_timeline", job_run_id=str(waiting.run_id))
    told = {t["task_key"]: (t["result_state"], t["termination_code"], t["termination_type"]) for t in tasks}
    assert told["asks"] == ("SUCCEEDED", "SUCCESS", "SUCCESS")
    assert told["never"] == ("SKIPPED", "SKIPPED", "SUCCESS")
    assert told["blocked"] == ("BLOCKED", "SKIPPED", "CLIENT_ERROR")
    assert told["fails"][0] in ("FAILED", "ERROR")
    (run,) = observed.rows("lakeflow.job_run_timeline", run_id=str(waiting.run_id))
    phases = [run[f"{name}_duration_seconds"] for name in ("queue", "setup", "execution", "cleanup")]
    assert (run["result_state"], run["termination_code"], phases) == ("FAILED", "RUN_EXECUTION_ERROR", [0, 0, 0, 0])


def test_a_run_that_a_task_started_names_that_task(observed):
    child = observed.client.jobs.create(name="child", tasks=[condition("c", "1", "1")])
    task = jobs.Task(task_key="calls", run_job_task=jobs.RunJobTask(child.job_id))
    parent = observed.client.jobs.create(name="parent", tasks=[task])
    run = observed.client.jobs.run_now_and_wait(parent.job_id)
    (row,) = observed.wait("lakeflow.job_run_timeline", 1, job_id=str(child.job_id))
    calls = str(run.tasks[0].run_id)
    assert (row["trigger_type"], row["source_task_run_id"], row["root_task_run_id"]) == ("RUN_JOB_TASK", calls, calls)


def test_a_run_over_the_limit_is_told_as_skipped(observed):
    path = observed.put("/Shared/sleeps", "import time; time.sleep(30)")
    task = jobs.Task(task_key="t", notebook_task=jobs.NotebookTask(path))
    job = observed.client.jobs.create(name="one at a time", tasks=[task])
    first = observed.client.jobs.run_now(job.job_id)
    second = observed.client.jobs.run_now(job.job_id)
    observed.client.jobs.cancel_run(first.run_id)
    rows = observed.wait("lakeflow.job_run_timeline", 2, job_id=str(job.job_id))
    told = {row["run_id"]: (row["result_state"], row["termination_code"]) for row in rows}
    assert told == {
        str(first.run_id): ("CANCELLED", "CANCELLED"),
        str(second.run_id): ("SKIPPED", "MAX_CONCURRENT_RUNS_EXCEEDED"),
    }


def test_a_pipeline_and_its_updates(observed):
    observed.sql("CREATE TABLE main.default.numbers AS SELECT 1 AS one")
    text = "CREATE OR REFRESH MATERIALIZED VIEW ones AS SELECT one FROM main.default.numbers"
    library = PipelineLibrary(notebook=NotebookLibrary(observed.put("/Shared/declares", text, Language.SQL)))
    client = observed.client
    settings = {"name": "p", "catalog": "main", "schema": "default", "libraries": [library], "serverless": True}
    made = client.pipelines.create(**settings, configuration={"k": "v"}, tags={"t": "u"})
    task = jobs.Task(task_key="refresh", pipeline_task=jobs.PipelineTask(made.pipeline_id, full_refresh=True))
    job = client.jobs.create(name="refresher", tasks=[task])
    run = client.jobs.run_now_and_wait(job.job_id)
    (update,) = client.pipelines.list_updates(made.pipeline_id).updates
    (row,) = observed.wait("lakeflow.pipeline_update_timeline", 1, pipeline_id=made.pipeline_id)
    calls = {"job_id": str(job.job_id), "job_task_run_id": str(run.tasks[0].run_id), "performance_target": None}
    assert row == {
        **observed.stamp,
        "pipeline_id": made.pipeline_id,
        "update_id": update.update_id,
        "update_type": "FULL_REFRESH",
        "request_id": update.update_id,
        "run_as_user_name": OWNER,
        "trigger_type": "JOB_TASK",
        "trigger_details": {"job_task": calls},
        "result_state": "COMPLETED",
        "compute": None,
        "period_start_time": row["period_start_time"],
        "period_end_time": row["period_end_time"],
        "refresh_selection": [],
        "full_refresh_selection": [],
        "reset_checkpoint_selection": [],
    }
    assert observed.rows("lakeflow.job_run_timeline", run_name="p") == []
    lineage = observed.rows("access.table_lineage", entity_id=made.pipeline_id)
    assert {(r["entity_type"], r["entity_run_id"]) for r in lineage} == {("PIPELINE", update.update_id)}
    assert ("main.default.ones", "MATERIALIZED_VIEW") in {
        (r["target_table_full_name"], r["target_type"]) for r in lineage
    }
    client.pipelines.update(made.pipeline_id, **{**settings, "name": "q"})
    client.pipelines.delete(made.pipeline_id)
    rows = observed.rows("lakeflow.pipelines", pipeline_id=made.pipeline_id)
    first = {
        **observed.stamp,
        "pipeline_id": made.pipeline_id,
        "pipeline_type": "ETL_PIPELINE",
        "name": "p",
        "created_by": OWNER,
        "run_as": ME,
        "tags": [("t", "u")],
        "settings": {
            "photon": False,
            "development": False,
            "continuous": False,
            "serverless": True,
            "edition": "ADVANCED",
            "channel": "CURRENT",
        },
        "configuration": [("k", "v")],
        "change_time": rows[0]["create_time"],
        "delete_time": None,
        "create_time": rows[0]["create_time"],
    }
    edited = {**first, "name": "q", "tags": [], "configuration": [], "change_time": rows[1]["change_time"]}
    gone = {**edited, "change_time": rows[2]["change_time"], "delete_time": rows[2]["change_time"]}
    assert rows == [first, edited, gone]


def test_a_warehouse_and_what_becomes_of_it(observed):
    client = observed.client
    kind = CreateWarehouseRequestWarehouseType.PRO
    made = client.warehouses.create(
        name="w", cluster_size="Medium", max_num_clusters=2, auto_stop_mins=10, warehouse_type=kind
    )
    client.warehouses.stop(made.id)
    client.warehouses.start(made.id)
    client.warehouses.edit(made.id, name="w", cluster_size="Large")
    client.warehouses.edit(made.id, name="w", cluster_size="Large")
    client.warehouses.delete(made.id)
    events = observed.rows("compute.warehouse_events", warehouse_id=made.id)
    up, down = [("STARTING", 0), ("RUNNING", 1)], [("STOPPING", 0), ("STOPPED", 0)]
    assert sorted((e["event_type"], e["cluster_count"]) for e in events) == sorted([*up, *down, *up, *down])
    rows = observed.rows("compute.warehouses", warehouse_id=made.id)
    first = {
        **observed.stamp,
        "warehouse_id": made.id,
        "warehouse_name": "w",
        "warehouse_type": "PRO",
        "warehouse_channel": "CURRENT",
        "warehouse_size": "MEDIUM",
        "min_clusters": 1,
        "max_clusters": 2,
        "auto_stop_minutes": 10,
        "tags": [],
        "change_time": rows[0]["change_time"],
        "delete_time": None,
        "created_by": OWNER,
    }
    edited = {**first, "warehouse_size": "LARGE", "change_time": rows[1]["change_time"]}
    gone = {**edited, "change_time": rows[2]["change_time"], "delete_time": rows[2]["change_time"]}
    assert rows == [first, edited, gone]


def test_the_workspace_its_machine_and_its_own_warehouse(observed):
    (workspace,) = observed.rows("access.workspaces_latest")
    made = {"create_time": workspace["create_time"], "workspace_name": "workspace", "status": "RUNNING"}
    assert workspace == {**observed.stamp, **made, "workspace_url": observed.workspace.host}
    (machine,) = observed.client.clusters.list_node_types().node_types
    (node,) = observed.rows("compute.node_types")
    told = {"core_count": machine.num_cores, "memory_mb": machine.memory_mb, "gpu_count": None}
    assert node == {"account_id": observed.stamp["account_id"], "node_type": machine.node_type_id, **told}
    own = observed.workspace.parts.warehouses.default_id
    assert [row["warehouse_name"] for row in observed.rows("compute.warehouses", warehouse_id=own)] == [
        "Local warehouse"
    ]
    events = [row["event_type"] for row in observed.rows("compute.warehouse_events", warehouse_id=own)]
    assert events == ["STARTING", "RUNNING"]


HOUR = 3_600_000
TASK = TaskSpec("t", TaskKind.CONDITION, {})


def long_run(**values):
    named = {"settings": {}, "tasks": (TASK,), "number_in_job": 1, "created": 0, "life": Life.TERMINATED}
    return Run(9, 8, RunType.JOB, "long", OWNER, OWNER, **{**named, "outcome": Outcome.SUCCESS, **values})


def test_a_long_run_is_told_hour_by_hour_and_only_the_last_slice_says_how_it_ended():
    run = long_run(created=HOUR // 2, started=HOUR // 2 + 5000, ended=HOUR * 2 + 1, trigger=Trigger.PERIODIC)
    attempt = Attempt(7, 9, "t", 0, Life.TERMINATED, Outcome.SUCCESS, started=HOUR // 2 + 5000, ended=HOUR * 2 + 1)
    rows = list(run_rows(run, [attempt], Starters(), Period(run.created, run.ended)))
    periods = [(row["period_start_time"], row["period_end_time"], row.get("result_state")) for row in rows]
    assert periods == [
        (at(HOUR // 2), at(HOUR), None),
        (at(HOUR), at(2 * HOUR), None),
        (at(2 * HOUR), at(2 * HOUR + 1), "SUCCEEDED"),
    ]
    assert {row["trigger_type"] for row in rows} == {"CRON"}
    assert [row.get("queue_duration_seconds") for row in rows] == [None, None, 5]
    assert len(list(attempt_rows(run, attempt, Period(attempt.started, attempt.ended)))) == 3


@pytest.mark.parametrize(
    ("code", "state"), [("DRIVER_ERROR", "ERROR"), ("RUN_EXECUTION_ERROR", "FAILED"), ("", "FAILED")]
)
def test_a_lost_driver_is_an_error_and_not_a_failed_task(code, state):
    attempt = Attempt(7, 9, "t", 0, Life.INTERNAL_ERROR, Outcome.FAILED, code=code, started=1, ended=2)
    (row,) = attempt_rows(long_run(), attempt, Period(1, 2))
    assert (row["result_state"], row["termination_code"]) == (state, code or "RUN_EXECUTION_ERROR")


def test_a_repaired_run_is_told_again_from_its_repair_on():
    run = long_run(created=0, started=0, ended=9000, repaired=5000)
    (row,) = run_rows(run, [], Starters(), Period(begun(run), run.ended))
    assert (row["period_start_time"], row["period_end_time"], row["run_duration_seconds"]) == (at(5000), at(9000), 4)


def test_several_triggers_are_told_as_multiple():
    settings = {"schedule": {"quartz_cron_expression": "x"}, "continuous": {"pause_status": "PAUSED"}}
    row = job_row(Job(1, OWNER, 0, settings), 5)
    assert (row["trigger"], row["trigger_type"], row["paused"]) == (None, "MULTIPLE", False)


def test_the_hours_of_what_still_runs_are_told_while_it_runs(observed, tmp_path):
    path = observed.put("/Shared/goes_on", "import time; time.sleep(60)")
    job = observed.client.jobs.create(
        name="goes on", tasks=[jobs.Task(task_key="t", notebook_task=jobs.NotebookTask(path))]
    )
    run = observed.client.jobs.run_now(job.job_id)
    recorder = observed.workspace.parts.recorder
    store = recorder.runs.store
    while store.latest(run.run_id)["t"].started is None:
        time.sleep(0.01)
    attempt = store.latest(run.run_id)["t"]
    begun = store.run(run.run_id).created
    hours = [full_hour(begun) + n * HOUR for n in (1, 2, 3)]
    later = replace(recorder, told=Documents(tmp_path / "told.json"), clock=lambda: at(hours[1] + 5))
    for _ in range(2):
        later.tick()
    replace(later, clock=lambda: at(hours[2])).tick()
    for id_, since, table in (
        (run.run_id, begun, "lakeflow.job_run_timeline"),
        (attempt.task_run_id, attempt.started, "lakeflow.job_task_run_timeline"),
    ):
        rows = observed.rows(table, run_id=str(id_))
        periods = [(row["period_start_time"], row["period_end_time"], row["result_state"]) for row in rows]
        ends = [since, *hours]
        assert periods == [(at(start), at(end), None) for start, end in pairwise(ends)]
    ended = replace(store.run(run.run_id), ended=hours[2] + 7, outcome=Outcome.SUCCESS)
    later.changed(RunEnded(ended))
    last = observed.rows("lakeflow.job_run_timeline", run_id=str(run.run_id))[-1]
    assert (last["period_start_time"], last["period_end_time"], last["result_state"], last["run_duration_seconds"]) == (
        at(hours[2]),
        at(hours[2] + 7),
        "SUCCEEDED",
        (hours[2] + 7 - begun) // 1000,
    )
    observed.client.jobs.cancel_run(run.run_id)


moments = st.integers(0, 10 * HOUR)


@given(begun=moments, lasted=moments, ticks=st.lists(moments, max_size=6))
def test_a_run_has_the_same_slices_whenever_its_hours_are_looked_at(tmp_path_factory, begun, lasted, ticks):
    ended = begun + lasted
    recorder = Recorder(None, Documents(tmp_path_factory.mktemp("told") / "told.json"), None, None)
    periods = [recorder._hours(7, begun, full_hour(tick)) for tick in sorted(ticks) if begun <= tick <= ended]
    periods.append(recorder._last(7, begun, ended))
    rows = [row for period in periods if period for row in timeline_rows(period, {}, {"result_state": "SUCCEEDED"})]
    whole = list(timeline_rows(Period(begun, ended), {}, {"result_state": "SUCCEEDED"}))
    if lasted and ended == full_hour(ended) and len(rows) > len(whole):  # told to the end before it ended there
        assert rows[-1] == {"period_start_time": at(ended), "period_end_time": at(ended), "result_state": "SUCCEEDED"}
        rows, whole = rows[:-1], [{k: v for k, v in row.items() if k != "result_state"} for row in whole]
    assert rows == whole
    assert recorder.told.items() == []
