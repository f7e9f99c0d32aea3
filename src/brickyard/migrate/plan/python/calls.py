"""Evaluation of calls: the platform's API, functions of the notebook, methods of strings and collections."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brickyard.dbsql.model import Side
from brickyard.migrate.plan.python import api, builtins
from brickyard.migrate.plan.python.expressions import is_template, iterations, spelled
from brickyard.migrate.plan.python.frame import Frame, Machine
from brickyard.migrate.plan.python.strings import Argument, apply_format, apply_template, call_method, dedent
from brickyard.migrate.plan.python.values import (
    Choice,
    Constant,
    Function,
    Handle,
    Items,
    Method,
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
    given_as,
    lift,
    made,
    plain,
    slot,
)

_MAX_DEPTH = 10
_SCALARS = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of one call, evaluated."""

    node: ast.Call
    frame: Frame
    positional: tuple[tuple[ast.expr, Value], ...]
    named: Mapping[str, tuple[ast.expr, Value]]

    def at(self, index: int, *keywords: str) -> tuple[ast.expr, Value] | None:
        """The argument at a position, or by one of its names."""
        if 0 <= index < len(self.positional):
            return self.positional[index]
        return next((self.named[k] for k in keywords if k in self.named), None)

    def text(self, index: int, *keywords: str) -> str | None:
        """The plain text of an argument, where it is one known string."""
        found = self.at(index, *keywords)
        known = plain(found[1]) if found else None
        return known if isinstance(known, str) else None

    @property
    def values(self) -> list[Value]:
        """Every argument's value."""
        return [value for _, value in (*self.positional, *self.named.values())]


def call(node: ast.Call, frame: Frame, machine: Machine) -> Value:
    """Evaluate a call."""
    function = machine.evaluate(node.func, frame)
    given = _arguments(node, frame, machine)
    return _dispatch(function, given, machine)


def _dispatch(function: Value, given: Given, machine: Machine) -> Value:
    match function:
        case Handle():
            return _call_api(function, given, machine)
        case Method(owner, name):
            return _call_method(owner, name, given, machine)
        case Function():
            return invoke(function, [v for _, v in given.positional], _named(given), machine)
        case Namespace():
            return _instantiate(function, given, machine)
        case Choice(key, options):
            return choose(key, {branch: _dispatch(option, given, machine) for branch, option in options})
    return _call_unknown(function, given, machine)


def _arguments(node: ast.Call, frame: Frame, machine: Machine) -> Given:
    positional: list[tuple[ast.expr, Value]] = []
    for argument in node.args:
        value = machine.evaluate(argument, frame)
        if isinstance(argument, ast.Starred) and isinstance(value, Items):
            positional += [(argument.value, item) for item in value.items]
        else:
            positional.append((argument, value))
    named: dict[str, tuple[ast.expr, Value]] = {}
    for keyword in node.keywords:
        value = machine.evaluate(keyword.value, frame)
        if keyword.arg is not None:
            named[keyword.arg] = (keyword.value, value)
        elif isinstance(value, Table):
            named |= {str(key): (keyword.value, item) for key, _, item in value.entries}
    return Given(node, frame, tuple(positional), named)


# The platform's API


def _call_api(handle: Handle, given: Given, machine: Machine) -> Value:
    path = handle.path
    special = _SPECIAL.get(path)
    if special is not None:
        return special(given, machine)
    if path in api.NAMING:
        return _name_object(api.NAMING[path], path, given, machine)
    if path in api.PATHS:
        return _name_paths(path, given, machine)
    if path in builtins.FUNCTIONS:
        return builtins.FUNCTIONS[path](given.values, machine)
    last = path.rsplit(".", 1)[-1]
    if last in ("getOrCreate", "getActiveSession") or path == "spark.newSession":
        return Handle("spark")
    if path.rsplit(".", 2)[-2:-1] == ["builder"]:  # of a session: `SparkSession.builder.appName("x")`
        return Handle(path.rsplit(".", 1)[0])
    if path.startswith(("spark.read", "write.")):
        return _call_reader_or_writer(handle, last, given, machine)
    if path.startswith("DeltaTable"):
        return _call_delta(handle, last, given, machine)
    if path.startswith("writeTo.") and handle.uses:
        return _finish_write_to(handle, last, machine)
    return _call_other(handle, last, given, machine)


