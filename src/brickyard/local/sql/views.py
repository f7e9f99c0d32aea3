"""Views and SQL functions: their text is kept as written, with the namespace where its names are looked up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from brickyard.dbsql.model import Column as Declared
from brickyard.dbsql.model import Kind, Reference, Side
from brickyard.kernel.names import quote
from brickyard.local.catalog.model import CatalogError, Column, Function, FunctionParameter, Table, TableType
from brickyard.local.sql.call import Call, catalog_error
from brickyard.local.sql.expand import Expander, absolute, single
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.relations import Use, Uses, check_privilege, find_function, find_table, literal_parts
from brickyard.local.sql.tables import check_parent, existing_table, with_others
from brickyard.local.sql.types import columns_of, field_of_arrow
from brickyard.notebooks.model import Span


@with_others
def create_view(call: Call) -> Result:
    """CREATE [OR REPLACE] VIEW."""
    existing = existing_table(call)
    if existing is not None and not call.has("replace"):
        if call.has("if_not_exists"):
            return call.done()
        raise SqlError(
            "TABLE_OR_VIEW_ALREADY_EXISTS", f"Cannot create view `{existing.full_name}`: it exists.", "42P07"
        )
    if existing is not None and existing.table_type is not TableType.VIEW:
        raise SqlError("EXPECT_VIEW_NOT_TABLE", f"`{existing.full_name}` is a table, not a view.", "42809")
    catalog, schema, name = call.table_name()
    wanted = existing or Table(catalog=catalog, schema=schema, name=name, table_type=TableType.VIEW)
    _store(call, wanted, is_new=existing is None)
    return call.done()


def redefine(call: Call, view: Table) -> None:
    """ALTER VIEW … AS query."""
    _store(call, view, is_new=False)


def _store(call: Call, view: Table, *, is_new: bool) -> None:
    declared = call.statement.arguments.get("columns")
    columns = [c for c in declared if isinstance(c, Declared)] if isinstance(declared, tuple) else []
    text = call.slice("query") or ""
    defined = replace(
        view,
        table_type=TableType.VIEW,
        view_definition=text,
        view_catalog=call.session.catalog,
        view_schema=call.session.schema,
        view_columns=tuple(c.name for c in columns) if call.verb != "ALTER VIEW" else view.view_columns,
        comment=call.get("comment", str) or view.comment,
        properties={**view.properties, **call.mapping("properties")},
        data_source_format="VIEW",
    )
    described = replace(defined, columns=_probed(call, defined, columns))
    try:
        save = call.shop.store.add if is_new else call.shop.store.save
        save(described, by=call.session.principal)
    except CatalogError as error:
        raise catalog_error(error) from error


def _probed(call: Call, view: Table, declared: list[Declared]) -> tuple[Column, ...]:
    """The columns of a view, as the engine plans them; refuses a view that reads itself."""
    uses = Uses()
    session = replace(call.session, recipient={})
    expanded = Expander(call.shop.store, session, uses).expand(view.view_definition or "")
    if any(use.table is not None and use.table.key == view.key for use in uses.sources):
        raise SqlError("RECURSIVE_VIEW", f"Recursive view `{view.full_name}` detected.", "42K0H")
    sql = call.render_text(expanded)
    names = f" AS _v({', '.join(quote(n) for n in view.view_columns)})" if view.view_columns else ""
    rows = call.query(f"SELECT * FROM (\n{sql}\n){names} LIMIT 0")
    call.uses.sources += uses.sources
    call.uses.target = Use(view)
    comments = {c.name.lower(): c.comment for c in declared}
    fields = [{**field_of_arrow(f), "nullable": True} for f in rows.schema]
    return tuple(replace(c, comment=comments.get(c.name.lower())) for c in columns_of(fields))


def create_temp_view(call: Call) -> Result:
    """CREATE TEMP VIEW: it lives in the engine's session."""
    name = literal_parts(call.need("target", Reference))[-1]
    if call.has("global"):
        raise unsupported("CREATE GLOBAL TEMPORARY VIEW", "use a view of a schema")
    if call.has("using"):
        raise unsupported("CREATE TEMPORARY VIEW … USING", "use CREATE TEMPORARY VIEW … AS SELECT * FROM format.`path`")
    if name.lower() in call.session.temp_views and not call.has("replace"):
        raise SqlError(
            "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", f"Cannot create the temporary view `{name}`: it exists.", "42P07"
        )
    declared = call.statement.arguments.get("columns")
    columns = [c.name for c in declared if isinstance(c, Declared)] if isinstance(declared, tuple) else []
    names = f" ({', '.join(map(quote, columns))})" if columns else ""
    call.query(f"CREATE OR REPLACE TEMPORARY VIEW {quote(name)}{names} AS {call.render(call.need('query', Span))}")
    call.session.temp_views.add(name.lower())
    return call.done()


