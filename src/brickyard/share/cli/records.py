"""Commands on packs that are known: how they fare, were and differ; who lets them through; the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from brickyard.kernel.terminal import emit, plain
from brickyard.share.cli.options import DryRun, PackId, PlanHash, Reason, coloured, explained, followed, house, output


def list_packs(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Only packs whose name contains this.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to list.")] = 50,
) -> None:
    """List packs, the last changed first.

    Example: brickyard share list
    """
    from brickyard.share import flow, report

    found = flow.list_packs(house(ctx), name=name, limit=limit)
    emit(found, output(ctx), lambda: report.packs_text(found))


def status(ctx: typer.Context, pack: PackId) -> None:
    """Show how a pack fares, with its newest run.

    Example: brickyard share status 5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d
    """
    from brickyard.share import flow, report

    found = flow.status(house(ctx), pack)
    code = found.run.code if found.run else None
    emit(found, output(ctx), lambda: explained(report.pack_text(found), code))
    raise typer.Exit(1 if found.status in ("FAILED", "VALIDATION_FAILED") else 0)


def history(ctx: typer.Context, pack: PackId) -> None:
    """Show every version of a pack.

    Example: brickyard share history 5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d
    """
    from brickyard.share import flow, report

    found = flow.history(house(ctx), pack)
    emit(found, output(ctx), lambda: report.history_text(found))


def drift(
    ctx: typer.Context,
    pack: Annotated[str | None, typer.Argument(metavar="[ID]", help="A pack's id; without one, all packs.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All packs; the default without an id.")] = False,
) -> None:
    """Show how far the workspace is from what packs applied; what cannot be read is unknown, never missing.

    Example: brickyard share drift --all
    """
    from brickyard.kernel.errors import SpecInvalid
    from brickyard.share import flow, report

    if every and pack is not None:
        raise SpecInvalid("an id and --all exclude each other", code="usage", remedy="give one of them")
    found = flow.drift(house(ctx), pack)
    emit(found, output(ctx), lambda: report.drift_text(found))
    raise typer.Exit(1 if any(drift.state != "none" for drift in found) else 0)


def verify(
    ctx: typer.Context,
    pack: PackId,
    every: Annotated[bool, typer.Option("--all-rows", help="Read and count all rows, not only the first.")] = False,
) -> None:
    """Read every shared table of a pack as its recipients would, and try what they must not get any more.

    Example: brickyard share verify 5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d
    """
    from brickyard.share import flow, report

    found = flow.verify(house(ctx), pack, rows="all" if every else "first")
    emit(found, output(ctx), lambda: report.checked_text(found))
    raise typer.Exit(0 if all(one.expected for one in found) else 1)


def rollback(
    ctx: typer.Context,
    pack: PackId,
    to: Annotated[str, typer.Option("--to", metavar="VERSION|TIME", help="A version, or an ISO 8601 time (UTC).")],
    plan_hash: PlanHash = None,
    dry_run: DryRun = False,
) -> None:
    """Bring a pack back to an earlier version; what cannot come back, such as a token, is said.

    Example: brickyard share rollback 5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d --to 3
    """
    from brickyard.share import flow, report

    context, target = house(ctx), _target(to)
    if dry_run:
        made = flow.preview_rollback(context, pack, target)
        emit(report.plan_document(made), output(ctx), lambda: report.plan_text(made, colour=coloured()))
        raise typer.Exit(4 if made.refusals else 0)
    submitted = flow.rollback(context, pack, target, plan_hash=plan_hash)
    run = followed(context, submitted)
    emit({"pack": plain(submitted), "run": plain(run)}, output(ctx), lambda: explained(report.run_text(run), run.code))
    raise typer.Exit({"completed": 0, "failed": 3}.get(run.status, 4))


def approve(
    ctx: typer.Context,
    pack: PackId,
    plan_hash: Annotated[str, typer.Option("--plan-hash", metavar="HASH", help="The plan that is approved.")],
    reason: Reason = "",
) -> None:
    """Approve the plan of a pack that waits, in your own name.

    Example: brickyard share approve 5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d --plan-hash 3f2a…
    """
    from brickyard.share import flow, report

    found = flow.approve(house(ctx), pack, plan_hash=plan_hash, reason=reason)
    emit(found, output(ctx), lambda: report.pack_text(found))


def decline(ctx: typer.Context, pack: PackId, plan_hash: PlanHash = None, reason: Reason = "") -> None:
    """Decline a pack that waits, in your own name; its run ends.

    Example: brickyard share decline 5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d --reason "not this quarter"
    """
    from brickyard.share import flow, report

    found = flow.decline(house(ctx), pack, plan_hash=plan_hash, reason=reason)
    emit(found, output(ctx), lambda: report.pack_text(found))


def _target(text: str) -> int | datetime:
    """Read a version or a moment; one without a zone is UTC."""
    from brickyard.kernel.errors import SpecInvalid

    if text.isdecimal() and len(text) < 10:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SpecInvalid(
            f"{text!r} is neither a version nor a time", code="usage", remedy="give 3, or 2026-11-20T12:00:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
