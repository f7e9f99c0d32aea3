"""ROW_NUMBER with an outer filter becomes QUALIFY, only where both give the same rows (executed on DuckDB)."""

from __future__ import annotations

import random
from collections import Counter

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.migrate.plan.rewrites.rewriting import proposals, rewrite

RULE = "row-number-to-qualify"

FLAT = """INSERT INTO out
SELECT k, s
FROM (
  SELECT k, s,
         ROW_NUMBER() OVER (PARTITION BY k ORDER BY o DESC, s) AS rn
  FROM h
) x
WHERE rn = 1"""

SAFE = {
    "outer list": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o DESC, s) AS rn FROM h) x WHERE rn = 1",
    "outer list, alias": "SELECT x.k, x.s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) rn FROM h) AS x WHERE x.rn = 1",
    "outer star": "SELECT * FROM (SELECT k, s, o, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) WHERE rn = 1",
    "inner star": "SELECT k, o FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn <= 2",
    "reordered": "SELECT s, k FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn = 1",
    "another predicate": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn = 1 AND s <> 'b'",
    "predicate first": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE s <> 'b' AND rn = 1",
    "inner where": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h WHERE o > 1) x WHERE rn = 1",
    "inner group": "SELECT k, n FROM (SELECT k, COUNT(*) AS n, ROW_NUMBER() OVER (ORDER BY COUNT(*) DESC, k) AS rn FROM h GROUP BY k) x WHERE rn < 3",
    "outer group": "SELECT s, COUNT(*) AS n FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn = 1 GROUP BY s",
    "outer distinct": "SELECT DISTINCT s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn = 1",
    "cte": "WITH r AS (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) SELECT k, s FROM r WHERE rn = 1",
    "cte, rn shown": "WITH r AS (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) SELECT k, s, rn FROM r WHERE r.rn = 1",
    "rank": "SELECT k, s FROM (SELECT k, s, RANK() OVER (PARTITION BY k ORDER BY o) AS rn FROM h) x WHERE rn = 1",
    "number first": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE 1 = rn",
}  # fmt: skip

UNSAFE = {
    "cte used twice": "WITH r AS (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) SELECT a.k FROM r a WHERE a.rn = 1 UNION ALL SELECT k FROM r",
    "outer join": "SELECT h.k, x.s FROM h LEFT JOIN (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x ON h.k = x.k WHERE x.rn = 1",
    "or": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn = 1 OR s = 'b'",
    "expression": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn % 2 = 1",
    "inner limit": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h ORDER BY k, o, s LIMIT 3) x WHERE rn = 1",
    "inner distinct": "SELECT k, s FROM (SELECT DISTINCT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn = 1",
    "inner union": "SELECT k, s FROM (SELECT k, s, 1 AS rn FROM h UNION ALL SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE rn = 1",
    "no window": "SELECT k, s FROM (SELECT k, s, o AS rn FROM h) x WHERE rn = 1",
    "already qualified": "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h QUALIFY rn < 3) x WHERE rn = 1",
    "two windows": "SELECT k FROM (SELECT k, ROW_NUMBER() OVER (ORDER BY o, s) AS a, ROW_NUMBER() OVER (ORDER BY s, o) AS rn FROM h) x WHERE rn = 1",
}  # fmt: skip


def rows(sql: str, data: list[tuple[object, ...]]) -> tuple[list[str], Counter[tuple[object, ...]]]:
    with duckdb.connect() as database:
        database.execute("CREATE TABLE h (k INT, s VARCHAR, o INT)")
        if data:
            database.executemany("INSERT INTO h VALUES (?, ?, ?)", data)
        result = database.execute(sql)
        return [c[0] for c in result.description], Counter(result.fetchall())


ROWS = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, None]), st.sampled_from(["a", "b", "c", None]), st.sampled_from([1, 2, 3, None])
    ),
    max_size=12,
    unique=True,
)


@pytest.mark.parametrize("sql", SAFE.values(), ids=SAFE.keys())
@settings(max_examples=12, deadline=None)
@given(data=ROWS)
def test_the_rewritten_query_gives_the_same_columns_and_rows(sql: str, data: list[tuple[object, ...]]):
    after = rewrite(sql, RULE)
    assert "QUALIFY" in after
    assert rows(after, data) == rows(sql, data)


