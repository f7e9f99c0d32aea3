"""What principals other than the owner see and may change."""

from __future__ import annotations

import httpx
import pytest
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.service.catalog import PermissionsChange, Privilege, SecurableType
from databricks.sdk.service.workspace import AclPermission

from brickyard.local import LocalWorkspace


def grant(workspace: LocalWorkspace, kind: SecurableType, name: str, *privileges: Privilege) -> None:
    change = PermissionsChange(principal="reader@local", add=list(privileges))
    workspace.client().grants.update(kind.value, name, changes=[change])


def test_a_stranger_sees_no_catalog_until_something_is_granted(workspace: LocalWorkspace):
    reader = workspace.client("reader@local")
    before = [c.name for c in reader.catalogs.list()]
    with pytest.raises(PermissionDenied):
        reader.catalogs.get("main")
    grant(workspace, SecurableType.CATALOG, "main", Privilege.USE_CATALOG)
    assert (before, [c.name for c in reader.catalogs.list()]) == ([], ["main"])


def test_making_things_needs_the_privilege(workspace: LocalWorkspace):
    reader = workspace.client("reader@local")
    with pytest.raises(PermissionDenied):
        reader.schemas.create("mine", "main")
    with pytest.raises(PermissionDenied):
        reader.catalogs.create("mine")
    grant(workspace, SecurableType.CATALOG, "main", Privilege.USE_CATALOG, Privilege.CREATE_SCHEMA)
    made = reader.schemas.create("mine", "main")
    assert (made.owner, made.created_by) == ("reader@local", "reader@local")


def test_an_owner_changes_and_shares_what_is_theirs_and_nothing_else(workspace: LocalWorkspace):
    grant(workspace, SecurableType.CATALOG, "main", Privilege.USE_CATALOG, Privilege.CREATE_SCHEMA)
    reader = workspace.client("reader@local")
    reader.schemas.create("mine", "main")
    assert reader.schemas.update("main.mine", comment="c").comment == "c"
    change = [PermissionsChange(principal="other@local", add=[Privilege.USE_SCHEMA])]
    reader.grants.update(SecurableType.SCHEMA.value, "main.mine", changes=change)
    with pytest.raises(PermissionDenied):
        reader.schemas.update("main.default", comment="c")
    with pytest.raises(PermissionDenied):
        reader.grants.update(SecurableType.CATALOG.value, "main", changes=change)


def test_what_is_taken_goes_before_what_is_given(workspace: LocalWorkspace):
    client = workspace.client()
    grant(workspace, SecurableType.CATALOG, "main", Privilege.USE_CATALOG, Privilege.SELECT)
    change = PermissionsChange(principal="reader@local", add=[Privilege.BROWSE], remove=[Privilege.ALL_PRIVILEGES])
    client.grants.update(SecurableType.CATALOG.value, "main", changes=[change])
    held = client.grants.get(SecurableType.CATALOG.value, "main").privilege_assignments or []
    assert [(a.principal, a.privileges) for a in held] == [("reader@local", [Privilege.BROWSE])]


def test_a_secret_is_read_by_those_who_may(workspace: LocalWorkspace):
    owner, reader = workspace.client(), workspace.client("reader@local")
    owner.secrets.create_scope("s")
    owner.secrets.put_secret("s", "k", string_value="v")
    with pytest.raises(PermissionDenied):
        reader.secrets.get_secret("s", "k")
    owner.secrets.put_acl("s", "reader@local", AclPermission.READ)
    assert reader.secrets.get_secret("s", "k").value == "dg=="
    with pytest.raises(PermissionDenied):
        reader.secrets.put_secret("s", "k", string_value="w")


def test_secrets_lie_encrypted_and_are_found_again(workspace: LocalWorkspace):
    workspace.client().secrets.create_scope("s")
    workspace.client().secrets.put_secret("s", "k", string_value="hush hush")
    kept = b"".join(p.read_bytes() for p in workspace.home.rglob("*") if p.is_file())
    assert (b"hush hush" in kept, workspace.parts.secrets.values()) == (False, ["hush hush"])


