"""What a run has shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import Outcome, Severity
from brickyard.migrate.model.runs import Commit, TableComparison, TaskResult
from brickyard.migrate.plan import verdict
from brickyard.migrate.plan.verdict import Ending

FINE = [TaskResult("original", "SUCCESS"), TaskResult("refactored", "SUCCESS")]
BROKEN = TaskResult("refactored", "FAILED", error="ValueError: x", cell=3, trace="…")


def compared(*outcomes: Outcome) -> list[TableComparison]:
    return [TableComparison("a.b.c", "x.y.z", ("", ""), outcome) for outcome in outcomes]


def test_two_notebooks_that_ran_leave_the_judgement_to_the_tables():
    assert verdict.run_ending(FINE) is None
    assert verdict.run_ending(FINE[1:]) is None


@pytest.mark.parametrize(
    ("tasks", "outcome", "code"),
    [
        ([FINE[0], BROKEN], Outcome.FAILED, "notebook-failed"),
        ([TaskResult("original", "FAILED", error="E", trace="t"), FINE[1]], Outcome.UNPROVED, "original-failed"),
        ([FINE[0], TaskResult("refactored", "FAILED", message="driver lost")], Outcome.FAILED, "run-lost"),
        ([TaskResult("original", "FAILED", message="driver lost"), FINE[1]], Outcome.FAILED, "run-lost"),
        ([FINE[0], TaskResult("refactored", "CANCELED")], Outcome.FAILED, "run-stopped"),
        ([], Outcome.FAILED, "run-lost"),
    ],
)
def test_a_run_that_did_not_end_well_settles_the_matter(tasks: list[TaskResult], outcome: Outcome, code: str):
    found = verdict.run_ending(tasks)
    assert found is not None
    assert (found.outcome, found.code) == (outcome, code)


def test_the_cell_that_failed_is_named():
    found = verdict.run_ending([FINE[0], BROKEN])
    assert found == Ending(Outcome.FAILED, "notebook-failed", "the refactored notebook failed in cell 3: ValueError: x")


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((Outcome.RECONCILED,), (Outcome.RECONCILED, None)),
        ((Outcome.RECONCILED, Outcome.DIFFERS, Outcome.UNPROVED), (Outcome.DIFFERS, "tables-differ")),
        ((Outcome.RECONCILED, Outcome.UNPROVED), (Outcome.UNPROVED, "not-compared")),
    ],
)
def test_the_worst_table_decides(outcomes: tuple[Outcome, ...], expected: tuple[Outcome, str | None]):
    found = verdict.outcome(compared(*outcomes), None)
    assert (found.outcome, found.code) == expected


def test_where_the_original_failed_the_tables_can_only_confirm():
    before = Ending(Outcome.UNPROVED, "original-failed", "it failed")
    assert verdict.outcome(compared(Outcome.RECONCILED), before) == Ending(Outcome.RECONCILED)
    assert verdict.outcome(compared(Outcome.DIFFERS), before) == before
    assert verdict.outcome([], before) == before


def test_a_table_that_our_own_run_has_written_halts_and_anothers_change_is_told():
    name = TableName("a", "b", "c")
    commit = Commit(4, datetime(2026, 11, 20, tzinfo=UTC), "WRITE", job_run_id="17")
    (ours,) = verdict.moved_findings({name: commit}, ["17"])
    (theirs,) = verdict.moved_findings({name: commit}, ["18"])
    assert (ours.code, ours.severity) == ("outside-write", Severity.HALT)
    assert (theirs.code, theirs.severity) == ("source-moved", Severity.INFO)
