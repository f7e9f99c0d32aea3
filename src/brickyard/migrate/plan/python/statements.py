"""Execution of Python statements: branches are kept apart as choices, loops over known items are unrolled."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brickyard.migrate.plan.python.expressions import bind, condition, defaults, iterations
from brickyard.migrate.plan.python.frame import Frame, Machine, Scope, merge
from brickyard.migrate.plan.python.values import (
    Constant,
    Function,
    Handle,
    Namespace,
    Unknown,
    Value,
    choose,
)


@dataclass(frozen=True, slots=True)
class Return:
    """The block ends here; `value` is None where it ends by an error."""

    value: Value | None


@dataclass(frozen=True, slots=True)
class Fork:
    """Some branches of a choice end the block, others (None) go on."""

    key: str
    branches: Mapping[int, End | None]


End = Return | Fork


def run_function(body: Sequence[ast.stmt], frame: Frame, machine: Machine) -> Value:
    """Execute a function's body and return its value."""
    value = _value(run_block(body, frame, machine))
    return Constant(None) if value is None else value


def _value(end: End | None) -> Value | None:
    match end:
        case None:
            return Constant(None)
        case Return(value):
            return value
        case Fork(key, branches):
            values = {branch: value for branch, e in branches.items() if (value := _value(e)) is not None}
            return choose(key, values) if values else None


def run_block(body: Sequence[ast.stmt], frame: Frame, machine: Machine) -> End | None:
    """Execute statements; what follows a `return` is still looked at."""
    for index, statement in enumerate(body):
        end = run(statement, frame, machine)
        if end is not None:
            rest = run_block(body[index + 1 :], frame, machine)
            return _filled(end, rest)
    return None


def _filled(end: End, rest: End | None) -> End:
    """*end*, where the branches that go on end as *rest* does."""
    match end:
        case Return():
            return end
        case Fork(key, branches):
            return Fork(key, {n: rest if e is None else _filled(e, rest) for n, e in branches.items()})


def run(statement: ast.stmt, frame: Frame, machine: Machine) -> End | None:
    """Execute one statement."""
    handler = _HANDLERS.get(type(statement))
    if handler is not None:
        return handler(statement, frame, machine)
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            machine.evaluate(child, frame)
    return None


def _expression(node: ast.Expr, frame: Frame, machine: Machine) -> None:
    machine.evaluate(node.value, frame)


def _assign(node: ast.Assign, frame: Frame, machine: Machine) -> None:
    value = machine.evaluate(node.value, frame)
    for target in node.targets:
        bind(target, value, frame, machine)


def _assign_typed(node: ast.AnnAssign, frame: Frame, machine: Machine) -> None:
    if node.value is not None:
        bind(node.target, machine.evaluate(node.value, frame), frame, machine)


def _assign_changed(node: ast.AugAssign, frame: Frame, machine: Machine) -> None:
    """`name += value`, evaluated as `name + value`."""
    if not isinstance(node.target, ast.Name):
        machine.escape(machine.evaluate(node.value, frame))
        return
    left = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
    changed = ast.copy_location(ast.BinOp(left, node.op, node.value), node.target)
    changed.end_lineno, changed.end_col_offset = node.end_lineno, node.end_col_offset
    frame.assign(node.target.id, machine.evaluate(changed, frame))


def _return(node: ast.Return, frame: Frame, machine: Machine) -> End:
    return Return(machine.evaluate(node.value, frame) if node.value else Constant(None))


def _raise(node: ast.Raise, frame: Frame, machine: Machine) -> End | None:
    for part in (node.exc, node.cause):
        if part is not None:
            machine.evaluate(part, frame)
    return Return(None) if frame.depth else None


def _if(node: ast.If, frame: Frame, machine: Machine) -> End | None:
    known = condition(node.test, frame, machine)
    if known is not None:
        live, dead = (node.body, node.orelse) if known else (node.orelse, node.body)
        _in_copies([dead], frame, machine)
        return run_block(live, frame, machine)
    return _fork(machine.new_key("if"), [node.body, node.orelse], frame, machine)


def _copy(frame: Frame) -> Frame:
    return Frame(frame.unit, tuple(dict(scope) for scope in frame.scopes), frame.depth, frame.assumed)


def _in_copies(
    blocks: Sequence[Sequence[ast.stmt]], frame: Frame, machine: Machine
) -> Iterator[tuple[Frame, End | None]]:
    """Execute each block as if it were the only one."""
    done = []
    for block in blocks:
        inner = _copy(frame)
        done.append((inner, run_block(block, inner, machine) if block else None))
    return iter(done)


def _fork(key: str, blocks: Sequence[Sequence[ast.stmt]], frame: Frame, machine: Machine) -> End | None:
    """Execute one of several blocks, not known which."""
    results = list(_in_copies(blocks, frame, machine))
    going_on = [inner for inner, end in results if not isinstance(end, Return)] or [inner for inner, _ in results]
    for level, scope in enumerate(frame.scopes):
        branches = [inner.scopes[level] for inner in going_on]
        if len(going_on) == len(results):
            merge(key, scope, branches)
        else:
            merge(machine.new_key("on"), scope, branches)
    ends = {index: end for index, (_, end) in enumerate(results)}
    return Fork(key, ends) if any(end is not None for end in ends.values()) else None


