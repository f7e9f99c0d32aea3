"""What a run has shown: how it ended, what differs, and what was not proved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brickyard.dbsql.model import Kind, Side
from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import EditClass, Finding, NotebookPlan, Outcome, Severity, Verdict
from brickyard.migrate.model.runs import Commit, Pair, Preflight, TableComparison, TaskResult
from brickyard.migrate.plan.steps import ORIGINAL, REFACTORED


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends."""

    outcome: Outcome
    code: str | None = None
    message: str | None = None


def run_ending(tasks: Sequence[TaskResult]) -> Ending | None:
    """How the submitted run has settled the matter by itself; None when the tables are to be compared."""
    by_key = {task.key: task for task in tasks}
    refactored, original = by_key.get(REFACTORED), by_key.get(ORIGINAL)
    for task in (t for t in (refactored, original) if t is not None and not t.succeeded):
        if task.state in ("CANCELED", "TIMEDOUT"):
            return Ending(
                Outcome.FAILED, "run-stopped", f"the {task.key} notebook was stopped from outside ({task.state})"
            )
        if task.error is None:
            return Ending(Outcome.FAILED, "run-lost", f"the {task.key} notebook was lost: {task.message or task.state}")
    if refactored is None:
        return Ending(Outcome.FAILED, "run-lost", "the run holds no refactored notebook")
    if not refactored.succeeded:
        return _failed(refactored, Outcome.FAILED, "notebook-failed")
    return None if original is None or original.succeeded else _failed(original, Outcome.UNPROVED, "original-failed")


def _failed(task: TaskResult, outcome: Outcome, code: str) -> Ending:
    where = f" in cell {task.cell}" if task.cell else ""
    return Ending(outcome, code, f"the {task.key} notebook failed{where}: {task.error}")


def outcome(compared: Sequence[TableComparison], before: Ending | None) -> Ending:
    """What the comparisons make of a run; where the original failed they can only confirm."""
    differing = sum(c.outcome is Outcome.DIFFERS for c in compared)
    unproved = sum(c.outcome is Outcome.UNPROVED for c in compared)
    if before is not None:
        return before if differing or unproved or not compared else Ending(Outcome.RECONCILED)
    if differing:
        words = f"{_count(differing, 'table')} of {len(compared)} with other rows than the original writes"
        return Ending(Outcome.DIFFERS, "tables-differ", words)
    if unproved:
        words = f"{_count(unproved, 'table')} of {len(compared)} could not be compared"
        return Ending(Outcome.UNPROVED, "not-compared", words)
    return Ending(Outcome.RECONCILED)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def moved_findings(moved: Mapping[TableName, Commit], run_ids: Iterable[str]) -> tuple[Finding, ...]:
    """What it means that tables have new versions: our own run must not have made them, others may."""
    ours = frozenset(run_ids)
    return tuple(_moved(name, commit, ours) for name, commit in sorted(moved.items()))


def _moved(name: TableName, commit: Commit, ours: frozenset[str]) -> Finding:
    if commit.job_run_id in ours:
        return Finding(
            "outside-write",
            Severity.HALT,
            f"the rehearsal wrote {name}, which is not its own (version {commit.version}, {commit.operation})",
            f"restore it to version {commit.version - 1}, and report this as a defect of Brickyard",
            subject=str(name),
        )
    return Finding(
        "source-moved",
        Severity.INFO,
        f"{name} was changed by someone else during the run; both copies read the version before",
        "nothing",
        subject=str(name),
    )


def not_proved(
    plan: NotebookPlan, checked: Preflight, found: Iterable[Pair], compared: Sequence[TableComparison], ending: Ending
) -> tuple[str, ...]:
    """Everything that a reader might take for proved and that was not, the weightiest first."""
    return tuple(dict.fromkeys(_not_proved(plan, checked, found, compared, ending)))


def _not_proved(
    plan: NotebookPlan, checked: Preflight, found: Iterable[Pair], compared: Sequence[TableComparison], ending: Ending
) -> Iterator[str]:
    yield from (f.message for f in checked.findings if f.code == "source-not-pinned")
    if ending.outcome is Outcome.HALTED:
        yield f"nothing was run: {ending.message}"
    elif not compared:
        yield f"no table was compared: {ending.message}"
    yield from (f"{c.refactored} was not compared: {c.reason}" for c in compared if c.outcome is Outcome.UNPROVED)
    yield from (f.message for f in checked.findings if f.code in ("freshness-unknown", "source-counts-differ"))
    yield from _unknown_reads(plan)
    yield from _files(plan)
    yield from _unproved_edits(plan)


def _unknown_reads(plan: NotebookPlan) -> Iterator[str]:
    texts = dict.fromkeys(r.text for r in plan.references if r.original is None and r.kind is not Kind.PATH)
    if texts:
        yield f"what {', '.join(list(texts)[:5])} stands for is not known, so it was not checked before the run"


def _files(plan: NotebookPlan) -> Iterator[str]:
    paths = {r.original or r.text for r in plan.references if r.kind is Kind.PATH and r.side is not Side.READ}
    tops = sorted(path for path in paths if not any(path.startswith(f"{other}/") for other in paths))
    if tops:
        yield f"the files written to {', '.join(tops)} were not compared"


def _unproved_edits(plan: NotebookPlan) -> Iterator[str]:
    groups = {
        e.group: e.rule
        for e in plan.edits
        if e.applied and e.verdict is Verdict.UNPROVED and e.edit_class is not EditClass.EXACT
    }
    if groups:
        rules = ", ".join(sorted(set(groups.values())))
        yield f"{_count(len(groups), 'rewrite')} ({rules}): applied on conditions that hold, not on an executed proof"
