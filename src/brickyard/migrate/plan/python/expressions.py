"""Evaluation of Python expressions; every part is visited, so that calls nested anywhere are seen."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from brickyard.migrate.plan.python import api
from brickyard.migrate.plan.python.frame import FieldExpression, Frame, Machine
from brickyard.migrate.plan.python.literals import Literal
from brickyard.migrate.plan.python.strings import Argument, apply_percent, cut, formatted
from brickyard.migrate.plan.python.values import (
    Chars,
    Choice,
    Constant,
    Function,
    Handle,
    Items,
    Namespace,
    Place,
    Table,
    Text,
    Unknown,
    Value,
    alternatives,
    as_text,
    choose,
    concat,
    lift,
    made,
    plain,
    slot,
    truth,
)

MAX_ITEMS = 500
MAX_LOOPS = 4_000


def visit(node: ast.expr, frame: Frame, machine: Machine) -> Value:
    """Evaluate the parts of an expression that itself is not understood."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            machine.escape(machine.evaluate(child, frame))
    return Unknown()


def defaults(arguments: ast.arguments, frame: Frame, machine: Machine) -> dict[str, Value]:
    """The values of the parameters that have a default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    last = positional[len(positional) - len(arguments.defaults) :]
    found = {arg.arg: machine.evaluate(node, frame) for arg, node in zip(last, arguments.defaults, strict=True)}
    for arg, node in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if node is not None:
            found[arg.arg] = machine.evaluate(node, frame)
    return found


def operand(node: ast.expr, frame: Frame, machine: Machine) -> Value:
    """Evaluate an expression as a part of a string: a computed value knows by which expression it is put in."""
    return spelled(machine.evaluate(node, frame), node, frame)


def spelled(value: Value, node: ast.expr, frame: Frame) -> Value:
    """Note that *node* is how the source spells *value*, unless it is a literal that spells itself."""
    if is_template(node):
        return value
    return lift(partial(_spell, node=node, frame=frame), value)


def _spell(value: Value, node: ast.expr, frame: Frame) -> Value:
    return slot(value, frame.unit.place(node), expression=True) if isinstance(value, Text | Unknown) else value


def is_template(node: ast.expr) -> bool:
    """Whether the text of the value stands in the expression itself: literals, and what formats or joins them."""
    match node:
        case ast.Constant(str()) | ast.JoinedStr() | ast.BinOp(op=ast.Add()):
            return True
        case ast.BinOp(left=left, op=ast.Mod()):
            return is_template(left)
        case ast.Call(func=ast.Attribute(value=owner, attr="format" | "strip" | "lstrip" | "rstrip" | "replace")):
            return is_template(owner)
        case ast.Call(func=ast.Attribute(attr="dedent") | ast.Name(id="dedent" | "str"), args=[argument]):
            return is_template(argument)
    return False


def _constant(node: ast.Constant, frame: Frame, machine: Machine) -> Value:
    if isinstance(node.value, str):
        return _literal_text(node, frame, machine)
    if isinstance(node.value, int | float | complex | None):
        return Constant(node.value)
    return Unknown()


def _literal_text(node: ast.Constant | ast.JoinedStr, frame: Frame, machine: Machine) -> Value:
    pieces = machine.literal_pieces(node, frame.unit)
    if pieces is None:
        return made(str(node.value)) if isinstance(node, ast.Constant) else Unknown("text")
    parts: list[Value] = []
    for piece in pieces:
        match piece:
            case Literal(value=value):
                parts.append(Text((Chars(piece, 0, len(value)),) if value else ()))
            case FieldExpression():
                parts.append(_field(piece, frame, machine))
    return parts[0] if len(parts) == 1 else lift(_concat_all, *parts)


def _concat_all(*values: Value) -> Value:
    return concat(*(as_text(value) for value in values))


def _field(piece: FieldExpression, frame: Frame, machine: Machine) -> Value:
    if piece.node is None:
        return slot(Unknown("field"), piece.place, expression=False)
    value = machine.evaluate(piece.node, frame.within(piece.unit))
    if piece.suffix:
        value = lift(lambda v: formatted(v, piece.suffix), value)
    return lift(lambda v: slot(v, piece.place, expression=False), value)


def _name(node: ast.Name, frame: Frame, machine: Machine) -> Value:
    value = frame.lookup(node.id)
    if value is not None and not (isinstance(value, Unknown) and node.id in api.SESSION_NAMES):
        return frame.assuming(value)
    if node.id in api.SESSION_NAMES:
        return Handle("spark")
    if node.id in api.GLOBALS:
        return Handle(node.id)
    if node.id in api.SHORTHANDS:
        return Handle(api.SHORTHANDS[node.id])
    return Unknown(node.id)


def _attribute(node: ast.Attribute, frame: Frame, machine: Machine) -> Value:
    owner = machine.evaluate(node.value, frame)
    return lift(lambda value: api.attribute(value, node.attr), owner)


def _binary(node: ast.BinOp, frame: Frame, machine: Machine) -> Value:
    if isinstance(node.op, ast.Add):
        left, right = operand(node.left, frame, machine), operand(node.right, frame, machine)
        return lift(_add, left, right)
    left = machine.evaluate(node.left, frame)
    if isinstance(node.op, ast.Mod) and any(isinstance(v, Text) for v in alternatives(left)):
        return _percent(left, node.right, frame, machine)
    right = machine.evaluate(node.right, frame)
    return lift(partial(_arithmetic, node.op), left, right)


def _add(left: Value, right: Value) -> Value:
    match left, right:
        case Text(), (Text() | Unknown()):
            return concat(left, as_text(right))
        case Unknown(), Text():
            return concat(as_text(left), right)
        case Items(first, kind), Items(second, _):
            return Items((*first, *second), kind)
    return _arithmetic(ast.Add(), left, right)


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_MAX_NUMBER = 10**12


def _arithmetic(op: ast.operator, left: Value, right: Value) -> Value:
    function = _OPERATORS.get(type(op))
    match left, right:
        case Constant(int() as a), Constant(int() as b) if function and abs(a) < _MAX_NUMBER and abs(b) < _MAX_NUMBER:
            return _number(function, a, b)
        case Text(), Constant(int() as times) if isinstance(op, ast.Mult) and 0 <= times <= 100:
            return concat(*[left] * times)
        case Items(items, kind), Constant(int() as times) if isinstance(op, ast.Mult) and 0 <= times <= 100:
            return Items(items * times, kind)
    return Unknown()


def _number(function: Callable[[int, int], int], a: int, b: int) -> Value:
    try:
        return Constant(function(a, b))
    except ZeroDivisionError:
        return Unknown()


def _percent(left: Value, right: ast.expr, frame: Frame, machine: Machine) -> Value:
    if isinstance(right, ast.Tuple):
        values = [machine.evaluate(element, frame) for element in right.elts]
        places = [frame.unit.place(element) for element in right.elts]

        def with_tuple(template: Value, *given: Value) -> Value:
            arguments = [Argument(v, p) for v, p in zip(given, places, strict=True)]
            return apply_percent(as_text(template), arguments, {})

        return lift(with_tuple, left, *values)
    value = machine.evaluate(right, frame)
    place = frame.unit.place(right)
    return lift(lambda template, given: _percent_one(template, given, place), left, value)


def _percent_one(template: Value, given: Value, place: Place) -> Value:
    match given:
        case Table(entries):
            named = {str(key): Argument(v, None) for key, _, v in entries}
            return apply_percent(as_text(template), [], named)
        case Items(items):
            return apply_percent(as_text(template), [Argument(item, None) for item in items], {})
    return apply_percent(as_text(template), [Argument(given, place)], {})


def _sequence(node: ast.List | ast.Tuple | ast.Set, frame: Frame, machine: Machine) -> Value:
    items: list[Value] = []
    for element in node.elts:
        if isinstance(element, ast.Starred):
            value = machine.evaluate(element.value, frame)
            if not isinstance(value, Items):
                return Unknown("items")
            items += value.items
        else:
            items.append(machine.evaluate(element, frame))
    return Items(tuple(items), type(node).__name__.lower())


def _dict(node: ast.Dict, frame: Frame, machine: Machine) -> Value:
    entries: list[tuple[object, Value, Value]] = []
    complete = True
    for key, item in zip(node.keys, node.values, strict=True):
        value = machine.evaluate(item, frame)
        name = machine.evaluate(key, frame) if key is not None else value
        if key is None and isinstance(value, Table):
            entries += value.entries
        elif key is not None and isinstance(known := plain(name), str | int | float | bool | None):
            entries.append((known, name, value))
        else:
            complete = False
    return Table(tuple(entries)) if complete else Unknown("dict")


def _subscript(node: ast.Subscript, frame: Frame, machine: Machine) -> Value:
    owner = machine.evaluate(node.value, frame)
    if isinstance(node.slice, ast.Slice):
        bounds = [machine.evaluate(b, frame) if b else Constant(None) for b in (node.slice.lower, node.slice.upper)]
        return lift(_slice, owner, *bounds) if node.slice.step is None else Unknown()
    index = machine.evaluate(node.slice, frame)
    return lift(_item, owner, index)


def _item(owner: Value, index: Value) -> Value:
    key = plain(index)
    match owner:
        case Table():
            return owner.get(key) or Unknown(str(key) if isinstance(key, str) else "item")
        case Items(items, kind) if kind != "set" and isinstance(key, int) and -len(items) <= key < len(items):
            return items[key]
        case Text() if owner.known and isinstance(key, int) and -len(owner.text) <= key < len(owner.text):
            at = key % len(owner.text)
            return cut(owner, at, at + 1)
    return Unknown(key if isinstance(key, str) else "item")


def _slice(owner: Value, lower: Value, upper: Value) -> Value:
    start, stop = plain(lower), plain(upper)
    if not isinstance(start, int | None) or not isinstance(stop, int | None):
        return Unknown()
    match owner:
        case Items(items, kind):
            return Items(items[start:stop], kind)
        case Text() if owner.known:
            first, last, _ = slice(start, stop).indices(len(owner.text))
            return cut(owner, first, max(first, last))
    return Unknown()


def _conditional(node: ast.IfExp, frame: Frame, machine: Machine) -> Value:
    test = condition(node.test, frame, machine)
    body, other = machine.evaluate(node.body, frame), machine.evaluate(node.orelse, frame)
    if test is not None:
        return body if test else other
    return choose(machine.new_key("if"), {0: body, 1: other})


def condition(node: ast.expr, frame: Frame, machine: Machine) -> bool | None:
    """Whether a condition holds; None where that is not known, or depends on what is given from outside."""
    value = machine.evaluate(node, frame)
    return None if isinstance(value, Choice) or _is_given(value) else truth(value)


def _boolean(node: ast.BoolOp, frame: Frame, machine: Machine) -> Value:
    values = [machine.evaluate(value, frame) for value in node.values]
    return lift(partial(_first_deciding, isinstance(node.op, ast.Or)), *values)


def _first_deciding(wanted: bool, *values: Value) -> Value:
    for value in values[:-1]:
        known = truth(value)
        if known is None:
            return Unknown()
        if known is wanted:
            return value
    return values[-1]


def _is_given(value: Value) -> bool:
    return isinstance(value, Text) and bool(value.given())


_COMPARISONS: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}


def _compare(node: ast.Compare, frame: Frame, machine: Machine) -> Value:
    values = [machine.evaluate(part, frame) for part in (node.left, *node.comparators)]
    machine.escape(*values)
    return lift(partial(_compared, type(node.ops[0])), *values) if len(values) == 2 else Unknown()


def _compared(op: type[ast.cmpop], left: Value, right: Value) -> Value:
    if _is_given(left) or _is_given(right):
        return Unknown()
    if op in (ast.In, ast.NotIn):
        return _contained(op, left, right)
    a, b = plain(left), plain(right)
    if op not in _COMPARISONS or not all(isinstance(v, str | int | float | bool | None) for v in (a, b)):
        return Unknown()
    return Constant(_COMPARISONS[op](a, b))


def _contained(op: type[ast.cmpop], left: Value, right: Value) -> Value:
    wanted = plain(left)
    match right:
        case Items(items):
            known = [plain(item) for item in items]
        case Table(entries):
            known = [key for key, _, _ in entries]
        case Text() if right.known and isinstance(wanted, str):
            return Constant((wanted in right.text) is (op is ast.In))
        case _:
            return Unknown()
    if not all(isinstance(v, str | int | float | bool | None) for v in (wanted, *known)):
        return Unknown()
    return Constant((wanted in known) is (op is ast.In))


def _negation(node: ast.UnaryOp, frame: Frame, machine: Machine) -> Value:
    value = machine.evaluate(node.operand, frame)
    if isinstance(node.op, ast.Not):
        return lift(lambda v: Unknown() if _is_given(v) or truth(v) is None else Constant(not truth(v)), value)
    if isinstance(node.op, ast.USub):
        return lift(
            lambda v: Constant(-v.value) if isinstance(v, Constant) and isinstance(v.value, int) else Unknown(), value
        )
    return Unknown()


def _lambda(node: ast.Lambda, frame: Frame, machine: Machine) -> Value:
    made_function = Function(node, frame, defaults(node.args, frame, machine))
    machine.defined.append(made_function)
    return made_function


def _walrus(node: ast.NamedExpr, frame: Frame, machine: Machine) -> Value:
    value = machine.evaluate(node.value, frame)
    frame.assign(node.target.id, value)
    return value


def _await(node: ast.Await, frame: Frame, machine: Machine) -> Value:
    return machine.evaluate(node.value, frame)


def _comprehension(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, frame: Frame, machine: Machine
) -> Value:
    inner = Frame(frame.unit, ({}, *frame.scopes), frame.depth, frame.assumed)
    results: list[tuple[Value, Value]] = []
    complete = _generate(node, list(node.generators), inner, machine, results)
    if not complete:
        return Unknown("items")
    if isinstance(node, ast.DictComp):
        entries = tuple((plain(key), key, value) for key, value in results)
        return Table(entries) if all(isinstance(e[0], str | int) for e in entries) else Unknown("dict")
    return Items(tuple(value for _, value in results))


def _generate(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    generators: list[ast.comprehension],
    frame: Frame,
    machine: Machine,
    results: list[tuple[Value, Value]],
) -> bool:
    """Evaluate the comprehension for each item of its first generator; False when not every item is known."""
    if not generators:
        key = machine.evaluate(node.key, frame) if isinstance(node, ast.DictComp) else Constant(None)
        element = node.value if isinstance(node, ast.DictComp) else node.elt
        results.append((key, machine.evaluate(element, frame)))
        return True
    first, *rest = generators
    known = iterations(machine.evaluate(first.iter, frame), frame, machine)
    complete = known is not None
    for inner, item in known if known is not None else [(frame, Unknown("item"))]:
        bind(first.target, item, inner, machine)
        if all(condition(test, inner, machine) is not False for test in first.ifs):
            complete = _generate(node, rest, inner, machine, results) and complete
    return complete


def iterations(value: Value, frame: Frame, machine: Machine) -> list[tuple[Frame, Value]] | None:
    """The items that a loop over *value* takes, each with the frame to use it in; None when they are not known."""
    if isinstance(value, Choice):
        found: list[tuple[Frame, Value]] = []
        for branch, option in value.options:
            some = iterations(option, replace(frame, assumed=(*frame.assumed, (value.key, branch))), machine)
            if some is None:
                return None
            found += some
        return found
    items = _items(value)
    machine.loops += len(items or ())
    if items is None or len(items) > MAX_ITEMS or machine.loops > MAX_LOOPS:
        return None
    return [(frame, item) for item in items]


def _items(value: Value) -> Sequence[Value] | None:
    match value:
        case Items(items):
            return items
        case Table(entries):
            return [key for _, key, _ in entries]
        case Text() if value.known:
            return [cut(value, i, i + 1) for i in range(len(value.text))]
    return None


def bind(target: ast.expr, value: Value, frame: Frame, machine: Machine) -> None:
    """Assign *value* to a target."""
    match target:
        case ast.Name(id=name):
            frame.assign(name, value)
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            for part, item in zip(targets, _unpack(value, targets), strict=False):
                bind(part, item, frame, machine)
        case ast.Starred(value=inner):
            bind(inner, value, frame, machine)
        case ast.Subscript(value=ast.Name(id=name), slice=index):
            _store(name, machine.evaluate(index, frame), value, frame)
        case ast.Subscript(value=owner, slice=index):
            machine.escape(machine.evaluate(owner, frame), machine.evaluate(index, frame), value)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if isinstance(
            known := frame.lookup(name), Namespace
        ):
            frame.rebind(name, known.having(attribute, value))
        case ast.Attribute(value=owner):
            machine.escape(machine.evaluate(owner, frame), value)


def _unpack(value: Value, targets: Sequence[ast.expr]) -> Iterator[Value]:
    starred = any(isinstance(t, ast.Starred) for t in targets)
    for index in range(len(targets)):
        yield Unknown("item") if starred else lift(partial(_unpacked, index), value)


def _unpacked(index: int, value: Value) -> Value:
    match value:
        case Items(items) if index < len(items):
            return items[index]
        case Table(entries) if index < len(entries):
            return entries[index][1]
    return Unknown("item")


def _store(name: str, key: Value, value: Value, frame: Frame) -> None:
    """`name[key] = value`."""
    owner, known = frame.lookup(name), plain(key)
    match owner:
        case Table(entries) if isinstance(known, str | int):
            kept = tuple(entry for entry in entries if entry[0] != known)
            frame.rebind(name, Table((*kept, (known, key, value))))
        case Items(items, kind) if isinstance(known, int) and -len(items) <= known < len(items):
            changed = list(items)
            changed[known] = value
            frame.rebind(name, Items(tuple(changed), kind))
        case Items() | Table():
            frame.rebind(name, Unknown(name))


def _starred(node: ast.Starred, frame: Frame, machine: Machine) -> Value:
    return machine.evaluate(node.value, frame)


HANDLERS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: _constant,
    ast.JoinedStr: _literal_text,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dict,
    ast.Subscript: _subscript,
    ast.IfExp: _conditional,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.UnaryOp: _negation,
    ast.Lambda: _lambda,
    ast.NamedExpr: _walrus,
    ast.Await: _await,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Starred: _starred,
}
"""How each kind of expression is evaluated; calls are in `calls`."""
