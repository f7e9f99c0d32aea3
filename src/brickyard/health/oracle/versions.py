"""Which row of a key counts, and the history of a thing from rows that date themselves or from dated states."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
import pyarrow as pa

from brickyard.health.oracle.seen import AT, STATE, frame_of, leaves_of
from brickyard.health.oracle.text import fingerprint

_OPEN = datetime(1900, 1, 1, tzinfo=UTC)
_INSTANT = pa.timestamp("us", "UTC")


def newest(rows: pa.Table, key: Sequence[str], sequence: Sequence[str]) -> pa.Table:
    """Return one row of each key: the greatest by *sequence* (null least), then by the fingerprint of all its leaves.

    Null is a value of a key like any other.
    """
    if rows.num_rows == 0:
        return rows
    parts = list(dict.fromkeys([*key, *sequence]))
    frame = frame_of(rows, parts)
    greatest = frame.sort(list(sequence), nulls_last=False).group_by(key, maintain_order=True).last().select(parts)
    groups = frame.join(greatest, on=parts, how="semi", nulls_equal=True).group_by(key, maintain_order=True)
    best = groups.agg(pl.col(AT).first().alias("first"), pl.col(AT))
    tied = best.filter(pl.col(AT).list.len() > 1)
    chosen = {first: _greatest(rows, at.to_list()) for first, at in zip(tied["first"], tied[AT], strict=True)}
    return rows.take(pa.array([chosen.get(at, at) for at in best["first"].to_list()], pa.int64()))


def _greatest(rows: pa.Table, tied: Sequence[int]) -> int:
    return max(tied, key=lambda at: fingerprint(leaves_of(rows, at)))


def from_changes(rows: pa.Table, key: Sequence[str], changed: str, deleted: str | None) -> pa.Table:
    """Return the versions of things whose source dates its own: each lasts until the next, or until the deletion.

    A row without a date is no version.
    """
    one = newest(rows.filter(rows.column(changed).is_valid()), [*key, changed], [changed])
    begins: list[datetime] = one.column(changed).to_pylist()
    ends = _following(one, key, begins)
    if deleted is not None:
        gone = one.column(deleted).to_pylist()
        ends = [_earlier(end, at) for end, at in zip(ends, gone, strict=True)]
    return _told(one, key, begins, ends)


def _earlier(end: datetime | None, gone: datetime | None) -> datetime | None:
    return min((at for at in (end, gone) if at is not None), default=None)


def _following(rows: pa.Table, key: Sequence[str], begins: Sequence[datetime]) -> list[datetime | None]:
    ends: list[datetime | None] = [None] * rows.num_rows
    for positions in _by_key(rows, key, begins):
        for at, then in pairwise(positions):
            ends[at] = begins[then]
    return ends


def _by_key(rows: pa.Table, key: Sequence[str], begins: Sequence[datetime]) -> list[list[int]]:
    """Return the positions of each key's rows in order of their begin."""
    found: dict[Hashable, list[int]] = {}
    for at, whose in enumerate(zip(*(rows.column(name).to_pylist() for name in key), strict=True)):
        found.setdefault(whose, []).append(at)
    return [sorted(positions, key=begins.__getitem__) for positions in found.values()]


def from_states(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """Return the versions of things from dated states: a version lasts while state after state shows the same row."""
    looks = sorted(set(rows.column(STATE).to_pylist()))
    then = dict(pairwise(looks))
    one = newest(rows, [*key, STATE], [STATE])
    dated: list[datetime] = one.column(STATE).to_pylist()
    marks = [fingerprint(leaves_of(one, at)) for at in range(one.num_rows)]
    begins, ends = [], []
    for positions in _by_key(one, key, dated):
        for run in _runs(positions, lambda a, b: marks[a] == marks[b] and then.get(dated[a]) == dated[b]):
            begins.append(run[0])
            ends.append(then.get(dated[run[-1]]))
    return _told(one.take(pa.array(begins, pa.int64())), key, [dated[at] for at in begins], ends)


def _runs(positions: Sequence[int], continues: Callable[[int, int], bool]) -> list[list[int]]:
    runs: list[list[int]] = []
    for at in positions:
        if runs and continues(runs[-1][-1], at):
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _told(rows: pa.Table, key: Sequence[str], begins: Sequence[datetime], ends: Sequence[datetime | None]) -> pa.Table:
    number = [0] * rows.num_rows
    for positions in _by_key(rows, key, begins):
        for place, at in enumerate(positions, start=1):
            number[at] = place
    opened = [_OPEN if place == 1 else begin for place, begin in zip(number, begins, strict=True)]
    history = {
        "valid_from": pa.array(begins, _INSTANT),
        "valid_to": pa.array(ends, _INSTANT),
        "valid_from_open": pa.array(opened, _INSTANT),
        "version_number": pa.array(number, pa.int32()),
        "is_current": pa.array([end is None for end in ends], pa.bool_()),
    }
    for name, values in history.items():
        rows = rows.append_column(name, values)
    return rows


HISTORY = ("valid_from", "valid_to", "valid_from_open", "version_number", "is_current")


def kept(rows: pa.Table, mask: pl.Series) -> pa.Table:
    """Return the rows where the mask is true."""
    return rows.filter(pa.array(mask.to_arrow()))
