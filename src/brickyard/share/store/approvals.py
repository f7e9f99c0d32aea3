"""Who has approved which plan of a run, and what the request that belongs to it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from brickyard.metadata import scd2
from brickyard.share.model.records import TrailAction
from brickyard.share.model.runs import ApproverStatus
from brickyard.share.store import audit
from brickyard.share.tables import approvals, requests


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word for one plan."""

    by: str
    plan_hash: str
    at: datetime
    reason: str


def give(tx: Connection, run_id: str, *, by: str, plan_hash: str, at: datetime, reason: str = "") -> None:
    """Remember that a person approves a plan of a run; what the same person said of an earlier plan is replaced."""
    values = {"plan_hash": plan_hash, "at": at, "reason": reason}
    line = insert(approvals).values(run_id=run_id, by=by, **values)
    tx.execute(line.on_conflict_do_update(index_elements=[approvals.c.run_id, approvals.c.by], set_=values))


def given(tx: Connection, run_id: str, plan_hash: str) -> tuple[Approval, ...]:
    """Return who has approved exactly this plan, first one first."""
    mine = (approvals.c.run_id == run_id) & (approvals.c.plan_hash == plan_hash)
    found = sa.select(approvals).where(mine).order_by(approvals.c.at, approvals.c.by)
    return tuple(Approval(row.by, row.plan_hash, row.at, row.reason) for row in tx.execute(found))


def decide(tx: Connection, request_id: UUID, status: ApproverStatus, *, by: str, at: datetime, reason: str) -> None:
    """Write an approver's decision into the request as a new version of it, with its line in the trail."""
    fields = {"approver_status": status, "approved_by": by, "approved_datetime": at}
    action = TrailAction.APPROVED if status == ApproverStatus.APPROVED else TrailAction.DECLINED
    audit.write(tx, requests, request_id, fields, by=by, reason=reason, action=action)


def request(tx: Connection, request_id: UUID) -> scd2.Version | None:
    """Return the current version of a request."""
    return scd2.current(tx, requests, request_id)
