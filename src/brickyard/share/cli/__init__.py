"""The commands of share: a pack's plan and its way into the workspace, its record, and what partners can read."""

from __future__ import annotations

import typer

from brickyard.share.cli import packs, partners, records

app = typer.Typer(help="Provision Delta Sharing from share packs.", no_args_is_help=True)
tenants = typer.Typer(help="Business lines, their regions and projects.", no_args_is_help=True)

for name, command in (
    ("sample", packs.sample),
    ("plan", packs.plan),
    ("apply", packs.apply),
    ("batch", packs.batch),
    ("list", records.list_packs),
    ("status", records.status),
    ("history", records.history),
    ("drift", records.drift),
    ("verify", records.verify),
    ("rollback", records.rollback),
    ("approve", records.approve),
    ("decline", records.decline),
    ("import", partners.import_live),
    ("access", partners.access),
    ("deliver", partners.deliver),
    ("rotate", partners.rotate),
):
    app.command(name)(command)
tenants.command("import")(partners.import_tenants)
app.add_typer(tenants, name="tenants")
