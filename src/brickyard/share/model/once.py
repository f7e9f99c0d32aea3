"""Lists that are sets: what stands in one twice is kept once, and said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from brickyard.share.model.nodes import Fault, Path
from brickyard.share.model.pack import AssetSpec, RecipientSpec, SharePack, ShareSpec

Part = TypeVar("Part", RecipientSpec, ShareSpec)
_RECIPIENT_SETS = ("recipient_ips", "recipient_ips_to_add", "recipient_ips_to_remove")
_SHARE_SETS = (
    "share_assets",
    "share_assets_to_add",
    "share_assets_to_remove",
    "recipients",
    "recipients_to_add",
    "recipients_to_remove",
)


def without_repeats(pack: SharePack) -> SharePack:
    """Return the pack with each item of its sets once: the first, in the order of the file."""
    recipients = tuple(_once(spec, _RECIPIENT_SETS) for spec in pack.recipient)
    shares = tuple(_once(spec, _SHARE_SETS) for spec in pack.share)
    if (recipients, shares) == (pack.recipient, pack.share):
        return pack
    return pack.model_copy(update={"recipient": recipients, "share": shares})


def repeats(pack: SharePack) -> Iterator[Fault]:
    """Yield a warning for every item that stands in a set for the second time."""
    for at, recipient in enumerate(pack.recipient):
        yield from _repeated(recipient, _RECIPIENT_SETS, ("recipient", at))
    for at, share in enumerate(pack.share):
        yield from _repeated(share, _SHARE_SETS, ("share", at))


def _once(part: Part, names: tuple[str, ...]) -> Part:
    sets = {name: _first_of_each(getattr(part, name)) for name in names}
    shorter = {name: items for name, items in sets.items() if len(items) < len(getattr(part, name))}
    return part.model_copy(update=shorter) if shorter else part


def _first_of_each(items: Iterable[str | AssetSpec]) -> tuple[str | AssetSpec, ...]:
    found: dict[str, str | AssetSpec] = {}
    for item in items:
        found.setdefault(_key(item), item)
    return tuple(found.values())


def _repeated(part: RecipientSpec | ShareSpec, names: tuple[str, ...], path: Path) -> Iterator[Fault]:
    for name in names:
        seen: set[str] = set()
        for at, item in enumerate(getattr(part, name)):
            if _key(item) in seen:
                yield Fault((*path, name, at), "stands twice in the list, and is taken once")
            seen.add(_key(item))


def _key(item: str | AssetSpec) -> str:
    """What makes two items the same; assets of one name under two aliases are two."""
    if isinstance(item, str):
        return item.casefold()
    return item.model_copy(update={"name": item.name.casefold()}).model_dump_json()
