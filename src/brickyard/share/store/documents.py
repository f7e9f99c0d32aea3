"""Steps and plans as JSON documents and back, exactly."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter

from brickyard.share.model.steps import Plan, Step

KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Step)}


def step_document(step: Step) -> dict[str, Any]:
    """Return a step as JSON: its fields, and its class as `kind`."""
    return {
        "kind": type(step).__name__,
        **_adapter(type(step)).dump_python(step, mode="json", fallback=dict, warnings=False),
    }


def step(document: dict[str, Any]) -> Step:
    """Return the step of a document."""
    fields = {name: value for name, value in document.items() if name != "kind"}
    return _adapter(KINDS[document["kind"]]).validate_python(fields)


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON."""
    whole = _adapter(Plan).dump_python(plan, mode="json", exclude={"steps"}, fallback=dict, warnings=False)
    return {**whole, "steps": [step_document(one) for one in plan.steps]}


def plan(document: dict[str, Any]) -> Plan:
    """Return the plan of a document."""
    return _adapter(Plan).validate_python({**document, "steps": tuple(step(one) for one in document["steps"])})


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
