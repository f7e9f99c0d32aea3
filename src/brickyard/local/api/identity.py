"""Who is who: discovery for clients' start-up, SCIM Me, personal tokens."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from brickyard.local.api.errors import denied, missing
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_number, field_text, json_response
from brickyard.local.api.scim import Directory
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
    directory: Directory

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
    return identity.directory.user(call.principal.name)


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


def _token_info(identity: Identity, row: TokenRow) -> JsonObject:
    return {
        "token_id": row.token_id,
        "creation_time": int(row.created * 1000),
        "expiry_time": -1 if row.expires is None else int(row.expires * 1000),
        "comment": row.comment,
    }
