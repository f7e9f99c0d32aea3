"""Objects of the catalog as the Unity Catalog API describes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from brickyard.local.api.routes import JsonObject
from brickyard.local.catalog.model import (
    PIPELINE_ID,
    Catalog,
    Column,
    Function,
    FunctionParameter,
    Schema,
    Stamp,
    Table,
    TableType,
    Volume,
)

_TYPE_NAMES = {
    "BIGINT": "LONG",
    "SMALLINT": "SHORT",
    "TINYINT": "BYTE",
    "INTEGER": "INT",
    "NUMERIC": "DECIMAL",
    "DEC": "DECIMAL",
    "REAL": "FLOAT",
}


def catalog_info(catalog: Catalog, metastore_id: str) -> JsonObject:
    """A catalog."""
    info: JsonObject = {
        "name": catalog.name,
        "full_name": catalog.name,
        "catalog_type": catalog.catalog_type.value,
        "isolation_mode": "OPEN",
        "securable_type": "CATALOG",
        "metastore_id": metastore_id,
        **stamp_info(catalog),
    }
    return {**info, "options": catalog.options} if catalog.options else info


def schema_info(schema: Schema, metastore_id: str, catalog_type: str) -> JsonObject:
    """A schema."""
    return {
        "name": schema.name,
        "full_name": ".".join(schema.key),
        "catalog_name": schema.catalog,
        "catalog_type": catalog_type,
        "schema_id": schema.id,
        "metastore_id": metastore_id,
        **stamp_info(schema),
    }


def table_info(table: Table, metastore_id: str, *, columns: bool = True, properties: bool = True) -> JsonObject:
    """A table or view."""
    info: JsonObject = {
        "name": table.name,
        "full_name": table.full_name,
        "catalog_name": table.catalog,
        "schema_name": table.schema,
        "table_id": table.id,
        "table_type": table_type(table),
        "metastore_id": metastore_id,
        **stamp_info(table, properties=properties),
    }
    if PIPELINE_ID in table.properties:
        info["pipeline_id"] = table.properties[PIPELINE_ID]
    if columns:
        info["columns"] = [column_info(c, table.partition_columns) for c in table.columns]
    if table.table_type is TableType.VIEW:
        return {**info, "view_definition": table.view_definition}
    return {**info, "data_source_format": table.data_source_format, "storage_location": table.storage_location}


def table_type(table: Table) -> str:
    """The type of a table as seen through its catalog: tables of a foreign one are FOREIGN."""
    foreign = table.read_only and table.table_type is not TableType.VIEW
    return "FOREIGN" if foreign else table.shown_type


def column_info(column: Column, partition_columns: Sequence[str] = ()) -> JsonObject:
    """A column."""
    info: JsonObject = {
        "name": column.name,
        "type_text": column.type_text,
        "type_name": column.type_name,
        "type_json": column.type_json,
        "position": column.position,
        "nullable": column.nullable,
    }
    if column.comment:
        info["comment"] = column.comment
    if column.name in partition_columns:
        info["partition_index"] = list(partition_columns).index(column.name)
    return info


def function_info(function: Function, metastore_id: str) -> JsonObject:
    """A SQL function."""
    returned = function.return_type or "string"
    return {
        "name": function.name,
        "full_name": function.full_name,
        "specific_name": function.name,
        "catalog_name": function.catalog,
        "schema_name": function.schema,
        "function_id": function.id,
        "input_params": {"parameters": [_parameter(i, p) for i, p in enumerate(function.parameters)]},
        "data_type": "TABLE_TYPE" if function.is_table else type_name(returned),
        "full_data_type": returned,
        "routine_body": "SQL",
        "routine_definition": function.body,
        "parameter_style": "S",
        "is_deterministic": function.deterministic,
        "is_null_call": False,
        "sql_data_access": "READS_SQL_DATA" if function.is_table else "CONTAINS_SQL",
        "security_type": "DEFINER",
        "metastore_id": metastore_id,
        **stamp_info(function, properties=False),
    }


def volume_info(volume: Volume, metastore_id: str) -> JsonObject:
    """A volume."""
    return {
        "name": volume.name,
        "full_name": volume.full_name,
        "catalog_name": volume.catalog,
        "schema_name": volume.schema,
        "volume_id": volume.id,
        "volume_type": volume.volume_type.value,
        "storage_location": volume.storage_location,
        "metastore_id": metastore_id,
        **stamp_info(volume, properties=False),
    }


def stamp_info(stamp: Stamp, *, properties: bool = True) -> JsonObject:
    """Owner, comment, properties, and who touched it when."""
    info: JsonObject = {
        "owner": stamp.owner,
        "created_by": stamp.created_by,
        "updated_by": stamp.updated_by,
        "created_at": _milliseconds(stamp.created_at),
        "updated_at": _milliseconds(stamp.updated_at),
    }
    if stamp.comment:
        info["comment"] = stamp.comment
    if properties and stamp.properties:
        info["properties"] = stamp.properties
    return info


def type_name(type_text: str) -> str:
    """Unity Catalog's word for a SQL type."""
    word = type_text.strip().upper().split("(")[0].split("<")[0].split(" ")[0]
    return _TYPE_NAMES.get(word, word)


def _parameter(position: int, parameter: FunctionParameter) -> JsonObject:
    name = type_name(parameter.type_text)
    info: JsonObject = {
        "name": parameter.name,
        "type_text": parameter.type_text if "<" in parameter.type_text else parameter.type_text.lower(),
        "type_name": name,
        "type_json": json.dumps(
            {"name": parameter.name, "type": parameter.type_text, "nullable": True, "metadata": {}}
        ),
        "position": position,
        "parameter_mode": "IN",
        "parameter_type": "PARAM",
    }
    if parameter.default is not None:
        info["parameter_default"] = parameter.default
    return {**info, "comment": parameter.comment} if parameter.comment else info


def _milliseconds(at: datetime | None) -> int:
    return int(at.timestamp() * 1000) if at else 0
