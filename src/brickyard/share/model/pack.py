"""A share pack as a person writes it: who shares what with whom, and which pipelines feed it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer


class Strategy(StrEnum):
    """What a pack asks for; NEW turns to UPDATE where something of it exists."""

    NEW = "NEW"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Mode(StrEnum):
    """What happens to what others have added: kept, or removed."""

    MERGE = "merge"
    EXACT = "exact"


class RecipientType(StrEnum):
    """How the partner reads: from their own Databricks, with a token, or with a login of their own."""

    D2D = "D2D"
    D2O = "D2O"
    OIDC = "OIDC"


class _Part(BaseModel):
    """A part of a pack: strict, frozen, no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, str_strip_whitespace=True)


class Metadata(_Part):
    """Who wants the pack, for whom, and what it is meant to do."""

    version: str = "1.0"
    last_updated: str | None = None
    owner: str | None = None
    contact_email: str
    business_line: str
    delta_share_region: str
    configurator: str
    approver: str
    executive_team: str
    requestor: str
    approver_status: str = "approved"
    strategy: Strategy = Strategy.NEW
    workspace_url: str
    servicenow_ticket: str = Field(alias="servicenow")
    project_name: str | None = None
    description: str | None = None
    client: str | None = None
    mode: Mode = Mode.MERGE


class OidcSpec(_Part):
    """Which tokens of which issuer speak for the recipient."""

    issuer: str
    subject_claim: str
    subject: str
    audiences: tuple[str, ...] = ()


class TokenPolicy(_Part):
    """When a token is replaced: at which age, and how long the old one lives on."""

    max_age_days: int | None = Field(None, gt=0)
    overlap_hours: int = Field(24, ge=0)


class RecipientSpec(_Part):
    """One partner."""

    name: str
    type: RecipientType
    recipient: str | None = None
    description: str = Field("", alias="comment")
    recipient_databricks_org: str = ""
    recipient_ips: tuple[str, ...] = ()
    recipient_ips_to_add: tuple[str, ...] = ()
    recipient_ips_to_remove: tuple[str, ...] = ()
    token_expiry: int = Field(0, ge=0)
    token_rotation: bool = False
    properties: dict[str, str] = Field(default_factory=dict)
    oidc: OidcSpec | None = None
    token_policy: TokenPolicy | None = None
    expires_on: str | None = None

    @model_serializer(mode="wrap")
    def _said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `recipient_ips` where nobody wrote it: an empty list that was written means "none"."""
        data: dict[str, Any] = handler(self)
        if "recipient_ips" not in self.model_fields_set:
            data.pop("recipient_ips", None)
        return data

    @property
    def clears_addresses(self) -> bool:
        """Tell whether the file says `recipient_ips: []`, which in mode exact opens the recipient to all addresses.

        It survives `model_dump(mode="json")` and `model_validate`; a recipient without the key says nothing.
        """
        return "recipient_ips" in self.model_fields_set and not self.recipient_ips


class PartitionSpec(_Part):
    """A condition on one partition column."""

    name: str
    op: Literal["EQUAL", "LIKE"] = "EQUAL"
    value: str | None = None
    recipient_property_key: str | None = None


class AssetSpec(_Part):
    """An object of a share; in a file it may be only its name."""

    name: str
    type: str | None = None
    shared_as: str | None = None
    cdf: bool | None = None
    history: bool | None = None
    start_version: int | None = Field(None, ge=0)
    partitions: tuple[tuple[PartitionSpec, ...], ...] = ()


class DeltaShareSpec(_Part):
    """Where the pipelines of a share write to."""

    ext_catalog_name: str
    ext_schema_name: str
    prefix_assetname: str | None = None
    tags: tuple[str, ...] = ()


class ScheduleSpec(_Part):
    """When a pipeline runs: by a Quartz expression in a zone, or all the time."""

    cron: str | None = None
    timezone: str = "UTC"
    continuous: bool = False


class PipelineSpec(_Part):
    """A pipeline that copies one asset of the share into the partner's schema."""

    name_prefix: str
    source_asset: str
    target_asset: str | None = None
    description: str = Field("", alias="comment")
    schedule: ScheduleSpec
    notification: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    serverless: bool = False
    scd_type: Literal["1", "2", "full_refresh"] = "2"
    key_columns: tuple[str, ...] = ()
    ext_catalog_name: str | None = None
    ext_schema_name: str | None = None


class ShareSpec(_Part):
    """One share: its objects, its readers, its pipelines. In a DELETE pack, *pipelines* may be only names."""

    name: str
    description: str = Field("", alias="comment")
    share_assets: tuple[AssetSpec, ...] = ()
    share_assets_to_add: tuple[AssetSpec, ...] = ()
    share_assets_to_remove: tuple[AssetSpec, ...] = ()
    recipients: tuple[str, ...] = ()
    recipients_to_add: tuple[str, ...] = ()
    recipients_to_remove: tuple[str, ...] = ()
    delta_share: DeltaShareSpec | None = None
    pipelines: tuple[PipelineSpec, ...] = ()


class Removal(_Part):
    """What a DELETE pack names: recipients, shares, and pipelines by share."""

    recipients: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    pipelines: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class SharePack(_Part):
    """A whole pack. *removal* is filled, and *recipient* and *share* are empty, when the strategy is DELETE."""

    metadata: Metadata
    recipient: tuple[RecipientSpec, ...] = ()
    share: tuple[ShareSpec, ...] = ()
    removal: Removal | None = None
