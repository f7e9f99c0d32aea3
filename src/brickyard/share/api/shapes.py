"""What the workflow routes say: the field names are the requirements' own, in PascalCase."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from brickyard.kernel.errors import Problem
from brickyard.kernel.terminal import plain
from brickyard.share import report
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import (
    Access,
    Checked,
    Drift,
    PackStatus,
    PackVersion,
    RunRecord,
    Standing,
    Submitted,
)
from brickyard.share.model.steps import Plan


class Shape(BaseModel):
    """A body of the workflow routes."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, from_attributes=True, frozen=True)


class UploadAnswer(Shape):
    """What became of an upload; a pack with faults has them all in ValidationErrors and no id."""

    message: str
    share_pack_id: str = ""
    share_pack_name: str = ""
    status: PackStatus
    validation_errors: list[str] = Field(default_factory=list)
    validation_warnings: list[str] = Field(default_factory=list)

    @classmethod
    def accepted(cls, submitted: Submitted) -> UploadAnswer:
        """Return the answer to a pack that is on its way."""
        return cls(
            message=submitted.message,
            share_pack_id=submitted.pack_id,
            share_pack_name=submitted.pack_name,
            status=submitted.status,
            validation_warnings=list(submitted.warnings),
        )

    @classmethod
    def refused(cls, message: str, problems: tuple[Problem, ...], warnings: tuple[str, ...] = ()) -> UploadAnswer:
        """Return the answer to a pack with faults, every one of them listed with its place."""
        return cls(
            message=message,
            status=PackStatus.VALIDATION_FAILED,
            validation_errors=report.problems_text(problems) or [message],
            validation_warnings=list(warnings),
        )


class PackAnswer(Shape):
    """How a pack fares."""

    share_pack_id: str
    share_pack_name: str
    status: PackStatus
    strategy: Strategy
    provisioning_status: str
    error_message: str
    requested_by: str
    created_at: datetime
    last_updated: datetime

    @classmethod
    def of(cls, pack: Standing) -> PackAnswer:
        """Return a pack's answer."""
        return cls(
            share_pack_id=pack.pack_id,
            share_pack_name=pack.name,
            status=pack.status,
            strategy=pack.strategy,
            provisioning_status=pack.provisioning_status,
            error_message=pack.error_message,
            requested_by=pack.requested_by,
            created_at=pack.created_at,
            last_updated=pack.last_updated,
        )


class PackList(Shape):
    """Packs, the last changed first."""

    message: str
    count: int
    share_packs: list[PackAnswer]
    next_page_token: str | None = Field(None, description="Ask for the next page with it; null on the last one.")


class VersionAnswer(Shape):
    """One version of a pack's configuration; EffectiveTo is null for the current one."""

    version: int
    status: PackStatus
    effective_from: datetime
    effective_to: datetime | None
    changed_by: str
    change_reason: str


class HistoryAnswer(Shape):
    """Every version of a pack, the oldest first."""

    message: str
    share_pack_id: str
    share_pack_name: str
    history: list[VersionAnswer]

    @classmethod
    def of(cls, pack: Standing, versions: tuple[PackVersion, ...]) -> HistoryAnswer:
        """Return a pack's history."""
        return cls(
            message=f"{len(versions)} version(s)",
            share_pack_id=pack.pack_id,
            share_pack_name=pack.name,
            history=[VersionAnswer.model_validate(version) for version in versions],
        )


class RefusalAnswer(Shape):
    """What forbids a plan, and where; Code says more of it."""

    code: str
    message: str
    where: str | None = None
    remedy: str | None = None


class StepAnswer(Shape):
    """A step that a plan would do; TakesAway tells that somebody loses by it."""

    kind: str
    subject: str
    words: str
    takes_away: bool
    detail: dict[str, Any]


class LossAnswer(Shape):
    """Something that ends with a plan, and the recipients that lose by it."""

    what: str
    who: list[str]
    irreversible: bool


