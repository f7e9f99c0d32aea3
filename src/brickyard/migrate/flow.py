"""The story of migrate: preview a plan, submit runs, bring each run to its one true end, stop it, show the record.

`run` may be killed at any point and started again by another worker: see `journal`. The eight steps of a migration stand in `attempt`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.dbsql.model import Kind
from brickyard.kernel import stop as wish
from brickyard.kernel.errors import (
    BrickyardError,
    Conflict,
    GuardRefused,
    Interrupted,
    NotFound,
    SpecInvalid,
    Unauthorized,
    WorkspaceRefused,
)
from brickyard.kernel.names import TableName
from brickyard.kernel.progress import Report, Step, silent
from brickyard.kernel.terminal import plain
from brickyard.migrate import attempt, observe, report, store, trail
from brickyard.migrate.journal import Work
from brickyard.migrate.model.inputs import Source
from brickyard.migrate.model.nouns import Outcome, Plan, Verdict
from brickyard.migrate.model.options import options
from brickyard.migrate.model.runs import (
    RunRequest,
    RunStatus,
)
from brickyard.migrate.plan import plan_notebooks, proof, steps
from brickyard.migrate.plan.verdict import Ending
from brickyard.migrate.store import Batch, Run, StoredSource
from brickyard.notebooks.parse import parse

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

log = structlog.stdlib.get_logger(__name__)

_LOOK_SECONDS = 0.3


# ── preview ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def preview(request: RunRequest) -> Plan:
    """Plan the notebooks of a request; nothing is read from the workspace and nothing changes."""
    sources = [Source(n.path, n.content) for n in request.notebooks]
    return plan_notebooks(sources, options(request))


def prove(eyes: observe.Eyes, plan: Plan, name: str) -> dict[str, Verdict]:
    """Execute a plan's edits, before and after, on generated rows; what that makes under *name* is dropped again."""
    found: dict[str, Verdict] = {}
    for notebook in plan.notebooks:
        rows = [
            r for r in notebook.references if r.kind not in (Kind.FUNCTION, Kind.PATH) and r.original and r.refactored
        ]
        if rows:
            legacy = [TableName.parse(r.original) for r in rows if r.original]
            columns = {n.folded(): observe.describe(eyes, n).columns for n in dict.fromkeys(legacy)}
            scratch = TableName(TableName.parse(rows[0].refactored or "").catalog, f"{steps.PREFIX}{name}_proof", "")
            trials = proof.build(notebook, {n: c for n, c in columns.items() if c}, scratch)
            rulings = proof.settle(trials, lambda statement: eyes.sql(statement).values)
            found |= {group: ruling.verdict for group, ruling in rulings.items()}
    return found


# ── submit ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was queued: the batch, and a run for each notebook by path."""

    batch: str
    runs: Mapping[str, str]


def submit(context: Context, request: RunRequest) -> Submitted:
    """Remember a request and queue its runs: all of it or nothing.

    Raises SpecInvalid for a bad request, Conflict when one of the notebooks runs already, GuardRefused when the plan's
    hash is not the expected one.
    """
    if sum((bool(request.notebooks), request.path is not None, request.resume is not None)) != 1:
        raise SpecInvalid("a request names one of notebooks, path and resume", remedy="give exactly one of them")
    if request.resume is not None:
        return resume(context, request.resume)
    options(request)
    client = context.workspaces.client()
    sources = _sources(client, request)
    collisions = _collisions(request, sources)
    batch = Batch(_new_id(), context.clock(), _host(client), _title(request, sources), request)
    with context.metadata.transaction() as tx:
        chosen = _chosen(tx, batch, sources)
        store.save_batch(tx, batch, sources)
        runs = {path: _save_run(tx, batch, at, path, collisions.get(path, ())) for at, path in enumerate(chosen)}
        for _ in range(min(request.jobs, len(runs))):
            _defer_next(context, tx, batch.id)
        trail.submitted(tx, context, batch, runs)
    return Submitted(batch.id, runs)


def resume(context: Context, run_or_batch: str) -> Submitted:
    """Queue a new attempt of every run of *run_or_batch* that was interrupted, halted or failed."""
    with context.metadata.transaction() as tx:
        found = store.runs_of(tx, run_or_batch)
        again = [r for r in found if r.status is RunStatus.INTERRUPTED or r.outcome in (Outcome.HALTED, Outcome.FAILED)]
        if not again:
            raise Conflict(
                f"nothing of {run_or_batch} was interrupted, halted or failed",
                code="nothing-to-resume",
                remedy="submit the notebook again",
            )
        queued = [store.again(tx, run.id) for run in again]
        for _ in range(min(store.batch(tx, found[0].batch_id).request.jobs, len(again))):
            _defer_next(context, tx, found[0].batch_id)
        for run in queued:
            trail.resumed(tx, context, run, context.clock())
    return Submitted(found[0].batch_id, {run.path: run.id for run in again})


