"""What a plan consists of: one step is one change of the workspace, with what its undoing needs to know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from brickyard.kernel.errors import Problem
from brickyard.share.model.current import (
    OidcPolicy,
    PipelineSettings,
    PipelineState,
    RecipientState,
    ScheduleSettings,
    ScheduleState,
    SharedObject,
    ShareState,
)
from brickyard.share.model.pack import RecipientType, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRecipient:
    """Make a recipient; *expires_in_days* is the life of its first token (None: the metastore's default)."""

    name: str
    type: RecipientType
    comment: str = ""
    metastore: str | None = None
    ip_addresses: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    expires_in_days: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecipient:
    """Change what is not None; an empty tuple of addresses opens the recipient to all addresses."""

    name: str
    comment: str | None = None
    ip_addresses: tuple[str, ...] | None = None
    properties: Mapping[str, str] | None = None
    expires_at: datetime | None = None
    before: RecipientState


@dataclass(frozen=True, slots=True)
class AddPolicy:
    """Let the tokens of an issuer speak for a recipient."""

    recipient: str
    policy: OidcPolicy


@dataclass(frozen=True, slots=True)
class RemovePolicy:
    """Let them no longer."""

    recipient: str
    policy: OidcPolicy


@dataclass(frozen=True, slots=True)
class RotateToken:
    """Issue a new token; the old one lives on for *overlap_seconds*. Cannot be undone."""

    recipient: str
    overlap_seconds: int
    token: str  # id of the token that is replaced


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Remove a recipient and its tokens. Cannot be undone."""

    name: str
    before: RecipientState


@dataclass(frozen=True, slots=True)
class CreateShare:
    """Make an empty share; *storage_root* is the address for what is kept with it (None: the metastore's own)."""

    name: str
    comment: str = ""
    storage_root: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeShare:
    """Change a share's comment."""

    name: str
    comment: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeObjects:
    """Add, alter or remove objects of a share in one PATCH: at most 100 in all, none twice."""

    share: str
    add: tuple[SharedObject, ...] = ()
    update: tuple[SharedObject, ...] = ()
    remove: tuple[SharedObject, ...] = ()
    before: tuple[SharedObject, ...] = ()  # how the updated ones were
    part: int = 1


@dataclass(frozen=True, slots=True)
class Grant:
    """Let recipients read a share."""

    share: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Revoke:
    """Let them no longer."""

    share: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeleteShare:
    """Remove a share with its objects and grants."""

    name: str
    before: ShareState


@dataclass(frozen=True, slots=True)
class CreateCatalog:
    """Make a catalog; *storage_root* is the address where its managed tables lie (None: the metastore's own)."""

    name: str
    comment: str = ""
    storage_root: str | None = None


@dataclass(frozen=True, slots=True)
class CreateSchema:
    """Make the schema that pipelines write to."""

    catalog: str
    schema: str


@dataclass(frozen=True, slots=True)
class EnableChangeFeed:
    """Let a table keep its row changes, which a pipeline reads."""

    table: str


@dataclass(frozen=True, slots=True)
class ImportLibrary:
    """Put the notebook that pipelines run into the workspace."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class CreatePipeline:
    """Make a pipeline."""

    settings: PipelineSettings
    share: str = ""  # that it feeds


@dataclass(frozen=True, slots=True)
class ChangePipeline:
    """Change a pipeline to *settings*."""

    id: str
    settings: PipelineSettings
    before: PipelineSettings


@dataclass(frozen=True, slots=True)
class DeletePipeline:
    """Remove a pipeline."""

    before: PipelineState
    share: str = ""


@dataclass(frozen=True, slots=True)
class StartUpdate:
    """Let a pipeline run once, with *full_refresh* over all of its data anew. Cannot be undone."""

    id: str
    name: str
    full_refresh: bool = False
    newest: str | None = None  # id of its newest update before this one


@dataclass(frozen=True, slots=True)
class CreateSchedule:
    """Make the job that starts a pipeline."""

    settings: ScheduleSettings
    share: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSchedule:
    """Change that job's schedule."""

    job_id: int
    settings: ScheduleSettings
    before: ScheduleSettings


@dataclass(frozen=True, slots=True)
class DeleteSchedule:
    """Remove that job."""

    before: ScheduleState
    share: str = ""


Step = (
    CreateRecipient
    | ChangeRecipient
    | AddPolicy
    | RemovePolicy
    | RotateToken
    | DeleteRecipient
    | CreateShare
    | ChangeShare
    | ChangeObjects
    | Grant
    | Revoke
    | DeleteShare
    | CreateCatalog
    | CreateSchema
    | EnableChangeFeed
    | ImportLibrary
    | CreatePipeline
    | ChangePipeline
    | DeletePipeline
    | StartUpdate
    | CreateSchedule
    | ChangeSchedule
    | DeleteSchedule
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that ends with a step: shown in red. *what* is a sentence, *who* the recipients that lose by it."""

    what: str
    who: tuple[str, ...] = ()
    irreversible: bool = False


@dataclass(frozen=True, slots=True)
class Refusal(Problem):
    """What forbids a plan. *code* is one that `brickyard explain` knows."""

    code: str = field(kw_only=True)

    def __str__(self) -> str:
        place, _, thing = (self.where or "").rpartition(": ")
        name = re.escape(thing.rpartition(" ")[2])
        if name and re.search(rf"(?<![\w.]){name}(?![\w.])", self.message):  # it is not said twice
            return f"{place}: {self.message}" if place else self.message
        return f"{self.where}: {self.message}" if self.where else self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What turns the present into the wanted. *refusals* forbid to apply it; an empty *steps* means nothing to do.

    *hash* is over the pack, the strategy and the steps with their before-images.
    """

    strategy: Strategy
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    hash: str = ""
