"""Runs: their one final status, what a pack shows of them, their steps, claims and leases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from tests.share.store.samples import HOST, NOW, pack

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.metadata import Metadata, scd2
from brickyard.share.model.current import Claim
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import PackStatus, RequestStatus, RunKind, RunStatus, StepStatus
from brickyard.share.model.steps import CreateShare, Grant
from brickyard.share.store import audit, claims, leases, packs, runs, steps
from brickyard.share.tables import requests, share_packs

LATER = NOW + timedelta(seconds=5)


def begin(metadata: Metadata, run_id: str = "r1", shares: Sequence[str] = ("sales",), **more: Any) -> packs.Saved:
    """Save a pack with a queued run of it."""
    with metadata.transaction() as tx:
        saved = packs.save(tx, pack(shares=shares, **more), by="ada@acme.com", strategy=Strategy.NEW)
        about: dict[str, Any] = {"pack_id": saved.pack_id, "version": saved.version, "request_id": saved.request_id}
        runs.create(tx, run_id, RunKind.APPLY, at=NOW, by="ada@acme.com", workspace=HOST, **about)
    return saved


def test_a_pack_is_under_way_as_long_as_the_newest_run_of_its_version_is(metadata: Metadata):
    saved = begin(metadata, "r1")
    with metadata.transaction() as tx:
        about: dict[str, Any] = {"pack_id": saved.pack_id, "version": saved.version}
        runs.create(tx, "r2", RunKind.ROLLBACK, at=LATER, by="ada@acme.com", workspace=HOST, **about)
        runs.finish(tx, "r1", RunStatus.COMPLETED, LATER, message="All steps completed successfully")
        assert packs.get(tx, saved.pack_id).status is PackStatus.IN_PROGRESS
        runs.finish(tx, "r2", RunStatus.COMPLETED, LATER, message="Already up to date with share pack data")
        assert packs.get(tx, saved.pack_id).status is PackStatus.COMPLETED


def test_a_run_goes_from_queued_to_completed_and_the_pack_shows_it_without_a_new_version(metadata: Metadata):
    saved = begin(metadata)
    shown: list[tuple[str, str, str]] = []

    def look() -> None:
        with metadata.read() as tx:
            record = packs.get(tx, saved.pack_id)
        shown.append((record.status, record.provisioning_status, record.error_message))

    look()
    with metadata.transaction() as tx:
        started = runs.start(tx, "r1", NOW)
        runs.progress(tx, "r1", NOW, 1, 2, "create share sales")
    look()
    with metadata.transaction() as tx:
        freed = runs.finish(tx, "r1", RunStatus.COMPLETED, LATER, message="All steps completed successfully")
    look()
    assert (started.status, started.attempt, started.started_at) == (RunStatus.RUNNING, 1, NOW)
    assert freed == ()
    assert shown == [
        ("IN_PROGRESS", "", ""),
        ("IN_PROGRESS", "Step 1/2: create share sales", ""),
        ("COMPLETED", "All steps completed successfully", ""),
    ]
    with metadata.read() as tx:
        assert len(scd2.history(tx, share_packs, saved.pack_id)) == 1
        assert len(scd2.history(tx, requests, saved.request_id)) == 1
        request = scd2.current(tx, requests, saved.request_id)
        assert request and request.fields["status"] == RequestStatus.COMPLETED
        assert [(event.kind, event.message) for event in runs.timeline(tx, "r1")] == [
            ("queued", "accepted"),
            ("running", "attempt 1"),
            ("step", "Step 1/2: create share sales"),
            ("completed", "All steps completed successfully"),
        ]
        assert packs.get(tx, saved.pack_id).updated_at == max(LATER, packs.history(tx, saved.pack_id)[0].effective_from)


def test_a_later_success_clears_the_error_of_the_failure_before(metadata: Metadata):
    saved = begin(metadata)
    with metadata.transaction() as tx:
        runs.finish(tx, "r1", RunStatus.FAILED, NOW, message="Failed", error="403: not the owner", code="refused")
        failed = packs.get(tx, saved.pack_id)
        about: dict[str, Any] = {"pack_id": saved.pack_id, "version": saved.version}
        runs.create(tx, "r2", RunKind.APPLY, at=LATER, by="ada", workspace=HOST, **about)
        again = packs.get(tx, saved.pack_id)
        runs.finish(tx, "r2", RunStatus.COMPLETED, LATER, message="Done")
        done = packs.get(tx, saved.pack_id)
    assert (failed.status, failed.error_message) == (PackStatus.FAILED, "403: not the owner")
    assert (again.status, again.error_message, again.run_id) == (PackStatus.IN_PROGRESS, "", "r2")
    assert (done.status, done.error_message, done.provisioning_status) == (PackStatus.COMPLETED, "", "Done")


def test_a_run_has_one_final_status(metadata: Metadata):
    begin(metadata)
    with metadata.transaction() as tx:
        assert runs.finish(tx, "r1", RunStatus.COMPLETED, NOW) == ()
        assert runs.finish(tx, "r1", RunStatus.FAILED, LATER, error="late") is None
        assert runs.start(tx, "r1", LATER).status == RunStatus.COMPLETED
        assert runs.move(tx, "r1", RunStatus.WAITING, LATER).status == RunStatus.COMPLETED
        assert runs.get(tx, "r1").finished_at == NOW


def test_a_status_write_never_touches_a_version_that_came_meanwhile(metadata: Metadata):
    saved = begin(metadata)
    with metadata.transaction() as tx:
        runs.start(tx, "r1", NOW)
    begin(metadata, "r2", shares=("sales", "stock"))
    with metadata.transaction() as tx:
        runs.finish(tx, "r1", RunStatus.FAILED, LATER, error="late")
    with metadata.read() as tx:
        newest, oldest = packs.history(tx, saved.pack_id)
        assert (newest.status, oldest.status) == (PackStatus.IN_PROGRESS, PackStatus.FAILED)
        assert len(newest.pack.share) == 2
        assert packs.get(tx, saved.pack_id).error_message == ""


def test_a_newer_version_supersedes_what_has_not_begun_only(metadata: Metadata):
    saved = begin(metadata)
    begin(metadata, "r2", shares=("sales", "b"))
    with metadata.transaction() as tx:
        runs.start(tx, "r1", NOW)
    begin(metadata, "r3", shares=("sales", "c"))
    with metadata.transaction() as tx:
        runs.supersede(tx, saved.pack_id, 3, LATER)
        statuses = [runs.get(tx, run_id).status for run_id in ("r1", "r2", "r3")]
    assert statuses == [RunStatus.RUNNING, RunStatus.SUPERSEDED, RunStatus.QUEUED]


def test_a_rotation_leaves_the_pack_as_it_stands(metadata: Metadata):
    saved = begin(metadata)
    with metadata.transaction() as tx:
        runs.finish(tx, "r1", RunStatus.COMPLETED, NOW, message="Done")
        about: dict[str, Any] = {"pack_id": saved.pack_id, "version": saved.version}
        runs.create(tx, "rotation", RunKind.ROTATION, at=LATER, by="service", workspace=HOST, **about)
        runs.finish(tx, "rotation", RunStatus.FAILED, LATER, error="refused")
        assert packs.get(tx, saved.pack_id).status == PackStatus.COMPLETED
        newest = runs.newest(tx, saved.pack_id)
    assert newest and newest.id == "r1"


def test_a_run_that_waits_for_approval_shows_in_its_request(metadata: Metadata):
    saved = begin(metadata)
    with metadata.transaction() as tx:
        runs.move(tx, "r1", RunStatus.PENDING_APPROVAL, NOW, "waits for approval")
        assert runs.start(tx, "r1", NOW).status == RunStatus.PENDING_APPROVAL
        record, request = packs.get(tx, saved.pack_id), scd2.current(tx, requests, saved.request_id)
    assert (record.status, record.provisioning_status) == (PackStatus.IN_PROGRESS, "waits for approval")
    assert request and request.fields["status"] == RequestStatus.PENDING_APPROVAL


def test_runs_are_listed_and_counted(metadata: Metadata):
    begin(metadata)
    with metadata.transaction() as tx:
        runs.create(tx, "direct", RunKind.DIRECT, at=LATER, by="ada", workspace=HOST)
        assert [run.id for run in runs.listed(tx)] == ["direct", "r1"]
        assert [run.id for run in runs.listed(tx, kind=RunKind.APPLY, statuses=(RunStatus.QUEUED,))] == ["r1"]
        assert runs.counts(tx) == {RunStatus.QUEUED: 2}
        with pytest.raises(NotFound):
            runs.get(tx, "r9")


# ── the journal ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_step_is_written_down_once_and_whoever_takes_over_sees_how_far_it_got(metadata: Metadata):
    begin(metadata)
    with metadata.transaction() as tx:
        first = steps.intend(tx, "r1", "0001", 1, CreateShare("sales"), NOW, attempt=1, before={"there": False})
        second = steps.intend(tx, "r1", "0001", 1, CreateShare("sales"), LATER, attempt=2)
        assert first.new and second == replace(first, new=False)
        steps.intend(tx, "r1", "0002", 2, Grant("sales", ("acme",)), NOW, attempt=1)
        steps.done(tx, "r1", "0001", LATER, {"id": "7"}, adopted=True)
        steps.compensated(tx, "r1", "0001", LATER, "deleted share sales", undone=True)
        made, granted = steps.journal(tx, "r1")
    assert (made.status, made.done_at, made.adopted, made.result) == (StepStatus.COMPENSATED, LATER, True, {"id": "7"})
    assert (made.step, made.compensation, made.before) == (
        CreateShare("sales"),
        "deleted share sales",
        {"there": False},
    )
    assert (granted.status, granted.step, granted.done_at) == (StepStatus.INTENDED, Grant("sales", ("acme",)), None)


# ── claims ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_claims_are_of_one_pack_and_forgotten_with_the_thing(metadata: Metadata):
    one = begin(metadata).pack_id
    two = begin(metadata, "r2", shares=("stock",), project_name="other").pack_id
    share, table = Claim("share", "", "Sales"), Claim("object", "Sales", "m.s.Orders")
    reader, address = Claim("reader", "sales", "acme"), Claim("address", "acme", "10.0.0.1")
    with metadata.transaction() as tx:
        claims.add(tx, one, (share, table, reader, address), run_id="r1", at=NOW)
        claims.add(tx, one, (share,), run_id="r1", at=NOW)
        claims.add(tx, two, (table,), run_id="r2", at=NOW)
        folded = Claim("object", "sales", "m.s.orders")
        assert claims.of_pack(tx, one) == {Claim("share", "", "sales"), folded, reader, address}
        assert claims.of_others(tx, one) == {folded}
        assert claims.owners(tx, table) == tuple(sorted((one, two)))
        claims.remove(tx, (table,), one)
        assert claims.owners(tx, table) == (two,)
        claims.vanished(tx, "share", "SALES")
        assert claims.of_pack(tx, one) == {address}
        assert claims.of_pack(tx, two) == frozenset()
        claims.vanished(tx, "recipient", "Acme")
        assert claims.of_others(tx, None) == frozenset()


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_takes_all_it_wants_or_nothing_and_is_woken_by_what_it_waits_for(metadata: Metadata):
    for run_id in ("a", "b", "c"):
        begin(metadata, run_id, shares=(run_id,), project_name=run_id)
    with metadata.transaction() as tx:
        assert leases.take(tx, "a", ("share:x", "share:y"), NOW) == ()
        assert leases.take(tx, "a", ("share:x", "share:y"), NOW) == ()
        assert leases.take(tx, "b", ("share:y", "share:z"), NOW) == ("a",)
        runs.move(tx, "b", RunStatus.WAITING, NOW, "waits for a")
        assert leases.held(tx, "b") == ()
        assert leases.take(tx, "c", ("share:q",), NOW) == ()
        assert runs.finish(tx, "c", RunStatus.COMPLETED, NOW) == ()
        assert runs.finish(tx, "a", RunStatus.FAILED, NOW) == ("b",)
        assert leases.take(tx, "b", ("share:y", "share:z"), NOW) == ()
        with pytest.raises(Conflict, match="over"):
            leases.take(tx, "a", ("share:p",), NOW)


def test_runs_that_want_the_same_take_turns_and_none_is_forgotten(metadata: Metadata):
    names = [f"run{number}" for number in range(8)]
    for name in names:
        begin(metadata, name, shares=(name,), project_name=name)

    def work(run_id: str) -> list[str]:
        """Do a run as a worker does, and return the runs that wait for it."""
        with metadata.transaction() as tx:
            if runs.start(tx, run_id, NOW).status.final:
                return []  # woken twice
            if leases.take(tx, run_id, ("share:x", f"share:{run_id}"), NOW):
                runs.move(tx, run_id, RunStatus.WAITING, NOW)
                return []
        with metadata.transaction() as tx:
            return list(runs.finish(tx, run_id, RunStatus.COMPLETED, NOW) or ())

    def follow(run_id: str) -> None:
        queue = [run_id]
        while queue:
            queue += work(queue.pop(0))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(follow, names))
    with metadata.read() as tx:
        assert runs.counts(tx) == {RunStatus.COMPLETED: 8}


def test_uploads_and_workers_of_one_pack_never_wait_for_each_other_in_a_ring(metadata: Metadata):
    pack_id = begin(metadata, "first").pack_id

    def upload(number: int) -> None:
        with metadata.transaction() as tx:
            given = pack(shares=("sales", f"s{number}"))
            saved = packs.save(tx, given, by="ada@acme.com", strategy=Strategy.UPDATE)
            runs.supersede(tx, saved.pack_id, saved.version, NOW)
            about: dict[str, Any] = {"pack_id": saved.pack_id, "version": saved.version}
            about["request_id"] = saved.request_id
            runs.create(tx, f"run{number}", RunKind.APPLY, at=NOW, by="ada", workspace=HOST, **about)
            audit.seal(tx, at=NOW, actor="ada", action="SubmitPack", subject=str(saved.pack_id))

    def work(_: int) -> None:
        with metadata.read() as tx:
            open_runs = runs.listed(tx, statuses=(RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING))
        for run in open_runs[:2]:
            with metadata.transaction() as tx:
                if runs.start(tx, run.id, NOW).status.final:
                    continue
                if leases.take(tx, run.id, ("share:sales",), NOW):
                    runs.move(tx, run.id, RunStatus.WAITING, NOW)
                    continue
            with metadata.transaction() as tx:
                runs.progress(tx, run.id, NOW, 1, 1, "grant")
            with metadata.transaction() as tx:
                runs.finish(tx, run.id, RunStatus.COMPLETED, NOW)
                audit.seal(tx, at=NOW, actor="service", action="FinishRun", subject=run.id)

    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(job, number) for number in range(30) for job in (upload, work)]
        for one in asked:
            one.result()
    with metadata.read() as tx:
        assert packs.get(tx, pack_id).version == 31
        assert audit.verify(tx) == ()


# ── the database's own guards ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deltashare.audit_trail SET performed_by = 'nobody'",
        "DELETE FROM deltashare.audit_trail",
        "TRUNCATE deltashare.audit_trail",
        "UPDATE deltashare.share_packs SET share_pack_status = 'DONE'",
        "UPDATE deltashare.share_packs SET strategy = 'MAYBE'",
        "UPDATE deltashare.requests SET approver_status = 'sure'",
        "UPDATE brickyard.share_runs SET status = 'done'",
        "UPDATE brickyard.share_runs SET status = 'completed'",
        "UPDATE deltashare.share_packs SET effective_to = effective_from",
    ],
)
def test_the_database_refuses_what_must_not_be(metadata: Metadata, statement: str):
    begin(metadata)
    with pytest.raises(DBAPIError), metadata.transaction() as tx:
        tx.exec_driver_sql(statement)
