"""What an engine is: sessions that run rewritten SQL and answer in Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Which engine session a statement needs: statements that leave nothing behind share one per user and time zone."""

    user: str
    time_zone: str
    session: str = "shared"


class EngineFailed(Exception):
    """The engine refused or failed a statement; `kind` is the class of its exception (`AnalysisException`, …)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class EngineDied(EngineFailed):
    """The engine went away while the statement ran; the same statement may succeed on the next one."""


class EngineCancelled(EngineFailed):
    """The statement was cancelled."""


class Executor(Protocol):
    """Runs SQL that needs no further rewriting; the server's engine and a notebook's own session are both one."""

    def query(self, sql: str) -> pa.Table:
        """Run one statement and return its rows, or raise EngineFailed."""
        ...
