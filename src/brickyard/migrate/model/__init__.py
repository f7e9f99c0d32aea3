"""What migrate speaks about (`nouns`), and what a user hands over: rule packs (`pack`), mappings and parameters (`inputs`)."""

from brickyard.migrate.model.nouns import (
    Condition,
    Edit,
    EditClass,
    Finding,
    NotebookPlan,
    Outcome,
    Plan,
    Proposal,
    Readiness,
    ReferenceRow,
    Severity,
    Verdict,
)

__all__ = [
    "Condition",
    "Edit",
    "EditClass",
    "Finding",
    "NotebookPlan",
    "Outcome",
    "Plan",
    "Proposal",
    "Readiness",
    "ReferenceRow",
    "Severity",
    "Verdict",
]