def _name_object(naming: api.Naming, verb: str, given: Given, machine: Machine) -> Value:
    index = 0 if verb == "DeltaTable.forName" and len(given.positional) == 1 else naming.index
    found = given.at(index, *naming.keywords)
    if found is None:
        return Unknown("table")
    beside = given.at(1, "dbName") if verb in api.TAKE_SCHEMA else None
    if verb.startswith(api.JAVA_CATALOG) and len(given.positional) == 2:  # Java's has the schema first
        beside, found = given.positional
    schema = beside[1] if beside is not None and isinstance(beside[1], Text) else None
    uses = _report_name(found, naming, verb, given.frame, machine, schema)
    if verb == "DeltaTable.forName":
        return Handle("DeltaTable.instance", uses=tuple(uses))
    if verb == "DeltaTableBuilder.tableName":
        return Handle("DeltaTableBuilder")
    return Unknown("dataframe")


def _report_name(
    found: tuple[ast.expr, Value],
    naming: api.Naming,
    verb: str,
    frame: Frame,
    machine: Machine,
    schema: Value | None = None,
) -> list[object]:
    """Tell the witness of each name that the argument can be, in the schema of an argument beside it."""
    node, value = found
    place = _name_place(node, value, frame)
    witness = machine.witness
    texts = [as_text(v) for v in alternatives(frame.assuming(value))]
    if place is not None:
        texts = [slot(text, place, expression=True) for text in texts]
    if schema is not None:
        place = place or frame.unit.place(node)
        texts = [concat(as_text(schema), made("."), text) for text in texts]
    return [witness.name(text, place, frame, naming.side, naming.kind, verb) for text in texts]


def _name_place(node: ast.expr, value: Value, frame: Frame) -> Place | None:
    """The argument expression, or None where a literal spells the name itself."""
    plain_template = is_template(node) and not isinstance(node, ast.BinOp | ast.Call)
    formatted = isinstance(node, ast.BinOp | ast.Call) and is_template(node) and not _is_sum(node)
    return None if (plain_template or formatted) and not isinstance(value, Unknown) else frame.unit.place(node)


def _is_sum(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)


def _name_paths(path: str, given: Given, machine: Machine) -> Value:
    for index, side in api.PATHS[path]:
        position = 0 if path.startswith("DeltaTable.") and len(given.positional) == 1 else index
        _report_path(given.at(position, "path", "dir", "file"), side, path, given.frame, machine)
    return Unknown("files")


def _report_path(
    found: tuple[ast.expr, Value] | None, side: Side, verb: str, frame: Frame, machine: Machine, *, local: bool = False
) -> None:
    if found is None:
        return
    node, value = found
    for option in alternatives(value):
        for item in option.items if isinstance(option, Items) else (option,):
            text = as_text(item)
            unseen = side is Side.WRITE and not (isinstance(item, Text) and text.known)  # it may be anyone's file
            if unseen or (isinstance(item, Text) and (not local or text.text.startswith(("/dbfs/", "/Volumes/")))):
                machine.witness.path(text, frame.unit.place(node), side, verb)


def _call_reader_or_writer(handle: Handle, last: str, given: Given, machine: Machine) -> Value:
    writes = handle.path.startswith("write.")
    if last in api.WRITING:
        return _write_table(handle, last, given, machine)
    if last in (api.WRITE_FORMATS if writes else api.READ_FORMATS):
        file_format = given.text(99, "format") or handle.option("format")
        if file_format not in api.NO_FILES:
            verb = f"{'write' if writes else 'read'}.{last}"
            _report_path(given.at(0, "path"), Side.WRITE if writes else Side.READ, verb, given.frame, machine)
        return Unknown("dataframe")
    machine.escape(*given.values)
    options = dict(handle.options)
    if last in ("format", "mode") and (value := given.text(0, "source", "saveMode")):
        options[last] = value
    return Handle(handle.path.rsplit(".", 1)[0], tuple(options.items()), handle.uses)


