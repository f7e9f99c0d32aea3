"""How a bill is corrected: rows taken back and stated anew, in one round or two, soon or weeks later."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.synthetic import arrival, columns, draw
from brickyard.health.synthetic.draw import DAY
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.world import World

TOO_LARGE = Decimal("12345678901.5")  # eleven digits before the point: does not fit decimal(28,18)


def corrections(world: World, span: Period, rng: np.random.Generator, base: pa.Table) -> list[pa.Table]:
    """Return retractions and restatements of the rows of a span, and the two rows that nobody may count."""
    arrived = arrival.moments(base)
    early = np.flatnonzero((arrived < world.period.stop - 8 * DAY) | (arrived < span.start + 2 * DAY))
    taken = base.take(pa.array(early[draw.some(rng, len(early), 0.006, 20)]))
    first = taken.num_rows // 5
    weeks = taken.slice(0, first)
    lots = np.array_split(first + rng.permutation(taken.num_rows - first), 4)
    same, alone, renewed, twice = (taken.take(pa.array(lot)) for lot in lots)
    rows = [
        *_round(world, rng, same, restated=(9, 10)),
        *_round(world, rng, alone, restated=None, new_id=True),
        *_round(world, rng, renewed, restated=(5, 4), new_id=True),
        *_twice(world, rng, twice),
        *_round(world, rng, weeks, restated=(1, 2), wait=(14 * DAY, 28 * DAY)),
        *_across_the_month(world, rng, base),
    ]
    return [*rows, *_refused(world, rng, base)] if span.start == world.period.start else rows


def _round(
    world: World,
    rng: np.random.Generator,
    originals: pa.Table,
    *,
    restated: tuple[int, int] | None,
    new_id: bool = False,
    wait: tuple[int, int] = (2 * DAY, 5 * DAY),
) -> list[pa.Table]:
    """Return one round of corrections: every original taken back, and stated anew as a fraction of itself."""
    moved = _ingested(arrival.later(originals, rng.integers(*wait, originals.num_rows), world))
    back = _typed(moved, "RETRACTION", call_function("negate", [moved.column("usage_quantity").combine_chunks()]))
    if new_id:
        back = arrival.replaced(back, "record_id", draw.uuids(rng, back.num_rows))
    if restated is None:
        return [back]
    anew = _typed(moved, "RESTATEMENT", _scaled(moved.column("usage_quantity"), *restated))
    return [back, arrival.replaced(anew, "record_id", draw.uuids(rng, anew.num_rows)) if new_id else anew]


def _twice(world: World, rng: np.random.Generator, originals: pa.Table) -> list[pa.Table]:
    first = _round(world, rng, originals, restated=(9, 10))
    return [*first, *_round(world, rng, first[1], restated=(8, 10))]


def _across_the_month(world: World, rng: np.random.Generator, base: pa.Table) -> list[pa.Table]:
    """Correct rows of the last days of a month in the month after."""
    start = arrival.moments(base, "usage_start_time").astype("datetime64[us]")
    in_month = (start - start.astype("datetime64[M]")).astype(np.int64) // DAY
    positions = np.flatnonzero((in_month >= 27) & (start.astype(np.int64) < world.period.stop - 8 * DAY))
    if len(positions) == 0:
        return []
    chosen = positions[draw.some(rng, len(positions), 0.004, 3)]
    return _round(world, rng, base.take(pa.array(chosen)), restated=(3, 4), wait=(6 * DAY, 8 * DAY))


def _refused(world: World, rng: np.random.Generator, base: pa.Table) -> list[pa.Table]:
    """Return a retraction that adds and an amount too large for the bill: both belong in quarantine."""
    wrong = _ingested(arrival.later(base.slice(5, 1), np.asarray([3 * DAY]), world))
    wrong = arrival.replaced(wrong, "record_id", draw.uuids(rng, 1))
    large = arrival.replaced(base.slice(9, 1), "record_id", draw.uuids(rng, 1))
    return [
        arrival.replaced(wrong, "record_type", pa.array(["RETRACTION"])),
        arrival.replaced(large, "usage_quantity", pa.array([TOO_LARGE], pa.decimal128(38, 18))),
    ]


def _ingested(rows: pa.Table) -> pa.Table:
    return arrival.replaced(rows, "ingestion_date", columns.dates(arrival.moments(rows)))


def _typed(rows: pa.Table, record_type: str, quantity: pa.Array) -> pa.Table:
    typed = arrival.replaced(rows, "record_type", pa.array([record_type] * rows.num_rows, pa.string()))
    return arrival.replaced(typed, "usage_quantity", quantity)


def _scaled(quantity: pa.ChunkedArray, times: int, parts: int) -> pa.Array:
    """Multiply decimals by a fraction, cut to 18 decimals."""
    values = [value.as_py() for value in quantity]
    unit = Decimal(1).scaleb(-18)
    return pa.array([(value * times / parts).quantize(unit) for value in values], pa.decimal128(38, 18))
