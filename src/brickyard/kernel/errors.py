"""Everything Brickyard can refuse to do, and why.

BrickyardError                    exit 3
├── SpecInvalid      exit 2       the request itself is wrong; fix the file or option and send it again
├── NotFound         exit 2       the thing named does not exist
├── Conflict         exit 4       the thing exists in a state that forbids this
├── GuardRefused     exit 4       a pre-flight check, a missing approval or drift forbids this
├── Unauthorized     exit 2       the token is missing, wrong or may not do this
├── WorkspaceRefused exit 3       Databricks said no; carries what it said
├── WorkspaceDown    exit 3       the workspace did not answer
├── MetadataDown     exit 3       the database did not answer
├── QueueDown        exit 3       the external queue did not answer, or refused
└── Interrupted      exit 130     the user stopped it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One located fault of an input: what, where (file, line, column, cell, key) and what to do."""

    message: str
    where: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class BrickyardError(Exception):
    """A refusal with a code that `brickyard explain CODE` expands.

    *problems* lists every located fault at once; *remedy* says what the user can do.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 3

    def __init__(
        self, message: str, *, code: str | None = None, remedy: str | None = None, problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or self.code
        self.remedy = remedy
        self.problems = problems


class SpecInvalid(BrickyardError):
    """The request itself is wrong."""

    code = "spec-invalid"
    exit_code = 2


class NotFound(BrickyardError):
    """The thing named does not exist."""

    code = "not-found"
    exit_code = 2


class Conflict(BrickyardError):
    """The thing exists in a state that forbids this."""

    code = "conflict"
    exit_code = 4


class GuardRefused(BrickyardError):
    """A pre-flight check, a missing approval or drift forbids this."""

    code = "guard-refused"
    exit_code = 4


class Unauthorized(BrickyardError):
    """The token is missing, wrong or may not do this."""

    code = "unauthorized"
    exit_code = 2


class WorkspaceRefused(BrickyardError):
    """Databricks said no; the message carries its own words.

    *status* is the HTTP status and *databricks_code* its error code where they are known.
    """

    code = "workspace-refused"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        databricks_code: str | None = None,
        code: str | None = None,
        remedy: str | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> None:
        super().__init__(message, code=code, remedy=remedy, problems=problems)
        self.status = status
        self.databricks_code = databricks_code


class WorkspaceDown(BrickyardError):
    """The workspace did not answer."""

    code = "workspace-down"


class MetadataDown(BrickyardError):
    """The database did not answer, or has no room left; the message carries its own words."""

    code = "database-down"


class QueueDown(BrickyardError):
    """The external queue did not answer, or refused; the message carries its own words."""

    code = "queue-down"


class Interrupted(BrickyardError):
    """The user stopped it."""

    code = "interrupted"
    exit_code = 130
