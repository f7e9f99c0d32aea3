"""Commands on what partners have: live shares as a pack, who reads what, their links and tokens, and the business lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brickyard.kernel.terminal import emit, note
from brickyard.share.cli.options import house, output


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


def rotate(ctx: typer.Context) -> None:
    """Replace the tokens that their policy says are too old; the worker does so by itself.

    Example: brickyard share rotate
    """
    from brickyard.share import flow

    found = flow.rotate_due(house(ctx), follow=True)
    emit({"rotated": found}, output(ctx), f"rotated {', '.join(found)}" if found else "no token is due")


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
