"""How requests reach the workspace, and what its errors become."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from brickyard.kernel.errors import BrickyardError, NotFound, SpecInvalid, Unauthorized, WorkspaceDown, WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.workspace import Workspaces, translated


def _statuses(workspace: LocalWorkspace, operation: str) -> list[int]:
    return [request.status for request in workspace.requests(operation)]


def _facts(error: BrickyardError) -> tuple[type, str, int | None, str | None]:
    status, code = getattr(error, "status", None), getattr(error, "databricks_code", None)
    return type(error), error.error_code, status, code


def test_the_client_says_which_product_it_is(door: Workspaces):
    assert "brickyard/" in door.client().config.user_agent


def test_a_write_whose_reply_is_lost_is_not_sent_again(workspace: LocalWorkspace, door: Workspaces):
    client = door.client()
    workspace.drop_reply("jobs.create")
    with pytest.raises(WorkspaceDown, match="create the job"), translated("create the job"):
        client.jobs.create(name="once")
    assert len(_statuses(workspace, "jobs.create")) == 1
    assert [job.settings.name for job in client.jobs.list() if job.settings] == ["once"]


def test_a_read_whose_reply_is_lost_is_sent_again(workspace: LocalWorkspace, door: Workspaces):
    client = door.client()
    workspace.drop_reply("current_user.me", times=2)
    assert client.current_user.me().user_name
    assert _statuses(workspace, "current_user.me") == [0, 0, 200]


def test_a_read_waits_as_long_as_the_workspace_asks(workspace: LocalWorkspace, door: Workspaces):
    client = door.client()
    workspace.rate_limit("current_user.me", times=1, retry_after=1)
    started = time.monotonic()
    assert client.current_user.me().user_name
    assert 1 <= time.monotonic() - started < 3
    assert _statuses(workspace, "current_user.me") == [429, 200]


def test_a_write_that_was_turned_away_is_sent_again(workspace: LocalWorkspace, door: Workspaces):
    client = door.client()
    workspace.rate_limit("workspace.mkdirs", times=1, retry_after=1)
    client.workspace.mkdirs("/Shared/a")
    assert _statuses(workspace, "workspace.mkdirs") == [429, 200]


def test_a_write_that_was_answered_with_503_is_not_sent_again(workspace: LocalWorkspace, door: Workspaces):
    client = door.client()
    workspace.fail_next("workspace.mkdirs", 503, "TEMPORARILY_UNAVAILABLE")
    with pytest.raises(WorkspaceRefused) as refused, translated("make a folder"):
        client.workspace.mkdirs("/Shared/a")
    assert _facts(refused.value)[2:] == (503, "TEMPORARILY_UNAVAILABLE")
    assert len(_statuses(workspace, "workspace.mkdirs")) == 1


def test_a_read_is_not_tried_for_ever(workspace: LocalWorkspace, door: Workspaces):
    client = replace(door, retry_seconds=1.5).client()
    workspace.fail_next("current_user.me", 503, "TEMPORARILY_UNAVAILABLE", times=50)
    started = time.monotonic()
    with pytest.raises(WorkspaceRefused), translated("look who I am"):
        client.current_user.me()
    assert time.monotonic() - started < 5


def test_a_wait_longer_than_its_patience_is_not_begun(workspace: LocalWorkspace, door: Workspaces):
    client = door.client()
    workspace.rate_limit("current_user.me", times=1, retry_after=600)
    started = time.monotonic()
    with pytest.raises(WorkspaceRefused) as refused, translated("look who I am"):
        client.current_user.me()
    assert (refused.value.status, time.monotonic() - started < 2) == (429, True)


def test_a_500_is_not_tried_again(workspace: LocalWorkspace, door: Workspaces):
    client = door.client()
    workspace.fail_next("current_user.me", 500, "INTERNAL_ERROR")
    with pytest.raises(WorkspaceRefused), translated("look who I am"):
        client.current_user.me()
    assert _statuses(workspace, "current_user.me") == [500]


@pytest.mark.parametrize(
    ("status", "code", "facts"),
    [
        (400, "INVALID_PARAMETER_VALUE", (WorkspaceRefused, "workspace-refused", 400, "INVALID_PARAMETER_VALUE")),
        (401, "UNAUTHENTICATED", (Unauthorized, "workspace-unauthorized", None, None)),
        (403, "PERMISSION_DENIED", (WorkspaceRefused, "workspace-forbidden", 403, "PERMISSION_DENIED")),
        (403, "RESOURCE_DOES_NOT_EXIST", (WorkspaceRefused, "workspace-forbidden", 403, "RESOURCE_DOES_NOT_EXIST")),
        (404, "RESOURCE_DOES_NOT_EXIST", (NotFound, "not-found", None, None)),
        (404, "TABLE_DOES_NOT_EXIST", (NotFound, "not-found", None, None)),
        (409, "ALREADY_EXISTS", (WorkspaceRefused, "workspace-refused", 409, "ALREADY_EXISTS")),
        (500, "INTERNAL_ERROR", (WorkspaceRefused, "workspace-refused", 500, "INTERNAL_ERROR")),
    ],
)
def test_errors_become_ours_and_forbidden_never_looks_absent(
    workspace: LocalWorkspace, hurried: Workspaces, status: int, code: str, facts: tuple
):
    client = hurried.client()
    workspace.fail_next("tables.get", status, code)
    with pytest.raises(BrickyardError) as error, translated("read table a.b.c"):
        client.tables.get("a.b.c")
    assert _facts(error.value) == facts
    assert str(error.value) == "read table a.b.c: Injected fault."


def test_the_same_holds_for_a_client_that_is_not_ours(workspace: LocalWorkspace):
    client = workspace.client()
    workspace.fail_next("tables.get", 403, "PERMISSION_DENIED")
    with pytest.raises(WorkspaceRefused) as error, translated("read table a.b.c"):
        client.tables.get("a.b.c")
    assert _facts(error.value) == (WorkspaceRefused, "workspace-forbidden", 403, "PERMISSION_DENIED")


def test_a_wrong_token_is_unauthorized_and_is_not_shown(workspace: LocalWorkspace, door: Workspaces, tmp_path: Path):
    (tmp_path / "token").write_text("dapi0000wrong")
    client = replace(door, token_file=tmp_path / "token").client()
    with pytest.raises(Unauthorized) as error, translated("look who I am"):
        client.current_user.me()
    assert "dapi0000wrong" not in f"{error.value}"


def test_a_workspace_that_is_away_is_said_to_be_down(door: Workspaces):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = replace(door, host=f"http://127.0.0.1:{taken.getsockname()[1]}", retry_seconds=0.5).client()
        with pytest.raises(WorkspaceDown), translated("look who I am"):
            client.current_user.me()


def test_the_environment_does_not_change_which_workspace_it_is(
    workspace: LocalWorkspace, door: Workspaces, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {"HOST": "https://elsewhere", "TOKEN": "x", "CLIENT_ID": "x", "CONFIG_PROFILE": "none"}.items():
        monkeypatch.setenv(f"DATABRICKS_{name}", value)
    client = door.client()
    assert (client.config.host, client.current_user.me().user_name is None) == (workspace.host, False)


def test_a_profile_is_read_from_the_configuration_file(
    workspace: LocalWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "databrickscfg"
    file.write_text(f"[prod]\nhost = {workspace.host}\ntoken = {workspace.token}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    assert Workspaces(profile="prod").client().current_user.me().user_name
    with pytest.raises(Unauthorized, match="no other profile"):
        Workspaces(profile="other").client()


def test_without_a_workspace_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere")
    with pytest.raises(SpecInvalid, match="no workspace is named"):
        Workspaces().client()


def test_a_token_file_that_is_not_there_is_said(door: Workspaces, tmp_path: Path):
    with pytest.raises(Unauthorized, match="cannot read the workspace's token"):
        replace(door, token_file=tmp_path / "none").client()
