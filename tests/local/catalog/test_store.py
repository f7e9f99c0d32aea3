"""The catalog store: names, parents, mirrors, grants and tags."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from brickyard.local.catalog.model import (
    AlreadyExists,
    Catalog,
    CatalogType,
    DoesNotExist,
    Function,
    Grant,
    Invalid,
    Kind,
    NotEmpty,
    PermissionDenied,
    Schema,
    Table,
    Tag,
    Volume,
)
from brickyard.local.catalog.store import CatalogStore

ME = "owner@example.com"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    made = CatalogStore(tmp_path / "catalog.db", owner=ME, clock=lambda: NOW)
    yield made
    made.close()


def _table(store, catalog="main", schema="default", name="t", **fields):
    return store.add(Table(catalog=catalog, schema=schema, name=name, **fields), by=ME)


def test_a_new_workspace_has_the_hive_metastore_main_and_system(store):
    assert [c.name for c in store.catalogs()] == ["hive_metastore", "main", "system"]
    assert [s.name for s in store.schemas("hive_metastore")] == ["default"]
    assert [s.name for s in store.schemas("main")] == ["default", "information_schema"]


def test_names_fold_to_lower_case_and_columns_of_the_row_are_stamped(store):
    made = _table(store, "MAIN", "Default", "Orders")
    assert store.table("Main", "DEFAULT", "ORDERS") == made
    assert (made.full_name, made.owner, made.created_at, made.created_by) == ("main.default.orders", ME, NOW, ME)


@pytest.mark.parametrize(
    ("lookup", "code"),
    [
        (lambda s: s.catalog("no"), "CATALOG_DOES_NOT_EXIST"),
        (lambda s: s.schema("main", "no"), "SCHEMA_DOES_NOT_EXIST"),
        (lambda s: s.table("main", "no", "t"), "SCHEMA_DOES_NOT_EXIST"),
        (lambda s: s.table("main", "default", "t"), "TABLE_DOES_NOT_EXIST"),
        (lambda s: s.function("main", "default", "f"), "FUNCTION_DOES_NOT_EXIST"),
        (lambda s: s.volume("main", "default", "v"), "VOLUME_DOES_NOT_EXIST"),
    ],
)
def test_what_is_not_there_says_which_kind_of_thing_is_missing(store, lookup, code):
    with pytest.raises(DoesNotExist) as refused:
        lookup(store)
    assert (refused.value.code, refused.value.status) == (code, 404)


def test_a_name_is_taken_once_by_a_table_or_view_but_a_function_may_share_it(store):
    _table(store)
    store.add(Function(catalog="main", schema="default", name="t"), by=ME)
    with pytest.raises(AlreadyExists, match=r"Table 'main.default.t' already exists"):
        _table(store)


def test_a_schema_with_tables_is_dropped_only_with_cascade_and_grants_go_with_it(store):
    store.add(Schema(catalog="main", name="s"), by=ME)
    _table(store, schema="s")
    store.grant(Kind.TABLE, ("main", "s", "t"), "ann", ["SELECT"])
    with pytest.raises(NotEmpty):
        store.remove(store.schema("main", "s"))
    removed = store.remove(store.schema("main", "s"), cascade=True)
    assert [r.key for r in removed] == [("main", "s", "t"), ("main", "s")]
    assert store.database.rows("SELECT * FROM grants") == []


def test_a_catalog_whose_default_schema_is_empty_is_empty(store):
    store.add(Catalog(name="scratch"), by=ME)
    store.remove(store.catalog("scratch"))
    assert "scratch" not in [c.name for c in store.catalogs()]


def test_a_foreign_catalog_shows_the_tables_it_mirrors_read_only(store):
    original = _table(store, "hive_metastore", "default", "t")
    store.add(
        Catalog(name="foreign_hive", catalog_type=CatalogType.FOREIGN, options={"mirror": "hive_metastore"}), by=ME
    )
    seen = store.table("foreign_hive", "default", "t")
    assert seen == replace(original, catalog="foreign_hive", read_only=True)
    assert store.tables("foreign_hive", "default") == [seen]
    with pytest.raises(PermissionDenied):
        _table(store, "foreign_hive", "default", "u")
    with pytest.raises(PermissionDenied):
        store.remove(seen)


def test_renaming_a_catalog_takes_schemas_tables_and_grants_along(store):
    store.add(Catalog(name="old"), by=ME)
    made = _table(store, "old")
    store.grant(Kind.TABLE, made.key, "ann", ["SELECT"])
    store.save(replace(store.catalog("old"), name="new"), by=ME)
    assert store.table("new", "default", "t").id == made.id
    assert store.grants(Kind.TABLE, ("new", "default", "t")) == [Grant(Kind.TABLE, "new.default.t", "ann", "SELECT")]
    with pytest.raises(DoesNotExist):
        store.catalog("old")


def test_grants_are_inherited_from_above(store):
    _table(store)
    store.grant(Kind.CATALOG, ("main",), "ann", ["use catalog"])
    store.grant(Kind.TABLE, ("main", "default", "t"), "bob", ["SELECT", "MODIFY"])
    store.revoke(Kind.TABLE, ("main", "default", "t"), "bob", ["MODIFY"])
    assert store.effective_grants(Kind.TABLE, ("main", "default", "t")) == [
        Grant(Kind.TABLE, "main.default.t", "bob", "SELECT"),
        Grant(Kind.CATALOG, "main", "ann", "USE CATALOG"),
    ]


def test_tags_belong_to_an_object_or_to_a_column(store):
    _table(store)
    key = ("main", "default", "t")
    store.set_tags(Kind.TABLE, key, {"pii": "no", "team": "x"})
    store.set_tags(Kind.TABLE, key, {"pii": "yes"}, column="email")
    store.unset_tags(Kind.TABLE, key, ["team"])
    assert store.tags(Kind.TABLE, key) == [Tag("pii", "no"), Tag("pii", "yes", "email")]


def test_a_volume_is_found_through_its_schema(store):
    made = store.add(Volume(catalog="main", schema="default", name="files", storage_location="/x"), by=ME)
    assert store.volumes("main", "default") == [made]


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "a b", "a\x00", "x" * 256])
def test_names_that_unity_catalog_refuses_are_refused(store, name):
    with pytest.raises(Invalid):
        store.add(Schema(catalog="main", name=name), by=ME)


def test_many_threads_write_at_once_and_nothing_is_lost(store):
    threads = [threading.Thread(target=_table, args=(store,), kwargs={"name": f"t{n}"}) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.tables("main", "default")) == 20


def test_the_catalog_is_there_again_after_a_restart(tmp_path):
    first = CatalogStore(tmp_path / "catalog.db", owner=ME)
    made = _table(first)
    first.close()
    second = CatalogStore(tmp_path / "catalog.db", owner=ME)
    assert second.table("main", "default", "t") == made
    second.close()
