"""Shares: made, filled, opened to recipients, closed, removed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from brickyard.share.apply.hands import Hands, Result
from brickyard.share.model.current import ObjectKind, SharedObject
from brickyard.share.model.steps import ChangeObjects, ChangeShare, CreateShare, DeleteShare, Grant, Revoke
from brickyard.share.observe.shares import readers
from brickyard.share.observe.shares import share as observed
from brickyard.share.plan.shapes import TABLE_LIKE, exposed, key, normal
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk.service.sharing import PermissionsChange, SharedDataObject, SharedDataObjectUpdate

_UNVERSIONED = frozenset(
    {ObjectKind.VIEW, ObjectKind.VOLUME, ObjectKind.MODEL, ObjectKind.FUNCTION, ObjectKind.NOTEBOOK_FILE}
)


def marked(comment: str, mark: str) -> str:
    """Return a share's comment with the mark at its end; `observe.shares` takes it off again."""
    return f"{comment} [brickyard:{mark}]"


def create(hands: Hands, step: CreateShare) -> Result:
    """Make an empty share."""
    with translated(f"create share {step.name}"):
        hands.client.shares.create(step.name, comment=marked(step.comment, hands.mark), storage_root=step.storage_root)
    return {}


def look_created(hands: Hands, step: CreateShare) -> Result | None:
    """Return the share that an earlier try has made: it carries our mark."""
    there = observed(hands.client, step.name)
    return {} if there and there.mark == hands.mark else None


def change(hands: Hands, step: ChangeShare) -> Result:
    """Change the comment; a share that has no mark yet is marked."""
    there = observed(hands.client, step.name)
    mark = (there.mark if there else None) or hands.mark
    with translated(f"change share {step.name}"):
        hands.client.shares.update(step.name, comment=marked(step.comment, mark))
    return {}


def look_changed(hands: Hands, step: ChangeShare) -> Result | None:
    """Tell whether the comment is the one that is wanted, with a mark."""
    there = observed(hands.client, step.name)
    return {} if there and there.mark and there.comment == step.comment else None


def change_objects(hands: Hands, step: ChangeObjects) -> Result:
    """Add, update and remove objects: all or none."""
    updates = [
        *_updates("ADD", step.add),
        *_updates("UPDATE", step.update),
        *_updates("REMOVE", step.remove),
    ]
    with translated(f"change the objects of share {step.share}"):
        hands.client.shares.update(step.share, updates=updates)
    return {"added": len(step.add), "updated": len(step.update), "removed": len(step.remove)}


def look_objects(hands: Hands, step: ChangeObjects) -> Result | None:
    """Tell whether all that was to be added or updated is there as wanted, and nothing that was to be removed."""
    there = observed(hands.client, step.share)
    if there is None:
        return None
    by_place = {_place(one): one for one in there.objects}
    as_wanted = all(_alike(by_place.get(_place(one)), one) for one in (*step.add, *step.update))
    gone = not any(_place(one) in by_place for one in step.remove)
    return {"added": len(step.add)} if as_wanted and gone else None


def grant(hands: Hands, step: Grant) -> Result:
    """Let recipients read a share."""
    _change_readers(hands, step.share, step.recipients, add=True)
    return {}


def look_granted(hands: Hands, step: Grant) -> Result | None:
    """Tell whether all of them may read it."""
    return {} if _folded(step.recipients) <= _folded(readers(hands.client, step.share)) else None


def revoke(hands: Hands, step: Revoke) -> Result:
    """Let recipients read a share no longer."""
    _change_readers(hands, step.share, step.recipients, add=False)
    return {}


def look_revoked(hands: Hands, step: Revoke) -> Result | None:
    """Tell whether none of them may read it."""
    there = observed(hands.client, step.share)
    return {} if there is None or not _folded(step.recipients) & _folded(there.readers) else None


def delete(hands: Hands, step: DeleteShare) -> Result:
    """Remove a share with its objects and grants."""
    with translated(f"delete share {step.name}"):
        hands.client.shares.delete(step.name)
    return {}


def look_deleted(hands: Hands, step: DeleteShare) -> Result | None:
    """Tell whether a share is gone."""
    return {} if observed(hands.client, step.name) is None else None


def _folded(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _place(one: SharedObject) -> tuple[str, str, str]:
    kind, name = key(one)
    return kind, name, exposed(one)


def _alike(there: SharedObject | None, wanted: SharedObject) -> bool:
    """Compare what a request can say; a start version that was left to Databricks is whatever it chose."""
    if there is None:
        return False
    there, wanted = normal(there), normal(wanted)
    start = wanted.start_version is None or there.start_version == wanted.start_version
    said = (there.cdf, there.history, there.partitions) == (wanted.cdf, wanted.history, wanted.partitions)
    return start and said and (wanted.comment is None or there.comment == wanted.comment)


def _change_readers(hands: Hands, share: str, recipients: Iterable[str], *, add: bool) -> None:
    """Change who may read; Databricks alone decides whether we may, as an owner or by a group."""
    from databricks.sdk.service.sharing import PermissionsChange

    def one(name: str) -> PermissionsChange:
        return (
            PermissionsChange(principal=name, add=["SELECT"])
            if add
            else PermissionsChange(principal=name, remove=["SELECT"])
        )

    with translated(f"change who may read share {share}"):
        hands.client.shares.update_permissions(
            share, changes=[one(name) for name in recipients], omit_permissions_list=True
        )


def _updates(action: str, objects: Iterable[SharedObject]) -> list[SharedDataObjectUpdate]:
    from databricks.sdk.service.sharing import SharedDataObjectUpdate, SharedDataObjectUpdateAction

    whole = action != "REMOVE"
    said = SharedDataObjectUpdateAction(action)
    return [SharedDataObjectUpdate(action=said, data_object=_object(one, whole=whole)) for one in objects]


def _object(one: SharedObject, *, whole: bool) -> SharedDataObject:
    """Return what a request says of an object; of one to be removed only what tells it from others."""
    from databricks.sdk.service.sharing import (
        SharedDataObject,
        SharedDataObjectDataObjectType,
        SharedDataObjectHistoryDataSharingStatus,
    )

    said = SharedDataObject(name=one.name, data_object_type=SharedDataObjectDataObjectType(one.kind.value))
    if one.shared_as:
        field = "shared_as" if one.kind in TABLE_LIKE else "string_shared_as"
        setattr(said, field, one.shared_as)
    if not whole:
        return said
    said.comment = one.comment
    if one.kind not in _UNVERSIONED:
        status = SharedDataObjectHistoryDataSharingStatus
        said.history_data_sharing_status = status.ENABLED if one.history else status.DISABLED
        said.cdf_enabled = None if one.history else one.cdf
        said.start_version = one.start_version
    said.partitions = _partitions(one)
    return said


def _partitions(one: SharedObject) -> list | None:
    from databricks.sdk.service.sharing import Partition, PartitionValue, PartitionValueOp

    def value(v) -> PartitionValue:
        return PartitionValue(
            name=v.name, op=PartitionValueOp(v.op), value=v.value, recipient_property_key=v.recipient_property_key
        )

    return [Partition(values=[value(v) for v in values]) for values in one.partitions] or None
