"""The journal of a run: each step is written down before it is done, and what came of it after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from brickyard.share.model.runs import StepStatus
from brickyard.share.model.steps import Step
from brickyard.share.store import documents
from brickyard.share.tables import steps

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStep:
    """A line of the journal. *new* tells that nobody has begun the step before; *attempt* is the one that began it."""

    run_id: str
    key: str
    position: int
    step: Step
    before: dict[str, Any] | None
    status: StepStatus
    attempt: int
    intended_at: datetime
    done_at: datetime | None
    adopted: bool
    result: dict[str, Any] | None
    compensated_at: datetime | None
    compensation: str | None
    new: bool = False


def intend(
    tx: Connection,
    run_id: str,
    key: str,
    position: int,
    step: Step,
    at: datetime,
    *,
    attempt: int,
    before: Json | None = None,
) -> StoredStep:
    """Write down that a step will be done, and return its line; one that was there already says how far it got."""
    document = documents.step_document(step)
    values = {"run_id": run_id, "key": key, "position": position, "kind": type(step).__name__, "attempt": attempt}
    line = insert(steps).values(**values, step=document, before=before, status=StepStatus.INTENDED, intended_at=at)
    added = tx.execute(line.on_conflict_do_nothing().returning(steps.c.key)).one_or_none()
    return _step(tx.execute(sa.select(steps).where(_line(run_id, key))).one(), new=added is not None)


def done(tx: Connection, run_id: str, key: str, at: datetime, result: Json | None, *, adopted: bool = False) -> None:
    """Write down what came of a step; *adopted* when an earlier try had done it."""
    values = {"status": StepStatus.DONE, "done_at": at, "result": result, "adopted": adopted}
    tx.execute(sa.update(steps).where(_line(run_id, key)).values(**values))


def compensated(tx: Connection, run_id: str, key: str, at: datetime, outcome: str, *, undone: bool) -> None:
    """Write down how the undoing of a step went, in words."""
    status = StepStatus.COMPENSATED if undone else StepStatus.NOT_COMPENSATED
    values = {"status": status, "compensated_at": at, "compensation": outcome}
    tx.execute(sa.update(steps).where(_line(run_id, key)).values(**values))


def journal(tx: Connection, run_id: str) -> tuple[StoredStep, ...]:
    """Return the lines of a run in their order."""
    found = sa.select(steps).where(steps.c.run_id == run_id).order_by(steps.c.position, steps.c.key)
    return tuple(_step(row) for row in tx.execute(found))


def _line(run_id: str, key: str) -> sa.ColumnElement[bool]:
    return (steps.c.run_id == run_id) & (steps.c.key == key)


def _step(row: Any, *, new: bool = False) -> StoredStep:
    fields = {name: getattr(row, name) for name in StoredStep.__slots__ if name not in ("step", "status", "new")}
    return StoredStep(**fields, step=documents.step(row.step), status=StepStatus(row.status), new=new)
