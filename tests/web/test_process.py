"""The service as a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from brickyard.metadata import Metadata


@contextmanager
def _started(home: Path, database_url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BRICKYARD_", "DATABRICKS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "brickyard.web", "--home", str(home), *options],
        env={**environment, "DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_it_says_where_it_is_serves_and_stops_when_told(tmp_path: Path, database_url: str):
    with _started(tmp_path, database_url, "--port", "0") as process:
        assert process.stdout
        place = json.loads(process.stdout.readline())
        token = Path(place["token_file"]).read_text().strip()
        with httpx.Client(base_url=place["url"], headers={"Authorization": f"Bearer {token}"}) as client:
            assert [client.get(path).status_code for path in ("/readyz", "/metrics", "/openapi.json")] == [200] * 3
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err, Path(place["token_file"])) == (0, "", "", tmp_path / "service.token")


def test_a_taken_port_is_said_and_refused(tmp_path: Path, database_url: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with _started(tmp_path, database_url, "--port", port) as process:
            out, err = process.communicate(timeout=120)
    assert (process.returncode, out, "address-taken" in err, port in err) == (4, "", True, True)


def test_a_database_that_is_away_is_said(tmp_path: Path):
    with _started(tmp_path, "postgresql://ada:s3cret@127.0.0.1:1/x") as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, "database-down" in err, "s3cret" in err) == (3, "", True, False)


@pytest.mark.parametrize("module", ["brickyard.web", "brickyard.worker"])
def test_no_process_starts_on_a_newer_schema(tmp_path: Path, metadata: Metadata, module: str):
    with metadata.transaction() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    done = subprocess.run(
        [sys.executable, "-m", module, "--home", str(tmp_path)],
        env={**os.environ, "DATABASE_URL": metadata.dsn},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, "database-newer" in done.stderr) == (4, "", True)
