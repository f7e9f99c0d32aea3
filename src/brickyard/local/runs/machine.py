"""What a run must do next: pure decisions over its tasks and their latest attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from brickyard.local.runs.model import Attempt, Dependency, Life, Outcome, Run, RunIf, TaskSpec

WORKLOAD_FAILED = "Workload failed, see run output for details"
Latest = Mapping[str, Attempt]


@dataclass(frozen=True, slots=True)
class Start:
    """Begin the attempt of a task that waits."""

    task_key: str


@dataclass(frozen=True, slots=True)
class Settle:
    """End a task without running it."""

    task_key: str
    life: Life
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Make the next attempt of a failed task, to start at `ready` (ms since the epoch)."""

    task_key: str
    ready: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the process of a task because of a cancel or a timeout."""

    task_key: str
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """End the run."""

    life: Life
    outcome: Outcome
    message: str


Move = Start | Settle | Retry | Stop | Finish


def advance(run: Run, latest: Latest, now: int) -> list[Move]:
    """Return the moves that are due at *now*; an empty list means wait."""
    if run.life.final or run.life is Life.QUEUED:
        return []
    if run.cancel_requested or _overdue(run.began, run.timeout_ms, now):
        return _wind_up(run, latest, timed_out=not run.cancel_requested)
    moves = [move for task in run.tasks for move in _task_moves(run, task, latest, now)]
    return _within_limit(run, latest, moves) or _finish(run, latest)


def _within_limit(run: Run, latest: Latest, moves: list[Move]) -> list[Move]:
    """Leave out the starts that the run's own concurrency has no room for."""
    if not run.concurrency:
        return moves
    room = run.concurrency - sum(attempt.life.in_process for attempt in latest.values())
    starts = [move for move in moves if isinstance(move, Start)]
    late = {move.task_key for move in starts[max(room, 0) :]}
    return [move for move in moves if not isinstance(move, Start) or move.task_key not in late]


def next_wake(run: Run, latest: Latest) -> int | None:
    """The earliest time in ms since the epoch at which *advance* may say something new by itself."""
    limits = [_deadline(run.began, run.timeout_ms)]
    for task in run.tasks:
        attempt = latest[task.key]
        waits = attempt.life is Life.WAITING_FOR_RETRY
        limits.append(attempt.ready if waits else None)
        limits.append(_deadline(attempt.started, task.timeout_ms) if attempt.life.in_process else None)
    return min((limit for limit in limits if limit is not None), default=None)


def _deadline(started: int | None, timeout_ms: int) -> int | None:
    return started + timeout_ms if started is not None and timeout_ms else None


def _overdue(started: int | None, timeout_ms: int, now: int) -> bool:
    deadline = _deadline(started, timeout_ms)
    return deadline is not None and now >= deadline


def _task_moves(run: Run, task: TaskSpec, latest: Latest, now: int) -> list[Move]:
    attempt = latest[task.key]
    match attempt.life:
        case Life.BLOCKED:
            return _unblock(run, task, latest)
        case Life.WAITING_FOR_RETRY:
            return [Start(task.key)] if now >= (attempt.ready or 0) else []
        case Life.PENDING | Life.RUNNING:
            return [Stop(task.key, timed_out=True)] if _overdue(attempt.started, task.timeout_ms, now) else []
        case Life.TERMINATED | Life.INTERNAL_ERROR:
            return [Retry(task.key, now + task.retry_wait_ms)] if _may_retry(run, task, attempt) else []
        case _:
            return []


def _may_retry(run: Run, task: TaskSpec, attempt: Attempt) -> bool:
    if run.repair_id is not None and attempt.task_run_id < run.repair_id:
        return False  # it ended before the repair, which did not ask for it
    retryable = attempt.outcome is Outcome.FAILED or (attempt.outcome is Outcome.TIMEDOUT and task.retry_on_timeout)
    return retryable and (task.max_retries < 0 or attempt.number - attempt.base < task.max_retries)


def _settled(run: Run, task: TaskSpec, attempt: Attempt) -> bool:
    return attempt.life.final and not _may_retry(run, task, attempt)


def _unblock(run: Run, task: TaskSpec, latest: Latest) -> list[Move]:
    if not all(_settled(run, run.task(d.task_key), latest[d.task_key]) for d in task.depends_on):
        return []
    other_branch = any(_not_taken(d, latest) for d in task.depends_on)
    refusal = _refusal(task.run_if, [_as_seen(d, latest) for d in task.depends_on], other_branch=other_branch)
    if refusal is None:
        return [Start(task.key)]
    return [Settle(task.key, Life.TERMINATED, refusal, _REFUSALS[refusal])]


def _not_taken(dependency: Dependency, latest: Latest) -> bool:
    """Whether a condition decided for the other branch."""
    answer = latest[dependency.task_key].answer
    return dependency.outcome is not None and answer is not None and answer != dependency.outcome


def _as_seen(dependency: Dependency, latest: Latest) -> Outcome:
    if _not_taken(dependency, latest):
        return Outcome.EXCLUDED
    return latest[dependency.task_key].outcome or Outcome.FAILED


