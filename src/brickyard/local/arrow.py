"""Arrow schemas of what the engine sends and writes."""

from __future__ import annotations

import pyarrow as pa


def nullable(schema: pa.Schema) -> pa.Schema:
    """The schema with every field, also those in structs, lists and maps, allowed to be NULL."""
    return pa.schema([_nullable(field) for field in schema])


def _nullable(field: pa.Field) -> pa.Field:
    return field.with_nullable(True).with_type(_nullable_type(field.type))


def _nullable_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(type_):
        return pa.struct([_nullable(field) for field in type_])
    if pa.types.is_list(type_):
        return pa.list_(_nullable(type_.value_field))
    if pa.types.is_map(type_):
        return pa.map_(type_.key_field, _nullable(type_.item_field))
    return type_


def is_like(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether values of one type are values of the other: structs by the names of their fields; NULL is of every type."""
    if pa.types.is_null(one):
        return True
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields, others = ({field.name.lower(): field.type for field in type_} for type_ in (one, other))
        return fields.keys() == others.keys() and all(is_like(fields[name], others[name]) for name in fields)
    if pa.types.is_map(one) and pa.types.is_map(other):
        return is_like(one.key_type, other.key_type) and is_like(one.item_type, other.item_type)
    if pa.types.is_list(one) and pa.types.is_list(other):
        return is_like(one.value_type, other.value_type)
    return str(one).replace("_view", "") == str(other).replace("_view", "")
