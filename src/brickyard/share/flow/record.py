"""What is remembered of packs and runs."""

from __future__ import annotations

from datetime import datetime

from brickyard.context import Context
from brickyard.kernel.progress import Report, silent
from brickyard.share.model.runs import PackRecord, PackStatus, PackVersion, RunRecord


def status(context: Context, pack_id: str) -> PackRecord:
    """Return a pack with its newest run, or raise NotFound."""
    raise NotImplementedError


def run_of(context: Context, run_id: str) -> RunRecord:
    """Return a run with its steps, or raise NotFound."""
    raise NotImplementedError


def list_packs(
    context: Context,
    *,
    status: PackStatus | None = None,
    name: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> tuple[PackRecord, ...]:
    """Return packs, the last changed first; *after* is the last one's `last_updated` and id."""
    raise NotImplementedError


def history(context: Context, pack_id: str) -> tuple[PackVersion, ...]:
    """Return every version of a pack, oldest first."""
    raise NotImplementedError


def wait(context: Context, run_id: str, tell: Report = silent) -> RunRecord:
    """Wait until a run is final or waits for its approval; where no worker is alive, do it in this process."""
    raise NotImplementedError
