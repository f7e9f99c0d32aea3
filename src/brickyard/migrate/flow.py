"""The story of migrate: preview a plan, submit runs, bring each run to its one true end, stop it, show the record.

`run` may be killed at any point and started again by another worker: see `journal`. Start reading at `_migrate`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import TypeAdapter
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
from brickyard.kernel.terminal import plain, plural
from brickyard.migrate import apply, observe, report, store, trail
from brickyard.migrate.journal import Work
from brickyard.migrate.model.inputs import PlanOptions, Source, parse_mapping
from brickyard.migrate.model.nouns import Finding, Outcome, Plan, Severity, Verdict
from brickyard.migrate.model.pack import parse_pack, read_pack, shipped_packs
from brickyard.migrate.model.runs import (
    CloneTable,
    Pair,
    Preflight,
    RunRequest,
    RunStatus,
    SubmitRun,
    TableComparison,
    Task,
    World,
)
from brickyard.migrate.plan import plan_notebooks, preflight, proof, rehearse, steps, verdict
from brickyard.migrate.plan.reconcile import Tolerance
from brickyard.migrate.plan.rehearse import NotIsolated, Planned, Stage
from brickyard.migrate.plan.steps import ORIGINAL, REFACTORED, Place
from brickyard.migrate.plan.verdict import Ending
from brickyard.migrate.store import Batch, Run, StoredSource
from brickyard.notebooks.parse import parse
from brickyard.workspace import wait_run

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run as JobRun

log = structlog.stdlib.get_logger(__name__)

_BUSY = (429, 503)
_LOOK_SECONDS = 0.3
_WORLD = TypeAdapter(World)
_COMPARISONS = TypeAdapter(tuple[TableComparison, ...])
_FINDINGS = TypeAdapter(tuple[Finding, ...])


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


def options(request: RunRequest) -> PlanOptions:
    """Read a request's rule pack, mapping and parameters, or raise SpecInvalid with every fault."""
    if request.rules_text is None and request.rules not in shipped_packs():
        known = ", ".join(shipped_packs())
        raise SpecInvalid(
            f"no rule pack is named {request.rules!r}",
            code="rule-pack-unknown",
            remedy=f"name one of {known}, or send the pack's text in rules_text",
        )
    pack = parse_pack(request.rules, request.rules_text) if request.rules_text else read_pack(request.rules)
    return PlanOptions(
        pack=pack,
        mappings=parse_mapping("mapping", request.mapping) if request.mapping else {},
        params=request.params,
        schema=request.default_schema,
        dbr=request.dbr,
        require_proof=request.require_proof,
    ).checked()


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
        ending = _migrate(work)
    except GuardRefused as error:
        ending = Ending(Outcome.HALTED, error.error_code, error.message)
    except Interrupted as error:
        if error.error_code == "job-cancelled":
            _interrupted(work, error.message)
        raise
    except (NotFound, SpecInvalid, Unauthorized, WorkspaceRefused) as error:
        if _passes(error):
            raise
        ending = Ending(Outcome.FAILED, error.error_code, error.message)
    _finish(context, started, ending)


def _passes(error: BrickyardError) -> bool:
    """Tell whether the queue should try again later."""
    return (isinstance(error, WorkspaceRefused) and error.status in _BUSY) or error.error_code == "job-taken-over"


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


def _migrate(work: Work) -> Ending:
    """The eight steps of a migration, in order."""
    planned = _planned(work)  # 1, 2: refactor and map
    found = steps.pairs(planned.references)
    world = _observed(work, found, planned)  # 3, 4: validate sources and targets
    planned = planned.informed(world)
    checked = _checked(work, planned, found, world)
    place = _placed(work, found, world)
    if place is None:
        ending = Ending(Outcome.UNPROVED, "no-targets", "the notebook writes no table, so there is nothing to compare")
        return _told(work, planned, checked, found, ending)
    planned = _proved(work, planned, world, place)
    try:
        stages = _stages(work, planned, found, world, place)  # 5: two copies, each in a place of its own
    except NotIsolated as error:
        return _told(work, planned, checked, found, Ending(Outcome.UNPROVED, error.error_code, error.message))
    _prepared(work, stages)
    job_run = _ran(work, stages, planned.options.params)  # 6: run
    return _judged(work, planned, checked, found, world, stages, job_run)  # 7, 8: reconcile and report


# ── 1, 2: refactor and map ───────────────────────────────────────────────────────────────────────────────────────────


def _planned(work: Work) -> Planned:
    with work.context.metadata.read() as tx:
        sources = {s.path: s.content for s in store.batch_sources(tx, work.batch.id)}
    chosen = replace(options(work.request), params=_parameters(work))
    planned = rehearse.plan_closure(sources, work.run.path, chosen)
    work.keep(plan=report.plan_document(planned.main))
    applied = sum(edit.applied for edit in planned.main.edits)
    words = f"planned: {plural(applied, 'edit')}, {plural(len(planned.main.findings), 'finding')}"
    work.once("plan", lambda: {"told": words})
    return planned


