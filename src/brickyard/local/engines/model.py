"""What an engine is: the sessions in which it runs rewritten SQL, and how it fails."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

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
