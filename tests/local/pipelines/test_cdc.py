"""Changes applied to rows: the last state, or the whole history, however the changes come in."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.pipelines.cdc import Action, Change, Edit, Row, scd1, scd2

Table = dict[tuple[Any, ...], list[Row]]


def upsert(key: Any, at: int, value: str) -> Change:
    return Change((key,), at, deleted=False, row={"id": key, "v": value})


def delete(key: Any, at: int) -> Change:
    return Change((key,), at, deleted=True, row={"id": key, "v": "gone"})


def version(key: Any, value: str, start: int, end: int | None) -> Row:
    return {"id": key, "v": value, "__START_AT": start, "__END_AT": end}


def applied(table: Table, edits: list[Edit]) -> Table:
    """The rows after the edits, found as the target's MERGE finds them: by key and start."""
    rows = {(row["id"], row.get("__START_AT")): row for rows in table.values() for row in rows}
    for edit in edits:
        place = (edit.row["id"], edit.row.get("__START_AT"))
        assert (place in rows) is (edit.action is not Action.INSERT)
        rows.pop(place, None)
        if edit.action is not Action.DELETE:
            rows[place] = edit.row
    found: Table = {}
    for row in sorted(rows.values(), key=lambda row: (str(row["id"]), row.get("__START_AT", 0))):
        found.setdefault((row["id"],), []).append(row)
    return found


def one(table: Table) -> dict[tuple[Any, ...], Row]:
    return {key: rows[0] for key, rows in table.items()}


def test_the_last_state_of_a_key_wins_whatever_the_order_of_its_changes():
    changes = [upsert(1, 3, "c"), upsert(1, 1, "a"), delete(2, 2), upsert(2, 1, "x"), upsert(None, 1, "n")]
    assert scd1({(2,): {"id": 2, "v": "old"}}, changes) == [
        Edit(Action.INSERT, {"id": 1, "v": "c"}),
        Edit(Action.DELETE, {"id": 2, "v": "old"}),
        Edit(Action.INSERT, {"id": None, "v": "n"}),
    ]


def test_a_change_older_than_the_row_is_left_out_where_the_row_tells_its_sequence():
    row = {"id": 1, "v": "new", "at": 5}
    late = Change((1,), 4, deleted=True, row={})
    assert scd1({(1,): row}, [late], "at") == []


def test_an_overwrite_keeps_its_new_row():
    assert scd1({(1,): {"id": 1, "v": "a"}}, [upsert(1, 2, "b"), delete(1, 2)]) == [
        Edit(Action.UPDATE, {"id": 1, "v": "b"})
    ]


def test_history_is_closed_by_the_next_state_and_by_a_deletion():
    edits = scd2({}, [upsert(1, 1, "a"), upsert(1, 2, "b"), delete(1, 4), upsert(1, 7, "c")])
    assert [edit.row for edit in edits] == [
        version(1, "a", 1, 2),
        version(1, "b", 2, 4),
        version(1, "c", 7, None),
    ]


def test_a_late_change_is_put_where_it_belongs():
    history = {(1,): [version(1, "a", 1, 5), version(1, "b", 5, None)]}
    assert scd2(history, [upsert(1, 3, "m")]) == [
        Edit(Action.UPDATE, version(1, "a", 1, 3)),
        Edit(Action.INSERT, version(1, "m", 3, 5)),
    ]


def test_a_state_that_differs_in_no_tracked_column_opens_no_version():
    history = {(1,): [version(1, "a", 1, None)]}
    assert scd2(history, [upsert(1, 2, "a")]) == []
    assert scd2(history, [upsert(1, 2, "b")], tracked=["id"]) == [Edit(Action.UPDATE, version(1, "b", 1, None))]


keys, values = st.sampled_from([1, 2, None]), st.sampled_from("abc")
feeds = st.lists(st.tuples(keys, st.booleans(), values), max_size=12).map(
    lambda events: [delete(k, i) if gone else upsert(k, i, v) for i, (k, gone, v) in enumerate(events)]
)


@given(feeds, st.data())
def test_how_a_feed_is_split_and_ordered_makes_no_difference(feed: list[Change], data: st.DataObject):
    at = data.draw(st.integers(0, len(feed)))
    first, second = data.draw(st.permutations(feed[:at])), data.draw(st.permutations(feed[at:]))
    half = applied({}, scd2({}, first))
    assert applied(half, scd2(half, second)) == applied({}, scd2({}, feed))
    state = applied({}, scd1({}, first))
    assert applied(state, scd1(one(state), second)) == applied({}, scd1({}, feed))


@given(feeds)
def test_a_feed_applied_again_changes_nothing(feed: list[Change]):
    history = applied({}, scd2({}, feed))
    assert applied(history, scd2(history, feed)) == history
    assert scd1(one(applied({}, scd1({}, feed))), feed) == []


@given(feeds)
def test_the_versions_of_a_key_never_overlap(feed: list[Change]):
    for rows in applied({}, scd2({}, feed)).values():
        for earlier, later in itertools.pairwise(rows):
            assert earlier["__END_AT"] is not None
            assert earlier["__START_AT"] < earlier["__END_AT"] <= later["__START_AT"]
