"""The plan as a JSON document, format 1."""

from __future__ import annotations

from typing import Any

from brickyard.migrate.model.nouns import Edit, Finding, NotebookPlan, Plan, ReferenceRow
from brickyard.notebooks.model import Position

FORMAT = 1


def plan_document(plan: Plan) -> dict[str, Any]:
    """The whole plan, as `plan --output json` prints it."""
    notebooks = [document(notebook) for notebook in plan.notebooks]
    return {"format": FORMAT, "hash": plan.hash, "notebooks": notebooks, "summary": plan.summary}


def document(plan: NotebookPlan) -> dict[str, Any]:
    """One notebook of the plan."""
    return {
        "path": plan.path,
        "outcome": plan.readiness.value,
        "references": [_reference(row) for row in plan.references],
        "edits": [_edit(edit) for edit in plan.edits],
        "findings": [_finding(finding) for finding in plan.findings],
        "children": list(plan.children),
        "maintenance": list(plan.maintenance),
    }


def _reference(row: ReferenceRow) -> dict[str, Any]:
    return {
        "original": row.original,
        "refactored": row.refactored,
        "kind": row.kind.value,
        "side": row.side.value,
        "rule": row.rule,
        "text": row.text,
        "verb": row.verb,
        **_position(row.position),
    }


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "id": edit.id,
        "group": edit.group,
        "rule": edit.rule,
        "class": edit.edit_class.value,
        "verdict": edit.verdict.value,
        "applied": edit.applied,
        "reason": edit.reason,
        "before": edit.before,
        "after": edit.after,
        "conditions": [{"text": c.text, "holds": c.holds} for c in edit.conditions],
        **_position(edit.position),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "remedy": finding.remedy,
        "cell": finding.cell,
        "line": finding.line,
        "subject": finding.subject,
    }


def _position(where: Position) -> dict[str, int]:
    return {
        "cell": where.cell,
        "line": where.line,
        "column": where.column,
        "end_line": where.end_line,
        "end_column": where.end_column,
    }
