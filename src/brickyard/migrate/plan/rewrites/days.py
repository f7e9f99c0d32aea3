"""`current_date() - INTERVAL n DAYS` takes its days from the widget of the conventions; values of widgets are text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from brickyard.dbsql.model import Statement
from brickyard.migrate.model import Condition, Proposal
from brickyard.migrate.plan.rewrites.markers import widgets_of
from brickyard.migrate.plan.rewrites.truncate_insert import goes_whole
from brickyard.migrate.plan.rewrites.view import NotebookView, SqlUnit, masked
from brickyard.notebooks.model import Cell, CellEdit, Language, Span

RULE = "delta-days"
_SINCE = (15, 2)
_ANY_INTERVAL = re.compile(r"\bINTERVAL\s+'?(?P<days>\d+)'?\s+DAYS?\b", re.IGNORECASE)
_FROM_TODAY = re.compile(
    r"\bcurrent_date(?:\(\))?\s*-\s*INTERVAL\s+'?(?P<days>\d+)'?\s+DAYS?\b"
    r"|\bdate_sub\(\s*current_date(?:\(\))?\s*,\s*(?P<sub>\d+)\s*\)",
    re.IGNORECASE,
)
_BODIES = ("CREATE VIEW", "CREATE TEMP VIEW", "CREATE FUNCTION", "CREATE MATERIALIZED VIEW")


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose the widget when the notebook counts back from today by one number of days, in queries that take markers."""
    setting = view.settings[RULE]
    widget = str(setting.options.get("widget") or "delta_days")
    places = list(_places(view))
    distinct = {days for _, _, days in places} | _other_intervals(view)
    leaving = {u.cell for u in view.units if not u.embedded and goes_whole(u)} - {u.cell for u, _, _ in places}
    code = (c for c in view.notebook.cells if c.language in (Language.SQL, Language.PYTHON))
    first = next((c for c in code if c.index not in leaving), None)
    if view.dbr < _SINCE or not places or first is None or widget in widgets_of(view):
        return
    days = places[0][2]
    hunks = [unit.edit(span, f"date_sub(current_date(), CAST(:{widget} AS INT))") for unit, span, _ in places]
    yield Proposal(
        rule=RULE,
        edit_class=setting.edit_class,
        apply=setting.apply and len(distinct) == 1,
        reason=f"the {days} days come from the widget {widget}, whose default they are",
        hunks=(_definition(first, widget, days), *hunks),
        conditions=(Condition("the notebook knows one number of days only", len(distinct) == 1),),
    )


def _places(view: NotebookView) -> Iterator[tuple[SqlUnit, Span, str]]:
    for unit in view.units:
        for statement in () if unit.embedded else unit.script.statements:
            if statement.verb not in _BODIES and not statement.error:
                yield from ((unit, span, days) for span, days in _matches(unit, statement))


def _matches(unit: SqlUnit, statement: Statement) -> Iterator[tuple[Span, str]]:
    quiet = re.sub(r"--[^\n]*|'[^'\n]{3,}'", lambda m: " " * len(m.group()), masked(unit, statement))
    for match in _FROM_TODAY.finditer(quiet):
        yield Span(*match.span()).shift(statement.span.start), match["days"] or match["sub"]


def _other_intervals(view: NotebookView) -> set[str]:
    texts = (s.span.slice(u.text) for u in view.units for s in u.script.statements)
    return {m["days"] for text in texts for m in _ANY_INTERVAL.finditer(text)}


def _definition(cell: Cell, widget: str, days: str) -> CellEdit:
    text = (
        f"CREATE WIDGET TEXT {widget} DEFAULT '{days}';\n"
        if cell.language is Language.SQL
        else f'dbutils.widgets.text("{widget}", "{days}")\n'
    )
    return CellEdit(cell.index, Span(cell.body.start, cell.body.start), text)
