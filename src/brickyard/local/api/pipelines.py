"""The Pipelines API 2.0, and what the process of an update asks for."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from brickyard.local.api.errors import invalid, missing
from brickyard.local.api.paging import page_start, page_token
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_list, field_object, field_text
from brickyard.local.pipelines.model import Event, Pipeline, Update, UpdateState
from brickyard.local.pipelines.pipelines import Pipelines
from brickyard.local.runs.settings import text_map

router: Router[Pipelines] = Router()
_BASE = "/api/2.0/pipelines"
_ONE = f"{_BASE}/{{pipeline_id}}"
_LATEST, _MAX_LIST, _MAX_EVENTS = 5, 100, 250
_LIKE = re.compile(r"\s*(name|notebook|id)\s+LIKE\s+'((?:[^']|'')*)'\s*\Z", re.IGNORECASE)
_COMPARED = re.compile(r"\s*(level|timestamp|id|event_type|update_id)\s*(=|<=|>=|<|>)\s*'([^']*)'\s*\Z")
_LEVEL_IN = re.compile(r"\s*level\s+in\s*\(([^)]*)\)\s*\Z", re.IGNORECASE)


@router.on("POST", _BASE, operation="pipelines.create")
def create(pipelines: Pipelines, call: Call) -> Answer:
    """Create a pipeline; with `dry_run` only check it."""
    pipeline = pipelines.create(call.body(), call.principal)
    if call.body().get("dry_run") is True:
        return {"effective_settings": pipeline.spec}
    return {"pipeline_id": pipeline.pipeline_id}


@router.on("GET", _ONE, operation="pipelines.get")
def get(pipelines: Pipelines, call: Call) -> Answer:
    """Describe a pipeline with its settings and its latest updates."""
    pipeline = pipelines.get(call.params["pipeline_id"])
    listed = _listed(pipelines, pipeline)
    spec = {k: v for k, v in pipeline.spec.items() if k not in ("run_as", "parameters")}
    also = {name: pipeline.spec[name] for name in ("run_as", "parameters") if name in pipeline.spec}
    return {
        **listed,
        **also,
        **_cause(pipelines, pipeline),
        "spec": {"id": pipeline.pipeline_id, **spec},
        "last_modified": pipeline.modified,
    }


@router.on("GET", _BASE, operation="pipelines.list_pipelines")
def list_(pipelines: Pipelines, call: Call) -> Answer:
    """List pipelines; the filter is `name LIKE 'pattern'` or `notebook LIKE 'path'` with the wildcards `%` and `_`."""
    selected = _selector(call.query.get("filter", ""))
    found = [p for p in pipelines.store.pipelines() if selected(p)]
    field, _, way = call.query.get("order_by", "id asc").partition(" ")
    if field not in ("id", "name") or way.lower() not in ("", "asc", "desc"):
        raise invalid("order_by must be id or name, with asc or desc.")
    found.sort(key=lambda p: p.name if field == "name" else p.pipeline_id, reverse=way.lower() == "desc")
    start, size = page_start(call), _size(call, 25, _MAX_LIST)
    shown = [_listed(pipelines, p) for p in found[start : start + size]]
    return {"statuses": shown, **_more(found, start + size)}


@router.on("PUT", _ONE, operation="pipelines.update")
def update(pipelines: Pipelines, call: Call) -> Answer:
    """Replace the settings of a pipeline."""
    pipelines.edit(call.params["pipeline_id"], call.body(), call.principal)
    return {}


@router.on("DELETE", _ONE, operation="pipelines.delete")
def delete(pipelines: Pipelines, call: Call) -> Answer:
    """Stop and forget a pipeline; its tables are dropped unless `cascade=false`."""
    cascade = call.query.get("cascade", "true").lower() != "false"
    pipelines.delete(call.params["pipeline_id"], call.principal, cascade=cascade)
    return {}


@router.on("POST", f"{_ONE}/stop", operation="pipelines.stop")
def stop(pipelines: Pipelines, call: Call) -> Answer:
    """Ask the update that is at work to end."""
    pipelines.stop(call.params["pipeline_id"])
    return {}


@router.on("POST", f"{_ONE}/updates", operation="pipelines.start_update")
def start_update(pipelines: Pipelines, call: Call) -> Answer:
    """Begin an update that really runs the pipeline's code."""
    return {"update_id": pipelines.start_update(call.params["pipeline_id"], call.body(), call.principal).update_id}


