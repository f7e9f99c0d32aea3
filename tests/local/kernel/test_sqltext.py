"""SQL cells: statements, and widget values put in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.kernel.sqltext import markers, statements, substituted

WIDGETS = {"db": "sales", "n": "3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from ${db}.t limit $n", "select * from sales.t limit 3"),
        ("select '${ db }', $unknown, ${spark.x}, ${no}", "select 'sales', $unknown, ${spark.x}, ${no}"),
        ("select getArgument('db'), getArgument(\"no\")", 'select "sales", getArgument("no")'),
        ("select a$n, \\$n", "select a$n, \\$n"),
    ],
)
def test_widget_values_are_put_in_and_unknown_names_stay(text, expected):
    assert substituted(text, WIDGETS) == expected


def test_statements_are_split_outside_of_strings_and_comments():
    text = "select ';' as a; -- no; not here\n/* nor; here */ select `b;c`;\n\n;\nselect 3 -- end;"
    assert list(statements(text)) == [
        "select ';' as a",
        "-- no; not here\n/* nor; here */ select `b;c`",
        "select 3 -- end;",
    ]


def test_a_compound_statement_is_one():
    text = "BEGIN\n  DECLARE x INT;\n  SELECT 1;\nEND"
    assert list(statements(text)) == [text]


@given(st.lists(st.sampled_from(["select 1", "select ';'", "insert into t values ('a')"]), min_size=1))
def test_joined_statements_come_apart_again(parts):
    assert list(statements(";\n".join(parts))) == parts


def test_only_markers_outside_of_strings_are_bound():
    statement = "select :db, ':n', cast(x as int)::string, a:n -- :n"
    assert markers(statement, WIDGETS) == {"db": "sales"}
    assert markers("select :db where n > :n and :other", WIDGETS) == WIDGETS
