"""Business lines, their regions and their projects: imported by an administrator, or first named by a pack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.metadata import scd2
from brickyard.share.model.pack import SharePack
from brickyard.share.store import audit, naming
from brickyard.share.tables import projects, tenant_regions, tenants

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pack belongs."""

    tenant_id: UUID
    project_id: UUID


@dataclass(frozen=True, slots=True)
class Project:
    """Who signs and who configures in a project."""

    approver: tuple[str, ...] = ()
    configurator: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A business line with the workspace of each of its regions, and its projects; *id* is None in an import."""

    business_line_name: str
    short_name: str | None = None
    executive_team: tuple[str, ...] = ()
    configurator_ad_group: tuple[str, ...] = ()
    owner: str | None = None
    contact_email: str | None = None
    regions: Mapping[str, str] = field(default_factory=dict)
    projects: Mapping[str, Project] = field(default_factory=dict)
    id: UUID | None = None


def place(tx: Connection, pack: SharePack, *, by: str) -> Place:
    """Return the tenant and project of a pack; what nobody knows yet is made, and what is known is left as it is."""
    about = pack.metadata
    people = {"executive_team": _people(about.executive_team), "configurator_ad_group": _people(about.configurator)}
    contacts = {"owner": about.owner, "contact_email": about.contact_email}
    tenant_id = _made(tx, tenants, "business_line_name", about.business_line, {}, {**people, **contacts}, by)
    mine = {"tenant_id": tenant_id}
    _made(tx, tenant_regions, "region", about.delta_share_region, mine, {"workspace_url": about.workspace_url}, by)
    signers = {"approver": _people(about.approver), "configurator": _people(about.configurator)}
    name = about.project_name or DEFAULT_PROJECT
    return Place(tenant_id, _made(tx, projects, "project_name", name, mine, signers, by))


def projects_named(tx: Connection) -> dict[str, tuple[Place, ...]]:
    """Return the projects by their folded names; several business lines may have one of a name."""
    named: dict[str, tuple[Place, ...]] = {}
    columns = (projects.c.project_name, projects.c.tenant_id, projects.c.project_id)
    for name, tenant_id, project_id in tx.execute(sa.select(*columns).where(scd2.active(projects))):
        named[name.casefold()] = (*named.get(name.casefold(), ()), Place(tenant_id, project_id))
    return named


def save(tx: Connection, tenant: Tenant, *, by: str) -> int:
    """Make a tenant with its regions and projects what an import says, and return how many rows that changed.

    Regions and projects that the import does not name stay.
    """
    fields = {
        "short_name": tenant.short_name,
        "executive_team": list(tenant.executive_team),
        "configurator_ad_group": list(tenant.configurator_ad_group),
        "owner": tenant.owner,
        "contact_email": tenant.contact_email,
    }
    tenant_id, changed = _imported(tx, tenants, "business_line_name", tenant.business_line_name, {}, fields, by)
    mine, changes = {"tenant_id": tenant_id}, [changed]
    for region, url in tenant.regions.items():
        changes.append(_imported(tx, tenant_regions, "region", region, mine, {"workspace_url": url}, by)[1])
    for name, project in tenant.projects.items():
        signers = {"approver": list(project.approver), "configurator": list(project.configurator)}
        changes.append(_imported(tx, projects, "project_name", name, mine, signers, by)[1])
    return sum(changes)


def listed(tx: Connection) -> tuple[Tenant, ...]:
    """Return all tenants by name."""
    rows = tx.execute(sa.select(tenants).where(scd2.active(tenants)).order_by(tenants.c.business_line_name))
    return tuple(_tenant(tx, row) for row in rows.all())


def _tenant(tx: Connection, row: Any) -> Tenant:
    regions = sa.select(tenant_regions).where(scd2.active(tenant_regions), tenant_regions.c.tenant_id == row.tenant_id)
    signed = sa.select(projects).where(scd2.active(projects), projects.c.tenant_id == row.tenant_id)
    return Tenant(
        id=row.tenant_id,
        business_line_name=row.business_line_name,
        short_name=row.short_name,
        executive_team=tuple(row.executive_team or ()),
        configurator_ad_group=tuple(row.configurator_ad_group or ()),
        owner=row.owner,
        contact_email=row.contact_email,
        regions={found.region: found.workspace_url for found in tx.execute(regions.order_by("region"))},
        projects={
            found.project_name: Project(tuple(found.approver or ()), tuple(found.configurator or ()))
            for found in tx.execute(signed.order_by("project_name"))
        },
    )


def _made(
    tx: Connection,
    table: sa.Table,
    column: str,
    name: str,
    within: Mapping[str, Any],
    fields: Mapping[str, Any],
    by: str,
) -> UUID:
    found = naming.find(tx, table, column, name, within)
    if found is not None:
        return found
    key, _ = naming.claim(tx, table, column, name, within)
    if naming.find(tx, table, column, name, within) is None:
        audit.write(tx, table, key, {column: name, **within, **fields}, by=by, reason="first named by a share pack")
    return key


def _imported(
    tx: Connection,
    table: sa.Table,
    column: str,
    name: str,
    within: Mapping[str, Any],
    fields: Mapping[str, Any],
    by: str,
) -> tuple[UUID, bool]:
    key, _ = naming.claim(tx, table, column, name, within)
    written = audit.write(tx, table, key, {column: name, **within, **fields}, by=by, reason="imported")
    return key, written.changed


def _people(text: str) -> list[str]:
    return [person.strip() for person in text.split(",") if person.strip()]
