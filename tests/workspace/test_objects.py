"""Workspace objects, permissions on them, secrets, DBFS, clusters."""

from __future__ import annotations

import base64
import io
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists, ResourceDoesNotExist
from databricks.sdk.service.compute import State
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.workspace import AclPermission, ExportFormat, ImportFormat, Language, ObjectType

NOTEBOOK = b"# Databricks notebook source\nprint(1)\n"


@pytest.mark.covers(
    "workspace.mkdirs",
    "workspace.import",
    "workspace.list",
    "workspace.get_status",
    "workspace.export",
    "workspace.delete",
)
def test_a_notebook_goes_in_and_out(
    target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any], all_faithful: Callable[..., list[Any]]
):
    folder = f"{target.folder}/notebooks"
    client.workspace.mkdirs(folder)
    client.workspace.import_(
        f"{folder}/n", content=base64.b64encode(NOTEBOOK).decode(), format=ImportFormat.SOURCE, language=Language.PYTHON
    )
    client.workspace.upload(f"{folder}/m.py", io.BytesIO(NOTEBOOK), format=ImportFormat.AUTO)
    client.workspace.upload(f"{folder}/f.bin", b"\x00\xff", format=ImportFormat.AUTO)
    target.answers.clear()
    found = {o.path: o.object_type for o in all_faithful(client.workspace.list(folder), "objects")}
    assert found == {
        f"{folder}/n": ObjectType.NOTEBOOK,
        f"{folder}/m": ObjectType.NOTEBOOK,
        f"{folder}/f.bin": ObjectType.FILE,
    }
    status = faithful(client.workspace.get_status(f"{folder}/n"))
    assert (status.object_type, status.language, status.object_id > 0) == (ObjectType.NOTEBOOK, Language.PYTHON, True)
    exported = faithful(client.workspace.export(f"{folder}/n", format=ExportFormat.SOURCE))
    assert base64.b64decode(exported.content).strip() == NOTEBOOK.strip()
    assert client.workspace.download(f"{folder}/f.bin").read() == b"\x00\xff"
    client.workspace.delete(f"{folder}/n")
    with pytest.raises(NotFound):
        client.workspace.get_status(f"{folder}/n")


def test_what_is_there_is_not_overwritten_by_accident(target: Any, client: WorkspaceClient):
    client.workspace.upload(f"{target.folder}/once", b"1", format=ImportFormat.AUTO)
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.upload(f"{target.folder}/once", b"2", format=ImportFormat.AUTO)
    client.workspace.upload(f"{target.folder}/once", b"2", format=ImportFormat.AUTO, overwrite=True)
    assert client.workspace.download(f"{target.folder}/once").read() == b"2"


@pytest.mark.covers("workspace.import_file", "workspace.read_file")
def test_the_command_line_clients_way_to_store_a_file(target: Any, client: WorkspaceClient):
    path = f"{target.folder}/deployed.txt".lstrip("/").replace("/", "%2F")
    api = client.api_client
    api.do("POST", f"/api/2.0/workspace-files/import-file/{path}", query={"overwrite": "true"}, data=b"x")
    answer = api.do("GET", f"/api/2.0/workspace-files/{path}", raw=True)
    assert answer["contents"].read() == b"x"


@pytest.mark.covers("permissions.get", "permissions.set", "permissions.update", "permissions.get_permission_levels")
def test_permissions_on_an_object_are_kept(target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any]):
    object_id = str(client.workspace.get_status(target.folder).object_id)
    asked = [AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_READ)]
    faithful(client.permissions.set("directories", object_id, access_control_list=asked))
    asked[0].permission_level = PermissionLevel.CAN_RUN
    client.permissions.update("directories", object_id, access_control_list=asked)
    found = faithful(client.permissions.get("directories", object_id))
    held = {
        a.group_name: [p.permission_level for p in a.all_permissions] for a in found.access_control_list if a.group_name
    }
    assert PermissionLevel.CAN_RUN in held["users"]
    levels = faithful(client.permissions.get_permission_levels("directories", object_id)).permission_levels
    assert PermissionLevel.CAN_MANAGE in {level.permission_level for level in levels}


@pytest.fixture
def scope(client: WorkspaceClient) -> Iterator[str]:
    name = f"contract-{secrets.token_hex(4)}"
    client.secrets.create_scope(name)
    yield name
    client.secrets.delete_scope(name)


