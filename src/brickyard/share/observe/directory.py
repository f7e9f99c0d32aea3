"""Reads users and groups over SCIM, and every catalog with what is in it; a list that is not whole is an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from brickyard.kernel.errors import NotFound, WorkspaceDown, WorkspaceRefused
from brickyard.share.observe.asking import together
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

Row = dict[str, Any]

_PAGE = 500
_LONGEST = 255  # characters of a name that is remembered
_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_INTERNAL = ("information_schema", "__databricks_internal")


@dataclass(frozen=True, slots=True)
class Objects:
    """What is in the catalogs that could be read; *unread* are catalogs and schemas that could not, with the reason."""

    rows: tuple[Row, ...]
    unread: Mapping[str, str]


def users(client: WorkspaceClient) -> list[Row]:
    """Return all users as rows of `deltashare.users`."""
    return [_user(one) for one in _whole(client, "Users") if one.get("userName")]


def groups(client: WorkspaceClient) -> list[Row]:
    """Return all groups as rows of `deltashare.ad_groups`, members by name."""
    return [_group(one) for one in _whole(client, "Groups") if one.get("displayName")]


def objects(client: WorkspaceClient) -> Objects:
    """Return catalogs, schemas, tables, views and volumes; what we may not read is named, and nothing is said of it."""
    with translated("list the catalogs"):
        catalogs = [one for one in client.catalogs.list(include_browse=True) if one.name not in _INTERNAL]
    rows = [_row(one.name, "CATALOG", one.owner) for one in catalogs]
    unread: dict[str, str] = {}
    schemas: list[Row] = []
    for found in together(partial(_schemas, client), [one.name or "" for one in catalogs]):
        _collect(found, schemas, unread)
    rows += schemas
    for found in together(partial(_contents, client), [row["full_name"] for row in schemas]):
        _collect(found, rows, unread)
    return Objects(tuple(rows), unread)


# ── SCIM ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _whole(client: WorkspaceClient, kind: str) -> list[Row]:
    """Read all pages of a list, or raise WorkspaceDown when they are not as many as the directory says there are."""
    what = f"list the {kind.lower()}"
    read: dict[str, Row] = {}
    with translated(what):
        total = start = 1
        while start <= total:
            query = {"startIndex": start, "count": _PAGE, "sortBy": "userName" if kind == "Users" else "displayName"}
            page: Any = client.api_client.do("GET", f"/api/2.0/preview/scim/v2/{kind}", query=query)
            found, total = page.get("Resources") or [], int(page.get("totalResults", 0))
            read |= {str(one["id"]): one for one in found}
            if not found:
                break
            start += len(found)
    if len(read) != total:
        raise WorkspaceDown(f"{what}: {len(read)} of {total} came; the directory changed meanwhile, or is not whole")
    return list(read.values())


def _user(one: Mapping[str, Any]) -> Row:
    return {
        "email": one["userName"][:_LONGEST],
        "display_name": _cut(one.get("displayName")),
        "job_title": _cut(one.get("title")),
        "department": _cut((one.get(_ENTERPRISE) or {}).get("department")),
        "is_active": bool(one.get("active", True)),
        "ad_object_id": _cut(one.get("externalId")),
    }


def _group(one: Mapping[str, Any]) -> Row:
    members = sorted(str(member.get("display") or member.get("value")) for member in one.get("members") or ())
    return {
        "group_name": one["displayName"][:_LONGEST],
        "ad_object_id": _cut(one.get("externalId")),
        "members": members,
    }


def _cut(text: str | None) -> str | None:
    return text[:_LONGEST] if text else None


# ── Unity Catalog ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Unread:
    name: str
    why: str


def _schemas(client: WorkspaceClient, catalog: str) -> list[Row] | _Unread:
    try:
        with translated(f"list the schemas of {catalog}"):
            found = list(client.schemas.list(catalog, include_browse=True))
    except (WorkspaceRefused, NotFound) as error:
        return _Unread(catalog, error.message)
    return [_row(one.full_name, "SCHEMA", one.owner) for one in found if one.name not in _INTERNAL]


def _contents(client: WorkspaceClient, schema: str) -> list[Row] | _Unread:
    catalog, _, name = schema.partition(".")
    try:
        with translated(f"list what is in {schema}"):
            tables = client.tables.list(catalog, name, include_browse=True, omit_columns=True, omit_properties=True)
            rows = [_row(t.full_name, t.table_type.value if t.table_type else "TABLE", t.owner) for t in tables]
            volumes = client.volumes.list(catalog, name, include_browse=True)
            return rows + [_row(one.full_name, "VOLUME", one.owner) for one in volumes]
    except (WorkspaceRefused, NotFound) as error:
        return _Unread(schema, error.message)


def _collect(found: list[Row] | _Unread, rows: list[Row], unread: dict[str, str]) -> None:
    if isinstance(found, _Unread):
        unread[found.name] = found.why
    else:
        rows.extend(found)


def _row(full_name: str | None, kind: str, owner: str | None) -> Row:
    parts: Iterator[str | None] = iter([*(full_name or "").split("."), None, None])
    catalog, schema, table = next(parts), next(parts), next(parts)
    places = {"catalog_name": catalog, "schema_name": schema, "table_name": table}
    return {"full_name": full_name or "", "object_type": kind, **places, "owner": _cut(owner)}


def below(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[Row]:
    """Return the rows that lie in any of the named catalogs and schemas."""
    heads = tuple(f"{name}." for name in names)
    return [dict(row) for row in rows if row["full_name"].startswith(heads)] if heads else []
