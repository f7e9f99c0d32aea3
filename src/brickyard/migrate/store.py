"""Reads and writes what migrate remembers; the only part of the room that speaks to the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.exc import IntegrityError

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import RunRequest, RunStatus
from brickyard.migrate.tables import ONE_AT_A_TIME, batches, events, runs, sources, steps

Json = Mapping[str, Any]

ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A notebook as it was sent."""

    path: str
    content: bytes
    child: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """One request and when it came."""

    id: str
    created_at: datetime
    workspace: str
    title: str
    request: RunRequest


@dataclass(frozen=True, slots=True)
class Run:
    """The migration of one notebook, as far as it is known."""

    id: str
    batch_id: str
    position: int
    path: str
    status: RunStatus
    outcome: Outcome | None
    code: str | None
    message: str | None
    attempt: int
    job: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    plan: dict[str, Any] | None
    preflight: dict[str, Any] | None
    collisions: list[dict[str, Any]] | None
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A line of the journal: what was meant to be done, and what came of it."""

    key: str
    kind: str
    intended_at: datetime
    done_at: datetime | None
    adopted: bool
    result: dict[str, Any] | None
    new: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline."""

    attempt: int
    at: datetime
    kind: str
    message: str
    detail: dict[str, Any] | None


# ── batches and sources ──────────────────────────────────────────────────────────────────────────────────────────────


def save_batch(tx: Connection, batch: Batch, notebooks: Iterable[StoredSource]) -> None:
    """Remember a request and the notebooks sent with it."""
    request = batch.request.model_dump(mode="json", exclude={"notebooks"})
    tx.execute(
        sa.insert(batches).values(
            id=batch.id, created_at=batch.created_at, workspace=batch.workspace, title=batch.title, request=request
        )
    )
    rows = [{"batch_id": batch.id, "path": n.path, "content": n.content, "child": n.child} for n in notebooks]
    if rows:
        tx.execute(sa.insert(sources), rows)


def batch(tx: Connection, batch_id: str) -> Batch:
    """Return a batch, or raise NotFound."""
    row = tx.execute(sa.select(batches).where(batches.c.id == batch_id)).one_or_none()
    if row is None:
        raise _no_run(batch_id)
    return Batch(row.id, row.created_at, row.workspace, row.title, RunRequest.model_validate(row.request))


def batch_sources(tx: Connection, batch_id: str) -> tuple[StoredSource, ...]:
    """Return the notebooks of a batch in the order of their paths."""
    found = sa.select(sources).where(sources.c.batch_id == batch_id).order_by(sources.c.path)
    return tuple(StoredSource(row.path, bytes(row.content), row.child) for row in tx.execute(found))


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def save_run(
    tx: Connection,
    run_id: str,
    of: Batch,
    position: int,
    path: str,
    identity: str,
    collisions: Sequence[Json] = (),
) -> None:
    """Remember a run as queued, or raise Conflict while the same notebook runs."""
    values = {
        "id": run_id,
        "batch_id": of.id,
        "position": position,
        "path": path,
        "identity": identity,
        "status": RunStatus.QUEUED,
        "attempt": 1,
        "collisions": list(collisions),
        "created_at": of.created_at,
    }
    _once_at_a_time(tx, sa.insert(runs).values(values), path)


def _once_at_a_time(tx: Connection, statement: sa.Insert | sa.Update, path: str) -> None:
    try:
        with tx.begin_nested():
            tx.execute(statement)
    except IntegrityError as error:
        if ONE_AT_A_TIME not in str(error.orig):
            raise
        raise Conflict(
            f"{path} is being migrated already",
            code="already-running",
            remedy="wait for that run (`brickyard migrate report`), or stop it",
        ) from error


def run(tx: Connection, run_id: str) -> Run:
    """Return a run, or raise NotFound."""
    row = tx.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise _no_run(run_id)
    return _run(row)


def runs_of(tx: Connection, run_or_batch: str) -> tuple[Run, ...]:
    """Return the runs of a batch, or the one run of that id; NotFound when the id is neither."""
    which = sa.or_(runs.c.id == run_or_batch, runs.c.batch_id == run_or_batch)
    found = tuple(map(_run, tx.execute(sa.select(runs).where(which).order_by(runs.c.position))))
    if not found:
        raise _no_run(run_or_batch)
    return found


