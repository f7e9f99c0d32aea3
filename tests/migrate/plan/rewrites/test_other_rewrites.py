"""Removals, the session's time zone, assertions and file paths: what is edited, what is only said."""

from __future__ import annotations

import pytest
from tests.migrate.plan.rewrites.rewriting import proposals, rewrite, view_of

from brickyard.migrate.model import EditClass

CELL = "\n\n-- COMMAND ----------\n\n"


def codes(text: str, rule: str, **options: object) -> list[str]:
    return [f.code for p in proposals(text, rule, options=options) for f in p.findings]


@pytest.mark.parametrize(
    ("rule", "statement", "table", "columns"),
    [
        ("remove-optimize", "OPTIMIZE d.t ZORDER BY (a, b)", "d.t", ["a", "b"]),
        ("remove-optimize", "OPTIMIZE d.t", "d.t", []),
        ("remove-analyze", "ANALYZE TABLE d.t COMPUTE STATISTICS FOR ALL COLUMNS", "d.t", []),
        ("remove-vacuum", "VACUUM d.t RETAIN 168 HOURS", "d.t", []),
    ],
)
def test_maintenance_leaves_the_notebook_and_stands_in_the_manifest(
    rule: str, statement: str, table: str, columns: list[str]
):
    text = f"SELECT 1;\n{statement};\nSELECT 2"
    assert rewrite(text, rule) == "SELECT 1;\nSELECT 2"
    (proposal,) = proposals(text, rule)
    entry = proposal.maintenance
    assert entry is not None
    assert (entry["statement"], entry["table"], entry["cluster_by"]) == (statement, table, columns)


def test_a_select_that_only_displays_is_taken_out():
    text = f"SELECT COUNT(*) FROM d.t{CELL}INSERT INTO d.t SELECT 1"
    assert rewrite(text, "remove-display-selects") == f"{CELL}INSERT INTO d.t SELECT 1"


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT assert_true(COUNT(*) > 0) FROM d.t{CELL}INSERT INTO d.t SELECT 1",
        f"SELECT raise_error('no') FROM d.t{CELL}INSERT INTO d.t SELECT 1",
        f"SELECT d.notify(a) FROM d.t{CELL}INSERT INTO d.t SELECT 1",
        f"SELECT a FROM d.t{CELL}-- MAGIC %python\n-- MAGIC print(_sqldf.count()){CELL}INSERT INTO d.t SELECT 1",
        f"INSERT INTO d.t SELECT 1{CELL}SELECT a FROM d.t",
    ],
    ids=["assertion", "raise_error", "a function's side effect", "_sqldf", "the last result"],
)
def test_a_select_that_somebody_may_need_stays(text: str):
    assert rewrite(text, "remove-display-selects") == text


def test_the_time_zone_is_a_semantic_change_with_a_finding():
    text = "SET TIME ZONE 'Australia/Sydney'"
    (proposal,) = proposals(text, "time-zone", options={"zone": "Australia/Brisbane"})
    assert (proposal.edit_class, [h.replacement for h in proposal.hunks]) == (
        EditClass.SEMANTIC,
        ["Australia/Brisbane"],
    )
    assert codes(text, "time-zone", zone="Australia/Brisbane") == ["time-zone-change"]


@pytest.mark.parametrize(
    "text",
    [
        "SET TIME ZONE 'Australia/Brisbane'",
        "-- SET TIME ZONE 'Australia/Sydney'\nSELECT 1",
        'SELECT "SET TIME ZONE" AS x',
    ],
)
def test_the_wanted_zone_and_comments_bring_no_proposal(text: str):
    assert proposals(text, "time-zone", options={"zone": "Australia/Brisbane"}) == []


def test_a_zone_set_from_python_is_found():
    text = "-- MAGIC %python\n-- MAGIC spark.conf.set('spark.sql.session.timeZone', 'UTC')"
    (proposal,) = proposals(text, "time-zone", options={"zone": "Australia/Brisbane"})
    assert proposal.hunks[0].span.slice(view_of(text, {}).notebook.cells[0].source) == "UTC"


def test_an_assertion_gets_a_name_only_as_a_statement_of_its_own():
    assert rewrite("SELECT assert_true(COUNT(*) > 0, 'empty') FROM d.t", "assert-alias") == (
        "SELECT assert_true(COUNT(*) > 0, 'empty') AS checksum FROM d.t"
    )
    for kept in ("SELECT assert_true(a > 0) AS ok FROM d.t", "INSERT INTO d.u SELECT assert_true(a > 0) FROM d.t"):
        assert rewrite(kept, "assert-alias") == kept


VOLUMES = {"volumes": {"/mnt/exports": "/Volumes/c/s/exports", "s3://bucket/raw": "/Volumes/c/s/raw"}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/dbfs/mnt/exports/a/b.csv", "/Volumes/c/s/exports/a/b.csv"),
        ("dbfs:/mnt/exports/a", "/Volumes/c/s/exports/a"),
        ("/mnt/exports", "/Volumes/c/s/exports"),
        ("s3://bucket/raw/x", "/Volumes/c/s/raw/x"),
    ],
)
def test_a_path_under_a_mapped_prefix_moves_to_the_volume(before: str, after: str):
    text = f"-- MAGIC %python\n-- MAGIC df.write.csv('{before}')"
    assert rewrite(text, "file-volumes", options=VOLUMES) == text.replace(before, after)