def _write_table(handle: Handle, method: str, given: Given, machine: Machine) -> Value:
    naming = api.WRITING[method]
    found = given.at(naming.index, *naming.keywords)
    if found is None:
        return Unknown("table")
    uses = _report_name(found, naming, f"{method} {_mode(handle, method, given)}".strip(), given.frame, machine)
    return Handle("writeTo", uses=tuple(uses)) if method == "writeTo" else Unknown("table")


def _mode(handle: Handle, method: str, given: Given) -> str:
    if method == "insertInto":
        overwrite = given.at(1, "overwrite")
        said = plain(overwrite[1]) if overwrite else None
        return "overwrite" if said is True or (said is None and handle.option("mode") == "overwrite") else "append"
    if method == "saveAsTable":
        return given.text(2, "mode") or handle.option("mode") or "errorifexists"
    return "append" if method == "toTable" else ""


def _finish_write_to(handle: Handle, last: str, machine: Machine) -> Value:
    if last in api.WRITE_TO:
        for use in handle.uses:
            machine.witness.refine(use, Side.WRITE, api.WRITE_TO[last])
    return Handle("writeTo", uses=handle.uses)


def _call_delta(handle: Handle, last: str, given: Given, machine: Machine) -> Value:
    machine.escape(*given.values)
    if handle.path.startswith("DeltaTableBuilder") or last in (
        "create",
        "createIfNotExists",
        "createOrReplace",
        "replace",
    ):
        return Handle("DeltaTableBuilder")
    if last in api.DELTA_WRITES:
        for use in handle.uses:
            machine.witness.refine(use, *api.DELTA_WRITES[last])
        return Unknown("merge")
    return Handle("DeltaTable.instance", uses=handle.uses) if last in ("alias", "as") else Unknown("dataframe")


def _call_other(handle: Handle, last: str, given: Given, machine: Machine) -> Value:
    module = handle.path.rsplit(".", 1)[0]
    if last in api.FILE_READERS and module in api.FILE_MODULES:
        _report_path(given.at(0, "filepath_or_buffer", "path", "io"), Side.READ, last, given.frame, machine, local=True)
    elif last not in api.HARMLESS:
        return _call_unknown(handle, given, machine)
    return Unknown(last)


# Calls of the API that need more than a table


def _sql(given: Given, machine: Machine) -> Value:
    found = given.at(0, "sqlQuery", "query")
    if found is None:
        return Unknown("dataframe")
    node, value = found
    arguments = given.at(1, "args")
    execute(spelled(value, node, given.frame), given.frame, machine, arguments[1] if arguments else None)
    return Unknown("dataframe")


def execute(value: Value, frame: Frame, machine: Machine, arguments: Value | None) -> None:
    """Tell the witness of each SQL text that may run, and keep apart what each does to the session."""
    if isinstance(value, Choice):
        before = _session(frame)
        after: dict[int, dict[str, Value]] = {}
        for branch, option in value.options:
            frame.globals.update(before)
            assumed = Frame(frame.unit, frame.scopes, frame.depth, (*frame.assumed, (value.key, branch)))
            execute(option, assumed, machine, arguments)
            after[branch] = _session(frame)
        for name in dict.fromkeys(name for state in after.values() for name in state):
            frame.globals[name] = choose(value.key, {b: s[name] for b, s in after.items() if name in s})
        return
    machine.witness.sql(as_text(value), frame, arguments)


def _session(frame: Frame) -> dict[str, Value]:
    return {name: value for name, value in frame.globals.items() if name.startswith("@")}


def _define_widget(given: Given, machine: Machine) -> Value:
    name, default = given.text(0, "name"), given.at(1, "defaultValue")
    if name is not None:
        given.frame.globals[f"@widget:{name}"] = default[1] if default else made("")
    return Constant(None)


def _get_widget(given: Given, machine: Machine) -> Value:
    found = given.at(0, "name")
    if found is None:
        return Unknown("widget")
    return lift(lambda name: _widget(name, given, machine), found[1])


def _widget(name: Value, given: Given, machine: Machine) -> Value:
    known = plain(name)
    if not isinstance(known, str):
        return Unknown("widget")
    value = widget_value(known, given.frame.globals, machine)
    fallback = given.at(1, "defaultArgument")
    return fallback[1] if isinstance(value, Unknown) and fallback else value