def _for(node: ast.For | ast.AsyncFor, frame: Frame, machine: Machine) -> End | None:
    items = iterations(machine.evaluate(node.iter, frame), frame, machine)
    end = None
    if items is None:
        end = _loop_of_unknown(
            node.body, frame, machine, lambda inner: bind(node.target, Unknown("item"), inner, machine)
        )
    for inner, item in items or ():
        bind(node.target, item, inner, machine)
        end = run_block(node.body, inner, machine) or end
    run_block(node.orelse, frame, machine)
    return Fork(machine.new_key("loop"), {0: end, 1: None}) if end else None


def _while(node: ast.While, frame: Frame, machine: Machine) -> End | None:
    machine.evaluate(node.test, frame)
    end = _loop_of_unknown(node.body, frame, machine, lambda inner: None)
    run_block(node.orelse, frame, machine)
    return end


def _loop_of_unknown(
    body: Sequence[ast.stmt], frame: Frame, machine: Machine, start: Callable[[Frame], None]
) -> End | None:
    """Execute a loop's body once, counters unknown; afterwards it may have run or not."""
    inner = _copy(frame)
    for name in _assigned(body):
        if isinstance(inner.lookup(name), Constant):
            inner.rebind(name, Unknown(name))
    start(inner)
    end = run_block(body, inner, machine)
    key = machine.new_key("loop")
    for before, after in zip(frame.scopes, inner.scopes, strict=True):
        merge(key, before, [dict(before), after])
    return Fork(key, {0: None, 1: end}) if end else None


def _assigned(body: Sequence[ast.stmt]) -> Iterator[str]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _try(node: ast.Try, frame: Frame, machine: Machine) -> End | None:
    before = _copy(frame)
    end = run_block([*node.body, *node.orelse], frame, machine)
    for handler in node.handlers:
        inner = _copy(before)
        if handler.name:
            inner.assign(handler.name, Unknown(handler.name))
        run_block(handler.body, inner, machine)
        _note_differences(frame, inner, machine)
    return run_block(node.finalbody, frame, machine) or (
        Fork(machine.new_key("try"), {0: end, 1: None}) if end else None
    )


def _note_differences(frame: Frame, other: Frame, machine: Machine) -> None:
    key = machine.new_key("try")
    for mine, theirs in zip(frame.scopes, other.scopes, strict=True):
        merged: Scope = {}
        merge(key, merged, [mine, {**mine, **{k: v for k, v in theirs.items() if k not in mine or mine[k] != v}}])
        mine.update(merged)


def _with(node: ast.With | ast.AsyncWith, frame: Frame, machine: Machine) -> End | None:
    for item in node.items:
        value = machine.evaluate(item.context_expr, frame)
        if item.optional_vars is not None:
            bind(item.optional_vars, value if isinstance(value, Handle) else Unknown("context"), frame, machine)
    return run_block(node.body, frame, machine)


def _define(node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame, machine: Machine) -> None:
    for decorator in node.decorator_list:
        machine.evaluate(decorator, frame)
    function = Function(node, frame, defaults(node.args, frame, machine))
    machine.defined.append(function)
    frame.assign(node.name, function)


def _class(node: ast.ClassDef, frame: Frame, machine: Machine) -> None:
    inner = Frame(frame.unit, ({}, *frame.scopes), frame.depth, frame.assumed)
    run_block(node.body, inner, machine)
    frame.assign(node.name, Namespace(tuple(inner.scopes[0].items())))


def _import(node: ast.Import, frame: Frame, machine: Machine) -> None:
    for alias in node.names:
        path = alias.name if alias.asname else alias.name.split(".")[0]
        frame.assign(alias.asname or path, Handle(path))


def _import_from(node: ast.ImportFrom, frame: Frame, machine: Machine) -> None:
    for alias in node.names:
        name = alias.asname or alias.name
        if alias.name == "DeltaTable":
            frame.assign(name, Handle("DeltaTable"))
        elif name not in ("*", "spark", "dbutils"):
            frame.assign(name, Handle(f"{node.module or ''}.{alias.name}"))


def _delete(node: ast.Delete, frame: Frame, machine: Machine) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            frame.scopes[0].pop(target.id, None)


def _match(node: ast.Match, frame: Frame, machine: Machine) -> End | None:
    machine.escape(machine.evaluate(node.subject, frame))
    blocks = [case.body for case in node.cases]
    last = node.cases[-1]
    complete = last.guard is None and isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
    return _fork(machine.new_key("match"), blocks if complete else [*blocks, []], frame, machine)


_HANDLERS: dict[type[ast.stmt], Callable[..., End | None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _assign_typed,
    ast.AugAssign: _assign_changed,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Try: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.FunctionDef: _define,
    ast.AsyncFunctionDef: _define,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Delete: _delete,
    ast.Match: _match,
}
