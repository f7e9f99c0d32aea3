"""What a run of migrate asks, sees, does and compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, field_validator, model_validator

from brickyard.dbsql.model import Kind
from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import Finding, Outcome, Severity


class NotebookSource(BaseModel):
    """A notebook sent with a request; *child* notebooks are only there because another one runs them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, max_length=1024, description="Path relative to the folder of the request.")
    content: Base64Bytes = Field(description="The file's bytes in base64.")
    child: bool = Field(False, description="Only there because another notebook runs it.")

    @field_validator("path")
    @classmethod
    def _below_the_folder(cls, value: str) -> str:
        parts = value.split("/")
        if "\0" in value or "\\" in value or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{value!r} is not a plain path below the request's folder")
        return value


class RunRequest(BaseModel):
    """What `POST /migrate/runs` and `brickyard migrate run` ask: which notebooks, by which rules, on which compute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    notebooks: tuple[NotebookSource, ...] = Field((), description="Notebooks sent inline.")
    path: str | None = Field(None, description="A notebook or folder of the workspace, instead of inline notebooks.")
    origin: str = Field(
        "", description="Where inline notebooks come from; the same notebook of one origin runs once at a time."
    )
    rules: str = Field("velocity", description="Name of a shipped rule pack.")
    rules_text: str | None = Field(None, description="A rule pack's YAML text, instead of a shipped one.")
    mapping: str | None = Field(None, description="Table mappings as CSV text.")
    params: dict[str, str] = Field(default_factory=dict, description="Widget values.")
    default_schema: str | None = Field(None, description="Schema of unqualified names.")
    dbr: str | None = Field(None, description="Databricks Runtime that the notebook is meant for, for example 15.4.")
    job: str | None = Field(None, description="Id or name of the job whose base parameters give widget values.")
    cluster: str | None = Field(None, description="Id of the cluster to run on; serverless when absent.")
    warehouse: str | None = Field(None, description="Id of the SQL warehouse to run on.")
    onto_targets: bool = Field(False, description="Clone onto the refactored names instead of rehearsing.")
    replace: bool = Field(False, description="With onto_targets: replace targets that have a history of their own.")
    jobs: int = Field(1, ge=1, le=32, description="Notebooks that run at the same time.")
    only_failed: bool = Field(False, description="Leave out notebooks whose last run reconciled.")
    resume: str | None = Field(None, description="A run, or a batch of runs, to start a new attempt of.")
    require_proof: bool = Field(False, description="Apply proven edits only.")
    plan_hash: str | None = Field(None, description="Refuse unless the plan still has this hash.")
    rehearsal_catalog: str | None = Field(
        None, description="Catalog of the rehearsal schemas; the first target's when absent."
    )
    keep_days: int = Field(
        3, ge=0, le=365, description="Days after which later runs drop this run's rehearsal schemas."
    )
    absolute_tolerance: float = Field(1e-9, ge=0, description="Float values this near each other are equal.")
    relative_tolerance: float = Field(1e-9, ge=0, description="Float values that differ by this share are equal.")

    @model_validator(mode="after")
    def _storable(self) -> RunRequest:
        """Refuse what no database text can hold."""
        texts = [self.path, self.origin, self.rules, self.rules_text, self.mapping, self.default_schema, self.dbr]
        texts += [self.job, self.cluster, self.warehouse, self.resume, self.plan_hash, self.rehearsal_catalog]
        if any("\0" in text for text in (*texts, *self.params, *self.params.values()) if text):
            raise ValueError("a text holds a NUL character")
        return self


class RunStatus(StrEnum):
    """Where a run is; only a finished one has an outcome."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


class Access(StrEnum):
    """Whether an object could be looked at. Unreadable is never the same as missing."""

    PRESENT = "present"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class Confidence(StrEnum):
    """How far a source can be trusted to give the migrated notebook the legacy one's rows."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the workspace describes it; `type` is its SQL text in lower case."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One line of DESCRIBE HISTORY."""

    version: int
    at: datetime
    operation: str
    user: str | None = None
    job_id: str | None = None
    job_name: str | None = None
    job_run_id: str | None = None
    notebook_id: str | None = None
    clone_source: str | None = None
    clone_version: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Producer:
    """Who writes a table: a job, a notebook or a user, by id."""

    kind: str
    id: str
    name: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.id})" if self.name else f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True)
