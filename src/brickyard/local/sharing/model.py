"""The nouns of Delta Sharing: shares with their objects, recipients with their tokens, who may read what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ObjectType(StrEnum):
    """What can be in a share; the value is Unity Catalog's spelling."""

    TABLE = "TABLE"
    VIEW = "VIEW"
    MATERIALIZED_VIEW = "MATERIALIZED_VIEW"
    STREAMING_TABLE = "STREAMING_TABLE"
    FOREIGN_TABLE = "FOREIGN_TABLE"
    SCHEMA = "SCHEMA"
    VOLUME = "VOLUME"
    MODEL = "MODEL"
    FUNCTION = "FUNCTION"
    FEATURE_SPEC = "FEATURE_SPEC"
    NOTEBOOK_FILE = "NOTEBOOK_FILE"


class AuthenticationType(StrEnum):
    """How a recipient says who it is."""

    TOKEN = "TOKEN"  # noqa: S105 — Databricks' word, no secret
    DATABRICKS = "DATABRICKS"
    OIDC_FEDERATION = "OIDC_FEDERATION"


@dataclass(frozen=True, slots=True)
class PartitionValue:
    """One condition on a partition column: equal or like a value, or a recipient's property."""

    name: str
    op: str = "EQUAL"
    value: str | None = None
    recipient_property_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedObject:
    """An object of a share; `partitions` are alternatives, the conditions of one hold together."""

    name: str
    object_type: ObjectType
    comment: str | None = None
    shared_as: str | None = None  # `schema.table` under which a table-like object is seen
    string_shared_as: str | None = None
    cdf_enabled: bool = False
    history: bool = False
    start_version: int = 0
    partitions: tuple[tuple[PartitionValue, ...], ...] = ()
    content: str | None = None  # base64, notebooks only
    added_at: datetime | None = None
    added_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share; names compare without case."""

    id: str
    name: str
    owner: str
    comment: str | None = None
    storage_root: str | None = None
    objects: tuple[SharedObject, ...] = ()
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A recipient's token: only the digest of the bearer token is kept, from the moment it is activated."""

    id: str
    activation: str  # the last part of the activation link, good for one download
    created_at: datetime
    expires_at: datetime | None = None
    digest: str | None = None  # SHA-256 of the bearer token, None until it is activated
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationPolicy:
    """Which tokens of an OIDC issuer speak for a recipient."""

    id: str
    name: str
    issuer: str
    subject_claim: str
    subject: str
    audiences: tuple[str, ...] = ()
    comment: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody who may be given shares; at most two live tokens."""

    id: str
    name: str
    owner: str
    authentication_type: AuthenticationType
    comment: str | None = None
    metastore: str | None = None  # global metastore id of a Databricks recipient
    sharing_code: str | None = None
    ip_addresses: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)
    tokens: tuple[Token, ...] = ()
    policies: tuple[FederationPolicy, ...] = ()
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Somebody who shares with this workspace, as the profile file that they sent says."""

    id: str
    name: str
    owner: str
    authentication_type: AuthenticationType
    comment: str | None = None
    profile: str = ""
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""
