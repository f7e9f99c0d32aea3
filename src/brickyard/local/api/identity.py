"""Who is who: discovery for clients' start-up, SCIM Me, users and groups, personal tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from starlette.responses import Response

from brickyard.local.api.errors import denied, missing
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_number, field_text, json_response
from brickyard.local.api.tokens import TokenRow, Tokens

_HOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Local workspace</title>
<h1>Local workspace</h1>
<p>This address serves the Databricks REST API to programs of this machine. Pages of runs open by their
<code>run_page_url</code>; everything else needs the token in the workspace's folder.</p></html>"""


@dataclass(frozen=True, slots=True)
class Identity:
    """The workspace's own identity and its principals."""

    tokens: Tokens
    workspace_id: int
    host: str

    def principals(self) -> list[str]:
        """The owner, then everybody who ever got a token."""
        others = {row.principal for row in self.tokens.all_rows()} - {self.tokens.owner}
        return [self.tokens.owner, *sorted(others)]

    def headers(self) -> dict[str, str]:
        """What every answer carries, so that a client knows the workspace."""
        return {"X-Databricks-Org-Id": str(self.workspace_id)}


router: Router[Identity] = Router()


@router.on("GET", "/.well-known/databricks-config", operation="local.well_known", anonymous=True)
def well_known(identity: Identity, call: Call) -> Answer:
    """Tell a client at its start what kind of host this is."""
    return {
        "oidc_endpoint": f"{identity.host}/oidc",
        "workspace_id": str(identity.workspace_id),
        "cloud": "azure",
        "host_type": "workspace",
    }


@router.on("GET", "/oidc/.well-known/oauth-authorization-server", operation="local.oidc", anonymous=True)
def oidc(identity: Identity, call: Call) -> Answer:
    """Describe the token endpoint."""
    return {
        "issuer": f"{identity.host}/oidc",
        "authorization_endpoint": f"{identity.host}/oidc/v1/authorize",
        "token_endpoint": f"{identity.host}/oidc/v1/token",
        "grant_types_supported": [],
        "response_types_supported": [],
    }


@router.on("POST", "/oidc/v1/token", operation="local.oidc_token", anonymous=True)
def oidc_token(identity: Identity, call: Call) -> Answer:
    """Refuse OAuth: the local workspace knows personal tokens only."""
    body = {"error": "unsupported_grant_type", "error_description": "The local workspace takes personal tokens only."}
    return json_response(body, 400)


@router.on("GET", "/health", operation="local.health", anonymous=True)
def health(identity: Identity, call: Call) -> Answer:
    """Say that the server answers."""
    return {"status": "ok"}


@router.on("POST", "/telemetry-ext", operation="local.telemetry")
def telemetry(identity: Identity, call: Call) -> Answer:
    """Take what the command-line client reports about itself, and forget it."""
    return {"numSuccess": 0, "numProtoSuccess": 0, "errors": []}


@router.on("GET", "/", operation="local.home", anonymous=True)
def home(identity: Identity, call: Call) -> Answer:
    """Tell a browser where it is; nothing about the workspace's content is said."""
    headers = {"content-security-policy": "default-src 'none'"}
    return Response(_HOME, headers=headers, media_type="text/html")


@router.on("GET", "/api/2.0/preview/scim/v2/Me", operation="current_user.me")
def me(identity: Identity, call: Call) -> Answer:
    """Describe the caller."""
    return _user(identity, call.principal.name)


@router.on("GET", "/api/2.0/preview/scim/v2/Users", operation="users.list")
def users(identity: Identity, call: Call) -> Answer:
    """List the principals, those of one name when a filter says so."""
    found = [_user(identity, name) for name in identity.principals()]
    return _page([u for u in found if _selected(call, "userName", u)], call)


@router.on("GET", "/api/2.0/preview/scim/v2/Users/{id}", operation="users.get")
def user(identity: Identity, call: Call) -> Answer:
    """Describe one principal."""
    for name in identity.principals():
        if _id(name) == call.params["id"]:
            return _user(identity, name)
    return _scim_missing(f"User {call.params['id']} not found.")


