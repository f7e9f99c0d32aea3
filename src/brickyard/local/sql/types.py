"""SQL types in their four spellings: SQL text, Unity Catalog's words, Delta's JSON and Arrow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from brickyard.kernel.names import quote_if_needed
from brickyard.local.catalog.model import Column
from brickyard.local.sql.model import Result, ResultColumn, SqlError

Json = Any  # Delta's type JSON: a word or an object
_WORDS = {
    "string": "string",
    "long": "bigint",
    "integer": "int",
    "short": "smallint",
    "byte": "tinyint",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "binary": "binary",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp_ntz": "timestamp_ntz",
    "void": "void",
    "variant": "variant",
    "interval": "interval",
}
_SYNONYMS = {
    **{text: word for word, text in _WORDS.items()},
    "integer": "integer",
    "long": "long",
    "short": "short",
    "byte": "byte",
    "real": "float",
    "dec": "decimal",
    "numeric": "decimal",
    "text": "string",
    "timestamp_ltz": "timestamp",
}
_NAMES = {"bigint": "LONG", "int": "INT", "smallint": "SHORT", "tinyint": "BYTE", "void": "NULL"}
_ARROW = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "void": pa.null(),
    "interval": pa.duration("us"),
}
_FROM_ARROW = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int64, "long"),
    (pa.types.is_int32, "integer"),
    (pa.types.is_int16, "short"),
    (pa.types.is_int8, "byte"),
    (pa.types.is_unsigned_integer, "long"),
    (pa.types.is_float64, "double"),
    (pa.types.is_floating, "float"),
    (pa.types.is_date, "date"),
    (pa.types.is_duration, "interval"),
    (pa.types.is_interval, "interval"),
    (pa.types.is_null, "void"),
    (lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t), "string"),
    (lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_binary_view(t), "binary"),
    (lambda t: pa.types.is_timestamp(t) and t.tz is not None, "timestamp"),
    (pa.types.is_timestamp, "timestamp_ntz"),
)


def type_of_text(text: str) -> Json:
    """Read SQL type text (`decimal(10,2)`, `array<struct<a:int>>`), or raise SqlError."""
    reader = _TypeReader(text)
    found = reader.type()
    if reader.at != len(reader.tokens):
        raise reader.refusal()
    return found


class _TypeReader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0

    def refusal(self) -> SqlError:
        return SqlError("UNSUPPORTED_DATATYPE", f"Unsupported data type {self.text.strip()!r}.", "0A000")

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise self.refusal()
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, token: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at].lower() == token:
            self.at += 1
            return True
        return False

    def need(self, token: str) -> None:
        if not self.take(token):
            raise self.refusal()

    def type(self) -> Json:
        word = self.next().lower()
        match word:
            case "array":
                self.need("<")
                element = self.type()
                self.need(">")
                return {"type": "array", "elementType": element, "containsNull": True}
            case "map":
                return self._map()
            case "struct":
                return self._struct()
            case "decimal" | "dec" | "numeric":
                numbers = [*self._numbers(), "0"] if (self._sees("(")) else ["10", "0"]
                return f"decimal({numbers[0]},{numbers[1]})"
            case "char" | "character" | "varchar":
                self._numbers()
                return "string"
            case "interval":
                self.at = len(self.tokens)
                return "interval"
        if word not in _SYNONYMS:
            raise self.refusal()
        return _SYNONYMS[word]

    def _sees(self, token: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] == token

    def _numbers(self) -> list[str]:
        self.need("(")
        found = [self.next()]
        while self.take(","):
            found.append(self.next())
        self.need(")")
        return found

    def _map(self) -> Json:
        self.need("<")
        key = self.type()
        self.need(",")
        value = self.type()
        self.need(">")
        return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}

    def _struct(self) -> Json:
        self.need("<")
        fields = []
        while not self.take(">"):
            name = self.next()
            self.take(":")
            field = {"name": _unquoted(name), "type": self.type(), "nullable": True, "metadata": {}}
            if self.take("not"):
                self.need("null")
                field["nullable"] = False
            if self.take("comment"):
                field["metadata"] = {"comment": self.next()[1:-1]}
            fields.append(field)
            self.take(",")
        return {"type": "struct", "fields": fields}


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def _tokens(text: str) -> list[str]:
    return re.findall(r"`(?:[^`]|``)+`|'(?:[^'\\]|\\.)*'|[\w]+|[<>(),:]", text)


def text_of(type_: Json, *, upper: bool = False) -> str:
    """SQL text of Delta's type JSON (`bigint`, `array<int>`); field names keep their case when *upper*."""
    return _text(type_, upper)


def _text(type_: Json, upper: bool) -> str:
    word: Callable[[str], str] = str.upper if upper else str
    if isinstance(type_, str):
        return word(_WORDS.get(type_, type_))
    match type_["type"]:
        case "array":
            return f"{word('array')}<{_text(type_['elementType'], upper)}>"
        case "map":
            return f"{word('map')}<{_text(type_['keyType'], upper)},{_text(type_['valueType'], upper)}>"
    fields = ",".join(f"{quote_if_needed(f['name'])}:{_text(f['type'], upper)}" for f in type_["fields"])
    return f"{word('struct')}<{fields}>"