def list_runs(
    tx: Connection,
    *,
    batch_id: str | None = None,
    status: RunStatus | None = None,
    outcome: Outcome | None = None,
    path: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> tuple[Run, ...]:
    """Return runs, newest first; *after* is the creation time and id of the last run already seen."""
    wanted = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    filters = {"batch_id": batch_id, "status": status, "outcome": outcome, "path": path}
    for name, value in filters.items():
        if value is not None:
            wanted = wanted.where(runs.c[name] == value)
    if after is not None:
        wanted = wanted.where(sa.tuple_(runs.c.created_at, runs.c.id) < sa.tuple_(*after))
    return tuple(map(_run, tx.execute(wanted)))


def last_outcomes(tx: Connection, identities: Sequence[str]) -> dict[str, Outcome]:
    """Return the outcome of each notebook's newest finished run."""
    newest = (
        sa.select(runs.c.identity, runs.c.outcome)
        .where(runs.c.identity.in_(identities), runs.c.outcome.is_not(None))
        .ext(distinct_on(runs.c.identity))
        .order_by(runs.c.identity, runs.c.created_at.desc(), runs.c.id.desc())
    )
    return {row.identity: Outcome(row.outcome) for row in tx.execute(newest)}


def set_job(tx: Connection, run_id: str, job: int) -> None:
    """Remember by which job of the queue a run is done."""
    tx.execute(sa.update(runs).where(runs.c.id == run_id).values(job=job))


def waiting(tx: Connection, batch_id: str) -> Run | None:
    """Return the first run of a batch that is queued here and not in the queue yet, and keep others from taking it."""
    mine = (runs.c.batch_id == batch_id) & (runs.c.status == RunStatus.QUEUED) & runs.c.job.is_(None)
    first = sa.select(runs).where(mine).order_by(runs.c.position).limit(1).with_for_update(skip_locked=True)
    row = tx.execute(first).one_or_none()
    return _run(row) if row else None


def start(tx: Connection, run_id: str, at: datetime) -> Run:
    """Mark a run as running unless it is over, and return it."""
    begin = sa.update(runs).where(runs.c.id == run_id, runs.c.status == RunStatus.QUEUED)
    tx.execute(begin.values(status=RunStatus.RUNNING, started_at=at))
    return run(tx, run_id)


def again(tx: Connection, run_id: str) -> Run:
    """Queue a new attempt of a run that is over, or raise Conflict while the same notebook runs."""
    fields = dict.fromkeys(("outcome", "code", "message", "finished_at", "started_at", "preflight", "result", "job"))
    change = sa.update(runs).where(runs.c.id == run_id)
    path = run(tx, run_id).path
    _once_at_a_time(tx, change.values(status=RunStatus.QUEUED, attempt=runs.c.attempt + 1, **fields), path)
    return run(tx, run_id)


def keep(tx: Connection, run_id: str, **documents: Json) -> None:
    """Remember what was planned (`plan`), checked (`preflight`) or found out (`result`)."""
    tx.execute(sa.update(runs).where(runs.c.id == run_id).values(**documents))


def finish(
    tx: Connection, run_id: str, outcome: Outcome, at: datetime, code: str | None = None, message: str | None = None
) -> bool:
    """Give a run its one final status; False when it had one already."""
    return _end(tx, run_id, RunStatus.FINISHED, outcome, at, code, message)


def interrupt(tx: Connection, run_id: str, at: datetime, message: str) -> bool:
    """Mark a run as interrupted: it has no outcome and can be resumed. False when it was over already."""
    return _end(tx, run_id, RunStatus.INTERRUPTED, None, at, "interrupted", message)


def _end(
    tx: Connection,
    run_id: str,
    status: RunStatus,
    outcome: Outcome | None,
    at: datetime,
    code: str | None,
    message: str | None,
) -> bool:
    change = sa.update(runs).where(runs.c.id == run_id, runs.c.status.in_(ACTIVE))
    ended = tx.execute(
        change.values(status=status, outcome=outcome, finished_at=at, code=code, message=message).returning(runs.c.id)
    )
    return ended.one_or_none() is not None


def _run(row: Any) -> Run:
    fields = {name: getattr(row, name) for name in Run.__slots__}
    fields["status"] = RunStatus(row.status)
    fields["outcome"] = Outcome(row.outcome) if row.outcome else None
    return Run(**fields)


def _no_run(name: str) -> NotFound:
    return NotFound(
        f"there is no run {name}", code="run-not-found", remedy="`brickyard migrate report` lists the last runs"
    )


# ── journal and timeline ─────────────────────────────────────────────────────────────────────────────────────────────


def intend(tx: Connection, of: Run, key: str, kind: str, at: datetime) -> StoredStep:
    """Write down that a step will be done, and return its line; one that was there already says how far it got."""
    line = insert(steps).values(run_id=of.id, attempt=of.attempt, key=key, kind=kind, intended_at=at, adopted=False)
    added = tx.execute(line.on_conflict_do_nothing().returning(steps.c.key)).one_or_none()
    mine = (steps.c.run_id == of.id) & (steps.c.attempt == of.attempt) & (steps.c.key == key)
    return replace(_step(tx.execute(sa.select(steps).where(mine)).one()), new=added is not None)


def sent(tx: Connection, of: Run, key: str, statement: str) -> None:
    """Write down the statement by which a step is being done."""
    mine = (steps.c.run_id == of.id) & (steps.c.attempt == of.attempt) & (steps.c.key == key)
    tx.execute(sa.update(steps).where(mine).values(result={"statement": statement}))


def done(tx: Connection, of: Run, key: str, at: datetime, result: Json, *, adopted: bool) -> None:
    """Write down what came of a step."""
    mine = (steps.c.run_id == of.id) & (steps.c.attempt == of.attempt) & (steps.c.key == key)
    tx.execute(sa.update(steps).where(mine).values(done_at=at, result=result, adopted=adopted))


def journal(tx: Connection, of: Run) -> tuple[StoredStep, ...]:
    """Return the steps of the run's current attempt in the order in which they were intended."""
    mine = (steps.c.run_id == of.id) & (steps.c.attempt == of.attempt)
    return tuple(map(_step, tx.execute(sa.select(steps).where(mine).order_by(steps.c.intended_at, steps.c.key))))


def _step(row: Any) -> StoredStep:
    return StoredStep(row.key, row.kind, row.intended_at, row.done_at, row.adopted, row.result)


def tell(tx: Connection, of: Run, at: datetime, kind: str, message: str, detail: Json | None = None) -> None:
    """Add a line to the run's timeline."""
    tx.execute(
        sa.insert(events).values(run_id=of.id, attempt=of.attempt, at=at, kind=kind, message=message, detail=detail)
    )


def timeline(tx: Connection, run_id: str) -> tuple[Event, ...]:
    """Return everything that happened to a run, oldest first."""
    found = sa.select(events).where(events.c.run_id == run_id).order_by(events.c.id)
    return tuple(Event(row.attempt, row.at, row.kind, row.message, row.detail) for row in tx.execute(found))
