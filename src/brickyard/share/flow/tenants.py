"""Business lines, their regions and projects, from a file."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import TenantsImported
from brickyard.share.model.tenants import Line, read_tenants
from brickyard.share.store import audit, tenants
from brickyard.share.store.tenants import Project, Tenant


def import_tenants(context: Context, name: str, data: bytes) -> TenantsImported:
    """Import the business lines, regions and projects of a YAML, CSV or XLSX file *name*: all of them, or none.

    What the file does not name stays. Raises SpecInvalid with every fault of the file.
    """
    lines = read_tenants(name, data)
    with context.metadata.transaction() as tx:
        changed = [tenants.save(tx, _tenant(line), by=context.actor) for line in lines]
        detail = {"file": name, "business_lines": [line.name for line in lines], "rows_changed": sum(changed)}
        audit.seal(tx, at=context.clock(), actor=context.actor, action="ImportTenants", subject=name, detail=detail)
    return TenantsImported(
        tenants=len(lines),
        regions=sum(len(line.regions) for line in lines),
        projects=sum(len(line.projects) for line in lines),
        unchanged=sum(not rows for rows in changed),
    )


def _tenant(line: Line) -> Tenant:
    said = line.fields
    return Tenant(
        business_line_name=line.name,
        short_name=said.get("short_name"),
        executive_team=_people(said.get("executive_team")),
        configurator_ad_group=_people(said.get("configurator_ad_group")),
        owner=said.get("owner"),
        contact_email=said.get("contact_email"),
        regions=dict(line.regions),
        projects={name: Project(_people(approver), _people(by)) for name, (approver, by) in line.projects.items()},
    )


def _people(text: str | None) -> tuple[str, ...]:
    return tuple(person.strip() for person in (text or "").replace(";", ",").split(",") if person.strip())
