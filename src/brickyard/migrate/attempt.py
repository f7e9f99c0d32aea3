"""One attempt of one run: the eight steps of a migration, from the plan to what was shown and what was not.

Start reading at `migrate`. It may be killed at any point and started again by another worker: see `journal`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import TypeAdapter

from brickyard.dbsql.model import Kind
from brickyard.kernel.errors import (
    BrickyardError,
    Conflict,
    GuardRefused,
    NotFound,
    WorkspaceRefused,
)
from brickyard.kernel.names import TableName
from brickyard.kernel.terminal import plain, plural
from brickyard.migrate import apply, observe, report, store, trail
from brickyard.migrate.journal import Work
from brickyard.migrate.model.nouns import Finding, Outcome, Severity, Verdict
from brickyard.migrate.model.options import options
from brickyard.migrate.model.runs import (
    CloneTable,
    Pair,
    Preflight,
    SubmitRun,
    TableComparison,
    Task,
    World,
)
from brickyard.migrate.plan import preflight, proof, rehearse, steps, verdict
from brickyard.migrate.plan.reconcile import Tolerance
from brickyard.migrate.plan.rehearse import NotIsolated, Planned, Stage
from brickyard.migrate.plan.steps import ORIGINAL, REFACTORED, Place
from brickyard.migrate.plan.verdict import Ending
from brickyard.workspace import wait_run

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import Run as JobRun

log = structlog.stdlib.get_logger(__name__)

_BUSY = (429, 503)
_WORLD = TypeAdapter(World)
_COMPARISONS = TypeAdapter(tuple[TableComparison, ...])
_FINDINGS = TypeAdapter(tuple[Finding, ...])


def migrate(work: Work) -> Ending:
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
            if passes(error):
                raise
            take_back(work)
            code = "clone-failed" if isinstance(step, CloneTable) else "rehearsal-failed"
            raise GuardRefused(f"{error.message}; what the run had made was dropped", code=code) from error


def take_back(work: Work) -> None:
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


def passes(error: BrickyardError) -> bool:
    """Tell whether the queue should try again later."""
    return (isinstance(error, WorkspaceRefused) and error.status in _BUSY) or error.error_code == "job-taken-over"
