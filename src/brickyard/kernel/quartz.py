"""Quartz cron expressions, as Databricks schedules jobs: read them, and find the next time one fires."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import assert_never

from brickyard.kernel.errors import Problem, SpecInvalid

FORM = "second minute hour day-of-month month day-of-week [year]"
LAST_YEAR = 2099
_UNIX_FIELDS = 5
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SATURDAY = 7
_ITEM = re.compile(r"(?P<first>\*|\w+)?(?:-(?P<last>\w+))?(?:/(?P<step>\w+))?")
_LAST_DAY = re.compile(r"L(?:-(?P<offset>\d{1,2}))?(?P<weekday>W)?")
_NEAREST = re.compile(r"(?P<day>\d{1,2})W")
_LAST_WEEKDAY = re.compile(r"(?P<day>\d|[A-Z]{3})L")
_NTH_WEEKDAY = re.compile(r"(?P<day>\d|[A-Z]{3})#(?P<nth>\d+)")


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """Fires on these days of the month."""

    days: frozenset[int]


@dataclass(frozen=True, slots=True)
class LastDay:
    """Fires *offset* days before the last day (`L`, `L-3`), on the nearest weekday when *weekday* (`LW`)."""

    offset: int = 0
    weekday: bool = False


@dataclass(frozen=True, slots=True)
class NearestWeekday:
    """Fires on the Monday to Friday nearest to a day, in the same month (`15W`)."""

    day: int


@dataclass(frozen=True, slots=True)
class DaysOfWeek:
    """Fires on these days of the week; 1 is Sunday."""

    days: frozenset[int]


@dataclass(frozen=True, slots=True)
class LastDayOfWeek:
    """Fires on the last such day of the week in the month (`6L`); 1 is Sunday."""

    day: int


@dataclass(frozen=True, slots=True)
class NthDayOfWeek:
    """Fires on the nth such day of the week in the month (`6#3`), in months that have one; 1 is Sunday."""

    day: int
    nth: int


DayRule = DaysOfMonth | LastDay | NearestWeekday | DaysOfWeek | LastDayOfWeek | NthDayOfWeek


@dataclass(frozen=True, slots=True)
class Quartz:
    """A cron expression that was read; *text* is how it was written."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayRule
    months: frozenset[int]
    years: frozenset[int] | None = None

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time later than *moment* in *moment*'s own zone, None when there is none up to 2099.

        A local time that the clock skips in spring does not fire; one that it shows twice in autumn fires the first
        time. So an hourly schedule in such a zone rests for an hour or two, as Databricks documents it.
        """
        local = moment.replace(tzinfo=None, fold=0)
        for day in self._days_from(local.date()):
            for at in self._times(local.time() if day == local.date() else time.min):
                found = datetime.combine(day, at).replace(tzinfo=moment.tzinfo)
                if found.replace(tzinfo=None) > local and _happens(found, moment):
                    return found
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in range(first.year, LAST_YEAR + 1):
            if self.years is None or year in self.years:
                yield from (day for day in self._days_of(year) if day >= first)

    def _days_of(self, year: int) -> Iterator[date]:
        for month in sorted(self.months):
            yield from (date(year, month, day) for day in _matching(self.days, year, month))

    def _times(self, first: time) -> Iterator[time]:
        for hour in (hour for hour in self.hours if hour >= first.hour):
            for minute in self.minutes:
                if (hour, minute) >= (first.hour, first.minute):
                    yield from (time(hour, minute, second) for second in self.seconds)


def parse(text: str) -> Quartz:
    """Read a Quartz expression of six or seven fields; raises SpecInvalid with a problem for every wrong field.

    The rules are those of Quartz's CronExpression: one of day-of-month and day-of-week is `?`, `L` and `W` stand alone.
    """
    fields = text.upper().split()
    if len(fields) not in (6, 7):
        raise _refused(text, [Problem(_wrong_count(len(fields)), where="expression")])
    problems = [problem for place, field in zip(_PLACES, fields, strict=False) for problem in place.problems(field)]
    marks = [fields[3] == "?", fields[5] == "?"]
    if all(marks):
        problems.append(Problem("only one of day-of-month and day-of-week may be '?'", where=_where(_DAY_OF_WEEK)))
    elif not any(marks):
        problems.append(Problem("one of day-of-month and day-of-week must be '?'", where=_where(_DAY_OF_WEEK)))
    if problems:
        raise _refused(text, problems)
    return _read(text, fields)


@dataclass(frozen=True, slots=True)
class _Place:
    """One field of the expression: its name, its bounds, the names that stand for numbers."""

    number: int
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def problems(self, field: str) -> list[Problem]:
        """What is wrong with a field."""
        try:
            self.rule(field)
        except ValueError as error:
            return [Problem(str(error), where=_where(self))]
        return []

    def rule(self, field: str) -> DayRule | frozenset[int] | None:
        """What a field says; None for `?`. Raises ValueError."""
        if field == "?" and self.name.startswith("day"):
            return None
        return _special(self, field) or self.values(field)

    def values(self, field: str) -> frozenset[int]:
        """The values that a list of items names."""
        return frozenset(value for item in field.split(",") for value in self._item(item))

    def value(self, word: str) -> int:
        """The number that a word stands for."""
        if word in self.names:
            return self.low + self.names.index(word)
        if not (word.isascii() and word.isdigit()):
            raise ValueError(f"{word!r} is not a {self.name}")
        if not self.low <= int(word) <= self.high:
            raise ValueError(f"{word} is not between {self.low} and {self.high}")
        return int(word)

    def _item(self, item: str) -> list[int]:
        match = _ITEM.fullmatch(item)
        if not item or match is None or (match["last"] and match["first"] in (None, "*")):
            raise ValueError(f"{item!r} is not a value, a range (a-b), a step (a/n) or '*'")
        step = self._step(match["step"])
        if match["first"] in (None, "*"):
            return list(range(self.low, self.high + 1, step))
        first = self.value(match["first"])
        if match["last"] is None:
            return list(range(first, self.high + 1, step)) if match["step"] else [first]
        return self._range(first, self.value(match["last"]), step)

    def _step(self, word: str | None) -> int:
        if word is None:
            return 1
        if not (word.isascii() and word.isdigit()) or not 1 <= int(word) <= self.high:
            raise ValueError(f"the step {word!r} is not between 1 and {self.high}")
        return int(word)

    def _range(self, first: int, last: int, step: int) -> list[int]:
        """The values from *first* to *last*; a range that ends before it begins wraps (`22-2`, `FRI-MON`)."""
        if last >= first:
            return list(range(first, last + 1, step))
        if self.name == "year":
            raise ValueError(f"the range {first}-{last} runs backwards")
        size = self.high - self.low + 1
        return [(value - self.low) % size + self.low for value in range(first, last + size + 1, step)]


_DAY_OF_MONTH = _Place(4, "day-of-month", 1, 31)
_DAY_OF_WEEK = _Place(6, "day-of-week", 1, 7, _WEEKDAYS)
_PLACES = (
    _Place(1, "second", 0, 59),
    _Place(2, "minute", 0, 59),
    _Place(3, "hour", 0, 23),
    _DAY_OF_MONTH,
    _Place(5, "month", 1, 12, _MONTHS),
    _DAY_OF_WEEK,
    _Place(7, "year", 1970, LAST_YEAR),
)


def _special(place: _Place, field: str) -> DayRule | None:
    if place is _DAY_OF_MONTH:
        return _special_day_of_month(field)
    return _special_day_of_week(field) if place is _DAY_OF_WEEK else None


def _special_day_of_month(field: str) -> DayRule | None:
    if last := _LAST_DAY.fullmatch(field):
        offset = int(last["offset"] or 0)
        if offset > 30:
            raise ValueError("L can go back 30 days at most")
        return LastDay(offset, weekday=last["weekday"] is not None)
    if nearest := _NEAREST.fullmatch(field):
        return NearestWeekday(_DAY_OF_MONTH.value(nearest["day"]))
    if "L" in field or "W" in field:
        raise ValueError("L and W stand alone (L, L-3, LW, 15W), not in a list or a range")
    return None


def _special_day_of_week(field: str) -> DayRule | None:
    if field == "L":
        return DaysOfWeek(frozenset({_SATURDAY}))
    if last := _LAST_WEEKDAY.fullmatch(field):
        return LastDayOfWeek(_DAY_OF_WEEK.value(last["day"]))
    if nth := _NTH_WEEKDAY.fullmatch(field):
        if not 1 <= int(nth["nth"]) <= 5:
            raise ValueError(f"#{nth['nth']} is not between #1 and #5")
        return NthDayOfWeek(_DAY_OF_WEEK.value(nth["day"]), int(nth["nth"]))
    return None


def _read(text: str, fields: list[str]) -> Quartz:
    seconds, minutes, hours = (tuple(sorted(_PLACES[i].values(fields[i]))) for i in range(3))
    years = _PLACES[6].values(fields[6]) if len(fields) == 7 and fields[6] != "*" else None
    return Quartz(text, seconds, minutes, hours, _day_rule(fields), _PLACES[4].values(fields[4]), years)


def _day_rule(fields: list[str]) -> DayRule:
    if fields[3] == "?":
        return _special(_DAY_OF_WEEK, fields[5]) or DaysOfWeek(_DAY_OF_WEEK.values(fields[5]))
    return _special(_DAY_OF_MONTH, fields[3]) or DaysOfMonth(_DAY_OF_MONTH.values(fields[3]))


def _matching(rule: DayRule, year: int, month: int) -> list[int]:
    """The days of a month on which a rule fires, in order."""
    last = monthrange(year, month)[1]
    match rule:
        case DaysOfMonth(days):
            return sorted(day for day in days if day <= last)
        case LastDay(offset, weekday):
            day = last - offset
            return [] if day < 1 else [_nearest(year, month, day) if weekday else day]
        case NearestWeekday(day):
            return [_nearest(year, month, day)] if day <= last else []
        case DaysOfWeek(days):
            return [day for day in range(1, last + 1) if _weekday(year, month, day) in days]
        case LastDayOfWeek(day):
            return _days_named(year, month, day)[-1:]
        case NthDayOfWeek(day, nth):
            return _days_named(year, month, day)[nth - 1 : nth]
        case _:
            assert_never(rule)


def _days_named(year: int, month: int, weekday: int) -> list[int]:
    return [day for day in range(1, monthrange(year, month)[1] + 1) if _weekday(year, month, day) == weekday]


def _nearest(year: int, month: int, day: int) -> int:
    """The Monday to Friday nearest to a day without leaving its month."""
    match _weekday(year, month, day):
        case 7:
            return day - 1 if day > 1 else day + 2
        case 1:
            return day + 1 if day < monthrange(year, month)[1] else day - 2
        case _:
            return day


def _weekday(year: int, month: int, day: int) -> int:
    return date(year, month, day).isoweekday() % 7 + 1


def _happens(found: datetime, moment: datetime) -> bool:
    """Whether the clock of the zone shows that time, later than *moment*."""
    if found.tzinfo is None:
        return True
    again = found.astimezone(UTC).astimezone(found.tzinfo)
    later = found.astimezone(UTC) - moment.astimezone(UTC) > timedelta(0)
    return later and again.replace(tzinfo=None) == found.replace(tzinfo=None)


def _wrong_count(count: int) -> str:
    if count == _UNIX_FIELDS:
        return f"5 fields are the Unix form; Quartz has 6 or 7: {FORM}"
    return f"{count} fields, where Quartz has 6 or 7: {FORM}"


def _where(place: _Place) -> str:
    return f"field {place.number} ({place.name})"


def _refused(text: str, problems: list[Problem]) -> SpecInvalid:
    detail = "; ".join(str(problem) for problem in problems)
    remedy = f"write {FORM}, for example 0 30 6 * * ? for every day at 06:30"
    return SpecInvalid(f"{text!r} is not a Quartz cron expression: {detail}", remedy=remedy, problems=tuple(problems))
