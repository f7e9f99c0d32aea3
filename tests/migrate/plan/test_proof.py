"""Edits are executed before and after on generated rows: proven, refuted, or honestly neither."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from brickyard.kernel.errors import WorkspaceRefused
from brickyard.kernel.names import TableName
from brickyard.migrate.model import NotebookPlan, Verdict
from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.pack import read_pack
from brickyard.migrate.model.runs import Column
from brickyard.migrate.plan import plan_notebook
from brickyard.migrate.plan.proof import Execute, build, settle

HISTORY = TableName("foreign_edp_prd_hive", "velocity_analytics_foundation", "history")
CURRENT = TableName("foreign_edp_prd_hive", "velocity_analytics_foundation", "current_row")
COLUMNS = {
    HISTORY: (Column("k", "bigint"), Column("s", "string"), Column("o", "int")),
    CURRENT: (Column("k", "bigint"), Column("s", "string")),
}
SCRATCH = TableName("memory", "proof", "x")

LATEST = """-- Databricks notebook source
INSERT INTO velocity_analytics_foundation.current_row
SELECT k, s FROM (
  SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o DESC, s) AS rn
  FROM velocity_analytics_foundation.history
) x WHERE rn = 1
"""


@pytest.fixture
def engine() -> Iterator[Execute]:
    """An engine that runs every form itself; it writes identifiers in double quotes."""
    with duckdb.connect() as database:

        def execute(statement: str) -> Sequence[Sequence[Any]]:
            try:
                return database.execute(statement.replace("`", '"')).fetchall()
            except duckdb.Error as error:
                raise WorkspaceRefused(str(error)) from error

        yield execute


def planned(text: str) -> NotebookPlan:
    options = PlanOptions(pack=read_pack("velocity")).checked()
    return plan_notebook(Source("n.sql", text.encode()), options)


def verdicts(plan: NotebookPlan, execute: Execute) -> dict[str, set[Verdict]]:
    """The verdicts by rule."""
    rulings = settle(build(plan, COLUMNS, SCRATCH), execute)
    found: dict[str, set[Verdict]] = {}
    for edit in plan.edits:
        if edit.applied:
            found.setdefault(edit.rule, set()).add(rulings[edit.group].verdict)
    return found


def test_a_rename_and_a_qualify_that_hold_are_proven(engine: Execute):
    assert verdicts(planned(LATEST), engine) == {
        "loyalty": {Verdict.PROVEN},
        "row-number-to-qualify": {Verdict.PROVEN},
    }


def test_a_qualify_that_keeps_another_row_is_refuted(engine: Execute):
    plan = planned(LATEST)
    wrong = tuple(
        replace(e, hunk=replace(e.hunk, replacement=e.hunk.replacement.replace("= 1", "= 2").replace("o DESC", "o")))
        if e.rule == "row-number-to-qualify"
        else e
        for e in plan.edits
    )
    assert verdicts(replace(plan, edits=wrong), engine)["row-number-to-qualify"] == {Verdict.COUNTEREXAMPLE}


def test_a_rename_that_loses_a_qualifier_is_refuted(engine: Execute):
    text = "-- Databricks notebook source\nSELECT staging_feed.k FROM velocity_analytics_foundation.staging_feed\n"
    feed = TableName("foreign_edp_prd_hive", "velocity_analytics_foundation", "staging_feed")
    plan = planned(text)
    table = next(e for e in plan.edits if "wb_velocityanalytics_prd" in e.after)
    plan = replace(plan, edits=(table,))
    rulings = settle(build(plan, {feed: COLUMNS[HISTORY]}, SCRATCH), engine)
    assert {r.verdict for r in rulings.values()} == {Verdict.COUNTEREXAMPLE}


def test_an_engine_that_says_it_rewrote_the_statement_proves_nothing(engine: Execute):
    def rewriting(statement: str) -> Sequence[Sequence[Any]]:
        if statement.startswith("EXPLAIN"):
            return [("== Rewritten by the workspace: QUALIFY ==\n== Physical Plan ==",)]
        return engine(statement)

    assert verdicts(planned(LATEST), rewriting)["row-number-to-qualify"] == {Verdict.UNPROVED}


def test_what_the_proof_made_is_dropped(engine: Execute):
    settle(build(planned(LATEST), COLUMNS, SCRATCH), engine)
    schemas = {
        row[0] for row in engine("SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'memory'")
    }
    assert not any(name.startswith("proof") for name in schemas)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT k FROM velocity_analytics_foundation.unknown_table", "not known"),
        ("SELECT k FROM velocity_analytics_foundation.history WHERE s = :p", "takes values"),
        ("SELECT k, rand() FROM velocity_analytics_foundation.history", "other rows each time"),
        ("SELECT h.k FROM velocity_analytics_foundation.history h JOIN made_by_python p ON p.k = h.k", ""),
        ("OPTIMIZE velocity_analytics_foundation.history", ""),
    ],
)
def test_what_cannot_be_tried_is_unproved_with_a_reason(text: str, reason: str, engine: Execute):
    plan = planned(f"-- Databricks notebook source\n{text}\n")
    rulings = settle(build(plan, COLUMNS, SCRATCH), engine)
    assert rulings
    assert {r.verdict for r in rulings.values()} == {Verdict.UNPROVED}
    assert all(reason in r.reason and r.reason for r in rulings.values())


def test_temp_views_of_the_notebook_are_followed(engine: Execute):
    text = """-- Databricks notebook source
