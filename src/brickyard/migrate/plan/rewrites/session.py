"""The session's time zone: changing it moves current_date and timestamp casts, so it is offered, and applied only on request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from brickyard.migrate.model import EditClass, Finding, Proposal, Severity
from brickyard.migrate.plan.rewrites.view import NotebookView
from brickyard.notebooks.model import Cell, CellEdit, Language, Span

RULE = "time-zone"
RUN_DATE = "run-date"
_NOW = re.compile(r"\b(?:datetime\.(?:now|today|utcnow)|date\.today)\(\s*\)")
_USED = re.compile(r"\.conf\.set\(|spark\.sql\(\s*f")
_SQL = re.compile(r"\bSET\s+TIME\s+ZONE\s+'(?P<zone>[^'\n]*)'", re.IGNORECASE)
_CONF_SQL = re.compile(r"\bSET\s+spark\.sql\.session\.timeZone\s*=\s*(?P<zone>[\w/+:-]+)", re.IGNORECASE)
_CONF_PYTHON = re.compile(
    r"""\.conf\.set\(\s*(["'])spark\.sql\.session\.timeZone\1\s*,\s*(["'])(?P<zone>[^"'\n]*)\2""", re.IGNORECASE
)


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Offer the pack's time zone wherever the notebook sets another one."""
    setting = view.settings[RULE]
    wanted = str(setting.options.get("zone") or "")
    for cell in view.notebook.cells:
        for span, zone in _zones(cell):
            if wanted and zone != wanted:
                yield Proposal(
                    rule=RULE,
                    edit_class=EditClass.SEMANTIC,
                    apply=setting.apply,
                    reason=f"the conventions ask for {wanted}; current_date and timestamp casts would move from {zone}",
                    hunks=(CellEdit(cell.index, span, wanted),),
                    findings=(_offered(cell, span, zone, wanted, applied=setting.apply),),
                )


def _zones(cell: Cell) -> Iterator[tuple[Span, str]]:
    patterns = {Language.SQL: (_SQL, _CONF_SQL), Language.PYTHON: (_CONF_PYTHON, _SQL)}.get(cell.language, ())
    for pattern in patterns:
        for match in pattern.finditer(cell.source, cell.body.start, cell.body.end):
            if not _commented(cell, match.start()):
                yield Span(*match.span("zone")), match["zone"]


def _commented(cell: Cell, offset: int) -> bool:
    line = cell.source[cell.source.rfind("\n", 0, offset) + 1 : offset].lstrip()
    return line.startswith(("--", "#"))


def _offered(cell: Cell, span: Span, zone: str, wanted: str, *, applied: bool) -> Finding:
    return Finding(
        code="time-zone-change",
        severity=Severity.INFO,
        message=f"the session's time zone {'changes' if applied else 'could change'} from {zone} to {wanted}, "
        "which changes data: dates around midnight and casts of timestamps",
        remedy="give time-zone `options: {apply: true}` in the rule pack to accept it, or leave the zone as it is",
        cell=cell.index,
        line=cell.source.count("\n", 0, span.start) + 1,
    )


def propose_run_date(view: NotebookView) -> Iterator[Proposal]:
    """Say where a date that Python computes reaches SQL: the driver's clock and zone, read once, not current_date()."""
    for cell in view.notebook.cells:
        match = _NOW.search(cell.code) if cell.language is Language.PYTHON else None
        if match and any(_USED.search(c.code) for c in view.notebook.cells if c.language is Language.PYTHON):
            offset = cell.body.start + match.start()
            yield Proposal(
                rule=RUN_DATE,
                edit_class=EditClass.SEMANTIC,
                apply=False,
                reason="a date from Python's clock is the driver's, taken once",
                hunks=(),
                findings=(_run_date(cell, offset),),
            )


def _run_date(cell: Cell, offset: int) -> Finding:
    return Finding(
        code="run-date-in-python",
        severity=Severity.INFO,
        message="the run's date is taken from Python's clock, in the driver's zone, once; current_date() would be taken "
        "by each query in the session's zone",
        remedy="freeze it once in a widget or a session variable if the notebook may run over midnight",
        cell=cell.index,
        line=cell.source.count("\n", 0, offset) + 1,
    )
