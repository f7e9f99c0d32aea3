"""History by versions: any order of changes, and any number of writers, leave one current row and no gap."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import JSONB

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.metadata import METADATA, Metadata, scd2
from brickyard.metadata.database import FOREVER

KEY = UUID(int=7)


@pytest.fixture(scope="module")
def things() -> Iterator[sa.Table]:
    table = scd2.versioned(
        "scd2_things", "thing_id", sa.Column("name", sa.String(50)), sa.Column("document", JSONB(none_as_null=True))
    )
    yield table
    METADATA.remove(table)


@pytest.fixture(scope="module")
def shared(postgres: str, things: sa.Table) -> Iterator[Metadata]:
    """One database for the tests that take a new entity each time."""
    metadata = Metadata(postgres)
    with metadata.transaction() as tx:
        things.create(tx)
    yield metadata
    with metadata.transaction() as tx:
        things.drop(tx)
    metadata.close()


def test_a_write_begins_a_version_and_the_next_one_ends_it(shared: Metadata, things: sa.Table):
    key = uuid4()
    with shared.transaction() as tx:
        first = scd2.write(tx, things, key, {"name": "a", "document": {"x": [1]}}, by="ada", reason="new")
        second = scd2.write(tx, things, key, {"name": "b"}, by="bob", reason="renamed")
        old, new = scd2.history(tx, things, key)
    assert (first.version, second.version, first.changed, second.changed) == (1, 2, True, True)
    assert old.fields == {"name": "a", "document": {"x": [1]}}
    assert new.fields == {"name": "b", "document": {"x": [1]}}
    assert old.effective_to == new.effective_from
    assert new.effective_to == FOREVER
    assert (old.created_by, old.change_reason, new.created_by, new.change_reason) == ("ada", "new", "bob", "renamed")
    assert (old.is_current, new.is_current) == (False, True)


@pytest.mark.parametrize(
    ("before", "after", "versions"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, 1),
        ({"a": 1}, {"a": True}, 2),
        ([1, 2], [2, 1], 2),
        ([], None, 2),
        ({}, {}, 1),
    ],
)
def test_json_is_compared_by_value(shared: Metadata, things: sa.Table, before: Any, after: Any, versions: int):
    key = uuid4()
    with shared.transaction() as tx:
        scd2.write(tx, things, key, {"document": before}, by="ada")
        assert scd2.write(tx, things, key, {"document": after}, by="ada").version == versions


def test_a_write_that_changes_nothing_returns_the_version_that_is_there(shared: Metadata, things: sa.Table):
    key = uuid4()
    with shared.transaction() as tx:
        first = scd2.write(tx, things, key, {"name": "a"}, by="ada")
        again = scd2.write(tx, things, key, {"name": "a"}, by="bob")
    assert again == scd2.Written(key, first.record_id, 1, changed=False)


def test_a_wrong_expected_version_is_a_conflict_and_writes_nothing(shared: Metadata, things: sa.Table):
    key = uuid4()
    with shared.transaction() as tx:
        scd2.write(tx, things, key, {"name": "a"}, by="ada", expected_version=0)
    for wrong in (0, 2):
        with pytest.raises(Conflict, match="at version 1") as refused, shared.transaction() as tx:
            scd2.write(tx, things, key, {"name": "b"}, by="bob", expected_version=wrong)
        assert refused.value.error_code == "version-changed"
    with shared.transaction() as tx:
        assert scd2.write(tx, things, key, {"name": "b"}, by="bob", expected_version=1).version == 2
        with pytest.raises(Conflict):
            scd2.delete(tx, things, key, by="bob", expected_version=1)


def test_what_never_was_can_be_neither_deleted_nor_restored(shared: Metadata, things: sa.Table):
    with shared.transaction() as tx:
        for change in (scd2.delete, scd2.restore):
            with pytest.raises(NotFound):
                change(tx, things, uuid4(), by="ada")
        assert scd2.current(tx, things, uuid4()) is None


def test_an_entity_is_found_by_its_natural_key_and_taken_up_again_after_deletion(shared: Metadata, things: sa.Table):
    name = str(uuid4())
    with shared.transaction() as tx:
        first = scd2.write_natural(tx, things, {"name": name}, {"document": [1]}, by="ada")
        same = scd2.write_natural(tx, things, {"name": name}, {"document": [2]}, by="ada")
        scd2.delete(tx, things, first.key, by="ada")
        assert scd2.find(tx, things, {"name": name}) is None
        again = scd2.write_natural(tx, things, {"name": name}, {"document": [2]}, by="ada")
    assert (same.key, same.version) == (first.key, 2)
    assert (again.key, again.version) == (first.key, 4)


def test_amending_a_version_makes_no_new_one(shared: Metadata, things: sa.Table):
    key = uuid4()
    with shared.transaction() as tx:
        scd2.write(tx, things, key, {"name": "a"}, by="ada")
        scd2.write(tx, things, key, {"name": "b"}, by="ada")
        scd2.amend(tx, things, key, 1, {"name": "was a"})
        assert [version.fields["name"] for version in scd2.history(tx, things, key)] == ["was a", "b"]


# ── any order ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class State:
    fields: dict[str, Any]
    deleted: bool


WRITES = st.builds(
    lambda name, document: ("write", {"name": name, "document": document}),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, {"x": 1}, {"x": 1.5}, [1]]),
)
CHANGES = st.lists(WRITES | st.sampled_from([("delete", {}), ("restore", {})]), max_size=12)


def expected(before: State | None, change: str, fields: dict[str, Any]) -> State | None:
    """The model: what is true after a change."""
    if change == "write":
        return State(fields, deleted=False)
    return before and State(before.fields, deleted=change == "delete")


@given(CHANGES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_changes_can_be_replayed(shared: Metadata, things: sa.Table, changes: list[Any]):
    key, state, states = uuid4(), None, []
    for change, fields in changes:
        after = expected(state, change, fields)
        with shared.transaction() as tx:
            if after is not None:
                perform(tx, things, key, change, fields)
        if after is not None and json.dumps(str(after)) != json.dumps(str(state)):
            states.append(after)
        state = after
    with shared.read() as tx:
        history = scd2.history(tx, things, key)
        assert [State(version.fields, version.is_deleted) for version in history] == states
        sound(history)
        for version in history:
            assert scd2.as_of(tx, things, key, version.effective_from) == version
        if history:
            assert scd2.as_of(tx, things, key, datetime.fromisoformat("2001-01-01T00:00:00Z")) is None
            assert scd2.current(tx, things, key) == history[-1]


def perform(tx: sa.Connection, things: sa.Table, key: UUID, change: str, fields: dict[str, Any]) -> None:
    if change == "write":
        scd2.write(tx, things, key, fields, by="ada")
    elif change == "delete":
        scd2.delete(tx, things, key, by="ada")
    else:
        scd2.restore(tx, things, key, by="ada")


def sound(history: tuple[scd2.Version, ...]) -> None:
    """One current version, which is the last; no gap in the numbers; the times touch and grow."""
    assert [version.version for version in history] == list(range(1, len(history) + 1))
    assert [version.is_current for version in history] == [False] * (len(history) - 1) + [True] * bool(history)
    assert all(old.effective_to == new.effective_from for old, new in pairwise(history))
    assert all(version.effective_from < version.effective_to for version in history)
    assert all(version.effective_to == FOREVER for version in history[-1:])


# ── many writers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_threads_that_write_one_entity_leave_no_gap(shared: Metadata, things: sa.Table):
    key = uuid4()

    def write(number: int) -> int:
        with shared.transaction() as tx:
            return scd2.write(tx, things, key, {"name": str(number)}, by=f"writer {number}").version

    with ThreadPoolExecutor(12) as pool:
        versions = list(pool.map(write, range(120)))
    assert sorted(versions) == list(range(1, 121))
    with shared.read() as tx:
        sound(scd2.history(tx, things, key))


def test_of_many_that_expect_one_version_one_wins(shared: Metadata, things: sa.Table):
    key = uuid4()

    def write(number: int) -> bool:
        try:
            with shared.transaction() as tx:
                return scd2.write(tx, things, key, {"name": str(number)}, by="ada", expected_version=0).changed
        except Conflict:
            return False

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(write, range(20))) == 1


def test_of_many_that_make_one_natural_key_one_makes_it(shared: Metadata, things: sa.Table):
    name = str(uuid4())

    def write(number: int) -> UUID:
        with shared.transaction() as tx:
            return scd2.write_natural(tx, things, {"name": name}, {"document": number}, by="ada").key

    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(write, range(30)))
    assert len(keys) == 1
    with shared.read() as tx:
        sound(scd2.history(tx, things, keys.pop()))


WRITER = """
import sys, uuid, sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from brickyard.metadata import Metadata, scd2
columns = sa.Column("name", sa.String(50)), sa.Column("document", JSONB(none_as_null=True))
things = scd2.versioned("scd2_things", "thing_id", *columns)
metadata = Metadata(sys.argv[1])
with metadata.read():
    print("ready", flush=True)
sys.stdin.readline()
for turn in range(10):
    with metadata.transaction() as tx:
        scd2.write(tx, things, uuid.UUID(sys.argv[2]), {"name": f"{sys.argv[3]} {turn}"}, by=sys.argv[3])
"""


def test_processes_that_write_one_entity_leave_no_gap(shared: Metadata, things: sa.Table):
    key = uuid4()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, shared.dsn, str(key), f"writer {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for writer in writers:
        assert writer.stdout and writer.stdout.readline() == "ready\n"
    assert [(writer.communicate("go\n", timeout=60)[1], writer.returncode) for writer in writers] == [("", 0)] * 8
    with shared.read() as tx:
        history = scd2.history(tx, things, key)
    assert len(history) == 80
    sound(history)
