"""Draws repeat with their seed, and exact amounts stay exact."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from brickyard.health.synthetic import draw

NANOS = st.integers(-(10**18), 10**18)
RESTS = st.integers(0, draw.NANO - 1)


@given(st.lists(st.tuples(NANOS, RESTS), max_size=20))
def test_decimals_are_nanos_and_a_rest_to_the_last_digit(amounts: list[tuple[int, int]]) -> None:
    nanos = np.asarray([each for each, _ in amounts], dtype=np.int64)
    rest = np.asarray([each for _, each in amounts], dtype=np.int64)
    with localcontext(prec=38):
        expected = [Decimal(whole * draw.NANO + part).scaleb(-18) for whole, part in amounts]
    assert draw.decimals(nanos, rest).to_pylist() == expected


def test_the_same_labels_give_the_same_draws_and_others_do_not() -> None:
    first, again, other = (draw.generator(7, "jobs", part) for part in (1, 1, 2))
    assert draw.uuids(first, 3) == draw.uuids(again, 3)
    assert draw.uuids(first, 3) != draw.uuids(other, 3)


def test_ids_have_their_width() -> None:
    rng = draw.generator(7, "ids")
    assert {len(each) for each in draw.hex_ids(rng, 5, 16).to_pylist()} == {16}
    assert {len(each) for each in draw.uuids(rng, 5).to_pylist()} == {36}
    assert draw.hex_ids(rng, 0).to_pylist() == []
    assert len(set(draw.numbers(rng, 1_000, 4).tolist())) == 1_000


@given(st.integers(0, 50), st.floats(0, 1), st.integers(0, 5))
def test_some_are_distinct_and_never_too_few(size: int, share: float, at_least: int) -> None:
    chosen = draw.some(draw.generator(7, size), size, share, at_least).tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(size, max(at_least, round(share * size)))


def test_only_keeps_values_under_the_mask() -> None:
    mask = np.asarray([True, False])
    assert draw.only(mask, pa.array(["a", "b"])).to_pylist() == ["a", None]
    assert draw.either(mask, pa.array(["a", "b"]), pa.array(["c", "d"])).to_pylist() == ["a", "d"]
