"""Who is let in: loopback callers that name this host, come from no other site and hold a token."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from brickyard.local.api.errors import ApiError, denied
from brickyard.local.api.tokens import Principal, Tokens

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "brickyard_console"


def check_host(headers: Mapping[str, str], port: int) -> None:
    """Refuse a Host header that is not this server: a page elsewhere may have re-bound its name to loopback."""
    if not _is_self(f"http://{headers.get('host', '')}", port):
        raise ApiError(403, "PERMISSION_DENIED", "This server answers on 127.0.0.1 only.")


def check_origin(headers: Mapping[str, str], port: int) -> None:
    """Refuse a request that a page of another site makes."""
    origin = headers.get("origin")
    if origin is not None and not _is_self(origin, port):
        raise denied("Requests from other sites are refused.")
    if (
        headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
        and origin is None
        and not _navigation(headers)
    ):
        raise denied("Requests from other sites are refused.")


def authenticate(headers: Mapping[str, str], tokens: Tokens) -> Principal:
    """Who holds the bearer token of a request, or 401."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    principal = tokens.principal_of(token.strip()) if scheme.lower() == "bearer" else None
    if principal is None:
        raise ApiError(401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API.")
    return principal


def _navigation(headers: Mapping[str, str]) -> bool:
    """Whether a user followed a link to a page; no cookie makes such a visit more than an anonymous one."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _is_self(url: str, port: int) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in LOOPBACK and (parts.port or 80) == port
    except ValueError:
        return False