@router.on("GET", "/api/2.0/preview/scim/v2/Groups", operation="groups.list")
def groups(identity: Identity, call: Call) -> Answer:
    """List the two groups that every workspace has."""
    return _page([g for g in _groups(identity) if _selected(call, "displayName", g)], call)


@router.on("GET", "/api/2.0/preview/scim/v2/Groups/{id}", operation="groups.get")
def group(identity: Identity, call: Call) -> Answer:
    """Describe one group."""
    found = [g for g in _groups(identity) if g["id"] == call.params["id"]]
    return found[0] if found else _scim_missing(f"Group {call.params['id']} not found.")


@router.on("POST", "/api/2.0/token/create", operation="tokens.create")
def create_token(identity: Identity, call: Call) -> Answer:
    """Make a personal token for the caller; `lifetime_seconds` ends it."""
    body = call.body()
    if call.principal.run is not None:
        raise denied("A run's token cannot make tokens.")
    lifetime = field_number(body, "lifetime_seconds") if body.get("lifetime_seconds") else None
    token = identity.tokens.issue(call.principal.name, lifetime, comment=field_text(body, "comment", "") or "")
    row = identity.tokens.row_of(token)
    return {"token_value": token, "token_info": _token_info(identity, row)} if row else {}


@router.on("GET", "/api/2.0/token/list", operation="tokens.list")
def list_tokens(identity: Identity, call: Call) -> Answer:
    """List the caller's personal tokens, without their values."""
    return {"token_infos": [_token_info(identity, row) for row in identity.tokens.rows(call.principal.name)]}


@router.on("POST", "/api/2.0/token/delete", operation="tokens.delete")
def delete_token(identity: Identity, call: Call) -> Answer:
    """End one of the caller's tokens."""
    token_id = field_text(call.body(), "token_id")
    mine = {row.token_id for row in identity.tokens.rows(call.principal.name)}
    if token_id not in mine or not identity.tokens.revoke(token_id):
        raise missing(f"Token {token_id} does not exist.")
    return {}


@router.on("POST", "/api/local/principals/{name}/token", operation="local.issue_token")
def issue_token(identity: Identity, call: Call) -> Answer:
    """Make a token for another principal, so that grants can be tried; the owner may."""
    if not call.principal.owner:
        raise denied("Only the owner's token opens this route.")
    return {"token_value": identity.tokens.issue(call.params["name"])}


def _user(identity: Identity, name: str) -> JsonObject:
    owner = name == identity.tokens.owner
    memberships = [g for g in ("admins", "users") if owner or g == "users"]
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": _id(name),
        "userName": name,
        "displayName": name.partition("@")[0],
        "active": True,
        "emails": [{"type": "work", "value": name, "primary": True}],
        "groups": [{"display": g, "type": "direct", "value": _id(g), "$ref": f"Groups/{_id(g)}"} for g in memberships],
        "entitlements": [{"value": "workspace-access"}, {"value": "databricks-sql-access"}],
    }


def _groups(identity: Identity) -> list[JsonObject]:
    members = {"admins": [identity.tokens.owner], "users": identity.principals()}
    return [
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "id": _id(group),
            "displayName": group,
            "members": [{"display": n, "value": _id(n), "$ref": f"Users/{_id(n)}"} for n in names],
            "meta": {"resourceType": "WorkspaceGroup"},
        }
        for group, names in members.items()
    ]


def _page(found: list[JsonObject], call: Call) -> JsonObject:
    start = max(call.number("startIndex", 1), 1)
    shown = found[start - 1 : start - 1 + call.number("count", 100)]
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": len(found),
        "startIndex": start,
        "itemsPerPage": len(shown),
        "Resources": shown,
    }


def _selected(call: Call, attribute: str, row: JsonObject) -> bool:
    name, _, value = call.query.get("filter", "").partition(" eq ")
    return not value or (name.strip() == attribute and row[attribute] == value.strip().strip('"'))


def _scim_missing(detail: str) -> Response:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": detail, "status": "404"}
    return json_response(body, 404)


def _token_info(identity: Identity, row: TokenRow) -> JsonObject:
    return {
        "token_id": row.token_id,
        "creation_time": int(row.created * 1000),
        "expiry_time": -1 if row.expires is None else int(row.expires * 1000),
        "comment": row.comment,
    }


def _id(name: str) -> str:
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big"))
