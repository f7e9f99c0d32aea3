"""`'${widget}'` as a whole literal becomes the marker `:widget`: the same text, but a value instead of pasted code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from brickyard.dbsql.model import Hole, Statement
from brickyard.migrate.model import Condition, Proposal
from brickyard.migrate.plan.rewrites.view import NotebookView, SqlUnit
from brickyard.notebooks.model import Span

RULE = "markers"
_SINCE = (15, 2)
_VIEWS_SINCE = (18, 0)
_BODIES = ("CREATE VIEW", "CREATE TEMP VIEW", "CREATE FUNCTION", "CREATE MATERIALIZED VIEW")
_PYTHON_WIDGET = re.compile(r"""widgets\.\w+\(\s*(["'])(?P<name>\w+)\1""")


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose the marker wherever a widget of the notebook is pasted as a whole string literal."""
    if view.dbr < _SINCE:
        return
    setting, widgets = view.settings[RULE], widgets_of(view)
    for unit in view.units:
        for statement in () if unit.embedded else unit.script.statements:
            hunks = [unit.edit(span, f":{name}") for name, span in _pasted(view, unit, statement, widgets)]
            if hunks:
                yield Proposal(
                    rule=RULE,
                    edit_class=setting.edit_class,
                    apply=setting.apply,
                    reason="the widget's value arrives as a parameter instead of pasted text",
                    hunks=tuple(hunks),
                    conditions=(Condition("the value comes from a widget of this notebook", True),),
                )


def widgets_of(view: NotebookView) -> frozenset[str]:
    """The names of the widgets that the notebook makes."""
    found = {m["name"] for cell in view.notebook.cells for m in _PYTHON_WIDGET.finditer(cell.source)}
    made = (s.arguments.get("name") for u in view.units for s in u.script.statements if s.verb == "CREATE WIDGET")
    return frozenset(found | {name for name in made if isinstance(name, str)})


def _pasted(
    view: NotebookView, unit: SqlUnit, statement: Statement, widgets: frozenset[str]
) -> Iterator[tuple[str, Span]]:
    if statement.verb in _BODIES and view.dbr < _VIEWS_SINCE:
        return
    for hole in statement.holes:
        if hole.name in widgets and _is_whole_literal(unit.text, hole):
            yield hole.name, Span(hole.span.start - 1, hole.span.end + 1)


def _is_whole_literal(text: str, hole: Hole) -> bool:
    return text[hole.span.start - 1 : hole.span.start] == "'" == text[hole.span.end : hole.span.end + 1] and (
        text[hole.span.start - 2 : hole.span.start - 1] != "'" and text[hole.span.end + 1 : hole.span.end + 2] != "'"
    )