class PlanAnswer(Shape):
    """What would change, and the hash that binds an approval or an upload to it."""

    strategy: Strategy
    plan_hash: str
    steps: list[StepAnswer]
    losses: list[LossAnswer]
    warnings: list[str]
    refusals: list[RefusalAnswer]

    @classmethod
    def of(cls, plan: Plan) -> PlanAnswer:
        """Return a plan's answer."""
        return cls(
            strategy=plan.strategy,
            plan_hash=plan.hash,
            steps=[StepAnswer(**report.step_document(step)) for step in plan.steps],
            losses=[LossAnswer(**plain(loss)) for loss in plan.losses],
            warnings=list(plan.warnings),
            refusals=[RefusalAnswer(**plain(refusal)) for refusal in plan.refusals],
        )


class StepRecordAnswer(Shape):
    """A step of a run as far as it got; Outcome says how its undoing went."""

    position: int
    kind: str
    subject: str
    words: str
    status: str
    intended_at: datetime
    done_at: datetime | None
    adopted: bool
    outcome: str | None


class RunAnswer(Shape):
    """A run and its steps; Planned is how many its plan has, Poisoned why messages of it were set aside."""

    id: str
    kind: str
    status: str
    share_pack_id: str | None
    version: int | None
    strategy: Strategy | None
    requested_by: str
    plan_hash: str | None
    code: str | None
    message: str | None
    refusals: list[RefusalAnswer]
    warnings: list[str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    planned: int
    steps: list[StepRecordAnswer]
    poisoned: list[str]

    @classmethod
    def of(cls, run: RunRecord) -> RunAnswer:
        """Return a run's answer."""
        fields = {name: value for name, value in plain(run).items() if name not in ("pack_id", "http_status")}
        return cls(share_pack_id=run.pack_id, **fields)


class DifferenceAnswer(Shape):
    """One difference, and what one can do about it."""

    change: str
    kind: str
    name: str
    what: str
    verdicts: list[str]


class DriftAnswer(Shape):
    """How far the workspace is from what a pack applied last; `unknown` when it could not be read."""

    share_pack_id: str
    share_pack_name: str
    state: str
    message: str
    differences: list[DifferenceAnswer]

    @classmethod
    def of(cls, drift: Drift) -> DriftAnswer:
        """Return a drift's answer."""
        return cls(
            share_pack_id=drift.pack_id,
            share_pack_name=drift.pack_name,
            state=drift.state,
            message=drift.message,
            differences=[DifferenceAnswer(**plain(difference)) for difference in drift.differences],
        )


class AccessAnswer(Shape):
    """One recipient's right to one share."""

    recipient: str
    share: str
    objects: list[str]
    type: str
    share_pack_id: str | None
    since: datetime | None
    activated: bool
    expires_at: datetime | None
    state: str

    @classmethod
    def of(cls, access: Access) -> AccessAnswer:
        """Return an access's answer."""
        fields = {name: value for name, value in plain(access).items() if name != "pack_id"}
        return cls(share_pack_id=access.pack_id, **fields)


class CheckedAnswer(Shape):
    """What a recipient got of one table; Expected tells whether that is as it should be."""

    share: str
    table: str
    recipient: str
    verdict: str
    expected: bool
    rows: int | None
    message: str

    @classmethod
    def of(cls, checked: Checked) -> CheckedAnswer:
        """Return a check's answer."""
        return cls(**plain(checked))


class HealthAnswer(Shape):
    """Whether the workflow's parts answer."""

    message: str
    database_connected: bool
    queue_connected: bool
    tables_count: int
    queue_message_count: int
    queue_poison_count: int = Field(description="Messages that were set aside because they failed too often, about.")


class Decision(Shape):
    """What an approver says of a plan."""

    plan_hash: str = Field(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]*$")
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$")


class Refusal(Shape):
    """What a decliner says."""

    plan_hash: str | None = Field(None, min_length=1, max_length=128, pattern=r"^[\x20-\x7e]*$")
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$")


class Rollback(Shape):
    """Where to go back to: a version or a moment. With a PlanHash, another plan is refused."""

    to: int | datetime = Field(description="A version, or an ISO 8601 moment.")
    plan_hash: str | None = Field(None, min_length=1, max_length=128, pattern=r"^[\x20-\x7e]*$")
