"""Statements that leave the notebook: maintenance goes to a manifest, SELECTs that only display are offered for removal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from brickyard.dbsql.model import Statement
from brickyard.migrate.model import Condition, EditClass, Finding, Proposal, Severity
from brickyard.migrate.plan.rewrites.truncate_insert import take_out
from brickyard.migrate.plan.rewrites.view import NotebookView, SqlUnit
from brickyard.notebooks.model import Language

MAINTENANCE = {"OPTIMIZE": "remove-optimize", "ANALYZE": "remove-analyze", "VACUUM": "remove-vacuum"}
DISPLAY = "remove-display-selects"
_PROPOSALS = {
    "OPTIMIZE": "predictive optimization, or a job of its own",
    "ANALYZE": "predictive optimization keeps statistics of managed tables",
    "VACUUM": "predictive optimization, or a job of its own",
}
_ACTING = re.compile(r"\b(assert_true|raise_error)\b", re.IGNORECASE)
_CALL = re.compile(r"\b(?:\w+|`[^`]+`)\.(?:\w+|`[^`]+`)\s*\(")


def propose_maintenance(view: NotebookView) -> Iterator[Proposal]:
    """Take OPTIMIZE, ANALYZE and VACUUM out of SQL cells; what is taken out stands in the maintenance manifest."""
    wanted = {verb for verb, rule in MAINTENANCE.items() if rule in view.settings}
    for unit, statement in _statements(view, wanted):
        rule = MAINTENANCE[statement.verb.split(" ")[0]]
        setting = view.settings[rule]
        if unit.embedded:
            yield _advice(unit, statement, rule)
            continue
        yield Proposal(
            rule=rule,
            edit_class=setting.edit_class,
            apply=setting.apply,
            reason=f"{statement.verb} does not change a row; it moves to the maintenance manifest",
            hunks=tuple(take_out(view.notebook, unit, statement)),
            conditions=(Condition("predictive optimization or a maintenance job takes it over", None),),
            maintenance=entry(view, unit, statement),
        )


def _advice(unit: SqlUnit, statement: Statement, rule: str) -> Proposal:
    return Proposal(
        rule=rule,
        edit_class=EditClass.ADVICE,
        apply=False,
        reason=f"{statement.verb} inside Python is left for a person to take out",
        hunks=(),
        findings=(
            Finding(
                code="maintenance-in-python",
                severity=Severity.INFO,
                message=f"{statement.verb} stands inside Python code and was left there",
                remedy="move it to a maintenance job, or leave it to predictive optimization",
                cell=unit.cell,
            ),
        ),
    )


def entry(view: NotebookView, unit: SqlUnit, statement: Statement) -> dict[str, Any]:
    """The manifest's line for a statement: its text, its table, and liquid clustering where it was Z-ordered."""
    zorder = statement.arguments.get("zorder_by")
    table = next((view.name_of(unit, r) for r in statement.references), None)
    columns = [str(c) for c in zorder] if isinstance(zorder, list | tuple) else []
    return {
        "statement": statement.span.slice(unit.text),
        "verb": statement.verb,
        "table": table,
        "cell": unit.cell,
        "cluster_by": columns,
        "proposal": f"CLUSTER BY ({', '.join(columns)})" if columns else _PROPOSALS[statement.verb.split(" ")[0]],
    }


def _statements(view: NotebookView, verbs: set[str]) -> Iterator[tuple[SqlUnit, Statement]]:
    for unit in view.units:
        for statement in unit.script.statements:
            if statement.verb.split(" ")[0] in verbs and not statement.error:
                yield unit, statement


def propose_display(view: NotebookView) -> Iterator[Proposal]:
    """Offer to take out SELECTs whose result nobody uses; never assertions, calls, `_sqldf` sources or the last result."""
    setting = view.settings[DISPLAY]
    shown = [(u, s) for u, s in _statements(view, {"SELECT"}) if not u.embedded]
    last = shown[-1] if shown and shown[-1][0].cell == _last_code_cell(view) else None
    for unit, statement in shown:
        text = statement.span.slice(unit.text)
        if _ACTING.search(text) or _CALL.search(text):
            continue
        unused = not _result_used(view, unit)
        final = (unit, statement) == last
        yield Proposal(
            rule=DISPLAY,
            edit_class=setting.edit_class,
            apply=setting.apply and unused and not final,
            reason="the SELECT only displays rows",
            hunks=tuple(take_out(view.notebook, unit, statement)),
            conditions=(
                Condition("`_sqldf` is not read before the next SQL result", unused),
                Condition("it is not the notebook's last result, which a job or dashboard may show", not final),
            ),
        )


def _last_code_cell(view: NotebookView) -> int | None:
    code = [c.index for c in view.notebook.cells if c.language in (Language.SQL, Language.PYTHON) and c.code.strip()]
    return code[-1] if code else None


def _result_used(view: NotebookView, unit: SqlUnit) -> bool:
    for cell in view.notebook.cells:
        if cell.index > unit.cell:
            if "_sqldf" in cell.source:
                return True
            if cell.language is Language.SQL:
                return False
    return False
