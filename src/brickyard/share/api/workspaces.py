"""Which workspace a request means: its header is a key into the configured addresses, and is never contacted."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request

from brickyard.context import Context
from brickyard.kernel.errors import SpecInvalid

_DEFAULT_PORTS = {"https": 443, "http": 80}

WorkspaceUrl = Annotated[
    str,
    Header(
        alias="X-Workspace-URL",
        max_length=500,
        description="Address of the workspace; it must be a configured one and is only compared, never contacted.",
    ),
]


async def context_of(request: Request) -> Context:
    """Return the context of a request; its actor is who asks."""
    return request.state.context


async def working(request: Request, x_workspace_url: WorkspaceUrl) -> Context:
    """Return the context of a request that means the configured workspace, or raise SpecInvalid."""
    context = await context_of(request)
    require(context, x_workspace_url)
    return context


Asked = Annotated[Context, Depends(context_of)]
Working = Annotated[Context, Depends(working)]


def require(context: Context, url: str) -> None:
    """Raise SpecInvalid unless *url* is an address of the configured workspace."""
    if key(url) not in known(context):
        raise SpecInvalid(
            f"{url!r} is not an address of this service's workspace",
            code="workspace-unknown",
            remedy="send the configured workspace's address as X-Workspace-URL, or add this one to BRICKYARD_SHARE_WORKSPACES",
        )


def require_same(header: str, pack: str) -> None:
    """Raise SpecInvalid unless the header and the pack name the same workspace."""
    if key(header) != key(pack):
        raise SpecInvalid(
            f"X-Workspace-URL is {header!r}, but the pack's metadata.workspace_url is {pack!r}",
            code="workspace-unknown",
            remedy="send the pack to the workspace that it is for",
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
