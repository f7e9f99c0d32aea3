"""What is remembered of packs and runs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.share import report
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import (
    PackRecord,
    PackVersion,
    RequestStatus,
    RunRecord,
    StepRecord,
)
from brickyard.share.model.steps import Refusal
from brickyard.share.store import approvals, packs, runs, steps
from brickyard.share.store.runs import Run


def status(context: Context, pack_id: str) -> PackRecord:
    """Return a pack with its newest run, or raise NotFound."""
    with context.metadata.read() as tx:
        return _pack(tx, packs.get(tx, pack_id))


def run_of(context: Context, run_id: str) -> RunRecord:
    """Return a run with its steps, or raise NotFound."""
    with context.metadata.read() as tx:
        return record(tx, runs.get(tx, run_id))


def list_packs(context: Context, *, name: str | None = None, limit: int = 50) -> tuple[PackRecord, ...]:
    """Return the packs, those that list a share or recipient *name* where one is given, the last changed first."""
    with context.metadata.read() as tx:
        return tuple(_pack(tx, one) for one in packs.page(tx, naming=name, limit=limit))


def history(context: Context, pack_id: str) -> tuple[PackVersion, ...]:
    """Return every version of a pack, oldest first."""
    with context.metadata.read() as tx:
        key = packs.get(tx, pack_id).pack_id
        return tuple(_version(one) for one in reversed(packs.history(tx, key)))


def record(tx: Connection, run: Run) -> RunRecord:
    """Return a run as its readers see it."""
    failure = (run.result or {}).get("failure") or {}
    planned = run.plan or {}
    return RunRecord(
        id=run.id,
        kind=run.kind,
        status=run.status,
        pack_id=str(run.pack_id) if run.pack_id else None,
        version=run.version,
        strategy=Strategy(planned["strategy"]) if planned.get("strategy") else None,
        requested_by=run.requested_by,
        plan_hash=run.plan_hash,
        code=run.code,
        http_status=failure.get("status"),
        message=run.message,
        refusals=tuple(Refusal(**one) for one in failure.get("refusals", ())),
        warnings=(*planned.get("warnings", ()), *(run.result or {}).get("warnings", ())),
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        steps=tuple(map(_step, steps.journal(tx, run.id))),
        planned=len(planned.get("steps", ())),
        poisoned=tuple(event.message for event in runs.timeline(tx, run.id) if event.kind == runs.POISONED),
    )


def _step(line: steps.StoredStep) -> StepRecord:
    return StepRecord(
        position=line.position,
        kind=report.kind(line.step),
        subject=report.subject(line.step),
        words=report.words(line.step),
        status=line.status,
        intended_at=line.intended_at,
        done_at=line.done_at,
        adopted=line.adopted,
        outcome=line.compensation,
    )


def _pack(tx: Connection, found: packs.PackRecord) -> PackRecord:
    pack = packs.config(tx, found.pack_id)
    run = runs.newest(tx, found.pack_id)
    request = approvals.request(tx, run.request_id) if run and run.request_id else None
    return PackRecord(
        pack_id=str(found.pack_id),
        name=found.name,
        version=found.version,
        status=found.status,
        strategy=found.strategy,
        provisioning_status=found.provisioning_status,
        error_message=found.error_message,
        requested_by=found.requested_by,
        created_at=found.created_at,
        last_updated=found.updated_at,
        workspace_url=pack.metadata.workspace_url,
        business_line=pack.metadata.business_line,
        project=pack.metadata.project_name or "default",
        request_status=RequestStatus(request.fields["status"]) if request else None,
        approved_by=request.fields["approved_by"] if request else None,
        deleted=found.deleted,
        run=record(tx, run) if run else None,
    )


def _version(found: packs.PackVersion) -> PackVersion:
    forever = found.effective_to.year == datetime.max.year
    return PackVersion(
        version=found.version,
        status=found.status,
        effective_from=found.effective_from,
        effective_to=None if forever else found.effective_to,
        changed_by=found.changed_by,
        change_reason=found.change_reason,
        strategy=found.strategy,
        deleted=found.deleted,
    )
