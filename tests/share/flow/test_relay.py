"""Runs on their way through an Azure queue: out of the outbox, out of the queue, done once whatever happens to messages."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from tests.azurite.server import API_VERSION, Azurite
from tests.azurite.server import azurite as emulator
from tests.share.store.samples import HOST, NOW, pack

from brickyard.context import Context
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.queue.azure import AzureQueue, Length
from brickyard.settings import Settings
from brickyard.share.flow import relay
from brickyard.share.flow.receive import Consumer
from brickyard.share.flow.record import run_of
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import RunKind, RunStatus
from brickyard.share.store import outbox, packs, runs
from brickyard.workspace import Workspaces

PROGRAM = Path(__file__).with_name("worker_process.py")
_RUNS = "SELECT args ->> 'run_id' FROM procrastinate_jobs WHERE task_name = 'share.provision' ORDER BY id"
_numbers = itertools.count()


@dataclass
class Post:
    """A house with an Azure queue of its own, and workers that serve it."""

    house: Context
    queue: AzureQueue
    options: dict[str, Any]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def upload(self, run_id: str, *shares: str) -> UUID:
        """Save a pack and its run, and hand the run over, in one transaction."""
        with self.house.metadata.transaction() as tx:
            saved = packs.save(tx, pack(shares or (run_id,), (f"to_{run_id}",)), by="ada", strategy=Strategy.NEW)
            about = {"pack_id": saved.pack_id, "version": saved.version}
            runs.create(tx, run_id, RunKind.APPLY, at=self.house.clock(), by="ada", workspace=HOST, **about)
            relay.hand_over(tx, self.house, run_id)
        return saved.pack_id

    def run(self, run_id: str) -> runs.Run:
        """Look at a run."""
        with self.house.metadata.read() as tx:
            return runs.get(tx, run_id)

    def finish(self, run_id: str) -> None:
        """End a run well."""
        with self.house.metadata.transaction() as tx:
            runs.finish(tx, run_id, RunStatus.COMPLETED, self.house.clock())

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement."""
        with self.house.metadata.transaction() as tx:
            found = tx.execute(sa.text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    def jobs(self) -> list[str]:
        """The runs that have a job, each once a job."""
        return [row[0] for row in self.ask(_RUNS)]

    def outbox(self) -> dict[tuple[str, str], int]:
        """Count what is to be sent."""
        with self.house.metadata.read() as tx:
            return outbox.counts(tx)

    def later(self, **delta: float) -> Context:
        """The house when some time has passed."""
        at = self.house.clock() + timedelta(**delta)
        return replace(self.house, clock=lambda: at)

    def consumer(self) -> Consumer:
        """A consumer in this process."""
        return Consumer(self.house, self.queue)

    def start(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        arguments = [sys.executable, str(PROGRAM), self.house.metadata.dsn, json.dumps(self.options)]
        self.workers.append(subprocess.Popen(arguments))
        return self.workers[-1]


def post_of(metadata: Metadata, server: Azurite) -> Post:
    options = {
        "azure_queue_connection_string": server.connection_string,
        "azure_queue_name": f"relay-{next(_numbers)}",
        "azure_queue_api_version": API_VERSION,
        "workspace_host": HOST,
        "worker_heartbeat_seconds": 0.2,
        "worker_timeout_seconds": 2,
        "worker_stop_seconds": 2,
    }
    settings = Settings(**options)
    queue = AzureQueue.of(settings)
    assert queue
    return Post(Context(Workspaces(host=HOST), metadata, Queue(metadata, settings)), queue, options)


@pytest.fixture
def post(metadata: Metadata, azurite: Azurite) -> Iterator[Post]:
    post = post_of(metadata, azurite)
    post.queue.ensure()
    post.ask("CREATE TABLE note (run text, step int, PRIMARY KEY (run, step))")
    yield post
    for worker in post.workers:
        worker.kill()
        worker.wait()
    post.queue.close()


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


# ── out of the outbox ────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_an_azure_queue_a_run_goes_into_the_own_queue_in_the_same_transaction(post: Post):
    plain = replace(post.house, queue=Queue(post.house.metadata, Settings(workspace_host=HOST)))
    replace(post, house=plain).upload("r1")
    assert (post.jobs(), post.run("r1").job is not None, post.outbox()) == (["r1"], True, {})


def test_with_an_azure_queue_only_a_row_is_written_and_the_relay_sends_ids_alone(post: Post):
    pack_id = post.upload("r1")
    assert (post.jobs(), post.outbox()) == ([], {("queue", "pending"): 1})
    assert relay.send_due(post.house) == 1
    message = post.queue.receive(30)
    assert message
    name = "SharePack_ada@acme.com_Retail_default"
    assert message.body() == {"share_pack_id": str(pack_id), "share_pack_name": name, "version": 1, "run_id": "r1"}
    assert (post.outbox(), relay.send_due(post.house)) == ({("queue", "sent"): 1}, 0)


def test_while_the_queue_is_down_runs_wait_and_are_sent_in_order_when_it_is_back(metadata: Metadata):
    with emulator() as server:
        post = post_of(metadata, server)
        server.stop()
        post.upload("r1")
        post.upload("r2", "other")
        assert relay.send_due(post.house) == 0
        assert (post.outbox(), relay.send_due(post.house)) == ({("queue", "pending"): 2}, 0)
        server.start()
        assert relay.send_due(post.later(seconds=61)) == 2
        sent = [post.queue.receive(30) for _ in range(2)]
        assert [message and (message.body() or {})["run_id"] for message in sent] == ["r1", "r2"]
        post.queue.close()


def test_when_the_queue_is_taken_out_of_the_settings_waiting_runs_go_into_the_own_one(post: Post):
    post.upload("r1")
    plain = replace(post.house, queue=Queue(post.house.metadata, Settings(workspace_host=HOST)))
    assert (relay.send_due(plain), post.jobs(), post.outbox()) == (1, ["r1"], {("queue", "sent"): 1})


def test_a_run_whose_message_was_lost_is_queued_without_it_once(post: Post):
    post.upload("r1")
    relay.send_due(post.house)
    assert relay.recover(post.house) == ()
    late = post.later(minutes=16)
    assert (relay.recover(late), relay.recover(late), post.jobs()) == (("r1",), (), ["r1"])


# ── out of the queue ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_gives_its_run_a_job_and_is_deleted_only_when_the_run_is_over(post: Post):
    post.upload("r1")
    relay.send_due(post.house)
    consumer = post.consumer()
    assert [consumer.turn(), consumer.turn(), len(post.jobs())] == [1, 1, 1]
    assert post.queue.length() == Length(1, 0)
    post.finish("r1")
    assert (consumer.turn(), post.queue.length()) == (0, Length(0, 0))


def test_a_message_that_comes_twice_or_late_makes_no_second_job(post: Post):
    post.upload("r1")
    relay.send_due(post.house)
    post.queue.send({"run_id": "r1"})
    first, second = post.consumer(), post.consumer()
    first.turn()
    second.turn()
    assert post.jobs() == ["r1"]
    post.finish("r1")
    first.turn()
    second.turn()
    post.queue.send({"run_id": "r1"})
    assert (first.turn(), post.queue.length(), post.jobs()) == (0, Length(0, 0), ["r1"])


def test_a_message_of_an_older_sender_means_the_newest_run_of_its_pack(post: Post):
    pack_id = post.upload("r1")
    post.queue.send({"share_pack_id": str(pack_id), "share_pack_name": "any"})
    assert (post.consumer().turn(), post.jobs()) == (1, ["r1"])


def test_a_run_that_waits_for_approval_needs_no_message(post: Post):
    post.upload("r1")
    with post.house.metadata.transaction() as tx:
        runs.move(tx, "r1", RunStatus.PENDING_APPROVAL, NOW)
    relay.send_due(post.house)
    assert (post.consumer().turn(), post.queue.length(), post.jobs()) == (0, Length(0, 0), [])


UNUSABLE = {
    "not json {": "it is no JSON object",
    '["r1"]': "it is no JSON object",
    '{"run_id": "no-such"}': "there is no run no-such",
    '{"share_pack_id": "no-such"}': "there is no share pack no-such",
    "{}": "there is no share pack None",
}


@pytest.mark.parametrize("text", UNUSABLE)
def test_a_message_that_names_no_run_is_set_aside_with_the_reason(post: Post, text: str):
    post.queue.messages.send_message(text)
    assert (post.consumer().turn(), post.queue.length()) == (0, Length(0, 1))
    kept = post.queue.poison.receive_message()
    assert kept and json.loads(kept.content) == {"message": text, "why": UNUSABLE[text]}


def test_a_run_of_another_workspace_is_not_done_here(post: Post):
    post.upload("r1")
    relay.send_due(post.house)
    other = Workspaces(host="https://adb-2.azuredatabricks.net")
    Consumer(replace(post.house, workspaces=other), post.queue).turn()
    assert (post.queue.length(), post.jobs()) == (Length(0, 1), [])


def test_what_was_received_five_times_is_set_aside_and_the_run_says_so(post: Post):
    post.upload("r1")
    relay.send_due(post.house)
    for _ in range(5):
        message = post.queue.receive(30)
        assert message
        post.queue.renew(message, 0)
    assert (post.consumer().turn(), post.queue.length()) == (0, Length(0, 1))
    assert run_of(post.house, "r1").poisoned == (
        "its message was set aside: received 5 times without coming to its end",
    )


def test_a_consumer_that_stops_gives_its_messages_back(post: Post):
    post.upload("r1")
    relay.send_due(post.house)
    first, second = post.consumer(), post.consumer()
    assert (first.turn(), second.turn()) == (1, 0)
    first.give_back()
    assert (second.turn(), post.jobs()) == (1, ["r1"])


def test_consumers_share_what_there_is(post: Post):
    for number in range(4):
        post.upload(f"r{number}", f"s{number}")
    relay.send_due(post.house)
    consumers = [post.consumer(), post.consumer(), post.consumer()]
    assert [consumer.turn() for consumer in consumers] == [2, 2, 0]
    assert sorted(post.jobs()) == ["r0", "r1", "r2", "r3"]


# ── worker processes ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_worker_leaves_its_run_to_another_which_ends_it_once(post: Post):
    first = post.start()
    post.upload("r1")
    until(lambda: len(post.ask("SELECT 1 FROM note")) >= 2)
    first.kill()
    post.start()
    until(lambda: post.run("r1").status is RunStatus.COMPLETED)
    assert (post.jobs(), post.run("r1").attempt) == (["r1"], 2)
    assert post.ask("SELECT step FROM note ORDER BY 1") == [(step,) for step in range(5)]


def test_two_workers_do_each_run_once_and_empty_the_queue_whatever_the_order(post: Post):
    for number in range(6):
        post.upload(f"r{number}", f"s{number}")
    for number in reversed(range(6)):
        post.queue.send({"run_id": f"r{number}"})
    post.start()
    post.start()
    until(lambda: all(post.run(f"r{number}").status is RunStatus.COMPLETED for number in range(6)))
    until(lambda: post.queue.length() == Length(0, 0))
    assert (sorted(post.jobs()), {post.run(f"r{n}").attempt for n in range(6)}) == ([f"r{n}" for n in range(6)], {1})


def test_a_worker_that_is_told_to_stop_does_so_in_time_and_gives_the_message_back(post: Post):
    worker = post.start()
    post.upload("r1")
    until(lambda: len(post.ask("SELECT 1 FROM note")) >= 1)
    worker.terminate()
    assert worker.wait(timeout=6) == 0
    assert post.consumer().turn() == 1
