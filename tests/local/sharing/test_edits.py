"""What may be put into a share, and what one request may do to it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.local.catalog.model import (
    PIPELINE_KIND,
    AlreadyExists,
    Catalog,
    CatalogError,
    CatalogType,
    DoesNotExist,
    Function,
    Invalid,
    PermissionDenied,
    Schema,
    Table,
    TableType,
    Volume,
)
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sharing.edits import LIMITS, Action, Edit, edited
from brickyard.local.sharing.model import ObjectType, PartitionValue, Share, SharedObject
from brickyard.local.sharing.shareable import Shareable, Source

ME = "owner@example.com"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EMPTY = Share(id="1", name="sales", owner=ME)
NOTEBOOK = base64.b64encode(b"print(1)").decode()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogStore]:
    """A catalog `main.s` with tables, a view, a volume and a function, mirrored by the foreign catalog `far`."""
    home = tmp_path_factory.mktemp("catalog")
    made = CatalogStore(home / "catalog.db", owner=ME)
    made.add(Schema(catalog="main", name="s"), by=ME)
    made.add(Catalog(name="far", catalog_type=CatalogType.FOREIGN, options={"mirror": "main"}), by=ME)
    for name in ("orders", "items", *(f"t{i}" for i in range(120))):
        made.add(delta_table(home, name), by=ME)
    for name, kind in (("stream", "STREAMING_TABLE"), ("mat", "MATERIALIZED_VIEW")):
        made.add(replace(delta_table(home, name), properties={PIPELINE_KIND: kind}), by=ME)
    made.add(replace(delta_table(home, "old"), catalog="hive_metastore", schema="default"), by=ME)
    made.add(Table(catalog="main", schema="s", name="csv", data_source_format="CSV", storage_location="/x"), by=ME)
    for name, text in VIEWS.items():
        made.add(view(name, text), by=ME)
    made.add(Volume(catalog="main", schema="s", name="files"), by=ME)
    made.add(Function(catalog="main", schema="s", name="f"), by=ME)
    yield made
    made.close()


VIEWS = {
    "v": "SELECT * FROM orders",
    "far_v": "SELECT * FROM far.s.orders",
    "deep_v": "SELECT 1 FROM v JOIN far_v ON true",
    "hive_v": "SELECT * FROM hive_metastore.default.old",
}


def delta_table(home: Path, name: str) -> Table:
    folder = home / name
    if name in ("orders", "items"):
        for i in range(3):
            write_deltalake(folder, pa.table({"id": [i], "region": ["eu"]}), mode="append", partition_by=["region"])
    else:
        write_minimal(folder)
    return Table(catalog="main", schema="s", name=name, storage_location=str(folder), partition_columns=("region",))


def write_minimal(folder: Path) -> None:
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "_delta_log" / f"{0:020}.json").write_text("{}\n")


def view(name: str, text: str) -> Table:
    return Table(
        catalog="main",
        schema="s",
        name=name,
        table_type=TableType.VIEW,
        view_definition=text,
        view_catalog="main",
        view_schema="s",
    )


@pytest.fixture
def shareable(store: CatalogStore) -> Shareable:
    return Shareable(store, lambda source: None)


def edit(action: str, name: str, kind: str = "TABLE", start: int | None = None, **fields: object) -> Edit:
    wanted = replace(SharedObject(name=name, object_type=ObjectType(kind)), **fields)
    return Edit(Action(action), wanted, start)


def after(shareable: Shareable, *edits: Edit, share: Share = EMPTY) -> Share:
    return edited(share, edits, shareable, by=ME, at=NOW)


def refusal(shareable: Shareable, *edits: Edit, share: Share = EMPTY) -> CatalogError:
    with pytest.raises(CatalogError) as refused:
        after(shareable, *edits, share=share)
    return refused.value


def test_an_added_table_carries_its_version_and_who_added_it(shareable: Shareable):
    (one,) = after(shareable, edit("ADD", "MAIN.S.Orders")).objects
    assert one == SharedObject(
        name="main.s.orders", object_type=ObjectType.TABLE, start_version=2, added_at=NOW, added_by=ME
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [("VIEW", "main.s.v"), ("SCHEMA", "main.s"), ("VOLUME", "main.s.files"), ("FUNCTION", "main.s.f"),
     ("FOREIGN_TABLE", "far.s.orders"), ("STREAMING_TABLE", "main.s.stream"), ("MATERIALIZED_VIEW", "main.s.mat")],
)  # fmt: skip
def test_every_sort_of_object_can_be_shared(shareable: Shareable, kind: str, name: str):
    (one,) = after(shareable, edit("ADD", name, kind)).objects
    assert (one.name, one.object_type) == (name, kind)


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("VIEW", "main.s.orders", "is a table and not a VIEW"),
        ("TABLE", "main.s.v", "is a view and not a TABLE"),
        ("TABLE", "far.s.orders", "is a foreign table and not a TABLE"),
        ("STREAMING_TABLE", "main.s.orders", "is a table and not a STREAMING_TABLE"),
        ("TABLE", "main.s.stream", "is a streaming table and not a TABLE"),
        ("VIEW", "far.s.v", "cannot be shared"),
        ("VIEW", "main.s.far_v", "cannot be shared"),
        ("VIEW", "main.s.deep_v", "cannot be shared"),
        ("VIEW", "main.s.hive_v", "cannot be shared"),
        ("SCHEMA", "far.s", "cannot be shared"),
        ("TABLE", "hive_metastore.default.old", "hive_metastore"),
        ("TABLE", "main.s.csv", "only Delta tables"),
        ("TABLE", "main.s", "needs 3 parts"),
        ("SCHEMA", "main.s.orders", "needs 2 parts"),
    ],
)
def test_what_cannot_be_shared_is_refused_with_the_reason(shareable: Shareable, kind: str, name: str, words: str):
    refused = refusal(shareable, edit("ADD", name, kind))
    assert (type(refused), words in refused.message) == (Invalid, True), refused.message


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("TABLE", "main.s.no", "TABLE_DOES_NOT_EXIST"),
        ("TABLE", "no.s.t", "CATALOG_DOES_NOT_EXIST"),
        ("SCHEMA", "main.no", "SCHEMA_DOES_NOT_EXIST"),
        ("VOLUME", "main.s.no", "VOLUME_DOES_NOT_EXIST"),
        ("FUNCTION", "main.s.no", "FUNCTION_DOES_NOT_EXIST"),
        ("MODEL", "main.s.no", "RESOURCE_DOES_NOT_EXIST"),
    ],
)
def test_what_does_not_exist_is_not_shared(shareable: Shareable, kind: str, name: str, code: str):
    refused = refusal(shareable, edit("ADD", name, kind))
    assert (type(refused), refused.code) == (DoesNotExist, code)


@pytest.mark.parametrize(
    "wrong",
    [
        edit("ADD", "main.s.orders", shared_as=""),
        edit("ADD", "main.s.orders", shared_as="orders"),
        edit("ADD", "main.s.orders", shared_as="a.b.c"),
        edit("ADD", "main.s.orders", shared_as="a.b-c"),
        edit("ADD", "main.s.orders", string_shared_as="a.b"),
        edit("ADD", "main.s.files", "VOLUME", shared_as="a.b"),
        edit("ADD", "main.s.files", "VOLUME", string_shared_as="b"),
        edit("ADD", "main.s", "SCHEMA", string_shared_as="a.b"),
        edit("ADD", "main.s.orders", cdf_enabled=True, history=True),
        edit("ADD", "main.s.v", "VIEW", history=True),
        edit("ADD", "main.s.stream", "STREAMING_TABLE", cdf_enabled=True),
        edit("ADD", "main.s.stream", "STREAMING_TABLE", partitions=((PartitionValue("region", value="x"),),)),
        edit("ADD", "main.s.files", "VOLUME", cdf_enabled=True),
        edit("ADD", "main.s.orders", start=3),
        edit("ADD", "main.s.orders", start=-1),
        edit("ADD", "main.s.orders", partitions=((PartitionValue("id", value="1"),),)),
        edit("ADD", "main.s.orders", partitions=((PartitionValue("region"),),)),
        edit("ADD", "main.s.orders", partitions=((PartitionValue("region", "NOT", "x"),),)),
        edit("ADD", "main.s", "SCHEMA", partitions=((PartitionValue("region", value="x"),),)),
        edit("ADD", "/n.py", "NOTEBOOK_FILE"),
        edit("ADD", "/n.py", "NOTEBOOK_FILE", content="no base64"),
    ],
)
def test_fields_that_do_not_fit_are_refused(shareable: Shareable, wrong: Edit):
    assert refusal(shareable, wrong).code == "INVALID_PARAMETER_VALUE"


def test_partitions_and_versions_are_kept(shareable: Shareable):
    partitions = ((PartitionValue("REGION", "LIKE", "e%"),), (PartitionValue("region", recipient_property_key="r"),))
    (one,) = after(shareable, edit("ADD", "main.s.orders", start=1, cdf_enabled=True, partitions=partitions)).objects
    assert (one.partitions, one.start_version, one.cdf_enabled) == (partitions, 1, True)


def test_a_notebook_is_shared_by_its_content(shareable: Shareable):
    (one,) = after(shareable, edit("ADD", "/Users/me/n.py", "NOTEBOOK_FILE", content=NOTEBOOK)).objects
    assert one.content == NOTEBOOK


def test_a_table_can_be_in_a_share_twice_under_different_names_and_an_alias_once(shareable: Shareable):
    share = after(shareable, edit("ADD", "main.s.orders"), edit("ADD", "main.s.items", shared_as="a.b"))
    share = after(shareable, edit("ADD", "main.s.orders", shared_as="a.o"), share=share)
    assert [one.shared_as for one in share.objects] == [None, "a.b", "a.o"]
    taken = refusal(shareable, edit("ADD", "main.s.t1", shared_as="A.B"), share=share)
    assert (type(taken), taken.code) == (AlreadyExists, "RESOURCE_ALREADY_EXISTS")
    assert refusal(shareable, edit("REMOVE", "main.s.orders"), share=share).code == "INVALID_PARAMETER_VALUE"
    share = after(shareable, edit("REMOVE", "main.s.orders", shared_as="s.orders"), share=share)
    assert [one.shared_as for one in share.objects] == ["a.b", "a.o"]


def test_adding_what_is_there_and_removing_what_is_not_are_refused(shareable: Shareable):
    share = after(shareable, edit("ADD", "main.s.orders"))
    assert refusal(shareable, edit("ADD", "main.s.orders"), share=share).code == "RESOURCE_ALREADY_EXISTS"
    for action in ("REMOVE", "UPDATE"):
        assert refusal(shareable, edit(action, "main.s.items"), share=share).code == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(shareable, edit("REMOVE", "main.s.orders", "VIEW"), share=share).code == "RESOURCE_DOES_NOT_EXIST"


def test_a_removal_needs_neither_the_source_nor_a_right(store: CatalogStore, shareable: Shareable):
    share = replace(EMPTY, objects=(SharedObject(name="gone.s.t", object_type=ObjectType.TABLE),))

    def refuse(source: Source) -> None:
        raise PermissionDenied("PERMISSION_DENIED", "no")

    assert after(Shareable(store, refuse), edit("REMOVE", "gone.s.t"), share=share).objects == ()
    assert refusal(Shareable(store, refuse), edit("ADD", "main.s.orders")).code == "PERMISSION_DENIED"


def test_a_removal_may_leave_the_type_out(shareable: Shareable):
    share = after(shareable, edit("ADD", "main.s.v", "VIEW"))
    untyped = replace(edit("REMOVE", "main.s.v"), typed=False)
    assert after(shareable, untyped, share=share).objects == ()


def test_an_update_keeps_place_alias_and_who_added_it(shareable: Shareable):
    share = after(shareable, edit("ADD", "main.s.orders", shared_as="a.b"), edit("ADD", "main.s.items"))
    changed = edited(
        share, [edit("UPDATE", "main.s.orders", comment="c", cdf_enabled=True)], shareable, by="x", at=datetime.now(UTC)
    )
    wanted = replace(share.objects[0], comment="c", cdf_enabled=True)
    assert changed.objects == (wanted, share.objects[1])
    refused = refusal(shareable, edit("UPDATE", "main.s.orders", shared_as="a.c"), share=share)
    assert "cannot be updated" in refused.message


@pytest.mark.parametrize(
    "edits",
    [
        (edit("REMOVE", "main.s.orders"), edit("ADD", "main.s.orders")),
        (edit("ADD", "main.s.orders"), edit("ADD", "MAIN.S.ORDERS")),
        (edit("ADD", "main.s.orders", shared_as="a.b"), edit("ADD", "main.s.orders")),
        (edit("ADD", "main.s.orders", shared_as="a.b"), edit("ADD", "main.s.orders", shared_as="A.b")),
    ],
)
def test_one_request_names_an_object_once(shareable: Shareable, edits: tuple[Edit, ...]):
    assert "duplicate updates on the same data object" in refusal(shareable, *edits).message


def test_one_request_takes_100_objects(shareable: Shareable):
    names = [edit("ADD", f"main.s.t{i}") for i in range(101)]
    assert len(after(shareable, *names[:100]).objects) == 100
    assert "at most 100" in refusal(shareable, *names).message


def test_a_share_has_its_limits(shareable: Shareable):
    full = replace(
        EMPTY,
        objects=tuple(SharedObject(name=f"a.s.t{i}", object_type=ObjectType.TABLE) for i in range(LIMITS["tables"])),
    )
    assert refusal(shareable, edit("ADD", "main.s.v", "VIEW"), share=full).code == "RESOURCE_EXHAUSTED"
    assert len(after(shareable, edit("ADD", "main.s.files", "VOLUME"), share=full).objects) == 1001
    swapped = after(shareable, edit("ADD", "main.s.orders"), edit("REMOVE", "a.s.t0"), share=full)
    assert len(swapped.objects) == 1000


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 8))
def test_neither_order_nor_splitting_of_additions_matters(store: CatalogStore, order: list[int], size: int):
    shareable = Shareable(store, lambda source: None)
    share = EMPTY
    for start in range(0, len(order), size):
        share = after(shareable, *(edit("ADD", f"main.s.t{i}") for i in order[start : start + size]), share=share)
    at_once = after(shareable, *(edit("ADD", f"main.s.t{i}") for i in range(8)))
    assert set(share.objects) == set(at_once.objects)
