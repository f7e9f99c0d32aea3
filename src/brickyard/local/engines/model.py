"""What an engine is: the sessions in which it runs rewritten SQL, and how it fails."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_QUERY = re.compile(r"[\s(]*(?:SELECT|WITH)\b", re.IGNORECASE)
_NAMESPACE = uuid.UUID("6f1c5f0e-3f35-4f0a-9a57-5f2a8d0c7b11")


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Which engine session a statement needs, and in which time zone.

    Statements that leave nothing behind share one session per user and time zone; `session` is the id of a SQL session
    that has one to itself.
    """

    user: str
    time_zone: str
    session: str | None = None

    @property
    def identity(self) -> str:
        """The engine's id of the session, a UUID; the same for every client that wants to share it."""
        name = f"{self.user}/{self.session}" if self.session else f"{self.user}//{self.time_zone}"
        return str(uuid.uuid5(_NAMESPACE, name))


def is_query(sql: str) -> bool:
    """Whether the engine's SQL only reads rows, so that it may wait until they are asked for."""
    return _QUERY.match(sql) is not None


class EngineFailed(Exception):
    """The engine refused or failed a statement; `kind` is the class of its exception (`AnalysisException`, …)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class EngineUnavailable(EngineFailed):
    """The engine cannot run on this machine; `message` says why, `cure` what to do about it."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__("EngineUnavailable", f"{message}; {cure}")
        self.reason = message
        self.cure = cure


class EngineDied(EngineFailed):
    """The engine went away while the statement ran; the same statement may succeed on the next one."""


class EngineCancelled(EngineFailed):
    """The statement was cancelled."""


class Engine(Protocol):
    """What the router asks of an engine; each is safe to use from any thread."""

    name: str
    whole_spark: bool
    """Whether it is Spark with Delta itself, for which nothing needs to be rewritten or refused."""

    def warm(self) -> None:
        """Start in the background."""
        ...

    def query(self, key: EngineKey, sql: str, *, tag: str | None = None) -> pa.Table:
        """Run one statement and return its rows, or raise EngineFailed; *tag* names it for `cancel`."""
        ...

    def check(self, key: EngineKey, sql: str, *, tag: str | None = None) -> None:
        """Resolve a query, or raise EngineFailed as running it would before it reads a row."""
        ...

    def save(self, key: EngineKey, sql: str, folder: Path, *, tag: str | None = None) -> None:
        """Run a query and leave its rows as Parquet files in a folder; without rows there may be no folder."""
        ...

    def ready(self, key: EngineKey) -> None:
        """Make sure that a session exists and is in its time zone, for a client that shares it."""
        ...

    def url(self, key: EngineKey) -> str:
        """The Spark Connect connection string of a session, for a client that shares it."""
        ...

    def cancel(self, key: EngineKey, tag: str) -> None:
        """Interrupt the statements of a session that run under *tag*."""
        ...

    def release(self, key: EngineKey) -> None:
        """Forget a session and everything in it."""
        ...

    def close(self) -> None:
        """Stop for good."""
        ...
