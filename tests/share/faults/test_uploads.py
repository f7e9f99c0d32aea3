"""Uploads over HTTP by real processes: many at once, and a service that is killed while or right after it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.share.faults.conftest import City, eventually
from tests.share.faults.scenes import small

from brickyard.share.model.pack import SharePack
from brickyard.share.model.yaml_out import to_yaml

pytestmark = pytest.mark.timeout(240)

PROGRAM = Path(__file__).with_name("upload_process.py")
Told = dict[str, Any]


def at_once(city: City, client: httpx.Client, packs: Sequence[SharePack]) -> list[Told]:
    """Upload each pack by a process of its own, all at the same moment."""
    token = client.headers["Authorization"].removeprefix("Bearer ")
    senders = []
    for number, pack in enumerate(packs):
        file = city.folder / f"upload-{number}.yaml"
        file.write_bytes(to_yaml(pack).encode())
        command = [sys.executable, str(PROGRAM), str(client.base_url).rstrip("/"), token, city.door.host, str(file)]
        senders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for sender in senders:
        assert sender.stdout
        sender.stdout.readline()
    for sender in senders:
        assert sender.stdin
        sender.stdin.write("go\n")
        sender.stdin.flush()
    return [json.loads(sender.communicate(timeout=120)[0]) for sender in senders]


def versions(city: City, pack_id: str) -> list[tuple[int, bool]]:
    """The versions of a pack, and which are current."""
    asked = "SELECT version, is_current FROM deltashare.share_packs WHERE share_pack_id = %s ORDER BY version"
    return [(number, current) for number, current in city.rows(asked, pack_id)]


def all_over(city: City, pack_id: str) -> list[tuple[int, str]]:
    """Wait until no run of a pack is open; return each run's version and status."""
    asked = "SELECT version, status FROM brickyard.share_runs WHERE pack_id = %s ORDER BY version"
    open_ = ("queued", "waiting", "running", "pending-approval")
    eventually(lambda: not any(status in open_ for _, status in city.rows(asked, pack_id)), 120)
    return [(version, status) for version, status in city.rows(asked, pack_id)]


def test_twenty_differing_uploads_at_once_are_versions_without_a_gap_and_end_as_the_newest(city: City):
    tag = city.tag()
    city.work()
    packs = [small(city.door.host, tag, f"number {number}") for number in range(20)]
    with city.service() as (_, client):
        told = at_once(city, client, packs)
    assert {one["status"] for one in told} == {202}, told
    (pack_id,) = {one["body"]["SharePackId"] for one in told}
    assert versions(city, pack_id) == [(number, number == 20) for number in range(1, 21)]
    ended = all_over(city, pack_id)
    assert [version for version, _ in ended] == list(range(1, 21))
    assert {status for _, status in ended} <= {"completed", "superseded"}
    assert ended[-1] == (20, "completed")
    newest = "SELECT config #>> '{share,0,description}' FROM deltashare.share_packs WHERE share_pack_id = %s AND version = 20"
    ((wanted,),) = city.rows(newest, pack_id)
    (share,) = [one for one in city.workspace.client().shares.list_shares() if one.name == f"sales_{tag}"]
    assert (share.comment or "").startswith(f"{wanted} [brickyard:")


@pytest.mark.full
def test_twenty_identical_uploads_at_once_are_one_version_and_one_run(city: City):
    tag = city.tag()
    city.work()
    with city.service() as (_, client):
        told = at_once(city, client, [small(city.door.host, tag, "the same")] * 20)
    assert {one["status"] for one in told} == {202}, told
    ((pack_id, run),) = {(one["body"]["SharePackId"], one["run"]) for one in told}
    assert (versions(city, pack_id), all_over(city, pack_id)) == ([(1, True)], [(1, "completed")])
    city.check_clean(run)


def _send(client: httpx.Client, pack: SharePack) -> httpx.Response:
    return client.post("/workflow/sharepack/upload", files={"file": ("pack.yaml", to_yaml(pack).encode())})


def test_a_pack_that_was_answered_202_is_done_though_the_service_is_killed_at_once(city: City):
    tag = city.tag()
    city.work()
    with city.service() as (process, client):
        answer = _send(client, small(city.door.host, tag, "kept"))
        process.kill()
    assert answer.status_code == 202
    assert city.ended(answer.headers["X-Run-Id"]).status == "completed"
    city.check_clean(answer.headers["X-Run-Id"])


@pytest.mark.parametrize("point", [pytest.param("asked queued apply", marks=pytest.mark.full), "taken queued apply"])
def test_a_service_that_is_killed_while_it_takes_a_pack_has_taken_all_of_it_or_nothing(city: City, point: str):
    tag = city.tag()
    city.work()
    pack = small(city.door.host, tag, "torn")
    with city.service() as (process, client), city.gate(point) as somebody_stands_there, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_send, client, pack)
        somebody_stands_there()
        process.kill()
        assert isinstance(answer.exception(10), httpx.TransportError)
    again = city.upload(pack)
    assert city.ended(again.run_id).status == "completed"
    assert versions(city, again.pack_id) == [(1, True)]
    rows = all_over(city, again.pack_id)
    assert {status for _, status in rows} == {"completed"}
    assert len(rows) <= 2  # the torn one, where its commit had begun, and its repetition
    assert [one.name for one in city.workspace.client().shares.list_shares() if tag in (one.name or "")] == [
        f"sales_{tag}"
    ]
