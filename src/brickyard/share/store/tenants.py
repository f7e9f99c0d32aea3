"""Business lines, their regions and their projects: imported by an administrator, or first named by a pack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.metadata import scd2
from brickyard.share.model.pack import SharePack
from brickyard.share.store import audit
from brickyard.share.tables import projects, tenant_regions, tenants

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pack belongs."""

    tenant_id: UUID
    project_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A business line with its regions (to their workspaces) and its projects."""

    tenant_id: UUID
    business_line_name: str
    short_name: str | None
    executive_team: tuple[str, ...]
    configurator_ad_group: tuple[str, ...]
    owner: str | None
    contact_email: str | None
    regions: Mapping[str, str]
    projects: tuple[str, ...]


def place(tx: Connection, pack: SharePack, *, by: str) -> Place:
    """Return the tenant and project of a pack, told apart without regard to case; one that nobody knows yet is made.

    What is known already is left as it is: only an import changes it.
    """
    about = pack.metadata
    people = {"executive_team": _people(about.executive_team), "configurator_ad_group": _people(about.configurator)}
    contacts = {"owner": about.owner, "contact_email": about.contact_email}
    tenant_id = _made(tx, tenants, "business_line_name", about.business_line, {**people, **contacts}, {}, by)
    region = {"workspace_url": about.workspace_url}
    _made(tx, tenant_regions, "region", about.delta_share_region, region, {"tenant_id": tenant_id}, by)
    signers = {"approver": _people(about.approver), "configurator": _people(about.configurator)}
    name = about.project_name or DEFAULT_PROJECT
    return Place(tenant_id, _made(tx, projects, "project_name", name, signers, {"tenant_id": tenant_id}, by))


def _made(
    tx: Connection,
    table: sa.Table,
    name: str,
    value: str,
    fields: Mapping[str, Any],
    within: Mapping[str, Any],
    by: str,
) -> UUID:
    """Return the entity of that name, made when there is none; makers of one name stand in line."""
    found = _find(tx, table, name, value, within)
    if found is None:
        scd2.lock(tx, table.fullname, "named", value.casefold(), *map(str, within.values()))
        found = _find(tx, table, name, value, within)
    if found is None:
        row = {name: value, **within, **fields}
        found = audit.write(tx, table, uuid4(), row, by=by, reason="first named by a share pack").key
    return found


def _find(tx: Connection, table: sa.Table, name: str, value: str, within: Mapping[str, Any]) -> UUID | None:
    key = table.c[table.info["key"]]
    inside = [table.c[column] == wanted for column, wanted in within.items()]
    same = sa.func.lower(table.c[name]) == value.lower()
    found = sa.select(key).where(scd2.active(table), same, *inside).order_by(table.c.effective_from).limit(1)
    return tx.execute(found).scalar_one_or_none()


def _people(text: str) -> list[str]:
    return [person.strip() for person in text.split(",") if person.strip()]
