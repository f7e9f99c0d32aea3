"""The workspace as a process and as a folder: same address after any death, one server at a time, copies."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.local import LocalWorkspace
from brickyard.local.copies import reset, restore, snapshot


@contextmanager
def process(home: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    command = [sys.executable, "-m", "brickyard.local", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running, json.loads(running.stdout.readline())
        finally:
            running.kill()


def folders(workspace: LocalWorkspace) -> list[str]:
    return [o.path or "" for o in workspace.client().workspace.list("/Shared")]


def test_a_killed_server_is_back_at_the_same_address_with_the_same_token_and_data(tmp_path: Path):
    with process(tmp_path) as (first, told):
        headers = {"authorization": f"Bearer {Path(told['token_file']).read_text().strip()}"}
        httpx.post(f"{told['host']}/api/2.0/workspace/mkdirs", json={"path": "/Shared/kept"}, headers=headers)
        first.send_signal(signal.SIGKILL)
        first.wait()
    with process(tmp_path) as (_, again):
        answer = httpx.get(f"{told['host']}/api/2.0/workspace/list", params={"path": "/Shared"}, headers=headers)
        address = json.loads((tmp_path / "address.json").read_text())
    assert again == told
    assert [o["path"] for o in answer.json()["objects"]] == ["/Shared/kept"]
    assert (address["host"], set(address)) == (told["host"], {"host", "port", "pid"})


def test_sigterm_ends_the_server_in_good_order(tmp_path: Path):
    with process(tmp_path) as (running, _):
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0


def test_a_second_server_of_a_folder_is_refused(tmp_path: Path):
    with LocalWorkspace(tmp_path), pytest.raises(Conflict) as refused:
        LocalWorkspace(tmp_path).start()
    assert refused.value.error_code == "workspace-served"


def test_a_port_that_another_program_took_is_named(tmp_path: Path):
    with LocalWorkspace(tmp_path) as workspace:
        port = int(workspace.host.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Conflict) as refused:
        LocalWorkspace(tmp_path).start()
    assert (refused.value.error_code, str(port) in refused.value.message) == ("port-taken", True)


def test_a_start_that_failed_can_be_tried_again(tmp_path: Path):
    with LocalWorkspace(tmp_path) as workspace:
        port = int(workspace.host.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Conflict):
        LocalWorkspace(tmp_path).start()
    with LocalWorkspace(tmp_path) as again:
        assert again.host == workspace.host


def test_a_snapshot_can_be_put_back_and_served_elsewhere(tmp_path: Path):
    home, copy, elsewhere = tmp_path / "home", tmp_path / "copy", tmp_path / "elsewhere"
    with LocalWorkspace(home) as workspace:
        workspace.client().workspace.mkdirs("/Shared/before")
        token, host = workspace.token, workspace.host
    snapshot(home, copy)
    with LocalWorkspace(home) as workspace:
        workspace.client().workspace.mkdirs("/Shared/after")
    restore(copy, home)
    with LocalWorkspace(home) as workspace:
        assert (folders(workspace), workspace.token, workspace.host) == (["/Shared/before"], token, host)
        restore(copy, elsewhere)
        with LocalWorkspace(elsewhere) as other:
            assert (folders(other), other.host != host) == (["/Shared/before"], True)


def test_reset_keeps_the_address_and_nothing_else(tmp_path: Path):
    with LocalWorkspace(tmp_path) as workspace:
        workspace.client().workspace.mkdirs("/Shared/x")
        token, host = workspace.token, workspace.host
    reset(tmp_path)
    with LocalWorkspace(tmp_path) as again:
        assert (folders(again), again.token, again.host) == ([], token, host)


def test_a_served_workspace_is_not_copied(tmp_path: Path):
    with LocalWorkspace(tmp_path / "home"):
        for change in (lambda: snapshot(tmp_path / "home", tmp_path / "copy"), lambda: reset(tmp_path / "home")):
            with pytest.raises(Conflict):
                change()


def test_a_folder_that_is_no_workspace_is_left_alone(tmp_path: Path):
    (tmp_path / "precious").write_text("x")
    with pytest.raises(NotFound):
        reset(tmp_path)
    assert (tmp_path / "precious").exists()


def test_a_client_is_told_of_the_workspace_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with LocalWorkspace(tmp_path) as workspace:
        client = workspace.client()
        assert client.get_workspace_id() == json.loads((tmp_path / "workspace.json").read_text())["workspace_id"]
        assert client.current_user.me().user_name == "owner@local"
    assert [r.getMessage() for r in caplog.records if r.name.startswith("databricks")] == []
