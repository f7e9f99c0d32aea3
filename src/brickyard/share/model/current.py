"""What is there: recipients, shares, pipelines and schedules as the workspace has them, and what this pack has made before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from brickyard.share.model.pack import RecipientType


class ObjectKind(StrEnum):
    """What can be in a share; Databricks' own words."""

    TABLE = "TABLE"
    VIEW = "VIEW"
    MATERIALIZED_VIEW = "MATERIALIZED_VIEW"
    STREAMING_TABLE = "STREAMING_TABLE"
    FOREIGN_TABLE = "FOREIGN_TABLE"
    SCHEMA = "SCHEMA"
    VOLUME = "VOLUME"
    MODEL = "MODEL"
    FUNCTION = "FUNCTION"
    NOTEBOOK_FILE = "NOTEBOOK_FILE"


@dataclass(frozen=True, slots=True)
class PartitionValue:
    """A condition on one partition column."""

    name: str
    op: str = "EQUAL"
    value: str | None = None
    recipient_property_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedObject:
    """An object of a share, the server's defaults already filled in or taken away on both sides of a comparison."""

    name: str
    kind: ObjectKind
    shared_as: str | None = None
    comment: str | None = None
    cdf: bool = False
    history: bool = False
    start_version: int | None = None
    partitions: tuple[tuple[PartitionValue, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """One token of a recipient, without any secret."""

    id: str
    created_at: datetime
    expires_at: datetime | None = None
    activated: bool = False


@dataclass(frozen=True, slots=True)
class OidcPolicy:
    """A federation policy; *id* is None for one that is wanted."""

    issuer: str
    subject_claim: str
    subject: str
    audiences: tuple[str, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientState:
    """A recipient as it is. *mark* is the pack that made it, by our mark in its properties; ours are not in *properties*.

    *id* is Databricks' own, None for one that is wanted; a recipient made anew has another one.
    """

    name: str
    type: RecipientType
    owner: str
    comment: str = ""
    metastore: str | None = None
    ip_addresses: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[TokenState, ...] = ()
    policies: tuple[OidcPolicy, ...] = ()
    activated: bool = False
    mark: str | None = None
    id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareState:
    """A share as it is; *comment* comes without our mark, *readers* are the recipients with SELECT."""

    name: str
    owner: str
    comment: str = ""
    objects: tuple[SharedObject, ...] = ()
    readers: tuple[str, ...] = ()
    mark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """What a pipeline is made of; the same noun for the wanted and the present one.

    *libraries* are paths of notebooks; none stands for those that it has, in a new pipeline for the one we ship.
    """

    name: str
    source: str
    target: str
    catalog: str
    schema: str
    keys: tuple[str, ...] = ()
    scd_type: str = "2"
    continuous: bool = False
    serverless: bool = False
    notifications: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineState:
    """A pipeline as it is."""

    id: str
    settings: PipelineSettings
    owner: str = ""
    mark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """The job that starts a pipeline: its name, the Quartz expression and the zone."""

    name: str
    pipeline: str
    cron: str
    timezone: str = "UTC"
    paused: bool = False
    notifications: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule as it is; *other_tasks* says that the job does more than start the pipeline."""

    job_id: int
    settings: ScheduleSettings
    other_tasks: bool = False
    mark: str | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An object that a pack names, as the catalog has it; *why_not* says why it cannot be shared."""

    name: str
    kind: ObjectKind
    columns: tuple[str, ...] = ()
    partition_columns: tuple[str, ...] = ()
    change_feed: bool = False
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that an applied step of this pack made or added, and no later step has taken away.

    *kind* is `recipient`, `share`, `object`, `reader`, `address`, `property`, `policy`, `pipeline` or `schedule`; *parent* is the share or
    recipient it belongs to. Names are folded to lower case.
    """

    kind: str
    parent: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """All that a plan needs to know; keys are names folded to lower case. What is not in a mapping does not exist."""

    me: str = ""
    groups: frozenset[str] = frozenset()
    recipients: Mapping[str, RecipientState] = field(default_factory=dict)
    shares: Mapping[str, ShareState] = field(default_factory=dict)
    pipelines: Mapping[str, PipelineState] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleState] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    catalogs: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset()
    every_recipient: frozenset[str] = frozenset()  # names of all of the metastore, folded
    every_share: frozenset[str] = frozenset()
    recorded: frozenset[Claim] = frozenset()  # recipients, shares, pipelines and schedules that our records know
    library: str | None = None  # digest of the pipelines' notebook as it is in the workspace
    shipped: str | None = None  # digest of the one that this version ships
    library_path: str = ""
    claims: frozenset[Claim] = frozenset()  # of this pack
    others: frozenset[Claim] = frozenset()  # of other packs
