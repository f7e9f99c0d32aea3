"""What migrate remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.metadata import Metadata
from brickyard.migrate import store
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import RunRequest, RunStatus
from brickyard.migrate.store import Batch, StoredSource

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REQUEST = RunRequest.model_validate({"notebooks": [{"path": "a.sql", "content": "U0VMRUNUIDE="}], "params": {"x": "1"}})


def saved(metadata: Metadata, batch: str = "b1", at: datetime = NOW, path: str = "a.sql", run: str = "r1") -> None:
    with metadata.transaction() as tx:
        made = Batch(batch, at, "http://w", "a.sql", REQUEST)
        store.save_batch(tx, made, [StoredSource(path, b"SELECT 1", child=False)])
        store.save_run(tx, run, made, 0, path, f"w||{path}")


def test_a_batch_comes_back_as_it_was_asked_without_its_notebooks(metadata: Metadata):
    saved(metadata)
    with metadata.read() as tx:
        batch, sources = store.batch(tx, "b1"), store.batch_sources(tx, "b1")
    assert batch == Batch("b1", NOW, "http://w", "a.sql", REQUEST.model_copy(update={"notebooks": ()}))
    assert sources == (StoredSource("a.sql", b"SELECT 1", child=False),)


def test_a_notebook_runs_once_at_a_time(metadata: Metadata):
    saved(metadata)
    with pytest.raises(Conflict, match=r"a\.sql is being migrated already") as refused:
        saved(metadata, "b2", run="r2")
    assert refused.value.error_code == "already-running"
    with metadata.read() as tx, pytest.raises(NotFound):
        store.batch(tx, "b2")


def test_a_run_gets_one_final_status_and_the_next_run_may_begin(metadata: Metadata):
    saved(metadata)
    with metadata.transaction() as tx:
        store.start(tx, "r1", NOW)
        assert store.finish(tx, "r1", Outcome.DIFFERS, NOW, "tables-differ", "1 of 1 tables differ")
        assert not store.finish(tx, "r1", Outcome.RECONCILED, NOW)
        found = store.run(tx, "r1")
    assert (found.status, found.outcome, found.code) == (RunStatus.FINISHED, Outcome.DIFFERS, "tables-differ")
    saved(metadata, "b2", run="r2")


def test_a_run_that_was_interrupted_can_be_queued_again_as_another_attempt(metadata: Metadata):
    saved(metadata)
    with metadata.transaction() as tx:
        store.start(tx, "r1", NOW)
        assert store.interrupt(tx, "r1", NOW, "stopped")
        again = store.again(tx, "r1")
    assert (again.status, again.attempt, again.code, again.finished_at) == (RunStatus.QUEUED, 2, None, None)


def test_a_step_is_intended_once_in_each_attempt_and_keeps_what_came_of_it(metadata: Metadata):
    saved(metadata)
    with metadata.transaction() as tx:
        run = store.run(tx, "r1")
        assert store.intend(tx, run, "clone", "CloneTable", NOW).new
        store.done(tx, run, "clone", NOW, {"version": 3}, adopted=True)
        line = store.intend(tx, run, "clone", "CloneTable", NOW + timedelta(seconds=1))
        store.again(tx, "r1")
        assert store.intend(tx, store.run(tx, "r1"), "clone", "CloneTable", NOW).new
    assert line == store.StoredStep("clone", "CloneTable", NOW, NOW, adopted=True, result={"version": 3})


def test_runs_are_listed_newest_first_page_by_page(metadata: Metadata):
    for n in range(5):
        saved(metadata, f"b{n}", NOW + timedelta(minutes=n // 2), f"{n}.sql", f"r{n}")
    seen: list[str] = []
    after = None
    with metadata.read() as tx:
        while page := store.list_runs(tx, after=after, limit=2):
            seen += [run.id for run in page]
            after = (page[-1].created_at, page[-1].id)
    assert seen == ["r4", "r3", "r2", "r1", "r0"]


def test_runs_are_found_by_batch_status_and_path(metadata: Metadata):
    saved(metadata)
    saved(metadata, "b2", path="b.sql", run="r2")
    with metadata.transaction() as tx:
        store.start(tx, "r2", NOW)
    with metadata.read() as tx:
        assert [r.id for r in store.list_runs(tx, batch_id="b1")] == ["r1"]
        assert [r.id for r in store.list_runs(tx, status=RunStatus.RUNNING)] == ["r2"]
        assert [r.id for r in store.list_runs(tx, path="a.sql")] == ["r1"]
        assert [r.id for r in store.runs_of(tx, "b2")] == [r.id for r in store.runs_of(tx, "r2")] == ["r2"]


def test_the_timeline_tells_what_happened_in_order(metadata: Metadata):
    saved(metadata)
    with metadata.transaction() as tx:
        run = store.run(tx, "r1")
        store.tell(tx, run, NOW, "queued", "queued")
        store.tell(tx, run, NOW, "observed", "looked", {"objects": 3})
    with metadata.read() as tx:
        assert store.timeline(tx, "r1") == (
            store.Event(1, NOW, "queued", "queued", None),
            store.Event(1, NOW, "observed", "looked", {"objects": 3}),
        )


def test_what_nobody_knows_is_not_found(metadata: Metadata):
    with metadata.read() as tx, pytest.raises(NotFound, match="there is no run r9"):
        store.run(tx, "r9")


def test_the_last_outcome_of_each_notebook_is_the_newest(metadata: Metadata):
    for n, outcome in enumerate([Outcome.FAILED, Outcome.RECONCILED]):
        saved(metadata, f"b{n}", NOW + timedelta(minutes=n), run=f"r{n}")
        with metadata.transaction() as tx:
            store.start(tx, f"r{n}", NOW)
            store.finish(tx, f"r{n}", outcome, NOW)
    with metadata.read() as tx:
        assert store.last_outcomes(tx, ["w||a.sql", "w||z.sql"]) == {"w||a.sql": Outcome.RECONCILED}
