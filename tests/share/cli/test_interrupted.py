"""Ctrl-C at any time of `apply`: it ends with 130, and what it asked for goes on whole or was never there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.share.flow.conftest import writes

from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.workspace import run_sql

WORLD = ("CREATE CATALOG m", "CREATE SCHEMA m.s", "CREATE TABLE m.s.orders (id BIGINT)")
PERSONS = ("contact_email", "configurator", "approver", "executive_team", "requestor")
STEPS = ["recipients.create", "shares.create", "shares.update", "shares.update_permissions"]

Begin = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A local workspace with something to share."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        for statement in WORLD:
            run_sql(workspace.client(), statement)
        yield workspace


@pytest.fixture
def begin(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path) -> Begin:
    """Begin to apply a pack whose names carry a tag, in a process that ignores SIGINT until it says otherwise."""
    token, pack = tmp_path / "token", tmp_path / "pack.json.yaml"
    token.write_text(workspace.token)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "BRICKYARD_"))}
    settings = {"HOME": tmp_path / "home", "DATABASE_URL": metadata.dsn, "WORKSPACE_TOKEN_FILE": token}
    named = {f"BRICKYARD_{name}": str(value) for name, value in settings.items()}

    def begun(tag: str) -> subprocess.Popen[bytes]:
        pack.write_text(json.dumps(_pack(workspace, tag)))
        return subprocess.Popen(
            [sys.executable, "-m", "brickyard", "share", "apply", str(pack), "--output", "json"],
            env=kept | named | {"BRICKYARD_WORKSPACE_HOST": workspace.host},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN),  # as a shell does for a script's `&`
        )

    return begun


def _pack(workspace: LocalWorkspace, tag: str) -> dict[str, object]:
    about = {**dict.fromkeys(PERSONS, "ada@acme.com"), "workspace_url": workspace.host, "servicenow": "CHG1"}
    share = {"name": f"sales_{tag}", "share_assets": ["m.s.orders"], "recipients": [f"acme_{tag}"]}
    return {
        "metadata": about | {"business_line": "Retail", "delta_share_region": "EMEA"},
        "recipient": [{"name": f"acme_{tag}", "type": "D2O"}],
        "share": [share],
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_run_begins_is_not_lost(begin: Begin, workspace: LocalWorkspace, number: signal.Signals):
    before = len(workspace.requests())
    process = begin(f"early_{number}")
    assert process.stderr
    assert process.stderr.readline().startswith(b"workspace http")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, writes(workspace, before)) == (130, []), (out, err)


def test_a_signal_in_the_middle_of_a_run_leaves_it_to_go_on_without_doing_anything_twice(
    begin: Begin, workspace: LocalWorkspace
):
    before = len(workspace.requests())
    workspace.delay("shares.create", 1.0)
    process = begin("middle")
    deadline = time.monotonic() + 60
    while "recipients.create" not in writes(workspace, before) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    error = json.loads(out)["error"]
    assert (process.returncode, error["code"]) == (130, "interrupted"), err
    assert "brickyard share status" in error["remedy"]
    process = begin("middle")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["run"]["status"]) == (0, "completed"), err
    assert writes(workspace, before) == STEPS
