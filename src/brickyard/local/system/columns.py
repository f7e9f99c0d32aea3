"""Column lineage: which columns of its sources a statement writes into which column of its target.

It is told where it is exact, from the statement's own text and the columns that its tables had: a statement that reads
anything but tables and views of the catalog, or says something that this module cannot follow, leaves no row here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, ScopeType, build_scope
from sqlglot.schema import MappingSchema

from brickyard.dbsql.model import Column, Statement
from brickyard.local.catalog.model import Table
from brickyard.local.sql.expand import single
from brickyard.local.sql.model import SqlError
from brickyard.local.sql.relations import Use
from brickyard.local.system.model import Row
from brickyard.local.system.rows import Finished, lineage_event, same, side
from brickyard.notebooks.model import Span

_DIALECT = "databricks"
_MAX_TEXT = 50_000
_OF_UNUSUAL_TREES = (AttributeError, KeyError, RecursionError, TypeError, ValueError)  # raised by the optimizer
Key = tuple[str, ...]
Source = tuple[Key, str]  # the table and the column


class _Inexact(Exception):
    """The statement says something that cannot be followed."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where the names of a statement are looked up: what USE said, and the temporary views that hide tables."""

    catalog: str
    schema: str
    temp_views: frozenset[str] = frozenset()


def column_rows(done: Finished, namespace: Namespace) -> list[Row]:
    """The rows of `system.access.column_lineage`: one for each source column of a target column."""
    if done.uses.target is None or not done.uses.sources or len(done.text) > _MAX_TEXT:
        return []
    try:
        found = dict(_written(done, namespace))
    except (SqlglotError, SqlError, _Inexact, *_OF_UNUSUAL_TREES):
        return []
    return list(_rows(done, found))


def _rows(done: Finished, found: Mapping[str, frozenset[Source]]) -> Iterator[Row]:
    target, uses = done.uses.target, {use.table.key: use for use in done.uses.sources if use.table}
    for name, sources in found.items():
        for key, column in sorted(sources):
            use = uses.get(key)
            if use is not None and not same(use, target):
                yield {
                    **lineage_event(done),
                    **side("source", use),
                    **side("target", target),
                    "source_column_name": column,
                    "target_column_name": name,
                    "direct_access": True,
                }


def _written(done: Finished, namespace: Namespace) -> Iterable[tuple[str, frozenset[Source]]]:
    """The columns of the target and what goes into each."""
    target = done.uses.target
    if target is None or target.table is None:
        raise _Inexact
    tables = {use.table.key: use.table for use in done.uses.sources if use.table is not None and use.direct}
    if done.kind == "CLONE":
        return _cloned(target.table, done.uses.sources)
    statement = single(done.text, namespace.temp_views)
    match statement.verb:
        case "CREATE TABLE" | "CREATE VIEW":
            outputs = _Query(_query(done.text, statement), tables, namespace).outputs()
            declared = [column.name for column in target.table.columns] or _declared(statement)
            return _by_position(declared or [name for name, _ in outputs], [source for _, source in outputs])
        case "INSERT" | "INSERT OVERWRITE":
            outputs = _Query(_query(done.text, statement), tables, namespace).outputs()
            return _inserted(statement, target.table, outputs)
        case "MERGE":
            return _merged(done.text, target.table, {**tables, target.table.key: target.table}, namespace)
    raise _Inexact


def _cloned(target: Table, sources: Sequence[Use]) -> Iterator[tuple[str, frozenset[Source]]]:
    for use in sources:
        if use.table is not None:
            for column in target.columns:
                yield column.name, frozenset({(use.table.key, column.name)})


def _query(text: str, statement: Statement) -> exp.Query:
    span = statement.arguments.get("query")
    if not isinstance(span, Span) or statement.markers:
        raise _Inexact
    tree = sqlglot.parse_one(span.slice(text), dialect=_DIALECT)
    if not isinstance(tree, exp.Query):
        raise _Inexact
    return tree


def _declared(statement: Statement) -> list[str]:
    columns = statement.arguments.get("columns")
    return [column.name for column in columns if isinstance(column, Column)] if isinstance(columns, tuple) else []


def _by_position(names: Sequence[str], sources: Sequence[frozenset[Source]]) -> Iterable[tuple[str, frozenset[Source]]]:
    if len(names) != len(sources):
        raise _Inexact
    return zip(names, sources, strict=True)


def _inserted(
    statement: Statement, target: Table, sources: Sequence[tuple[str, frozenset[Source]]]
) -> Iterable[tuple[str, frozenset[Source]]]:
    if statement.arguments.get("partition"):
        raise _Inexact
    known = {column.name.lower(): column.name for column in target.columns}
    columns = statement.arguments.get("columns")
    if isinstance(columns, tuple):
        names = [known.get(str(name).strip("`").lower(), "") for name in columns]
    elif statement.arguments.get("by_name"):
        names = [known.get(name.lower(), "") for name, _ in sources]
    else:
        names = [column.name for column in target.columns]
    if "" in names:
        raise _Inexact
    return _by_position(names, [source for _, source in sources])