def _sources(client: WorkspaceClient, request: RunRequest) -> tuple[StoredSource, ...]:
    if request.path is not None:
        found = observe.notebooks(client, request.path)
        sources = tuple(StoredSource(path, content, child=False) for path, content in found)
    else:
        sources = tuple(StoredSource(n.path, n.content, n.child) for n in request.notebooks)
    if not any(not s.child for s in sources):
        raise SpecInvalid("there is no notebook to migrate", code="no-notebooks", remedy="send notebooks, or a path")
    twice = sorted({s.path for s in sources if sum(o.path == s.path for o in sources) > 1})
    if twice:
        raise SpecInvalid(f"{twice[0]} was sent twice", code="notebook-twice", remedy="send each path once")
    own = [s for s in sources if not s.child]
    if len(own) == 1:
        _refuse_unusable(own[0])
    return sources


def _refuse_unusable(source: StoredSource) -> None:
    """Refuse a single file that is no notebook; among several, such a one ends as a failed run of its own."""
    notebook = parse(source.path, source.content)
    if not any(cell.code.strip() for cell in notebook.cells):
        raise SpecInvalid(
            f"{source.path} holds no cell",
            code="notebook-empty",
            remedy="leave it out, or check that it was exported whole",
        )


def _collisions(request: RunRequest, sources: Sequence[StoredSource]) -> dict[str, list[dict[str, Any]]]:
    """Plan the batch as a whole for what no notebook shows alone: two that map different objects to one name."""
    if request.plan_hash is not None:
        _expect_hash(request, sources)
    if len(sources) == 1:
        return {}
    whole = plan_notebooks([Source(s.path, s.content) for s in sources], options(request))
    return {p.path: [plain(f) for f in p.findings if f.code == "mapping-collision"] for p in whole.notebooks}


def _expect_hash(request: RunRequest, sources: Sequence[StoredSource]) -> None:
    """Refuse what is not planned as it was when it was looked at; notebooks that are only run by others do not count."""
    own = [Source(s.path, s.content) for s in sources if not s.child]
    beside = [Source(s.path, s.content) for s in sources if s.child]
    found = plan_notebooks(own, options(request), beside=beside).hash
    if found != request.plan_hash:
        raise GuardRefused(
            f"the plan is {found} now, not {request.plan_hash}: a notebook, the rules or the mapping have changed",
            code="plan-changed",
            remedy="look at the plan again",
        )


def _chosen(tx: Connection, batch: Batch, sources: Iterable[StoredSource]) -> list[str]:
    paths = [s.path for s in sources if not s.child]
    if not batch.request.only_failed:
        return paths
    last = store.last_outcomes(tx, [_identity(batch, path) for path in paths])
    left = [path for path in paths if last.get(_identity(batch, path)) is not Outcome.RECONCILED]
    if not left:
        raise Conflict("every notebook has reconciled", code="nothing-failed", remedy="leave out --only-failed")
    return left


def _save_run(tx: Connection, batch: Batch, position: int, path: str, collisions: Sequence[Mapping[str, Any]]) -> str:
    run_id = _new_id()
    store.save_run(tx, run_id, batch, position, path, _identity(batch, path), collisions)
    store.tell(tx, store.run(tx, run_id), batch.created_at, "queued", "queued")
    return run_id


def _defer_next(context: Context, tx: Connection, batch_id: str) -> None:
    """Hand the batch's next run to the queue, if one waits."""
    run = store.waiting(tx, batch_id)
    if run:
        store.set_job(tx, run.id, context.queue.defer(tx, "migrate.run", run_id=run.id))


def _identity(batch: Batch, path: str) -> str:
    origin = batch.request.path if batch.request.path is not None else batch.request.origin
    return "|".join((batch.workspace, origin, path))


def _title(request: RunRequest, sources: Sequence[StoredSource]) -> str:
    own = [s.path for s in sources if not s.child]
    return request.path or (own[0] if len(own) == 1 else request.origin.rstrip("/").rsplit("/", 1)[-1] or "notebooks")


def _host(client: WorkspaceClient) -> str:
    return client.config.host or ""


def _new_id() -> str:
    return secrets.token_hex(6)


# ── run ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(context: Context, run_id: str) -> None:
    """Bring a run from wherever it stands to its end. Raises what the queue is to try again later."""
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        started = store.start(tx, run_id, context.clock())
        batch = store.batch(tx, started.batch_id)
    if started.status is not RunStatus.RUNNING:
        return
    work = Work(context, started, batch)
    try:
        ending = attempt.migrate(work)
    except GuardRefused as error:
        ending = Ending(Outcome.HALTED, error.error_code, error.message)
    except Interrupted as error:
        if error.error_code == "job-cancelled":
            _interrupted(work, error.message)
        raise
    except (NotFound, SpecInvalid, Unauthorized, WorkspaceRefused) as error:
        if attempt.passes(error):
            raise
        ending = Ending(Outcome.FAILED, error.error_code, error.message)
    _finish(context, started, ending)


def gave_up(context: Context, run_id: str, error: BaseException) -> None:
    """Give a run that cannot go on its final status."""
    code = error.error_code if isinstance(error, BrickyardError) else "internal-error"
    with context.metadata.read() as tx:
        found = store.run(tx, run_id)
    _finish(context, found, Ending(Outcome.FAILED, code, str(error) or type(error).__name__))


