"""Objects of shares in one spelling, so that what a server fills in by itself is never a difference."""

from __future__ import annotations

from dataclasses import replace

from brickyard.share.model.current import ObjectKind, PartitionValue, SharedObject

TABLE_LIKE = frozenset(
    {
        ObjectKind.TABLE,
        ObjectKind.VIEW,
        ObjectKind.MATERIALIZED_VIEW,
        ObjectKind.STREAMING_TABLE,
        ObjectKind.FOREIGN_TABLE,
    }
)
Key = tuple[ObjectKind, str]


def normal(one: SharedObject) -> SharedObject:
    """Return the object without what is only an echo: the default alias, and the change feed that history includes."""
    alias = one.shared_as or None
    return replace(
        one,
        shared_as=None if alias is None or alias.lower() == default_alias(one.kind, one.name).lower() else alias,
        comment=one.comment or None,
        cdf=one.cdf and not one.history,
        partitions=tuple(
            sorted((tuple(sorted(p, key=_order)) for p in one.partitions), key=lambda p: [*map(_order, p)])
        ),
    )


def key(one: SharedObject) -> Key:
    """Return what identifies the thing shared; under how many aliases is another question."""
    return one.kind, one.name.lower()


def exposed(one: SharedObject) -> str:
    """Return the folded name that recipients see."""
    return (one.shared_as or default_alias(one.kind, one.name)).lower()


def default_alias(kind: ObjectKind, name: str) -> str:
    """Return the name that recipients see when none is given."""
    if kind is ObjectKind.NOTEBOOK_FILE:
        return name.rstrip("/").rpartition("/")[2]
    return name.partition(".")[2]


def _order(value: PartitionValue) -> tuple[str, str, str, str]:
    return value.name.lower(), value.op, value.value or "", value.recipient_property_key or ""
