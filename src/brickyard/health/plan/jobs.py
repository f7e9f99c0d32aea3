"""The Databricks job of the gold layer: its tasks in the order that the contracts ask for, as a bundle's resource. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Any

from ruamel.yaml import YAML

from brickyard.health.plan.compile import Gold, depends_on

KEY = "gold_merge_job"
HEAD = "# Made by `brickyard health job` from the contracts of the gold tables; make it again rather than edit it.\n"
PACKAGE, ENTRY = "brickyard", "brickyard-health-job"
WHEEL = "../dist/*.whl"
TIMEOUT_SECONDS = 4 * 3600
SCHEDULE = "0 0 4 * * ?"  # daily at 04:00
_ENVIRONMENT, _VERSION = "health", "3"
_ME = "${workspace.current_user.userName}"


class Target(StrEnum):
    """The target of the bundle; only in production does the schedule run."""

    DEV = "dev"
    PROD = "prod"


class By(StrEnum):
    """Whether a task is a domain (fewer cold starts) or a table (finer repair)."""

    DOMAIN = "domain"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the job is made for."""

    target: Target
    catalog: str
    source_catalog: str
    by: By = By.DOMAIN
    emails: tuple[str, ...] = (_ME,)
    wheel: str = WHEEL


def resource(gold: Gold, wanted: Wanted) -> dict[str, Any]:
    """Return the bundle's resource file as plain data."""
    return {"resources": {"jobs": {KEY: settings(gold, wanted)}}}


def settings(gold: Gold, wanted: Wanted) -> dict[str, Any]:
    """Return the job's settings, as the Jobs API takes them."""
    return {
        "name": f"Brickyard health: gold merge ({wanted.target})",
        "description": "Copies what is new in the system tables, merges the gold layer, and proves the bill. Made by `brickyard health job`.",
        "tags": {"product": "brickyard", "room": "health", "layer": "gold", "target": wanted.target.value},
        "timeout_seconds": TIMEOUT_SECONDS,
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "schedule": {
            "quartz_cron_expression": SCHEDULE,
            "timezone_id": "UTC",
            "pause_status": "PAUSED" if wanted.target is Target.DEV else "UNPAUSED",
        },
        "email_notifications": {when: list(wanted.emails) for when in ("on_start", "on_success", "on_failure")},
        "parameters": [
            {"name": "catalog", "default": wanted.catalog},
            {"name": "source_catalog", "default": wanted.source_catalog},
            {"name": "as_of", "default": ""},
        ],
        "environments": [
            {
                "environment_key": _ENVIRONMENT,
                "spec": {"environment_version": _VERSION, "dependencies": [wanted.wheel]},
            }
        ],
        "tasks": tasks(gold, wanted.by),
    }  # fmt: skip


def tasks(gold: Gold, by: By = By.DOMAIN) -> list[dict[str, Any]]:
    """Return the tasks: bronze first, then what each gold table needs before the table, the proof last and always."""
    needs = graph(gold, by)
    order = list(TopologicalSorter(needs).static_order())
    merges = [
        _task(_key(name), _merge(name, by), [_key(n) for n in sorted(needs[name])] or ["bronze"]) for name in order
    ]
    last = {_key(name) for name in order} - {_key(n) for before in needs.values() for n in before}
    proof = _task("reconcile", ["--phase=reconcile"], sorted(last))
    return [_task("bronze", ["--phase=bronze"], []), *merges, {**proof, "run_if": "ALL_DONE"}]


def graph(gold: Gold, by: By) -> dict[str, frozenset[str]]:
    """Say of every domain or table which others come before it; domains that need each other are refused by the sorter."""
    found: dict[str, set[str]] = {}
    for table in gold:
        before = found.setdefault(_name(table.table, by), set())
        before |= {_name(other, by) for other in depends_on(table.contract) if other in gold.tables}
    return {name: frozenset(before - {name}) for name, before in found.items()}


def _name(table: str, by: By) -> str:
    return table if by is By.TABLE else table.partition(".")[0]


def _merge(name: str, by: By) -> list[str]:
    return ["--phase=gold", f"--{by}={name}"]


def _key(name: str) -> str:
    return name.replace(".", "_")


def _task(key: str, parameters: Sequence[str], after: Iterable[str]) -> dict[str, Any]:
    common = [
        "--catalog={{job.parameters.catalog}}",
        "--source-catalog={{job.parameters.source_catalog}}",
        "--as-of={{job.parameters.as_of}}",
        "--run-id={{job.run_id}}",
    ]
    task: dict[str, Any] = {"task_key": key}
    depends = [{"task_key": one} for one in after]
    if depends:
        task["depends_on"] = depends
    task["environment_key"] = _ENVIRONMENT
    task["python_wheel_task"] = {
        "package_name": PACKAGE, "entry_point": ENTRY, "parameters": [*parameters, *common],
    }  # fmt: skip
    return task


def as_yaml(document: Mapping[str, Any]) -> str:
    """Write the resource file."""
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(dict(document), text)
    return HEAD + text.getvalue()