class Observed:
    """A table, view or function as the workspace shows it, or why it could not be looked at.

    `bases` are the objects a view reads directly; `rows` were counted at `version`, which is None where the source
    cannot be pinned. `history` is None where it could not be read, and `history_error` says why.
    """

    name: TableName
    access: Access
    kind: Kind = Kind.TABLE
    error: str | None = None
    type: str | None = None
    provider: str | None = None
    owner: str | None = None
    created_at: str | None = None
    modified_at: str | None = None
    columns: tuple[Column, ...] = ()
    view_text: str | None = None
    view_catalog: str | None = None
    view_schema: str | None = None
    bases: tuple[TableName, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    history: tuple[Commit, ...] | None = None
    history_error: str | None = None
    version: int | None = None
    rows: int | None = None
    lineage: tuple[Producer, ...] = ()

    @property
    def is_view(self) -> bool:
        """Whether it is a view, whatever sort the workspace calls it."""
        return self.kind is Kind.VIEW

    @property
    def pinned(self) -> bool:
        """Whether it can be read as of a version."""
        return self.access is Access.PRESENT and self.version is not None

    @property
    def owner_run(self) -> str | None:
        """The run that made it, by our mark."""
        return dict(self.properties).get("brickyard.run")


@dataclass(frozen=True, slots=True)
class World:
    """Everything a run looked at before it decided.

    `jobs` are the ids of the workspace's jobs, None where they could not be listed. `user` owns the run's folder.
    """

    objects: tuple[Observed, ...]
    functions: tuple[Observed, ...]
    jobs: tuple[str, ...] | None
    user: str
    at: datetime

    def get(self, name: TableName) -> Observed | None:
        """What was seen of a table or view."""
        return next((o for o in self.objects if o.name.folded() == name.folded()), None)

    def function(self, name: TableName) -> Observed | None:
        """What was seen of a function."""
        return next((o for o in self.functions if o.name.folded() == name.folded()), None)


@dataclass(frozen=True, slots=True)
class Pair:
    """An object of a notebook under both its names, and what the notebook does with it.

    `verbs` are the statements that write it, in the notebook's order.
    """

    original: TableName
    refactored: TableName
    kind: Kind
    reads: bool
    writes: bool
    verbs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row of the pre-run report."""

    name: str
    original: str
    side: str
    type: str | None
    owner: str | None
    created_at: str | None
    modified_at: str | None
    rows: int | None
    original_rows: int | None
    version: int | None
    original_version: int | None
    confidence: Confidence
    findings: tuple[Finding, ...] = ()
    producers: tuple[str, ...] = ()
    fresh_at: datetime | None = None  # last change; of a view, the oldest of its base tables' last changes
    original_fresh_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    """The consolidated pre-run report; `halted` when anything in it is critical."""

    rows: tuple[CheckRow, ...]
    findings: tuple[Finding, ...]

    @property
    def halts(self) -> tuple[Finding, ...]:
        """The findings that stop the run."""
        return tuple(f for f in self.findings if f.severity is Severity.HALT)


@dataclass(frozen=True, slots=True)
class CreateSchema:
    """Make a rehearsal schema that carries the run's mark."""

    key: str
    catalog: str
    schema: str
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CreateVolume:
    """Make the volume in a rehearsal schema that takes the files a notebook writes."""

    key: str
    catalog: str
    schema: str
    volume: str


@dataclass(frozen=True, slots=True)
class CloneTable:
    """Clone a target at a pinned version; `before` is the version of a table that is replaced by it."""

    key: str
    source: TableName
    version: int
    target: TableName
    mark: str
    before: int | None = None


@dataclass(frozen=True, slots=True)
class CreateView:
    """Show a source at its pinned version under a name the run owns."""

    key: str
    target: TableName
    query: str


@dataclass(frozen=True, slots=True)
class ImportNotebook:
    """Put a notebook under a folder the run owns."""

    key: str
    path: str
    format: str
    language: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Task:
    """One notebook of the submitted run."""

    key: str
    path: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SubmitRun:
    """Submit the one-time run; the same token never starts a second one."""

    key: str
    name: str
    token: str
    tasks: tuple[Task, ...]
    cluster: str | None
    warehouse: str | None


Step = CreateSchema | CreateVolume | CloneTable | CreateView | ImportNotebook | SubmitRun


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How one notebook of a submitted run ended; `message` is the workspace's word, `error` the notebook's own."""

    key: str
    state: str
    message: str | None = None
    error: str | None = None
    cell: int | None = None
    trace: str | None = None
    output: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the notebook ran to its end."""
        return self.state == "SUCCESS"


class CheckKind(StrEnum):
    """What a reconciliation compared, from coarse to fine."""

    SCHEMA = "schema"
    COUNT = "row count"
    CHECKSUM = "column checksum"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of two tables; `detail` says what differs, or what was compared."""

    kind: CheckKind
    equal: bool
    detail: str


@dataclass(frozen=True, slots=True)
class CellDifference:
    """One differing cell of two rows that share a key."""

    key: tuple[tuple[str, str | None], ...]
    column: str
    original: str | None
    refactored: str | None


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that one side has more often than the other."""

    values: tuple[tuple[str, str | None], ...]
    original: int
    refactored: int


@dataclass(frozen=True, slots=True)
class TableComparison:
    """What is known about one target after the run.

    `outcome` is RECONCILED, DIFFERS or UNPROVED; `reason` says why nothing was proved. `samples_complete` is False
    where more rows differ than are shown. `tied` counts rows that differ only by a tie of ROW_NUMBER.
    """

    original: str
    refactored: str
    compared: tuple[str, str]
    outcome: Outcome
    reason: str | None = None
    rows: tuple[int, int] | None = None
    checks: tuple[Check, ...] = ()
    key: tuple[str, ...] = ()
    cells: tuple[CellDifference, ...] = ()
    only: tuple[RowDifference, ...] = ()
    differing_rows: int = 0
    samples_complete: bool = True
    tied: int = 0
