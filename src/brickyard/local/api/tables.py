"""Unity Catalog: tables, views, functions, and that there are no models."""

from __future__ import annotations

import re
from dataclasses import replace

from brickyard.kernel.names import quote
from brickyard.local.api import unity_info as info
from brickyard.local.api.errors import invalid
from brickyard.local.api.paging import page
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_object, field_objects, field_text
from brickyard.local.api.unity import Unity, literal, name_parts, quoted
from brickyard.local.catalog.model import DoesNotExist, Function, Table, TableType

router: Router[Unity] = Router()
_UC = "/api/2.1/unity-catalog"


@router.on("GET", f"{_UC}/tables", operation="tables.list")
def list_tables(unity: Unity, call: Call) -> Answer:
    """List the tables and views of a schema that the caller may see."""
    catalog = unity.filled(call.text("catalog_name"))
    rows = unity.visible(unity.store.tables(catalog, call.text("schema_name")), call.principal)
    columns, properties = not call.flag("omit_columns"), not call.flag("omit_properties")
    return page(
        call,
        "tables",
        [info.table_info(row, unity.metastore_id, columns=columns, properties=properties) for row in rows],
    )


@router.on("POST", f"{_UC}/tables", operation="tables.create")
def create_table(unity: Unity, call: Call) -> Answer:
    """Register an external table over the files at a location."""
    body = call.body()
    key = tuple(field_text(body, name) for name in ("catalog_name", "schema_name", "name"))
    if field_text(body, "table_type") != "EXTERNAL":
        raise invalid("Only external tables can be created through the API; use CREATE TABLE for managed ones.")
    format_ = field_text(body, "data_source_format", "DELTA")
    columns = _column_list(field_objects(body, "columns"))
    location = literal(field_text(body, "storage_location"))
    unity.run_sql(f"CREATE TABLE {quoted(key)}{columns} USING {_word(format_)} LOCATION {location}", call.principal)
    table = unity.store.table(*key)
    if properties := field_object(body, "properties"):
        texts = {name: str(value) for name, value in properties.items()}
        table = unity.store.save(replace(table, properties=table.properties | texts), by=call.principal.name)
    return info.table_info(table, unity.metastore_id)


@router.on("GET", f"{_UC}/table-summaries", operation="tables.list_summaries")
def list_summaries(unity: Unity, call: Call) -> Answer:
    """List names and types of the tables of a catalog, chosen by LIKE patterns."""
    catalog = unity.filled(call.text("catalog_name"))
    schemas = [s for s in unity.store.schemas(catalog) if _like(call.query.get("schema_name_pattern"), s.name)]
    tables = [t for s in schemas for t in unity.visible(unity.store.tables(catalog, s.name), call.principal)]
    rows = [_summary(t) for t in tables if _like(call.query.get("table_name_pattern"), t.name)]
    return page(call, "tables", rows)


@router.on("GET", f"{_UC}/tables/{{full_name}}", operation="tables.get")
def get_table(unity: Unity, call: Call) -> Answer:
    """Describe a table or view."""
    return info.table_info(unity.seen(_find_table(unity, call), call.principal), unity.metastore_id)


@router.on("GET", f"{_UC}/tables/{{full_name}}/exists", operation="tables.exists")
def table_exists(unity: Unity, call: Call) -> Answer:
    """Tell whether a table or view exists."""
    try:
        unity.seen(_find_table(unity, call), call.principal)
    except DoesNotExist:
        return {"table_exists": False}
    return {"table_exists": True}


@router.on("PATCH", f"{_UC}/tables/{{full_name}}", operation="tables.update")
def update_table(unity: Unity, call: Call) -> Answer:
    """Change a table's owner."""
    row = _owned_table(unity, call)
    owner = field_text(call.body(), "owner")
    unity.store.save(replace(row, owner=owner), by=call.principal.name)
    return {}


@router.on("DELETE", f"{_UC}/tables/{{full_name}}", operation="tables.delete")
def delete_table(unity: Unity, call: Call) -> Answer:
    """Remove a table or view."""
    row = _owned_table(unity, call)
    kind = "VIEW" if row.table_type is TableType.VIEW else "TABLE"
    unity.run_sql(f"DROP {kind} {quoted(row.key)}", call.principal)
    return {}