def widget_value(name: str, scope: Mapping[str, Value], machine: Machine) -> Value:
    """The value of a widget: as given by option, by the notebooks that run this one, or its default."""
    if name in machine.params:
        return given_as(made(machine.params[name]), f"widget {name}")
    default = lift(lambda v: _given(v, f"widget {name}"), scope.get(f"@widget:{name}", Unknown(name)))
    if not any(name in arguments for arguments in machine.callers):
        return default
    values = {
        i: given_as(made(a[name]), f"widget {name}") if name in a else default for i, a in enumerate(machine.callers)
    }
    return choose("callers", values)


def _given(value: Value, by: str) -> Value:
    match value:
        case Text() if value.known:
            return given_as(value, by)
        case Constant(constant):
            return given_as(made(str(constant)), by)
    return Unknown(by.rsplit(" ", 1)[-1])


def _all_widgets(given: Given, machine: Machine) -> Value:
    names = [name.removeprefix("@widget:") for name in given.frame.globals if name.startswith("@widget:")]
    known = dict.fromkeys([*names, *machine.params])
    scope = given.frame.globals
    return Table(tuple((name, made(name), widget_value(name, scope, machine)) for name in known))


def _set_conf(given: Given, machine: Machine) -> Value:
    machine.escape(*given.values)
    name, value = given.text(0, "key"), given.at(1, "value")
    if name is not None and value is not None:
        given.frame.globals[f"@conf:{name}"] = lift(lambda v: _given(v, f"setting {name}"), value[1])
    return Constant(None)


def _get_conf(given: Given, machine: Machine) -> Value:
    name, default = given.text(0, "key"), given.at(1, "default")
    if name is None:
        return Unknown("setting")
    value = given.frame.globals.get(f"@conf:{name}")
    return value if value is not None else (default[1] if default else Unknown(name))


def _set_schema(given: Given, machine: Machine) -> Value:
    found = given.at(0, "dbName", "databaseName")
    if found is not None:
        given.frame.globals["@schema"] = found[1]
    return Constant(None)


def _set_catalog(given: Given, machine: Machine) -> Value:
    found = given.at(0, "catalogName")
    if found is not None:
        given.frame.globals["@catalog"] = found[1]
        given.frame.globals["@schema"] = made("default")
    return Constant(None)


def _run_notebook(given: Given, machine: Machine) -> Value:
    path, arguments = given.at(0, "path"), given.at(2, "arguments")
    for option in alternatives(path[1]) if path else ():
        machine.witness.child(as_text(option), arguments[1] if arguments else None, "notebook.run")
    return Unknown("result")


def _open(given: Given, machine: Machine) -> Value:
    mode = given.text(1, "mode") or "r"
    side = Side.WRITE if any(letter in mode for letter in "wax") else Side.READ
    _report_path(given.at(0, "file"), side, "open", given.frame, machine, local=True)
    return Unknown("file")


def _dedent(given: Given, machine: Machine) -> Value:
    found = given.at(0, "text")
    return lift(lambda v: dedent(v) if isinstance(v, Text) else v, found[1]) if found else Unknown("text")


def _make_dict(given: Given, machine: Machine) -> Value:
    """`dict(pairs, name=value)`."""
    start = builtins.FUNCTIONS["dict"]([value for _, value in given.positional], machine)
    if not isinstance(start, Table):
        return start
    named = tuple((name, made(name), value) for name, (_, value) in given.named.items())
    return Table((*(entry for entry in start.entries if entry[0] not in given.named), *named))


def _java_catalog(given: Given, machine: Machine) -> Value:
    return Handle(api.JAVA_CATALOG)


def _template(given: Given, machine: Machine) -> Value:
    """`string.Template(text)`: nothing but its text."""
    found = given.at(0, "template")
    return found[1] if found else Unknown("text")


def _drop_view(given: Given, machine: Machine) -> Value:
    return Constant(None)


def _register_view(given: Given, machine: Machine) -> Value:
    found = given.at(1, "tableName")
    _report_views(found[1] if found else Unknown("view"), machine)
    return Constant(None)