def _parameters(work: Work) -> dict[str, str]:
    """The widget values: what the job gives, then what the request says."""
    job = work.request.job
    if job is None:
        return dict(work.request.params)
    given = work.once("parameters", lambda: dict(observe.job_parameters(work.eyes, job, work.run.path)))
    return {**given, **work.request.params}


# ── 3, 4: validate ───────────────────────────────────────────────────────────────────────────────────────────────────


def _observed(work: Work, found: Sequence[Pair], planned: Planned) -> World:
    """Look at the workspace once for each attempt: the versions that are seen then are the ones that are read."""

    def look() -> dict[str, Any]:
        world = observe.world(work.eyes, found, work.context.clock(), planned.canonical)
        words = f"looked at {plural(len(world.objects) + len(world.functions), 'object')}"
        return {"told": words, "world": _WORLD.dump_python(world, mode="json")}

    return _WORLD.validate_python(work.once("observe", look)["world"])


def _checked(work: Work, planned: Planned, found: Sequence[Pair], world: World) -> Preflight:
    """Write the pre-run report, and refuse to go on when anything in it, or in the plan, is critical."""
    checked = preflight.check(found, world, planned.options.pack.lag, planned.mapped)
    if work.request.onto_targets and not work.request.replace:
        checked = replace(checked, findings=(*checked.findings, *preflight.refuse_onto(found, world)))
    checked = replace(checked, findings=(*checked.findings, *_shared_findings(work, planned)))
    halts = (*(f for f in planned.main.findings if f.severity is Severity.HALT), *checked.halts)
    work.keep(preflight=checked)
    words = f"checked {plural(len(checked.rows), 'object')}: {plural(len(halts), 'critical finding')}"
    work.once("check", lambda: {"told": words})
    if halts:
        more = f" (and {len(halts) - 1} more)" if len(halts) > 1 else ""
        ending = Ending(Outcome.HALTED, halts[0].code, halts[0].message + more)
        _told(work, planned, checked, found, ending)
        raise GuardRefused(halts[0].message + more, code=halts[0].code, remedy=halts[0].remedy)
    return checked


def _shared_findings(work: Work, planned: Planned) -> tuple[Finding, ...]:
    """What the batch as a whole has against this notebook and its own plan does not say."""
    said = {(f.code, f.subject) for f in planned.main.findings}
    found = _FINDINGS.validate_python(work.run.collisions or [])
    return tuple(f for f in found if (f.code, f.subject) not in said)


# ── 5: a place of its own ────────────────────────────────────────────────────────────────────────────────────────────


def _placed(work: Work, found: Sequence[Pair], world: World) -> Place | None:
    """Decide where the run keeps what it makes, and drop what earlier runs left; None when it writes no table."""
    targets = [p.refactored for p in found if p.writes and p.kind is not Kind.FUNCTION]
    if not targets:
        return None
    catalog = work.request.rehearsal_catalog or targets[0].catalog
    folder = steps.folder(world.user, work.run.id, work.run.attempt)
    place = Place(work.run.id, work.run.attempt, catalog, folder, steps.expiry(world.at, work.request.keep_days))
    work.once("place", lambda: {"catalog": catalog, "folder": folder})
    now = work.context.clock()
    work.once("tidy", lambda: {"dropped": apply.drop_old(work.eyes, catalog, work.run.id, work.mark, now)})
    return place


def _proved(work: Work, planned: Planned, world: World, place: Place) -> Planned:
    """Execute the edits that can be, before and after, on generated rows; what a counterexample refutes is not made."""

    def settle() -> dict[str, Any]:
        columns = {o.name.folded(): o.columns for o in world.objects if o.columns}
        trials = proof.build(planned.main, columns, steps.scratch(place))
        for step in steps.scratch_schemas(place) if trials.trials else ():
            work.perform(step)
        rulings = plain(proof.settle(trials, lambda statement: work.eyes.sql(statement).values))
        proven = sum(ruling["verdict"] == Verdict.PROVEN for ruling in rulings.values())
        return {"told": f"proved {proven} of {plural(len(rulings), 'rewrite')}", "rulings": rulings}

    rulings = work.once("prove", settle)["rulings"]
    verdicts = {group: Verdict(ruling["verdict"]) for group, ruling in rulings.items()}
    proved = planned.informed(world, verdicts)
    work.keep(plan=report.plan_document(proved.main, {group: r["reason"] for group, r in rulings.items()}))
    return proved


def _stages(work: Work, planned: Planned, found: Sequence[Pair], world: World, place: Place) -> tuple[Stage, ...]:
    lay_out = rehearse.onto if work.request.onto_targets else rehearse.rehearsal
    return lay_out(planned, found, world, place)


def _prepared(work: Work, stages: Sequence[Stage]) -> None:
    """Make everything ready; where one thing fails, drop what was made and halt."""
    made = [step for stage in stages for step in stage.steps]
    for step in made:
        try:
            work.perform(step)
        except (NotFound, Conflict, WorkspaceRefused) as error:
            if _passes(error):
                raise
            _take_back(work)
            code = "clone-failed" if isinstance(step, CloneTable) else "rehearsal-failed"
            raise GuardRefused(f"{error.message}; what the run had made was dropped", code=code) from error


