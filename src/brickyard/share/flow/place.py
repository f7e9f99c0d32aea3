"""Which workspace a pack or a request means: an address is a key into the configured ones, and is never contacted."""

from __future__ import annotations

from urllib.parse import urlsplit

from brickyard.context import Context
from brickyard.kernel.errors import SpecInvalid

_DEFAULT_PORTS = {"https": 443, "http": 80}


def require(context: Context, url: str, where: str) -> None:
    """Raise SpecInvalid unless *url*, which stands *where*, is an address of the configured workspace."""
    if key(url) not in known(context):
        here = context.workspaces.host or context.workspaces.profile
        raise SpecInvalid(
            f"{where} is {url!r}, which is not an address of the workspace that is worked on, {here}",
            code="workspace-unknown",
            remedy=f"write {here}, work on the other workspace, or add its further address to BRICKYARD_SHARE_WORKSPACES",
        )


def known(context: Context) -> frozenset[str]:
    """Return every address of the configured workspace, as keys."""
    host = context.workspaces.host or (context.workspaces.client().config.host if context.workspaces.profile else None)
    return frozenset(found for url in (host, *context.queue.settings.share_workspaces) if url and (found := key(url)))


def key(url: str) -> str | None:
    """Return what tells two addresses of one workspace to be the same: scheme, host and port; None for no address."""
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None or parts.path.strip("/"):
        return None
    return f"{parts.scheme}://{parts.hostname}:{port or _DEFAULT_PORTS[parts.scheme]}"
