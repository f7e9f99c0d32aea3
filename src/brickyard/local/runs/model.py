"""The nouns of jobs: tasks, attempts, runs and the states they can be in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

from brickyard.kernel.quartz import Quartz

JsonObject = dict[str, object]


class Life(StrEnum):
    """The life cycle of a run or of one task attempt, in Databricks' words."""

    QUEUED = "QUEUED"
    BLOCKED = "BLOCKED"
    WAITING_FOR_RETRY = "WAITING_FOR_RETRY"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    SKIPPED = "SKIPPED"
    INTERNAL_ERROR = "INTERNAL_ERROR"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self in (Life.TERMINATED, Life.SKIPPED, Life.INTERNAL_ERROR)

    @property
    def in_process(self) -> bool:
        """Whether a process belongs to it."""
        return self in (Life.PENDING, Life.RUNNING, Life.TERMINATING)


class Outcome(StrEnum):
    """How a run or attempt ended."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    MAXIMUM_CONCURRENT_RUNS_REACHED = "MAXIMUM_CONCURRENT_RUNS_REACHED"
    EXCLUDED = "EXCLUDED"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"

    @property
    def failed(self) -> bool:
        """Whether tasks downstream count it as failed."""
        return self in (Outcome.FAILED, Outcome.TIMEDOUT, Outcome.UPSTREAM_FAILED)

    @property
    def canceled(self) -> bool:
        """Whether tasks downstream count it as cancelled."""
        return self in (Outcome.CANCELED, Outcome.UPSTREAM_CANCELED)


class RunIf(StrEnum):
    """When a task runs, judged by the tasks that it depends on."""

    ALL_SUCCESS = "ALL_SUCCESS"
    AT_LEAST_ONE_SUCCESS = "AT_LEAST_ONE_SUCCESS"
    NONE_FAILED = "NONE_FAILED"
    ALL_DONE = "ALL_DONE"
    AT_LEAST_ONE_FAILED = "AT_LEAST_ONE_FAILED"
    ALL_FAILED = "ALL_FAILED"


class TaskKind(StrEnum):
    """The task types that run here; the value is the field of the task."""

    NOTEBOOK = "notebook_task"
    PYTHON = "spark_python_task"
    WHEEL = "python_wheel_task"
    SQL = "sql_task"
    CONDITION = "condition_task"
    RUN_JOB = "run_job_task"
    PIPELINE = "pipeline_task"
    FOR_EACH = "for_each_task"
    UPDATE = "pipeline_update_task"  # ours: the process of a pipeline's update

    @property
    def in_process(self) -> bool:
        """Whether an attempt is an own process."""
        return self in (TaskKind.NOTEBOOK, TaskKind.PYTHON, TaskKind.WHEEL, TaskKind.SQL, TaskKind.UPDATE)


class RunType(StrEnum):
    """Who asked for a run: a job, runs/submit, `dbutils.notebook.run`, a pipeline's update, a for_each task."""

    JOB = "JOB_RUN"
    SUBMIT = "SUBMIT_RUN"
    WORKFLOW = "WORKFLOW_RUN"
    UPDATE = "UPDATE_RUN"  # ours: told by the Pipelines API only
    FOR_EACH = "FOR_EACH_RUN"  # ours: the iterations of a for_each_task, told as part of its run


class Trigger(StrEnum):
    """What began a run."""

    ONE_TIME = "ONE_TIME"
    PERIODIC = "PERIODIC"
    RUN_JOB_TASK = "RUN_JOB_TASK"


