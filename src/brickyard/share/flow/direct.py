"""One step that a direct route asks for, through the same guards, journal and audit as a pack."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import RunRecord
from brickyard.share.model.steps import Step


def direct(context: Context, step: Step, *, adopt: bool = False) -> RunRecord:
    """Perform one step now and return its run, or raise what Databricks or a guard said."""
    raise NotImplementedError
