"""What health says of itself: steps and plans in words."""

from __future__ import annotations

from typing import assert_never

from brickyard.health.model.steps import (
    AlterTable,
    CopyBronze,
    CreateSchema,
    CreateTable,
    CreateView,
    LookUpAgain,
    Merge,
    Reconcile,
    Skip,
    Step,
)  # fmt: skip


def step_text(step: Step) -> str:
    """Say in a line what a step does, and why where it has a reason."""
    match step:
        case CreateSchema(schema):
            return f"create schema {schema}"
        case CreateTable(layer, table):
            return f"create {layer} table {table}"
        case CreateView(view, table):
            return f"create view {view} of {table}"
        case AlterTable(layer, table, add):
            return f"add to {layer} table {table}: {', '.join(name for name, _ in add)}"
        case CopyBronze(source, capture, since):
            return f"copy {source} as {capture}" + (f", since {since}" if since else ", everything")
        case Merge(table, _, reason):
            return f"merge {table}: {reason}"
        case LookUpAgain(table, other, _):
            return f"look up again in {other} for {table}"
        case Reconcile(table):
            return f"reconcile {table}"
        case Skip(table, code, reason):
            return f"skip {table}: {reason} ({code})"
        case _:
            assert_never(step)
