"""Jobs, runs and outputs as the Jobs API answers them: both `state` and `status`, times in ms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from brickyard.local.runs import output
from brickyard.local.runs.model import Attempt, Job, JsonObject, Life, Outcome, Phase, Run, RunType, TaskKind
from brickyard.local.runs.settings import parameter_defaults

PAGE = 100
_LISTS = ("tasks", "job_clusters", "environments", "parameters")
_CODES: Mapping[Outcome, tuple[str, str]] = {
    Outcome.SUCCESS: ("SUCCESS", "SUCCESS"),
    Outcome.SUCCESS_WITH_FAILURES: ("SUCCESS_WITH_FAILURES", "SUCCESS"),
    Outcome.FAILED: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    Outcome.TIMEDOUT: ("CANCELED", "CLIENT_ERROR"),
    Outcome.CANCELED: ("USER_CANCELED", "CLIENT_ERROR"),
    Outcome.EXCLUDED: ("SKIPPED", "SUCCESS"),
    Outcome.UPSTREAM_FAILED: ("SKIPPED", "CLIENT_ERROR"),
    Outcome.UPSTREAM_CANCELED: ("SKIPPED", "CLIENT_ERROR"),
    Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED: ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
}
_OVERRIDES = ("notebook_params", "python_params", "python_named_params", "sql_params")
_TYPES = {"DRIVER_ERROR": "CLOUD_FAILURE", "RESOURCE_NOT_FOUND": "CLIENT_ERROR"}


Iterations = Mapping[
    int, tuple[Run, Sequence[Attempt]]
]  # by the task run of a for_each task: the run of its iterations


@dataclass(frozen=True, slots=True)
class Links:
    """How the address of a run's page is made."""

    host: str
    seals: Mapping[int, str]

    def page(self, run: Run) -> str:
        """The address of a run's page; it carries a seal, so a browser can open it without a token."""
        return f"{self.host}/jobs/{run.job_id}/runs/{run.run_id}?seal={self.seals[run.run_id]}"


def job_view(job: Job, *, expand: bool, offset: int = 0) -> JsonObject:
    """A job with its settings; the long lists only when *expand*, a page of them at a time."""
    settings = {k: v for k, v in job.settings.items() if expand or k not in _LISTS}
    if expand:
        settings |= {name: _page(job.settings.get(name), offset) for name in _LISTS if name in job.settings}
    run_as = job.settings.get("run_as")
    acting = run_as if isinstance(run_as, dict) else {}
    return {
        "job_id": job.job_id,
        "creator_user_name": job.creator,
        "run_as_user_name": acting.get("user_name") or acting.get("service_principal_name") or job.creator,
        "created_time": job.created,
        "settings": settings,
        **_next_page(job.settings, offset),
    }


def run_view(
    run: Run,
    attempts: Sequence[Attempt],
    links: Links,
    *,
    expand: bool,
    offset: int = 0,
    history: bool = False,
    iterations: Iterations = MappingProxyType({}),
) -> JsonObject:
    """A run; its tasks only when *expand*, a page of them at a time; its repairs only with *history*."""
    view: JsonObject = {
        "job_id": run.job_id,
        "run_id": run.run_id,
        "number_in_job": run.number_in_job,
        "original_attempt_run_id": run.run_id,
        "attempt_number": 0,
        "creator_user_name": run.creator,
        "run_name": run.name,
        "run_type": run.run_type.value,
        "run_page_url": links.page(run),
        "format": "MULTI_TASK",
        "trigger": run.trigger.value,
        "job_run_id": run.run_id,
        "start_time": run.created,
        "end_time": run.ended or 0,
        **_durations(run),
        **_states(run.life, run.outcome, run.message, "", waiting=run),
        **_overriding(run),
        **_job_parameters(run),
        **({"schedule": run.settings["schedule"]} if "schedule" in run.settings else {}),
    }
    if not expand:
        return view
    if history:
        view["repair_history"] = _history(run, attempts)
    tasks = [task_view(run, attempt, links, iterations) for attempt in _in_task_order(run, attempts)]
    clusters = {"job_clusters": run.settings["job_clusters"]} if "job_clusters" in run.settings else {}
    return {**view, **clusters, "tasks": _page(tasks, offset), **_next_page({"tasks": tasks}, offset)}


def _history(run: Run, attempts: Sequence[Attempt]) -> list[JsonObject]:
    """The run as it was asked for and each of its repairs, with the task runs that belong to each."""
    began = run.created if run.repaired is None else run.repaired
    latest = Phase(run.repair_id, began, run.ended or 0, run.life, run.outcome, run.message)
    phases = [*run.phases, latest]
    ends = [*(phase.repair_id or 0 for phase in phases[1:]), None]
    return [
        {
            "type": "ORIGINAL" if phase.repair_id is None else "REPAIR",
            **({} if phase.repair_id is None else {"id": phase.repair_id}),
            "start_time": phase.started,
            "end_time": phase.ended,
            **_states(phase.life, phase.outcome, phase.message, ""),
            "task_run_ids": [
                a.task_run_id
                for a in attempts
                if (phase.repair_id or 0) < a.task_run_id and (end is None or a.task_run_id < end)
            ],
        }
        for phase, end in zip(phases, ends, strict=True)
    ]