_SPECIAL: dict[str, Callable[[Given, Machine], Value]] = {
    "spark.sql": _sql,
    "pyspark.pandas.sql": _sql,
    "spark.conf.set": _set_conf,
    "spark.setConf": _set_conf,
    "spark.conf.get": _get_conf,
    "spark.getConf": _get_conf,
    "spark.catalog.setCurrentDatabase": _set_schema,
    "spark.catalog.setCurrentCatalog": _set_catalog,
    "spark.catalog.dropTempView": _drop_view,
    "spark.catalog.dropGlobalTempView": _drop_view,
    "spark.dropTempTable": _drop_view,
    "spark.registerDataFrameAsTable": _register_view,
    **dict.fromkeys(api.WIDGETS, _define_widget),
    "dbutils.widgets.get": _get_widget,
    "dbutils.widgets.getArgument": _get_widget,
    "dbutils.widgets.getAll": _all_widgets,
    "getArgument": _get_widget,
    "dbutils.notebook.run": _run_notebook,
    "open": _open,
    "dict": _make_dict,
    "string.Template": _template,
    api.JAVA_CATALOG: _java_catalog,
    "textwrap.dedent": _dedent,
}


# Methods, functions of the notebook, and everything else


def _call_method(owner: Value, name: str, given: Given, machine: Machine) -> Value:
    match owner:
        case Text():
            return _call_text(owner, name, given, machine)
        case Choice() if any(isinstance(v, Text) for v in alternatives(owner)):
            return lift(lambda v: _call_text(v, name, given, machine) if isinstance(v, Text) else Unknown(), owner)
        case Items() | Table():
            return _call_collection(owner, name, given, machine)
        case Namespace() if isinstance(method := owner.get(name), Function):
            return invoke(method, _with_self(method, owner, given), _named(given), machine)
        case Choice():
            return lift(lambda v: _call_collection(v, name, given, machine), owner)
    if name in api.VIEWS:
        found = given.at(0, "name")
        _report_views(found[1] if found else Unknown("view"), machine)
        return Constant(None)
    if name in api.WRITING:
        return _write_table(Handle("write"), name, given, machine)
    if name in api.FILE_WRITERS:
        _report_path(given.at(0, "path", "path_or_buf"), Side.WRITE, name, given.frame, machine, local=True)
        return Unknown()
    return Unknown() if name in api.HARMLESS else _call_unknown(owner, given, machine)


def _report_views(value: Value, machine: Machine) -> None:
    for option in alternatives(value):
        text = as_text(option)
        machine.witness.view(text if text.known else None)


def _call_text(owner: Text, name: str, given: Given, machine: Machine) -> Value:
    if name == "format":
        places = [given.frame.unit.place(node) for node, _ in given.positional]
        names = list(given.named)

        def formatted(*values: Value) -> Value:
            split = len(places)
            positional = [Argument(v, p) for v, p in zip(values[:split], places, strict=True)]
            return apply_format(
                owner, positional, {n: Argument(v, None) for n, v in zip(names, values[split:], strict=True)}
            )

        return lift(formatted, *given.values)
    if name in ("substitute", "safe_substitute"):
        return _substitute(owner, given)
    if name not in ("strip", "lstrip", "rstrip", "replace", "join", "split"):
        machine.escape(owner, *given.values)
    return (
        lift(lambda *values: call_method(owner, name, values), *given.values)
        if given.values
        else call_method(owner, name, ())
    )


def _substitute(owner: Text, given: Given) -> Value:
    """A template, which is kept as its text, with its fields filled in."""
    table = given.positional[0][1] if given.positional else Table(())
    if not isinstance(table, Table):
        return Unknown("text")
    named = {str(key): value for key, _, value in table.entries} | _named(given)
    return lift(
        lambda *values: apply_template(owner, {n: Argument(v, None) for n, v in zip(named, values, strict=True)}),
        *named.values(),
    )


def _call_collection(owner: Value, name: str, given: Given, machine: Machine) -> Value:
    values = [value for _, value in given.positional]
    changed, result = builtins.collection(owner, name, values)
    if (
        changed is not None
        and isinstance(target := given.node.func, ast.Attribute)
        and isinstance(target.value, ast.Name)
    ):
        given.frame.rebind(target.value.id, changed)
    return result