@dataclass(frozen=True, slots=True)
class Dependency:
    """An edge of the graph; `outcome` ("true" or "false") is asked of a condition task."""

    task_key: str
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task as it was asked for; `body` is the object under the field that `kind` names.

    `libraries` are the wheels' paths and the requirements of its libraries and its environment.
    """

    key: str
    kind: TaskKind
    body: JsonObject
    depends_on: tuple[Dependency, ...] = ()
    run_if: RunIf = RunIf.ALL_SUCCESS
    max_retries: int = 0
    retry_wait_ms: int = 0
    retry_on_timeout: bool = False
    timeout_ms: int = 0
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of one task; times in ms since the epoch.

    `started` is when it left the waiting states, `executing` when its process began to work, `ready` when a retry may
    start. `answer` is the outcome of a condition ("true" or "false"), `child` the run that a run_job_task, a
    pipeline_task or a for_each_task started,
    `code` is Databricks' termination code where the outcome alone does not tell it. `base` is the number of the first
    attempt since the run began or was last repaired: retries count from it.
    """

    task_run_id: int
    run_id: int
    task_key: str
    number: int = 0
    life: Life = Life.BLOCKED
    outcome: Outcome | None = None
    message: str = ""
    code: str = ""
    started: int | None = None
    executing: int | None = None
    ended: int | None = None
    ready: int | None = None
    timed_out: bool = False
    answer: str | None = None
    child: int | None = None
    resolved: JsonObject = field(default_factory=dict)
    base: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """A run as it once ended, before it was repaired; `repair_id` is None for the run as it was first asked for."""

    repair_id: int | None
    started: int
    ended: int
    life: Life
    outcome: Outcome | None
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job, of a submitted set of tasks or of a child notebook.

    `settings` is the snapshot that was asked for; `parameters` are the job parameters with their values;
    `overrides` is what run-now gave (`notebook_params`, `python_params`, `job_parameters`). `creator` asked for it, its
    tasks act as `run_as`. `parent` is the task run whose notebook started it. `phases` are the ends it had before it was
    repaired, `repair_id` and `repaired` the latest repair and when that was asked for.
    """

    run_id: int
    job_id: int
    run_type: RunType
    name: str
    creator: str
    run_as: str
    settings: JsonObject
    tasks: tuple[TaskSpec, ...]
    number_in_job: int
    created: int
    life: Life = Life.PENDING
    outcome: Outcome | None = None
    message: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    overrides: JsonObject = field(default_factory=dict)
    started: int | None = None
    ended: int | None = None
    cancel_requested: bool = False
    timed_out: bool = False
    timeout_ms: int = 0
    parent: int | None = None
    trigger: Trigger = Trigger.ONE_TIME
    phases: tuple[Phase, ...] = ()
    repair_id: int | None = None
    repaired: int | None = None

    @property
    def began(self) -> int | None:
        """When its time limit began to count, in ms since the epoch."""
        return self.started if self.started is None or self.repaired is None else max(self.started, self.repaired)

    @property
    def concurrency(self) -> int:
        """How many of its tasks may run at the same time, 0 for no limit of its own."""
        limit = self.settings.get("concurrency") if self.run_type is RunType.FOR_EACH else 0
        return limit if isinstance(limit, int) else 1

    def task(self, key: str) -> TaskSpec:
        """The task of that key."""
        return next(task for task in self.tasks if task.key == key)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs by itself."""

    when: Quartz
    zone: ZoneInfo
    paused: bool


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job."""

    job_id: int
    creator: str
    created: int
    settings: JsonObject

    @property
    def name(self) -> str:
        """The name, `Untitled` when none was given."""
        return str(self.settings.get("name") or "Untitled")

    @property
    def max_concurrent_runs(self) -> int:
        """How many runs may be active at the same time."""
        limit = self.settings.get("max_concurrent_runs")
        return limit if isinstance(limit, int) else 1

    @property
    def queue_enabled(self) -> bool:
        """Whether a run over the limit waits instead of being skipped."""
        queue = self.settings.get("queue")
        return isinstance(queue, dict) and bool(queue.get("enabled"))


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A job was made, changed or deleted; `job` is as it then was, `at` when, in ms since the epoch."""

    job: Job
    at: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """One attempt of one task ended."""

    run: Run
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run ended; one that is repaired ends again."""

    run: Run


Change = JobChanged | AttemptEnded | RunEnded


def now_ms() -> int:
    """The time in ms since the epoch, as the Jobs API counts it."""
    return time.time_ns() // 1_000_000
