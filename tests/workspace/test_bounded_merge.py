"""MERGE whose bounds name the files that it can touch: the same rows as without, fewer files read, no empty commit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brickyard.kernel.errors import WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.workspace import run_sql

COLUMNS = "k string, d date, at timestamp, q decimal(38,19), m map<string,string>, s struct<a:int,b:string>, v string"
SOURCE = """SELECT CASE WHEN id % 7 = 0 THEN NULL ELSE concat('k', cast(id as string)) END AS k,
    date_add(date'2026-03-01', cast(id % 10 as int)) AS d,
    timestamp'2026-03-01 00:00:00Z' + make_interval(0, 0, 0, cast(id % 10 as int)) AS at,
    cast(cast(id as decimal(38,19)) / 3 as decimal(38,19)) AS q, map('n', cast(id as string)) AS m,
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
    assert newest(sql, "files")[1]["numTargetFilesRemoved"] == "1"


def test_two_partners_for_one_row_are_refused_with_bounds_as_without(sql: Any) -> None:
    filled(sql, "twice")
    one = SOURCE.format(version="2", first=1, last=2)
    doubled = f"{one} UNION ALL {one}"
    with pytest.raises(Exception, match=r"(?i)merge|multiple"):
        sql(MERGE.format(table="twice", source=doubled, bounds=BOUNDS["days"]))


def newest(sql: Any, table: str) -> tuple[str, dict[str, str]]:
    row = sql(f"DESCRIBE HISTORY c.s.{table} LIMIT 1")[0]
    return row["operation"], json.loads(row["operationMetrics"])


def by_day(sql: Any, table: str) -> None:
    sql(f"CREATE TABLE c.s.{table} ({COLUMNS})")
    for day in range(1, 11):
        rows = SOURCE.format(version="1", first=0, last=100)
        sql(f"INSERT INTO c.s.{table} SELECT * FROM ({rows}) WHERE d = date'2026-03-{day:02}'")


def test_rows_that_meet_none_are_added_without_touching_a_file(sql: Any) -> None:
    by_day(sql, "added")
    source = (
        f"{SOURCE.format(version='1', first=0, last=100)} UNION ALL {SOURCE.format(version='2', first=700, last=800)}"
    )
    counts = sql(MERGE.format(table="added", source=source, bounds=BOUNDS["days"]))[0]
    assert (counts["num_inserted_rows"], counts["num_updated_rows"]) == (85, 0)
    operation, metrics = newest(sql, "added")
    assert (operation, metrics["numTargetFilesRemoved"]) == ("MERGE", "0")
    assert (
        sql("SELECT count(*) AS n, count(DISTINCT k) AS k FROM c.s.added WHERE v = '2' AND q IS NOT NULL")[0]["n"] == 85
    )


def test_only_files_of_rows_that_change_are_read_however_wide_the_batch_lies(sql: Any) -> None:
    by_day(sql, "narrow")
    fresh = SOURCE.format(version="2", first=700, last=800)
    changed = f"SELECT * FROM ({SOURCE.format(version='2', first=0, last=100)}) WHERE d = date'2026-03-04'"
    same = SOURCE.format(version="1", first=0, last=100)
    source = f"{fresh} UNION ALL {changed} UNION ALL SELECT * FROM ({same}) WHERE d <> date'2026-03-04'"
    counts = sql(MERGE.format(table="narrow", source=source, bounds=BOUNDS["listed"]))[0]
    assert (counts["num_inserted_rows"], counts["num_updated_rows"]) == (85, 9)
    metrics = newest(sql, "narrow")[1]
    assert [metrics[f"numTarget{what}"] for what in ("FilesRemoved", "RowsCopied", "RowsDeleted")] == ["1", "0", "0"]
    rows = sql("SELECT v, count(*) AS n FROM c.s.narrow GROUP BY v ORDER BY v")
    assert rows == [{"v": "1", "n": 77}, {"v": "2", "n": 94}]


def test_a_source_without_rows_changes_nothing(sql: Any) -> None:
    filled(sql, "none")
    before = versions(sql, "none")
    for bounds in ("", BOUNDS["days"]):
        source = f"SELECT * FROM ({SOURCE.format(version='2', first=0, last=100)}) WHERE false"
        counts = sql(MERGE.format(table="none", source=source, bounds=bounds))[0]
        assert set(counts.values()) == {0}
    assert versions(sql, "none") == before


