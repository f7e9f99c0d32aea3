"""The plan as a person reads it at a terminal: the diff, what is to be said, the mapping, the worklist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from itertools import chain

from brickyard.kernel.terminal import plural, table
from brickyard.migrate.model.nouns import Edit, NotebookPlan, Plan
from brickyard.migrate.plan.worklist import WorkItem


def plan_text(plan: Plan, items: Sequence[WorkItem], *, diff: bool) -> str:
    """Say what would become of the notebooks."""
    blocks = [*_notebooks(plan.notebooks, diff)]
    if len(plan.notebooks) > 1:
        blocks.append(_worklist(items))
    blocks += [_mapping(plan.notebooks), *_refused(plan), _totals(plan)]
    return "\n\n".join(block for block in blocks if block)


def _notebooks(plans: Sequence[NotebookPlan], diff: bool) -> Iterator[str]:
    for plan in plans:
        lines = chain(diff_lines(plan) if diff else (), _findings(plan), _offered(plan.edits) if diff else ())
        body = "\n".join(lines)
        if body or len(plans) == 1:
            yield f"{plan.path}: {plan.readiness.value}\n{body}".rstrip()


def diff_lines(plan: NotebookPlan) -> Iterator[str]:
    """The change of a notebook's text, with the edits' ids."""
    before, after = _decoded(plan), plan.refactored
    if before is None or after is None or before == after:
        return
    yield from unified_diff(
        before.splitlines(), after.splitlines(), plan.path, f"{plan.path} (refactored)", lineterm="", n=2
    )
    for edit in plan.edits:
        if edit.applied:
            yield f"  {edit.id}  line {edit.position.line}  {edit.rule} ({edit.edit_class.value}, {edit.verdict.value}): {edit.reason}"


def _decoded(plan: NotebookPlan) -> str | None:
    return plan.notebook.text if plan.notebook else None


def _findings(plan: NotebookPlan) -> Iterator[str]:
    for finding in plan.findings:
        where = f":{finding.line}" if finding.line else ""
        yield f"  {finding.severity.value:<4}  {plan.path}{where}  {finding.code}: {finding.message}"
        yield f"        to do: {finding.remedy}"


def _offered(edits: Iterable[Edit]) -> Iterator[str]:
    for edit in edits:
        if not edit.applied:
            yield f"  {edit.id}  line {edit.position.line}  {edit.rule}: {edit.reason}"


def _worklist(items: Sequence[WorkItem]) -> str:
    rows = [(i.order, i.path, i.outcome, i.halts, i.warnings, ", ".join(i.after) or "-", i.cycle or "-") for i in items]
    return table(("#", "notebook", "outcome", "halts", "warnings", "after", "cycle"), rows)


def _mapping(plans: Iterable[NotebookPlan]) -> str:
    rows = {
        (r.original or f"? {r.text}", r.refactored or "-", r.side.value, r.kind.value)
        for p in plans
        for r in p.references
    }
    return table(("original_3_level", "refactored_3_level", "side", "kind"), sorted(rows)) if rows else ""


def _refused(plan: Plan) -> Iterator[str]:
    for refused in plan.summary.get("refused", ()):
        yield f"{refused['path']}: {refused['message']}\n  to do: {refused['remedy']}"


def _totals(plan: Plan) -> str:
    summary = plan.summary
    outcomes = ", ".join(f"{count} {name}" for name, count in summary["outcomes"].items())
    references, edits = plural(summary["references"], "reference"), plural(summary["edits"], "edit")
    notebooks = plural(summary["notebooks"], "notebook")
    return f"{notebooks}: {outcomes}\n{references}, {summary['applied']} of {edits} applied\nplan {plan.hash}"
