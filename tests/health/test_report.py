"""Charts and steps of the report: what they show, in whole values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from brickyard.health.model.source import Capture
from brickyard.health.model.steps import CopyBronze, CreateSchema, Merge
from brickyard.health.report import columns, step_text

APRIL = date(2026, 4, 1)


def test_a_day_is_a_column_whose_pieces_stand_on_each_other():
    chart = columns("cost", [(APRIL, "SQL", Decimal(300)), (APRIL, "JOBS", Decimal(100))], " USD")
    first, second = chart.pieces
    assert (chart.series, first.label, second.label) == (
        ("SQL", "JOBS"),
        "01 Apr 2026, SQL: 300.00 USD",
        "01 Apr 2026, JOBS: 100.00 USD",
    )
    assert first.y == round(second.y + second.height, 2)
    assert first.height == round(3 * second.height, 2)
    assert [text for _, text in chart.rows] == ["0", "100", "200", "300", "400"]


def test_the_greatest_have_names_and_the_rest_is_one():
    chart = columns("cost", [(APRIL, f"p{at}", Decimal(10 - at)) for at in range(9)])
    assert chart.series == ("p0", "p1", "p2", "p3", "p4", "p5", "all others")
    assert chart.pieces[-1].label == "01 Apr 2026, all others: 9.00"


def test_a_chart_of_nothing_is_empty():
    chart = columns("cost", [])
    assert (chart.pieces, chart.series, chart.days) == ((), (), ())


days = st.dates(date(2026, 1, 1), date(2026, 3, 1))


@given(st.lists(st.tuples(days, st.sampled_from("abcdefghij"), st.decimals(-5, 10**9, places=2)), max_size=40))
def test_no_piece_leaves_the_chart(points: list[tuple[date, str, Decimal]]):
    chart = columns("cost", points)
    assert all(p.y >= 0 and p.y + p.height <= chart.height and p.x + p.width <= chart.width + 1 for p in chart.pieces)


def test_a_step_is_said_with_its_reason():
    assert [step_text(CreateSchema("ops")), step_text(CopyBronze("billing.usage", Capture.APPEND, None, 3))] == [
        "create schema ops",
        "copy billing.usage as append, everything",
    ]
    assert step_text(Merge("billing.fact_usage", 0, "never built")) == "merge billing.fact_usage: never built"
