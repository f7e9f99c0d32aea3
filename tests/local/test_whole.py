"""The parts together: data survives a move, a kill takes the children along, callers do not disturb each other."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.catalog import PermissionsChange, Privilege, SecurableType, VolumeType
from databricks.sdk.service.jobs import NotebookTask, SubmitTask
from databricks.sdk.service.sql import StatementState
from databricks.sdk.service.workspace import Language

from brickyard.local import LocalWorkspace
from brickyard.local.copies import restore, snapshot


def query(client: WorkspaceClient, statement: str) -> list[list[str]]:
    warehouse = next(iter(client.warehouses.list())).id or ""
    done = client.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")
    assert done.status and done.status.state is StatementState.SUCCEEDED, done.status
    return (done.result and done.result.data_array) or []


def waited(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_tables_and_volumes_are_found_after_the_folder_moved(tmp_path: Path):
    old, copy, new = tmp_path / "old", tmp_path / "copy", tmp_path / "new é"
    with LocalWorkspace(old) as workspace:
        client = workspace.client()
        query(client, "CREATE TABLE main.default.t AS SELECT 1 AS a")
        query(client, "INSERT INTO main.default.t VALUES (2)")
        client.volumes.create("main", "default", "v", VolumeType.MANAGED)
        client.dbfs.put("/x", contents=base64.b64encode(b"x").decode())
    snapshot(old, copy)
    restore(copy, new)
    (old / "catalog.sqlite").unlink()
    old.rename(tmp_path / "gone")
    with LocalWorkspace(new) as workspace:
        client = workspace.client()
        assert sorted(query(client, "SELECT a FROM main.default.t")) == [["1"], ["2"]]
        assert len(query(client, "DESCRIBE HISTORY main.default.t")) == 2
        assert list(client.files.list_directory_contents("/Volumes/main/default/v")) == []
        assert client.dbfs.get_status("/x").file_size == 1


def test_a_killed_server_takes_its_engine_and_its_tasks_along(tmp_path: Path):
    command = [sys.executable, "-m", "brickyard.local", "--home", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        token = Path(told["token_file"]).read_text().strip()
        client = WorkspaceClient(config=Config(host=told["host"], token=token, auth_type="pat"))
        query(client, "SELECT 1")
        code = base64.b64encode(b"# Databricks notebook source\nimport time\ntime.sleep(300)\n").decode()
        client.workspace.import_("/Shared/sleeper", content=code, language=Language.PYTHON)
        client.jobs.submit(
            tasks=[SubmitTask(task_key="t", notebook_task=NotebookTask(notebook_path="/Shared/sleeper"))]
        )
        family: list[psutil.Process] = []
        parent = psutil.Process(server.pid)
        assert waited(lambda: len(parent.children(recursive=True)) >= 2)
        family += parent.children(recursive=True)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        assert waited(lambda: not any(_alive(child) for child in family))


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_callers_at_the_same_time_get_their_own_answers(shared: LocalWorkspace):
    client = shared.client()
    query(client, "CREATE OR REPLACE TABLE main.default.many (id INT)")

    def work(i: int) -> str:
        query(client, f"INSERT INTO main.default.many VALUES ({i})")
        return query(client, f"SELECT {i}")[0][0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == [str(i) for i in range(24)]
    assert query(client, "SELECT count(*), count(DISTINCT id) FROM main.default.many") == [["24", "24"]]


def test_files_of_a_volume_need_its_privileges(workspace: LocalWorkspace):
    import io

    from databricks.sdk.errors import PermissionDenied

    owner, reader = workspace.client(), workspace.client("reader@local")
    owner.volumes.create("main", "default", "v", VolumeType.MANAGED)
    path = "/Volumes/main/default/v/x"
    owner.files.upload(path, io.BytesIO(b"x"))
    with pytest.raises(PermissionDenied):
        reader.files.get_metadata(path)
    change = PermissionsChange(principal="reader@local", add=[Privilege.READ_VOLUME])
    owner.grants.update(SecurableType.VOLUME.value, "main.default.v", changes=[change])
    assert reader.files.get_metadata(path).content_length == 1
    with pytest.raises(PermissionDenied):
        reader.files.delete(path)


def test_a_table_is_read_by_those_who_may(workspace: LocalWorkspace):
    owner, reader = workspace.client(), workspace.client("reader@local")
    query(owner, "CREATE TABLE main.default.t AS SELECT 1 AS a")
    warehouse = workspace.parts.warehouses.default_id
    ask = "SELECT a FROM main.default.t"
    refused = reader.statement_execution.execute_statement(ask, warehouse, wait_timeout="50s")
    for kind, name, privilege in (
        (SecurableType.CATALOG, "main", Privilege.USE_CATALOG),
        (SecurableType.SCHEMA, "main.default", Privilege.USE_SCHEMA),
        (SecurableType.TABLE, "main.default.t", Privilege.SELECT),
    ):
        change = PermissionsChange(principal="reader@local", add=[privilege])
        owner.grants.update(kind.value, name, changes=[change])
    assert refused.status and refused.status.state is StatementState.FAILED
    assert query(reader, ask) == [["1"]]
