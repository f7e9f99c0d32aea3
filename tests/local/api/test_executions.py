"""Statements on their way: one final state, results in chunks, limits that say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.local.api import executions
from brickyard.local.api.documents import Documents
from brickyard.local.api.errors import ApiError
from brickyard.local.api.executions import CHUNK_BYTES, Order, Statements, paged
from brickyard.local.api.tokens import Principal
from brickyard.local.api.warehouses import Warehouses
from brickyard.local.sql.model import Origin, Parameter, Result, ResultColumn, SqlError, SqlSession

OWNER = Principal("owner@local", owner=True)
ONE = Result((ResultColumn("a", "INT", "INT", 0),), pa.table({"a": [1]}))


@dataclass
class Scripted:
    """An engine whose statements do what the test says."""

    behaviour: Callable[[], Result] = lambda: ONE
    cancelled: list[str] = field(default_factory=list)
    sessions: list[SqlSession] = field(default_factory=list)

    def execute(self, statement: str, session: SqlSession, parameters: Sequence[Parameter]) -> Result:
        self.sessions.append(session)
        return self.behaviour()

    def cancel(self, statement_id: str) -> None:
        self.cancelled.append(statement_id)

    def release(self, session: SqlSession) -> None:
        self.sessions.remove(session)


@pytest.fixture
def engine() -> Scripted:
    return Scripted()


@pytest.fixture
def statements(tmp_path: Path, engine: Scripted) -> Iterator[Statements]:
    houses = Warehouses(Documents(tmp_path / "w.json"), "w", "owner@local", 1)
    found = Statements(lambda: engine, houses, "http://127.0.0.1:1", lambda _: Origin())
    yield found
    found.close()


def order(**options: object) -> Order:
    return Order("SELECT 1", "w", (), SqlSession("owner@local"), **options)


def test_a_statement_ends_with_its_columns_and_pages(statements: Statements, engine: Scripted):
    done = statements.submit(order(), OWNER)
    assert (done.state, [c["name"] for c in done.columns], done.pages and done.pages.rows) == ("SUCCEEDED", ["a"], 1)
    origin = engine.sessions[0].origin
    assert (origin.statement_id, origin.warehouse_id) == (done.id, "w")


def test_a_refused_statement_keeps_the_engines_words(statements: Statements, engine: Scripted):
    def refuse() -> Result:
        raise SqlError("DIVIDE_BY_ZERO", "no", "22012")

    engine.behaviour = refuse
    done = statements.submit(order(), OWNER)
    assert (done.state, done.sql_state) == ("FAILED", "22012")
    assert done.error == {"error_code": "BAD_REQUEST", "message": "[DIVIDE_BY_ZERO] no SQLSTATE: 22012"}


def test_a_fault_of_ours_ends_the_statement_too(statements: Statements, engine: Scripted):
    engine.behaviour = lambda: 1 / 0  # type: ignore[return-value]  # the fault is the point
    done = statements.submit(order(), OWNER)
    assert (done.state, done.error and done.error["error_code"]) == ("FAILED", "INTERNAL_ERROR")


def test_the_answer_comes_at_the_time_asked_for_and_the_statement_goes_on(statements: Statements, engine: Scripted):
    gate = threading.Event()
    engine.behaviour = lambda: (gate.wait(10), ONE)[1]
    started = time.monotonic()
    running = statements.submit(order(wait_seconds=0.1), OWNER)
    assert (running.state, time.monotonic() - started < 2) == ("RUNNING", True)
    gate.set()
    assert running.done.wait(5)
    assert (running.state, engine.cancelled) == ("SUCCEEDED", [])


def test_a_statement_over_its_time_is_cancelled_when_asked(statements: Statements, engine: Scripted):
    gate = threading.Event()
    engine.behaviour = lambda: (gate.wait(10), ONE)[1]
    done = statements.submit(order(wait_seconds=0.1, cancel_on_timeout=True), OWNER)
    gate.set()
    assert (done.state, engine.cancelled) == ("CANCELED", [done.id])


def test_what_is_final_stays_so(statements: Statements, engine: Scripted):
    done = statements.submit(order(), OWNER)
    statements.cancel(done)
    assert (done.state, engine.cancelled) == ("SUCCEEDED", [])


def test_a_result_that_arrives_after_the_cancel_does_not_undo_it(statements: Statements, engine: Scripted):
    gate, ended = threading.Event(), threading.Event()

    def slow() -> Result:
        gate.wait(10)
        ended.set()
        return ONE

    engine.behaviour = slow
    running = statements.submit(order(wait_seconds=0.05), OWNER)
    statements.cancel(running)
    gate.set()
    assert ended.wait(5)
    time.sleep(0.05)
    assert running.state == "CANCELED"


def test_a_statement_is_its_principals_own(statements: Statements):
    done = statements.submit(order(), Principal("reader@local"))
    assert statements.find(done.id, Principal("reader@local")) is statements.find(done.id, OWNER) is done
    with pytest.raises(ApiError) as refused:
        statements.find(done.id, Principal("other@local"))
    assert refused.value.status == 403


def test_old_statements_are_forgotten_and_running_ones_are_not(statements: Statements, engine: Scripted):
    gate = threading.Event()
    engine.behaviour = lambda: (gate.wait(10), ONE)[1]
    running = statements.submit(order(wait_seconds=0.05), OWNER)
    engine.behaviour = lambda: ONE
    first = statements.submit(order(), OWNER)
    for _ in range(executions._KEPT + 5):
        statements.submit(order(), OWNER)
    with pytest.raises(ApiError):
        statements.find(first.id, OWNER)
    assert statements.find(running.id, OWNER) is running
    gate.set()


@given(rows=st.integers(0, 300), width=st.integers(0, 200_000), limit=st.one_of(st.none(), st.integers(1, 400)))
@settings(max_examples=30, deadline=None)
def test_chunks_are_the_result_in_order_and_nothing_else(rows: int, width: int, limit: int | None):
    table = pa.table({"a": range(rows), "b": pa.array(["x" * width] * rows, pa.large_string())})
    pages = paged(table, order(row_limit=limit, disposition="EXTERNAL_LINKS"))
    together = [v for page in pages.pages for v in page.table.column("a").to_pylist()]
    kept = min(rows, limit if limit is not None else rows)
    assert together == list(range(kept))
    assert (pages.rows, pages.truncated) == (kept, kept < rows)
    assert [p.offset for p in pages.pages] == [sum(p.rows for p in pages.pages[:i]) for i in range(len(pages.pages))]
    assert all(p.table.nbytes <= CHUNK_BYTES or p.rows == 1 for p in pages.pages)


@given(limit=st.integers(1, 20_000))
def test_a_byte_limit_keeps_as_many_rows_as_fit(limit: int):
    table = pa.table({"a": range(1000)})
    pages = paged(table, order(byte_limit=limit))
    assert table.slice(0, pages.rows).nbytes <= limit
    assert pages.rows == 1000 or table.slice(0, pages.rows + 1).nbytes > limit


def test_a_result_too_large_to_be_inline_says_what_to_do():
    large = pa.table({"a": pa.array(["x" * 1024] * (26 * 1024))})
    with pytest.raises(ApiError) as refused:
        paged(large, order())
    assert "EXTERNAL_LINKS" in refused.value.message
    assert paged(large, order(disposition="EXTERNAL_LINKS")).rows == 26 * 1024
