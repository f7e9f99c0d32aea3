"""What is rewritten for an engine that lacks it, as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.sql import groups, lateral, using
from brickyard.local.sql.expand import bind, insert_first, single, tokens_of
from brickyard.local.sql.model import Parameter, SqlError
from brickyard.local.sql.selects import selects


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT a.id FROM a JOIN b USING (id)", "SELECT id FROM a JOIN b USING (id)"),
        ("SELECT b.id, b.x FROM a JOIN b USING (id)", "SELECT id, b.x FROM a JOIN b USING (id)"),
        ("SELECT a.id, b.id FROM a LEFT JOIN b USING (id)", "SELECT id, b.id FROM a LEFT JOIN b USING (id)"),
        ("SELECT a.id FROM a FULL JOIN b USING (id)", "SELECT a.id FROM a FULL JOIN b USING (id)"),
        ("SELECT a.id FROM a JOIN b ON a.id = b.id", "SELECT a.id FROM a JOIN b ON a.id = b.id"),
        (
            "SELECT a.id FROM a JOIN b USING (id) WHERE EXISTS (SELECT 1 FROM c WHERE c.id = a.id)",
            "SELECT id FROM a JOIN b USING (id) WHERE EXISTS (SELECT 1 FROM c WHERE c.id = a.id)",
        ),
        ("MERGE INTO t USING (s) ON t.id = s.id", "MERGE INTO t USING (s) ON t.id = s.id"),
    ],
)
def test_a_merged_column_loses_its_qualifier_only_where_the_value_is_the_same(sql, wanted):
    assert using.unqualified(sql) == wanted


@pytest.mark.parametrize(
    ("sql", "alias", "wanted"),
    [
        ("SELECT a + 1 AS n, n * 2 FROM t", "n", "SELECT a + 1 AS n, (a + 1) * 2 FROM t"),
        ("SELECT a AS n, t.n, n(1), 2 AS n FROM t", "n", None),
        ("SELECT n, a AS n FROM t", "n", None),
        ("SELECT x FROM (SELECT a AS n, n AS x FROM t)", "n", "SELECT x FROM (SELECT a AS n, (a) AS x FROM t)"),
    ],
)
def test_an_alias_is_spelled_out_in_the_items_after_it(sql, alias, wanted):
    assert lateral.spelled_out(sql, alias) == wanted


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT a, count(*) FROM t GROUP BY ALL", "SELECT a, count(*) FROM t GROUP BY 1"),
        (
            "SELECT sum(a), b, c + 1 FROM t GROUP BY ALL ORDER BY 2",
            "SELECT sum(a), b, c + 1 FROM t GROUP BY 2, 3 ORDER BY 2",
        ),
        ("SELECT count(*) FROM t GROUP BY ALL", "SELECT count(*) FROM t "),
        (
            "SELECT * FROM (SELECT f(a, b), max(c) FROM t GROUP BY ALL) x",
            "SELECT * FROM (SELECT f(a, b), max(c) FROM t GROUP BY 1) x",
        ),
    ],
)
def test_group_by_all_names_the_items_that_aggregate_nothing(sql, wanted):
    assert groups.spelled_out(sql) == wanted


def test_a_common_table_expression_before_insert_moves_to_the_query():
    text = "WITH c AS (SELECT 1) INSERT INTO t (a) SELECT * FROM c"
    assert insert_first(text) == "INSERT INTO t (a)  WITH c AS (SELECT 1)  SELECT * FROM c"


@given(st.text(max_size=30))
def test_a_parameter_is_one_literal_whatever_it_holds(value):
    tokens = tokens_of(bind("SELECT :x", [Parameter("x", value)]))
    assert [t.word for t in tokens[:1]] == ["SELECT"]
    assert len(tokens) == 2


def test_a_parameter_that_is_missing_is_named():
    with pytest.raises(SqlError, match="unbound parameter: b"):
        bind("SELECT :a, :b", [Parameter("a", "1")])


def test_several_statements_are_refused():
    with pytest.raises(SqlError, match="Only one statement"):
        single("SELECT 1; SELECT 2")


def test_selects_are_told_apart_by_parentheses_and_set_operators():
    sql = "SELECT a FROM (SELECT b, f(c) FROM t) UNION SELECT d FROM u"
    words = [" ".join(select.words) for select in selects(tokens_of(sql))]
    assert words == ["SELECT B , F ( C ) FROM T", "SELECT A FROM", "UNION SELECT D FROM U"]
