"""The Azure queue adapter against Azurite: leases, receipts, poison, and a queue that is down."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
from tests.azurite.server import API_VERSION, KEY, Azurite

from brickyard.kernel.errors import QueueDown
from brickyard.queue.azure import AzureQueue, Length, Message
from brickyard.settings import Settings

_numbers = itertools.count()


def settings(azurite: Azurite, name: str) -> Settings:
    return Settings(
        azure_queue_connection_string=azurite.connection_string,
        azure_queue_name=name,
        azure_queue_api_version=API_VERSION,
    )


@pytest.fixture
def queue(azurite: Azurite) -> Iterator[AzureQueue]:
    """An empty queue."""
    made = AzureQueue.of(settings(azurite, f"packs-{next(_numbers)}"))
    assert made
    made.ensure()
    yield made
    made.close()


def received(queue: AzureQueue, lease_seconds: int = 30) -> Message:
    message = queue.receive(lease_seconds)
    assert message
    return message


def test_without_a_connection_string_there_is_no_such_queue():
    assert AzureQueue.of(Settings(azure_queue_connection_string=None)) is None


def test_a_message_comes_out_as_it_went_in_and_is_gone_when_deleted(queue: AzureQueue):
    queue.send({"run_id": "r1"})
    message = received(queue)
    assert (message.body(), message.receipts) == ({"run_id": "r1"}, 1)
    assert queue.delete(message)
    assert queue.length() == Length(0, 0)


def test_making_the_queues_twice_is_no_error(queue: AzureQueue):
    queue.ensure()
    assert queue.receive(1) is None


def test_a_leased_message_is_nobody_elses_until_the_lease_ends(queue: AzureQueue):
    queue.send({"run_id": "r1"})
    first = received(queue, lease_seconds=1)
    assert queue.receive(1) is None
    time.sleep(1.2)
    again = received(queue)
    assert (again.id, again.receipts) == (first.id, 2)


def test_a_renewed_lease_takes_the_place_of_the_old_one(queue: AzureQueue):
    queue.send({"run_id": "r1"})
    old = received(queue)
    new = queue.renew(old, 30)
    assert new
    assert not queue.delete(old)
    assert queue.delete(new)


def test_who_has_lost_the_lease_neither_renews_nor_deletes(queue: AzureQueue):
    queue.send({"run_id": "r1"})
    late = received(queue, lease_seconds=1)
    time.sleep(1.2)
    holder = received(queue)
    assert queue.renew(late, 30) is None
    assert not queue.delete(late)
    assert queue.delete(holder)


def test_a_message_that_is_set_aside_waits_in_the_poison_queue_with_the_reason(queue: AzureQueue):
    queue.messages.send_message("not json {")
    message = received(queue)
    assert message.body() is None
    queue.set_aside(message, "it is not JSON")
    assert queue.length() == Length(0, 1)
    kept = queue.poison.receive_message()
    assert kept is not None
    assert "it is not JSON" in kept.content


def test_a_queue_that_is_down_is_said_to_be_down_without_its_key():
    unreached = AzureQueue.of(settings(Azurite(), "packs"))
    assert unreached
    with pytest.raises(QueueDown) as refusal:
        unreached.send({"run_id": "r1"})
    assert KEY not in str(refusal.value)
    unreached.close()


def test_a_connection_string_that_cannot_be_read_is_not_repeated():
    with pytest.raises(QueueDown) as refusal:
        AzureQueue.of(Settings(azure_queue_connection_string="canary-secret"))
    assert "canary-secret" not in str(refusal.value)
