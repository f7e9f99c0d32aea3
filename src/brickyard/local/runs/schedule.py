"""Runs jobs when their schedules say so; a time that passed while the workspace was down is gone, as on Databricks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from brickyard.kernel.clock import Clock, system_clock
from brickyard.local.api.errors import ApiError
from brickyard.local.runs.model import Job, Schedule
from brickyard.local.runs.settings import read_schedule

LONGEST_WAIT_SECONDS = 30.0
log = logging.getLogger(__name__)


class Clockwork:
    """One thread that waits for the next time of any schedule; `wake` after a job changed."""

    def __init__(
        self, jobs: Callable[[], Sequence[Job]], fire: Callable[[Job], None], clock: Clock = system_clock
    ) -> None:
        self._jobs = jobs
        self._fire = fire
        self._clock = clock
        self._plan: dict[int, tuple[Schedule, datetime]] = {}
        self._changed = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._loop, name="schedules", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended = True
        self._changed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Look at the jobs again."""
        self._changed.set()

    def _loop(self) -> None:
        while not self._ended:
            self._changed.clear()
            try:
                seconds = self.step()
            except Exception:  # a full disk or a locked file must not end the schedules: they are looked at again
                log.exception("schedules could not be read")
                seconds = 1.0
            self._changed.wait(seconds)

    def step(self) -> float:
        """Fire what is due, plan what follows, and return the seconds to wait."""
        now, jobs = self._clock().astimezone(UTC), {job.job_id: job for job in self._jobs()}
        due = [job_id for job_id, (_, at) in self._plan.items() if at <= now]
        schedules = {job_id: _schedule(job) for job_id, job in jobs.items()}
        for job_id in due:
            schedule, _ = self._plan.pop(job_id)
            if schedules.get(job_id) == schedule:
                self._run(jobs[job_id])
        self._plan = dict(self._planned(schedules, now))
        waits = [(at - now).total_seconds() for _, at in self._plan.values()]
        return max(0.0, min([LONGEST_WAIT_SECONDS, *waits]))

    def _planned(
        self, schedules: dict[int, Schedule | None], now: datetime
    ) -> Sequence[tuple[int, tuple[Schedule, datetime]]]:
        planned = []
        for job_id, schedule in schedules.items():
            known = self._plan.get(job_id)
            if known is not None and known[0] == schedule:
                planned.append((job_id, known))
            elif schedule is not None and (at := schedule.when.next_after(now.astimezone(schedule.zone))):
                planned.append((job_id, (schedule, at.astimezone(UTC))))
        return planned

    def _run(self, job: Job) -> None:
        try:
            self._fire(job)
        except ApiError as error:
            log.warning("job %s did not start on schedule: %s", job.job_id, error)


def _schedule(job: Job) -> Schedule | None:
    """The schedule that a job runs by, None when it is paused or has none."""
    schedule = read_schedule(job.settings)
    return None if schedule is None or schedule.paused else schedule
