"""Unity Catalog: metastore, catalogs, schemas, tables, views, functions, volumes, permissions."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service.catalog import (
    CatalogType,
    DataSourceFormat,
    PermissionsChange,
    Privilege,
    SecurableType,
    TableType,
    VolumeType,
)


@pytest.mark.covers("metastores.summary", "metastores.current")
def test_the_workspace_has_a_metastore(client: WorkspaceClient, faithful: Callable[[Any], Any]):
    summary = faithful(client.metastores.summary())
    assert faithful(client.metastores.current()).metastore_id == summary.metastore_id


@pytest.mark.covers("metastores.list", "connections.list")
def test_metastores_and_connections_can_be_listed(client: WorkspaceClient):
    assert list(client.metastores.list())
    list(client.connections.list())


@pytest.mark.covers("catalogs.create", "catalogs.get", "catalogs.update", "catalogs.delete")
def test_a_catalog_lives_and_dies(target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any]):
    if target.local is None:
        pytest.skip("the suite makes no catalogs on a real metastore")
    name = f"contract_{secrets.token_hex(4)}"
    made = faithful(client.catalogs.create(name, comment="c", properties={"k": "v"}))
    assert (made.name, made.catalog_type) == (name, CatalogType.MANAGED_CATALOG)
    with pytest.raises(BadRequest, match="already exists"):
        client.catalogs.create(name)
    changed = faithful(client.catalogs.update(name, comment="d", new_name=f"{name}_b"))
    assert (changed.name, changed.comment, changed.properties) == (f"{name}_b", "d", {"k": "v"})
    assert faithful(client.catalogs.get(f"{name}_b")).comment == "d"
    client.schemas.create("s", f"{name}_b")
    with pytest.raises(BadRequest):
        client.catalogs.delete(f"{name}_b")
    client.catalogs.delete(f"{name}_b", force=True)
    with pytest.raises(NotFound):
        client.catalogs.get(name)


@pytest.mark.covers("catalogs.list")
def test_catalogs_are_listed_page_by_page(target: Any, client: WorkspaceClient, all_faithful: Callable[..., list[Any]]):
    names = [c.name for c in all_faithful(client.catalogs.list(), "catalogs")]
    assert target.catalog in names
    assert [c.name for c in client.catalogs.list(max_results=1)] == names


def test_a_foreign_catalog_shows_another_one(target: Any, client: WorkspaceClient):
    if target.local is None:
        pytest.skip("foreign catalogs of a real workspace need a connection")
    client.catalogs.create("shown", options={"mirror": target.catalog})
    assert {s.name for s in client.schemas.list("shown")} == {s.name for s in client.schemas.list(target.catalog)}
    client.catalogs.delete("shown", force=True)


@pytest.mark.covers("schemas.create", "schemas.get", "schemas.list", "schemas.update", "schemas.delete")
def test_a_schema_lives_and_dies(
    target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any], all_faithful: Callable[..., list[Any]]
):
    name = f"contract_{secrets.token_hex(4)}"
    made = faithful(client.schemas.create(name, target.catalog, comment="c"))
    assert made.full_name == f"{target.catalog}.{name}"
    with pytest.raises(BadRequest, match="already exists"):
        client.schemas.create(name, target.catalog)
    target.answers.clear()
    assert name in {s.name for s in all_faithful(client.schemas.list(target.catalog), "schemas")}
    assert faithful(client.schemas.update(made.full_name, comment="d")).comment == "d"
    assert faithful(client.schemas.get(made.full_name)).comment == "d"
    client.schemas.delete(made.full_name)
    with pytest.raises(NotFound):
        client.schemas.get(made.full_name)


@pytest.mark.covers("tables.get", "tables.exists", "tables.list", "tables.list_summaries")
def test_a_table_is_described(
    target: Any,
    client: WorkspaceClient,
    table: str,
    faithful: Callable[[Any], Any],
    all_faithful: Callable[..., list[Any]],
):
    found = faithful(client.tables.get(table))
    assert (found.table_type, found.data_source_format) == (TableType.MANAGED, DataSourceFormat.DELTA)
    assert [(c.name, c.type_text, c.position) for c in found.columns] == [
        ("id", "bigint", 0),
        ("name", "string", 1),
        ("amount", "decimal(10,2)", 2),
        ("at", "timestamp", 3),
    ]
    assert faithful(client.tables.exists(table)).table_exists is True
    assert faithful(client.tables.exists(f"{table}_no")).table_exists is False
    catalog, schema, name = table.split(".")
    target.answers.clear()
    assert name in {t.name for t in all_faithful(client.tables.list(catalog, schema), "tables")}
    assert [t.columns for t in client.tables.list(catalog, schema, omit_columns=True) if t.columns] == []
    target.answers.clear()
    summaries = client.tables.list_summaries(catalog, schema_name_pattern=schema, table_name_pattern="ord%")
    assert [t.full_name for t in all_faithful(summaries, "tables")] == [table]


def test_what_does_not_exist_is_not_found_by_its_own_code(client: WorkspaceClient, schema: str):
    for ask, code in (
        (lambda: client.tables.get(f"{schema}.no"), "TABLE_DOES_NOT_EXIST"),
        (lambda: client.schemas.get(f"{schema}_no"), "SCHEMA_DOES_NOT_EXIST"),
        (lambda: client.catalogs.get("no_such_catalog"), "CATALOG_DOES_NOT_EXIST"),
    ):
        with pytest.raises(NotFound) as missing:
            ask()
        assert missing.value.error_code == code


@pytest.mark.covers("tables.create", "tables.update", "tables.delete")
def test_an_external_table_is_registered_and_dropped_without_its_files(
    target: Any, client: WorkspaceClient, schema: str, table: str, faithful: Callable[[Any], Any]
):
    if target.local is None:
        pytest.skip("a real workspace needs an external location")
    catalog, schema_name = schema.split(".")
    source = client.tables.get(table)
    target.sql(f"CREATE VOLUME {schema}.files")
    location = f"/Volumes/{catalog}/{schema_name}/files/donor"
    target.sql(f"CREATE TABLE {schema}.donor (a INT) LOCATION '{location}'")
    made = faithful(
        client.tables.create(
            "ext",
            catalog,
            schema_name,
            TableType.EXTERNAL,
            DataSourceFormat.DELTA,
            storage_location=location,
            columns=[],
        )
    )
    assert [c.name for c in made.columns] == ["a"]
    client.tables.update(made.full_name, owner="reader@local")
    assert client.tables.get(made.full_name).owner == "reader@local"
    client.tables.delete(made.full_name)
    assert client.tables.exists(made.full_name).table_exists is False
    assert client.tables.exists(f"{schema}.donor").table_exists is True
    target.sql(f"DROP TABLE {schema}.donor")
    target.sql(f"DROP VOLUME {schema}.files")
    assert source.table_id == client.tables.get(table).table_id


def test_a_view_is_listed_as_a_table(target: Any, client: WorkspaceClient, schema: str, table: str):
    target.sql(f"CREATE OR REPLACE VIEW {schema}.few AS SELECT id, name FROM {table} WHERE id < 3")
    found = client.tables.get(f"{schema}.few")
    assert (found.table_type, [c.name for c in found.columns or []]) == (TableType.VIEW, ["id", "name"])
    assert "id < 3" in (found.view_definition or "")
    client.tables.delete(f"{schema}.few")


@pytest.mark.covers("registered_models.get")
def test_a_model_that_nobody_registered_does_not_exist(client: WorkspaceClient, schema: str):
    with pytest.raises(NotFound, match="does not exist"):
        client.registered_models.get(f"{schema}.no_such_model")


@pytest.mark.covers("functions.get", "functions.list", "functions.delete")
def test_a_sql_function_is_described(
    target: Any,
    client: WorkspaceClient,
    schema: str,
    faithful: Callable[[Any], Any],
    all_faithful: Callable[..., list[Any]],
):
    target.sql(f"CREATE OR REPLACE FUNCTION {schema}.twice(x INT) RETURNS INT RETURN x * 2")
    found = faithful(client.functions.get(f"{schema}.twice"))
    assert [(p.name, p.type_text) for p in found.input_params.parameters] == [("x", "int")]
    assert found.routine_definition.strip() == "x * 2"
    target.answers.clear()
    assert [f.name for f in all_faithful(client.functions.list(*schema.split(".")), "functions")] == ["twice"]
    client.functions.delete(f"{schema}.twice")
    with pytest.raises(NotFound):
        client.functions.get(f"{schema}.twice")


@pytest.mark.covers("functions.create", "functions.update")
def test_a_function_is_made_through_the_api(target: Any, client: WorkspaceClient, schema: str):
    if target.local is None:
        pytest.skip("the API of a real workspace makes functions of other languages too")
    catalog, schema_name = schema.split(".")
    info = {
        "name": "thrice",
        "catalog_name": catalog,
        "schema_name": schema_name,
        "input_params": {"parameters": [{"name": "x", "type_text": "int", "type_name": "INT", "position": 0}]},
        "data_type": "INT",
        "full_data_type": "INT",
        "routine_body": "SQL",
        "routine_definition": "x * 3",
    }
    client.api_client.do("POST", "/api/2.1/unity-catalog/functions", body={"function_info": info})
    assert target.sql(f"SELECT {schema}.thrice(2)").result.data_array == [["6"]]
    assert client.functions.update(f"{schema}.thrice", owner="reader@local").owner == "reader@local"
    client.functions.delete(f"{schema}.thrice")


@pytest.mark.covers("volumes.create", "volumes.read", "volumes.list", "volumes.update", "volumes.delete")
def test_a_volume_lives_and_dies(
    target: Any,
    client: WorkspaceClient,
    schema: str,
    faithful: Callable[[Any], Any],
    all_faithful: Callable[..., list[Any]],
):
    made = faithful(client.volumes.create(*schema.split("."), "v", VolumeType.MANAGED, comment="c"))
    assert (made.full_name, made.volume_type) == (f"{schema}.v", VolumeType.MANAGED)
    target.answers.clear()
    assert [v.name for v in all_faithful(client.volumes.list(*schema.split(".")), "volumes")] == ["v"]
    assert faithful(client.volumes.update(f"{schema}.v", comment="d")).comment == "d"
    assert faithful(client.volumes.read(f"{schema}.v")).comment == "d"
    client.volumes.delete(f"{schema}.v")
    with pytest.raises(NotFound):
        client.volumes.read(f"{schema}.v")


@pytest.mark.covers("grants.get", "grants.update", "grants.get_effective")
def test_privileges_are_given_inherited_and_taken(
    target: Any, client: WorkspaceClient, schema: str, table: str, faithful: Callable[[Any], Any]
):
    principal = "account users"
    give = [PermissionsChange(principal=principal, add=[Privilege.USE_SCHEMA, Privilege.SELECT])]
    faithful(client.grants.update(SecurableType.SCHEMA.value, schema, changes=give))
    own = faithful(client.grants.get(SecurableType.SCHEMA.value, schema))
    assert {
        p: {x.value for x in a.privileges or []} for a in own.privilege_assignments or [] if (p := a.principal)
    } == {principal: {"USE_SCHEMA", "SELECT"}}
    effective = faithful(client.grants.get_effective(SecurableType.TABLE.value, table, principal=principal))
    inherited = {
        (p.privilege, p.inherited_from_type, p.inherited_from_name)
        for a in effective.privilege_assignments
        for p in a.privileges
    }
    assert (Privilege.SELECT, SecurableType.SCHEMA, schema) in inherited
    take = [PermissionsChange(principal=principal, remove=[Privilege.USE_SCHEMA, Privilege.SELECT])]
    client.grants.update(SecurableType.SCHEMA.value, schema, changes=take)
    assert not client.grants.get(SecurableType.SCHEMA.value, schema).privilege_assignments