def invoke(function: Function, positional: Sequence[Value], named: Mapping[str, Value], machine: Machine) -> Value:
    """Call a function of the notebook."""
    frame = function.frame
    machine.called.add(id(function.node))
    if machine.depth >= _MAX_DEPTH:
        return Unknown("result")
    scope = _parameters(function, positional, named)
    inner = Frame(frame.unit, (scope, *frame.scopes), frame.depth + 1, frame.assumed)
    machine.depth += 1
    try:
        if isinstance(function.node, ast.Lambda):
            return machine.evaluate(function.node.body, inner)
        return machine.run(function.node.body, inner, machine)
    finally:
        machine.depth -= 1


def _named(given: Given) -> dict[str, Value]:
    return {name: value for name, (_, value) in given.named.items()}


def _with_self(method: Function, owner: Namespace, given: Given) -> list[Value]:
    """The arguments of a method, the object first unless the method is static."""
    values = [value for _, value in given.positional]
    decorators = getattr(method.node, "decorator_list", [])
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in decorators)
    return values if static else [owner, *values]


def _instantiate(made: Namespace, given: Given, machine: Machine) -> Value:
    """An object of a class of the notebook, with the attributes that its `__init__` sets."""
    start = made.get("__init__")
    if not isinstance(start, Function) or machine.depth >= _MAX_DEPTH or isinstance(start.node, ast.Lambda):
        return made
    machine.called.add(id(start.node))
    scope = _parameters(start, _with_self(start, made, given), _named(given))
    frame = start.frame
    machine.depth += 1
    machine.run(start.node.body, Frame(frame.unit, (scope, *frame.scopes), frame.depth + 1, frame.assumed), machine)
    machine.depth -= 1
    own = next(iter(scope.values()), made)
    return own if isinstance(own, Namespace) else made


def _parameters(function: Function, positional: Sequence[Value], named: Mapping[str, Value]) -> dict[str, Value]:
    arguments = function.node.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    scope: dict[str, Value] = {name: Unknown(name) for name in (*names, *(a.arg for a in arguments.kwonlyargs))}
    scope |= function.defaults
    scope |= dict(zip(names, positional, strict=False))
    scope |= {name: value for name, value in named.items() if name in scope}
    if arguments.vararg:
        scope[arguments.vararg.arg] = Items(tuple(positional[len(names) :]), "tuple")
    if arguments.kwarg:
        rest = {name: value for name, value in named.items() if name not in scope}
        scope[arguments.kwarg.arg] = Table(tuple((name, made(name), value) for name, value in rest.items()))
    return scope


def call_blindly(function: Function, machine: Machine) -> None:
    """Run a function that nothing calls, its parameters unknown, to see what it names."""
    invoke(function, [], {}, machine)


def _call_unknown(function: Value, given: Given, machine: Machine) -> Value:
    """A call of something that is not known: functions handed to it are taken to be called with what is handed along."""
    functions = [value for value in given.values if isinstance(value, Function)]
    others = [value for value in given.values if not isinstance(value, Function)]
    for callback in functions:
        for arguments in _callback_arguments(callback, others, given, machine):
            invoke(callback, arguments, {}, machine)
    if not functions:
        machine.escape(*_flat(others))
    name = function.path.rsplit(".", 1)[-1] if isinstance(function, Handle) else getattr(function, "name", "value")
    return Unknown(name)


def _callback_arguments(
    callback: Function, others: Sequence[Value], given: Given, machine: Machine
) -> Iterator[Sequence[Value]]:
    name = given.node.func.attr if isinstance(given.node.func, ast.Attribute) else ""
    if name == "submit":
        yield others
        return
    for value in others:
        for _, item in iterations(value, given.frame, machine) or ():
            yield list(item.items) if name == "starmap" and isinstance(item, Items) else [item]
        if isinstance(value, Items) and "args" in given.named:
            yield list(value.items)
            return


def _flat(values: Sequence[Value]) -> Iterator[Value]:
    for value in values:
        if isinstance(value, Items):
            yield from _flat(value.items)
        elif isinstance(value, Table):
            yield from _flat([item for _, _, item in value.entries])
        else:
            yield value
