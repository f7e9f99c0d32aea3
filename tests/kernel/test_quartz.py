"""Quartz expressions: which are read, what is wrong with the others, and when they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.quartz import Quartz, parse

BERLIN = ZoneInfo("Europe/Berlin")


def fires(text: str, after: str, times: int = 1) -> list[str]:
    """The next times as ISO text, without a zone."""
    found, moment = [], datetime.fromisoformat(after)
    for _ in range(times):
        following = parse(text).next_after(moment)
        if following is None:
            break
        moment = following
        found.append(moment.isoformat())
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 30 6 * * ?", "2026-01-01T06:30:00", ["2026-01-02T06:30:00", "2026-01-03T06:30:00"]),
        ("0 0/20 * * * ?", "2026-01-01T00:05:00", ["2026-01-01T00:20:00", "2026-01-01T00:40:00"]),
        ("0 /30 1-2 * * ?", "2026-01-01T01:30:00", ["2026-01-01T02:00:00", "2026-01-01T02:30:00"]),
        ("5,10 0 0 1 JAN ?", "2026-01-01T00:00:05", ["2026-01-01T00:00:10", "2027-01-01T00:00:05"]),
        ("0 0 22-2/2 * * ?", "2026-01-01T21:00:00", ["2026-01-01T22:00:00", "2026-01-02T00:00:00"]),
        ("0 0 0 ? * FRI-MON", "2026-01-01T00:00:00", ["2026-01-02T00:00:00", "2026-01-03T00:00:00"]),
        ("0 0 0 ? * 2,6", "2026-01-01T00:00:00", ["2026-01-02T00:00:00", "2026-01-05T00:00:00"]),
        ("0 0 0 ? * L", "2026-01-01T00:00:00", ["2026-01-03T00:00:00", "2026-01-10T00:00:00"]),
        ("0 0 0 L * ?", "2028-01-31T00:00:00", ["2028-02-29T00:00:00", "2028-03-31T00:00:00"]),
        ("0 0 0 L-3 2 ?", "2026-01-01T00:00:00", ["2026-02-25T00:00:00", "2027-02-25T00:00:00"]),
        ("0 0 0 LW * ?", "2026-01-01T00:00:00", ["2026-01-30T00:00:00", "2026-02-27T00:00:00"]),
        ("0 0 0 1W * ?", "2026-07-31T00:00:00", ["2026-08-03T00:00:00", "2026-09-01T00:00:00"]),
        ("0 0 0 31W * ?", "2026-05-01T00:00:00", ["2026-05-29T00:00:00", "2026-07-31T00:00:00"]),
        ("0 0 0 15W * ?", "2026-02-01T00:00:00", ["2026-02-16T00:00:00", "2026-03-16T00:00:00"]),
        ("0 0 0 ? * 6L", "2026-01-01T00:00:00", ["2026-01-30T00:00:00", "2026-02-27T00:00:00"]),
        ("0 0 0 ? * FRI#5", "2026-01-01T00:00:00", ["2026-01-30T00:00:00", "2026-05-29T00:00:00"]),
        ("0 0 0 29 2 ? *", "2026-01-01T00:00:00", ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]),
        ("0 0 0 1 1 ? 2027", "2026-01-01T00:00:00", ["2027-01-01T00:00:00"]),
        ("0 0 0 31 FEB ?", "2026-01-01T00:00:00", []),
        ("0 0 0 1 1 ? 2020-2025", "2026-01-01T00:00:00", []),
    ],
)
def test_an_expression_fires_when_quartz_says(text: str, after: str, expected: list[str]) -> None:
    assert fires(text, after, 2) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 5 * * *", "expression: 5 fields are the Unix form"),
        ("banana x", "expression: 2 fields, where Quartz has 6 or 7"),
        ("a b c d e f", "field 1 (second): 'A' is not a second; field 2 (minute): 'B' is not a minute"),
        ("60 0 0 * * ?", "field 1 (second): 60 is not between 0 and 59"),
        ("0 0 24 * * ?", "field 3 (hour): 24 is not between 0 and 23"),
        ("0 0 0 32 * ?", "field 4 (day-of-month): 32 is not between 1 and 31"),
        ("0 0 0 * 13 ?", "field 5 (month): 13 is not between 1 and 12"),
        ("0 0 0 ? * 0", "field 6 (day-of-week): 0 is not between 1 and 7"),
        ("0 0 0 ? * MON#6", "field 6 (day-of-week): #6 is not between #1 and #5"),
        ("0 0 0 ? * MON#1,TUE#2", "field 6 (day-of-week): 'MON#1' is not a value"),
        ("0 0 0 1,L * ?", "field 4 (day-of-month): L and W stand alone"),
        ("0 0 0 1-15W * ?", "field 4 (day-of-month): L and W stand alone"),
        ("0 0 0 L-31 * ?", "field 4 (day-of-month): L can go back 30 days at most"),
        ("0 0 0 * * *", "one of day-of-month and day-of-week must be '?'"),
        ("0 0 0 ? * ?", "only one of day-of-month and day-of-week may be '?'"),
        ("? 0 0 * * ?", "field 1 (second): '?' is not a value"),
        ("0/0 0 0 * * ?", "field 1 (second): the step '0' is not between 1 and 59"),
        ("0 0 0 * * ? 1969", "field 7 (year): 1969 is not between 1970 and 2099"),
        ("0 0 0 * * ? 2030-2027", "field 7 (year): the range 2030-2027 runs backwards"),
        ("0, 0 0 * * ?", "field 1 (second): '' is not a value"),
        ("", "expression: 0 fields"),
        ("\u0661 0 0 * * ?", "field 1 (second): '\u0661' is not a second"),
    ],
)
def test_a_wrong_expression_is_refused_with_the_field_and_the_fault(text: str, said: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse(text)
    assert said in refused.value.message


def test_every_wrong_field_is_listed_at_once() -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse("61 x 0 * * ?")
    assert [problem.where for problem in refused.value.problems] == ["field 1 (second)", "field 2 (minute)"]


def test_a_local_time_that_spring_skips_does_not_fire() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    assert parse("0 30 2 * * ?").next_after(before) == datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN)


def test_a_local_time_that_autumn_repeats_fires_once() -> None:
    first = parse("0 30 2 * * ?").next_after(datetime(2026, 10, 24, 12, tzinfo=BERLIN))
    assert first == datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    assert first is not None and first.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert parse("0 30 2 * * ?").next_after(first) == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)


def test_the_second_showing_of_an_hour_does_not_fire_again() -> None:
    again = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    assert parse("0 0/30 * * * ?").next_after(again) == datetime(2026, 10, 25, 3, 0, tzinfo=BERLIN)


moments = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])


def items(low: int, high: int) -> st.SearchStrategy[str]:
    """Values, ranges, steps and lists of a field."""
    value = st.integers(low, high)
    ranges = st.tuples(value, value).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.tuples(value, st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.lists(st.one_of(value.map(str), ranges, steps), min_size=1, max_size=3).map(",".join) | st.just("*")


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions that fire."""
    times = [draw(items(0, 59)), draw(items(0, 59)), draw(items(0, 23))]
    month = draw(items(1, 12))
    day = draw(items(1, 28) | st.sampled_from(["L", "LW", "L-2", "15W"]))
    if draw(st.booleans()):
        return " ".join([*times, day, month, "?"])
    return " ".join([*times, "?", month, draw(items(1, 7) | st.sampled_from(["L", "2L", "FRI#2"]))])


@given(expressions(), moments, zones)
def test_the_next_time_is_later_and_is_a_time_that_the_expression_names(text: str, at: datetime, zone: str) -> None:
    quartz, moment = parse(text), at.replace(tzinfo=ZoneInfo(zone))
    found = quartz.next_after(moment)
    assert found is not None
    assert found.astimezone(UTC) > moment.astimezone(UTC)
    assert (found.second in quartz.seconds, found.minute in quartz.minutes, found.hour in quartz.hours) == (True,) * 3
    assert found.month in quartz.months
    assert found.astimezone(UTC).astimezone(found.tzinfo) == found


@given(expressions(), moments, st.integers(0, 10**6))
def test_no_time_lies_between_a_moment_and_the_next_time(text: str, at: datetime, seconds: int) -> None:
    quartz, moment = parse(text), at.replace(microsecond=0)
    found = quartz.next_after(moment)
    assert found is not None
    between = moment + timedelta(seconds=seconds % max(int((found - moment).total_seconds()), 1))
    assert quartz.next_after(between) == found


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Quartz)
    except SpecInvalid as refused:
        assert refused.problems
