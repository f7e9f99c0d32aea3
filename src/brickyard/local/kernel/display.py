"""What `display` and the last value of a cell become: text, HTML or a table of at most 1,000 rows."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS = 1000
MAX_TEXT = 64 * 1024
JsonObject = dict[str, object]


@runtime_checkable
class SparkFrame(Protocol):
    """What we need of a Spark DataFrame."""

    def limit(self, num: int) -> SparkFrame:
        """The first rows."""
        ...

    def toArrow(self) -> pa.Table:  # noqa: N802 - Spark's spelling
        """The rows."""
        ...


def shown(value: object) -> JsonObject:
    """The output for `display(value)`."""
    table = _as_table(value)
    return text(repr(value)) if table is None else table


def echoed(value: object) -> JsonObject:
    """The output for the last expression of a cell: what it shows of itself, else its repr."""
    html = getattr(value, "_repr_html_", None)
    if callable(html) and not isinstance(value, SparkFrame | type):
        return _as_table(value) or {"type": "html", "html": str(html())}
    return text(repr(value))


def text(value: str) -> JsonObject:
    """A text output, cut at 64 KiB."""
    return {"type": "text", "text": value[:MAX_TEXT], "truncated": len(value) > MAX_TEXT}


def arrow_table(table: pa.Table) -> JsonObject:
    """A table output: columns with their types, the first rows as text, null for NULL."""
    head = table.slice(0, MAX_ROWS)
    columns = [[_cell(value) for value in column.to_pylist()] for column in head.columns]
    return {
        "type": "table",
        "columns": [{"name": field.name, "type": str(field.type)} for field in table.schema],
        "rows": [list(row) for row in zip(*columns, strict=True)],
        "truncated": table.num_rows > MAX_ROWS,
    }


def frame_table(frame: SparkFrame) -> JsonObject:
    """A table output of a Spark DataFrame, reading one row more than is shown."""
    return arrow_table(frame.limit(MAX_ROWS + 1).toArrow())


def _as_table(value: object) -> JsonObject | None:
    if isinstance(value, SparkFrame):
        return frame_table(value)
    pandas, arrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if arrow is not None and isinstance(value, arrow.Table):
        return arrow_table(value)
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return _records([str(c) for c in value.columns], value.head(MAX_ROWS).itertuples(index=False), len(value))
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        names = list(dict.fromkeys(str(name) for row in value for name in row))
        return _records(names, [[row.get(name) for name in names] for row in value[:MAX_ROWS]], len(value))
    return None


def _records(names: Sequence[str], rows: Iterable[Iterable[object]], count: int) -> JsonObject:
    listed = [[_cell(value) for value in row] for row in rows]
    columns = [{"name": name, "type": ""} for name in names]
    return {"type": "table", "columns": columns, "rows": listed, "truncated": count > MAX_ROWS}


def _cell(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case bytes():
            return base64.b64encode(value).decode()
        case dict() | list():
            return json.dumps(value, default=str, ensure_ascii=False)
        case _:
            return str(value)
