"""The nouns of pipelines: a pipeline, its updates and their events."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

JsonObject = dict[str, object]


class UpdateState(StrEnum):
    """How far an update is, in Databricks' words."""

    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    SETTING_UP_TABLES = "SETTING_UP_TABLES"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self in (UpdateState.COMPLETED, UpdateState.FAILED, UpdateState.CANCELED)


class Level(StrEnum):
    """How grave an event is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    METRICS = "METRICS"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A stored pipeline; *spec* is what was asked for, times in ms since the epoch."""

    pipeline_id: str
    creator: str
    created: int
    modified: int
    spec: JsonObject

    @property
    def name(self) -> str:
        """The name, empty when none was given."""
        return str(self.spec.get("name") or "")

    @property
    def run_as(self) -> str:
        """Whom its updates act as."""
        wanted = self.spec.get("run_as")
        given = wanted if isinstance(wanted, dict) else {}
        return str(given.get("user_name") or given.get("service_principal_name") or self.creator)


@dataclass(frozen=True, slots=True)
class Update:
    """One update: the run that does it, how far its process said it is, what was asked for."""

    update_id: str
    pipeline_id: str
    run_id: int
    cause: str
    created: int
    request: JsonObject
    progress: UpdateState = UpdateState.QUEUED
    told: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a pipeline's event log; *at* in ms since the epoch."""

    event_id: str
    pipeline_id: str
    update_id: str | None
    at: int
    event_type: str
    level: Level
    message: str
    origin: JsonObject = field(default_factory=dict)
    details: JsonObject = field(default_factory=dict)
    error: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a flow has read each of its sources: Delta versions by full name.

    *pending* is what a write that began would make of it, *target_version* the target's version before that write.
    """

    done: dict[str, int]
    target: str = ""
    pending: dict[str, int] | None = None
    target_version: int = -1
