"""One run of a pack, from wherever it stands to its end."""

from __future__ import annotations

from brickyard.context import Context


def provision(context: Context, run_id: str) -> None:
    """Bring a run to its end. Raises what the queue is to try again later."""
    raise NotImplementedError


def gave_up(context: Context, run_id: str, error: BaseException) -> None:
    """Give a run that cannot go on its final status."""
    raise NotImplementedError