def test_a_path_without_a_volume_is_named():
    text = "-- MAGIC %python\n-- MAGIC open('/dbfs/mnt/exportsold/x.csv', 'w')"
    assert rewrite(text, "file-volumes", options=VOLUMES) == text
    assert codes(text, "file-volumes", **VOLUMES) == ["path-unmapped"]


def test_a_path_that_is_in_a_volume_already_is_left_alone():
    text = "-- MAGIC %python\n-- MAGIC open('/dbfs/Volumes/c/s/exports/x.csv', 'w')"
    assert proposals(text, "file-volumes", options=VOLUMES) == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("select-star", "INSERT INTO d.t SELECT * FROM d.s"),
        ("null-literals", "SELECT CASE WHEN a = 1 THEN 'NULL' ELSE b END FROM d.s"),
        ("cache", "CACHE TABLE d.t"),
    ],
)
def test_advice_is_said_and_never_applied(rule: str, text: str):
    assert rewrite(text, rule) == text
    assert codes(text, rule) == [rule]


def test_a_pasted_widget_becomes_a_marker_only_as_a_whole_literal():
    head = f"CREATE WIDGET TEXT day DEFAULT 'x'{CELL}"
    assert (
        rewrite(head + "SELECT a FROM d.t WHERE b = '${day}'", "markers") == head + "SELECT a FROM d.t WHERE b = :day"
    )
    for kept in (
        "SELECT a FROM d.t WHERE b = ${day}",
        "SELECT a FROM d.t WHERE b = 'x${day}'",
        "SELECT a FROM d.t_${day}",
        "CREATE VIEW d.v AS SELECT a FROM d.t WHERE b = '${day}'",
        "SELECT a FROM d.t WHERE b = '${other}'",
    ):
        assert rewrite(head + kept, "markers") == head + kept
    assert proposals(head + "SELECT '${day}'", "markers", dbr=(14, 3)) == []


def test_commented_out_code_goes_and_prose_stays():
    text = "-- the last one wins\nSELECT a FROM d.t;\n-- SELECT a\n-- FROM d.old\n-- WHERE a = 1\nSELECT 2"
    assert rewrite(text, "remove-dead-comments") == "-- the last one wins\nSELECT a FROM d.t;\nSELECT 2"
    for kept in (
        "-- select the rows from the feed\nSELECT 1",
        "-- Select one FROM the list, not two\nSELECT 1",
        "-- MAGIC %python\n-- MAGIC # done\n-- MAGIC x = 1",
        "-- MAGIC %python\n-- MAGIC x = '''\n-- MAGIC # y = 1\n-- MAGIC '''",
    ):
        assert rewrite(kept, "remove-dead-comments") == kept
    python = "-- MAGIC %python\n-- MAGIC # df = spark.table('d.old')\n-- MAGIC x = 1"
    assert rewrite(python, "remove-dead-comments") == "-- MAGIC %python\n-- MAGIC x = 1"


def test_partitions_go_unless_somebody_addresses_them():
    text = "CREATE TABLE d.t (a INT, p INT)\nPARTITIONED BY (p)\nCOMMENT 'x'"
    assert rewrite(text, "remove-partition-by") == "CREATE TABLE d.t (a INT, p INT)\nCOMMENT 'x'"
    for kept in (
        f"{text}{CELL}INSERT OVERWRITE d.t PARTITION (p = 1) SELECT a FROM d.s",
        f"{text}{CELL}SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY p) FROM d.s WHERE a = 'replaceWhere'",
        "CREATE TABLE d.t (a INT) PARTITIONED BY (p INT)",
    ):
        assert rewrite(kept, "remove-partition-by") == kept
    windowed = f"{text}{CELL}SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY p) AS n FROM d.s"
    assert "PARTITION BY a" in rewrite(windowed, "remove-partition-by")


def test_days_counted_back_from_today_come_from_the_widget():
    text = "SELECT a FROM d.t WHERE b >= current_date() - INTERVAL 7 DAYS"
    assert rewrite(text, "delta-days") == (
        "CREATE WIDGET TEXT delta_days DEFAULT '7';\n"
        "SELECT a FROM d.t WHERE b >= date_sub(current_date(), CAST(:delta_days AS INT))"
    )
    for kept in (
        "SELECT a FROM d.t WHERE b >= current_date() - INTERVAL 7 DAYS AND c < current_date() - INTERVAL 8 DAYS",
        "SELECT a FROM d.t WHERE b >= ts - INTERVAL 7 DAYS",
        "SELECT a FROM d.t WHERE b >= current_date() - INTERVAL 7 HOURS",
        "CREATE VIEW d.v AS SELECT a FROM d.t WHERE b >= current_date() - INTERVAL 7 DAYS",
    ):
        assert rewrite(kept, "delta-days") == kept


def test_a_date_of_pythons_clock_is_named():
    text = "-- MAGIC %python\n-- MAGIC spark.conf.set('run.date', str(datetime.now()))"
    assert codes(text, "run-date") == ["run-date-in-python"]
