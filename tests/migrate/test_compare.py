"""Comparing two tables: what must be found is found and shown, and what is equal raises no alarm."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brickyard.migrate import observe
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import CellDifference, CheckKind, Column, RowDifference, TableComparison
from brickyard.migrate.observe import Eyes
from brickyard.migrate.plan.reconcile import Side, Tolerance

pytestmark = pytest.mark.timeout(120)

COLUMNS = (Column("id", "int"), Column("name", "string"), Column("amount", "decimal(10,2)"), Column("score", "double"))
ROWS = [
    "(1, 'ann', 10.50, 0.1D)",
    "(2, 'bob', 20.00, 0.2D)",
    "(3, NULL, NULL, NULL)",
    "(4, 'zoë', 20.00, 1e300D)",
]
Compare = Callable[..., TableComparison]


@pytest.fixture
def compare(eyes: Eyes) -> Compare:
    """Compare two lists of SQL row values of one shape, or of two."""

    def compared(
        left: list[str],
        right: list[str],
        columns: tuple[Column, ...] = COLUMNS,
        others: tuple[Column, ...] | None = None,
        **tolerance: float,
    ) -> TableComparison:
        sides = [_side("original", left, columns), _side("refactored", right, others or columns)]
        return observe.compare(eyes, ("a.b.c", "x.y.z"), *sides, Tolerance(**tolerance))

    return compared


def _side(label: str, rows: list[str], columns: tuple[Column, ...]) -> Side:
    values = ", ".join(f"CAST({c.name} AS {c.type}) AS {c.name}" for c in columns)
    names = ", ".join(c.name for c in columns)
    return Side(label, f"(SELECT {values} FROM VALUES {', '.join(rows)} AS t({names})) AS {label}", columns)


def faults(found: TableComparison) -> set[CheckKind]:
    return {check.kind for check in found.checks if not check.equal}


def test_equal_tables_reconcile(compare: Compare):
    found = compare(ROWS, ROWS)
    assert (found.outcome, found.rows, faults(found), found.only, found.cells) == (
        Outcome.RECONCILED,
        (4, 4),
        set(),
        (),
        (),
    )


def test_the_order_of_rows_does_not_matter(compare: Compare):
    assert compare(ROWS, ROWS[::-1]).outcome is Outcome.RECONCILED


def test_a_dropped_row_is_found_and_shown(compare: Compare):
    found = compare(ROWS, ROWS[:1] + ROWS[2:])
    assert (found.outcome, faults(found)) == (Outcome.DIFFERS, {CheckKind.COUNT, CheckKind.CHECKSUM, CheckKind.ROWS})
    assert [(dict(r.values)["name"], r.original, r.refactored) for r in found.only] == [("bob", 1, 0)]
    assert found.differing_rows == 1


def test_a_duplicated_row_is_found_and_shown(compare: Compare):
    found = compare(ROWS, [*ROWS, ROWS[0]])
    assert [(dict(r.values)["name"], r.original, r.refactored) for r in found.only] == [("ann", 0, 1)]


def test_three_copies_are_not_one(compare: Compare):
    columns = COLUMNS[:2]
    found = compare(["(1, 'a')"] * 3 + ["(2, 'b')"], ["(1, 'a')"] + ["(2, 'b')"] * 3, columns)
    assert found.rows == (4, 4)
    assert sorted((dict(r.values)["name"], r.original, r.refactored) for r in found.only) == [("a", 2, 0), ("b", 0, 2)]


def test_one_changed_cell_is_found_by_its_key(compare: Compare):
    found = compare(ROWS, [ROWS[0].replace("ann", "ANN"), *ROWS[1:]])
    assert (found.key, found.only) == (("id",), ())
    assert found.cells == (CellDifference((("id", "1"),), "name", "ann", "ANN"),)


def test_a_swapped_column_is_found(compare: Compare):
    columns = (Column("id", "int"), Column("a", "string"), Column("b", "string"))
    left, right = ["(1, 'x', NULL)", "(2, 'p', 'q')"], ["(1, NULL, 'x')", "(2, 'q', 'p')"]
    found = compare(left, right, columns)
    assert [(c.key[0][1], c.column, c.original, c.refactored) for c in found.cells] == [
        ("1", "a", "x", None),
        ("1", "b", None, "x"),
        ("2", "a", "p", "q"),
        ("2", "b", "q", "p"),
    ]


def test_null_is_not_the_empty_string(compare: Compare):
    found = compare(["(1, NULL)", "(2, '')"], ["(1, '')", "(2, NULL)"], COLUMNS[:2])
    assert found.cells == (
        CellDifference((("id", "1"),), "name", None, ""),
        CellDifference((("id", "2"),), "name", "", None),
    )


def test_a_decimals_last_digit_is_found(compare: Compare):
    found = compare(ROWS, [ROWS[0].replace("10.50", "10.51"), *ROWS[1:]])
    assert found.cells == (CellDifference((("id", "1"),), "amount", "10.50", "10.51"),)


def test_float_noise_within_the_tolerance_is_no_difference(compare: Compare):
    found = compare(ROWS, [ROWS[0].replace("0.1D", "0.1000000000000001D"), *ROWS[1:]])
    assert (found.outcome, found.cells, found.only) == (Outcome.RECONCILED, (), ())


def test_a_float_beyond_the_tolerance_is_found(compare: Compare):
    found = compare(ROWS, [ROWS[0].replace("0.1D", "0.1001D"), *ROWS[1:]])
    assert found.cells == (CellDifference((("id", "1"),), "score", "0.1", "0.1001"),)
    assert compare(ROWS, [ROWS[0].replace("0.1D", "0.1001D"), *ROWS[1:]], relative=0.01).outcome is Outcome.RECONCILED


@pytest.mark.parametrize("value", ["NULL", "CAST('NaN' AS DOUBLE)", "CAST('Infinity' AS DOUBLE)"])
def test_a_float_that_is_no_number_equals_only_itself(compare: Compare, value: str):
    special = [ROWS[0].replace("0.1D", value), *ROWS[1:]]
    assert compare(special, special).outcome is Outcome.RECONCILED
    assert compare(special, ROWS).outcome is Outcome.DIFFERS
    assert compare(ROWS, special).outcome is Outcome.DIFFERS


def test_noise_that_swaps_two_neighbours_is_no_difference(compare: Compare):
    columns = (Column("k", "string"), Column("x", "double"), Column("y", "double"))
    left = ["('a', 1.0D, 5.0D)", "('a', 1.00000000001D, 7.0D)"]
    right = ["('a', 1.00000000002D, 5.0D)", "('a', 1.0D, 7.0D)"]
    assert compare(left, right, columns).outcome is Outcome.RECONCILED


def test_a_table_of_floats_alone_is_compared_as_a_bag(compare: Compare):
    columns = (Column("x", "double"),)
    assert (
        compare(["(1.0D)", "(2.0D)", "(2.0D)"], ["(2.0D)", "(1.0D)", "(2.0D)"], columns).outcome is Outcome.RECONCILED
    )
    found = compare(["(1.0D)", "(2.0D)", "(2.0D)"], ["(2.0D)", "(1.0D)", "(1.0D)"], columns)
    assert found.only == (RowDifference((("x", "2.0"),), 1, 0), RowDifference((("x", "1.0"),), 0, 1))


def test_a_key_of_two_columns_pairs_the_rows(compare: Compare):
    columns = (Column("state", "string"), Column("tier", "string"), Column("n", "int"))
    left = ["('Q', 'gold', 1)", "('Q', 'red', 2)", "('N', 'gold', 2)", "('N', 'red', 1)"]
    found = compare(left, ["('Q', 'gold', 9)", *left[1:]], columns)
    assert found.key == ("state", "tier")
    assert found.cells == (CellDifference((("state", "Q"), ("tier", "gold")), "n", "1", "9"),)


def test_other_columns_and_types_are_told_and_the_shared_ones_compared(compare: Compare):
    left = (Column("id", "int"), Column("name", "string"), Column("old", "string"))
    right = (Column("id", "bigint"), Column("name", "string"), Column("new", "string"))
    found = compare(["(1, 'a', 'x')"], ["(1, 'a', 'y')"], left, right)
    assert [(c.equal, c.detail) for c in found.checks if c.kind is CheckKind.SCHEMA] == [
        (False, "column old is missing; column new is new; column id was int and is bigint")
    ]
    assert (found.outcome, found.differing_rows) == (Outcome.DIFFERS, 0)


def test_columns_in_another_order_are_a_difference_of_the_schema(compare: Compare):
    found = compare(["(1, 'a')"], ["('a', 1)"], COLUMNS[:2], COLUMNS[1::-1])
    assert faults(found) == {CheckKind.SCHEMA}


def test_nested_values_are_compared_whole(compare: Compare):
    columns = (
        Column("id", "int"),
        Column("tags", "array<string>"),
        Column("m", "map<string,int>"),
        Column("b", "binary"),
    )
    rows = ["(1, array('a', NULL), map('x', 1, 'y', 2), X'00ff')", "(2, NULL, NULL, NULL)"]
    assert compare(rows, rows, columns).outcome is Outcome.RECONCILED
    found = compare(rows, [rows[0].replace("'a'", "'b'").replace("X'00ff'", "X'00fe'"), rows[1]], columns)
    assert [(c.column, c.original, c.refactored) for c in found.cells] == [
        ("tags", '["a",null]', '["b",null]'),
        ("b", "00FF", "00FE"),
    ]


def test_many_differences_are_counted_whole_and_shown_in_part(compare: Compare):
    columns = COLUMNS[:2]
    left, right = ([f"({n}, '{mark}{n}')" for n in range(400)] for mark in ("a", "b"))
    found = compare(left, right, columns)
    assert (found.differing_rows, len(found.cells), found.samples_complete) == (400, 20, False)
    assert all(c.column == "name" for c in found.cells)


def test_an_empty_table_equals_an_empty_one_and_no_other(eyes: Eyes, compare: Compare):
    columns = COLUMNS[:2]
    one = _side("r", ["(1, 'a')"], columns)
    nothing = Side("o", f"(SELECT * FROM {one.sql} WHERE id < 0) AS o", columns)
    assert observe.compare(eyes, ("a", "b"), nothing, nothing, Tolerance()).outcome is Outcome.RECONCILED
    found = observe.compare(eyes, ("a", "b"), nothing, one, Tolerance())
    assert (found.outcome, found.rows, found.differing_rows) == (Outcome.DIFFERS, (0, 1), 1)
