"""Giving out an activation link once."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.kernel.errors import NotFound
from brickyard.share.flow.submit import workspace_of
from brickyard.share.model.runs import Delivery
from brickyard.share.observe.recipients import recipient as observed
from brickyard.share.plan.lifetimes import newest
from brickyard.share.store import audit, links
from brickyard.share.store.sealing import opened


def deliver(context: Context, recipient: str) -> Delivery:
    """Return the sealed activation link of a recipient's newest token and erase it.

    Raises NotFound when there is none, or none any more, and GuardRefused when another home has sealed it; then it stays.
    """
    client = context.workspaces.client()
    there = observed(client, recipient)
    token = newest(there.tokens) if there else None
    at, settings = context.clock(), context.queue.settings
    with context.metadata.transaction() as tx:
        sealed = links.take(tx, workspace_of(context), recipient, by=context.actor, at=at)
        if sealed is None:
            raise NotFound(
                f"there is no activation link of {recipient} to give out",
                code="share-no-link",
                remedy="only a new token has one, and gives it out once, from the home that made it; "
                f"`brickyard share rotate {recipient}` makes a new token",
            )
        link = opened(settings.home, sealed)
        audit.seal(tx, at=at, actor=context.actor, action="DeliverLink", subject=recipient)
    return Delivery(recipient=recipient, link=link, expires_at=token.expires_at if token else None)
