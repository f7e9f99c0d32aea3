"""Widgets: parameters over defaults, and the SQL statements about them."""

from __future__ import annotations

import pytest

from brickyard.local.kernel.widgets import InputWidgetNotDefined, Widgets, do_widget_statement


def test_a_parameter_wins_over_a_default_and_defining_twice_changes_nothing():
    widgets = Widgets({"a": "given"})
    widgets.text("a", "default", "label")
    widgets.text("b", "first")
    widgets.text("b", "second")
    assert widgets.getAll() == {"a": "given", "b": "first"}
    assert (widgets.get("a"), widgets.getArgument("c", "else")) == ("given", "else")


def test_what_is_removed_is_gone_with_its_parameter():
    widgets = Widgets({"a": "given"})
    widgets.remove("a")
    with pytest.raises(InputWidgetNotDefined, match="No input widget named a is defined"):
        widgets.get("a")
    widgets.text("a", "default")
    assert widgets.get("a") == "default"
    widgets.removeAll()
    assert widgets.getAll() == {}
    with pytest.raises(InputWidgetNotDefined):
        widgets.remove("a")


def test_a_default_must_be_among_the_choices():
    with pytest.raises(ValueError, match="not among its choices"):
        Widgets({}).dropdown("d", "z", ["x", "y"])


def test_what_a_run_gives_lasts_as_long_as_the_run():
    widgets = Widgets({"a": "outer"})
    with widgets.given({"a": "inner", "b": "new"}):
        assert widgets.getAll() == {"a": "inner", "b": "new"}
    assert widgets.getAll() == {"a": "outer"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("CREATE WIDGET TEXT env DEFAULT 'dev'", {"env": "dev"}),
        ("create widget text `my env` default \"it''s\"", {"my env": "it's"}),
        ("CREATE WIDGET DROPDOWN d DEFAULT 'x' CHOICES SELECT 'x'", {"d": "x"}),
        ("CREATE WIDGET TEXT n DEFAULT 5", {"n": "5"}),
    ],
)
def test_widgets_are_created_by_sql(statement, expected):
    widgets = Widgets({})
    assert do_widget_statement(statement, widgets)
    assert widgets.getAll() == expected


def test_widgets_are_removed_by_sql_and_other_statements_are_left():
    widgets = Widgets({"env": "x"})
    assert do_widget_statement("REMOVE WIDGET env", widgets)
    assert widgets.getAll() == {}
    assert not do_widget_statement("SELECT 'CREATE WIDGET TEXT a DEFAULT 1'", widgets)
