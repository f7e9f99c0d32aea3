"""Ordinals become expressions in GROUP BY and output names in ORDER BY."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest
from tests.migrate.plan.rewrites.rewriting import rewrite

RULE = "ordinals"

SPELLED = {
    "SELECT a, b, COUNT(*) AS n FROM t GROUP BY 1, 2": "SELECT a, b, COUNT(*) AS n FROM t GROUP BY a, b",
    "SELECT upper(a) AS a, COUNT(*) AS n FROM t GROUP BY 1": "SELECT upper(a) AS a, COUNT(*) AS n FROM t GROUP BY upper(a)",
    "SELECT a AS x, b FROM t ORDER BY 2 DESC, 1": "SELECT a AS x, b FROM t ORDER BY b DESC, x",
    "SELECT upper(a) AS a, COUNT(*) n FROM t GROUP BY 1 ORDER BY 2 DESC NULLS LAST": "SELECT upper(a) AS a, COUNT(*) n FROM t GROUP BY upper(a) ORDER BY n DESC NULLS LAST",
    "SELECT CASE WHEN a > '1'\n  THEN 'x' ELSE 'y' END AS c, COUNT(*) AS n FROM t GROUP BY 1": "SELECT CASE WHEN a > '1'\n  THEN 'x' ELSE 'y' END AS c, COUNT(*) AS n FROM t GROUP BY CASE WHEN a > '1' THEN 'x' ELSE 'y' END",
    "SELECT x.a FROM (SELECT a, COUNT(*) AS n FROM t GROUP BY 1) x": "SELECT x.a FROM (SELECT a, COUNT(*) AS n FROM t GROUP BY a) x",
}  # fmt: skip

KEPT = (
    "SELECT *, COUNT(*) AS n FROM t GROUP BY 1, 2",
    "SELECT a, SUM(b) OVER (ORDER BY 1) AS s FROM t",
    "SELECT a, ROW_NUMBER() OVER (PARTITION BY b ORDER BY 1) AS s FROM t",
    "SELECT a, b FROM t UNION ALL SELECT a, b FROM t ORDER BY 1",
    "SELECT 5 AS five, COUNT(*) AS n FROM t GROUP BY 1",
    "SELECT a, b, COUNT(*) AS n FROM t GROUP BY ROLLUP (1, 2)",
    "SELECT a, COUNT(*) AS n FROM t GROUP BY 7",
    "SELECT a AS x, b AS x FROM t ORDER BY 1",
    "SELECT a -- the key\n + 1 AS k, COUNT(*) AS n FROM t GROUP BY 1",
    "SELECT a, b FROM t ORDER BY a + 1",
    "SELECT rand() AS r, COUNT(*) AS n FROM t GROUP BY 1",
)


@pytest.mark.parametrize(("before", "after"), SPELLED.items())
def test_an_ordinal_becomes_what_it_stands_for(before: str, after: str):
    assert rewrite(before, RULE) == after
    assert rows(after) == rows(before)
    assert rewrite(after, RULE) == after


@pytest.mark.parametrize("text", KEPT)
def test_an_ordinal_that_cannot_be_told_is_kept(text: str):
    assert rewrite(text, RULE) == text


def test_the_alias_in_group_by_would_group_otherwise():
    """An engine that resolves GROUP BY names to input columns first, as Spark does, groups by the raw column."""
    by_expression = rows(
        "SELECT upper(s) AS k, COUNT(*) AS n FROM (SELECT CASE a WHEN '1' THEN 'x' ELSE 'X' END AS s FROM t) GROUP BY upper(s)"
    )
    by_column = rows(
        "SELECT upper(s) AS k, COUNT(*) AS n FROM (SELECT CASE a WHEN '1' THEN 'x' ELSE 'X' END AS s FROM t) GROUP BY s"
    )
    assert by_expression != by_column


def rows(sql: str) -> Counter[tuple[object, ...]]:
    with duckdb.connect() as database:
        database.execute("CREATE TABLE t AS SELECT * FROM (VALUES ('1', 2), ('2', 2), ('1', 3), ('2', 5)) AS v(a, b)")
        return Counter(database.execute(sql).fetchall())
