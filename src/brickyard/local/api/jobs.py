"""The Jobs API 2.2 (2.1 and 2.0 answer alike), the pages of runs, and what a running notebook asks for."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable

from starlette.responses import Response

from brickyard.local.api.errors import invalid, missing
from brickyard.local.api.routes import (
    Answer,
    Call,
    JsonObject,
    Router,
    field_list,
    field_number,
    field_object,
    field_text,
)
from brickyard.local.runs import output
from brickyard.local.runs.model import Attempt, Job, Run
from brickyard.local.runs.page import POLICY, render
from brickyard.local.runs.service import Runs
from brickyard.local.runs.settings import text_map
from brickyard.local.runs.store import RunFilter
from brickyard.local.runs.views import Links, job_view, output_view, run_view, task_run_view

router: Router[Runs] = Router()
_MAX_LIST = 100
_SEVERAL = (
    "Retrieving the output of runs with multiple tasks is not supported. "
    "Please retrieve the output of each individual task run instead."
)


def _paths(tail: str) -> tuple[str, ...]:
    return tuple(f"/api/{version}/jobs/{tail}" for version in ("2.2", "2.1", "2.0"))


@router.on("POST", *_paths("create"), operation="jobs.create")
def create(runs: Runs, call: Call) -> Answer:
    """Create a job."""
    return {"job_id": runs.create_job(call.body(), call.principal)}


@router.on("GET", *_paths("get"), operation="jobs.get")
def get(runs: Runs, call: Call) -> Answer:
    """Describe a job."""
    return job_view(runs.job(_id(call, "job_id")), expand=True, offset=_offset(call))


@router.on("GET", *_paths("list"), operation="jobs.list")
def list_(runs: Runs, call: Call) -> Answer:
    """List jobs, newest first; the name filter is exact but for case."""
    name, before = call.query.get("name"), _before(call)
    found = [job for job in runs.store.jobs() if before is None or job.job_id < before]
    if name is not None:
        found = [job for job in found if job.name.lower() == name.lower()]
    size = _size(call)
    views = [_listed(job, expand=call.flag("expand_tasks")) for job in found[:size]]
    return {"jobs": views, **_more(found, size, (job.job_id for job in found[:size]))}


@router.on("POST", *_paths("update"), operation="jobs.update")
def update(runs: Runs, call: Call) -> Answer:
    """Change some settings of a job."""
    body = call.body()
    remove = [str(name) for name in field_list(body, "fields_to_remove")]
    runs.update_job(field_number(body, "job_id"), field_object(body, "new_settings"), remove, call.principal)
    return {}


@router.on("POST", *_paths("reset"), operation="jobs.reset")
def reset(runs: Runs, call: Call) -> Answer:
    """Replace the settings of a job."""
    body = call.body()
    runs.reset_job(field_number(body, "job_id"), field_object(body, "new_settings"), call.principal)
    return {}


@router.on("POST", *_paths("delete"), operation="jobs.delete")
def delete(runs: Runs, call: Call) -> Answer:
    """Delete a job."""
    runs.delete_job(field_number(call.body(), "job_id"))
    return {}


@router.on("POST", *_paths("run-now"), operation="jobs.run_now")
def run_now(runs: Runs, call: Call) -> Answer:
    """Run a job."""
    body = call.body()
    run = runs.run_now(field_number(body, "job_id"), body, call.principal)
    return {"run_id": run.run_id, "number_in_job": run.number_in_job}


@router.on("POST", *_paths("runs/submit"), operation="jobs.submit")
def submit(runs: Runs, call: Call) -> Answer:
    """Run tasks without a job."""
    return {"run_id": runs.submit(call.body(), call.principal)}


@router.on("GET", *_paths("runs/get"), operation="jobs.get_run")
def get_run(runs: Runs, call: Call) -> Answer:
    """Describe a run with its tasks, or one task run."""
    run_id = _id(call, "run_id")
    run, attempt = runs.run(run_id), runs.store.attempt(run_id)
    attempts = runs.store.attempts(run.run_id) if attempt is None else [attempt]
    iterations = runs.iterations(attempts)
    links = _links(runs, call, [run, *(child for child, _ in iterations.values())])
    offset, history = _offset(call), call.flag("include_history")
    if attempt is not None:
        root = runs.store.root(run)
        return task_run_view(run, attempt, links, root=root, offset=offset, iterations=iterations)
    return run_view(run, attempts, links, expand=True, offset=offset, history=history, iterations=iterations)


@router.on("GET", *_paths("runs/list"), operation="jobs.list_runs")
def list_runs(runs: Runs, call: Call) -> Answer:
    """List runs, newest first."""
    size, skipped, expand = _size(call), max(call.number("offset", 0), 0), call.flag("expand_tasks")
    wanted = RunFilter(
        call.number("job_id", 0) or None,
        _before(call),
        call.flag("active_only"),
        call.flag("completed_only"),
        call.query.get("run_type"),
        call.number("start_time_from", 0) or None,
        call.number("start_time_to", 0) or None,
    )
    found = runs.store.runs(wanted, skipped + size + 1)[skipped:]
    links = _links(runs, call, found[:size])
    views = [_listed_run(runs, run, links, expand=expand) for run in found[:size]]
    return {"runs": views, **_more(found, size, (r.run_id for r in found[:size]))}


@router.on("POST", *_paths("runs/repair"), operation="jobs.repair_run")
def repair(runs: Runs, call: Call) -> Answer:
    """Run tasks of a run that has ended again, as part of it."""
    body = call.body()
    return {"repair_id": runs.repair(field_number(body, "run_id"), body)}


@router.on("POST", *_paths("runs/cancel"), operation="jobs.cancel_run")
def cancel(runs: Runs, call: Call) -> Answer:
    """Ask a run to end."""
    runs.cancel(field_number(call.body(), "run_id"))
    return {}


@router.on("POST", *_paths("runs/cancel-all"), operation="jobs.cancel_all_runs")
def cancel_all(runs: Runs, call: Call) -> Answer:
    """Ask all runs of a job to end."""
    body = call.body()
    all_queued = body.get("all_queued_runs") is True
    if "job_id" not in body and not all_queued:
        raise invalid("Missing required field: job_id")
    runs.cancel_all(field_number(body, "job_id") if "job_id" in body else None, all_queued=all_queued)
    return {}


@router.on("POST", *_paths("runs/delete"), operation="jobs.delete_run")
def delete_run(runs: Runs, call: Call) -> Answer:
    """Hide a run that has ended."""
    runs.delete_run(field_number(call.body(), "run_id"))
    return {}


@router.on("GET", *_paths("runs/get-output"), operation="jobs.get_run_output")
def get_output(runs: Runs, call: Call) -> Answer:
    """What one task run gave."""
    run_id = _id(call, "run_id")
    run, attempt = runs.run(run_id), runs.store.attempt(run_id)
    if attempt is None:
        raise invalid(_SEVERAL)
    links = _links(runs, call, [run])
    return output_view(run, attempt, runs.folder(run_id), links, root=runs.store.root(run))


@router.on("GET", *_paths("runs/export"), operation="jobs.export_run")
def export(runs: Runs, call: Call) -> Answer:
    """The page of a run as HTML."""
    run = runs.run(_id(call, "run_id"))
    return {"views": [{"type": "NOTEBOOK", "name": run.name, "content": _page(runs, call, run)}]}


@router.on("GET", "/jobs/{job_id}/runs/{run_id}", operation="pages.run", anonymous=True)
def page(runs: Runs, call: Call) -> Answer:
    """The page of a run; the seal in its address stands for a token."""
    run_id = call.params["run_id"]
    if not run_id.isdigit() or not hmac.compare_digest(runs.seal(int(run_id)), call.query.get("seal", "")):
        raise missing("There is no such page, or its address is incomplete.")
    html = _page(runs, call, runs.run(int(run_id)))
    return Response(html, media_type="text/html", headers={"content-security-policy": POLICY})


# what a running task asks for, with its own token


@router.on("GET", "/api/local/runs/source", operation="local.notebook_source")
def source(runs: Runs, call: Call) -> Answer:
    """A notebook as it is stored; the name says its format."""
    runs.caller(call.principal)
    entry, data = runs.source(call.text("path"))
    headers = {"x-file-name": entry.file_name.encode("ascii", "backslashreplace").decode()}
    return Response(data, headers=headers, media_type="application/octet-stream")


@router.on("POST", "/api/local/runs/environment", operation="local.task_environment")
def environment(runs: Runs, call: Call) -> Answer:
    """The folder of modules that the libraries of the calling task make, built when it is first asked for."""
    return {"site": str(runs.environment(call.principal))}


@router.on("POST", "/api/local/runs/child", operation="local.run_child")
def run_child(runs: Runs, call: Call) -> Answer:
    """Run a notebook for `dbutils.notebook.run`."""
    body = call.body()
    arguments, timeout = text_map(field_object(body, "arguments")), field_number(body, "timeout_seconds", 0)
    return {"run_id": runs.submit_child(runs.caller(call.principal), field_text(body, "path"), arguments, timeout)}


@router.on("POST", "/api/local/runs/task-values", operation="local.set_task_value")
def set_task_value(runs: Runs, call: Call) -> Answer:
    """Keep a task value of the calling task."""
    attempt, body = runs.caller(call.principal), call.body()
    value = field_text(body, "value")
    json.loads(value)
    runs.store.set_value(attempt.run_id, attempt.task_key, field_text(body, "key"), value)
    return {}


@router.on("GET", "/api/local/runs/task-values", operation="local.get_task_value")
def get_task_value(runs: Runs, call: Call) -> Answer:
    """A task value of the calling task's run."""
    run = runs.store.root(runs.run(runs.caller(call.principal).run_id))
    value = runs.store.values(run.run_id).get((call.text("task_key"), call.text("key")))
    return {} if value is None else {"value": value}


