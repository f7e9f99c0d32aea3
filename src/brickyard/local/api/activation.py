"""Delta Sharing: a recipient turns its activation link into a profile file, once and without a token."""

from __future__ import annotations

import html
import json
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.responses import Response

from brickyard.local.api.errors import missing
from brickyard.local.api.routes import Answer, Call, JsonObject, Router
from brickyard.local.api.sharing import Sharing

router: Router[Sharing] = Router()
_PUBLIC = "/api/2.1/unity-catalog/public"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Delta Sharing</title>
<style>body{{font:16px system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}}
a.button{{display:inline-block;padding:.6rem 1rem;background:#1b3139;color:#fff;text-decoration:none;border-radius:4px}}</style>
</head><body><h1>Delta Sharing</h1>{text}</body></html>
"""


@router.on(
    "GET",
    f"{_PUBLIC}/data_sharing_activation_info/{{link:path}}",
    operation="recipient_activation.get_activation_url_info",
    anonymous=True,
)
def activation_info(sharing: Sharing, call: Call) -> Answer:
    """Tell whether an activation link can still be used."""
    _check_usable(sharing, _token(call))
    return {}


@router.on(
    "GET",
    f"{_PUBLIC}/data_sharing_activation/{{link:path}}",
    operation="recipient_activation.retrieve_token",
    anonymous=True,
)
def retrieve_token(sharing: Sharing, call: Call) -> Answer:
    """Give the profile of a recipient, once."""
    if call.method == "HEAD":  # who only looks does not use the link up
        return activation_info(sharing, call)
    return _profile(sharing, _token(call))


@router.on("GET", "/delta_sharing/retrieve_config.html", operation="pages.activation", anonymous=True)
def activation_page(sharing: Sharing, call: Call) -> Answer:
    """Show the page on which a person downloads the profile file; looking at it uses nothing up."""
    found = sharing.store.pending(_token(call))
    if found is None:
        text = "<p>This link is not valid, has expired or was used already. Ask the provider for a new one.</p>"
        return Response(_PAGE.format(text=text), 404, _HEADERS, "text/html")
    recipient, token = found
    href = f"/delta_sharing/config.share?token={quote(token.activation)}"
    text = (
        f"<p>A credential file for <b>{html.escape(recipient.name)}</b>. It can be downloaded once; keep it safe.</p>"
        f'<p><a class="button" href="{href}" download="config.share">Download the credential file</a></p>'
    )
    return Response(_PAGE.format(text=text), 200, _HEADERS, "text/html")


@router.on("GET", "/delta_sharing/config.share", operation="pages.profile", anonymous=True)
def download_profile(sharing: Sharing, call: Call) -> Answer:
    """Download the profile file, once."""
    if call.method == "HEAD":
        return activation_info(sharing, call)
    body = json.dumps(_profile(sharing, _token(call)), indent=1)
    headers = {**_HEADERS, "Content-Disposition": 'attachment; filename="config.share"'}
    return Response(body, 200, headers, "application/json")


def _profile(sharing: Sharing, token: str) -> JsonObject:
    activated = sharing.store.activate(token)
    if activated is None:
        raise _unusable()
    bearer, given, _ = activated
    profile: JsonObject = {
        "shareCredentialsVersion": 1,
        "bearerToken": bearer,
        "endpoint": sharing.endpoint,
    }
    if given.expires_at is not None:
        profile["expirationTime"] = given.expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return profile


def _check_usable(sharing: Sharing, token: str) -> None:
    if sharing.store.pending(token) is None:
        raise _unusable()


def _unusable() -> Exception:
    return missing("The activation url does not exist, has expired or was used already.")


def _token(call: Call) -> str:
    """The activation token: on its own, or in the whole link, whose query the client may have sent as its own."""
    if sent := call.query.get("token"):
        return sent
    link = call.params.get("link", "")
    return dict(parse_qsl(urlsplit(link).query)).get("token") or link.rpartition("/")[2]
