"""Messages on an Azure Storage Queue: sent, leased, deleted when their work is committed, set aside when they fail too often."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from brickyard.kernel.errors import QueueDown
from brickyard.settings import Settings

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient

POISON = "-poison"  # ends the name of the queue of messages that were set aside
_SECONDS = 10  # how long a call may take before the queue counts as down
_LIFE_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Message:
    """A message that this process has leased. *receipts* counts how often it was given out; *lease* proves that it is ours."""

    id: str
    lease: str
    receipts: int
    text: str

    def body(self) -> dict[str, Any] | None:
        """The JSON object it carries, or None when it is none."""
        with suppress(ValueError, RecursionError):
            read = json.loads(self.text)
            return read if isinstance(read, dict) else None
        return None


@dataclass(frozen=True, slots=True)
class Length:
    """About how many messages wait, and how many were set aside."""

    waiting: int
    poisoned: int


@dataclass(frozen=True, slots=True)
class AzureQueue:
    """One Azure queue and its poison queue; every method raises QueueDown when Azure does not do what is asked."""

    messages: QueueClient
    poison: QueueClient

    @classmethod
    def of(cls, settings: Settings) -> AzureQueue | None:
        """The queue that the settings name, or None when they name none."""
        if settings.azure_queue_connection_string is None:
            return None
        from azure.storage.queue import QueueClient  # only who has such a queue needs the package

        secret = settings.azure_queue_connection_string.get_secret_value()
        version = settings.azure_queue_api_version
        options: dict[str, Any] = {"retry_total": 0, "connection_timeout": _SECONDS, "read_timeout": _SECONDS}
        if version:
            options["api_version"] = version
        name = settings.azure_queue_name
        with _named("read the connection string"):
            return cls(
                QueueClient.from_connection_string(secret, name, **options),
                QueueClient.from_connection_string(secret, name + POISON, **options),
            )

    def ensure(self) -> None:
        """Make both queues where they are missing."""
        from azure.core.exceptions import ResourceExistsError

        for queue in (self.messages, self.poison):
            with _named(f"create the queue {queue.queue_name}"), suppress(ResourceExistsError):
                queue.create_queue()

    def send(self, body: Mapping[str, Any]) -> None:
        """Put a message in; it lives for a week."""
        with _named("send a message"):
            self.messages.send_message(json.dumps(body), time_to_live=_LIFE_SECONDS)

    def receive(self, lease_seconds: int) -> Message | None:
        """Lease the next message: nobody else gets it for *lease_seconds*."""
        with _named("receive a message"):
            found = self.messages.receive_message(visibility_timeout=lease_seconds)
        if found is None:
            return None
        return Message(found.id, found.pop_receipt or "", found.dequeue_count or 1, found.content)

    def renew(self, message: Message, lease_seconds: int) -> Message | None:
        """Hold on to a message; returns it with its new lease, or None when somebody else has it by now."""
        from azure.core.exceptions import HttpResponseError

        with _named("renew a message's lease"):
            try:
                renewed = self.messages.update_message(
                    message.id, pop_receipt=message.lease, visibility_timeout=lease_seconds
                )
            except HttpResponseError as error:
                if _lost(error):
                    return None
                raise
        return replace(message, lease=renewed.pop_receipt or "")

    def delete(self, message: Message) -> bool:
        """Take a message out for good; False when somebody else has it by now."""
        from azure.core.exceptions import HttpResponseError

        with _named("delete a message"):
            try:
                self.messages.delete_message(message.id, pop_receipt=message.lease)
            except HttpResponseError as error:
                if _lost(error):
                    return False
                raise
        return True

    def set_aside(self, message: Message, why: str) -> None:
        """Move a message to the poison queue, with the reason; a crash in the middle leaves it in both."""
        with _named("set a message aside"):
            self.poison.send_message(json.dumps({"message": message.text, "why": why}), time_to_live=-1)
        self.delete(message)

    def length(self) -> Length:
        """Ask how long both queues are."""
        with _named("ask for the queue's length"):
            return Length(
                self.messages.get_queue_properties().approximate_message_count or 0,
                self.poison.get_queue_properties().approximate_message_count or 0,
            )

    def close(self) -> None:
        """Close the connections."""
        self.messages.close()
        self.poison.close()


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Raise QueueDown for what Azure refuses or a connection string that cannot be read, without the secret in it."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        words = (getattr(error, "message", None) or str(error)).splitlines()
        raise QueueDown(f"cannot {what}: {words[0] if words else type(error).__name__}") from error
    except ValueError as error:
        raise QueueDown(f"cannot {what}: {type(error).__name__}") from None


def _lost(error: Exception) -> bool:
    """Tell whether the lease is over: the receipt is an old one, or the message is gone."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code)) in ("PopReceiptMismatch", "MessageNotFound")