@router.on("GET", f"{_ONE}/updates", operation="pipelines.list_updates")
def list_updates(pipelines: Pipelines, call: Call) -> Answer:
    """List the updates of a pipeline, newest first."""
    pipeline = pipelines.get(call.params["pipeline_id"])
    found, until = pipelines.store.updates(pipeline.pipeline_id), call.query.get("until_update_id")
    if until is not None:
        ids = [one.update_id for one in found]
        found = found[: ids.index(until) + 1] if until in ids else found
    start, size = page_start(call), _size(call, 25, _MAX_LIST)
    shown = [_update(pipelines, pipeline, one) for one in found[start : start + size]]
    return {"updates": shown, **_more(found, start + size)}


@router.on("GET", f"{_ONE}/updates/{{update_id}}", operation="pipelines.get_update")
def get_update(pipelines: Pipelines, call: Call) -> Answer:
    """Describe an update."""
    pipeline = pipelines.get(call.params["pipeline_id"])
    return {"update": _update(pipelines, pipeline, pipelines.update(pipeline.pipeline_id, call.params["update_id"]))}


@router.on("GET", f"{_ONE}/events", operation="pipelines.list_pipeline_events")
def events(pipelines: Pipelines, call: Call) -> Answer:
    """List the events of a pipeline, newest first; a filter compares level, timestamp, id, event_type or update_id."""
    found = [e for e in pipelines.events(call.params["pipeline_id"]) if _passes(e, call.query.get("filter", ""))]
    if not call.query.get("order_by", "timestamp desc").lower().endswith("asc"):
        found.reverse()
    start, size = page_start(call), _size(call, 25, _MAX_EVENTS)
    return {"events": [_event(one) for one in found[start : start + size]], **_more(found, start + size)}


# what the process of an update asks for, with its own token


@router.on("POST", "/api/local/pipelines/events", operation="local.pipeline_event")
def take_event(pipelines: Pipelines, call: Call) -> Answer:
    """Keep an event of the calling update."""
    pipelines.take_event(pipelines.caller(call.principal), call.body())
    return {}


@router.on("POST", "/api/local/pipelines/read", operation="local.pipeline_read")
def read(pipelines: Pipelines, call: Call) -> Answer:
    """Give what a flow of the calling update has not read yet of a table."""
    from brickyard.local.pipelines.feed import increment

    body = call.body()
    flow, source = field_text(body, "flow"), field_text(body, "source")
    after = pipelines.checkpoint(pipelines.caller(call.principal), flow).done.get(source)
    table = pipelines.table(source)
    if table is None or table.storage_location is None:
        raise missing(f"[TABLE_OR_VIEW_NOT_FOUND] The table `{source}` cannot be found, or is not a Delta table.")
    quoted = ".".join(f"`{part}`" for part in source.split("."))
    pipelines.run_sql(f"SELECT * FROM {quoted} LIMIT 0", call.principal)
    found = increment(source, Path(table.storage_location), after, text_map(field_object(body, "options")))
    answer: JsonObject = {"version": found.version, "news": after is None or found.version > after}
    return {**answer, "query": found.query} if found.rows is None else {**answer, "arrow": _arrow(found.rows)}


@router.on("POST", "/api/local/pipelines/versions", operation="local.pipeline_versions")
def versions(pipelines: Pipelines, call: Call) -> Answer:
    """Give the versions of tables that the calling update reads."""
    pipelines.caller(call.principal)
    return {"versions": {str(name): pipelines.version(str(name)) for name in field_list(call.body(), "sources")}}


@router.on("POST", "/api/local/pipelines/begin", operation="local.pipeline_begin")
def begin(pipelines: Pipelines, call: Call) -> Answer:
    """Note what a flow of the calling update is about to write."""
    body = call.body()
    read_up_to = {str(name): int(str(value)) for name, value in field_object(body, "versions").items()}
    update_, flow = pipelines.caller(call.principal), field_text(body, "flow")
    pipelines.begin_write(update_, flow, field_text(body, "target"), read_up_to, field_text(body, "kind"))
    return {}


@router.on("POST", "/api/local/pipelines/commit", operation="local.pipeline_commit")
def commit(pipelines: Pipelines, call: Call) -> Answer:
    """Note that a flow of the calling update has written."""
    pipelines.commit_write(pipelines.caller(call.principal), field_text(call.body(), "flow"))
    return {}


@router.on("POST", "/api/local/pipelines/reset", operation="local.pipeline_reset")
def reset(pipelines: Pipelines, call: Call) -> Answer:
    """Let flows of the calling update read from the beginning."""
    pipelines.reset(pipelines.caller(call.principal), [str(name) for name in field_list(call.body(), "flows")])
    return {}


# views


