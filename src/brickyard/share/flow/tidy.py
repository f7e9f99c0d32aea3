"""What nobody needs any more."""

from __future__ import annotations

from datetime import timedelta

from brickyard.context import Context
from brickyard.share.flow.verify import drop_probes
from brickyard.share.store import idempotency

REMEMBERED = timedelta(hours=24)  # how long a repeated request gets its first answer


def tidy(context: Context) -> None:
    """Forget the answers to old requests, and drop what killed verifications left in the workspace."""
    with context.metadata.transaction() as tx:
        idempotency.prune(tx, context.clock() - REMEMBERED)
    drop_probes(context)