def _listed(job: Job, *, expand: bool) -> JsonObject:
    return job_view(job, expand=expand)


def _listed_run(runs: Runs, run: Run, links: Links, *, expand: bool) -> JsonObject:
    attempts = runs.store.attempts(run.run_id) if expand else []
    return run_view(run, attempts, links, expand=expand, iterations=runs.iterations(attempts))


def _page(runs: Runs, call: Call, run: Run) -> str:
    attempts = runs.store.attempts(run.run_id)
    children = list(runs.iterations(attempts).values())
    links = _links(runs, call, [run, *(child for child, _ in children)])
    shown = [(run, one) for one in attempts] + [(child, one) for child, found in children for one in found]
    return render(run, [_shown(runs, of, one, links) for of, one in shown])


def _shown(runs: Runs, run: Run, attempt: Attempt, links: Links) -> tuple[Attempt, list[JsonObject], str, JsonObject]:
    folder = runs.folder(attempt.task_run_id)
    cells, log = output.read_cells(folder), output.read_log(folder, 256 * 1024)[0]
    return attempt, cells, log, output_view(run, attempt, folder, links)


def _links(runs: Runs, call: Call, listed: list[Run]) -> Links:
    return Links(call.host, {run.run_id: runs.seal(run.run_id) for run in listed})


def _id(call: Call, name: str) -> int:
    call.text(name)
    return call.number(name, 0)


def _size(call: Call) -> int:
    size = call.number("limit", 20) or 20
    if not 1 <= size <= _MAX_LIST:
        raise invalid(f"limit must be between 1 and {_MAX_LIST}.")
    return size


def _before(call: Call) -> int | None:
    return call.number("page_token", 0) or None


def _offset(call: Call) -> int:
    return max(call.number("page_token", 0), 0)


def _more(found: list[Job] | list[Run], size: int, ids: Iterable[int]) -> JsonObject:
    if len(found) <= size:
        return {"has_more": False}
    return {"has_more": True, "next_page_token": str(list(ids)[-1])}