CREATE OR REPLACE TEMP VIEW latest AS SELECT k, s, o FROM velocity_analytics_foundation.history WHERE o > 0;

-- COMMAND ----------

INSERT INTO velocity_analytics_foundation.current_row SELECT k, s FROM latest
"""
    assert verdicts(planned(text), engine) == {"loyalty": {Verdict.PROVEN}}


def test_rows_that_never_come_through_prove_nothing(engine: Execute):
    text = "-- Databricks notebook source\nSELECT k FROM velocity_analytics_foundation.history WHERE k > 5 AND k < 5\n"
    (ruling,) = settle(build(planned(text), COLUMNS, SCRATCH), engine).values()
    assert (ruling.verdict, ruling.reason[:16]) == (Verdict.UNPROVED, "no generated row")


def test_a_temp_view_may_have_the_name_of_its_table(engine: Execute):
    text = """-- Databricks notebook source
CREATE OR REPLACE TEMP VIEW history AS SELECT k, s FROM velocity_analytics_foundation.history;
INSERT INTO velocity_analytics_foundation.current_row SELECT k, s FROM history
"""
    assert verdicts(planned(text), engine) == {"loyalty": {Verdict.PROVEN}}


TRUNCATED = """-- Databricks notebook source
TRUNCATE TABLE velocity_analytics_foundation.current_row{between}INSERT INTO velocity_analytics_foundation.current_row
SELECT k, s FROM velocity_analytics_foundation.history
"""


@pytest.mark.parametrize("between", [";\n", "\n\n-- COMMAND ----------\n\n"], ids=["one cell", "two cells"])
def test_a_truncate_and_insert_are_tried_together_wherever_they_stand(between: str, engine: Execute):
    def overwriting(statement: str) -> Sequence[Sequence[Any]]:
        """INSERT OVERWRITE as Spark documents it: the source is read first, then every row is replaced."""
        head = "INSERT OVERWRITE TABLE "
        if not statement.startswith(head):
            return engine(statement.replace("TRUNCATE TABLE", "TRUNCATE"))
        target, query = statement.removeprefix(head).split("\n", 1)
        engine(f"CREATE OR REPLACE TEMP TABLE incoming AS {query}")
        engine(f"DELETE FROM {target}")
        return engine(f"INSERT INTO {target} FROM incoming")

    found = verdicts(planned(TRUNCATED.format(between=between)), overwriting)
    assert found["truncate-insert"] == {Verdict.PROVEN}
