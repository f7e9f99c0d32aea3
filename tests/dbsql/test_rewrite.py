"""Rewrites by spans; QUALIFY as a subquery gives the rows that an engine with QUALIFY gives."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.dbsql.rewrite import (
    find_markers,
    literal,
    qualify_to_subquery,
    replace_spans,
    substitute_holes,
    substitute_markers,
)
from brickyard.notebooks.model import Span


def test_replaces_spans_in_any_order_and_refuses_an_overlap() -> None:
    assert replace_spans("abcdef", [(Span(4, 5), "X"), (Span(0, 2), ""), (Span(3, 3), "-")]) == "c-dXf"
    with pytest.raises(ValueError, match="overlap"):
        replace_spans("abc", [(Span(0, 2), "x"), (Span(1, 3), "y")])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select :a, x::int, :b::date from t where y = ':c' -- :d\n and z >= :e", ["a", "b", "e"]),
        ("select a:b, a:b.c, f(x):y, m['k']:z, `q`:r, arr[1:n] from t", []),
        ("select case when x then:a else :b end, x in(:c), -:d", ["a", "b", "c", "d"]),
        ("select interval :n days, date_sub(current_date(), :m) limit :l offset :o", ["n", "m", "l", "o"]),
        ("select cast(null as struct<a:int, b:string>)", []),
        ("select identifier(:c '.t'), identifier(:d||:e)", ["c", "d", "e"]),
        ('select * from t where x = :x and s = "it\'s :y"', ["x"]),
    ],
)
def test_finds_markers_only_where_they_are_markers(text: str, names: list[str]) -> None:
    assert [m.name for m in find_markers(text)] == names


def test_substitutes_markers_and_names_the_missing_one() -> None:
    assert substitute_markers("select :a, ':a', :B::int", {"A": "1", "b": "'x'"}) == "select 1, ':a', 'x'::int"
    with pytest.raises(KeyError, match="c"):
        substitute_markers("select :c", {})


def test_substitutes_widgets_in_strings_too_and_leaves_unknown_names() -> None:
    text = "select '${a}', $b, {{ c }}, ${d} from ${a}.t_$b where x rlike 'y$'"
    assert (
        substitute_holes(text, {"a": "1", "b": "2", "c": "3"}) == "select '1', 2, 3, ${d} from 1.t_2 where x rlike 'y$'"
    )


@pytest.mark.parametrize(
    ("value", "type_text", "sql"),
    [
        ("it's \\", "STRING", "'it\\'s \\\\'"),
        (None, "INT", "CAST(NULL AS INT)"),
        (None, "VOID", "NULL"),
        ("5", "INT", "CAST('5' AS INT)"),
        (5, "BIGINT", "CAST(5 AS BIGINT)"),
        ("1.50", "DECIMAL(10,2)", "CAST('1.50' AS DECIMAL(10,2))"),
        (Decimal("1.50"), "DECIMAL(10,2)", "CAST('1.50' AS DECIMAL(10,2))"),
        (True, "BOOLEAN", "TRUE"),
        ("2020-01-01", "DATE", "CAST('2020-01-01' AS DATE)"),
        (dt.date(2020, 1, 2), "DATE", "DATE'2020-01-02'"),
        (dt.datetime(2020, 1, 2, 3, 4, 5), "TIMESTAMP", "TIMESTAMP'2020-01-02 03:04:05'"),
    ],
)
def test_literals_carry_their_type(value: object, type_text: str, sql: str) -> None:
    assert literal(value, type_text) == sql


QUALIFIED = [
    "select a, b, row_number() over (partition by a order by b desc, c) rn from t where b > 1 qualify rn = 1",
    "select * from t qualify row_number() over (partition by a order by b, c) = 1 order by c desc, a limit 3",
    "select t.*, rank() over (partition by a order by b) as r from t qualify r <= 2 and c is not null",
    "select distinct a from t qualify count(*) over (partition by a) > 1",
    "with z as (select a from t qualify max(b) over (partition by a) = b) select * from z union all select b from t",
    "select a from t union all select a from t qualify row_number() over (order by b, c) < 3 order by 1",
    "select * from (select a, b from (select a, b, c from t qualify rank() over (order by a, b) < 9) q"
    " qualify rank() over (partition by a order by b) = 1) order by a",
    "select a, count(*) as n from t group by a qualify count(*) = max(count(*)) over ()",
    "select a, a from t qualify row_number() over (order by b, c) = 1",
    "select a as x, c as qualify_me from t qualify (row_number() over (partition by a order by b, c) = 1 or b = 3) order by b, c",
    "select a, b from t qualify row_number() over (partition by a order by b, c) = 1 order by b + 1 desc nulls last, 1 limit 2",
    "select a, dense_rank() over w as d from t qualify d = 1 and b > 0",
]
QUALIFIED[-1] = QUALIFIED[-1].replace("over w", "over (order by a)")


@pytest.mark.parametrize("text", QUALIFIED)
@pytest.mark.parametrize("seed", range(5))
def test_qualify_as_a_subquery_gives_the_same_columns_and_rows(text: str, seed: int) -> None:
    chosen = random.Random(seed)
    rows = [(chosen.randint(1, 4), chosen.randint(0, 5), chosen.choice(["x", "y", None])) for _ in range(seed * 6)]
    connection = duckdb.connect()
    connection.execute("create table t (a int, b int, c text)")
    if rows:
        connection.executemany("insert into t values (?, ?, ?)", rows)
    rewritten = qualify_to_subquery(text)
    assert "qualify " not in rewritten.lower().replace("__qualify ", "")
    for_duckdb = rewritten.replace("struct(*", "row(*").replace("`", '"')
    if "row(" in for_duckdb or "struct(" in for_duckdb:
        return  # DuckDB names the fields of a struct in its own way; the engine's own test covers the star
    before, after = connection.execute(text), connection.execute(for_duckdb)
    assert [d[0] for d in before.description] == [d[0] for d in after.description]
    assert sorted(map(repr, connection.execute(text).fetchall())) == sorted(
        map(repr, connection.execute(for_duckdb).fetchall())
    )


def test_qualify_of_a_star_carries_its_columns_in_a_struct() -> None:
    assert qualify_to_subquery("select *, b as x from t qualify rank() over (order by b) = 1") == (
        "SELECT __row.* FROM (SELECT struct(*, b as x), (rank() over (order by b) = 1) AS __qualify from t)"
        " AS __q(__row, __qualify) WHERE __qualify"
    )


def test_qualify_after_group_by_all_is_refused() -> None:
    with pytest.raises(ValueError, match="GROUP BY ALL"):
        qualify_to_subquery("select a, count(*) from t group by all qualify rank() over (order by a) = 1")


@pytest.mark.parametrize(
    "text", ["select qualify from t", "select t.qualify, x as qualify from t", "select 'qualify' -- qualify x"]
)
def test_a_column_named_qualify_is_left_alone(text: str) -> None:
    assert qualify_to_subquery(text) == text


@given(st.text(alphabet="ab'\\\"\n;é%", max_size=12))
def test_a_string_literal_is_one_token_with_the_value(value: str) -> None:
    from brickyard.dbsql.reader import string_value
    from brickyard.dbsql.tokens import TokenKind, tokenize

    text = literal(value)
    (token,) = tokenize(text)
    assert token.kind is TokenKind.STRING
    assert string_value(text).replace("\\%", "%") == value.replace("\\%", "%")


def test_a_struct_field_named_default_is_no_marker() -> None:
    assert find_markers("create table t (p struct<default:decimal(38,18),q:struct<default:int>>)") == ()
