"""The embedded PostgreSQL: one server a folder, closed to strangers, back after a kill, no folder's mode changed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from brickyard.metadata import embedded


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home folder" / "postgres"
    embedded.remove(tmp_path / "home folder" / "postgres")


def remember(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def remembered(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept ORDER BY value")]


def modes(path: Path) -> dict[Path, int]:
    return {parent: stat.S_IMODE(parent.stat().st_mode) for parent in path.parents}


def test_a_stopped_server_comes_back_with_its_url_and_data(folder: Path):
    url = embedded.start(folder)
    remember(url, 1)
    embedded.stop(folder)
    assert (embedded.pid(folder), embedded.url(folder)) == (None, None)
    assert embedded.start(folder) == url == embedded.url(folder)
    assert remembered(url) == [1]


def test_a_killed_server_comes_back_with_its_data_while_its_clients_hang_on(folder: Path):
    url = embedded.start(folder)
    remember(url, 1)
    with psycopg.connect(url) as open_connection:
        open_connection.execute("INSERT INTO kept VALUES (2)")
        psutil.Process(embedded.pid(folder)).kill()
        assert embedded.start(folder) == url
        open_connection.close()
    assert remembered(url) == [1]


def test_two_starts_at_once_make_one_server(folder: Path):
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(embedded.start, [folder, folder])
    assert first == second
    remember(first, 1)


def test_a_pid_file_that_names_another_process_is_no_server(folder: Path):
    url = embedded.start(folder)
    data = (folder / "data").resolve()
    kept = (data / "postmaster.pid").read_text()
    embedded.stop(folder)
    (data / "postmaster.pid").write_text(kept.replace(kept.split()[0], str(os.getpid()), 1))
    assert embedded.pid(folder) is None
    assert embedded.start(folder) == url


def test_the_password_is_needed_and_lies_in_a_file_of_ours_alone(folder: Path):
    url = embedded.start(folder)
    password = json.loads((folder / "server.json").read_text())["password"]
    assert stat.S_IMODE((folder / "server.json").stat().st_mode) == 0o600
    assert len(password) >= 32
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "wrong"))
    with psycopg.connect(url) as connection:
        rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert rules == [("scram-sha-256",)]


def test_the_server_listens_on_loopback_only(folder: Path):
    embedded.start(folder)
    server = psutil.Process(embedded.pid(folder))
    assert {c.laddr.ip for c in server.net_connections("inet") if c.status == "LISTEN"} == {"127.0.0.1"}


def test_no_existing_folder_changes_its_mode(folder: Path):
    closed = folder.parent
    closed.mkdir(mode=0o700)
    before = modes(folder)
    embedded.start(folder)
    assert modes(folder) == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone needs another account")
def test_the_data_of_root_lie_outside_of_home_folders_and_belong_to_an_unprivileged_account(folder: Path):
    embedded.start(folder)
    data = (folder / "data").resolve()
    assert data.is_relative_to("/var/lib/brickyard")
    assert data.stat().st_uid != 0
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert psutil.Process(embedded.pid(folder)).uids().real == data.stat().st_uid


def test_removing_leaves_nothing(folder: Path):
    embedded.start(folder)
    data = (folder / "data").resolve()
    server = embedded.pid(folder)
    embedded.remove(folder)
    assert not folder.exists()
    assert not data.exists()
    assert not _runs(server)


def _runs(pid: int | None) -> bool:
    """Whether a process lives; one that ended may wait a while for its parent to notice."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_server_outlives_the_process_that_started_it(folder: Path):
    program = "import sys; from pathlib import Path; from brickyard.metadata import embedded; "
    program += "print(embedded.start(Path(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
    remember(done.stdout.strip(), 1)


def test_a_server_that_cannot_start_says_why(folder: Path):
    embedded.start(folder)
    embedded.stop(folder)
    ((folder / "data").resolve() / "postgresql.conf").write_text("nonsense")
    with pytest.raises(embedded.DatabaseFailed, match="syntax error"):
        embedded.start(folder)