def test_a_principal_has_its_own_tokens(workspace: LocalWorkspace):
    reader = workspace.client("reader@local")
    made = reader.tokens.create(comment="mine")
    assert made.token_info and made.token_info.token_id
    with pytest.raises(NotFound):
        workspace.client().tokens.delete(made.token_info.token_id)
    assert "mine" in {t.comment for t in reader.tokens.list()}


def test_a_runs_token_makes_no_tokens(workspace: LocalWorkspace):
    token = workspace.parts.tokens.issue(workspace.owner, ttl=60, run=1)
    answer = httpx.post(f"{workspace.host}/api/2.0/token/create", json={}, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403


def test_the_owner_issues_tokens_for_others_over_http(workspace: LocalWorkspace):
    api = workspace.client().api_client
    token = api.do("POST", "/api/local/principals/reader%40local/token")["token_value"]
    me = httpx.get(f"{workspace.host}/api/2.0/preview/scim/v2/Me", headers={"authorization": f"Bearer {token}"}).json()
    assert (me["userName"], [g["display"] for g in me["groups"]]) == ("reader@local", ["users"])
    with pytest.raises(PermissionDenied):
        workspace.client("reader@local").api_client.do("POST", "/api/local/principals/x/token")


def test_the_default_warehouse_stays_as_it_is(workspace: LocalWorkspace):
    client, warehouse = workspace.client(), workspace.parts.warehouses.default_id
    client.warehouses.stop(warehouse)
    assert client.warehouses.get(warehouse).state and client.warehouses.get(warehouse).state.value == "RUNNING"
    with pytest.raises(BadRequest):
        client.warehouses.delete(warehouse)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/2.0/nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "/api/2.0/repos", 501, "NOT_IMPLEMENTED"),
        ("POST", "/api/2.1/unity-catalog/external-locations", 501, "NOT_IMPLEMENTED"),
        ("GET", "/api/2.2/jobs/get?job_id=1", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "/api/2.2/jobs/get?job_id=one", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "/api/2.0/workspace/get-status", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "/api/2.1/unity-catalog/catalogs?page_token=x", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "/api/2.1/unity-catalog/tables/only.two", 404, "RESOURCE_DOES_NOT_EXIST"),
    ],
)
def test_refusals_have_the_envelope_and_the_code(
    shared: LocalWorkspace, method: str, path: str, status: int, code: str
):
    answer = httpx.request(method, shared.host + path, headers={"authorization": f"Bearer {shared.token}"})
    body = answer.json()
    assert (answer.status_code, body["error_code"], body["details"][0]["reason"]) == (status, code, code)
    assert "Unexpected error" not in body["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"path": 1}', b'{"path": null}', b"[" * 100_000])
def test_a_body_that_makes_no_sense_is_the_callers_fault(shared: LocalWorkspace, body: bytes):
    headers = {"authorization": f"Bearer {shared.token}", "content-type": "application/json"}
    answer = httpx.post(f"{shared.host}/api/2.0/workspace/mkdirs", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) in {
        (400, "MALFORMED_REQUEST"),
        (400, "INVALID_PARAMETER_VALUE"),
    }


def test_the_use_of_a_schema_shows_nothing_of_what_is_in_it(workspace: LocalWorkspace):
    warehouse = next(iter(workspace.client().warehouses.list())).id
    made = workspace.client().statement_execution.execute_statement("CREATE TABLE main.default.t (id INT)", warehouse)
    assert made.status.error is None
    grant(workspace, SecurableType.CATALOG, "main", Privilege.USE_CATALOG)
    grant(workspace, SecurableType.SCHEMA, "main.default", Privilege.USE_SCHEMA)
    reader = workspace.client("reader@local")
    assert list(reader.tables.list("main", "default")) == []
    with pytest.raises(PermissionDenied):
        reader.tables.get("main.default.t")
    grant(workspace, SecurableType.TABLE, "main.default.t", Privilege.SELECT)
    assert [t.name for t in reader.tables.list("main", "default")] == ["t"]
