"""How requests reach Databricks: reads again and again for a while, writes once, refusals with their true status."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, TypeVar

import requests
import stamina
from databricks.sdk import WorkspaceClient
from databricks.sdk.clock import Clock
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError
from databricks.sdk.errors.customizer import _ErrorCustomizer
from urllib3.exceptions import MaxRetryError, NewConnectionError

T = TypeVar("T")

HTTP_STATUS = "http_status"  # what DatabricksError.kwargs holds beyond the reply's own fields
OWN_WORDS = "own_words"
_READS = ("GET", "HEAD")
_AT_ONCE = 32  # connections that are kept; what reads many things at once would open and close more for each
_ANSWER_SECONDS = 60
_RETRY = {"attempts": None, "wait_initial": 0.1, "wait_max": 5.0, "wait_jitter": 0.2}


def connect(
    credentials: Mapping[str, Any], retry_seconds: float, answer_seconds: float = _ANSWER_SECONDS
) -> WorkspaceClient:
    """Return a client whose reads are tried again for *retry_seconds* and whose writes are sent once.

    Each request waits *answer_seconds* for the next bytes of its answer.
    """
    config = Config(
        **credentials,
        product="brickyard",
        product_version=version("brickyard"),
        clock=_OneAttempt(),
        retry_timeout_seconds=1,
        http_timeout_seconds=answer_seconds,
        max_connections_per_pool=_AT_ONCE,
    )
    client = WorkspaceClient(config=config)
    parser = (
        client.api_client._api_client._error_parser
    )  # the SDK forgets the status of an error, and has no other seam
    parser._error_customizers = [_KeepFacts(), *parser._error_customizers]
    _retry_reads(client, retry_seconds)
    return client


def again(call: Callable[[], T], retry_seconds: float, *, sent_once: bool = False) -> T:
    """Call until it succeeds, for *retry_seconds* at most; with *sent_once* only what Databricks never took up."""
    retryable = _untouched if sent_once else _passing
    deadline = time.monotonic() + retry_seconds

    def worth_it(error: Exception) -> bool | float:
        wait = retryable(error)
        return wait if time.monotonic() + wait < deadline else False

    for attempt in stamina.retry_context(on=worth_it, timeout=retry_seconds or None, **_RETRY):
        with attempt:
            return call()
    raise AssertionError("stamina ended without a result or an error")


def _retry_reads(client: WorkspaceClient, retry_seconds: float) -> None:
    """Put our retries in front of the one function that every call of the SDK goes through."""
    send = client.api_client.do

    @functools.wraps(send)
    def do(method: str, *args: Any, **options: Any) -> Any:
        return again(lambda: send(method, *args, **options), retry_seconds, sent_once=method not in _READS)

    setattr(client.api_client, "do", do)  # noqa: B010 — a plain assignment to a method is a type error


def _passing(error: Exception) -> bool | float:
    """Tell whether a read that ended so may succeed later, or after how many seconds Databricks wants it again."""
    if isinstance(error, DatabricksError):
        return float(error.retry_after_secs) if error.retry_after_secs is not None else False
    return isinstance(error, requests.ConnectionError | requests.Timeout)


def _untouched(error: Exception) -> bool | float:
    """The same for a write, which may be sent again only when Databricks cannot have done it."""
    if isinstance(error, DatabricksError):
        return _passing(error) if error.kwargs.get(HTTP_STATUS) == 429 else False
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


class _OneAttempt(Clock):
    """The clock that the SDK's retry loop sleeps by between attempts: here the loop ends with its error."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Raise the error that is being handled; sleep where there is none."""
        error = sys.exception()
        if error:
            raise error
        time.sleep(seconds)


class _KeepFacts(_ErrorCustomizer):
    """Keeps the HTTP status and the message as Databricks sent it, which the SDK drops or decorates."""

    def customize_error(self, response: requests.Response, kwargs: dict[str, Any]) -> None:
        """Add both to the error's fields."""
        kwargs[HTTP_STATUS] = response.status_code
        kwargs[OWN_WORDS] = kwargs.get("message") or response.reason