def test_rows_that_a_source_lacks_can_go_also_when_it_is_empty(sql: Any) -> None:
    filled(sql, "gone")
    sql(
        f"MERGE INTO c.s.gone t USING (SELECT * FROM ({SOURCE.format(version='2', first=0, last=9)}) WHERE false) s"
        " ON t.k <=> s.k WHEN NOT MATCHED BY SOURCE THEN DELETE"
    )
    assert sql("SELECT count(*) AS n FROM c.s.gone")[0]["n"] == 0


def test_a_source_that_names_its_columns_is_merged_by_those_names(sql: Any) -> None:
    sql("CREATE TABLE c.s.named (k string, v string)")
    merge = "MERGE INTO c.s.named t USING (SELECT 'a', 'one' UNION ALL SELECT 'b', 'two') AS s(x, y) ON t.k = s.x"
    sql(f"{merge} WHEN MATCHED THEN UPDATE SET v = s.y WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.x, s.y)")
    assert sql("SELECT * FROM c.s.named ORDER BY k") == [{"k": "a", "v": "one"}, {"k": "b", "v": "two"}]


def test_a_source_that_fails_is_refused_with_its_reason(sql: Any) -> None:
    filled(sql, "failing")
    broken = "SELECT raise_error('no such thing') AS k, date'2026-03-01' AS d, '1' AS v"
    with pytest.raises(Exception, match="no such thing"):
        sql(f"MERGE INTO c.s.failing t USING ({broken}) s ON t.k <=> s.k WHEN MATCHED THEN UPDATE SET v = s.v")


def test_a_table_is_merged_into_the_files_that_change_like_a_query(sql: Any) -> None:
    by_day(sql, "target")
    sql(f"CREATE TABLE c.s.from_here ({COLUMNS})")
    sql(f"INSERT INTO c.s.from_here {SOURCE.format(version='2', first=700, last=800)}")
    merge = MERGE.format(table="target", source="", bounds=BOUNDS["days"]).replace(
        "USING () s", "USING c.s.from_here AS s"
    )
    assert sql(merge)[0]["num_inserted_rows"] == 85
    assert newest(sql, "target")[1]["numTargetFilesRemoved"] == "0"


