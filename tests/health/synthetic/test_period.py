"""Days, local clocks and the cutting of intervals into hours."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from brickyard.health.synthetic.draw import HOUR
from brickyard.health.synthetic.period import Period, clock_changes, microseconds, moment, pieces

SPRING = Period(date(2026, 3, 2), 60)
MOMENTS = st.integers(0, 40 * HOUR)


@given(st.lists(st.tuples(MOMENTS, MOMENTS), min_size=1, max_size=10), st.booleans())
def test_pieces_follow_each_other_and_cover_their_interval(intervals: list[tuple[int, int]], aligned: bool) -> None:
    start = np.asarray([min(each) for each in intervals], dtype=np.int64)
    stop = np.asarray([max(each) for each in intervals], dtype=np.int64)
    owner, begins, ends = pieces(start, stop, aligned=aligned)
    for at, (first, last) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
        own = owner == at
        assert begins[own].tolist() == [first, *ends[own].tolist()[:-1]]
        assert ends[own].tolist()[-1] == last
        assert (ends[own] - begins[own] <= HOUR).all()


def test_an_interval_of_hours_of_the_clock_is_cut_where_the_hour_begins() -> None:
    owner, begins, ends = pieces(np.asarray([HOUR // 2]), np.asarray([2 * HOUR]), aligned=True)
    assert (owner.tolist(), begins.tolist(), ends.tolist()) == ([0, 0], [HOUR // 2, HOUR], [HOUR, 2 * HOUR])


def test_the_clocks_go_forward_in_america_and_in_europe() -> None:
    assert [moment(int(at)) for at in clock_changes(SPRING)] == [
        datetime(2026, 3, 8, 7, tzinfo=UTC),
        datetime(2026, 3, 29, 1, tzinfo=UTC),
    ]


def test_instants_and_microseconds_are_the_same() -> None:
    at = datetime(2026, 3, 8, 7, 0, 0, 123456, tzinfo=UTC)
    assert moment(microseconds(at)) == at
    assert SPRING.holds(microseconds(at))
    assert not SPRING.holds(SPRING.stop)
