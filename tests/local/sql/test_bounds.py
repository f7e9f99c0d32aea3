"""A decimal is the number that was written, also where the engine could take it from the bounds of its file."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.local.sql.conftest import Sql

LONG = "0.114863749885212289"
WRITTEN = f"SELECT 1 AS id, cast({LONG} AS DECIMAL(38,18)) AS d, named_struct('e', cast({LONG} AS DECIMAL(38,18))) AS s"
WAYS = {
    "inserted": ("CREATE TABLE t (id INT, d DECIMAL(38,18), s STRUCT<e: DECIMAL(38,18)>)", f"INSERT INTO t {WRITTEN}"),
    "created": (f"CREATE TABLE t AS {WRITTEN}",),
    "merged": (
        "CREATE TABLE t (id INT, d DECIMAL(38,18), s STRUCT<e: DECIMAL(38,18)>)",
        f"MERGE INTO t USING ({WRITTEN}) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
    ),
    "updated": (f"CREATE TABLE t AS SELECT id, d * 0 AS d, s FROM ({WRITTEN})", f"UPDATE t SET d = {LONG}"),
    "merged by hand": (
        "CREATE TABLE t (id INT, d DECIMAL(38,18), s STRUCT<e: DECIMAL(38,18)>)"
        " TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
        f"MERGE INTO t USING ({WRITTEN}) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
    ),
    "at a checkpoint": (
        "CREATE TABLE t (id INT, d DECIMAL(38,18), s STRUCT<e: DECIMAL(38,18)>)",
        *(f"MERGE INTO t USING ({WRITTEN}) s ON t.id = s.id + {at} WHEN NOT MATCHED THEN INSERT *" for at in range(1, 3)),
        *("DELETE FROM t WHERE id = 1", f"MERGE INTO t USING ({WRITTEN}) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *")
        * 9,
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_decimal_of_a_single_row_keeps_its_digits(sql: Sql, way: str):
    sql.run_all(*WAYS[way])
    assert sql.rows("SELECT DISTINCT d, s.e, min(d) OVER (), max(s.e) OVER () FROM t") == [[LONG] * 4]
    assert sql.rows(f"SELECT count(DISTINCT id) FROM t WHERE d = {LONG} AND s.e <= {LONG}") == [[1]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(st.lists(st.integers(-(10**30), 10**30).map(lambda whole: Decimal(f"{whole}E-18")), min_size=12, max_size=12))
def test_decimals_come_back_as_they_went(sql: Sql, wanted: list[Decimal]):
    columns = ", ".join(f"cast('{value:f}' AS DECIMAL(38,18)) AS c{at}" for at, value in enumerate(wanted))
    sql.run(f"CREATE OR REPLACE TABLE many AS SELECT {columns}")
    assert [[Decimal(str(value)) for value in row] for row in sql.rows("SELECT * FROM many")] == [wanted]
