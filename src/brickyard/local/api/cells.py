"""Arrow values as the statements API writes them: every value is text or null."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

Row = list[str | None]


def rows_of(table: pa.Table) -> list[Row]:
    """The rows of a table as lists of text and null."""
    columns = [_column(table.column(i)) for i in range(table.num_columns)]
    return [list(row) for row in zip(*columns, strict=True)]


def _column(column: pa.ChunkedArray) -> Row:
    write = _writer(column.type)
    return [None if value is None else write(value) for value in column.to_pylist()]


def _writer(type_: pa.DataType) -> Callable[..., str]:
    import pyarrow as pa

    if pa.types.is_float32(type_) or pa.types.is_float16(type_):
        return _single
    if pa.types.is_map(type_):
        return _map
    if pa.types.is_timestamp(type_):
        return _zoned if type_.tz else _timestamp
    return _text


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return double_text(value)
        case Decimal():
            return format(value, "f")
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return _zoned(value) if value.tzinfo else _timestamp(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return _interval(value)
        case _:
            return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    """A nested value as JSON; maps come from Arrow as lists of pairs."""
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() if value and all(isinstance(item, tuple) for item in value):
            return {_text(key): _plain(item) for key, item in value}
        case list():
            return [_plain(item) for item in value]
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case _:
            return _text(value)


def _map(value: list[tuple[object, object]]) -> str:
    return json.dumps({_text(k): _plain(v) for k, v in value}, ensure_ascii=False, separators=(",", ":"))


def _timestamp(value: datetime) -> str:
    return value.isoformat(timespec="microseconds" if value.microsecond % 1000 else "milliseconds")


def _zoned(value: datetime) -> str:
    text = _timestamp(value)
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _single(value: float) -> str:
    import numpy as np

    return double_text(float(str(np.float32(value)))) if math.isfinite(value) else double_text(value)


def double_text(value: float) -> str:
    """A floating-point number as Spark prints it: `1.0`, `1.0E10`, `NaN`, `-Infinity`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = format(Decimal(repr(value)), "f")
        return text if "." in text else text + ".0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    rest = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{int(exponent) + len(digits) - 1}"


def _interval(value: timedelta) -> str:
    sign, micros = ("-" if value < timedelta(0) else ""), abs(value) // timedelta(microseconds=1)
    seconds, micros = divmod(micros, 1_000_000)
    days, rest = divmod(seconds, 86_400)
    return f"{sign}{days} {rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}.{micros:06d}"
