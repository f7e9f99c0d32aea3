"""Reads shares, with their objects and their readers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from brickyard.share.model.current import ObjectKind, PartitionValue, SharedObject, ShareState
from brickyard.share.model.probes import is_probe
from brickyard.share.observe.asking import found, together
from brickyard.share.plan.shapes import normal
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.sharing import Partition, SharedDataObject, ShareInfo

_MARK = re.compile(r"\s*\[brickyard:([^\]]+)\]\s*\Z")
ABSENT = ("SHARE_DOES_NOT_EXIST",)


def share(client: WorkspaceClient, name: str) -> ShareState | None:
    """Return a share with its objects and readers, probes aside, or None when there is none of this name."""
    info = found(f"read the share {name}", lambda: client.shares.get(name, include_shared_data=True), absent=ABSENT)
    if info is None:
        return None
    return state(info, tuple(reader for reader in readers(client, name) if not is_probe(reader)))


def shares(client: WorkspaceClient, names: Iterable[str]) -> dict[str, ShareState]:
    """Return those of some shares that exist, by folded name."""
    seen = together(lambda name: share(client, name), sorted(names))
    return {one.name.lower(): one for one in seen if one is not None}


def every_name(client: WorkspaceClient) -> list[str]:
    """Return the names of all shares of the metastore that we may see."""
    with translated("list the shares"):
        return sorted(info.name for info in client.shares.list_shares() if info.name)


def readers(client: WorkspaceClient, name: str) -> tuple[str, ...]:
    """Return the recipients that may read a share, from every page of its permissions."""
    with translated(f"read the permissions of the share {name}"):
        return tuple(sorted(set(_readers(client, name))))


def _readers(client: WorkspaceClient, name: str) -> Iterator[str]:
    token: str | None = None
    while True:
        page = client.shares.share_permissions(name, page_token=token)
        for assignment in page.privilege_assignments or ():
            if assignment.principal and any(p.value == "SELECT" for p in assignment.privileges or ()):
                yield assignment.principal
        token = page.next_page_token
        if not token:
            return


def state(info: ShareInfo, reading: tuple[str, ...]) -> ShareState:
    """Return a share as Databricks describes it, our mark taken off its comment."""
    comment = info.comment or ""
    mark = _MARK.search(comment)
    return ShareState(
        name=info.name or "",
        owner=info.owner or "",
        comment=comment[: mark.start()] if mark else comment,
        objects=tuple(sorted(_objects(info), key=lambda o: (o.kind, o.name.lower(), o.shared_as or ""))),
        readers=reading,
        mark=mark[1] if mark else None,
    )


def _objects(info: ShareInfo) -> Iterator[SharedObject]:
    """Yield the objects that a pack can name; those of a kind that it cannot are nobody's business here."""
    for one in info.objects or ():
        kind = ObjectKind.__members__.get(one.data_object_type.value if one.data_object_type else "TABLE")
        if kind is not None:
            yield _object(one, kind)


def _object(one: SharedDataObject, kind: ObjectKind) -> SharedObject:
    status = one.history_data_sharing_status
    return normal(
        SharedObject(
            name=one.name,
            kind=kind,
            shared_as=one.shared_as or one.string_shared_as or None,
            comment=one.comment,
            cdf=bool(one.cdf_enabled),
            history=status is not None and status.value == "ENABLED",
            start_version=one.start_version,
            partitions=tuple(_partition(p) for p in one.partitions or ()),
        )
    )


def _partition(partition: Partition) -> tuple[PartitionValue, ...]:
    return tuple(
        PartitionValue(v.name or "", v.op.value if v.op else "EQUAL", v.value, v.recipient_property_key)
        for v in partition.values or ()
    )