@router.on("GET", f"{_UC}/functions", operation="functions.list")
def list_functions(unity: Unity, call: Call) -> Answer:
    """List the functions of a schema that the caller may see."""
    rows = unity.visible(unity.store.functions(call.text("catalog_name"), call.text("schema_name")), call.principal)
    return page(call, "functions", [info.function_info(row, unity.metastore_id) for row in rows])


@router.on("POST", f"{_UC}/functions", operation="functions.create")
def create_function(unity: Unity, call: Call) -> Answer:
    """Make a SQL function."""
    body = field_object(call.body(), "function_info")
    key = tuple(field_text(body, name) for name in ("catalog_name", "schema_name", "name"))
    if field_text(body, "routine_body", "SQL") != "SQL":
        raise invalid("Only SQL functions are served by the local workspace.")
    parameters = field_objects(field_object(body, "input_params"), "parameters")
    arguments = ", ".join(f"{quote(field_text(p, 'name'))} {_type(field_text(p, 'type_text'))}" for p in parameters)
    returned = _type(field_text(body, "full_data_type", field_text(body, "data_type", "STRING")))
    definition = field_text(body, "routine_definition")
    unity.run_sql(f"CREATE FUNCTION {quoted(key)}({arguments}) RETURNS {returned} RETURN {definition}", call.principal)
    return info.function_info(unity.store.function(*key), unity.metastore_id)


@router.on("GET", f"{_UC}/functions/{{name}}", operation="functions.get")
def get_function(unity: Unity, call: Call) -> Answer:
    """Describe a function."""
    return info.function_info(unity.seen(_find_function(unity, call), call.principal), unity.metastore_id)


@router.on("PATCH", f"{_UC}/functions/{{name}}", operation="functions.update")
def update_function(unity: Unity, call: Call) -> Answer:
    """Change a function's owner."""
    row = unity.owned(_find_function(unity, call), call.principal)
    saved = unity.store.save(replace(row, owner=field_text(call.body(), "owner")), by=call.principal.name)
    return info.function_info(saved, unity.metastore_id)


@router.on("DELETE", f"{_UC}/functions/{{name}}", operation="functions.delete")
def delete_function(unity: Unity, call: Call) -> Answer:
    """Remove a function."""
    row = unity.owned(_find_function(unity, call), call.principal)
    unity.run_sql(f"DROP FUNCTION {quoted(row.key)}", call.principal)
    return {}


@router.on("GET", f"{_UC}/models/{{name}}", operation="registered_models.get")
def get_model(unity: Unity, call: Call) -> Answer:
    """Describe a registered model, of which there is none."""
    key = name_parts(call.params["name"], 3)
    unity.store.schema(key[0], key[1])
    raise DoesNotExist("RESOURCE_DOES_NOT_EXIST", f"Registered model '{'.'.join(key)}' does not exist.")


def _find_table(unity: Unity, call: Call) -> Table:
    catalog, schema, name = name_parts(call.params["full_name"], 3)
    return unity.store.table(unity.filled(catalog), schema, name)


def _owned_table(unity: Unity, call: Call) -> Table:
    return unity.owned(_find_table(unity, call), call.principal)


def _find_function(unity: Unity, call: Call) -> Function:
    catalog, schema, name = name_parts(call.params["name"], 3)
    return unity.store.function(catalog, schema, name)


def _summary(table: Table) -> JsonObject:
    return {"full_name": table.full_name, "table_type": info.table_type(table)}


def _like(pattern: str | None, name: str) -> bool:
    """Whether a name matches a SQL LIKE pattern; no pattern matches all."""
    if not pattern:
        return True
    expression = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern.lower())
    return re.fullmatch(expression, name.lower(), re.DOTALL) is not None


def _column_list(columns: list[JsonObject]) -> str:
    if not columns:
        return ""
    listed = ", ".join(f"{quote(field_text(c, 'name'))} {_type(field_text(c, 'type_text'))}" for c in columns)
    return f" ({listed})"


def _type(text: str) -> str:
    if not re.fullmatch(r"[\w\s<>(),:`]+", text):
        raise invalid(f"{text!r} is not a SQL type.")
    return text


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]+", text):
        raise invalid(f"{text!r} is not a format.")
    return text
