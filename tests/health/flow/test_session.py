"""A Spark session as the engine of a run: its times in UTC, and its refusals as ours."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from brickyard.health.flow import session
from brickyard.health.model.state import Sql
from brickyard.kernel.errors import NotFound, WorkspaceRefused
from brickyard.local import LocalWorkspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(tmp_path_factory.mktemp("session")) as made:
        yield made


@pytest.fixture
def sql(workspace: LocalWorkspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sql]:
    """A session as the code of a task has it, on a machine that keeps another time than UTC."""
    from pyspark.sql.connect.session import SparkSession

    from brickyard.local.kernel.spark import connect

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    monkeypatch.setenv("SPARK_REMOTE", "")
    for name in ("delta", "delta.tables"):
        monkeypatch.setitem(sys.modules, name, None)
    spark = connect(workspace.host, workspace.token)
    yield session.on(spark)
    SparkSession.stop(spark)  # the class's own: that of a task's session does nothing
    monkeypatch.undo()
    time.tzset()


def test_values_come_as_python_has_them_and_times_in_utc(sql: Sql):
    rows = sql(
        "SELECT timestamp'2026-03-08 07:30:00Z' AS at, date'2026-03-08' AS day, cast(1.5 AS DECIMAL(38,19)) AS cost,"
        " CAST(NULL AS STRING) AS nothing, 2 AS two"
    )
    at = datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert [dict(row) for row in rows] == [
        {"at": at, "day": date(2026, 3, 8), "cost": Decimal("1.5"), "nothing": None, "two": 2}
    ]
    assert rows[0]["at"].tzinfo is UTC


@pytest.mark.parametrize("name", ["nowhere.nothing.nobody", "main.nothing.nobody", "main.default.nobody"])
def test_what_is_not_there_is_not_found(sql: Sql, name: str):
    with pytest.raises(NotFound):
        sql(f"SELECT * FROM {name}")


def test_the_tables_of_a_catalog_that_is_not_there_are_not_found(sql: Sql):
    with pytest.raises(NotFound):
        sql("SELECT * FROM nowhere.information_schema.columns")


def test_a_refusal_says_the_statement_and_the_words_of_spark(sql: Sql):
    with pytest.raises(WorkspaceRefused, match=r"run SELECT nobody…: .*UNRESOLVED_COLUMN") as refused:
        sql("SELECT nobody")
    assert refused.value.error_code == "statement-failed"
    assert (refused.value.databricks_code or "").startswith("UNRESOLVED_COLUMN")
