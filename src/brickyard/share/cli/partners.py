"""Commands on what partners have: live shares as a pack, who reads what, their links and tokens, and the business lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brickyard.kernel.terminal import emit, note, plain
from brickyard.share.cli.options import DryRun, PlanHash, coloured, house, output

_LONGEST = 90 * 24  # hours


def import_live(
    ctx: typer.Context,
    shares: Annotated[list[str], typer.Argument(metavar="SHARE...", help="Names of shares in the workspace.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Write live shares and their recipients as a pack whose plan is empty.

    Example: brickyard share import sales_share > pack.yaml
    """
    from brickyard.kernel.files import write_whole
    from brickyard.share import flow

    text = flow.import_live(house(ctx), shares)
    if out is None:
        emit({"yaml": text}, output(ctx), text)
        return
    write_whole({out: text.encode()})
    emit({"written": str(out)}, output(ctx), f"wrote {out}")


def access(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A recipient or share; without one, all.")] = None,
) -> None:
    """Show who can read what, since when and until when, and who never came.

    Example: brickyard share access acme
    """
    from brickyard.share import flow, report

    found = flow.access(house(ctx), name)
    emit(found, output(ctx), lambda: report.access_text(found))


def deliver(
    ctx: typer.Context, recipient: Annotated[str, typer.Argument(help="The recipient whose link it is.")]
) -> None:
    """Print the activation link of a recipient's new token, this once; it is erased here by being printed.

    Example: brickyard share deliver acme
    """
    from brickyard.share import flow

    found = flow.deliver(house(ctx), recipient)
    note(f"the link of {found.recipient} works once and is not shown again")
    emit({"recipient": found.recipient, "link": found.link, "expires_at": found.expires_at}, output(ctx), found.link)


def rotate(
    ctx: typer.Context,
    recipient: Annotated[str | None, typer.Argument(help="Whose token; without one, all that are too old.")] = None,
    overlap: Annotated[
        float, typer.Option("--overlap", metavar="HOURS", min=0, max=_LONGEST, help="How long the old token lives on.")
    ] = 24.0,
    plan_hash: PlanHash = None,
    dry_run: DryRun = False,
) -> None:
    """Replace a recipient's token now, or those that their policy says are too old; the worker does these by itself.

    Example: brickyard share rotate acme --overlap 24 --dry-run
    """
    from brickyard.kernel.errors import SpecInvalid
    from brickyard.share import flow

    if recipient is not None:
        _rotate(ctx, recipient, int(overlap * 3600), plan_hash=plan_hash, dry_run=dry_run)
        return
    if dry_run or plan_hash is not None:
        raise SpecInvalid("a plan of a rotation is one recipient's", code="usage", remedy="name the recipient")
    found = flow.rotate_due(house(ctx), follow=True)
    emit({"rotated": found}, output(ctx), f"rotated {', '.join(found)}" if found else "no token is due")


def _rotate(ctx: typer.Context, recipient: str, seconds: int, *, plan_hash: str | None, dry_run: bool) -> None:
    from brickyard.share import flow, report

    context = house(ctx)
    if dry_run:
        made = flow.preview_rotation(context, recipient, seconds)
        emit(report.plan_document(made), output(ctx), lambda: report.plan_text(made, colour=coloured()))
        return
    run = flow.rotate(context, recipient, seconds, plan_hash=plan_hash)
    note(f"the new link: brickyard share deliver {recipient}")
    emit({"rotated": (recipient,), "run": plain(run)}, output(ctx), lambda: report.run_text(run))


def import_tenants(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Business lines as .yaml, .csv or .xlsx.")],
) -> None:
    """Import business lines, their regions and projects.

    A row for each region or project, with the columns business_line, contact_email, region, workspace_url, project,
    approver and configurator; in YAML a list of such rows below `tenants`.

    Example: brickyard share tenants import tenants.yaml
    """
    from brickyard.kernel.errors import NotFound
    from brickyard.share import flow
    from brickyard.share.cli import files

    if not file.is_file():
        raise NotFound(f"{file} is not a file", remedy="give the path of business lines as .yaml, .csv or .xlsx")
    found = flow.import_tenants(house(ctx), file.name, files.read(file))
    emit(found, output(ctx))