def _take_back(work: Work) -> None:
    """Drop everything that this attempt has made: its run, its schemas, its clones, its folder."""
    eyes = replace(work.eyes, tick=None)
    with work.context.metadata.read() as tx:
        lines = {line.key: line.result or {} for line in store.journal(tx, work.run)}
    if "run_id" in lines.get("submit", {}):
        apply.cancel_run(eyes.client, lines["submit"]["run_id"])
    if "place" not in lines:
        return
    apply.drop_marked(eyes, lines["place"]["catalog"], work.mark)
    for key in (key for key in lines if key.startswith(steps.ONTO) and "before" in lines[key]):
        name = TableName.parse(key.removeprefix(steps.ONTO))
        apply.take_back_clone(eyes, name, work.mark, lines[key]["before"])
    apply.delete_folder(eyes.client, lines["place"]["folder"])
    with work.context.metadata.transaction() as tx:
        trail.taken_back(tx, work.context, work.run, work.context.clock())


# ── 6: run ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _ran(work: Work, stages: Sequence[Stage], params: Mapping[str, str]) -> JobRun:
    """Submit one run with a task for each side, and wait for its end, however it ends."""
    tasks = tuple(Task(stage.side, stage.notebook, tuple(sorted(params.items()))) for stage in stages)
    name = f"brickyard migrate {work.run.path} ({work.mark})"
    token = work.mark.replace("/", "-")
    run_id = work.perform(SubmitRun("submit", name, token, tasks, work.request.cluster, work.request.warehouse))[
        "run_id"
    ]

    def wait() -> dict[str, Any]:
        ended = wait_run(work.eyes.client, run_id, lambda _: work.checkpoint())
        return {"told": f"run {run_id} ended", "url": ended.run_page_url}

    work.once("wait", wait)
    return wait_run(work.eyes.client, run_id)


# ── 7, 8: reconcile and report ───────────────────────────────────────────────────────────────────────────────────────


def _judged(
    work: Work,
    planned: Planned,
    checked: Preflight,
    found: Sequence[Pair],
    world: World,
    stages: Sequence[Stage],
    job_run: JobRun,
) -> Ending:
    """Say what the run has shown, and write it down."""
    tasks = observe.results(work.eyes, job_run)
    own = frozenset(p.refactored.folded() for p in found if p.writes and work.request.onto_targets)
    pins = {name: version for name, version in preflight.pins(world).items() if name.folded() not in own}
    moved = observe.moved(work.eyes, pins)
    findings = verdict.moved_findings(moved, observe.run_ids(job_run))
    ending = verdict.run_ending(tasks)
    compared: tuple[TableComparison, ...] = ()
    if ending is None or ending.outcome is not Outcome.FAILED:
        ran = {task.key for task in tasks if task.succeeded}
        compared = _compared(work, stages, found, world, ran)
        ending = verdict.outcome(compared, ending)
    for leak in (f for f in findings if f.severity is Severity.HALT):
        ending = Ending(Outcome.FAILED, leak.code, leak.message)
    result = {"tasks": tasks, "findings": findings, "run_page_url": job_run.run_page_url}
    return _told(work, planned, checked, found, ending, compared, **result)


def _compared(
    work: Work, stages: Sequence[Stage], found: Sequence[Pair], world: World, ran: set[str]
) -> tuple[TableComparison, ...]:
    """Compare every target of the two sides."""
    tolerance = Tolerance(work.request.absolute_tolerance, work.request.relative_tolerance)
    by_side = {stage.side: stage for stage in stages}

    def one(pair: Pair) -> TableComparison:
        refactored = by_side[REFACTORED].table(pair.refactored)
        original = by_side[ORIGINAL].table(pair.original) if ORIGINAL in ran else None
        tie = by_side[ORIGINAL].ties.get(original) if original else None
        return observe.compare_target(work.eyes, pair, original, refactored, world, tolerance, tie)

    def all_of_them() -> dict[str, Any]:
        kept = tuple(one(pair) for pair in found if pair.writes and pair.kind is not Kind.FUNCTION)
        equal = sum(c.outcome is Outcome.RECONCILED for c in kept)
        words = f"{equal} of {plural(len(kept), 'table')} reconciled"
        return {"told": words, "tables": _COMPARISONS.dump_python(kept, mode="json")}

    return _COMPARISONS.validate_python(work.once("reconcile", all_of_them)["tables"])


def _told(
    work: Work,
    planned: Planned,
    checked: Preflight,
    found: Sequence[Pair],
    ending: Ending,
    compared: tuple[TableComparison, ...] = (),
    **result: Any,
) -> Ending:
    """Write down what the run has shown, what it has not shown with it."""
    left = verdict.not_proved(planned.main, checked, found, compared, ending)
    work.keep(result={"not_proved": left, "reconciliation": compared, **result})
    return ending


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
    _take_back(work)
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
