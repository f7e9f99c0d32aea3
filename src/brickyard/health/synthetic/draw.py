"""Seeded draws, whole columns at a time: identifiers, choices, moments and exact decimals."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow.compute import call_function

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NANO = 1_000_000_000


def generator(seed: int, *labels: str | int) -> np.random.Generator:
    """Return the random stream of these labels: the same labels and seed give the same draws on every machine."""
    words = [zlib.crc32(str(label).encode()) for label in labels]
    return np.random.default_rng(np.random.SeedSequence([seed & 0xFFFFFFFF, *words]))


def hex_ids(rng: np.random.Generator, size: int, width: int = 32) -> pa.Array:
    """Draw identifiers of *width* hexadecimal digits (an even number)."""
    text = rng.bytes(size * width // 2).hex().encode()
    return _fixed_width(text, size, width)


def uuids(rng: np.random.Generator, size: int) -> pa.Array:
    """Draw identifiers written as UUIDs."""
    digits = np.frombuffer(rng.bytes(size * 16).hex().encode(), dtype=np.uint8).reshape(size, 32)
    text = np.full((size, 36), ord("-"), dtype=np.uint8)
    for start, stop, at in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, at : at + stop - start] = digits[:, start:stop]
    return _fixed_width(text.tobytes(), size, 36)


def _fixed_width(text: bytes, size: int, width: int) -> pa.Array:
    offsets = np.arange(0, (size + 1) * width, width, dtype=np.int32)[: size + 1]
    return pa.StringArray.from_buffers(size, pa.py_buffer(offsets), pa.py_buffer(text))


def digits(numbers: Ints) -> pa.Array:
    """Write whole numbers as text, as the platform writes its ids."""
    return pa.array(numbers, pa.int64()).cast(pa.string())


def numbers(rng: np.random.Generator, size: int, width: int) -> Ints:
    """Draw distinct numbers of exactly *width* decimal digits."""
    low, high = 10 ** (width - 1), 10**width
    drawn = np.unique(rng.integers(low, high, size=size + size // 8 + 16))
    return rng.permutation(drawn)[:size].astype(np.int64)


def pick(values: Sequence[Any], index: Ints, kind: pa.DataType | None = None) -> pa.Array:
    """Look values up by position; None among the values stays null, nested values need their *kind*."""
    pool = pa.array(values, type=kind) if kind is not None else pa.array(values)
    return pool.take(pa.array(index))


def choose(rng: np.random.Generator, weights: Sequence[float] | Floats, size: int) -> Ints:
    """Draw positions with these relative weights."""
    limits = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(limits / limits[-1], rng.random(size), side="right").astype(np.int64)


def some(rng: np.random.Generator, size: int, share: float, at_least: int = 1) -> Ints:
    """Draw distinct positions below *size*, about this share of them but never fewer than *at_least* if there are."""
    wanted = min(size, max(at_least, round(share * size)))
    return np.sort(rng.choice(size, size=wanted, replace=False)).astype(np.int64)


def within(size: int, index: Ints) -> Mask:
    """Return the mask of these positions."""
    mask = np.zeros(size, dtype=np.bool_)
    mask[index] = True
    return mask


def only(mask: Mask, values: pa.Array) -> pa.Array:
    """Keep the values under the mask and make the others null."""
    return call_function("if_else", [pa.array(mask), values, pa.scalar(None, values.type)])


def either(mask: Mask, there: pa.Array, elsewhere: pa.Array) -> pa.Array:
    """Return the values of the first under the mask and those of the second elsewhere."""
    return call_function("if_else", [pa.array(mask), there, elsewhere])


def join(*parts: pa.Array | str) -> pa.Array:
    """Write texts behind each other."""
    return call_function(
        "binary_join_element_wise",
        [*(pa.scalar(each) if isinstance(each, str) else each for each in parts), pa.scalar("")],
    )


def lognormal(rng: np.random.Generator, median: float, spread: float, size: int) -> Floats:
    """Draw positive amounts around a median; *spread* is the deviation of their logarithm."""
    return median * np.exp(spread * rng.standard_normal(size))


def decimals(nanos: Ints, rest: Ints | int = 0) -> pa.Array:
    """Make decimal(38,18) of nanos (1e-9) plus *rest* (1e-18, from 0 to 999,999,999) without rounding."""
    high_part = (nanos >> np.int64(32)) * np.int64(NANO)
    low_part = (nanos & np.int64(0xFFFFFFFF)) * np.int64(NANO) + rest
    shifted = high_part.astype(np.uint64) << np.uint64(32)
    low = shifted + low_part.astype(np.uint64)
    high = (high_part >> np.int64(32)) + (low < shifted).astype(np.int64)
    words = np.empty((len(nanos), 2), dtype=np.uint64)
    words[:, 0], words[:, 1] = low, high.astype(np.uint64)
    return pa.Array.from_buffers(pa.decimal128(38, 18), len(nanos), [None, pa.py_buffer(words.tobytes())])
