"""The measured goals, on smaller corpora: references with exact spans, and plans that change what they must."""

from __future__ import annotations

import pytest
from bench.corpus import heldout, notebooks
from bench.corpus.references import SHAPES, generate
from bench.plan_offline import Result, measure
from bench.references import score, score_held_out


def faults(result: Result) -> tuple[int, list[str]]:
    return result.aborted, result.faults


def test_every_shape_of_reference_is_found_with_its_exact_span_and_nothing_else():
    total = score(generate(seed=3, each=3))
    assert set(total.expected) == {shape.id for shape in SHAPES}
    assert (total.missed, total.wrong, total.wrong_side) == ([], [], [])


def test_every_shape_that_others_thought_of_is_found_and_nothing_else():
    total = score_held_out(list(heldout.generate(repeats=2)))
    assert set(total.expected) == heldout.SHAPES.keys() | heldout.ALONE.keys() | heldout.CHILDREN.keys()
    assert (total.missed, total.wrong, total.wrong_side) == ([], [], [])
    assert total.decoys / (total.decoys + total.expected.total()) >= 0.3


def test_at_least_three_tenths_of_the_corpus_only_look_like_references():
    samples = generate(seed=3, each=3)
    decoys, references = sum(s.decoys for s in samples), sum(len(s.expected) for s in samples)
    assert decoys / (decoys + references) >= 0.3


def test_plans_keep_other_bytes_are_final_and_yield_the_mapping():
    result = measure(notebooks.generate(seed=5, count=56), workers=1)
    assert faults(result) == (0, [])
    assert result.applied >= 3 * result.notebooks
    assert result.ratio <= 1.2


@pytest.mark.full
def test_the_whole_corpora_reach_their_goals():
    total = score(generate())
    assert total.expected.total() >= 2000
    assert total.recall >= 0.995
    assert (total.wrong, total.wrong_side) == ([], [])
    others = score_held_out(list(heldout.generate()))
    assert others.good, others.faults(10)
    assert faults(measure(notebooks.generate(count=1000), workers=2)) == (0, [])
