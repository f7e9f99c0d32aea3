"""What health says of itself: steps in words, and the report as one HTML page with its charts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol, assert_never

from brickyard.health.model.steps import (
    AlterTable,
    CopyBronze,
    CreateSchema,
    CreateTable,
    CreateView,
    LookUpAgain,
    Merge,
    Negotiate,
    Reconcile,
    Skip,
    Step,
)  # fmt: skip
from brickyard.kernel.assets import read_text


def step_text(step: Step) -> str:
    """Say in a line what a step does, and why where it has a reason."""
    match step:
        case CreateSchema(schema):
            return f"create schema {schema}"
        case CreateTable(layer, table):
            return f"create {layer} table {table}"
        case CreateView(view, table):
            return f"create view {view} of {table}"
        case AlterTable(layer, table, add):
            return f"add to {layer} table {table}: {', '.join(name for name, _ in add)}"
        case CopyBronze(source, capture, since):
            return f"copy {source} as {capture}" + (f", since {since}" if since else ", everything")
        case Merge(table, _, reason):
            return f"merge {table}: {reason}"
        case LookUpAgain(table, other, _):
            return f"look up again in {other} for {table}"
        case Negotiate(table, other, _):
            return f"make the prices of {table} anew: discounts from {other}"
        case Reconcile(table, _):
            return f"reconcile {table}"
        case Skip(table, code, reason):
            return f"skip {table}: {reason} ({code})"
        case _:
            assert_never(step)


# ── charts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_WIDTH, _HEIGHT, _LEFT, _FOOT = 960, 220, 64, 22
_SERIES = 6  # named in a chart; the rest is one more


@dataclass(frozen=True, slots=True)
class Piece:
    """One rectangle of a chart, in its units; `series` chooses the colour."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked columns by day: the pieces, the names of the series, marks of both axes (position, text)."""

    title: str
    pieces: tuple[Piece, ...]
    series: tuple[str, ...]
    rows: tuple[tuple[float, str], ...]
    days: tuple[tuple[float, str], ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT


def columns(title: str, points: Sequence[tuple[date, str, Decimal]], unit: str = "") -> Chart:
    """Stack values by day; the greatest series have names and colours of their own."""
    named = _greatest(points)
    stacked: dict[date, dict[str, Decimal]] = {}
    for day, name, value in points:
        held = stacked.setdefault(day, dict.fromkeys(named, Decimal(0)))
        held[name if name in held else named[-1]] += max(value, Decimal(0))
    top = _round_up(max((sum(held.values(), Decimal(0)) for held in stacked.values()), default=Decimal(0)))
    days = sorted(stacked)
    step = (_WIDTH - _LEFT) / max(len(days), 1)
    pieces = tuple(
        piece
        for at, day in enumerate(days)
        for piece in _column(day, stacked[day], _LEFT + at * step, step, _scale(top), unit)
    )
    rows = tuple((_base() - float(top) * _scale(top) * part / 4, f"{float(top) * part / 4:,.0f}") for part in range(5))
    marks = tuple((_LEFT + (at + 0.5) * step, f"{day:%d %b}") for at, day in enumerate(days) if at % 7 == 0)
    return Chart(title, pieces, named, rows, marks)


def _greatest(points: Iterable[tuple[date, str, Decimal]]) -> tuple[str, ...]:
    totals: dict[str, Decimal] = {}
    for _, name, value in points:
        totals[name] = totals.get(name, Decimal(0)) + value
    ordered = sorted(totals, key=lambda name: (-totals[name], name))
    return tuple(ordered) if len(ordered) <= _SERIES + 1 else (*ordered[:_SERIES], "all others")


def _base() -> float:
    return _HEIGHT - _FOOT


def _scale(top: Decimal) -> float:
    return (_base() - 8) / float(top or 1)


def _round_up(value: Decimal) -> Decimal:
    """The next number of 1, 2, 4, 5 or 8 and zeros."""
    if value <= 0:
        return Decimal(1)
    power = Decimal(10) ** value.adjusted()
    return next(step * power for step in map(Decimal, (1, 2, 4, 5, 8, 10)) if step * power >= value)


def _column(day: date, held: Mapping[str, Decimal], x: float, step: float, scale: float, unit: str) -> Iterator[Piece]:
    y = _base()
    for series, (name, value) in enumerate(held.items()):
        height = float(value) * scale
        y -= height
        if height > 0:
            yield Piece(round(x + 1, 2), round(y, 2), round(max(step - 2, 1), 2), round(height, 2), series,
                        f"{day:%d %b %Y}, {name}: {value:,.2f}{unit}")  # fmt: skip


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Shown(Protocol):
    """The figures of a report; the template reads more of them."""

    @property
    def days(self) -> Sequence[tuple[date, str, Decimal]]:
        """Cost by day and product."""
        ...

    @property
    def job_days(self) -> Sequence[Mapping[str, Any]]:
        """Job runs by day."""
        ...

    @property
    def security_days(self) -> Sequence[Mapping[str, Any]]:
        """Actions by day."""
        ...


def page(figures: Shown) -> str:
    """Render the report as one page that needs no network and no script; everything from outside is escaped."""
    from jinja2 import Environment, StrictUndefined  # only who renders a page needs the package

    style = read_text("health", "report.css")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"money": _money, "count": _count, "when": _when, "share": _share}
    template = environment.from_string(read_text("health", "report.html.j2"))
    return template.render(
        f=figures,
        cost=columns("Effective cost by day and product, USD", figures.days, " USD"),
        runs=columns("Job runs by day", _good_and_bad(figures.job_days, "succeeded", "not succeeded")),
        events=columns("Sensitive and failed actions by day", _good_and_bad(figures.security_days, "sensitive", "failed")),
        style=style,
        style_hash=_hash(style),
    )  # fmt: skip


def _good_and_bad(rows: Iterable[Mapping[str, Any]], good: str, bad: str) -> list[tuple[date, str, Decimal]]:
    names = {"good": good, "bad": bad}
    return [(row["day"], name, Decimal(row[column])) for row in rows if row["day"] for column, name in names.items()]


def _hash(style: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def _money(value: Any) -> str:
    return "–" if value is None else f"{Decimal(value):,.2f}"


def _count(value: Any) -> str:
    return "–" if value is None else f"{int(value):,}"


def _when(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else "–"


def _share(part: Any, whole: Any) -> str:
    return f"{100 * float(part) / float(whole):.1f} %" if whole else "–"
