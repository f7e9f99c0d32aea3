"""The words for where a pack, a request, a run and a step are; the first three are the requirements' own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from brickyard.share.model.pack import SharePack, Strategy


class PackStatus(StrEnum):
    """`share_packs.share_pack_status`."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    VALIDATION_FAILED = "VALIDATION_FAILED"


class RequestStatus(StrEnum):
    """`requests.status`."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    PENDING_APPROVAL = "PENDING_APPROVAL"


class ApproverStatus(StrEnum):
    """What an approver says of a request."""

    APPROVED = "approved"
    DECLINED = "declined"
    MORE_INFO = "request_more_info"
    PENDING = "pending"


class RunStatus(StrEnum):
    """Where a run is; the last four are final."""

    PENDING_APPROVAL = "pending-approval"
    QUEUED = "queued"
    WAITING = "waiting"  # another run holds a share or recipient of this one
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    VALIDATION_FAILED = "validation-failed"
    SUPERSEDED = "superseded"  # a newer version of the pack takes its place

    @property
    def final(self) -> bool:
        """Tell whether the run will not change any more."""
        return self in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.VALIDATION_FAILED, RunStatus.SUPERSEDED)


class RunKind(StrEnum):
    """Why a run is."""

    APPLY = "apply"
    ROLLBACK = "rollback"
    DIRECT = "direct"  # one step asked for by a direct route
    ROTATION = "rotation"
    EXPIRY = "expiry"


class StepStatus(StrEnum):
    """Where a step of a run is."""

    INTENDED = "intended"
    DONE = "done"
    COMPENSATED = "compensated"
    NOT_COMPENSATED = "not-compensated"


class Verdict(StrEnum):
    """What a verification as the recipient says of one table."""

    READ = "READ"
    REFUSED = "REFUSED"
    FAILED = "FAILED"
    NOT_ASSESSED = "NOT_ASSESSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A pack that came in, and what its sender allows: *adopt* things made by others, *replace* what must be made anew.

    With a *plan_hash* the run is refused when the plan is no longer that one.
    """

    pack: SharePack
    file_name: str
    file_format: str = "yaml"
    warnings: tuple[str, ...] = ()
    source: str = "share_pack"
    adopt: bool = False
    replace: bool = False
    plan_hash: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of an upload. *new* is False when the same content is under way or was just done already."""

    pack_id: str
    pack_name: str
    version: int
    run_id: str
    status: PackStatus
    strategy: Strategy
    message: str
    warnings: tuple[str, ...] = ()
    new: bool = True