def _merged(
    text: str, target: Table, tables: Mapping[Key, Table], namespace: Namespace
) -> Iterator[tuple[str, frozenset[Source]]]:
    """What a MERGE assigns, as the outputs of a query over its two sides."""
    tree = sqlglot.parse_one(text, dialect=_DIALECT)
    if not isinstance(tree, exp.Merge):
        raise _Inexact
    assigned = list(_assignments(tree, target))
    query = exp.select(*(value.as_(f"_{place}") for place, (_, value) in enumerate(assigned)))
    sides = query.from_(tree.args["using"].copy()).join(tree.this.copy(), join_type="cross")
    known = {column.name.lower(): column.name for column in target.columns}
    found: dict[str, frozenset[Source]] = {}
    for (name, _), (_, sources) in zip(assigned, _Query(sides, tables, namespace).outputs(), strict=True):
        if name.lower() not in known:
            raise _Inexact
        found[known[name.lower()]] = found.get(known[name.lower()], frozenset()) | sources
    yield from found.items()


def _assignments(tree: exp.Merge, target: Table) -> Iterator[tuple[str, exp.Expression]]:
    using = tree.args["using"].alias_or_name
    for when in tree.find_all(exp.When):
        then = when.args.get("then")
        match then:
            case exp.Update(expressions=[exp.Star()]) | exp.Insert(this=exp.Star()):
                for column in target.columns:
                    yield column.name, exp.column(column.name, table=using, quoted=True)
            case exp.Update() if all(isinstance(equal, exp.EQ) for equal in then.expressions):
                for equal in then.expressions:
                    yield equal.this.name, equal.expression.copy()
            case exp.Insert(this=exp.Tuple() as columns, expression=exp.Tuple() as values):
                for column, value in zip(columns.expressions, values.expressions, strict=True):
                    yield column.name, value.copy()
            case exp.Update() | exp.Insert():
                raise _Inexact


class _Query:
    """A query with every name resolved."""

    def __init__(self, tree: exp.Query, tables: Mapping[Key, Table], namespace: Namespace) -> None:
        self._tables = tables
        self._columns = {key: {c.name.lower(): c.name for c in table.columns} for key, table in tables.items()}
        _check(tree, namespace)
        qualified = qualify(
            tree,
            dialect=_DIALECT,
            catalog=namespace.catalog,
            db=namespace.schema,
            schema=self._schema(),
            identify=False,
        )
        root = build_scope(qualified)
        if root is None:
            raise _Inexact
        self._root = root
        for scope in root.traverse():
            for source in scope.sources.values():
                if isinstance(source, exp.Table):
                    self._key(source)

    def _schema(self) -> MappingSchema:
        schema = MappingSchema(dialect=_DIALECT)
        for key, table in self._tables.items():
            catalog, db, name = (exp.to_identifier(part, quoted=True) for part in key)
            schema.add_table(
                exp.table_(name, db, catalog), {c.name.lower(): c.type_text for c in table.columns}, match_depth=False
            )
        return schema

    def outputs(self) -> list[tuple[str, frozenset[Source]]]:
        """The name of each output column and the source columns that it is computed from."""
        tree = self._root.expression
        names = tree.named_selects if isinstance(tree, exp.Query) else []
        return [(name, self._traced(self._root, place)) for place, name in enumerate(names)]

    def _traced(self, scope: Scope, place: int) -> frozenset[Source]:
        tree = scope.expression
        if isinstance(tree, exp.SetOperation):
            return frozenset().union(*(self._traced(one, place) for one in scope.set_operation_scopes))
        if isinstance(tree, exp.Subquery):
            return frozenset().union(*(self._traced(one, place) for one in scope.subquery_scopes))
        if not isinstance(tree, exp.Select) or place >= len(tree.selects):
            raise _Inexact
        select = tree.selects[place]
        if select.find(exp.Query):
            raise _Inexact
        return frozenset().union(*(self._source(scope, column) for column in select.find_all(exp.Column)))

    def _source(self, scope: Scope, column: exp.Column) -> frozenset[Source]:
        source = scope.sources.get(column.table)
        if isinstance(source, exp.Table):
            key = self._key(source)
            if column.name.lower() not in self._columns[key]:
                raise _Inexact
            return frozenset({(key, self._columns[key][column.name.lower()])})
        if not isinstance(source, Scope) or source.scope_type is ScopeType.UDTF:
            raise _Inexact
        tree = source.expression
        names = [name.lower() for name in tree.named_selects] if isinstance(tree, exp.Query) else []
        if names.count(column.name.lower()) != 1:
            raise _Inexact
        return self._traced(source, names.index(column.name.lower()))

    def _key(self, table: exp.Table) -> Key:
        key = (table.catalog.lower(), table.db.lower(), table.name.lower())
        if key not in self._tables:
            raise _Inexact
        return key


_UNFOLLOWED = (exp.Pivot, exp.Lateral, exp.Unnest, exp.Placeholder, exp.Parameter, exp.Command)


def _check(tree: exp.Query, namespace: Namespace) -> None:
    """Refuse what resolving names would get wrong."""
    if tree.find(*_UNFOLLOWED):
        raise _Inexact
    for table in tree.find_all(exp.Table):
        if not table.db and table.name.lower() in namespace.temp_views:
            raise _Inexact
    for join in tree.find_all(exp.Join):
        if join.args.get("using") or join.method:
            raise _Inexact
    for cte in tree.find_all(exp.With):
        if cte.args.get("recursive"):
            raise _Inexact
    for select in tree.find_all(exp.Select):
        _check_aliases(select)


def _check_aliases(select: exp.Select) -> None:
    """An alias that a later item of the same list may mean could be that or a column: it depends on the sources."""
    aliases: set[str] = set()
    for item in select.selects:
        if any(not column.table and column.name.lower() in aliases for column in item.find_all(exp.Column)):
            raise _Inexact
        if isinstance(item, exp.Alias):
            aliases.add(item.alias.lower())