def test_a_large_source_is_merged_by_star_without_columns_of_our_own(sql: Any) -> None:
    sql("CREATE TABLE c.s.large (id bigint, d date, v string)")
    source = "SELECT id, date'2026-03-01' AS d, 'x' AS v FROM range({first}, {last})"
    sql(f"INSERT INTO c.s.large {source.format(first=0, last=10)}")
    sql(
        f"MERGE INTO c.s.large t USING ({source.format(first=5, last=300_015)}) s"
        " ON t.id <=> s.id AND t.d >= date'2026-03-01' AND t.d <= date'2026-03-01'"
        " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    assert sql("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM c.s.large") == [{"n": 300_015, "ids": 300_015}]


def test_updated_files_keep_their_other_rows_and_columns_that_are_younger_than_they(sql: Any) -> None:
    by_day(sql, "younger")
    sql("ALTER TABLE c.s.younger ADD COLUMNS (w string)")
    sql(f"INSERT INTO c.s.younger SELECT *, 'w' FROM ({SOURCE.format(version='1', first=900, last=910)})")
    before = sql("SELECT k, d, at, q, m, s, v, w FROM c.s.younger ORDER BY d, k")
    source = f"SELECT *, 'x' AS w FROM ({SOURCE.format(version='2', first=0, last=1000)}) WHERE k IN ('k15', 'k905') OR k IS NULL"
    merge = MERGE.format(table="younger", source=source, bounds=BOUNDS["listed"]).replace("v = s.v", "v = s.v, w = s.w")
    counts = sql(merge)[0]
    after = sql("SELECT k, d, at, q, m, s, v, w FROM c.s.younger ORDER BY d, k")
    touched = [row for row in before if row["k"] in ("k15", "k905", None)]
    assert (counts["num_updated_rows"], counts["num_inserted_rows"]) == (len(touched), 0)
    assert len(touched) == 3
    assert newest(sql, "younger")[1]["numTargetRowsUpdated"] == "3"
    assert after == [{**row, "v": "2", "w": "x"} if row in touched else row for row in before]


def test_each_of_several_equal_rows_is_updated_and_one_beyond_the_bounds_is_not(sql: Any) -> None:
    sql("CREATE TABLE c.s.equal (k string, d date, v string)")
    for day in ("2026-03-01", "2026-03-01", "2026-03-02", "2026-04-01"):
        sql(f"INSERT INTO c.s.equal VALUES ('a', date'{day}', '1'), ('b', date'{day}', '1')")
    merge = "MERGE INTO c.s.equal t USING (SELECT 'a' AS k, '2' AS v) s ON t.k <=> s.k AND t.d <= date'2026-03-31'"
    sql(
        f"{merge} WHEN MATCHED AND s.v > t.v THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
    )
    rows = sql("SELECT k, cast(d as string) AS d, v FROM c.s.equal WHERE v = '2' OR k = 'a' ORDER BY d")
    assert [(row["d"], row["v"]) for row in rows] == [
        ("2026-03-01", "2"), ("2026-03-01", "2"), ("2026-03-02", "2"), ("2026-04-01", "1"),
    ]  # fmt: skip
    assert sql("SELECT count(*) AS n FROM c.s.equal") == [{"n": 8}]
    assert newest(sql, "equal")[1]["numTargetRowsCopied"] == "3"


def test_of_two_rows_with_one_key_only_the_one_that_the_clause_acts_on_is_updated(sql: Any) -> None:
    sql("CREATE TABLE c.s.acted (k string, d date, v string)")
    sql("INSERT INTO c.s.acted VALUES ('a', date'2026-03-01', '1'), ('a', date'2026-03-01', '5')")
    merge = "MERGE INTO c.s.acted t USING (SELECT 'a' AS k, '2' AS v) s ON t.k <=> s.k AND t.d <= date'2026-03-31'"
    counts = sql(
        f"{merge} WHEN MATCHED AND s.v > t.v THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
    )
    assert counts[0]["num_updated_rows"] == 1
    assert sql("SELECT v FROM c.s.acted ORDER BY v") == [{"v": "2"}, {"v": "5"}]


def test_what_is_more_than_values_of_the_source_is_merged_all_the_same(sql: Any) -> None:
    for name, then in (("gone", "DELETE"), ("literal", "UPDATE SET v = '3'"), ("two", "UPDATE SET v = s.v, k = s.k")):
        filled(sql, f"more_{name}")
        source = SOURCE.format(version="2", first=10, last=14)
        merge = MERGE.format(table=f"more_{name}", source=source, bounds=BOUNDS["days"])
        cut = merge.index("UPDATE SET"), merge.index("WHEN NOT MATCHED")
        sql(f"{merge[: cut[0]]}{then} {merge[cut[1] :]}")
    found = [
        sql(f"SELECT v, count(*) AS n FROM c.s.more_{name} GROUP BY v ORDER BY v")
        for name in ("gone", "literal", "two")
    ]
    assert found == [
        [{"v": "1", "n": 82}],
        [{"v": "1", "n": 82}, {"v": "3", "n": 4}],
        [{"v": "1", "n": 82}, {"v": "2", "n": 4}],
    ]


WITHIN = "t.d <= date'2026-03-31' WHEN MATCHED AND s.v > t.v THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (v) VALUES (s.v)"


def held(sql: Any, table: str, kind: str, *keys: str) -> None:
    """Rows of a day with these keys, of version 1, 2, …"""
    sql(f"CREATE TABLE c.s.{table} (k {kind}, d date, v string)")
    rows = ", ".join(f"({key}, date'2026-03-01', '{number}')" for number, key in enumerate(keys, 1))
    sql(f"INSERT INTO c.s.{table} VALUES {rows}")


@pytest.mark.parametrize(
    ("kind", "keys", "given", "updated"),
    [
        ("string", ("'01'", "'1'"), "1", ["9", "9"]),
        ("int", ("1", "2"), "' 1'", ["2", "9"]),
        ("date", ("date'2026-03-01'", "NULL"), "'2026-3-1'", ["9", "2"]),
    ],
)
def test_keys_of_other_types_are_compared_by_the_engine(
    sql: Any, kind: str, keys: tuple[str, ...], given: str, updated: list[str]
) -> None:
    held(sql, f"cast_{kind}", kind, *keys)
    sql(f"MERGE INTO c.s.cast_{kind} t USING (SELECT {given} AS k, '9' AS v) s ON t.k = s.k AND {WITHIN}")
    assert [row["v"] for row in sql(f"SELECT v FROM c.s.cast_{kind} ORDER BY k DESC NULLS LAST")] == updated


@pytest.mark.parametrize(("part", "updated"), [("t.v <> '2'", ["2", "9"]), ("(t.v = '2' OR t.v = '7')", ["1", "9"])])
def test_further_parts_of_the_condition_hold_for_updates_too(sql: Any, part: str, updated: list[str]) -> None:
    table = f"part_{len(part)}"
    held(sql, table, "string", "'a'", "'a'")
    sql(f"MERGE INTO c.s.{table} t USING (SELECT 'a' AS K, '9' AS v) s ON t.k <=> s.K AND {part} AND {WITHIN}")
    assert [row["v"] for row in sql(f"SELECT v FROM c.s.{table} ORDER BY v")] == updated


def test_structs_are_updated_by_the_names_of_their_fields(sql: Any) -> None:
    sql("CREATE TABLE c.s.structs (k string, d date, v struct<a:int,b:string>)")
    sql("INSERT INTO c.s.structs VALUES ('k', date'2026-03-01', named_struct('a', 1, 'b', 'x'))")
    sql(
        "MERGE INTO c.s.structs t USING (SELECT 'k' AS k, named_struct('B', 'y', 'A', 2) AS v) s"
        " ON t.k = s.k AND t.d <= date'2026-03-31' WHEN MATCHED THEN UPDATE SET v = s.v"
        " WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
    )
    assert sql("SELECT v.a, v.b FROM c.s.structs") == [{"a": 2, "b": "y"}]


def test_a_table_that_only_grows_is_not_updated(sql: Any) -> None:
    sql("CREATE TABLE c.s.grows (k string, d date, v string) TBLPROPERTIES ('delta.appendOnly' = 'true')")
    sql("INSERT INTO c.s.grows VALUES ('a', date'2026-03-01', '1')")
    with pytest.raises(Exception, match=r"(?i)append.?only"):
        sql(f"MERGE INTO c.s.grows t USING (SELECT 'a' AS k, '9' AS v) s ON t.k = s.k AND {WITHIN}")
    assert sql("SELECT v FROM c.s.grows") == [{"v": "1"}]


def test_a_field_of_a_struct_is_not_taken_for_a_column_of_its_name(sql: Any) -> None:
    held(sql, "fields", "string", "'a'")
    source = "SELECT 'a' AS k, named_struct('v', '7') AS s, '9' AS v"
    sql(
        f"MERGE INTO c.s.fields t USING ({source}) s ON t.k = s.k AND t.d <= date'2026-03-31'"
        " WHEN MATCHED THEN UPDATE SET v = s.s.v WHEN NOT MATCHED THEN INSERT (v) VALUES (s.v)"
    )
    assert sql("SELECT v FROM c.s.fields") == [{"v": "7"}]


LARGE = "SELECT id, date'2026-03-01' AS d, concat(md5(cast(id as string)), sha1(cast(id as string))) AS v FROM range({first}, {last})"


@pytest.mark.parametrize("matched", ["", "WHEN MATCHED AND s.v > t.v THEN UPDATE SET v = s.v"])
def test_a_large_source_that_changes_no_row_is_added_in_files_that_are_cheap_to_write_again(
    sql: Any, matched: str
) -> None:
    table = f"c.s.grown_{len(matched)}"
    sql(f"CREATE TABLE {table} (id bigint, d date, v string)")
    sql(f"INSERT INTO {table} {LARGE.format(first=0, last=10)}")
    counts = sql(
        f"MERGE INTO {table} t USING ({LARGE.format(first=5, last=320_000)}) s"
        f" ON t.id <=> s.id AND t.d >= date'2026-03-01' AND t.d <= date'2026-03-01' {matched}"
        " WHEN NOT MATCHED THEN INSERT (id, d, v) VALUES (s.id, s.d, s.v)"
    )
    assert counts[0]["num_inserted_rows"] == 319_990
    assert sql(f"SELECT count(*) AS n, count(DISTINCT id) AS ids, count(v) AS v FROM {table}") == [
        {"n": 320_000, "ids": 320_000, "v": 320_000}
    ]
    detail = sql(f"DESCRIBE DETAIL {table}")[0]
    assert int(detail["numFiles"]) > 3, "the engine would have written one or two"


def test_a_large_source_that_changes_a_row_changes_it(sql: Any) -> None:
    sql("CREATE TABLE c.s.changed (id bigint, d date, v string)")
    sql("INSERT INTO c.s.changed VALUES (7, date'2026-03-01', ' '), (8, date'2026-04-01', ' ')")
    counts = sql(
        f"MERGE INTO c.s.changed t USING ({LARGE.format(first=0, last=320_000)}) s"
        " ON t.id <=> s.id AND t.d <= date'2026-03-31' WHEN MATCHED AND s.v > t.v THEN UPDATE SET v = s.v"
        " WHEN NOT MATCHED THEN INSERT (id, d, v) VALUES (s.id, s.d, s.v)"
    )
    assert sql("SELECT count(*) AS n, count_if(v = ' ') AS old FROM c.s.changed") == [{"n": 320_001, "old": 1}]
    assert (counts[0]["num_inserted_rows"], counts[0]["num_updated_rows"]) == (319_999, 1)


ADDS = "MERGE INTO c.s.{table} t USING ({source}) s ON t.id <=> s.id AND t.d >= date'2026-03-01' AND t.d <= date'2026-03-31'"
THREE = "SELECT id, date'2026-03-01' AS d, cast(id as string) AS v FROM range(1, 4)"
MANY = THREE.replace("range(1, 4)", "range(1, 310000)")


@pytest.mark.parametrize("source", [THREE, MANY], ids=["few", "many"])
@pytest.mark.parametrize(
    "matched", ["", " WHEN MATCHED AND s.v > t.v THEN UPDATE SET v = s.v"], ids=["adds", "updates"]
)
@pytest.mark.parametrize(
    ("v", "insert", "refused"),
    [
        ("v string DEFAULT 'some'", "(id, d) VALUES (s.id, s.d)", None),
        ("v string NOT NULL", "(id, d, v) VALUES (s.id, s.d, s.v)", None),
        ("v string, CHECK", "(id, d, v) VALUES (s.id, s.d, s.v)", "CHECK|CONSTRAINT"),
        ("v string", "(id, nosuch) VALUES (s.id, s.v)", "UNRESOLVED_COLUMN"),
        ("v string", "(id, id) VALUES (s.id, s.id)", "(?i)multiple assign|duplicate|ambiguous|SQL_EXECUTION"),
        ("v string", "(id, v) VALUES (s.id)", r"\[[A-Z_.]+\]"),
        ("v string", "VALUES (s.id, s.d, s.v)", r"\[[A-Z_.]+\]"),
    ],
)
def test_what_a_table_makes_of_new_rows_is_the_same_with_bounds(
    sql: Any, source: str, matched: str, v: str, insert: str, refused: str | None
) -> None:
    sql("DROP TABLE IF EXISTS c.s.made")
    features = " TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')" if "DEFAULT" in v else ""
    sql(f"CREATE TABLE c.s.made (id bigint, d date, {v.removesuffix(', CHECK')}){features}")
    if "CHECK" in v:
        sql("ALTER TABLE c.s.made ADD CONSTRAINT low CHECK (id < 3)")
    merge = f"{ADDS.format(table='made', source=source)}{matched} WHEN NOT MATCHED THEN INSERT {insert}"
    if refused:
        with pytest.raises(WorkspaceRefused, match=refused):
            sql(merge)
        assert sql("SELECT count(*) AS n FROM c.s.made") == [{"n": 0}]
    else:
        sql(merge)
        found = sql("SELECT id, v FROM c.s.made WHERE id < 4 ORDER BY id")
        assert [row["v"] for row in found] == (["some"] * 3 if features else ["1", "2", "3"])


@pytest.mark.parametrize("source", [THREE, MANY], ids=["few", "many"])
@pytest.mark.parametrize(
    ("insert", "on"),
    [
        ("(id, d, v) VALUES (id, s.d, s.v)", "t.id <=> s.id"),
        ("(ID, D, V) VALUES (S.ID, S.D, S.V)", "T.ID = S.Id"),
        ("*", "t.id <=> s.id"),
    ],
)
def test_names_of_other_spelling_add_rows_as_without_bounds(sql: Any, source: str, insert: str, on: str) -> None:
    sql("DROP TABLE IF EXISTS c.s.spelled")
    sql("CREATE TABLE c.s.spelled (id bigint, d date, v string)")
    merge = ADDS.format(table="spelled", source=source).replace("t.id <=> s.id", on)
    sql(f"{merge} WHEN NOT MATCHED THEN INSERT {insert}")
    assert [row["v"] for row in sql("SELECT v FROM c.s.spelled WHERE id < 4 ORDER BY id")] == ["1", "2", "3"]


BOTH = "WHEN MATCHED THEN UPDATE SET {} WHEN NOT MATCHED THEN INSERT {}"


@pytest.mark.parametrize("key", [1, 9], ids=["meets", "is new"])
@pytest.mark.parametrize(
    ("values", "then", "refused"),
    [
        ("{}L AS id, date'2026-03-02' AS d", ("*", "*"), "Cannot resolve source column `v`"),
        ("{}L AS id, '12' AS v", ("v = s.v", "(id, v) VALUES (s.id, s.v)"), "CANNOT_SAFELY_CAST"),
        ("{}L AS id, 'x' AS v", ("v = s.v", "(id, v) VALUES (s.id, s.v)"), "CANNOT_SAFELY_CAST"),
        ("{}L AS id, 5000000000L AS n", ("n = s.n", "(id, n) VALUES (s.id, s.n)"), "Can't cast value 5000000000"),
        ("{}L AS id, 1 AS v", ("v = s.v", "(id, v) VALUES (s.id, s.v)"), None),
        ("{}L AS id, NULL AS v", ("v = s.v", "(id, v) VALUES (s.id, s.v)"), None),
        ("{}L AS id, 2 AS n", ("n = 7, v = s.n", "(id, n) VALUES (s.id, 7)"), None),
    ],
)
def test_values_of_another_type_fare_as_without_bounds(
    sql: Any, key: int, values: str, then: tuple[str, str], refused: str | None
) -> None:
    found = []
    for bounds in ("", " AND t.d >= date'2026-03-01'"):
        sql("DROP TABLE IF EXISTS c.s.other")
        sql("CREATE TABLE c.s.other (id bigint, v bigint, n int, d date)")
        sql("INSERT INTO c.s.other VALUES (1, 1, 1, date'2026-03-01')")
        merge = (
            f"MERGE INTO c.s.other t USING (SELECT {values.format(key)}) s ON t.id = s.id{bounds} {BOTH.format(*then)}"
        )
        if refused:
            with pytest.raises(WorkspaceRefused, match=refused):
                sql(merge)
        else:
            sql(merge)
        found.append(sql("SELECT * FROM c.s.other ORDER BY id"))
    assert found[0] == found[1]


def test_rows_of_which_several_meet_several_are_added_once(sql: Any) -> None:
    held(sql, "pairs", "string", "'a'", "'a'", "'b'")
    source = "SELECT * FROM VALUES ('a', '1'), ('a', '2'), ('c', '3') AS s(k, v)"
    counts = sql(
        f"MERGE INTO c.s.pairs t USING ({source}) s ON t.k <=> s.k AND t.d <= date'2026-03-31'"
        " WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
    )
    assert counts[0]["num_inserted_rows"] == 1
    assert [row["k"] for row in sql("SELECT k FROM c.s.pairs ORDER BY k")] == ["a", "a", "b", "c"]
