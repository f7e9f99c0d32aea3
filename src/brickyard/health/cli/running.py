"""Commands that make and fill the gold layer, and show first what they would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from brickyard.health.cli.options import (
    DONE,
    PARTLY,
    Accept,
    AsOf,
    Catalog,
    Domains,
    Failed,
    Full,
    SourceCatalog,
    Tables,
    door,
    output,
)
from brickyard.kernel.progress import Step as Position
from brickyard.kernel.terminal import emit, plain, plural, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from brickyard.health.flow import Choice, OnStep, Outcome
    from brickyard.health.model.steps import Plan, Step


def init(ctx: typer.Context, catalog: Catalog = None, source_catalog: SourceCatalog = None) -> None:
    """Make the schemas, tables and views that are not there; nothing is ever replaced.

    Example: brickyard health init --source-catalog system
    """
    from brickyard.health import flow

    with progress() as tell:
        made = flow.init(door(ctx, catalog, source_catalog), on_step=on_step("init", tell))
    text = f"made {plural(len(made.steps), 'thing')}" if made.steps else "nothing to do"
    emit(_plan_document(made), output(ctx), text)


def plan(
    ctx: typer.Context,
    table: Tables = None,
    domain: Domains = None,
    full: Full = False,
    failed: Failed = False,
    accept: Accept = None,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
    as_of: AsOf = None,
) -> None:
    """Show what a run would do, in order, and why; only reads.

    Example: brickyard health plan --domain billing
    """
    from brickyard.health import flow

    made = flow.preview(
        door(ctx, catalog, source_catalog, as_of), _choice(table, domain, accept, full=full, failed=failed)
    )
    emit(_plan_document(made), output(ctx), lambda: plan_text(made))


def run(
    ctx: typer.Context,
    table: Tables = None,
    domain: Domains = None,
    full: Full = False,
    failed: Failed = False,
    accept: Accept = None,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
    as_of: AsOf = None,
) -> None:
    """Copy what is new in the sources, bring gold up to date, and compare the two.

    Each table stands for itself: one that fails holds up no other. Exit code 5: some tables failed; 4: another run is
    at work.

    Example: brickyard health run --domain billing
    """
    from brickyard.health import flow

    choice = _choice(table, domain, accept, full=full, failed=failed)
    with progress() as tell:
        outcome = flow.run(door(ctx, catalog, source_catalog, as_of), choice, on_step=on_step("run", tell))
    emit(outcome_document(outcome), output(ctx), lambda: outcome_text(outcome))
    raise typer.Exit(PARTLY if outcome.failed else DONE)


def _choice(
    tables: Sequence[str] | None,
    domains: Sequence[str] | None,
    accept: Sequence[str] | None,
    *,
    full: bool,
    failed: bool,
) -> Choice:
    from brickyard.health.flow import Choice
    from brickyard.health.flow.door import chosen

    return Choice(chosen(tables or (), domains or ()), full, failed, frozenset(accept or ()))


def on_step(name: str, tell: Callable[[Position], None]) -> OnStep:
    def say(step: Step, what: str, told: str) -> None:
        if what == "failed":
            tell(Position(f"{name} {what}", detail=f"{described(step)}: {told}"))
        elif what == "begun":
            tell(Position(name, detail=described(step)))

    return say


def described(step: Step) -> str:
    """Say what a step is in a few words."""
    from brickyard.health.report import step_text

    return step_text(step)


def _plan_document(made: Plan) -> dict[str, Any]:
    return {"hash": made.hash, "steps": [{"step": type(step).__name__, **plain(step)} for step in made.steps]}


def plan_text(made: Plan) -> str:
    """Show a plan: a line a step, then its hash."""
    lines = [described(step) for step in made.steps] or ["nothing to do"]
    return "\n".join([*lines, "", f"plan {made.hash}"])


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return how a run ended as plain data."""
    return {
        "run": outcome.run,
        "status": outcome.status,
        "done": [{"step": described(step), "told": told} for step, told in outcome.done],
        "failed": [
            {"step": described(step), "code": error.error_code, "message": error.message, "remedy": error.remedy}
            for step, error in outcome.failed
        ],
        "skipped": [plain(step) for step in outcome.skipped],
    }


def outcome_text(outcome: Outcome) -> str:
    """Show how a run ended: what it did, what it left out and why, what failed."""
    lines = [told or described(step) for step, told in outcome.done]
    lines += [f"skipped {step.table}: {step.reason} ({step.code})" for step in outcome.skipped]
    for step, error in outcome.failed:
        lines += [f"failed {described(step)}: {error.message} ({error.error_code})"]
        lines += [f"  to do: {error.remedy}"] if error.remedy else []
    head = f"run {outcome.run}: {outcome.status.lower()}"
    return "\n".join([*(lines or ["nothing to do"]), "", head])
