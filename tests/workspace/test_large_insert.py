"""INSERT of many rows: the engine writes the files, the table takes them over, and nothing else differs."""

from __future__ import annotations

import io
import json
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from databricks.sdk import WorkspaceClient
from deltalake import write_deltalake

from brickyard.local import LocalWorkspace
from brickyard.local.sql.delta import write
from brickyard.workspace import run_sql

ROWS = 300_000
COLUMNS = (
    "id bigint, v string, at timestamp, d date, q decimal(38,18), x smallint, f float, y boolean, bin binary,"
    " m map<string,string>, s struct<a:int,b:array<string>>, wall timestamp_ntz"
)
SOURCE = f"""SELECT id, concat(md5(cast(id as string)), sha1(cast(id as string))) AS v,
    timestamp'2026-03-29 00:30:00Z' + make_interval(0, 0, 0, 0, 0, 0, id / 1000) AS at,
    date_add(date'2026-03-01', cast(id % 10 as int)) AS d, cast(id as decimal(38,18)) / 7 AS q, cast(id % 9 as smallint) AS x,
    cast(id as float) AS f, id % 2 = 0 AS y, cast(cast(id as string) as binary) AS bin,
    CASE WHEN id % 3 > 0 THEN map('n', CASE WHEN id % 5 > 0 THEN cast(id as string) END) END AS m,
    CASE WHEN id % 4 > 0 THEN named_struct('a', CASE WHEN id % 7 > 0 THEN cast(id as int) END, 'b', array('p', NULL)) END AS s,
    timestamp_ntz'2026-03-29 02:30:00' AS wall FROM range({ROWS})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[WorkspaceClient]:
    with LocalWorkspace(folder) as workspace:
        client = workspace.client()
        for statement in ("CREATE CATALOG c", "CREATE SCHEMA c.s", f"CREATE TABLE c.s.few ({COLUMNS})"):
            run_sql(client, statement)
        for cut in range(10):  # one by one too small to be taken over
            run_sql(client, f"INSERT INTO c.s.few SELECT * FROM ({SOURCE}) WHERE id % 10 = {cut}")
        yield client


@pytest.fixture
def sql(client: WorkspaceClient) -> Any:
    return lambda text: run_sql(client, text).dicts()


def files(sql: Any, folder: Path, table: str) -> list[Path]:
    place = sql(f"DESCRIBE DETAIL c.s.{table}")[0]["location"].removeprefix("file:")
    assert not list(Path(place).glob("_staging/*"))
    return sorted(Path(place).glob("*.parquet"))


def are_the_engines(found: list[Path]) -> bool:
    return bool(found) and not any(file.name.startswith("part-") for file in found)


def test_the_same_rows_are_there_whoever_wrote_the_files(sql: Any, folder: Path) -> None:
    sql(f"CREATE TABLE c.s.many ({COLUMNS})")
    told = sql("INSERT INTO c.s.many SELECT * FROM c.s.few")
    assert told == [{"num_affected_rows": ROWS, "num_inserted_rows": ROWS}]
    assert are_the_engines(files(sql, folder, "many"))
    assert not are_the_engines(files(sql, folder, "few"))
    compared = "SELECT * FROM c.s.{} WHERE id % 1000 < 12 ORDER BY id"
    assert sql(compared.format("many")) == sql(compared.format("few"))
    row = "id, v, at, d, q, x, f, y, bin, to_json(m) AS m, to_json(s) AS s, wall"
    differing = f"SELECT count(*) AS n FROM (SELECT {row} FROM c.s.many EXCEPT SELECT {row} FROM c.s.few)"
    assert sql(differing) == [{"n": 0}]


def test_history_and_statistics_tell_what_they_tell_of_few_rows(sql: Any, folder: Path) -> None:
    sql(f"CREATE TABLE c.s.told ({COLUMNS})")
    sql("INSERT INTO c.s.told SELECT * FROM c.s.few")
    newest = sql("DESCRIBE HISTORY c.s.told LIMIT 1")[0]
    metrics = json.loads(newest["operationMetrics"])
    assert (newest["operation"], metrics["numOutputRows"]) == ("WRITE", str(ROWS))
    assert int(metrics["numFiles"]) == len(files(sql, folder, "told"))
    log = files(sql, folder, "told")[0].parent / "_delta_log" / f"{1:020}.json"
    adds = [json.loads(line)["add"] for line in log.read_text().splitlines() if '"add"' in line]
    stats = [json.loads(add["stats"]) for add in adds]
    assert sum(one["numRecords"] for one in stats) == ROWS
    assert min(one["minValues"]["d"] for one in stats) == "2026-03-01"
    assert sql("SELECT count(*) AS n FROM c.s.told WHERE d = date'2026-03-04' AND id > 299000") == [{"n": 100}]


def test_columns_by_name_defaults_and_those_left_out(sql: Any, folder: Path) -> None:
    sql(
        "CREATE TABLE c.s.named (a string DEFAULT 'x', v string, none int)"
        " TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
    )
    sql("INSERT INTO c.s.named (v) SELECT v FROM c.s.few")
    assert are_the_engines(files(sql, folder, "named"))
    found = sql("SELECT a, none, count(DISTINCT v) AS n FROM c.s.named GROUP BY a, none")
    assert found == [{"a": "x", "none": None, "n": ROWS}]


@pytest.mark.parametrize(
    ("name", "columns", "then"),
    [
        ("parts", "d date, v string", " PARTITIONED BY (d)"),
        ("mapped", "d date, v string", " TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"),
    ],
)
def test_tables_that_want_other_files_get_them(sql: Any, name: str, columns: str, then: str) -> None:
    sql(f"CREATE TABLE c.s.{name} ({columns}){then}")
    sql(f"INSERT INTO c.s.{name} SELECT d, v FROM c.s.few")
    assert sql(f"SELECT count(DISTINCT v) AS n, count(DISTINCT d) AS days FROM c.s.{name}") == [{"n": ROWS, "days": 10}]


@pytest.mark.parametrize(
    ("name", "columns", "query", "match"),
    [
        ("null", "id bigint, v string NOT NULL", "id, CASE WHEN id <> 7 THEN v END", "NOT_NULL"),
        ("fails", "id bigint, v string", "id, concat(v, 1 / (id - 299999))", "DIVIDE_BY_ZERO"),
        ("cast", "id bigint, v int", "id, v", "CAST_INVALID_INPUT"),
        ("arity", "id bigint, v string", "id", "INSERT_COLUMN_ARITY_MISMATCH"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    sql: Any, folder: Path, name: str, columns: str, query: str, match: str
) -> None:
    sql(f"CREATE TABLE c.s.r_{name} ({columns})")
    with pytest.raises(Exception, match=match):
        sql(f"INSERT INTO c.s.r_{name} SELECT {query} FROM c.s.few")
    assert files(sql, folder, f"r_{name}") == []
    assert len(sql(f"DESCRIBE HISTORY c.s.r_{name}")) == 1


def test_a_check_constraint_is_kept(sql: Any, folder: Path) -> None:
    sql("CREATE TABLE c.s.kept (id bigint, v string)")
    sql("ALTER TABLE c.s.kept ADD CONSTRAINT small CHECK (id < 299999)")
    with pytest.raises(Exception, match="CHECK constraint"):
        sql("INSERT INTO c.s.kept SELECT id, v FROM c.s.few")
    assert files(sql, folder, "kept") == []


def test_a_table_can_be_inserted_into_itself(sql: Any) -> None:
    sql("CREATE TABLE c.s.self (id bigint, v string)")
    sql("INSERT INTO c.s.self SELECT id, v FROM c.s.few")
    sql("INSERT INTO c.s.self SELECT id, v FROM c.s.self")
    assert sql("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM c.s.self") == [{"n": 2 * ROWS, "ids": ROWS}]


def test_values_that_only_nearly_fit_are_made_to(sql: Any) -> None:
    sql("CREATE TABLE c.s.nearly (v string, s struct<b:string,a:bigint>, m map<string,string>)")
    sql("INSERT INTO c.s.nearly SELECT v, named_struct('a', cast(id as int), 'b', 'y'), map('k', NULL) FROM c.s.few")
    assert sql("SELECT s.b, max(s.a) AS a, count(*) AS n, count(m['k']) AS m FROM c.s.nearly GROUP BY 1") == [
        {"b": "y", "a": ROWS - 1, "n": ROWS, "m": 0}
    ]


def test_nested_values_of_wider_types_are_not_taken_over(sql: Any, client: WorkspaceClient, folder: Path) -> None:
    sql("CREATE VOLUME c.s.files")
    drawn = random.Random(7)
    many = pa.table(
        {
            "s": pa.array([{"u": number} for number in range(ROWS)], pa.struct([("u", pa.uint64())])),
            "v": [drawn.randbytes(36).hex() for _ in range(ROWS)],
        }
    )
    with io.BytesIO() as data:
        pq.write_table(many, data)
        client.files.upload("/Volumes/c/s/files/wide.parquet", io.BytesIO(data.getvalue()), overwrite=True)
    sql("CREATE TABLE c.s.wide (s struct<u:bigint>, v string)")
    sql("INSERT INTO c.s.wide SELECT s, v FROM parquet.`/Volumes/c/s/files/wide.parquet`")
    assert sql("SELECT max(s.u) AS u, count(*) AS n FROM c.s.wide") == [{"u": ROWS - 1, "n": ROWS}]
    for file in files(sql, folder, "wide"):
        assert pq.read_schema(file).field("s").type.field("u").type == pa.int64()


def test_a_table_that_changed_while_the_engine_wrote_is_not_added_to(
    sql: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("CREATE TABLE c.s.raced (id bigint, v string)")
    place = sql("DESCRIBE DETAIL c.s.raced")[0]["location"].removeprefix("file:")
    adopt = write.adopt

    def late(*arguments: Any) -> Any:
        other = pa.table({"v": pa.array([1], pa.int32())})
        write_deltalake(place, other, mode="overwrite", schema_mode="overwrite")
        return adopt(*arguments)

    monkeypatch.setattr(write, "adopt", late)
    with pytest.raises(Exception, match=r"(?i)concurrent|conflict"):
        sql("INSERT INTO c.s.raced SELECT id, v FROM c.s.few")
    assert sql("SELECT * FROM c.s.raced") == [{"v": 1}]


def test_what_a_killed_process_left_goes_after_a_day(sql: Any, folder: Path) -> None:
    sql("CREATE TABLE c.s.left (id bigint)")
    place = Path(sql("DESCRIBE DETAIL c.s.left")[0]["location"].removeprefix("file:")) / "_staging"
    for name, age in (("old", 25), ("young", 1)):
        (place / name / "rows").mkdir(parents=True)
        (place / name / "rows" / "x.parquet").write_bytes(b"x")
        os.utime(place / name, (time.time() - age * 3600,) * 2)
    sql("INSERT INTO c.s.left SELECT id FROM range(3)")
    assert [path.name for path in place.iterdir()] == ["young"]


def test_writers_of_one_table_do_not_stumble_over_each_others_folders(tmp_path: Path) -> None:
    def lend(_: int) -> None:
        for _ in range(100):
            with write.staging(tmp_path) as folder:
                (folder / "x").write_bytes(b"x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lend, range(8)))
    assert not list((tmp_path / "_staging").iterdir())