@pytest.mark.covers("secrets.create_scope", "secrets.list_scopes", "secrets.put_secret", "secrets.get_secret")
def test_a_secret_comes_back_as_base64(client: WorkspaceClient, scope: str, faithful: Callable[[Any], Any]):
    client.secrets.put_secret(scope, "k", string_value="hé")
    assert scope in {s.name for s in client.secrets.list_scopes()}
    assert base64.b64decode(faithful(client.secrets.get_secret(scope, "k")).value).decode() == "hé"


@pytest.mark.covers("secrets.list_secrets", "secrets.delete_secret")
def test_secrets_are_listed_without_their_values(client: WorkspaceClient, scope: str):
    client.secrets.put_secret(scope, "k", string_value="x")
    assert [s.key for s in client.secrets.list_secrets(scope)] == ["k"]
    client.secrets.delete_secret(scope, "k")
    assert list(client.secrets.list_secrets(scope)) == []
    with pytest.raises(ResourceDoesNotExist):
        client.secrets.get_secret(scope, "k")


@pytest.mark.covers(
    "secrets.put_acl", "secrets.get_acl", "secrets.list_acls", "secrets.delete_acl", "secrets.delete_scope"
)
def test_rights_on_a_scope_are_given_and_taken(client: WorkspaceClient, faithful: Callable[[Any], Any]):
    name = f"contract-{secrets.token_hex(4)}"
    client.secrets.create_scope(name)
    client.secrets.put_acl(name, "users", AclPermission.READ)
    assert faithful(client.secrets.get_acl(name, "users")).permission is AclPermission.READ
    assert "users" in {a.principal for a in client.secrets.list_acls(name)}
    client.secrets.delete_acl(name, "users")
    assert "users" not in {a.principal for a in client.secrets.list_acls(name)}
    client.secrets.delete_scope(name)


@pytest.mark.covers(
    *("dbfs.mkdirs", "dbfs.create", "dbfs.add_block", "dbfs.close", "dbfs.put", "dbfs.read", "dbfs.list"),
    *("dbfs.get_status", "dbfs.move", "dbfs.delete"),
)
def test_files_of_dbfs(client: WorkspaceClient, faithful: Callable[[Any], Any]):
    folder = f"/tmp/contract_{secrets.token_hex(4)}"
    client.dbfs.mkdirs(folder)
    large = b"ab" * 1_200_000
    with client.dbfs.open(f"{folder}/large", write=True) as stream:
        stream.write(large)
    client.dbfs.put(f"{folder}/small", contents=base64.b64encode(b"x").decode(), overwrite=True)
    with client.dbfs.open(f"{folder}/large", read=True) as stream:
        assert stream.read(len(large)) + stream.read(len(large)) + stream.read(len(large)) == large
    assert base64.b64decode(faithful(client.dbfs.read(f"{folder}/small")).data) == b"x"
    client.dbfs.move(f"{folder}/small", f"{folder}/moved")
    assert sorted(f.path for f in client.dbfs.list(folder)) == [f"{folder}/large", f"{folder}/moved"]
    assert faithful(client.dbfs.get_status(f"{folder}/large")).file_size == len(large)
    client.dbfs.delete(folder, recursive=True)
    with pytest.raises(NotFound):
        client.dbfs.get_status(folder)


@pytest.mark.covers("clusters.list", "clusters.spark_versions", "clusters.list_node_types", "clusters.list_zones")
def test_a_runtime_and_a_node_type_can_be_chosen(client: WorkspaceClient, faithful: Callable[[Any], Any]):
    list(client.clusters.list())
    assert client.clusters.select_spark_version(latest=True)
    assert client.clusters.select_node_type(min_cores=1)
    assert faithful(client.clusters.list_node_types()).node_types
    assert faithful(client.clusters.list_zones()).zones


@pytest.mark.covers("clusters.get", "clusters.start", "clusters.change")
def test_the_local_cluster_runs_and_is_the_only_one(
    target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any]
):
    if target.local is None:
        pytest.skip("a real workspace has clusters of its own")
    cluster = next(iter(client.clusters.list()))
    assert faithful(client.clusters.get(cluster.cluster_id)).state is State.RUNNING
    client.clusters.ensure_cluster_is_running(cluster.cluster_id)
    with pytest.raises(BadRequest):
        client.clusters.start(cluster.cluster_id)
    with pytest.raises(errors.NotImplemented):
        client.clusters.create("17.3.x-scala2.13", num_workers=1)
    with pytest.raises(NotFound):
        client.clusters.get("nope")
