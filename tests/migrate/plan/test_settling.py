"""Which edits are applied: overlaps, requests, proofs, and names inside what a rewrite moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migrate.plan.planning import VELOCITY, plan

from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.nouns import Condition, Edit, EditClass, Proposal, Verdict
from brickyard.migrate.model.pack import Maintenance
from brickyard.migrate.plan import draft, finish, plan_notebook
from brickyard.migrate.plan.settle import settle
from brickyard.migrate.plan.soundness import sound
from brickyard.notebooks.edit import apply_edits
from brickyard.notebooks.model import CellEdit, Span
from brickyard.notebooks.parse import parse

TEXT = "SELECT a FROM db.t WHERE x = 1;"
NOTEBOOK = parse("n.sql", TEXT.encode())
OPTIONS = PlanOptions(VELOCITY)
DEMO = Path(__file__).parents[3] / "src/brickyard/demo/assets/notebooks"


def hunk(old: str, new: str, start: int = 0) -> CellEdit:
    at = TEXT.index(old, start)
    return CellEdit(1, Span(at, at + len(old)), new)


def proposal(*hunks: CellEdit, rule: str = "r", **more: object) -> Proposal:
    return Proposal(rule, EditClass.EXACT, "because", hunks, **more)  # pyrefly: ignore


def settled(
    rewrites: list[Proposal], renames: list[Proposal] | None = None, options: PlanOptions = OPTIONS
) -> list[Edit]:
    return list(settle(NOTEBOOK, rewrites, renames or [], options, {}))


def text_of(edits: list[Edit]) -> str:
    return apply_edits(NOTEBOOK, [edit.hunk for edit in edits if edit.applied])


def test_the_earlier_of_two_overlapping_rewrites_is_applied_and_the_later_says_why_not():
    edits = settled([proposal(hunk("a FROM", "b FROM")), proposal(hunk("SELECT a", "SELECT c"), rule="s")])
    assert text_of(edits) == "SELECT b FROM db.t WHERE x = 1;"
    first = next(edit for edit in edits if edit.applied)
    assert [e.reason for e in edits if not e.applied] == [f"because — not applied: it overlaps edit {first.group}"]


def test_the_hunks_of_a_proposal_are_applied_together_or_not_at_all():
    both = proposal(hunk("SELECT", "select"), hunk("a FROM", "b FROM"), rule="late")
    edits = settled([proposal(hunk("FROM", "from")), both])
    assert text_of(edits) == "SELECT a from db.t WHERE x = 1;"
    assert len({edit.group for edit in edits if not edit.applied}) == 1


def test_what_takes_a_text_out_comes_before_what_changes_it():
    edits = settled([proposal(hunk("x = 1", "x = 2")), proposal(hunk(" WHERE x = 1", ""))])
    assert text_of(edits) == "SELECT a FROM db.t;"


def test_a_rename_inside_of_a_rewrite_is_carried_into_its_text():
    rename = proposal(hunk("db.t", "c.s.t"), rule="names")
    edits = settled([proposal(hunk("FROM db.t WHERE x = 1", "FROM db.t QUALIFY x = 1"))], [rename])
    assert text_of(edits) == "SELECT a FROM c.s.t QUALIFY x = 1;"
    assert [edit.rule for edit in edits] == ["r"]


def test_a_rewrite_that_cuts_through_a_name_is_left_out():
    edits = settled([proposal(hunk("FROM db", "FROM other"))], [proposal(hunk("db.t", "c.s.t"), rule="names")])
    assert text_of(edits) == "SELECT a FROM c.s.t WHERE x = 1;"


def test_an_edit_or_its_group_is_left_out_on_request():
    one = proposal(hunk("a FROM", "b FROM"))
    [edit] = settled([one])
    for skipped in (edit.id, edit.group):
        [left] = settled([one], options=PlanOptions(VELOCITY, skip=frozenset({skipped})))
        assert (left.id, left.applied, left.reason) == (edit.id, False, "because — not applied: left out on request")


def test_failed_conditions_advice_and_quiet_proposals_are_shown_and_not_applied():
    failed = proposal(hunk("a FROM", "b FROM"), conditions=(Condition("no ties", False), Condition("seen", None)))
    quiet = proposal(hunk("x = 1", "x = 2"), apply=False)
    advice = Proposal("adv", EditClass.ADVICE, "because", (hunk("SELECT", "select"),))
    assert [edit.reason.partition("not applied: ")[2] for edit in settled([failed, quiet, advice])] == [
        "advice is never applied",
        "this does not hold: no ties",
        "offered; the rule pack does not ask for it",
    ]


def test_a_counterexample_blocks_and_a_required_proof_lets_only_proven_edits_through():
    source = Source("n.sql", b"SELECT * FROM va_alms_prd.t")
    strict = draft(source, PlanOptions(VELOCITY, require_proof=True))
    free = draft(source, OPTIONS)
    [edit] = [e for e in finish(free).edits if e.rule == "alms"]
    verdicts = [None, Verdict.PROVEN, Verdict.COUNTEREXAMPLE]
    applied = [
        [any(e.applied for e in finish(made, {edit.group: v} if v else {}).edits) for v in verdicts]
        for made in (free, strict)
    ]
    assert applied == [[True, True, False], [False, True, False]]


def test_ids_are_the_same_for_the_same_text_and_differ_between_places():
    first, second = (plan("SELECT * FROM va_alms_prd.t JOIN va_alms_prd.t u USING (a)", "n.sql") for _ in range(2))
    assert [edit.id for edit in first.edits] == [edit.id for edit in second.edits]
    assert len({edit.id for edit in first.edits}) == len(first.edits) == 2


def test_edits_that_would_break_a_python_cell_are_not_made():
    made = plan("x = 'va_alms_prd.t'\nspark.table(x)")
    [edit] = made.edits
    assert made.notebook is not None
    torn = replace(edit, hunk=replace(edit.hunk, replacement="a'b"))
    edits, findings = sound(made.notebook, [torn])
    assert ([e.applied for e in edits], [f.code for f in findings]) == ([False], ["edit-unsound"])
    assert sound(made.notebook, [edit]) == ((edit,), ())


SPANS = st.tuples(st.integers(0, len(TEXT)), st.integers(0, 6)).map(lambda s: Span(s[0], min(s[0] + s[1], len(TEXT))))
PROPOSALS = st.lists(
    st.lists(st.builds(lambda s, t: CellEdit(1, s, t), SPANS, st.sampled_from(["", "x", "yy"])), min_size=1, max_size=1)
)


@given(PROPOSALS, PROPOSALS)
def test_whatever_is_proposed_the_applied_edits_never_overlap(
    rewrites: list[list[CellEdit]], renames: list[list[CellEdit]]
):
    edits = settled([proposal(*hunks) for hunks in rewrites], [proposal(*hunks, rule="n") for hunks in renames])
    assert isinstance(text_of(edits), str)


def test_maintenance_that_is_taken_out_stands_in_the_manifest_as_the_pack_says():
    text = "OPTIMIZE va_alms_prd.t ZORDER BY (a);\nSELECT 1"
    policies = [{}, {"zorder": "keep"}, {"keep": "drop"}]
    packs = [VELOCITY.model_copy(update={"maintenance": Maintenance.model_validate(p)}) for p in policies]
    found = [plan(text, "n.sql", rules=rules).maintenance for rules in packs]
    assert [[(entry["table"], entry["cluster_by"]) for entry in entries] for entries in found] == [
        [("foreign_edp_prd_hive.va_alms_prd.t", ["a"])],
        [("foreign_edp_prd_hive.va_alms_prd.t", [])],
        [],
    ]


@pytest.mark.parametrize("name", sorted(p.name for p in DEMO.glob("0*.*") if p.suffix != ".ipynb"))
def test_the_edits_put_into_the_file_by_their_positions_give_the_refactored_file(name: str):
    made = plan_notebook(Source(name, (DEMO / name).read_bytes()), OPTIONS)
    assert made.notebook is not None
    text = made.notebook.text
    starts = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]
    for edit in sorted(
        (e for e in made.edits if e.applied), key=lambda e: e.position.line * 10_000 + e.position.column
    )[::-1]:
        at = edit.position
        start, end = starts[at.line - 1] + at.column - 1, starts[at.end_line - 1] + at.end_column - 1
        assert text[start:end] == edit.before
        text = text[:start] + edit.after + text[end:]
    assert text == made.refactored
