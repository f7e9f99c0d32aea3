"""Python's own functions and the methods of its collections, as far as names are made with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from brickyard.migrate.plan.python.frame import Machine
from brickyard.migrate.plan.python.strings import join
from brickyard.migrate.plan.python.values import (
    Constant,
    Items,
    Table,
    Text,
    Unknown,
    Value,
    as_text,
    lift,
    made,
    plain,
)

_MAX_RANGE = 500
Pair = tuple[Value | None, Value]


def _items_of(value: Value) -> tuple[Value, ...] | None:
    match value:
        case Items(items):
            return items
        case Table(entries):
            return tuple(key for _, key, _ in entries)
    return None


def _str(values: Sequence[Value], machine: Machine) -> Value:
    return lift(lambda v: as_text(v) if isinstance(v, Text | Constant) else v, values[0]) if values else made("")


def _int(values: Sequence[Value], machine: Machine) -> Value:
    return lift(_to_int, values[0]) if values else Constant(0)


def _to_int(value: Value) -> Value:
    known = plain(value)
    if isinstance(known, str) and known.strip().lstrip("+-").isdigit():
        return Constant(int(known))
    return Constant(int(known)) if isinstance(known, int | float) else Unknown("number")


def _len(values: Sequence[Value], machine: Machine) -> Value:
    def length(value: Value) -> Value:
        if isinstance(value, Text):
            return Constant(len(value.text)) if value.known else Unknown("number")
        items = _items_of(value)
        return Constant(len(items)) if items is not None else Unknown("number")

    return lift(length, values[0]) if values else Unknown("number")


def _range(values: Sequence[Value], machine: Machine) -> Value:
    bounds = [b for b in map(plain, values) if isinstance(b, int)]
    if not 1 <= len(bounds) <= 3 or len(bounds) != len(values) or bounds[2:] == [0]:
        return Unknown("range")
    numbers = range(*bounds)
    return Items(tuple(map(Constant, numbers))) if len(numbers) <= _MAX_RANGE else Unknown("range")


def _collect(kind: str, values: Sequence[Value], machine: Machine) -> Value:
    if not values:
        return Items((), kind)
    return lift(partial(_as_items, kind), values[0])


def _as_items(kind: str, value: Value) -> Value:
    items = _items_of(value)
    if items is None:
        return Unknown("items")
    return Items(tuple(dict.fromkeys(items)) if kind == "set" else items, kind)


def _sorted(values: Sequence[Value], machine: Machine) -> Value:
    items = _items_of(values[0]) if values else None
    if items is None or len(values) > 1:
        return Unknown("items") if items is None else Items(items)
    known = [plain(item) for item in items]
    if all(isinstance(k, str) for k in known):
        return Items(tuple(sorted(items, key=lambda item: str(plain(item)))))
    return Items(items) if len(items) < 2 else Unknown("items")


def _reversed(values: Sequence[Value], machine: Machine) -> Value:
    items = _items_of(values[0]) if values else None
    return Unknown("items") if items is None else Items(items[::-1])


def _enumerate(values: Sequence[Value], machine: Machine) -> Value:
    items = _items_of(values[0]) if values else None
    start = plain(values[1]) if len(values) > 1 else 0
    if items is None or not isinstance(start, int):
        return Unknown("items")
    return Items(tuple(Items((Constant(n), item), "tuple") for n, item in enumerate(items, start)))


def _zip(values: Sequence[Value], machine: Machine) -> Value:
    lists = [_items_of(value) for value in values]
    if any(items is None for items in lists):
        return Unknown("items")
    return Items(tuple(Items(row, "tuple") for row in zip(*(items or () for items in lists), strict=False)))


def _dict(values: Sequence[Value], machine: Machine) -> Value:
    if values and isinstance(values[0], Table):
        return values[0]
    pairs = _items_of(values[0]) if values else ()
    if pairs is None or not all(isinstance(p, Items) and len(p.items) == 2 for p in pairs):
        return Unknown("dict")
    items = [p.items for p in pairs if isinstance(p, Items)]
    entries = tuple((plain(key), key, value) for key, value in items)
    return Table(entries) if all(isinstance(e[0], str | int) for e in entries) else Unknown("dict")


def _path_join(values: Sequence[Value], machine: Machine) -> Value:
    return lift(lambda *parts: join(made("/"), parts), *values) if values else made("")


FUNCTIONS: Mapping[str, Callable[[Sequence[Value], Machine], Value]] = {
    "str": _str,
    "int": _int,
    "len": _len,
    "range": _range,
    "list": partial(_collect, "list"),
    "tuple": partial(_collect, "tuple"),
    "set": partial(_collect, "set"),
    "frozenset": partial(_collect, "set"),
    "sorted": _sorted,
    "reversed": _reversed,
    "enumerate": _enumerate,
    "zip": _zip,
    "dict": _dict,
    "os.path.join": _path_join,
}


def collection(owner: Value, name: str, values: Sequence[Value]) -> Pair:
    """Call a method of a list or dict: what the owner becomes (None when it stays), and the result."""
    match owner:
        case Items():
            return _list_method(owner, name, values)
        case Table():
            return _dict_method(owner, name, values)
    return None, Unknown("item")


def _list_method(owner: Items, name: str, values: Sequence[Value]) -> Pair:
    items, kind = owner.items, owner.kind
    match name, values:
        case (("append" | "add"), [item]):
            return Items((*items, item), kind), Constant(None)
        case (("extend" | "update" | "union"), [Items(more)]):
            changed = Items((*items, *more), kind)
            return (None, changed) if name == "union" else (changed, Constant(None))
        case "insert", [Constant(int(at)), item]:
            return Items((*items[:at], item, *items[at:]), kind), Constant(None)
        case "pop", []:
            return (Items(items[:-1], kind), items[-1]) if items else (None, Unknown("item"))
        case "remove", [item]:
            return Items(tuple(i for i in items if plain(i) != plain(item)), kind), Constant(None)
        case "reverse", []:
            return Items(items[::-1], kind), Constant(None)
        case "copy", []:
            return None, owner
        case "clear", []:
            return Items((), kind), Constant(None)
        case (("extend" | "update" | "pop" | "insert"), _):
            return Unknown("items"), Unknown("item")
    return None, Unknown("item")


def _dict_method(owner: Table, name: str, values: Sequence[Value]) -> Pair:
    match name, values:
        case "items", []:
            return None, Items(tuple(Items((key, value), "tuple") for _, key, value in owner.entries))
        case "keys", []:
            return None, Items(tuple(key for _, key, _ in owner.entries))
        case "values", []:
            return None, Items(tuple(value for _, _, value in owner.entries))
        case (("get" | "setdefault" | "pop"), [key, *rest]):
            return None, lift(lambda k: _get(owner, k, rest), key)
        case "copy", []:
            return None, owner
        case "update", [Table(more)]:
            return Table((*owner.entries, *more)), Constant(None)
        case (("update" | "popitem"), _):
            return Unknown("dict"), Unknown("item")
    return None, Unknown("item")


def _get(owner: Table, key: Value, rest: Sequence[Value]) -> Value:
    known = plain(key)
    if not isinstance(known, str | int):
        return Unknown("item")
    return owner.get(known) or (rest[0] if rest else Constant(None))
