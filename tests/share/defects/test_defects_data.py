"""Defects 1 to 9 of the service that this one replaces, in what it remembered: each stays mended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import pairwise
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError
from tests.share.defects.conftest import pack, partner, share
from tests.share.flow.conftest import apply, submit

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata, scd2
from brickyard.share import flow
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import PackStatus, RunStatus
from brickyard.share.store import audit, measures, packs, runs
from brickyard.share.store.measures import Cost
from brickyard.share.tables import share_packs, tenants


def at_once(count: int, act: Callable[[int], object]) -> None:
    """Do something in several threads that begin together."""
    gate = threading.Barrier(count)

    def one(number: int) -> None:
        gate.wait()
        act(number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(one, range(count)))


def count(metadata: Metadata, statement: str, **values: object) -> int:
    with metadata.read() as tx:
        return tx.execute(sa.text(statement), values).scalar_one()


def test_defect_01_concurrent_writes_leave_one_current_row_and_no_gap(metadata: Metadata):
    key = uuid4()

    def write(number: int) -> None:
        for turn in range(5):
            fields = {"business_line_name": "one", "owner": f"{number}.{turn}"}
            with metadata.transaction() as tx:
                scd2.write(tx, tenants, key, fields, by="ada")

    at_once(4, write)
    with metadata.read() as tx:
        lines = scd2.history(tx, tenants, key)
    assert [line.version for line in lines] == list(range(1, 21))
    assert [line.is_current for line in lines] == [False] * 19 + [True]
    assert all(one.effective_to == after.effective_from for one, after in pairwise(lines))


def test_defect_02_a_status_never_brings_back_an_older_configuration(house: Context, metadata: Metadata):
    first = submit(house, pack(house, 2))
    with metadata.transaction() as tx:
        run = runs.start(tx, first.run_id, house.clock())
    newer = pack(house, 2, metadata={"strategy": "UPDATE"}, recipient=[partner(2, description="newer")])
    second = submit(house, newer)
    with metadata.transaction() as tx:
        runs.progress(tx, run.id, house.clock(), 1, 2, "an old step")
        runs.finish(tx, run.id, RunStatus.FAILED, house.clock(), error="an old error")
    with metadata.read() as tx:
        found = packs.get(tx, second.pack_id)
        assert packs.config(tx, found.pack_id) == newer
    assert (found.version, found.strategy, found.status) == (2, Strategy.UPDATE, PackStatus.IN_PROGRESS)
    assert (found.provisioning_status, found.error_message) == ("", "")


def test_defect_03_a_run_of_many_steps_leaves_one_version_of_its_pack(house: Context):
    wanted = pack(house, 3)
    run = apply(house, wanted)
    assert (run.status, len(run.steps)) == (RunStatus.COMPLETED, 4)
    (version,) = flow.history(house, run.pack_id or "")
    assert (version.version, version.effective_to, version.status) == (1, None, PackStatus.COMPLETED)


def test_defect_04_what_is_true_now_is_true_for_ever_by_one_infinity(metadata: Metadata):
    key = uuid4()
    with metadata.transaction() as tx:
        for owner in ("ada", "bob"):
            scd2.write(tx, tenants, key, {"business_line_name": "four", "owner": owner}, by="ada")
    with metadata.read() as tx:
        last = scd2.as_of(tx, tenants, key, datetime(9999, 12, 31, 12, tzinfo=UTC))
    assert last and last.fields["owner"] == "bob"
    open_ended = "SELECT count(*) FROM deltashare.tenants WHERE tenant_id = :key AND effective_to = 'infinity'"
    assert count(metadata, open_ended, key=key) == 1


def test_defect_05_a_success_clears_the_error_and_a_pack_keeps_its_birthday(house: Context, workspace: LocalWorkspace):
    workspace.fail_next("shares.create", 403, "PERMISSION_DENIED")
    failed = apply(house, pack(house, 5))
    before = flow.status(house, failed.pack_id or "")
    assert (before.status, before.error_message != "") == (PackStatus.FAILED, True)
    apply(house, pack(house, 5))
    mended = flow.status(house, failed.pack_id or "")
    assert (mended.status, mended.error_message, mended.version) == (PackStatus.COMPLETED, "", 1)
    apply(house, pack(house, 5, recipient=[partner(5, description="newer")]))
    newer = flow.status(house, failed.pack_id or "")
    assert (newer.version, newer.created_at) == (2, before.created_at)
    assert newer.last_updated > before.last_updated


def test_defect_06_nothing_changes_without_its_audit_line_and_no_line_changes(house: Context, metadata: Metadata):
    with metadata.transaction() as tx:
        tx.exec_driver_sql(
            "ALTER TABLE deltashare.audit_trail ADD CONSTRAINT full_up CHECK (new_values ->> 'business_line_name' <> 'line 6')"
        )
    with pytest.raises(IntegrityError, match="full_up"):
        submit(house, pack(house, 6))
    with metadata.transaction() as tx:
        tx.exec_driver_sql("ALTER TABLE deltashare.audit_trail DROP CONSTRAINT full_up")
    assert count(metadata, "SELECT count(*) FROM deltashare.share_packs WHERE share_pack_name LIKE '%line_6_%'") == 0
    submit(house, pack(house, 6))
    for change in ("UPDATE deltashare.audit_trail SET performed_by = 'eve'", "DELETE FROM deltashare.audit_trail"):
        with pytest.raises(DatabaseError), metadata.transaction() as tx:
            tx.exec_driver_sql(change)
    with metadata.read() as tx:
        assert audit.verify(tx) == ()


def test_defect_07_a_cost_can_be_written_and_the_database_adds_it_up(metadata: Metadata):
    project, tenant = uuid4(), uuid4()
    period = {"period_start": date(2026, 11, 2), "period_end": date(2026, 11, 8)}
    cost = Cost(project_id=project, tenant_id=tenant, **period, databricks_cost=3.5, io_cost=0.5)
    with metadata.transaction() as tx:
        measures.save_cost(tx, cost, datetime(2026, 11, 9, tzinfo=UTC))
    total = "SELECT total_cost FROM deltashare.project_costs WHERE project_id = :project"
    assert count(metadata, total, project=project) == 4.0


def test_defect_08_the_database_refuses_a_status_that_nobody_knows(house: Context, metadata: Metadata):
    sent = submit(house, pack(house, 8))
    for column, word in (("share_pack_status", "DONE"), ("strategy", "MERGE"), ("request_source", "mail")):
        change = f"UPDATE deltashare.share_packs SET {column} = '{word}' WHERE share_pack_id = '{sent.pack_id}'"
        with pytest.raises(IntegrityError, match=f"{column}_known"), metadata.transaction() as tx:
            tx.exec_driver_sql(change)
    with metadata.transaction() as tx:
        tx.exec_driver_sql("CREATE TABLE deltashare.of_somebody_else (id int)")
    metadata.migrate()
    assert flow.status(house, sent.pack_id).status is PackStatus.IN_PROGRESS
    with metadata.transaction() as tx:
        tx.exec_driver_sql("DROP TABLE deltashare.of_somebody_else")


def test_defect_09_a_colleague_who_uploads_the_same_share_steers_the_same_pack(house: Context, metadata: Metadata):
    first = submit(house, pack(house, 9))
    theirs = pack(house, 9, metadata={"requestor": "bob@acme.com"}, share=[share(9, "m.s.orders")])
    second = submit(house, theirs)
    assert (second.pack_id, second.pack_name, second.version) == (first.pack_id, first.pack_name, 2)
    about = share_packs.c.share_pack_name.like("%line_9_%") & share_packs.c.is_current
    with metadata.read() as tx:
        assert len(tx.execute(sa.select(share_packs.c.record_id).where(about)).all()) == 1
