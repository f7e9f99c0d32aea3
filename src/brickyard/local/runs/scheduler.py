"""Drives every open run: one thread applies the moves of `machine`, remembers each before it happens, starts and stops processes."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, assert_never

from brickyard.local.api.errors import ApiError
from brickyard.local.runs import machine, output
from brickyard.local.runs.machine import Finish, Move, Retry, Settle, Start, Stop
from brickyard.local.runs.model import Attempt, Change, Life, Outcome, Run, RunType, TaskSpec
from brickyard.local.runs.processes import Exited, ProcessEvent, Started, signal_name
from brickyard.local.runs.store import Store
from brickyard.local.runs.wheels import CODE

MAX_PROCESSES = 8
DRIVER_LOST = "The driver was lost: the workspace stopped while the task ran."
ASKED_TO_END = "The driver process was ended by a SIGTERM that the workspace did not send."
_PATIENCE_SECONDS = 1.0
log = logging.getLogger(__name__)
_END = "end"


class Workshop(Protocol):
    """What the scheduler needs done for it; `service` does it."""

    def begin(self, run: Run, task: TaskSpec, attempt: Attempt) -> Attempt:
        """Start an attempt and return it as it then is."""
        ...

    def halt(self, task: TaskSpec, attempt: Attempt) -> None:
        """Ask the process or the child run of an attempt to end."""
        ...

    def left(self, attempt: Attempt) -> None:
        """Clean up after a process: its token ends, the runs it started are cancelled."""
        ...

    def folder(self, task_run_id: int) -> Path:
        """The folder of an attempt."""
        ...


class Scheduler:
    """The state machine's motor; `wake` after every change made elsewhere."""

    def __init__(self, store: Store, workshop: Workshop, now: Callable[[], int]) -> None:
        self._store = store
        self._workshop = workshop
        self._now = now
        self.on_change: Callable[[Change], None] | None = None
        self._events: queue.SimpleQueue[ProcessEvent | str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="runs", daemon=True)

    def start(self) -> None:
        """Put right what the last server left behind, then begin."""
        self.recover()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; processes are not its business any more."""
        self._events.put(_END)
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Look at all open runs soon."""
        self._events.put(None)

    def notify(self, event: ProcessEvent) -> None:
        """Take news of a process."""
        self._events.put(event)

    # the loop

    def _loop(self) -> None:
        while True:
            try:
                due = self.step()
                self.tell()
                if self._take(due):
                    return
            except Exception:  # a full disk or a locked file must not end scheduling: it is tried again
                log.exception("runs could not be driven")
                if self._take(_PATIENCE_SECONDS):
                    return

    def step(self) -> float | None:
        """Drive every open run as far as it goes; return the seconds until something is due by itself."""
        for run in self._store.open_runs():
            self._drive(run.run_id)
        waits = [machine.next_wake(run, self._store.latest(run.run_id)) for run in self._store.open_runs()]
        due = min((wait for wait in waits if wait is not None), default=None)
        return None if due is None else max(0.0, (due - self._now()) / 1000)

    def tell(self) -> None:
        """Tell the listener what changed, in order; what it was not told when the server died it is told after."""
        for number, change in self._store.news():
            if change is not None and self.on_change is not None:
                self.on_change(change)
            self._store.forget_news(number)

    def _take(self, timeout: float | None) -> bool:
        """Wait for news and take all of it; True when it is time to end."""
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            return False
        while True:
            if isinstance(event, str):
                return True
            if event is not None:
                self.handle(event)
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return False

    # one run

    def _drive(self, run_id: int) -> None:
        while True:
            run = self._store.run(run_id)
            if run is None:
                return
            latest = self._store.latest(run_id)
            self._settle_children(run, latest)
            moves = machine.advance(run, self._store.latest(run_id), self._now())
            applied = [self._apply(run, move) for move in moves]
            if not any(applied):
                return

    def _apply(self, run: Run, move: Move) -> bool:
        """Apply a move; False when it has to wait for room."""
        match move:
            case Start(key):
                return self._begin(run, key)
            case Settle(key, life, outcome, message):
                attempt = self._store.latest(run.run_id)[key]
                self._end(attempt, life, outcome, message)
            case Retry(key, ready):
                self._retry(run, key, ready)
            case Stop(key, timed_out):
                self._halt(run, key, timed_out=timed_out)
            case Finish(life, outcome, message):
                ended = replace(run, life=life, outcome=outcome, message=message, ended=self._now())
                with self._store.transaction():
                    self._store.save_run(ended)
                    self._release_queue(run.job_id)
                self.wake()  # for those that waited for it: queued runs, tasks that run a job
            case _:
                assert_never(move)
        return True

    def _begin(self, run: Run, key: str) -> bool:
        task = run.task(key)
        if (
            task.kind.in_process
            and run.run_type not in (RunType.WORKFLOW, RunType.UPDATE)
            and self._busy() >= MAX_PROCESSES
        ):
            return False
        attempt = replace(self._store.latest(run.run_id)[key], life=Life.PENDING, started=self._now())
        with self._store.transaction():
            self._store.save_attempt(attempt)
            run = self._store.run(run.run_id) or run
            if run.life is Life.PENDING:
                run = replace(run, life=Life.RUNNING, started=run.started or self._now())
                self._store.save_run(run)
        try:
            self._store.save_attempt(self._workshop.begin(run, task, attempt))
        except (OSError, ApiError) as error:
            self._end(attempt, Life.INTERNAL_ERROR, Outcome.FAILED, f"The task did not start: {error}", "DRIVER_ERROR")
        return True

    def _busy(self) -> int:
        open_attempts = (a for run in self._store.open_runs() for a in self._store.latest(run.run_id).values())
        return sum(attempt.life.in_process and attempt.child is None for attempt in open_attempts)

    def _retry(self, run: Run, key: str, ready: int) -> None:
        failed = self._store.latest(run.run_id)[key]
        again = Attempt(
            self._store.new_id(),
            run.run_id,
            key,
            failed.number + 1,
            Life.WAITING_FOR_RETRY,
            ready=ready,
            base=failed.base,
        )
        self._store.save_attempt(again)

    def _halt(self, run: Run, key: str, *, timed_out: bool) -> None:
        attempt = self._store.latest(run.run_id)[key]
        self._store.save_attempt(replace(attempt, life=Life.TERMINATING, timed_out=timed_out))
        self._workshop.halt(run.task(key), attempt)

    def _settle_children(self, run: Run, latest: dict[str, Attempt]) -> None:
        """End the attempts of tasks that started a run, when that has ended."""
        for attempt in latest.values():
            child = None if attempt.child is None or attempt.life.final else self._store.run(attempt.child)
            if child is not None and child.life.final:
                good = child.outcome in (Outcome.SUCCESS, Outcome.SUCCESS_WITH_FAILURES)
                outcome = self._asked_for(attempt) or (Outcome.SUCCESS if good else Outcome.FAILED)
                self._end(attempt, Life.TERMINATED, outcome, "" if good else self._why(child))

    def _why(self, child: Run) -> str:
        """Why a run that a task started did not succeed."""
        if child.run_type is not RunType.FOR_EACH:
            return f"Run {child.run_id} of job {child.job_id}: {child.message or child.outcome}"
        latest = self._store.latest(child.run_id).values()
        bad = sum(attempt.outcome is not Outcome.SUCCESS for attempt in latest)
        return f"{bad} of {len(latest)} iterations did not succeed."

    def _release_queue(self, job_id: int) -> None:
        """Let the oldest waiting runs of a job go as far as its limit allows."""
        job = self._store.job(job_id)
        runs = self._store.open_runs(job_id, RunType.JOB)
        waiting = [run for run in runs if run.life is Life.QUEUED]
        room = len(waiting) if job is None else job.max_concurrent_runs - (len(runs) - len(waiting))
        for run in waiting[: max(room, 0)]:
            self._store.save_run(replace(run, life=Life.PENDING))

    # ends

    def handle(self, event: ProcessEvent) -> None:
        """Remember what a process did."""
        match event:
            case Started(task_run_id):
                self._store.mark_executing(task_run_id, self._now())
            case Exited(task_run_id, code):
                attempt = self._store.attempt(task_run_id)
                if attempt is not None and not attempt.life.final:
                    self._conclude(attempt, code)
            case _:
                assert_never(event)

    def _conclude(self, attempt: Attempt, code: int | None) -> None:
        """End an attempt as its process tells; without a word from it, by what was asked of it or how it died."""
        result = output.read_result(self._workshop.folder(attempt.task_run_id))
        asked = self._asked_for(attempt)
        if result is not None and result.status == "SUCCESS":
            self._end(attempt, Life.TERMINATED, Outcome.SUCCESS, "")
        elif asked is not None:
            self._end(attempt, Life.TERMINATED, asked, "Timed out." if asked is Outcome.TIMEDOUT else "Run cancelled.")
        elif result is not None and result.status == "FAILED":
            told = (
                (result.error or "", CODE) if result.code == CODE else (machine.WORKLOAD_FAILED, "RUN_EXECUTION_ERROR")
            )
            self._end(attempt, Life.TERMINATED, Outcome.FAILED, *told)
        else:
            death = ASKED_TO_END if result is not None else _death(code)
            self._end(attempt, Life.INTERNAL_ERROR, Outcome.FAILED, death, "DRIVER_ERROR")
        self._workshop.left(attempt)

    @staticmethod
    def _asked_for(attempt: Attempt) -> Outcome | None:
        """The outcome that a stop asked for."""
        if attempt.life is not Life.TERMINATING:
            return None
        return Outcome.TIMEDOUT if attempt.timed_out else Outcome.CANCELED

    def _end(self, attempt: Attempt, life: Life, outcome: Outcome, message: str, code: str = "") -> None:
        now = self._now()
        ended = replace(attempt, life=life, outcome=outcome, message=message, code=code, ended=now)
        self._store.save_attempt(replace(ended, started=ended.started or now))

    def recover(self) -> None:
        """After a restart: what ran is over, and says so; children of lost notebooks are cancelled."""
        for run in self._store.open_runs():
            for attempt in self._store.latest(run.run_id).values():
                if attempt.life.in_process and attempt.child is None:
                    self._recover(run.task(attempt.task_key), attempt)
                elif attempt.life is Life.TERMINATING:  # whether its child heard of that is not known
                    self._workshop.halt(run.task(attempt.task_key), attempt)

    def _recover(self, task: TaskSpec, attempt: Attempt) -> None:
        """A process is lost; what needs none is begun again (a run of another job by the same idempotency token)."""
        if task.kind.in_process:
            self._conclude(attempt, None)
        else:
            self._store.save_attempt(replace(attempt, life=Life.BLOCKED))


def _death(code: int | None) -> str:
    if code is None:
        return DRIVER_LOST
    if code < 0:
        return f"The driver process was killed by {signal_name(code)}."
    return f"The driver process ended with exit code {code} and left no result; its log has its last words."
