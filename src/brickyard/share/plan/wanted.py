"""The assets that a pack names, found in the catalog: their kind is looked up, never guessed from dots."""

from __future__ import annotations

import re
from collections.abc import Iterator

from brickyard.share.model.current import ObjectKind, PartitionValue, SharedObject, Source
from brickyard.share.model.pack import AssetSpec, PartitionSpec, ShareSpec
from brickyard.share.model.steps import Refusal
from brickyard.share.plan.case import Case, meant

_ALIAS = re.compile(r"[A-Za-z0-9_]+\.[A-Za-z0-9_]+")
_WITH_HISTORY = frozenset(
    {ObjectKind.TABLE, ObjectKind.MATERIALIZED_VIEW, ObjectKind.STREAMING_TABLE, ObjectKind.SCHEMA}
)
_WITH_CHANGES = frozenset({ObjectKind.TABLE, ObjectKind.SCHEMA})
_WORDS = {"NOTEBOOK": "NOTEBOOK_FILE", "MATERIALIZED VIEW": "MATERIALIZED_VIEW", "REGISTERED_MODEL": "MODEL"}


def declared(share: ShareSpec) -> list[AssetSpec]:
    """Return the assets that a share is to have, those to add among them, in order and none twice."""
    found = {
        (a.name.lower(), (a.shared_as or "").lower()): a for a in (*share.share_assets, *share.share_assets_to_add)
    }
    return [found[key] for key in sorted(found)]


def source_of(case: Case, asset: AssetSpec) -> Source | None:
    """Return what the catalog has under the asset's name."""
    return case.current.sources.get(asset.name.lower())


def faults(case: Case, share: ShareSpec, asset: AssetSpec) -> Iterator[Refusal]:
    """Yield what forbids to share an asset as it is declared."""
    where = f"share {share.name}: {asset.name}"
    source = source_of(case, asset)
    if source is None:
        yield Refusal(
            f"{asset.name} does not exist, or we may not see it",
            where=where,
            remedy=meant(asset.name, case.current.sources)
            or "correct the name, or ask its owner for the right to read it",
            code="share-source-missing",
        )
        return
    if source.why_not:
        yield Refusal(
            f"{source.name} cannot be shared: {source.why_not}",
            where=where,
            remedy="share another object in its place",
            code="share-not-shareable",
        )
    if asset.type and kind_named(asset.type) is not source.kind:
        yield Refusal(
            f"{source.name} is a {source.kind} and not a {asset.type}",
            where=where,
            remedy=f"write `type: {source.kind}`, or leave the type out",
            code="share-asset-type",
        )
    yield from _misfits(asset, source, where)


def kind_named(text: str) -> ObjectKind | None:
    """Return the kind that a person's word for it means."""
    word = text.strip().upper()
    return ObjectKind.__members__.get(_WORDS.get(word, word))


def _misfits(asset: AssetSpec, source: Source, where: str) -> Iterator[Refusal]:
    if asset.shared_as and not _alias_fits(asset.shared_as, source.kind):
        yield Refusal(
            f"{asset.shared_as} is no alias for a {source.kind}",
            where=where,
            remedy="write schema.name",
            code="share-asset-alias",
        )
    if asset.cdf and asset.history:
        yield Refusal(
            f"{source.name} asks for cdf and history",
            where=where,
            remedy="ask for history: it includes the changes",
            code="share-asset-options",
        )
    if asset.history and source.kind not in _WITH_HISTORY:
        yield Refusal(
            f"a {source.kind} has no history to share",
            where=where,
            remedy="leave history out",
            code="share-asset-options",
        )
    if (asset.cdf or asset.start_version is not None) and source.kind not in _WITH_CHANGES:
        yield Refusal(
            f"a {source.kind} has no changes to share",
            where=where,
            remedy="leave cdf and start_version out",
            code="share-asset-options",
        )
    yield from _partition_faults(asset, source, where)


def _alias_fits(alias: str, kind: ObjectKind) -> bool:
    if kind is ObjectKind.NOTEBOOK_FILE:
        return "/" not in alias
    return kind is not ObjectKind.SCHEMA and bool(_ALIAS.fullmatch(alias))


def _partition_faults(asset: AssetSpec, source: Source, where: str) -> Iterator[Refusal]:
    columns = {column.lower() for column in source.partition_columns}
    named = {value.name for partition in asset.partitions for value in partition}
    for name in sorted(name for name in named if name.lower() not in columns):
        yield Refusal(
            f"{name} is not a partition column of {source.name}",
            where=where,
            remedy=meant(name, columns)
            or "the table's partition columns are " + (", ".join(sorted(columns)) or "none"),
            code="share-column-missing",
        )


def shaped(asset: AssetSpec, source: Source, present: SharedObject | None = None) -> SharedObject:
    """Return the object as it is to be: what the pack says, and where it says nothing what is there."""
    old = present or SharedObject(name=source.name, kind=source.kind)
    return SharedObject(
        name=old.name,
        kind=source.kind,
        shared_as=asset.shared_as or old.shared_as,
        comment=old.comment,
        cdf=old.cdf if asset.cdf is None else asset.cdf,
        history=old.history if asset.history is None else asset.history,
        start_version=old.start_version if asset.start_version is None else asset.start_version,
        partitions=tuple(tuple(_value(v) for v in p) for p in asset.partitions) or old.partitions,
    )


def _value(spec: PartitionSpec) -> PartitionValue:
    return PartitionValue(spec.name, spec.op, spec.value, spec.recipient_property_key)