def task_view(run: Run, attempt: Attempt, links: Links, iterations: Iterations = MappingProxyType({})) -> JsonObject:
    """One attempt of one task, with the task as it was asked for."""
    asked = next(
        (task for task in _objects(run.settings.get("tasks")) if task.get("task_key") == attempt.task_key),
        {"task_key": attempt.task_key},
    )
    kind = run.task(attempt.task_key).kind
    body = {kind.value: {**run.task(attempt.task_key).body, **_answer(attempt)}}
    if attempt.task_run_id in iterations:
        body[kind.value]["stats"] = _stats(iterations[attempt.task_run_id][1])
    started, ended = attempt.started or 0, attempt.ended or 0
    executing = attempt.executing or ended
    return {
        **asked,
        **body,
        "run_if": run.task(attempt.task_key).run_if.value,
        "run_id": attempt.task_run_id,
        "attempt_number": attempt.number,
        "start_time": started,
        "end_time": ended,
        "setup_duration": max(executing - started, 0) if started else 0,
        "execution_duration": max(ended - executing, 0) if ended else 0,
        "cleanup_duration": 0,
        "run_page_url": links.page(run),
        **_states(attempt.life, attempt.outcome, attempt.message, attempt.code, stopped=attempt.timed_out),
        **_resolved_values(kind, attempt.resolved),
    }


def task_run_view(
    run: Run,
    attempt: Attempt,
    links: Links,
    *,
    root: Run | None = None,
    offset: int = 0,
    iterations: Iterations = MappingProxyType({}),
) -> JsonObject:
    """A task run asked for by its own id; a for_each task with a page of its iterations, an iteration with its *root*."""
    task = task_view(run, attempt, links, iterations)
    whole = run_view(run, [attempt], links, expand=True, iterations=iterations)
    root = root or run
    own = (
        "run_id",
        "attempt_number",
        "start_time",
        "end_time",
        "setup_duration",
        "execution_duration",
        "state",
        "status",
    )
    return {
        **whole,
        **{name: task[name] for name in own},
        "run_name": attempt.task_key,
        "job_run_id": root.run_id,
        "run_type": root.run_type.value,
        "number_in_job": root.number_in_job,
        "run_duration": max((attempt.ended or 0) - (attempt.started or 0), 0),
        **_iterations_page(iterations.get(attempt.task_run_id), links, offset),
    }


def _iterations_page(found: tuple[Run, Sequence[Attempt]] | None, links: Links, offset: int) -> JsonObject:
    if found is None:
        return {}
    child, attempts = found
    views = [task_view(child, attempt, links) for attempt in _in_task_order(child, attempts)]
    return {"iterations": _page(views, offset), **_next_page({"tasks": views}, offset)}


def _stats(attempts: Sequence[Attempt]) -> JsonObject:
    """How far the iterations are, by the last attempt of each, and what their failures say."""
    latest = {attempt.task_key: attempt for attempt in attempts}
    ended = [a for a in latest.values() if a.life.final]
    failed = [a for a in ended if a.outcome is not Outcome.SUCCESS]
    messages = Counter(a.message for a in failed)
    return {
        "task_run_stats": {
            "total_iterations": len(latest),
            "scheduled_iterations": sum(a.started is not None for a in latest.values()),
            "active_iterations": sum(a.life.in_process for a in latest.values()),
            "completed_iterations": len(ended),
            "succeeded_iterations": len(ended) - len(failed),
            "failed_iterations": len(failed),
        },
        "error_message_stats": [
            {"error_message": message, "count": count, "termination_category": "CLIENT_ERROR"}
            for message, count in messages.items()
        ],
    }


def output_view(run: Run, attempt: Attempt, folder: Path, links: Links, *, root: Run | None = None) -> JsonObject:
    """What a task run gave: a notebook's result, the printed text of a Python file, the error with its trace."""
    kind = run.task(attempt.task_key).kind
    result = output.read_result(folder)
    view: JsonObject = {"metadata": task_run_view(run, attempt, links, root=root)}
    if kind is TaskKind.RUN_JOB:
        return {**view, "run_job_output": {"run_id": attempt.child}}
    if kind is TaskKind.SQL:
        house = {"warehouse_id": run.task(attempt.task_key).body.get("warehouse_id")}
        view["sql_output"] = {"query_output": {**house, "output_link": links.page(run)}}
    if kind in (TaskKind.PYTHON, TaskKind.WHEEL):
        logs, cut = output.read_log(folder)
        view |= {"logs": logs, "logs_truncated": cut}
    if attempt.outcome is not None and attempt.outcome is not Outcome.SUCCESS:
        view |= _error(attempt, result, folder)
    elif kind is TaskKind.NOTEBOOK and attempt.life.final:
        gave = {} if result is None or result.result is None else {"result": result.result}
        view["notebook_output"] = {**gave, "truncated": result.truncated if result else False}
    return view


