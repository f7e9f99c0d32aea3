"""Share packs: identity, versions, what is remembered with them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.share.store.samples import HOST, NOW, pack

from brickyard.kernel.errors import NotFound
from brickyard.metadata import Metadata, scd2
from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.runs import PackStatus, RequestStatus, RunKind, RunStatus
from brickyard.share.store import audit, packs, runs
from brickyard.share.tables import projects, requests, share_packs, tenant_regions, tenants


def save(metadata: Metadata, given: SharePack, by: str = "ada@acme.com", **more: Any) -> packs.Saved:
    with metadata.transaction() as tx:
        return packs.save(tx, given, by=by, strategy=Strategy.NEW, **more)


def test_a_new_pack_is_version_one_with_its_request_tenant_region_and_project(metadata: Metadata):
    saved = save(metadata, pack(project_name="Spring Sale"), file_name="pack.yaml")
    assert (saved.name, saved.version, saved.changed) == ("SharePack_ada@acme.com_Retail_Spring_Sale", 1, True)
    with metadata.read() as tx:
        record = packs.get(tx, saved.pack_id)
        request = scd2.current(tx, requests, saved.request_id)
        tenant = scd2.current(tx, tenants, record.tenant_id)
        project = scd2.current(tx, projects, record.project_id)
        region = scd2.find(tx, tenant_regions, {"tenant_id": record.tenant_id, "region": "EMEA", "workspace_url": HOST})
        assert packs.config(tx, saved.pack_id) == pack(project_name="Spring Sale")
    assert (record.status, record.strategy, record.version) == (PackStatus.IN_PROGRESS, Strategy.NEW, 1)
    assert (record.original_filename, record.created_at, record.deleted) == ("pack.yaml", record.updated_at, False)
    assert request and tenant and project and region
    assert request.fields["status"] == RequestStatus.IN_PROGRESS
    assert (request.fields["service_now_ticket"], request.fields["share_pack_id"]) == ("CHG1", saved.pack_id)
    assert (tenant.fields["business_line_name"], project.fields["project_name"]) == ("Retail", "Spring Sale")


def test_the_same_content_is_no_new_version_whatever_the_order_of_its_lists(metadata: Metadata):
    first = save(metadata, pack(shares=("a", "b")))
    again = save(metadata, pack(shares=("b", "a")), by="bob@acme.com")
    assert (again.pack_id, again.version, again.changed, again.request_id) == (first.pack_id, 1, False, None)


def test_a_colleague_who_uploads_the_same_share_makes_a_new_version_of_the_same_pack(metadata: Metadata):
    first = save(metadata, pack(shares=("sales",)))
    colleague = pack(shares=("SALES", "returns"), requestor="bob@acme.com", business_line="retail")
    second = save(metadata, colleague, by="bob@acme.com")
    assert (second.pack_id, second.name, second.version) == (first.pack_id, first.name, 2)


def test_another_project_or_business_line_is_another_pack(metadata: Metadata):
    ids = {
        save(metadata, given).pack_id
        for given in (pack(), pack(project_name="x"), pack(business_line="Wholesale"), pack(project_name="Default"))
    }
    assert len(ids) == 3


def test_without_a_common_name_a_colleague_makes_a_pack_of_their_own_and_the_uploader_does_not(metadata: Metadata):
    first = save(metadata, pack(shares=("sales",), recipients=("acme",)))
    colleague = save(metadata, pack(shares=("stock",), recipients=("zeta",), requestor="bob@acme.com"))
    own = save(metadata, pack(shares=("costs",), recipients=("omega",)))
    assert colleague.pack_id != first.pack_id
    assert own.pack_id == first.pack_id


def test_of_two_packs_the_one_with_more_common_names_is_meant(metadata: Metadata):
    save(metadata, pack(shares=("a",), recipients=("r",), requestor="a@acme.com"))
    second = save(metadata, pack(shares=("b", "c"), recipients=("s",), requestor="b@acme.com"))
    both = save(metadata, pack(shares=("a", "b", "c"), recipients=(), requestor="c@acme.com"))
    assert both.pack_id == second.pack_id


def test_a_deleted_pack_is_not_taken_up_again(metadata: Metadata):
    first = save(metadata, pack())
    with metadata.transaction() as tx:
        packs.delete(tx, first.pack_id, by="ada@acme.com", reason="gone")
    assert save(metadata, pack()).pack_id != first.pack_id
    with metadata.read() as tx:
        assert packs.get(tx, first.pack_id).deleted


def test_history_runs_from_the_newest_and_a_time_finds_its_version(metadata: Metadata):
    first = save(metadata, pack(shares=("a",)))
    save(metadata, pack(shares=("a", "b")))
    with metadata.read() as tx:
        newest, oldest = packs.history(tx, first.pack_id)
        then = packs.as_of(tx, first.pack_id, oldest.effective_from)
        assert packs.config(tx, first.pack_id, 1) == oldest.pack == pack(shares=("a",))
    assert (newest.version, oldest.version, newest.effective_from) == (2, 1, oldest.effective_to)
    assert then == oldest
    with metadata.read() as tx, pytest.raises(NotFound):
        packs.as_of(tx, first.pack_id, NOW.replace(year=2001))


def test_a_pack_that_is_not_there_is_not_found(metadata: Metadata):
    with metadata.read() as tx:
        for name in ("nonsense", "00000000-0000-0000-0000-000000000000"):
            with pytest.raises(NotFound) as refused:
                packs.get(tx, name)
            assert refused.value.error_code == "share-pack-not-found"


def test_packs_are_listed_by_what_they_are_about(metadata: Metadata):
    sales = save(metadata, pack(shares=("sales",), project_name="one"))
    stock = save(metadata, pack(shares=("stock",), recipients=("zeta",), project_name="two"))
    with metadata.read() as tx:
        found = packs.page(tx, limit=None)
        assert [record.pack_id for record in found] == [stock.pack_id, sales.pack_id]
        last = (found[0].updated_at, found[0].pack_id)
        for filters in ({"naming": "Sales"}, {"naming": "acme", "status": PackStatus.IN_PROGRESS}, {"after": last}):
            assert [record.pack_id for record in packs.page(tx, **filters)] == [sales.pack_id]
        assert [record.pack_id for record in packs.page(tx, limit=1)] == [stock.pack_id]
        assert packs.page(tx, status=PackStatus.COMPLETED) == ()


def test_every_change_leaves_a_line_and_the_seal_holds_them(metadata: Metadata):
    with metadata.transaction() as tx:
        saved = packs.save(tx, pack(), by="ada@acme.com", strategy=Strategy.NEW)
        head = audit.seal(tx, at=NOW, actor="ada@acme.com", action="SubmitPack", subject=str(saved.pack_id))
    with metadata.read() as tx:
        (line,) = audit.of_entity(tx, "share_pack", saved.pack_id)
        assert (line["action"], line["performed_by"], line["old_values"]) == ("CREATED", "ada@acme.com", None)
        assert head.id == 1
        assert audit.verify(tx) == ()


def test_twenty_uploads_at_once_leave_one_current_row_and_versions_without_a_gap(metadata: Metadata):
    together = threading.Barrier(10)

    def upload(number: int) -> int:
        given = pack(shares=("sales", f"share_{number}"), requestor=f"user{number}@acme.com")
        if number < 10:
            together.wait()
        with metadata.transaction() as tx:
            saved = packs.save(tx, given, by="ada@acme.com", strategy=Strategy.NEW)
            freed = runs.supersede(tx, saved.pack_id, saved.version, NOW)
            options: dict[str, Any] = {"pack_id": saved.pack_id, "version": saved.version}
            options |= {"request_id": saved.request_id, "at": NOW, "by": "ada@acme.com", "workspace": HOST}
            runs.create(tx, f"run-{number}", RunKind.APPLY, **options)
            audit.seal(tx, at=NOW, actor="ada@acme.com", action="SubmitPack", subject=str(saved.pack_id))
        assert freed == ()
        return saved.version

    with ThreadPoolExecutor(10) as pool:
        versions = sorted(pool.map(upload, range(20)))
    assert versions == list(range(1, 21))
    with metadata.read() as tx:
        (record,) = packs.page(tx)
        history = scd2.history(tx, share_packs, record.pack_id)
        statuses = [run.status for run in runs.of_pack(tx, record.pack_id)]
        assert audit.verify(tx) == ()
    assert [version.is_current for version in history] == [False] * 19 + [True]
    assert sorted(statuses) == [RunStatus.QUEUED] + [RunStatus.SUPERSEDED] * 19


def test_twenty_equal_uploads_at_once_are_one_version(metadata: Metadata):
    with ThreadPoolExecutor(10) as pool:
        saved = list(pool.map(lambda _: save(metadata, pack()), range(20)))
    assert {one.version for one in saved} == {1}
    assert len({one.pack_id for one in saved}) == 1
    assert sum(one.changed for one in saved) == 1


@pytest.mark.parametrize("version", [0, -1, 2, 2**31, 10**25])
def test_a_version_that_there_is_not_is_not_found_however_large_its_number(metadata: Metadata, version: int):
    saved = save(metadata, pack())
    with metadata.read() as tx, pytest.raises(NotFound):
        packs.config(tx, saved.pack_id, version)
