"""MERGE whose bounds name the files that it can touch: the same rows as without, fewer files read, no empty commit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brickyard.local import LocalWorkspace
from brickyard.workspace import run_sql

COLUMNS = "k string, d date, at timestamp, q decimal(38,19), m map<string,string>, s struct<a:int,b:string>, v string"
SOURCE = """SELECT CASE WHEN id % 7 = 0 THEN NULL ELSE concat('k', cast(id as string)) END AS k,
    date_add(date'2026-03-01', cast(id % 10 as int)) AS d,
    timestamp'2026-03-01 00:00:00Z' + make_interval(0, 0, 0, cast(id % 10 as int)) AS at,
    cast(id as decimal(38,19)) / 3 AS q, map('n', cast(id as string)) AS m,
    named_struct('a', cast(id as int), 'b', NULL) AS s, '{version}' AS v FROM range({first}, {last}) WHERE id % 7 <> 0 OR id = 14"""
MERGE = """MERGE INTO c.s.{table} t USING ({source}) s ON t.k <=> s.k AND t.d <=> s.d{bounds}
    WHEN MATCHED AND s.v > t.v THEN UPDATE SET q = s.q, m = s.m, s = s.s, v = s.v
    WHEN NOT MATCHED THEN INSERT (k, d, at, q, m, s, v) VALUES (s.k, s.d, s.at, s.q, s.m, s.s, s.v)"""
BOUNDS = {
    "none": "",
    "days": " AND t.d >= date'2026-03-01' AND t.d <= date'2026-03-10'",
    "times": " AND t.at >= timestamp'2026-03-01 00:00:00Z' AND t.at <= timestamp'2026-03-10 23:59:59.999999Z'",
    "listed": " AND t.d IN (" + ", ".join(f"date'2026-03-{day:02}'" for day in range(1, 11)) + ")",
}


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("bounded"))) as workspace:
        client = workspace.client()
        run_sql(client, "CREATE CATALOG c")
        run_sql(client, "CREATE SCHEMA c.s")
        yield lambda text: run_sql(client, text).dicts()


def filled(sql: Any, table: str) -> None:
    sql(f"CREATE TABLE c.s.{table} ({COLUMNS})")
    sql(f"INSERT INTO c.s.{table} {SOURCE.format(version='1', first=0, last=100)}")


def versions(sql: Any, table: str) -> int:
    return len(sql(f"DESCRIBE HISTORY c.s.{table}"))


@pytest.mark.parametrize("bounds", ["days", "times", "listed"])
def test_bounds_change_nothing_but_what_is_read(sql: Any, bounds: str) -> None:
    counts = []
    for name, condition in (("none", ""), (bounds, BOUNDS[bounds])):
        filled(sql, f"t_{bounds}_{name}")
        source = SOURCE.format(version="2", first=50, last=150)
        counts.append(sql(MERGE.format(table=f"t_{bounds}_{name}", source=source, bounds=condition)))
    assert counts[0] == counts[1] == [{**counts[0][0], "num_updated_rows": 43, "num_inserted_rows": 43}]
    rows = [sql(f"SELECT * FROM c.s.t_{bounds}_{name} ORDER BY d, k") for name in ("none", bounds)]
    assert rows[0] == rows[1]


def test_a_merge_that_changes_nothing_makes_no_version(sql: Any) -> None:
    filled(sql, "quiet")
    before = versions(sql, "quiet")
    sql(MERGE.format(table="quiet", source=SOURCE.format(version="1", first=0, last=100), bounds=BOUNDS["days"]))
    assert versions(sql, "quiet") == before


def test_only_files_within_the_bounds_are_replaced(sql: Any) -> None:
    sql(f"CREATE TABLE c.s.files ({COLUMNS})")
    for day in range(1, 11):
        rows = SOURCE.format(version="1", first=0, last=100)
        sql(f"INSERT INTO c.s.files SELECT * FROM ({rows}) WHERE d = date'2026-03-{day:02}'")
    source = f"SELECT * FROM ({SOURCE.format(version='2', first=0, last=100)}) WHERE d = date'2026-03-04'"
    bounds = " AND t.d >= date'2026-03-04' AND t.d <= date'2026-03-04'"
    sql(MERGE.format(table="files", source=source, bounds=bounds))
    newest = sql("DESCRIBE HISTORY c.s.files LIMIT 1")[0]
    assert json.loads(newest["operationMetrics"])["num_target_files_scanned"] == "1"


def test_two_partners_for_one_row_are_refused_with_bounds_as_without(sql: Any) -> None:
    filled(sql, "twice")
    one = SOURCE.format(version="2", first=1, last=2)
    doubled = f"{one} UNION ALL {one}"
    with pytest.raises(Exception, match=r"(?i)merge|multiple"):
        sql(MERGE.format(table="twice", source=doubled, bounds=BOUNDS["days"]))
