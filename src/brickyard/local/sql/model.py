"""The nouns of SQL execution: session, parameter, result and error."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from brickyard.local.catalog.store import HIVE

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Origin:
    """What runs the statement: it goes to DESCRIBE HISTORY, lineage and query history."""

    job_id: str | None = None
    job_name: str | None = None
    job_run_id: str | None = None
    task_run_id: str | None = None
    task_key: str | None = None
    trigger_type: str | None = None
    notebook_id: str | None = None
    notebook_path: str | None = None
    statement_id: str | None = None
    warehouse_id: str | None = None
    client_application: str | None = None
    client_driver: str | None = None
    pipeline_id: str | None = None
    update_id: str | None = None
    within_request: bool = False  # a step of a request that has its own audit row


@dataclass(slots=True)
class SqlSession:
    """Whose statement it is and in which namespace it runs; USE, SET and DECLARE change it in place.

    `id` names the engine's session too, so temp views live as long as it does. `admin` skips grant checks.
    """

    principal: str
    admin: bool = False
    catalog: str = HIVE
    schema: str = "default"
    time_zone: str = "UTC"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    variables: dict[str, Variable] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    temp_views: set[str] = field(default_factory=set)
    origin: Origin = Origin()
    recipient: Mapping[str, str] | None = None  # the properties of the recipient for whom a shared view is read

    def with_origin(self, origin: Origin) -> SqlSession:
        """The same session (variables and settings shared) on behalf of something else."""
        return replace(self, origin=origin)


@dataclass(frozen=True, slots=True)
class Variable:
    """A session variable: its SQL type and its current value as a SQL literal."""

    type_text: str
    literal: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value for `:name` (or for the next `?` when the name is empty); `value` as text, None for NULL."""

    name: str
    value: str | None
    type: str = "STRING"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result as the statements API describes it."""

    name: str
    type_name: str
    type_text: str
    position: int
    nullable: bool = True
    type_precision: int | None = None
    type_scale: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement came back with; `kind` is its verb (`SELECT`, `MERGE`, …)."""

    columns: tuple[ResultColumn, ...]
    table: pa.Table
    kind: str = "SELECT"


class SqlError(Exception):
    """A refused or failed statement, as Databricks words it: `[ERROR_CLASS] message SQLSTATE: 42P01`.

    *retryable* says that the same statement may succeed when sent again (the engine died, two writers met).
    """

    def __init__(self, error_class: str, message: str, sql_state: str, *, retryable: bool = False) -> None:
        super().__init__(f"[{error_class}] {message} SQLSTATE: {sql_state}")
        self.error_class = error_class
        self.message = message
        self.sql_state = sql_state
        self.retryable = retryable


def unsupported(what: str, way_out: str) -> SqlError:
    """The refusal of something that would come back wrong here."""
    return SqlError("LOCAL_UNSUPPORTED", f"{what} is not supported by the local workspace: {way_out}.", "0A000")
