"""Applies change events to rows, as AUTO CDC does: SCD type 1 keeps the last state, type 2 keeps the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

START, END = "__START_AT", "__END_AT"
Row = dict[str, Any]
Key = tuple[Any, ...]


class Action(StrEnum):
    """What happens to a row of the target."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One event: the state of a key from *sequence* on, or its end when *deleted*."""

    key: Key
    sequence: Any
    deleted: bool
    row: Row


@dataclass(frozen=True, slots=True)
class Edit:
    """One row of the target to write or to remove."""

    action: Action
    row: Row


@dataclass(slots=True)
class _Version:
    start: Any
    end: Any
    row: Row


def scd1(existing: Mapping[Key, Row], changes: Iterable[Change], sequence_column: str | None = None) -> list[Edit]:
    """Return the edits that bring each key to its last state.

    A change older than the target's own row is left out where the target keeps the *sequence_column*.
    """
    edits = []
    for key, group in _by_key(changes).items():
        last, row = _ordered(group)[-1], existing.get(key)
        known = None if row is None or sequence_column is None else row.get(sequence_column)
        if known is None or known <= last.sequence:
            edits += _state_edit(row, last)
    return edits


def _state_edit(row: Row | None, last: Change) -> list[Edit]:
    if last.deleted:
        return [] if row is None else [Edit(Action.DELETE, row)]
    if row is None:
        return [Edit(Action.INSERT, last.row)]
    return [] if row == last.row else [Edit(Action.UPDATE, last.row)]


def scd2(
    existing: Mapping[Key, Sequence[Row]], changes: Iterable[Change], tracked: Sequence[str] | None = None
) -> list[Edit]:
    """Return the edits that put the changes into the history of each key, wherever in it they belong.

    A state that does not differ in the *tracked* columns (all by default) opens no new version; it replaces the values
    of the one that holds.
    """
    edits = []
    for key, group in _by_key(changes).items():
        old = sorted(existing.get(key, ()), key=lambda row: row[START])
        edits += _difference(old, _history([*_as_changes(key, old), *group], tracked))
    return edits


def _as_changes(key: Key, history: Sequence[Row]) -> list[Change]:
    starts = {row[START] for row in history}
    changes = [Change(key, row[START], deleted=False, row=_values(row)) for row in history]
    ends = [row[END] for row in history if row[END] is not None and row[END] not in starts]
    return [*changes, *(Change(key, end, deleted=True, row={}) for end in ends)]


def _history(changes: Sequence[Change], tracked: Sequence[str] | None) -> list[Row]:
    versions: list[_Version] = []
    for change in _ordered(changes):
        current = versions[-1] if versions and versions[-1].end is None else None
        if change.deleted:
            if current is not None:
                current.end = change.sequence
        elif current is not None and (current.start == change.sequence or _same(current.row, change.row, tracked)):
            current.row = change.row
        else:
            if current is not None:
                current.end = change.sequence
            versions.append(_Version(change.sequence, None, change.row))
    return [{**v.row, START: v.start, END: v.end} for v in versions if v.start != v.end]


def _difference(old: Sequence[Row], new: Sequence[Row]) -> list[Edit]:
    before, after = {row[START]: row for row in old}, {row[START]: row for row in new}
    gone = [Edit(Action.DELETE, row) for start, row in before.items() if start not in after]
    changed = [Edit(Action.UPDATE, row) for start, row in after.items() if start in before and before[start] != row]
    return [*gone, *changed, *(Edit(Action.INSERT, row) for start, row in after.items() if start not in before)]


def _same(one: Row, other: Row, tracked: Sequence[str] | None) -> bool:
    names = one.keys() | other.keys() if tracked is None else tracked
    return all(one.get(name) == other.get(name) for name in names)


def _values(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in (START, END)}


def _by_key(changes: Iterable[Change]) -> dict[Key, list[Change]]:
    groups: dict[Key, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.key].append(change)
    return groups


def _ordered(changes: Sequence[Change]) -> list[Change]:
    """By sequence; of one moment the deletion comes first, so that an overwrite keeps its new row."""
    return sorted(changes, key=lambda change: (change.sequence, not change.deleted))
