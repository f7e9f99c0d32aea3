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


@pytest.mark.parametrize(
    ("sql_text", "rows"),
    [
        ("SELECT 'O''Brien', \"a\"\"b\", '''', '', 'a' 'b'", [["O'Brien", 'a"b', "'", "", "ab"]]),
        ("SELECT 'it\\'s', r'a\\b'", [["it's", "a\\b"]]),
        ("SELECT 2 MINUS SELECT 1", [[2]]),
        ("SELECT iff(true, 1, 2), charindex('b', 'ab')", [[1, 2]]),
        ("SELECT id, x FROM a, LATERAL explode(xs) AS e(x) ORDER BY x", [[1, "p"], [1, "q"]]),
        ("SELECT id, x FROM a CROSS JOIN LATERAL explode(xs) AS e(x) WHERE x = 'q'", [[1, "q"]]),
        ("SELECT id, e.col FROM a, LATERAL explode(a.xs) e ORDER BY 2", [[1, "p"], [1, "q"]]),
        ("SELECT id, x FROM a, LATERAL explode_outer(xs) AS e(x) ORDER BY 1, 2", [[1, "p"], [1, "q"], [2, None]]),
        ("SELECT id, n FROM a, LATERAL (SELECT id + 1 AS n) s ORDER BY id", [[1, 2], [2, 3]]),
    ],
)
def test_the_engine_is_told_in_its_own_words(sql, sql_text, rows):
    sql.run("CREATE TABLE a AS SELECT 1 AS id, array('p', 'q') AS xs UNION ALL SELECT 2, array()")
    assert sql.rows(sql_text) == rows


def test_a_doubled_quote_is_one_quote_wherever_it_stands(table):
    table.run_all(
        "INSERT INTO t VALUES (3, 'c''d')",
        "UPDATE t SET name = 'e''f' WHERE name = 'c''d'",
        "CREATE VIEW v AS SELECT id, 'g''h' AS g FROM t WHERE name = 'e''f'",
        "CREATE FUNCTION f() RETURNS STRING RETURN 'i''j'",
        "COMMENT ON TABLE t IS 'it''s'",
    )
    assert table.rows("SELECT id, g, f() FROM v") == [[3, "g'h", "i'j"]]
    comment = "SELECT comment FROM information_schema.tables WHERE table_name = 't' AND table_schema = current_schema()"
    assert table.rows(comment) == [["it's"]]
    assert table.rows("EXECUTE IMMEDIATE 'SELECT ''x''''y'''") == [["x'y"]]


def test_a_merge_may_name_the_columns_of_its_source(table):
    table.run(
        "MERGE INTO t USING (SELECT 1, 'z' UNION ALL SELECT 9, 'new') AS s(k, nm) ON t.id = s.k"
        " WHEN MATCHED THEN UPDATE SET name = s.nm WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.k, s.nm)"
    )
    assert table.rows("SELECT * FROM t ORDER BY id") == [[1, "z"], [2, "b"], [9, "new"]]


@pytest.mark.parametrize("feed", [True, False])
def test_a_merge_finds_the_rows_whose_keys_are_null(table, feed):
    table.run_all(
        f"CREATE TABLE k (a INT, b STRING, v INT) TBLPROPERTIES (delta.enableChangeDataFeed = {str(feed).lower()})",
        "INSERT INTO k VALUES (1, NULL, 1), (NULL, NULL, 2)",
        "MERGE INTO k t USING (SELECT CAST(NULL AS INT) AS a, CAST(NULL AS STRING) AS b, 5 AS v) s"
        " ON t.a <=> s.a AND t.b <=> s.b WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *",
    )
    assert table.rows("SELECT * FROM k ORDER BY v") == [[1, None, 1], [None, None, 5]]


@pytest.mark.parametrize(
    ("sql_text", "error"),
    [
        ("SELECT id, count(*) FROM t", "MISSING_AGGREGATION"),
        ("SELECT upper(name), count(*) FROM t GROUP BY id", "MISSING_AGGREGATION"),
        ("SELECT x.name FROM t, LATERAL (SELECT name FROM t AS i WHERE i.id = t.id) x", "LOCAL_UNSUPPORTED"),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r", "LOCAL_UNSUPPORTED"),
        ("SELECT id FROM t ORDER BY ALL", "LOCAL_UNSUPPORTED"),
        ("SELECT name:a.b FROM t", "LOCAL_UNSUPPORTED"),
        ("SELECT :a FROM t", "UNBOUND_SQL_PARAMETER"),
    ],
)
def test_what_does_not_run_is_refused_by_its_right_name(table, sql_text, error):
    with pytest.raises(SqlError) as refused:
        table.run(sql_text)
    assert refused.value.error_class == error


def test_privileges_are_listed_with_what_is_above(table):
    table.run_all("GRANT SELECT ON SCHEMA hive_metastore.$s TO `ann`".replace("$s", table.session.schema))
    table.run("GRANT MODIFY ON TABLE t TO `bob`")
    found = table.rows(
        "SELECT grantee, table_name, privilege_type, inherited_from FROM information_schema.table_privileges"
        " WHERE table_schema = current_schema() ORDER BY grantee"
    )
    assert found == [["ann", "t", "SELECT", "SCHEMA"], ["bob", "t", "MODIFY", "NONE"]]
    schemas = "SELECT grantee FROM information_schema.schema_privileges WHERE schema_name = current_schema()"
    assert table.rows(schemas) == [["ann"]]


def test_clear_cache_is_accepted(table):
    assert table.rows("CLEAR CACHE") == []


@pytest.mark.parametrize("sql_text", ["REPLACE TABLE t AS SELECT 1 AS z", "INSERT INTO t VALUES (1, DEFAULT)"])
def test_what_has_another_spelling_is_refused_with_it(table, sql_text):
    with pytest.raises(SqlError) as refused:
        table.run(sql_text)
    assert refused.value.error_class == "LOCAL_UNSUPPORTED"
    assert "use CREATE OR REPLACE TABLE" in refused.value.message or "column list" in refused.value.message


def test_a_column_may_be_named_by_the_full_name_of_its_view(table):
    schema = table.session.schema
    table.run("CREATE VIEW v AS SELECT id, name FROM t")
    full = f"hive_metastore.{schema}.v"
    assert table.rows(f"SELECT {full}.name FROM {full} WHERE {schema}.v.id = 1") == [["a"]]
    joined = f"SELECT t.id, {full}.name FROM {full} JOIN {schema}.t ON {full}.id = {schema}.t.id ORDER BY {schema}.t.id"
    assert table.rows(joined) == [[1, "a"], [2, "b"]]


@pytest.mark.parametrize("column", ["NULL", "named_struct('a', 1, 'b', NULL)", "array(NULL)"])
def test_a_table_whose_column_has_no_type_is_refused_before_anything_is_made(sql, column):
    with pytest.raises(SqlError, match=r"CAST\(NULL AS STRING\)") as refused:
        sql.run(f"CREATE TABLE untyped AS SELECT 1 AS a, {column} AS b")
    assert refused.value.error_class == "LOCAL_UNSUPPORTED"
    sql.run("CREATE TABLE untyped AS SELECT 1 AS a, CAST(NULL AS STRING) AS b")
    assert sql.rows("SELECT * FROM untyped") == [[1, None]]
