"""Which workspace a request means: its header is a key into the configured addresses, and is never contacted."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from brickyard.context import Context
from brickyard.kernel.errors import SpecInvalid
from brickyard.share.flow.place import key, require

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
    require(context, x_workspace_url, "X-Workspace-URL")
    return context


Asked = Annotated[Context, Depends(context_of)]
Working = Annotated[Context, Depends(working)]


def require_same(header: str, pack: str) -> None:
    """Raise SpecInvalid unless the header and the pack name the same workspace."""
    if key(header) != key(pack):
        raise SpecInvalid(
            f"X-Workspace-URL is {header!r}, but the pack's metadata.workspace_url is {pack!r}",
            code="workspace-unknown",
            remedy="send the pack to the workspace that it is for",
        )
