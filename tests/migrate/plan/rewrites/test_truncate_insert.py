"""TRUNCATE and INSERT fold into one statement, only where nothing can see the difference (executed on DuckDB)."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest
from tests.migrate.plan.rewrites.rewriting import proposals, rewrite

RULE = "truncate-insert"
CELL = "\n\n-- COMMAND ----------\n\n"

OLD = [(1, "old"), (2, "old"), (3, None)]
SOURCE = [(7, "new"), (8, "new"), (8, "new")]


def run(*statements: str) -> Counter[tuple[object, ...]]:
    """The rows of `t` after the statements; INSERT OVERWRITE is what Spark documents: source first, then replace all."""
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE t (a INT, b VARCHAR); CREATE TABLE s (a INT, b VARCHAR); CREATE TABLE u (a INT, b VARCHAR)"
        )
        database.executemany("INSERT INTO t VALUES (?, ?)", OLD)
        database.executemany("INSERT INTO s VALUES (?, ?)", SOURCE)
        database.execute("CREATE VIEW v AS SELECT * FROM t")
        for statement in statements:
            if statement.startswith("INSERT OVERWRITE TABLE t"):
                query = statement.removeprefix("INSERT OVERWRITE TABLE t")
                database.execute(
                    f"CREATE TEMP TABLE incoming AS {query}; DELETE FROM t; INSERT INTO t FROM incoming; DROP TABLE incoming"
                )
            else:
                database.execute(statement)
        return Counter(database.execute("SELECT * FROM t").fetchall())


def split(text: str) -> list[str]:
    return [s.strip() for s in text.replace(CELL, ";").split(";") if s.strip()]


def test_the_pair_becomes_one_overwrite():
    assert (
        rewrite("TRUNCATE TABLE d.t;\nINSERT INTO d.t SELECT a, b FROM d.s", RULE)
        == "INSERT OVERWRITE TABLE d.t SELECT a, b FROM d.s"
    )


def test_the_pair_may_stand_in_two_cells():
    text = f"TRUNCATE TABLE d.t{CELL}SELECT 1{CELL}INSERT INTO TABLE d.t\nSELECT a, b FROM d.s;\n"
    assert rewrite(text, RULE) == f"{CELL}SELECT 1{CELL}INSERT OVERWRITE TABLE d.t\nSELECT a, b FROM d.s;\n"


def test_both_forms_leave_the_same_rows():
    before = "TRUNCATE TABLE t; INSERT INTO t SELECT a, b FROM s"
    assert run(*split(rewrite(before, RULE))) == run(*split(before))


def test_the_merge_form_leaves_the_same_rows_on_an_engine_that_runs_both():
    before = "TRUNCATE TABLE t; INSERT INTO t (b, a) SELECT b, a FROM s"
    after = rewrite(before, RULE, options={"form": "merge"})
    assert "WHEN NOT MATCHED BY SOURCE THEN DELETE" in after
    assert run(*split(after)) == run(*split(before)) == Counter(SOURCE)


def test_only_the_first_of_several_inserts_is_folded():
    before = "TRUNCATE TABLE t; INSERT INTO t SELECT a, b FROM s; INSERT INTO t SELECT a, 'again' FROM s"
    after = rewrite(before, RULE)
    assert after.count("INSERT OVERWRITE") == 1
    assert run(*split(after)) == run(*split(before))


def test_the_rewrite_of_a_rewrite_is_nothing():
    assert proposals(rewrite("TRUNCATE TABLE t; INSERT INTO t SELECT a, b FROM s", RULE), RULE) == []


REFUSED = {
    "the source reads the target": "TRUNCATE TABLE d.t; INSERT INTO d.t SELECT a, b FROM d.t",
    "the source reads the target in a subquery": "TRUNCATE TABLE d.t; INSERT INTO d.t SELECT a, b FROM d.s WHERE a NOT IN (SELECT a FROM d.t)",
    "the source reads the target through a view": f"CREATE VIEW d.v AS SELECT * FROM d.t{CELL}TRUNCATE TABLE d.t; INSERT INTO d.t SELECT a, b FROM d.v",
    "the source reads the target through a temp view": f"CREATE TEMP VIEW tv AS SELECT * FROM d.t{CELL}TRUNCATE TABLE d.t; INSERT INTO d.t SELECT a, b FROM tv",
    "a statement between reads the target": "TRUNCATE TABLE d.t; SELECT COUNT(*) FROM d.t; INSERT INTO d.t SELECT a, b FROM d.s",
    "a statement between writes the target": "TRUNCATE TABLE d.t; DELETE FROM d.t WHERE a = 1; INSERT INTO d.t SELECT a, b FROM d.s",
    "the INSERT addresses a partition": "TRUNCATE TABLE d.t; INSERT INTO d.t PARTITION (p = 1) SELECT a, b FROM d.s",
    "the TRUNCATE addresses a partition": "TRUNCATE TABLE d.t PARTITION (p = 1); INSERT INTO d.t SELECT a, b FROM d.s",
    "dynamic partition overwrite": f"SET spark.sql.sources.partitionOverwriteMode = dynamic{CELL}TRUNCATE TABLE d.t; INSERT INTO d.t SELECT a, b FROM d.s",
    "a Python cell between": f"TRUNCATE TABLE d.t{CELL}-- MAGIC %python\n-- MAGIC n = spark.table(name).count(){CELL}INSERT INTO d.t SELECT a, b FROM d.s",
    "a templated source that may be the target": "TRUNCATE TABLE d.t; INSERT INTO d.t SELECT a, b FROM ${source}",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_a_pair_that_could_be_told_apart_is_kept(text: str):
    assert rewrite(text, RULE) == text
    (proposal,) = proposals(text, RULE)
    assert [f.code for f in proposal.findings] == ["truncate-insert-kept"]


def test_a_view_that_the_workspace_knows_is_looked_through():
    text = "TRUNCATE TABLE d.t; INSERT INTO d.t SELECT a, b FROM d.v"
    assert rewrite(text, RULE) != text
    assert rewrite(text, RULE, view_sources={"d.v": frozenset({"d.w"}), "d.w": frozenset({"d.t"})}) == text


def test_other_tables_are_not_paired():
    text = "TRUNCATE TABLE d.t; INSERT INTO d.u SELECT a, b FROM d.s"
    assert rewrite(text, RULE) == text


def test_merge_without_a_column_list_is_refused():
    text = "TRUNCATE TABLE t; INSERT INTO t SELECT a, b FROM s"
    assert rewrite(text, RULE, options={"form": "merge"}) == text


# Every unsafe case of the naive rewrite, with the rows that show it.
def test_on_false_with_matched_delete_deletes_nothing():
    naive = (
        "MERGE INTO t USING (SELECT a, b FROM s) AS source ON FALSE "
        "WHEN NOT MATCHED THEN INSERT (a, b) VALUES (source.a, source.b) WHEN MATCHED THEN DELETE"
    )
    assert run(naive) == Counter(OLD + SOURCE)
    assert run("TRUNCATE TABLE t", "INSERT INTO t SELECT a, b FROM s") == Counter(SOURCE)


def test_insert_by_name_puts_values_into_other_columns_than_insert_by_position():
    query = "SELECT a AS b, CAST(a * 10 AS VARCHAR) AS a FROM s"
    positional = run("TRUNCATE TABLE t", f"INSERT INTO t {query}")
    by_name = run("TRUNCATE TABLE t", f"INSERT INTO t BY NAME {query}")
    assert positional == Counter((a, str(a * 10)) for a, _ in SOURCE)
    assert by_name == Counter((a * 10, str(a)) for a, _ in SOURCE)
    rewritten = rewrite(f"TRUNCATE TABLE t; INSERT INTO t {query}", RULE)
    assert run(*split(rewritten)) == positional


def test_a_source_that_reads_the_target_sees_other_rows_under_overwrite():
    before = ("TRUNCATE TABLE t", "INSERT INTO t SELECT a, b FROM t UNION ALL SELECT a, b FROM s")
    assert run(*before) != run("INSERT OVERWRITE TABLE t SELECT a, b FROM t UNION ALL SELECT a, b FROM s")
    through_view = ("TRUNCATE TABLE t", "INSERT INTO t SELECT a, b FROM v UNION ALL SELECT a, b FROM s")
    assert run(*through_view) != run("INSERT OVERWRITE TABLE t SELECT a, b FROM v UNION ALL SELECT a, b FROM s")


def test_a_reader_between_sees_other_rows():
    before = (
        "TRUNCATE TABLE t",
        "INSERT INTO u SELECT a, b FROM t",
        "INSERT INTO t SELECT a, b FROM u UNION ALL SELECT a, b FROM s",
    )
    naive = (
        "INSERT INTO u SELECT a, b FROM t",
        "INSERT OVERWRITE TABLE t SELECT a, b FROM u UNION ALL SELECT a, b FROM s",
    )
    assert run(*before) != run(*naive)


def test_folding_every_insert_keeps_only_the_last():
    before = ("TRUNCATE TABLE t", "INSERT INTO t SELECT a, b FROM s", "INSERT INTO t SELECT a + 100, b FROM s")
    naive = ("INSERT OVERWRITE TABLE t SELECT a, b FROM s", "INSERT OVERWRITE TABLE t SELECT a + 100, b FROM s")
    assert run(*before) != run(*naive)