def name_of(type_: Json) -> str:
    """Unity Catalog's word for a type (`LONG`, `DECIMAL`, `STRUCT`)."""
    text = text_of(type_)
    head = text.partition("<")[0].partition("(")[0]
    return _NAMES.get(head, head.upper())


def to_arrow(type_: Json) -> pa.DataType:
    """Arrow's type for Delta's type JSON."""
    if isinstance(type_, str):
        return _decimal(type_) if type_.startswith("decimal") else _primitive(type_)
    match type_["type"]:
        case "array":
            return pa.list_(pa.field("element", to_arrow(type_["elementType"]), type_["containsNull"]))
        case "map":
            item = pa.field("value", to_arrow(type_["valueType"]), type_["valueContainsNull"])
            return pa.map_(pa.field("key", to_arrow(type_["keyType"]), False), item)
    return pa.struct([pa.field(f["name"], to_arrow(f["type"]), f["nullable"]) for f in type_["fields"]])


def _primitive(type_: str) -> pa.DataType:
    if type_ not in _ARROW:
        raise SqlError("UNSUPPORTED_DATATYPE", f"Unsupported data type {type_.upper()!r}.", "0A000")
    return _ARROW[type_]


def _decimal(type_: str) -> pa.DataType:
    precision, scale = type_[8:-1].split(",")
    return pa.decimal128(int(precision), int(scale))


def of_arrow(type_: pa.DataType) -> Json:
    """Delta's type JSON for an Arrow type."""
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        return {
            "type": "array",
            "elementType": of_arrow(type_.value_type),
            "containsNull": type_.value_field.nullable,
        }
    if pa.types.is_map(type_):
        key, value = of_arrow(type_.key_type), of_arrow(type_.item_type)
        nullable = type_.item_field.nullable
        return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": nullable}
    if pa.types.is_struct(type_):
        return {"type": "struct", "fields": [field_of_arrow(type_.field(i)) for i in range(type_.num_fields)]}
    if pa.types.is_dictionary(type_):
        return of_arrow(type_.value_type)
    for matches, word in _FROM_ARROW:
        if matches(type_):
            return word
    raise SqlError("UNSUPPORTED_DATATYPE", f"Unsupported data type {type_}.", "0A000")


def field_of_arrow(field: pa.Field) -> Json:
    """Delta's field JSON of an Arrow field."""
    return {"name": field.name, "type": of_arrow(field.type), "nullable": field.nullable, "metadata": {}}


def loosened(type_: Json) -> Json:
    """The type with every nested value nullable, as CREATE TABLE AS SELECT stores it."""
    if isinstance(type_, str):
        return type_
    match type_["type"]:
        case "array":
            return {**type_, "elementType": loosened(type_["elementType"]), "containsNull": True}
        case "map":
            key, value = loosened(type_["keyType"]), loosened(type_["valueType"])
            return {**type_, "keyType": key, "valueType": value, "valueContainsNull": True}
    fields = [{**f, "type": loosened(f["type"]), "nullable": True} for f in type_["fields"]]
    return {**type_, "fields": fields}


def columns_of(fields: Iterable[Json]) -> tuple[Column, ...]:
    """The catalog's columns for the fields of a Delta schema."""
    return tuple(
        Column(
            name=field["name"],
            type_text=text_of(field["type"]),
            type_name=name_of(field["type"]),
            type_json=json.dumps(field),
            position=position,
            nullable=field["nullable"],
            comment=field["metadata"].get("comment"),
        )
        for position, field in enumerate(fields)
    )


def result_of(table: pa.Table, kind: str = "SELECT") -> Result:
    """A result whose columns are described from Arrow."""
    return Result(tuple(_result_column(i, f) for i, f in enumerate(table.schema)), table, kind)


def _result_column(position: int, field: pa.Field) -> ResultColumn:
    type_ = of_arrow(field.type)
    is_decimal = pa.types.is_decimal(field.type)
    return ResultColumn(
        name=field.name,
        type_name=name_of(type_),
        type_text=text_of(type_, upper=True),
        position=position,
        nullable=field.nullable,
        type_precision=field.type.precision if is_decimal else None,
        type_scale=field.type.scale if is_decimal else None,
    )


def rows_result(columns: dict[str, str], rows: Iterable[Iterable[object]], kind: str) -> Result:
    """A result from Python rows; *columns* maps names to SQL type text."""
    schema = pa.schema([pa.field(name, to_arrow(type_of_text(text))) for name, text in columns.items()])
    listed = [list(row) for row in rows]
    arrays = [pa.array([row[i] for row in listed], field.type) for i, field in enumerate(schema)]
    return result_of(pa.Table.from_arrays(arrays, schema=schema), kind)
