"""Delta Sharing as REST serves it: who may do what, and lists page by page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from brickyard.local.api.errors import ApiError, denied, invalid
from brickyard.local.api.paging import page_start, page_token
from brickyard.local.api.routes import Call, JsonObject
from brickyard.local.api.tokens import Principal
from brickyard.local.api.unity import Unity
from brickyard.local.catalog.model import Function, Schema, Volume
from brickyard.local.sharing.model import Provider, Recipient, Share
from brickyard.local.sharing.shareable import Shareable, Source
from brickyard.local.sharing.store import SharingStore

R = TypeVar("R", Share, Recipient, Provider)
_PAGE = 1000
ADMINS = "admins"
_PRIVILEGES: dict[type, str] = {Volume: "READ VOLUME", Function: "EXECUTE", Schema: "USE SCHEMA"}


@dataclass(frozen=True, slots=True)
class Sharing:
    """The sharing side of the metastore; `host` is the address that partners are given.

    What a group owns is owned by those whom `groups_of` says to be in it.
    """

    store: SharingStore
    unity: Unity
    host: str
    groups_of: Callable[[str], frozenset[str]] = lambda name: frozenset()

    @property
    def endpoint(self) -> str:
        """The address of the Delta Sharing server, as profile files name it."""
        return f"{self.host}/api/2.0/delta-sharing/metastores/{self.unity.metastore_id}"

    def owns(self, row: Share | Recipient | Provider, principal: Principal) -> bool:
        """Whether a principal owns something, alone or as one of a group."""
        return row.owner == principal.name or row.owner in self.groups_of(principal.name)

    def usable(self, class_: type[R], principal: Principal) -> Callable[[R], bool]:
        """Which shares, recipients or providers a principal may use: all of them, or those that they own."""
        if self.uses_all(class_, principal):
            return lambda row: True
        mine = self.groups_of(principal.name) | {principal.name}
        return lambda row: row.owner in mine

    def check_owner(self, row: Share | Recipient | Provider, principal: Principal) -> None:
        """Refuse everybody but the owner."""
        if not self.owns(row, principal):
            raise denied(f"User is not an owner of {type(row).__name__} '{row.name}'.")

    def check_admin_or_owner(self, row: Share | Recipient | Provider, principal: Principal) -> None:
        """Refuse everybody but the owner and the metastore's admin."""
        if not principal.owner:
            self.check_owner(row, principal)

    def read(self, row: R, principal: Principal) -> R:
        """What was asked for, for its owner and for those who may use all such things of the metastore."""
        if not (self.uses_all(type(row), principal) or self.owns(row, principal)):
            raise denied(f"User is not an owner of {type(row).__name__} '{row.name}'.")
        return row

    def uses_all(self, class_: type[Share] | type[Recipient] | type[Provider], principal: Principal) -> bool:
        """Whether a principal may use all shares, recipients or providers of the metastore."""
        return self.holds(f"USE {class_.__name__.upper()}", principal)

    def holds(self, privilege: str, principal: Principal) -> bool:
        """Whether a principal has a privilege on the metastore."""
        try:
            self.unity.check_create(privilege, (), principal)
        except ApiError:
            return False
        return True

    def is_admin(self, owner: str) -> bool:
        """Whether the owner of something, a user or a group, may do everything in the metastore."""
        return owner in (self.unity.store.owner, ADMINS)

    def shareable(self, share: Share) -> Shareable:
        """The catalog as the owner of a share may share it."""
        owner = Principal(share.owner, owner=self.is_admin(share.owner))
        return Shareable(self.unity.store, lambda source: self._check_right(source, owner))

    def _check_right(self, source: Source, owner: Principal) -> None:
        self.unity.check_use(source, _PRIVILEGES.get(type(source), "SELECT"), owner)


def rows_page(
    call: Call, field: str, fetch: Callable[[int, int], list[R]], render: Callable[[R], JsonObject | None]
) -> JsonObject:
    """One page of a list; what *render* leaves out is missing from its page, which may so be empty and not the last."""
    start, size = page_start(call), _page_size(call)
    rows = fetch(start, -1 if size is None else size + 1)
    answer: JsonObject = {field: [info for row in rows[:size] if (info := render(row)) is not None]}
    if size is not None and len(rows) > size:
        answer["next_page_token"] = page_token(start + size)
    return answer


def _page_size(call: Call) -> int | None:
    """How many rows a page has: all when nothing is said, the server's own number for 0."""
    if not call.query.get("max_results"):
        return None
    size = call.number("max_results", 0)
    if size < 0:
        raise invalid("max_results must not be negative.")
    return min(size or _PAGE, _PAGE)


def stamp_info(row: Share | Recipient | Provider) -> JsonObject:
    """Name, owner, comment, and who touched it when."""
    info: JsonObject = {
        "name": row.name,
        "owner": row.owner,
        "created_at": milliseconds(row.created_at),
        "created_by": row.created_by,
        "updated_at": milliseconds(row.updated_at),
        "updated_by": row.updated_by,
    }
    return {**info, "comment": row.comment} if row.comment else info


def milliseconds(at: datetime | None) -> int | None:
    """A time in milliseconds since the epoch."""
    return None if at is None else int(at.timestamp() * 1000)