def _finish(context: Context, run: Run, ending: Ending) -> None:
    """Write the one final status, and let the batch's next run begin."""
    at = context.clock()
    words = ending.outcome if ending.message is None else f"{ending.outcome}: {ending.message}"
    with context.metadata.transaction() as tx:
        if store.finish(tx, run.id, ending.outcome, at, ending.code, ending.message):
            kind = ending.outcome if ending.outcome in (Outcome.HALTED, Outcome.FAILED) else "finished"
            store.tell(tx, run, at, kind, words)
            _defer_next(context, tx, run.batch_id)
            trail.finished(tx, context, run, at, ending.outcome, ending.code)
    log.info("run finished", run=run.id, outcome=str(ending.outcome), code=ending.code)


# ── follow ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def follow(context: Context, batch_id: str, tell: Report = silent) -> None:
    """Wait until no run of a batch is active; where no worker is alive, do them in this process."""
    tick = _every(1.0, lambda: _tell(context, batch_id, tell))
    while active := _active(context, batch_id):
        tick()
        with context.metadata.read() as tx:
            alone = context.queue.workers_alive(tx) == 0
        if alone and active[0].job is not None:
            context.queue.run_one(active[0].job, context, on_tick=tick)
            _expect_end(context, active[0])
        else:
            wish.pause(_LOOK_SECONDS)


def _expect_end(context: Context, done: Run) -> None:
    """Give a run that its job left without an end its final status."""
    with context.metadata.read() as tx:
        found = store.run(tx, done.id)
        state = context.queue.state(tx, done.job or 0)
    if found.status in store.ACTIVE and found.job == done.job and (state is None or state.final):
        gave_up(context, done.id, BrickyardError("its job ended without a word", code="internal-error"))


def _every(seconds: float, do: Callable[[], None]) -> Callable[[], None]:
    """Do something at most once in so many seconds."""
    last = 0.0

    def tick() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            do()

    return tick


def _tell(context: Context, batch_id: str, tell: Report) -> None:
    with context.metadata.read() as tx:
        found = store.runs_of(tx, batch_id)
        busy = next((run for run in found if run.status is RunStatus.RUNNING), None)
        lines = store.timeline(tx, busy.id) if busy else ()
    over = sum(run.status not in store.ACTIVE for run in found)
    detail = f"{busy.path}: {lines[-1].message}" if busy and lines else ""
    tell(Step("migrating", over, len(found), detail))


def await_end(context: Context, batch_id: str, seconds: float = 30.0) -> None:
    """Wait a while for runs that were asked to stop."""
    deadline = time.monotonic() + seconds
    while _active(context, batch_id) and time.monotonic() < deadline:
        wish.pause(_LOOK_SECONDS)


# ── stop ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def stop(context: Context, run_or_batch: str) -> None:
    """Ask runs to stop; those that nobody is doing are stopped here, and what they had made is dropped."""
    for found in sorted(_active(context, run_or_batch), key=lambda run: run.job is not None):  # so that none begins now
        with context.metadata.transaction() as tx:
            batch = store.batch(tx, found.batch_id)
            if found.job is not None:
                context.queue.cancel(tx, found.job)
            state = None if found.job is None else context.queue.state(tx, found.job)
            trail.asked_to_stop(tx, context, found, context.clock())
        if state is None or state.final:
            _interrupted(Work(context, found, batch), "stopped on request")


def _active(context: Context, run_or_batch: str) -> list[Run]:
    """The runs that are not over, in their order."""
    with context.metadata.read() as tx:
        found = store.runs_of(tx, run_or_batch)
    return [run for run in found if run.status in store.ACTIVE]


def _interrupted(work: Work, message: str) -> None:
    """Take back what was made and leave the run to be resumed."""
    attempt.take_back(work)
    at = work.context.clock()
    with work.context.metadata.transaction() as tx:
        if store.interrupt(tx, work.run.id, at, message):
            store.tell(tx, work.run, at, "interrupted", "stopped; what the run had made was dropped")
            _defer_next(work.context, tx, work.run.batch_id)
            trail.interrupted(tx, work.context, work.run, at)


# ── record ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(context: Context, run_or_batch: str) -> list[dict[str, Any]]:
    """Return the document of a run, or of every run of a batch."""
    with context.metadata.read() as tx:
        found = store.runs_of(tx, run_or_batch)
        batch = store.batch(tx, found[0].batch_id)
        return [report.document(run, batch, store.timeline(tx, run.id), store.journal(tx, run)) for run in found]


def record_one(context: Context, run_id: str) -> dict[str, Any]:
    """Return the document of one run, or raise NotFound when the id is a batch's or nobody's."""
    with context.metadata.read() as tx:
        run = store.run(tx, run_id)
        return report.document(run, store.batch(tx, run.batch_id), store.timeline(tx, run.id), store.journal(tx, run))


def title(context: Context, run_or_batch: str) -> str:
    """What a run or batch is called."""
    with context.metadata.read() as tx:
        return store.batch(tx, store.runs_of(tx, run_or_batch)[0].batch_id).title