def _listed(pipelines: Pipelines, pipeline: Pipeline) -> JsonObject:
    latest = [(one, pipelines.state(one)) for one in pipelines.store.updates(pipeline.pipeline_id, _LATEST)]
    ended = [state for _, state in latest if state in (UpdateState.COMPLETED, UpdateState.FAILED)]
    view: JsonObject = {
        "pipeline_id": pipeline.pipeline_id,
        "name": pipeline.name,
        "creator_user_name": pipeline.creator,
        "run_as_user_name": pipeline.run_as,
        "state": _state(latest[0][1]) if latest else "IDLE",
    }
    if latest:
        view["latest_updates"] = [
            {"update_id": one.update_id, "state": state.value, "creation_time": _iso(one.created)}
            for one, state in latest
        ]
    if ended:
        view["health"] = "UNHEALTHY" if ended[0] is UpdateState.FAILED else "HEALTHY"
    return view


def _state(latest: UpdateState) -> str:
    match latest:
        case UpdateState.STOPPING:
            return "STOPPING"
        case UpdateState.QUEUED | UpdateState.INITIALIZING:
            return "STARTING"
        case _:
            return "IDLE" if latest.final else "RUNNING"


def _cause(pipelines: Pipelines, pipeline: Pipeline) -> JsonObject:
    """Why a pipeline is unhealthy."""
    newest = pipelines.store.updates(pipeline.pipeline_id, 1)
    error = pipelines.error(newest[0]) if newest else None
    exceptions = field_list(error or {}, "exceptions")
    return {"cause": str(exceptions[0]["message"])} if exceptions and isinstance(exceptions[0], dict) else {}


def _update(pipelines: Pipelines, pipeline: Pipeline, update_: Update) -> JsonObject:
    asked = ("full_refresh_selection", "refresh_selection", "parameters", "validate_only")
    return {
        "pipeline_id": pipeline.pipeline_id,
        "update_id": update_.update_id,
        "cause": update_.cause,
        "state": pipelines.state(update_).value,
        "creation_time": update_.created,
        "full_refresh": update_.request.get("full_refresh") is True,
        "mode": "CONTINUOUS" if pipeline.spec.get("continuous") is True else "DEFAULT",
        **{name: update_.request[name] for name in asked if update_.request.get(name)},
    }


def _event(event: Event) -> JsonObject:
    view: JsonObject = {
        "id": event.event_id,
        "origin": event.origin,
        "timestamp": _iso(event.at),
        "message": event.message,
        "level": event.level.value,
        "event_type": event.event_type,
        "maturity_level": "STABLE",
        "details": event.details or {event.event_type: {}},
    }
    return view if event.error is None else {**view, "error": event.error}


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# filters and pages


def _selector(text: str) -> Callable[[Pipeline], bool]:
    if not text.strip():
        return lambda _: True
    found = _LIKE.match(text)
    if found is None:
        raise invalid(f"Invalid filter {text!r}: use name LIKE 'pattern' or notebook LIKE 'path'.")
    like, values = _like(found[2].replace("''", "'")), _VALUES[found[1].lower()]
    return lambda pipeline: any(like.fullmatch(value) for value in values(pipeline))


_VALUES: dict[str, Callable[[Pipeline], list[str]]] = {
    "name": lambda p: [p.name],
    "id": lambda p: [p.pipeline_id],
    "notebook": lambda p: [
        str(field_object(library, "notebook").get("path"))
        for library in field_list(p.spec, "libraries")
        if isinstance(library, dict) and library.get("notebook")
    ],
}


def _like(pattern: str) -> re.Pattern[str]:
    """A SQL LIKE pattern: `%` any text, `_` any character, a backslash takes the next one as it is."""
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


def _passes(event: Event, text: str) -> bool:
    return all(_holds(event, part) for part in re.split(r"\s+AND\s+", text, flags=re.IGNORECASE) if part.strip())


def _holds(event: Event, condition: str) -> bool:
    if levels := _LEVEL_IN.match(condition):
        return event.level.value in re.findall(r"'([^']*)'", levels[1])
    found = _COMPARED.match(condition)
    if found is None:
        raise invalid(f"Invalid filter {condition!r}: compare level, timestamp, id, event_type or update_id.")
    values = {
        "level": event.level.value,
        "timestamp": _iso(event.at),
        "id": event.event_id,
        "event_type": event.event_type,
        "update_id": event.update_id or "",
    }
    left, right = values[found[1]], found[3]
    return {"=": left == right, "<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[
        found[2]
    ]


def _size(call: Call, default: int, most: int) -> int:
    size = call.number("max_results", default) or default
    if not 1 <= size <= most:
        raise invalid(f"max_results must be between 1 and {most}.")
    return size


def _more(found: list[Pipeline] | list[Update] | list[Event], end: int) -> JsonObject:
    return {"next_page_token": page_token(end)} if end < len(found) else {}


def _arrow(rows: object) -> str:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    if isinstance(rows, pa.Table):
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()
