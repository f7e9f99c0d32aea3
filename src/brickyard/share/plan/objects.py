"""The objects of a share: a difference of sets by what is shared and under which alias, in requests of at most 100."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from brickyard.share.model.current import ObjectKind, SharedObject, ShareState
from brickyard.share.model.pack import AssetSpec, ShareSpec
from brickyard.share.model.steps import ChangeObjects, EnableChangeFeed, Loss, Refusal
from brickyard.share.plan import wanted
from brickyard.share.plan.case import Case, Do, Item, Mind, Stage, listed
from brickyard.share.plan.claims import object_name
from brickyard.share.plan.shapes import TABLE_LIKE, Key, exposed, key, normal

MOST = 100  # objects of one request
_LIMITS = (
    ("tables", TABLE_LIKE, 1000),
    ("volumes", frozenset({ObjectKind.VOLUME}), 1000),
    ("models", frozenset({ObjectKind.MODEL}), 1000),
    ("functions", frozenset({ObjectKind.FUNCTION}), 1000),
    ("schemas", frozenset({ObjectKind.SCHEMA}), 500),
    ("notebooks", frozenset({ObjectKind.NOTEBOOK_FILE}), 100),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a share lacks, has otherwise and has too much. *kept* would go if another pack had not added it."""

    add: tuple[SharedObject, ...] = ()
    update: tuple[SharedObject, ...] = ()
    before: tuple[SharedObject, ...] = ()
    remove: tuple[SharedObject, ...] = ()
    kept: tuple[SharedObject, ...] = ()


def objects(case: Case, share: ShareSpec, state: ShareState) -> Iterator[Item]:
    """Yield what the objects of a declared share need, as it is or as it will be when it is new."""
    problems = [p for asset in wanted.declared(share) for p in wanted.faults(case, share, asset)]
    yield from problems
    change = difference(case, share, state)
    yield from _feeds(case, change)
    yield from changes(share.name, change)
    yield from _mentions(share, state, change)
    yield from _collisions(share.name, state, change)
    yield from _limits(share.name, state, change)


def difference(case: Case, share: ShareSpec, state: ShareState) -> Difference:
    """Return how far the share is from its declaration; only assets that the catalog knows count."""
    present = _by_key(map(normal, state.objects))
    assets = _assets_by_key(case, share)
    return _joined(_one(case, share, present.get(k, []), assets.get(k, [])) for k in sorted({*present, *assets}))


def _joined(parts: Iterable[Difference]) -> Difference:
    together = tuple(parts)
    return Difference(
        add=tuple(one for part in together for one in part.add),
        update=tuple(one for part in together for one in part.update),
        before=tuple(one for part in together for one in part.before),
        remove=tuple(one for part in together for one in part.remove),
        kept=tuple(one for part in together for one in part.kept),
    )


def _by_key(found: Iterable[SharedObject]) -> dict[Key, list[SharedObject]]:
    grouped: defaultdict[Key, list[SharedObject]] = defaultdict(list)
    for one in found:
        grouped[key(one)].append(one)
    return {k: sorted(ones, key=exposed) for k, ones in grouped.items()}


def _assets_by_key(case: Case, share: ShareSpec) -> dict[Key, list[AssetSpec]]:
    grouped: defaultdict[Key, list[AssetSpec]] = defaultdict(list)
    for asset in wanted.declared(share):
        source = wanted.source_of(case, asset)
        if source is not None:
            grouped[source.kind, source.name.lower()].append(asset)
    return grouped


def _one(case: Case, share: ShareSpec, present: Sequence[SharedObject], assets: Sequence[AssetSpec]) -> Difference:
    """Compare the aliases of one thing: those named first, then one without a name with whatever is left."""
    left = list(present)
    pairs: list[tuple[AssetSpec, SharedObject | None]] = []
    for asset in sorted(assets, key=lambda a: (not a.shared_as, a.shared_as or "")):
        match = next((one for one in left if _answers(asset, one)), None)
        if match is not None:
            left.remove(match)
        pairs.append((asset, match))
    return _compared(case, share, pairs, left)


def _answers(asset: AssetSpec, one: SharedObject) -> bool:
    return not asset.shared_as or asset.shared_as.lower() == exposed(one)


def _compared(
    case: Case,
    share: ShareSpec,
    pairs: Iterable[tuple[AssetSpec, SharedObject | None]],
    left: Iterable[SharedObject],
) -> Difference:
    add, update, before = [], [], []
    for asset, present in pairs:
        source = case.current.sources[asset.name.lower()]
        after = normal(wanted.shaped(asset, source, present))
        if present is None:
            add.append(after)
        elif after != present:
            update.append(after)
            before.append(present)
    surplus = [one for one in left if _unwanted(case, share, one)]
    theirs = case.theirs("object", share.name)
    kept = tuple(one for one in surplus if object_name(one) in theirs)
    return Difference(
        add=tuple(add),
        update=tuple(update),
        before=tuple(before),
        remove=tuple(one for one in surplus if one not in kept),
        kept=kept,
    )


