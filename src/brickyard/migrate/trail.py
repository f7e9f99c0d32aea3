"""What migrate leaves in the audit trail: what was asked, each step that changed the workspace, and how it ended."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.metadata import audit
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import (
    CloneTable,
    CreateSchema,
    CreateView,
    CreateVolume,
    ImportNotebook,
    RunRequest,
    RunStatus,
    Step,
    SubmitRun,
)
from brickyard.migrate.store import Batch, Run

_UNTOLD = {"notebooks", "params", "rules_text", "mapping"}  # contents, and values that may be secrets


def submitted(tx: Connection, context: Context, batch: Batch, runs: Mapping[str, str]) -> None:
    """Record a request and its runs."""
    detail = {"workspace": batch.workspace, "request": _request(batch.request), "runs": dict(runs)}
    audit.record(tx, at=batch.created_at, actor=context.actor, action="SubmitBatch", subject=batch.id, detail=detail)


def _request(request: RunRequest) -> dict[str, Any]:
    """A request without contents: of texts their digest, of parameters their names."""
    texts = {"rules_text": request.rules_text, "mapping": request.mapping}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items() if text}
    return request.model_dump(mode="json", exclude=_UNTOLD) | digests | {"params": sorted(request.params)}


def resumed(tx: Connection, context: Context, run: Run, at: datetime) -> None:
    """Record that a new attempt of a run was asked for."""
    _of_run(tx, context, run, at, "ResumeRun", after={"status": run.status.value})


def asked_to_stop(tx: Connection, context: Context, run: Run, at: datetime) -> None:
    """Record that a run was asked to stop."""
    _of_run(tx, context, run, at, "StopRun", before={"status": run.status.value})


def step(
    tx: Connection, context: Context, run: Run, at: datetime, done: Step, result: Mapping[str, Any], *, adopted: bool
) -> None:
    """Record a step that was performed, or found as an earlier try had left it."""
    audit.record(
        tx,
        at=at,
        actor=context.actor,
        action=type(done).__name__,
        subject=_subject(done),
        after=result,
        detail={"run": run.id, "attempt": run.attempt, "step": done.key, "adopted": adopted},
    )


def _subject(done: Step) -> str:
    match done:
        case CreateSchema(catalog=catalog, schema=schema):
            return f"{catalog}.{schema}"
        case CreateVolume(catalog=catalog, schema=schema, volume=volume):
            return f"{catalog}.{schema}.{volume}"
        case CloneTable(target=target) | CreateView(target=target):
            return str(target)
        case ImportNotebook(path=path):
            return path
        case SubmitRun(name=name):
            return name
    assert_never(done)


def taken_back(tx: Connection, context: Context, run: Run, at: datetime) -> None:
    """Record that what an attempt had made was dropped."""
    _of_run(tx, context, run, at, "TakeBack")


def interrupted(tx: Connection, context: Context, run: Run, at: datetime) -> None:
    """Record that a run was stopped before its end."""
    _of_run(tx, context, run, at, "InterruptRun", after={"status": RunStatus.INTERRUPTED.value})


def finished(tx: Connection, context: Context, run: Run, at: datetime, outcome: Outcome, code: str | None) -> None:
    """Record how a run ended."""
    after = {"status": RunStatus.FINISHED.value, "outcome": outcome.value, "code": code}
    _of_run(tx, context, run, at, "FinishRun", after=after)


def _of_run(
    tx: Connection,
    context: Context,
    run: Run,
    at: datetime,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    detail = {"batch": run.batch_id, "path": run.path, "attempt": run.attempt}
    audit.record(
        tx, at=at, actor=context.actor, action=action, subject=run.id, before=before, after=after, detail=detail
    )
