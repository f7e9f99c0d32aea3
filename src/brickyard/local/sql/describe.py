"""DESCRIBE statements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from brickyard.dbsql.model import Kind, Reference
from brickyard.local.catalog.model import CatalogError, Schema, Table, TableType
from brickyard.local.sql.call import Call, Target, catalog_error
from brickyard.local.sql.delta import log
from brickyard.local.sql.model import Result, SqlError
from brickyard.local.sql.relations import check_privilege, find_function, find_table, literal_parts, table_key
from brickyard.local.sql.tables import CLUSTERING
from brickyard.local.sql.types import columns_of, of_arrow, text_of
from brickyard.notebooks.model import Span

_COLUMNS = {"col_name": "string", "data_type": "string", "comment": "string"}
_INFO = {"info_name": "string", "info_value": "string"}
_HISTORY = {
    "version": "bigint",
    "timestamp": "timestamp",
    "userId": "string",
    "userName": "string",
    "operation": "string",
    "operationParameters": "map<string,string>",
    "job": "struct<jobId:string,jobName:string,jobRunId:string,runId:string,jobOwnerId:string,triggerType:string>",
    "notebook": "struct<notebookId:string>",
    "clusterId": "string",
    "readVersion": "bigint",
    "isolationLevel": "string",
    "isBlindAppend": "boolean",
    "operationMetrics": "map<string,string>",
    "userMetadata": "string",
    "engineInfo": "string",
}
_DETAIL = {
    "format": "string",
    "id": "string",
    "name": "string",
    "description": "string",
    "location": "string",
    "createdAt": "timestamp",
    "lastModified": "timestamp",
    "partitionColumns": "array<string>",
    "clusteringColumns": "array<string>",
    "numFiles": "bigint",
    "sizeInBytes": "bigint",
    "properties": "map<string,string>",
    "minReaderVersion": "int",
    "minWriterVersion": "int",
    "tableFeatures": "array<string>",
    "statistics": "map<string,bigint>",
}
Row = tuple[str, str | None, str | None]


def describe_table(call: Call) -> Result:
    """DESCRIBE TABLE [EXTENDED] table or view [column]."""
    reference = call.need("target", Reference)
    if reference.kind is Kind.PATH:
        fields = columns_of(call.source().snapshot().fields)
        return call.rows(_COLUMNS, [(c.name, c.type_text, c.comment) for c in fields])
    if literal_parts(reference)[-1].lower() in call.session.temp_views:
        return _describe_sql(call, f"SELECT * FROM {literal_parts(reference)[-1]}")
    table = find_table(call.shop.store, call.session, literal_parts(reference))
    check_privilege(call.shop.store, call.session, table, "SELECT")
    column = call.get("column", str)
    if column is not None:
        return _describe_column(call, table, column)
    rows = [*_column_rows(table), *(_extended_rows(table) if call.has("extended") else ())]
    return call.rows(_COLUMNS, rows)


def describe_query(call: Call) -> Result:
    """DESCRIBE QUERY: the columns that a query would return."""
    return _describe_sql(call, call.render(call.need("query", Span)))


def _describe_sql(call: Call, sql: str) -> Result:
    rows = call.query(f"SELECT * FROM (\n{sql}\n) LIMIT 0")
    return call.rows(_COLUMNS, [(f.name, text_of(of_arrow(f.type)), None) for f in rows.schema])


def _describe_column(call: Call, table: Table, name: str) -> Result:
    found = next((c for c in table.columns if c.name.lower() == name.lower()), None)
    if found is None:
        raise SqlError("UNRESOLVED_COLUMN.WITH_SUGGESTION", f"A column with name `{name}` cannot be resolved.", "42703")
    rows = [("col_name", found.name), ("data_type", found.type_text), ("comment", found.comment or "NULL")]
    return call.rows(_INFO, rows)


def _column_rows(table: Table) -> Iterator[Row]:
    by_name = {c.name: c for c in table.columns}
    yield from ((c.name, c.type_text, c.comment) for c in table.columns)
    for title, names in (
        ("# Partition Information", table.partition_columns),
        ("# Clustering Information", tuple(json.loads(table.properties.get(CLUSTERING, "[]")))),
    ):
        if names:
            yield title, "", ""
            yield "# col_name", "data_type", "comment"
            yield from ((n, by_name[n].type_text if n in by_name else "", None) for n in names)


def _extended_rows(table: Table) -> Iterator[Row]:
    yield "", "", ""
    yield "# Detailed Table Information", "", ""
    for name, value in _details(table).items():
        if value is not None:
            yield name, value, ""


def _details(table: Table) -> dict[str, str | None]:
    is_view = table.table_type is TableType.VIEW
    shown = {k: v for k, v in sorted(table.properties.items()) if k != CLUSTERING}
    properties = "[" + ",".join(f"{k}={v}" for k, v in shown.items()) + "]"
    head = {
        "Catalog": table.catalog,
        "Database": table.schema,
        "Table": table.name,
        "Owner": table.owner,
        "Created Time": _spark_time(table.created_at),
        "Last Access": "UNKNOWN",
        "Created By": table.created_by,
        "Type": table.table_type.value,
        "Comment": table.comment,
    }
    if is_view:
        return head | {
            "View Text": table.view_definition,
            "View Original Text": table.view_definition,
            "View Catalog and Namespace": f"{table.view_catalog}.{table.view_schema}",
            "View Query Output Columns": "[" + ", ".join(c.name for c in table.columns) + "]",
            "Table Properties": properties,
        }
    return head | {
        "Location": f"file:{table.storage_location}",
        "Provider": "delta",
        "Is_managed_location": "true" if table.table_type is TableType.MANAGED else None,
        "Table Properties": properties,
    }


def _spark_time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y") if moment else None


def describe_schema(call: Call) -> Result:
    """DESCRIBE SCHEMA [EXTENDED]."""
    try:
        schema: Schema = call.shop.store.schema(*call.schema_name())
    except CatalogError as error:
        raise catalog_error(error) from error
    rows = [
        ("Catalog Name", schema.catalog),
        ("Namespace Name", schema.name),
        ("Comment", schema.comment or ""),
        ("Location", ""),
        ("Owner", schema.owner),
    ]
    if call.has("extended"):
        shown = ",".join(f"({k},{v})" for k, v in sorted(schema.properties.items()))
        rows.append(("Properties", f"({shown})" if shown else ""))
    return call.rows({"database_description_item": "string", "database_description_value": "string"}, rows)


def describe_catalog(call: Call) -> Result:
    """DESCRIBE CATALOG [EXTENDED]."""
    try:
        catalog = call.shop.store.catalog(call.name())
    except CatalogError as error:
        raise catalog_error(error) from error
    rows = [("Catalog Name", catalog.name), ("Comment", catalog.comment or ""), ("Owner", catalog.owner)]
    if call.has("extended"):
        rows += [
            ("Catalog Type", catalog.catalog_type.value),
            ("Created By", catalog.created_by),
            ("Created At", str(catalog.created_at)),
            ("Properties", json.dumps(catalog.properties)),
        ]
    return call.rows(_INFO, rows)


def describe_function(call: Call) -> Result:
    """DESCRIBE FUNCTION [EXTENDED]."""
    parts = literal_parts(call.need("target", Reference))
    function = find_function(call.shop.store, call.session, parts)
    if function is None:
        raise SqlError("ROUTINE_NOT_FOUND", f"The routine `{'`.`'.join(parts)}` cannot be found.", "42883")
    lines = [
        f"Function: {function.full_name}",
        f"Type:     {'TABLE' if function.is_table else 'SCALAR'}",
        "Input:    " + ", ".join(f"{p.name} {p.type_text.upper()}" for p in function.parameters),
        f"Returns:  {(function.return_type or 'TABLE').upper()}",
    ]
    if call.has("extended"):
        lines += [
            f"Comment:  {function.comment or ''}",
            f"Owner:    {function.owner}",
            f"Create Time: {_spark_time(function.created_at)}",
            f"Deterministic: {str(function.deterministic).lower()}",
            f"Body:     {function.body}",
        ]
    return call.rows({"function_desc": "string"}, [[line] for line in lines])


def describe_volume(call: Call) -> Result:
    """DESCRIBE VOLUME."""
    try:
        volume = call.shop.store.volume(*table_key(call.session, literal_parts(call.need("name", Reference))))
    except CatalogError as error:
        raise catalog_error(error) from error
    columns = ("name", "catalog", "database", "owner", "storageLocation", "volumeType", "comment")
    row = (volume.name, volume.catalog, volume.schema, volume.owner, volume.storage_location, volume.volume_type.value)
    return call.rows(dict.fromkeys(columns, "string"), [(*row, volume.comment)])


def describe_detail(call: Call) -> Result:
    """DESCRIBE DETAIL."""
    target = call.source()
    state = target.snapshot()
    last = next(log.commit_infos(target.path, 1))[1]["timestamp"]
    protocol = state.protocol
    features = sorted({*protocol.get("readerFeatures", ()), *protocol.get("writerFeatures", ())})
    row = (
        "delta",
        state.metadata["id"],
        target.table.full_name if target.table else None,
        state.metadata.get("description"),
        f"file:{target.path}",
        _moment(state.metadata.get("createdTime") or last),
        _moment(last),
        list(state.partition_columns),
        json.loads(target.table.properties.get(CLUSTERING, "[]")) if target.table else [],
        len(state.files),
        state.size,
        list(state.configuration.items()),
        protocol["minReaderVersion"],
        protocol["minWriterVersion"],
        features,
        [],
    )
    return call.rows(_DETAIL, [row])


def describe_history(call: Call) -> Result:
    """DESCRIBE HISTORY: what the log says, completed by the ledger for commits of the engine."""
    target = call.source()
    limit = call.statement.arguments.get("limit")
    rows = list(history(call, target, int(str(limit)) if limit is not None else None))
    return call.rows(_HISTORY, rows)


def history(call: Call, target: Target, limit: int | None = None) -> Iterator[tuple[object, ...]]:
    """One row for each version, newest first."""
    for version, info in log.commit_infos(target.path, limit):
        author = call.shop.ledger.author(target.path, version)
        yield _history_row(version, {**info, **log.author_info(author)} if author else info)


def _history_row(version: int, info: dict[str, Any]) -> tuple[object, ...]:
    job = info.get("job")
    names = ("jobId", "jobName", "jobRunId", "runId", "jobOwnerId", "triggerType")
    return (
        version,
        _moment(info["timestamp"]),
        info.get("userId"),
        info.get("userName"),
        info.get("operation"),
        [(k, _text(v)) for k, v in (info.get("operationParameters") or {}).items()],
        {name: job.get(name) for name in names} if job else None,
        info.get("notebook"),
        info.get("clusterId"),
        info.get("readVersion", version - 1 if version else None),
        info.get("isolationLevel", "WriteSerializable"),
        info.get("isBlindAppend", False),
        [(k, _text(v)) for k, v in (info.get("operationMetrics") or {}).items()],
        info.get("userMetadata"),
        info.get("engineInfo"),
    )


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
