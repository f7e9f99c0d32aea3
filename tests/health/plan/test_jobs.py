"""The job follows from the contracts: its order, its phases, its schedule and who is told."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from ruamel.yaml import YAML

from brickyard.health import job
from brickyard.health.flow.terms import Phase
from brickyard.health.plan.compile import compile_all, depends_on
from brickyard.health.plan.jobs import HEAD, KEY, By, Target, Wanted, as_yaml, resource, settings, tasks

DEV = Wanted(Target.DEV, "system_health", "system")


def test_dev_is_paused_and_prod_runs_at_four():
    found = {target: settings(compile_all(), Wanted(target, "g", "s"))["schedule"] for target in Target}
    assert found == {
        Target.DEV: {"quartz_cron_expression": "0 0 4 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
        Target.PROD: {"quartz_cron_expression": "0 0 4 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"},
    }


def test_the_job_is_limited_tagged_and_tells_of_its_start_and_end():
    found = settings(compile_all(), Wanted(Target.PROD, "g", "s", emails=("a@example.com",)))
    mail = ["a@example.com"]
    assert found["email_notifications"] == {"on_start": mail, "on_success": mail, "on_failure": mail}
    assert (found["timeout_seconds"], found["max_concurrent_runs"]) == (14400, 1)
    assert found["tags"] == {"product": "brickyard", "room": "health", "layer": "gold", "target": "prod"}
    assert found["environments"][0]["spec"]["dependencies"] == ["../dist/*.whl"]


@pytest.mark.parametrize("by", By)
def test_a_table_comes_after_what_it_needs(by: By):
    gold = compile_all()
    found = {task["task_key"]: [one["task_key"] for one in task.get("depends_on", ())] for task in tasks(gold, by)}
    order = list(TopologicalSorter(found).static_order())
    assert (order[0], order[-1]) == ("bronze", "reconcile")
    for table in gold:
        mine, others = key(table.table, by), [key(other, by) for other in depends_on(table.contract)]
        assert all(order.index(other) <= order.index(mine) for other in others)


def key(table: str, by: By) -> str:
    return table.replace(".", "_") if by is By.TABLE else table.partition(".")[0]


def test_every_table_has_a_task():
    assert len(tasks(compile_all(), By.TABLE)) == len(list(compile_all())) + 2


def test_the_proof_runs_whatever_failed_and_ends_the_job():
    found = tasks(compile_all())
    waited_for = {one["task_key"] for task in found for one in task.get("depends_on", ())}
    assert found[-1]["run_if"] == "ALL_DONE"
    assert {task["task_key"] for task in found} - waited_for == {"reconcile"}


def test_every_task_calls_the_entry_point_with_arguments_that_it_takes():
    for task in [*tasks(compile_all()), *tasks(compile_all(), By.TABLE)]:
        wheel = task["python_wheel_task"]
        assert (wheel["package_name"], wheel["entry_point"]) == ("brickyard", "brickyard-health-job")
        filled = [argument.split("={{")[0] + "=" if "={{" in argument else argument for argument in wheel["parameters"]]
        assert job.order(filled).phase in (Phase.BRONZE, Phase.GOLD, "reconcile")


def test_the_file_is_the_resource_under_its_key():
    document = resource(compile_all(), DEV)
    text = as_yaml(document)
    assert text.startswith(HEAD)
    assert YAML(typ="safe").load(text) == document
    assert list(document["resources"]["jobs"]) == [KEY] == ["gold_merge_job"]
    assert "&id" not in text


def test_an_empty_argument_is_none():
    found = job.order(["--phase=gold", "--domain=billing", "--catalog=", "--as-of=", "--run-id=7"])
    assert found == job.Order("gold", (), ("billing",), None, None, "7", None)