def _unwanted(case: Case, share: ShareSpec, one: SharedObject) -> bool:
    """Tell whether an object that no asset names is to go; an empty list of assets leaves alone what is there."""
    if any(a.name.lower() == one.name.lower() and _answers(a, one) for a in share.share_assets_to_remove):
        return True
    return bool(share.share_assets) and (case.exact or object_name(one) in case.mine("object", share.name))


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def changes(share: str, change: Difference) -> Iterator[Do]:
    """Yield the requests: what is added or altered first, then what is removed, then what comes back under a new alias.

    No request names a thing twice, and none takes more than 100.
    """
    gone = {one.name.lower() for one in change.remove}
    fresh = [one for one in change.add if one.name.lower() not in gone]
    again = [one for one in change.add if one.name.lower() in gone]
    altered = list(zip(change.update, change.before, strict=True))
    requests = [
        *((Stage.OBJECTS, ChangeObjects(share=share, add=tuple(part))) for part in batches(fresh)),
        *((Stage.OBJECTS, _alteration(share, part)) for part in _paired_batches(altered)),
        *((Stage.NO_OBJECTS, ChangeObjects(share=share, remove=tuple(part))) for part in batches(change.remove)),
        *((Stage.NO_OBJECTS, ChangeObjects(share=share, add=tuple(part))) for part in batches(again)),
    ]
    for number, (stage, request) in enumerate(requests, start=1):
        yield Do(stage, replace(request, part=number))


def batches(found: Iterable[SharedObject]) -> list[list[SharedObject]]:
    """Split objects so that each part has at most 100, and none twice under two aliases."""
    rounds: defaultdict[int, list[SharedObject]] = defaultdict(list)
    seen: Counter[Key] = Counter()
    for one in found:
        rounds[seen[key(one)]].append(one)
        seen[key(one)] += 1
    return [part[at : at + MOST] for part in rounds.values() for at in range(0, len(part), MOST)]


def _paired_batches(
    pairs: Sequence[tuple[SharedObject, SharedObject]],
) -> list[list[tuple[SharedObject, SharedObject]]]:
    before = {(key(after), exposed(after)): (after, old) for after, old in pairs}
    return [[before[key(one), exposed(one)] for one in part] for part in batches(after for after, _ in pairs)]


def _alteration(share: str, pairs: Sequence[tuple[SharedObject, SharedObject]]) -> ChangeObjects:
    return ChangeObjects(share=share, update=tuple(a for a, _ in pairs), before=tuple(b for _, b in pairs))


# ── what to say of it ────────────────────────────────────────────────────────────────────────────────────────────────


def _feeds(case: Case, change: Difference) -> Iterator[Item]:
    """Turn on the change feed of tables whose changes are to be shared."""
    for one in (*change.add, *change.update):
        source = case.current.sources[one.name.lower()]
        if one.cdf and one.kind is ObjectKind.TABLE and not source.change_feed:
            yield Do(Stage.CHANGE_FEED, EnableChangeFeed(source.name))


def _mentions(share: ShareSpec, state: ShareState, change: Difference) -> Iterator[Item]:
    for one in change.kept:
        yield Mind(f"The share {share.name} keeps {one.name}: another share pack has added it.")
    back = {one.name.lower() for one in change.add} & {one.name.lower() for one in change.remove}
    for name in sorted(back):
        yield Mind(f"{name} is taken out of the share {share.name} and added again under another name or type.")
    if change.remove:
        names = listed(_spoken(one) for one in change.remove)
        yield Loss(what=f"the share {share.name} no longer has {names}", who=tuple(sorted(state.readers)))


def _spoken(one: SharedObject) -> str:
    return f"{one.kind} {one.name}" + (f" as {one.shared_as}" if one.shared_as else "")


def _after(state: ShareState, change: Difference) -> list[SharedObject]:
    gone = {(key(one), exposed(one)) for one in (*change.remove, *change.before)}
    stay = [one for one in map(normal, state.objects) if (key(one), exposed(one)) not in gone]
    return [*stay, *change.update, *change.add]


def _collisions(share: str, state: ShareState, change: Difference) -> Iterator[Item]:
    """Two tables must not be seen under one name."""
    seen: defaultdict[str, list[str]] = defaultdict(list)
    for one in _after(state, change):
        if one.kind in TABLE_LIKE:
            seen[exposed(one)].append(one.name)
    for alias, names in sorted(seen.items()):
        if len(names) > 1:
            yield Refusal(
                f"{listed(names)} would all be {alias} in the share",
                where=f"share {share}",
                remedy="give all but one of them another `shared_as`",
                code="share-asset-alias",
            )


def _limits(share: str, state: ShareState, change: Difference) -> Iterator[Item]:
    counts = Counter(one.kind for one in _after(state, change))
    for noun, kinds, most in _LIMITS:
        count = sum(counts[kind] for kind in kinds)
        if count > most:
            yield Refusal(
                f"the share would have {count} {noun}; Databricks takes {most}",
                where=f"share {share}",
                remedy="split the share, or share whole schemas",
                code="share-limit",
            )