_REFUSALS = {
    Outcome.EXCLUDED: "The run condition of the task was not met.",
    Outcome.UPSTREAM_CANCELED: "Skipped because a task it depends on was cancelled.",
    Outcome.UPSTREAM_FAILED: "Skipped because a task it depends on failed.",
}


def _refusal(run_if: RunIf, upstream: Sequence[Outcome], *, other_branch: bool) -> Outcome | None:
    """Return the outcome of a task that must not run, None for one that may.

    What was excluded counts as successful; a task of which all dependencies were is excluded too, whatever its condition
    (https://docs.databricks.com/jobs/run-if).
    """
    if upstream and all(outcome is Outcome.EXCLUDED for outcome in upstream):
        return Outcome.EXCLUDED
    if not upstream or (_CONDITIONS[run_if](upstream) and not (other_branch and run_if is RunIf.ALL_SUCCESS)):
        return None
    if run_if in (RunIf.AT_LEAST_ONE_FAILED, RunIf.ALL_FAILED):
        return Outcome.EXCLUDED
    if any(o.failed for o in upstream):
        return Outcome.UPSTREAM_FAILED
    return Outcome.UPSTREAM_CANCELED if any(o.canceled for o in upstream) else Outcome.EXCLUDED


def _good(outcome: Outcome) -> bool:
    return outcome in (Outcome.SUCCESS, Outcome.SUCCESS_WITH_FAILURES)


_CONDITIONS: dict[RunIf, Callable[[Sequence[Outcome]], bool]] = {
    RunIf.ALL_SUCCESS: lambda seen: all(_good(o) or o is Outcome.EXCLUDED for o in seen),
    RunIf.AT_LEAST_ONE_SUCCESS: lambda seen: any(map(_good, seen)),
    RunIf.NONE_FAILED: lambda seen: not any(o.failed or o.canceled for o in seen) and any(map(_good, seen)),
    RunIf.ALL_DONE: lambda seen: True,
    RunIf.AT_LEAST_ONE_FAILED: lambda seen: any(o.failed for o in seen),
    RunIf.ALL_FAILED: lambda seen: all(o.failed for o in seen),
}


def _wind_up(run: Run, latest: Latest, *, timed_out: bool) -> list[Move]:
    """Stop what runs, settle what waits, and finish when nothing is left; what ended by itself keeps its own end."""
    outcome = Outcome.TIMEDOUT if timed_out else Outcome.CANCELED
    message = f"Run timed out after {run.timeout_ms // 1000} seconds." if timed_out else "Run cancelled."
    moves: list[Move] = []
    for task in run.tasks:
        attempt = latest[task.key]
        if attempt.life in (Life.PENDING, Life.RUNNING):
            moves.append(Stop(task.key, timed_out))
        elif attempt.life in (Life.BLOCKED, Life.WAITING_FOR_RETRY):
            moves.append(Settle(task.key, Life.TERMINATED, outcome, message))
    attempts = [latest[task.key] for task in run.tasks]
    if moves or not all(attempt.life.final for attempt in attempts):
        return moves
    if any(attempt.outcome is outcome for attempt in attempts):
        return [Finish(Life.TERMINATED, outcome, message)]
    return [_verdict_of(run, latest)]


def _finish(run: Run, latest: Latest) -> list[Move]:
    if not all(_settled(run, task, latest[task.key]) for task in run.tasks):
        return []
    return [_verdict_of(run, latest)]


def _verdict_of(run: Run, latest: Latest) -> Finish:
    upstream = {d.task_key for task in run.tasks for d in task.depends_on}
    leaves = [latest[task.key] for task in run.tasks if task.key not in upstream]
    return _verdict(leaves, [latest[task.key] for task in run.tasks])


def _verdict(leaves: Sequence[Attempt], everyone: Sequence[Attempt]) -> Finish:
    """Judge by the leaves: a failure that no leaf feels makes SUCCESS_WITH_FAILURES."""
    bad = [a for a in everyone if a.outcome in (Outcome.FAILED, Outcome.TIMEDOUT)]
    if any(leaf.outcome is not None and leaf.outcome.failed for leaf in leaves):
        return _failure(bad or list(leaves))
    if any(leaf.outcome is not None and leaf.outcome.canceled for leaf in leaves):
        return Finish(Life.TERMINATED, Outcome.CANCELED, "A task was cancelled.")
    return Finish(Life.TERMINATED, Outcome.SUCCESS_WITH_FAILURES if bad else Outcome.SUCCESS, "")


def _failure(bad: Sequence[Attempt]) -> Finish:
    first = bad[0]
    if all(attempt.outcome is Outcome.TIMEDOUT for attempt in bad):
        return Finish(Life.TERMINATED, Outcome.TIMEDOUT, f"Task {first.task_key} timed out.")
    why = first.message or WORKLOAD_FAILED
    skipped = "This caused all downstream tasks to get skipped."
    return Finish(
        Life.INTERNAL_ERROR,
        Outcome.FAILED,
        f"Task {first.task_key} failed with message: {why.rstrip('.')}. {skipped}",
    )
