"""The words for where a pack, a request, a run and a step are; the first three are the requirements' own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.steps import Refusal


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

    With a *plan_hash* the run is refused when the plan is no longer that one. *again* asks for another run though the
    same content was completed a moment ago.
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
    again: bool = False


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step of a run as far as it got; *kind* is the step's class, *words* say what it does, *outcome* how its undoing went."""

    position: int
    kind: str
    subject: str
    words: str
    status: StepStatus
    intended_at: datetime
    done_at: datetime | None = None
    adopted: bool = False
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run and its steps. *pack_id* is None for what no pack asked for; *code* and *http_status* say why it failed, or what is to be known of its good end."""

    id: str
    kind: RunKind
    status: RunStatus
    pack_id: str | None = None
    version: int | None = None
    strategy: Strategy | None = None
    requested_by: str = ""
    plan_hash: str | None = None
    code: str | None = None
    http_status: int | None = None
    message: str | None = None
    refusals: tuple[Refusal, ...] = ()  # what forbade its plan, each also in the message
    warnings: tuple[str, ...] = ()
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    steps: tuple[StepRecord, ...] = ()
    planned: int = 0  # how many steps the plan has
    poisoned: tuple[str, ...] = ()  # why messages of it were set aside, oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a pack's current version stands; *last_updated* is when anything last happened to it."""

    pack_id: str
    name: str
    version: int
    status: PackStatus
    strategy: Strategy
    provisioning_status: str
    error_message: str
    requested_by: str
    created_at: datetime
    last_updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRecord(Standing):
    """A pack's current version, how it fares, and its newest run."""

    workspace_url: str
    business_line: str
    project: str
    request_status: RequestStatus | None = None
    approved_by: str | None = None
    deleted: bool = False
    run: RunRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackVersion:
    """One version of a pack's configuration; *effective_to* is None for the current one."""

    version: int
    status: PackStatus
    effective_from: datetime
    effective_to: datetime | None
    changed_by: str
    change_reason: str
    strategy: Strategy
    deleted: bool = False


class Change(StrEnum):
    """How something live differs from what a pack applied."""

    MISSING = "missing"
    CHANGED = "changed"
    ADDED = "added"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference; *verdicts* are what one can do about it: `revert` (apply), `adopt` (take into the pack), `ignore`."""

    change: Change
    kind: str
    name: str
    what: str
    verdicts: tuple[str, ...] = ("revert", "adopt", "ignore")


class DriftState(StrEnum):
    """What a look at a pack's things has shown; unknown when they could not be read."""

    NONE = "none"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the workspace is from what a pack applied last."""

    pack_id: str
    pack_name: str
    state: DriftState
    message: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One recipient's right to one share: since when, and whether it is used and lasts."""

    recipient: str
    share: str
    objects: tuple[str, ...]
    type: str
    pack_id: str | None = None
    since: datetime | None = None
    activated: bool = False
    expires_at: datetime | None = None
    state: str = "active"  # `active`, `never-activated`, `expiring` (within 14 days), `expired`


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a recipient gets of one table; *expected* says whether that is as it should be."""

    share: str
    table: str
    recipient: str
    verdict: Verdict
    expected: bool
    rows: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A recipient's one-time activation link; it is erased here by being given out."""

    recipient: str
    link: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What one sync has done; *status* is FAILED with the reason in *message* when it could not."""

    kind: str
    status: str
    processed: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsImported:
    """What an import of business lines, regions and projects has changed."""

    tenants: int = 0
    regions: int = 0
    projects: int = 0
    unchanged: int = 0
