"""The iterations of a for_each task: a run of its own whose tasks are the nested task, once per input."""

from __future__ import annotations

import json
from collections.abc import Iterator

from brickyard.local.api.errors import invalid
from brickyard.local.api.routes import field_list, field_number, field_object, field_text
from brickyard.local.runs.model import JsonObject, Run

MAX_INPUTS = 1000
_LONGEST_KEY = 80


def inputs_of(body: JsonObject) -> list[object]:
    """The values to go over; raises ApiError when the text of `inputs` is no JSON array, or a too long one."""
    text = field_text(body, "inputs")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise invalid(f"The inputs of a for_each_task must be a JSON array, not {text[:200]!r}.") from error
    if not isinstance(values, list):
        raise invalid(f"The inputs of a for_each_task must be a JSON array, not {text[:200]!r}.")
    if len(values) > MAX_INPUTS:
        raise invalid(f"A for_each_task may have at most {MAX_INPUTS} inputs, it has {len(values)}.")
    return values


def settings_of(body: JsonObject, inputs: list[object], environments: list[object]) -> JsonObject:
    """The settings of the run of the iterations."""
    nested = field_object(body, "task")
    key = field_text(nested, "task_key")[:_LONGEST_KEY]
    return {
        "tasks": [{**nested, "task_key": f"{key}_iteration_{number}"} for number in range(len(inputs))],
        "inputs": inputs,
        "concurrency": field_number(body, "concurrency", 1),
        "environments": environments,
    }


def input_names(run: Run, task_key: str) -> dict[str, str]:
    """What `{{input}}` and `{{input.key}}` mean for a task of the run of the iterations."""
    place = [task.key for task in run.tasks].index(task_key)
    return dict(_names("input", field_list(run.settings, "inputs")[place]))


def _names(name: str, value: object) -> Iterator[tuple[str, str]]:
    yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _names(f"{name}.{key}", inner)
