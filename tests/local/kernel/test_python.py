"""The Python of a cell: value of the last expression, and errors told without our own frames."""

from __future__ import annotations

import pytest

from brickyard.local.kernel.control import CellFailed
from brickyard.local.kernel.python import NOTHING, failure, run_python


@pytest.mark.parametrize(
    ("code", "value"),
    [("1 + 1", 2), ("x = 1", NOTHING), ("x = 1\nx", 1), ("x = 1\nx;", NOTHING), ("", NOTHING), ("# only words", NOTHING), ("None", None)],
)  # fmt: skip
def test_the_last_expression_is_the_value_of_a_cell(code, value):
    assert run_python(code, "<cell>", {}) is value or run_python(code, "<cell>", {}) == value


def raised(code: str, first_line: int = 1) -> CellFailed:
    try:
        run_python(code, "<cell>", {}, first_line)
    except BaseException as error:  # noqa: BLE001 - whatever the cell raises
        return failure(error, "<cell>", lambda line: f"line {line}")
    raise AssertionError("nothing was raised")


def test_lines_are_counted_from_the_top_of_the_cell():
    assert raised("a = 1\nb = 1 / 0", first_line=3).headline == "ZeroDivisionError: division by zero (line 4)"


def test_an_error_deep_in_a_library_is_told_at_the_line_of_the_cell():
    failed = raised("import json\n\njson.loads('{')")
    assert failed.headline.endswith("(line 3)")
    assert "File \"<cell>\", line 3, in <module>\n    json.loads('{')" in failed.trace
    assert "brickyard/local/kernel" not in failed.trace


def test_the_cause_of_an_error_is_told_too():
    trace = raised("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e").trace
    assert "ZeroDivisionError: division by zero\n\nThe above exception was the direct cause" in trace


def test_an_error_of_several_lines_keeps_them():
    assert raised("raise ValueError('one\\ntwo')").headline == "ValueError: one (line 1)\ntwo"
