"""What people write every day and no golden statement says: times that are computed, typed partition values, honest errors."""

from __future__ import annotations

import pytest

from brickyard.local.sql.model import SqlError


@pytest.fixture
def table(sql):
    sql.run_all("CREATE TABLE t (id INT, name STRING)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    return sql


@pytest.mark.parametrize(
    "moment",
    [
        "current_timestamp()",
        "current_timestamp() + INTERVAL 1 HOUR",
        "date_add(current_date(), 2)",
        "(SELECT max(x) FROM VALUES (TIMESTAMP'2099-01-01 00:00:00') AS v(x))",
    ],
)
def test_time_travel_takes_a_time_that_is_computed(table, moment):
    assert table.rows(f"SELECT count(*) FROM t TIMESTAMP AS OF {moment} AS x WHERE x.id > 0") == [[2]]


def test_a_computed_time_before_the_first_commit_is_refused(table):
    with pytest.raises(SqlError) as refused:
        table.run("SELECT * FROM t TIMESTAMP AS OF current_timestamp() - INTERVAL 1 DAY")
    assert refused.value.error_class == "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION"
    with pytest.raises(SqlError) as refused:
        table.run("SELECT * FROM t TIMESTAMP AS OF CAST(NULL AS TIMESTAMP)")
    assert refused.value.error_class == "INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT"


@pytest.mark.parametrize("value", ["DATE'2024-01-03'", "date '2024-01-03'", "'2024-01-03'", '"2024-01-03"'])
def test_a_partition_value_may_be_a_typed_literal(sql, value):
    sql.run_all(
        "CREATE TABLE p (a INT, d DATE) PARTITIONED BY (d)",
        "INSERT INTO p VALUES (1, DATE'2024-01-03'), (2, DATE'2024-01-04')",
        f"INSERT OVERWRITE p PARTITION (d = {value}) SELECT 9",
    )
    assert sql.rows("SELECT a, CAST(d AS STRING) FROM p ORDER BY d") == [[9, "2024-01-03"], [2, "2024-01-04"]]


def test_a_column_that_is_not_there_is_named_in_an_update(table):
    with pytest.raises(SqlError) as refused:
        table.run("UPDATE t SET nope = 1")
    assert (refused.value.error_class, refused.value.sql_state) == ("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703")
    assert "nope" in refused.value.message