@pytest.mark.parametrize("sql", UNSAFE.values(), ids=UNSAFE.keys())
def test_a_query_that_could_change_is_left_alone(sql: str):
    assert rewrite(sql, RULE) == sql


def test_the_rewrite_of_a_rewrite_is_nothing():
    for sql in SAFE.values():
        assert proposals(rewrite(sql, RULE), RULE) == []


def test_a_plain_wrapper_disappears_and_the_rest_of_the_text_stays():
    assert rewrite(FLAT, RULE) == (
        "INSERT INTO out\nSELECT k, s\n  FROM h\nQUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY o DESC, s) = 1"
    )


def test_comments_are_kept():
    sql = FLAT.replace(") x\n", ") x -- the ranked ones\n")
    assert "-- the ranked ones" in rewrite(sql, RULE)


# Every unsafe case of the naive rewrite, with the rows that show it.
DATA = [(1, "x", 1), (1, "y", 2), (2, "z", 3), (2, "z", 4), (3, None, None)]

NAIVE = {
    "an outer predicate pushed before the window": (
        "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o DESC) AS rn FROM h) x WHERE rn = 1 AND s <> 'y'",
        "SELECT k, s FROM h WHERE s <> 'y' QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY o DESC) = 1",
    ),
    "the window column lost from *": (
        "SELECT * FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) AS rn FROM h) x WHERE rn = 1",
        "SELECT k, s FROM h QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) = 1",
    ),
    "a filter moved under an outer join": (
        "SELECT h.k, x.s FROM h LEFT JOIN (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) AS rn FROM h WHERE k < 3) x ON h.k = x.k WHERE x.rn = 1",
        "SELECT h.k, x.s FROM h LEFT JOIN (SELECT k, s FROM h WHERE k < 3 QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) = 1) x ON h.k = x.k",
    ),
    "a CTE that is read twice": (
        "WITH r AS (SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) AS rn FROM h) SELECT k FROM r WHERE rn = 1 UNION ALL SELECT k FROM r",
        "WITH r AS (SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) AS rn FROM h QUALIFY rn = 1) SELECT k FROM r UNION ALL SELECT k FROM r",
    ),
    "a window invented for a plain column": (
        "SELECT k FROM (SELECT k, o AS rn FROM h) x WHERE rn = 1",
        "SELECT k FROM h QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) = 1",
    ),
    "a LIMIT inside": (
        "SELECT k FROM (SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) AS rn FROM h ORDER BY k, o LIMIT 2) x WHERE rn = 1",
        "SELECT k FROM h QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) = 1 ORDER BY k, o LIMIT 2",
    ),
    "an OR": (
        "SELECT k, s FROM (SELECT k, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) AS rn FROM h) x WHERE rn = 1 OR s = 'y'",
        "SELECT k, s FROM h QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY o) = 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "naive"), NAIVE.values(), ids=NAIVE.keys())
def test_the_naive_rewrite_gives_other_rows_and_ours_does_not(sql: str, naive: str):
    assert rows(naive, DATA) != rows(sql, DATA)
    assert rows(rewrite(sql, RULE), DATA) == rows(sql, DATA)


def test_one_order_key_brings_the_advice_of_a_tie_break():
    (proposal,) = proposals(
        "SELECT k FROM (SELECT k, ROW_NUMBER() OVER (ORDER BY o) AS rn FROM h) x WHERE rn = 1", RULE
    )
    assert [f.code for f in proposal.findings] == ["tie-break-missing"]


def test_random_wrappers_stay_equal():
    chance = random.Random(7)
    for _ in range(60):
        filters = chance.sample(["rn = 1", "s <> 'b'", "k > 1", "o IS NOT NULL"], k=chance.randint(1, 3))
        if "rn = 1" not in filters:
            filters.append("rn = 1")
        sql = (
            f"SELECT {chance.choice(['k, s', 's', '*', 'k, s, o, rn', 'k, COUNT(*) AS n'])} FROM "
            f"(SELECT k, s, o, ROW_NUMBER() OVER (PARTITION BY k ORDER BY o, s) AS rn FROM h) x WHERE {' AND '.join(filters)}"
        )
        sql += " GROUP BY k" if "COUNT" in sql else ""
        data = [(chance.randint(1, 3), chance.choice("abc"), i) for i in range(10)]
        assert rows(rewrite(sql, RULE), data) == rows(sql, data)
