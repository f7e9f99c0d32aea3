"""Live shares and recipients, written as a pack whose plan is empty."""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.context import Context
from brickyard.kernel.errors import NotFound, Problem
from brickyard.share.model.current import OidcPolicy, RecipientState, SharedObject, ShareState
from brickyard.share.model.pack import (
    AssetSpec,
    Metadata,
    OidcSpec,
    PartitionSpec,
    RecipientSpec,
    SharePack,
    ShareSpec,
    Strategy,
)
from brickyard.share.model.yaml_out import to_yaml
from brickyard.share.observe.asking import whoami
from brickyard.share.observe.recipients import recipients as look_at_recipients
from brickyard.share.observe.shares import shares as look_at_shares

_PERSON = "somebody@example.com"
_NOTE = (
    "# Taken from the workspace. Its plan changes nothing; put the true people, region and ticket into `metadata`.\n"
)


def import_live(context: Context, shares: Sequence[str]) -> str:
    """Return the YAML of a pack that holds *shares* and their recipients as they are; NotFound names all that are not there."""
    client = context.workspaces.client()
    found = look_at_shares(client, shares)
    absent = [name for name in shares if name.lower() not in found]
    if absent:
        problems = tuple(Problem("there is no such share, or we may not see it", where=name) for name in absent)
        raise NotFound(f"{len(absent)} of the shares cannot be found", problems=problems)
    names = {reader for share in found.values() for reader in share.readers}
    people = look_at_recipients(client, names)
    me, _ = whoami(client)
    pack = SharePack(
        metadata=_metadata(
            me if "." in me.partition("@")[2] else _PERSON, context.workspaces.host or client.config.host or ""
        ),
        recipient=tuple(_recipient(people[key]) for key in sorted(people)),
        share=tuple(_share(found[key]) for key in sorted(found)),
    )
    return _NOTE + to_yaml(pack)


def _metadata(person: str, host: str) -> Metadata:
    return Metadata(
        contact_email=person,
        business_line="imported",
        delta_share_region="AM",
        configurator=person,
        approver=person,
        executive_team=person,
        requestor=person,
        strategy=Strategy.UPDATE,
        workspace_url=host,
        servicenow_ticket="none",
    )


def _recipient(state: RecipientState) -> RecipientSpec:
    spec = RecipientSpec(
        name=state.name,
        type=state.type,
        description=state.comment,
        recipient_databricks_org=state.metastore or "",
        properties=dict(state.properties),
        oidc=_oidc(state.policies[0]) if state.policies else None,
    )
    if not state.ip_addresses:  # a list that is said to be empty would clear it
        return spec
    return spec.model_copy(update={"recipient_ips": state.ip_addresses})


def _oidc(policy: OidcPolicy) -> OidcSpec:
    return OidcSpec(
        issuer=policy.issuer, subject_claim=policy.subject_claim, subject=policy.subject, audiences=policy.audiences
    )


def _share(state: ShareState) -> ShareSpec:
    return ShareSpec(
        name=state.name,
        description=state.comment,
        share_assets=tuple(map(_asset, state.objects)),
        recipients=state.readers,
    )


def _asset(one: SharedObject) -> AssetSpec:
    partitions = tuple(
        tuple(
            PartitionSpec.model_validate(
                {"name": v.name, "op": v.op, "value": v.value, "recipient_property_key": v.recipient_property_key}
            )
            for v in values
        )
        for values in one.partitions
    )
    return AssetSpec(
        name=one.name,
        type=one.kind,
        shared_as=one.shared_as,
        cdf=one.cdf or None,
        history=one.history or None,
        partitions=partitions,
    )