def drop_temp_view(call: Call, name: str) -> Result:
    """DROP VIEW of a temp view."""
    call.query(f"DROP VIEW IF EXISTS {quote(name)}")
    call.session.temp_views.discard(name.lower())
    return call.done()


@with_others
def create_function(call: Call) -> Result:
    """CREATE [OR REPLACE] FUNCTION … RETURN: SQL only."""
    if call.get("language", str) not in (None, "SQL"):
        raise unsupported(
            f"A function in {call.get('language', str)}", "write it in SQL, or register a UDF in the notebook"
        )
    catalog, schema, name = call.table_name()
    check_parent(call, catalog, schema, "CREATE FUNCTION")
    existing = find_function(call.shop.store, call.session, (catalog, schema, name))
    if existing is not None and not call.has("replace"):
        if call.has("if_not_exists"):
            return call.done()
        raise SqlError("ROUTINE_ALREADY_EXISTS", f"Cannot create the routine `{name}`: it exists.", "42723")
    if existing is not None:
        check_privilege(call.shop.store, call.session, existing, "MANAGE")
    wanted = replace(existing or Function(catalog=catalog, schema=schema, name=name), **_definition(call))
    _check_body(call, wanted)
    _save_function(call, wanted, is_new=existing is None)
    return call.done()


def _definition(call: Call) -> dict[str, Any]:
    declared = call.statement.arguments.get("parameters")
    parameters = [c for c in declared if isinstance(c, Declared)] if isinstance(declared, tuple) else []
    return {
        "parameters": tuple(_parameter(call, c) for c in parameters),
        "return_type": call.get("returns", str),
        "body": call.slice("body") or "",
        "is_table": "returns_table" in call.statement.arguments,
        "deterministic": call.statement.arguments.get("deterministic") is not False,
        "comment": call.get("comment", str),
        "body_catalog": call.session.catalog,
        "body_schema": call.session.schema,
    }


def _parameter(call: Call, column: Declared) -> FunctionParameter:
    default = column.default.slice(call.text) if column.default is not None else None
    return FunctionParameter(column.name, column.type or "string", default, column.comment)


def _check_body(call: Call, function: Function) -> None:
    """Refuse a body that names what is not there."""
    head = single(function.body if function.is_table else f"SELECT {function.body}")
    for reference in head.references:
        if reference.side is Side.READ and reference.kind is not Kind.FUNCTION and reference.literal:
            find_table(call.shop.store, call.session, reference.literal)
    absolute(call.shop.store, f"SELECT ({function.body})", call.session.catalog, call.session.schema)


def _save_function(call: Call, function: Function, *, is_new: bool) -> None:
    try:
        if is_new:
            call.shop.store.add(function, by=call.session.principal)
        else:
            call.shop.store.save(function, by=call.session.principal)
    except CatalogError as error:
        raise catalog_error(error) from error


def drop_function(call: Call) -> Result:
    """DROP FUNCTION."""
    parts = literal_parts(call.need("target", Reference))
    function = find_function(call.shop.store, call.session, parts)
    if function is None:
        if call.has("if_exists"):
            return call.done()
        raise SqlError("ROUTINE_NOT_FOUND", f"The routine `{'`.`'.join(parts)}` cannot be found.", "42883")
    check_privilege(call.shop.store, call.session, function, "MANAGE")
    try:
        call.shop.store.remove(function)
    except CatalogError as error:
        raise catalog_error(error) from error
    return call.done()
