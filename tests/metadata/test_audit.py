"""The audit trail."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from brickyard.metadata import Metadata, audit
from brickyard.metadata.audit import Fault

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
objects = st.none() | st.dictionaries(words, values, max_size=3)
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]))
entries = st.fixed_dictionaries(
    {"at": moments, "actor": words, "action": words, "subject": words, "before": objects, "after": objects}
)


def _record(tx: sa.Connection, subject: str) -> audit.Head:
    return audit.record(tx, at=NOW, actor="ada", action="clone table", subject=subject, detail={"rows": 3})


def _tamper(metadata: Metadata, statement: str) -> None:
    """Change the table as someone with the owner's rights could."""
    with metadata.transaction() as tx:
        tx.execute(sa.text("ALTER TABLE audit_events DISABLE TRIGGER USER"))
        tx.execute(sa.text(statement))


@pytest.fixture
def trail(metadata: Metadata) -> Metadata:
    """A trail of five events."""
    with metadata.transaction() as tx:
        for number in range(1, 6):
            _record(tx, f"table {number}")
    return metadata


def test_an_empty_trail_is_whole_and_has_no_head(metadata: Metadata):
    with metadata.read() as tx:
        assert (audit.verify(tx), audit.head(tx)) == ((), None)


def test_each_event_carries_the_hash_of_the_one_before(trail: Metadata):
    with trail.read() as tx:
        chain = tx.execute(sa.select(audit.events.c.previous_hash, audit.events.c.hash).order_by(audit.events.c.id))
        rows = [tuple(row) for row in chain]
    assert [previous for previous, _ in rows] == [audit.GENESIS, *(digest for _, digest in rows[:-1])]


def test_an_event_goes_with_its_transaction(metadata: Metadata):
    with pytest.raises(ZeroDivisionError), metadata.transaction() as tx:
        _record(tx, "table 1")
        1 / 0
    with metadata.read() as tx:
        assert audit.head(tx) is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recorded=st.lists(entries, min_size=1, max_size=4))
def test_whatever_is_recorded_verifies(metadata: Metadata, recorded: list[dict]):
    with metadata.transaction() as tx:
        for entry in recorded:
            audit.record(tx, **entry)
        assert audit.verify(tx) == ()


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
def test_the_database_refuses_to_change_the_trail(trail: Metadata, statement: str):
    with pytest.raises(DBAPIError, match="can only grow"), trail.transaction() as tx:
        tx.execute(sa.text(statement))


CHANGED = "this event was changed after it was recorded"
BROKEN = "an event before this one was removed, added or moved"


@pytest.mark.parametrize(
    ("statement", "faults"),
    [
        ("UPDATE audit_events SET actor = 'eve' WHERE id = 3", (Fault(3, CHANGED),)),
        ("UPDATE audit_events SET at = at + interval '1 microsecond' WHERE id = 1", (Fault(1, CHANGED),)),
        ("""UPDATE audit_events SET detail = '{"rows": 4}' WHERE id = 5""", (Fault(5, CHANGED),)),
        ("UPDATE audit_events SET detail = NULL WHERE id = 2", (Fault(2, CHANGED),)),
        ("DELETE FROM audit_events WHERE id = 2", (Fault(3, BROKEN),)),
        ("DELETE FROM audit_events WHERE id = 1", (Fault(2, BROKEN),)),
        (
            "INSERT INTO audit_events (at, actor, action, subject, previous_hash, hash)"
            " SELECT at, actor, action, subject, hash, 'x' FROM audit_events WHERE id = 5",
            (Fault(6, CHANGED),),
        ),
    ],
)
def test_tampering_is_found_where_it_happened(trail: Metadata, statement: str, faults: tuple[Fault, ...]):
    _tamper(trail, statement)
    with trail.read() as tx:
        assert audit.verify(tx) == faults


def test_an_end_cut_off_is_found_by_who_kept_the_head(trail: Metadata):
    with trail.read() as tx:
        head = audit.head(tx)
    _tamper(trail, "DELETE FROM audit_events WHERE id > 3")
    with trail.read() as tx:
        assert audit.verify(tx) == ()
        assert audit.verify(tx, head) == (Fault(5, "this event was the newest once and is gone"),)


def test_events_recorded_at_the_same_time_stand_in_one_line(metadata: Metadata):
    def write(number: int) -> None:
        for each in range(5):
            with metadata.transaction() as tx:
                _record(tx, f"{number}.{each}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with metadata.read() as tx:
        assert audit.verify(tx) == ()
        assert tx.execute(sa.select(sa.func.count()).select_from(audit.events)).scalar_one() == 30
