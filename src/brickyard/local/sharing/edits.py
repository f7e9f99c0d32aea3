"""Changes of what is in a share: added, removed or updated, all of a request or none of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from brickyard.local.catalog.model import AlreadyExists, DoesNotExist, Invalid
from brickyard.local.sharing.model import ObjectType, Share, SharedObject
from brickyard.local.sharing.shareable import TABLE_LIKE, Shareable
from brickyard.local.sharing.store import exposed_name

MAX_EDITS = 100  # objects of one request
LIMITS = {"tables": 1000, "VOLUME": 1000, "MODEL": 1000, "FUNCTION": 1000, "SCHEMA": 500, "NOTEBOOK_FILE": 100}


class Action(StrEnum):
    """What to do with an object."""

    ADD = "ADD"
    REMOVE = "REMOVE"
    UPDATE = "UPDATE"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change; `start_version` None leaves it to the server, `typed` False means that the request named no type."""

    action: Action
    wanted: SharedObject
    start_version: int | None = None
    typed: bool = True


def edited(share: Share, edits: Sequence[Edit], shareable: Shareable, *, by: str, at: datetime) -> Share:
    """Return the share after all *edits*, or raise CatalogError: then none of them holds."""
    if len(edits) > MAX_EDITS:
        raise _invalid(f"UpdateShare takes at most {MAX_EDITS} data objects, {len(edits)} were sent.")
    _check_duplicates(edits)
    contents = _Contents(share)
    for edit in edits:
        match edit.action:
            case Action.ADD:
                wanted = shareable.checked(edit.wanted, edit.start_version)
                contents.add(replace(wanted, added_at=at, added_by=by))
            case Action.REMOVE:
                contents.remove(contents.find(edit))
            case Action.UPDATE:
                contents.put(_updated(contents.find(edit), edit, shareable))
    objects = contents.objects()
    _check_limits(objects)
    return replace(share, objects=objects)


class _Contents:
    """The objects of a share while it changes."""

    def __init__(self, share: Share) -> None:
        self._share = share.name
        self._by_exposed = {_exposed(one): one for one in share.objects}
        self._named: dict[str, set[tuple[str, str]]] = {}
        for key, one in self._by_exposed.items():
            self._named.setdefault(one.name.lower(), set()).add(key)

    def objects(self) -> tuple[SharedObject, ...]:
        return tuple(self._by_exposed.values())

    def add(self, one: SharedObject) -> None:
        if _exposed(one) in self._by_exposed:
            raise AlreadyExists(
                "RESOURCE_ALREADY_EXISTS",
                f"{one.object_type} '{exposed_name(one)}' already exists in share '{self._share}'.",
            )
        self._by_exposed[_exposed(one)] = one
        self._named.setdefault(one.name.lower(), set()).add(_exposed(one))

    def put(self, one: SharedObject) -> None:
        self._by_exposed[_exposed(one)] = one

    def remove(self, one: SharedObject) -> None:
        del self._by_exposed[_exposed(one)]
        self._named[one.name.lower()].discard(_exposed(one))

    def find(self, edit: Edit) -> SharedObject:
        keys = self._named.get(edit.wanted.name.lower(), ())
        found = [one for key in keys if _meant(one := self._by_exposed[key], edit)]
        if not found:
            raise DoesNotExist(
                "RESOURCE_DOES_NOT_EXIST",
                f"{edit.wanted.object_type} '{edit.wanted.name}' does not exist in share '{self._share}'.",
            )
        if len(found) > 1:
            raise _invalid(f"'{edit.wanted.name}' is in share '{self._share}' more than once: say shared_as.")
        return found[0]


def _meant(one: SharedObject, edit: Edit) -> bool:
    alias = _alias(edit.wanted)
    same_type = one.object_type is edit.wanted.object_type or not edit.typed
    other_name = edit.action is Action.REMOVE and alias is not None and alias.lower() != exposed_name(one).lower()
    return same_type and not other_name


def _updated(one: SharedObject, edit: Edit, shareable: Shareable) -> SharedObject:
    alias = _alias(edit.wanted)
    if alias is not None and alias.lower() != exposed_name(one).lower():
        raise _invalid(f"The name under which '{one.name}' is shared is given when it is added and cannot be updated.")
    wanted = replace(
        edit.wanted,
        object_type=one.object_type,
        shared_as=one.shared_as,
        string_shared_as=one.string_shared_as,
        content=edit.wanted.content or one.content,
    )
    start = one.start_version if edit.start_version is None else edit.start_version
    return replace(shareable.checked(wanted, start), added_at=one.added_at, added_by=one.added_by)


def _check_duplicates(edits: Sequence[Edit]) -> None:
    seen: dict[tuple[ObjectType, str], set[str | None]] = {}
    for wanted in (edit.wanted for edit in edits):
        aliases = seen.setdefault((wanted.object_type, wanted.name.lower()), set())
        alias = (_alias(wanted) or "").lower() or None
        if aliases and (alias is None or alias in aliases or None in aliases):
            raise _invalid(
                "UpdateShare duplicate updates on the same data object with data object type: "
                f"{wanted.object_type}, names: [{exposed_name(wanted)}]."
            )
        aliases.add(alias)


def _check_limits(objects: Sequence[SharedObject]) -> None:
    counts = Counter("tables" if one.object_type in TABLE_LIKE else one.object_type.value for one in objects)
    for kind, limit in LIMITS.items():
        if counts[kind] > limit:
            raise Invalid("RESOURCE_EXHAUSTED", f"A share holds at most {limit} of {kind}; this makes {counts[kind]}.")


def _exposed(one: SharedObject) -> tuple[str, str]:
    """The name that recipients see and the space that it must be unique in."""
    return ("tables" if one.object_type in TABLE_LIKE else one.object_type.value, exposed_name(one).lower())


def _alias(one: SharedObject) -> str | None:
    return one.shared_as or one.string_shared_as


def _invalid(message: str) -> Invalid:
    return Invalid("INVALID_PARAMETER_VALUE", message)
