"""A Spark session as the engine of a run: its rows as values in UTC, its errors as ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from brickyard.health.model.state import Sql
from brickyard.kernel import stop
from brickyard.kernel.errors import BrickyardError, NotFound, WorkspaceRefused

if TYPE_CHECKING:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

_ABSENT = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION")
_WAITS = (0.2, 0.5, 1.0, 2.0)  # seconds before a statement is sent again that another task's commit came before
_SHOWN = 60  # characters of a statement in an error


def on(spark: SparkSession) -> Sql:
    """Return how to run a statement on this session; raises NotFound, or WorkspaceRefused with Spark's own words."""

    def sql(statement: str) -> Sequence[Mapping[str, Any]]:
        for wait in _WAITS:
            try:
                return _rows(spark, statement)
            except WorkspaceRefused as error:
                if not _outrun(error):
                    raise
            stop.pause(wait)
        return _rows(spark, statement)

    return sql


def _outrun(error: WorkspaceRefused) -> bool:
    """Whether another task's commit came first; nothing of ours was written then, and it can be sent again."""
    return "CONCURRENT" in (error.databricks_code or "")


def _rows(spark: SparkSession, statement: str) -> Sequence[Mapping[str, Any]]:
    from pyspark.errors import PySparkException

    try:
        return [_plain(row.asDict()) for row in spark.sql(statement).collect()]
    except PySparkException as error:
        raise _ours(statement, error) from error


def active() -> SparkSession:
    """Return the session of the task, which the cluster has begun, or begin one."""
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _in_utc(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _in_utc(value: datetime) -> datetime:
    """Spark gives a timestamp as the clock of this machine shows it, without saying so."""
    return value.astimezone(UTC)


def _ours(statement: str, error: PySparkException) -> BrickyardError:
    condition = error.getCondition() or ""
    words = " ".join(str(error).split())
    message = f"run {' '.join(statement.split())[:_SHOWN]}…: {words}"
    if condition.partition(".")[0] in _ABSENT:
        return NotFound(message)
    return WorkspaceRefused(message, databricks_code=condition or None, code="statement-failed")