def _error(attempt: Attempt, result: output.Result | None, folder: Path) -> JsonObject:
    if result is not None and result.error is not None and attempt.outcome is Outcome.FAILED:
        return {"error": result.error, "error_trace": result.trace}
    words = output.last_words(folder)
    return {"error": attempt.message, **({"error_trace": words} if words else {})}


def _states(
    life: Life, outcome: Outcome | None, message: str, code: str, *, stopped: bool = False, waiting: Run | None = None
) -> JsonObject:
    stopped = stopped or outcome in (Outcome.CANCELED, Outcome.TIMEDOUT)
    state: JsonObject = {
        "life_cycle_state": life.value,
        "state_message": message,
        "user_cancelled_or_timedout": stopped,
        **({"result_state": outcome.value} if outcome else {}),
    }
    names = {Life.WAITING_FOR_RETRY: "WAITING"}
    status: JsonObject = {"state": "TERMINATED" if life.final else names.get(life, life.value)}
    if outcome is not None:
        known, blame = _CODES[outcome]
        details = {"code": code or known, "type": _TYPES.get(code, blame), "message": message}
        status["termination_details"] = details
    if life is Life.QUEUED and waiting is not None:
        reason = "The maximum number of concurrent runs of the job was reached."
        state["queue_reason"] = reason
        status["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": reason}
    return {"state": state, "status": status}


def _durations(run: Run) -> JsonObject:
    """The times of a run in ms; its tasks tell theirs in parts."""
    waited = {"queue_duration": run.started - run.created} if run.started and _queued(run) else {}
    parts = dict.fromkeys(("setup_duration", "execution_duration", "cleanup_duration"), 0)
    return {"run_duration": (run.ended or run.created) - run.created, **parts, **waited}


def _overriding(run: Run) -> JsonObject:
    """What run-now gave to all tasks; job parameters are told with their values."""
    given = {name: value for name, value in run.overrides.items() if name in _OVERRIDES}
    return {"overriding_parameters": given} if given else {}


def _job_parameters(run: Run) -> JsonObject:
    if run.run_type is not RunType.JOB or not run.parameters:
        return {}
    defaults = parameter_defaults(run.settings)
    rows = [
        {"name": name, "value": value, **({"default": defaults[name]} if name in defaults else {})}
        for name, value in run.parameters.items()
    ]
    return {"job_parameters": rows}


def _queued(run: Run) -> bool:
    return run.started is not None and run.started - run.created > 0 and run.run_type is RunType.JOB


def _answer(attempt: Attempt) -> JsonObject:
    return {} if attempt.answer is None else {"outcome": attempt.answer}


def _resolved_values(kind: TaskKind, body: JsonObject) -> JsonObject:
    return {"resolved_values": {kind.value: _resolved(kind, body)}} if body and kind is not TaskKind.FOR_EACH else {}


def _resolved(kind: TaskKind, body: JsonObject) -> JsonObject:
    names = {
        TaskKind.NOTEBOOK: ("base_parameters",),
        TaskKind.PYTHON: ("parameters",),
        TaskKind.WHEEL: ("parameters", "named_parameters"),
        TaskKind.SQL: ("parameters",),
        TaskKind.CONDITION: ("left", "right"),
        TaskKind.RUN_JOB: ("job_parameters", "parameters"),
        TaskKind.PIPELINE: ("parameters",),
        TaskKind.UPDATE: (),
        TaskKind.FOR_EACH: (),
    }[kind]
    return {name: body[name] for name in names if name in body}


def _in_task_order(run: Run, attempts: Sequence[Attempt]) -> list[Attempt]:
    order = {task.key: place for place, task in enumerate(run.tasks)}
    return sorted(attempts, key=lambda attempt: (order[attempt.task_key], attempt.number))


def _page(values: object, offset: int) -> list[object]:
    return values[offset : offset + PAGE] if isinstance(values, list) else []


def _next_page(lists: Mapping[str, object], offset: int) -> JsonObject:
    longest = max((len(v) for name in _LISTS if isinstance(v := lists.get(name), list)), default=0)
    return {"next_page_token": str(offset + PAGE), "has_more": True} if longest > offset + PAGE else {}


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
