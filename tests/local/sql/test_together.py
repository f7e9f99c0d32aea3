"""Statements of several sessions that make one thing at one time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from brickyard.local.sql.model import SqlError


@pytest.mark.parametrize(
    "making",
    [
        "CREATE TABLE IF NOT EXISTS made (x INT)",
        "CREATE TABLE IF NOT EXISTS made AS SELECT 1 AS x",
        "CREATE OR REPLACE TABLE made (x INT)",
        "CREATE TABLE IF NOT EXISTS made SHALLOW CLONE earlier",
        "CREATE OR REPLACE TABLE made DEEP CLONE earlier",
        "CREATE VIEW IF NOT EXISTS made AS SELECT 1 AS x",
        "CREATE OR REPLACE VIEW made AS SELECT 1 AS x",
        "CREATE OR REPLACE FUNCTION made() RETURNS INT RETURN 1",
    ],
)
def test_what_does_not_mind_what_is_there_is_made_by_all_of_them(sql: Any, making: str) -> None:
    sql.run("CREATE TABLE earlier (x INT)")
    with ThreadPoolExecutor(6) as sessions:
        for _ in range(4):
            for made in [sessions.submit(sql.run, making) for _ in range(6)]:
                made.result()
            sql.run(f"DROP {'FUNCTION' if 'FUNCTION' in making else 'VIEW' if 'VIEW' in making else 'TABLE'} made")


def test_one_of_several_makes_a_table_that_must_be_new_and_the_others_leave_no_files(sql: Any) -> None:
    def made() -> bool:
        try:
            sql.run("CREATE TABLE made (x INT)")
        except SqlError as error:
            assert error.error_class == "TABLE_OR_VIEW_ALREADY_EXISTS"
            return False
        return True

    sql.run("CREATE TABLE earlier (x INT)")
    folders = list(place(sql, "earlier").parent.iterdir())
    with ThreadPoolExecutor(6) as sessions:
        ends = [one.result() for one in [sessions.submit(made) for _ in range(6)]]
    assert sum(ends) == 1
    assert {*place(sql, "made").parent.iterdir()} == {*folders, place(sql, "made")}


def place(sql: Any, table: str) -> Path:
    (location,) = (row[1] for row in sql.rows(f"DESCRIBE EXTENDED {table}") if row[0] == "Location")
    return Path(location.removeprefix("file:"))
