"""A tree made into a pack: read by the models, checked by the rules, with every fault of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from brickyard.share.model import older, rules
from brickyard.share.model.nodes import Fault, Fields, Items, Node, Path
from brickyard.share.model.pack import PipelineSpec, RecipientSpec, SharePack, ShareSpec
from brickyard.share.model.reading import Reading
from brickyard.share.model.suggest import nearest

_STAND_INS = {"type": "D2O", "schedule": {"continuous": True}, "delta_share_region": "AM"}
_NAMES: dict[str | int, str] = {"servicenow": "servicenow_ticket"}
_REFERENCES = ("recipient", "share")


def assemble(reading: Reading, tree: Node) -> tuple[SharePack | None, Node]:
    """Return the pack and the tree in its present form; the pack is None when *reading* has faults afterwards."""
    if not isinstance(tree, Fields):
        reading.part(SharePack, tree, ())
        return None, tree
    removal = older.is_removal(tree)
    tree = older.names_as_mappings(tree) if removal else older.rewrite(tree)
    raw = _removal(reading, tree) if removal else reading.part(SharePack, _without_removal(reading, tree), ())
    pack = _checked(reading, raw)
    return (None if reading.faults else pack), tree


def _without_removal(reading: Reading, tree: Node) -> Node:
    """`removal` is how a DELETE pack is kept, not how it is written."""
    assert isinstance(tree, Fields)
    if "removal" not in tree.entries:
        return tree
    reading.faults.append(Fault(("removal",), "the key 'removal' is not known", "use strategy DELETE and names"))
    return Fields({k: v for k, v in tree.entries.items() if k != "removal"}, tree.keys, tree.place)


def _checked(reading: Reading, raw: dict[str, Any]) -> SharePack | None:
    """The pack; where fields are missing or wrong, the rules look at the rest with stand-ins in their places."""
    faulty = {fault.path for fault in reading.faults if fault.path}
    pack, errors = _validated(raw)
    if pack is None:
        faulty |= _report(reading, raw, errors, faulty)
        pack, _ = _validated(raw)
    if pack is not None:
        reading.faults += [fault for fault in rules.faults(pack) if not _rests_on(fault, faulty)]
    return pack


def _validated(raw: dict[str, Any]) -> tuple[SharePack | None, list[tuple[Path, str, str]]]:
    try:
        return SharePack.model_validate(raw), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return None, [(tuple(_NAMES.get(step, step) for step in e["loc"]), e["type"], e["msg"]) for e in found]


def _report(reading: Reading, raw: dict[str, Any], errors: list[tuple[Path, str, str]], faulty: set[Path]) -> set[Path]:
    found: set[Path] = set()
    for path, kind, message in errors:
        if not _below(path, faulty):
            said = "is missing" if kind == "missing" else message[:1].lower() + message[1:]
            reading.faults.append(Fault(path, said, "give it a value" if kind == "missing" else None))
        found.add(path)
        _stand_in(raw, path, missing=kind == "missing")
    return found


def _stand_in(raw: dict[str, Any], path: Path, *, missing: bool) -> None:
    holder: Any = raw
    for step in path[:-1]:
        holder = holder[step]
    if missing:
        holder[path[-1]] = _value_for(path)
    else:
        del holder[path[-1]]


def _value_for(path: Path) -> Any:
    model = {"metadata": SharePack.model_fields["metadata"].annotation, "oidc": None}.get(str(path[-1]))
    if isinstance(model, type) and issubclass(model, BaseModel):
        return {info.alias or name: "?" for name, info in model.model_fields.items() if info.is_required()}
    return _STAND_INS.get(str(path[-1]), f"?{'.'.join(map(str, path))}")


def _rests_on(fault: Fault, faulty: set[Path]) -> bool:
    return any(_below(read, faulty) for read in (fault.path, *fault.reads))


def _below(path: Path, faulty: set[Path]) -> bool:
    return any(path[:length] in faulty for length in range(1, len(path) + 1))


def _removal(reading: Reading, tree: Node) -> dict[str, Any]:
    """The data of a DELETE pack, which needs names only."""
    assert isinstance(tree, Fields)
    rest = {key: node for key, node in tree.entries.items() if key not in _REFERENCES}
    raw = reading.part(SharePack, _without_removal(reading, Fields(rest, tree.keys, tree.place)), ())
    recipients = [name for _, name in _named(reading, tree, "recipient", RecipientSpec)]
    shares = list(_named(reading, tree, "share", ShareSpec))
    pipelines = {name: _pipelines(reading, node, ("share", at)) for at, (node, name) in enumerate(shares)}
    given = {name: names for name, names in pipelines.items() if names}
    return raw | {"removal": {"recipients": recipients, "shares": [name for _, name in shares], "pipelines": given}}


def _pipelines(reading: Reading, node: Node, path: Path) -> list[str]:
    if not isinstance(node, Fields):
        return []
    return [name for _, name in _named(reading, node, "pipelines", PipelineSpec, path, "name_prefix")]


def _named(
    reading: Reading, holder: Fields, key: str, kind: type[BaseModel], path: Path = (), name: str = "name"
) -> Iterator[tuple[Node, str]]:
    node = holder.entries.get(key)
    if node is not None and not isinstance(node, Items):
        reading.faults.append(Fault((*path, key), "is not a list", "write a list of names"))
        return
    for at, item in enumerate(node.items if node is not None else ()):
        yield item, _name(reading, item, kind, (*path, key, at), name)


def _name(reading: Reading, item: Node, kind: type[BaseModel], path: Path, key: str) -> str:
    """The name that an item of a DELETE pack gives; its other keys are known, but not needed."""
    if not isinstance(item, Fields):
        reading.faults.append(Fault(path, "is not a name", "write the name, or {name: …}"))
        return f"?{path}"
    needed = {key, "pipelines"} if kind is ShareSpec else {key}
    for other in item.entries.keys() - needed:
        _extra(reading, kind, other, path)
    only = Fields({k: v for k, v in item.entries.items() if k == key}, item.keys, item.place)
    found = reading.part(kind, only, path).get(key)
    if found is None and not any(fault.path == (*path, key) for fault in reading.faults):
        reading.faults.append(Fault((*path, key), "is missing", "give it a value"))
    return found or f"?{path}"


def _extra(reading: Reading, kind: type[BaseModel], key: str, path: Path) -> None:
    known = [info.alias or name for name, info in kind.model_fields.items()]
    if key in known or key in kind.model_fields:
        reading.warnings.append(Fault((*path, key), "is not needed to delete, and is not looked at"))
        return
    fault = Fault((*path, key), f"the key {key!r} is not known", nearest(key, known))
    (reading.warnings if reading.compat else reading.faults).append(fault)
