"""The shorter and older ways to write a pack, turned into the one way that is read: still a tree that knows its lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from brickyard.share.model.nodes import Fields, Items, Node, Scalar

_SCHEDULE_KEYS = ("cron", "timezone", "continuous")
_ASSETS = ("share_assets", "share_assets_to_add", "share_assets_to_remove")
Change = Callable[[Node], Node]


def rewrite(tree: Node) -> Node:
    """Return the tree with assets as mappings, schedules as `{cron, timezone, continuous}` and keys as lists."""
    return _with(tree, {"share": _each(_share)})


def is_removal(tree: Node) -> bool:
    """Tell whether the pack's strategy is DELETE."""
    metadata = tree.entries.get("metadata") if isinstance(tree, Fields) else None
    strategy = metadata.entries.get("strategy") if isinstance(metadata, Fields) else None
    return isinstance(strategy, Scalar) and strategy.text.strip().upper() == "DELETE"


def names_as_mappings(tree: Node) -> Node:
    """Return a DELETE pack's tree in which each bare name stands as `{name}`."""
    pipelines = _each(lambda node: _named(node, "name_prefix"))
    share: Change = lambda node: _with(_named(node, "name"), {"pipelines": pipelines})  # noqa: E731 - a table of changes
    return _with(tree, {"recipient": _each(lambda node: _named(node, "name")), "share": _each(share)})


def _share(node: Node) -> Node:
    assets: Change = _each(lambda item: _named(item, "name"))
    return _with(node, {**dict.fromkeys(_ASSETS, assets), "pipelines": _each(_pipeline)})


def _named(node: Node, key: str) -> Node:
    if not isinstance(node, Scalar) or node.value is None:
        return node
    return Fields({key: node}, {key: node.place}, node.place)


def _pipeline(node: Node) -> Node:
    return _with(_scheduled(node), {"key_columns": _split})


def _split(node: Node) -> Node:
    """A list for a text with commas."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return node
    words = [word.strip() for word in node.value.split(",")]
    return Items(tuple(Scalar(word, word, node.place, True) for word in words if word), node.place)


def _scheduled(node: Node) -> Node:
    """The pipeline with its schedule in the form of version 2; the asset that version 1.0 put there is its source."""
    schedule = node.entries.get("schedule") if isinstance(node, Fields) else None
    if not isinstance(node, Fields) or schedule is None:
        return node
    old = _asset_of(schedule)
    if old is None:
        return _put(node, "schedule", _continuous(schedule))
    assert isinstance(schedule, Fields)
    changed = _put(node, "schedule", _continuous(schedule.entries[old]))
    if "source_asset" in node.entries:
        return changed
    place = schedule.keys[old]
    return Fields(
        {**changed.entries, "source_asset": Scalar(old, old, place, True)},
        {**changed.keys, "source_asset": place},
        node.place,
        node.blank,
    )


def _asset_of(schedule: Node) -> str | None:
    """The asset that is the only key of a schedule in version 1.0."""
    if not isinstance(schedule, Fields) or any(key in _SCHEDULE_KEYS for key in schedule.entries):
        return None
    if len(schedule.entries) != 1:
        return None
    key, value = next(iter(schedule.entries.items()))
    return key if isinstance(value, Fields) or _is_continuous(value) else None


def _continuous(node: Node) -> Node:
    if not _is_continuous(node):
        return node
    return Fields({"continuous": Scalar(True, "true", node.place)}, {"continuous": node.place}, node.place)


def _is_continuous(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text.strip().lower() == "continuous"


def _put(node: Fields, key: str, value: Node) -> Fields:
    return Fields({**node.entries, key: value}, node.keys, node.place, node.blank)


def _with(node: Node, changes: Mapping[str, Change]) -> Node:
    if not isinstance(node, Fields):
        return node
    entries = {key: changes[key](value) if key in changes else value for key, value in node.entries.items()}
    return Fields(entries, node.keys, node.place, node.blank)


def _each(change: Change) -> Change:
    def changed(node: Node) -> Node:
        return Items(tuple(map(change, node.items)), node.place) if isinstance(node, Items) else node

    return changed
