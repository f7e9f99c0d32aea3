"""The source of a MERGE, written down once: the engine works a query out again for each of its passes over it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from brickyard.kernel.names import quote
from brickyard.local.engines.model import EngineCancelled, EngineDied, EngineFailed
from brickyard.local.sql.call import Call
from brickyard.local.sql.render import UTC
from brickyard.notebooks.model import Span

ROW = "_row_of_source"
_QUERY = re.compile(r"^\(.*\)\s*(?:AS\s+)?(`[^`]+`|\w+)\s*(?:\([^()]*\))?\s*$", re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(r"^(?:(?:`[^`]+`|\w+)\.)*?(?:`[^`]+`|\w+)\s+(?:AS\s+)?(`[^`]+`|\w+)$", re.IGNORECASE)


@dataclass(frozen=True)
class Written:
    """The rows of a source as Parquet files, and the name that the MERGE gives them."""

    folder: Path
    alias: str

    @cached_property
    def files(self) -> list[Path]:
        """The files; none without rows."""
        return sorted(self.folder.glob("*.parquet"))

    @cached_property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(pq.read_metadata(file).num_rows for file in self.files)

    @property
    def size(self) -> int:
        """The bytes of its columns, not compressed but encoded."""
        footers = [pq.read_metadata(file) for file in self.files]
        return sum(one.row_group(at).total_byte_size for one in footers for at in range(one.num_row_groups))

    @property
    def schema(self) -> pa.Schema:
        """The columns, as they are read."""
        return pq.read_schema(self.files[0])

    @property
    def relation(self) -> str:
        """The rows, as engine SQL."""
        return f"parquet.{quote(str(self.folder))}"

    def table(self) -> pa.Table:
        """The rows themselves."""
        return pa.concat_tables(pq.read_table(file) for file in self.files)


@contextmanager
def written(call: Call, *, numbered: bool) -> Iterator[Written | None]:
    """Work out the source of a MERGE, each row with its number in ROW if asked; None where it had better stay as it is.

    A table need not be worked out, and is written down only to be numbered. Files hold times in UTC, so that a session in
    another time zone would see them otherwise.
    """
    span = call.need("source", Span)
    text = span.slice(call.text).strip()
    found = _QUERY.match(text) or (_TABLE.match(text) if numbered else None)
    if found is None or call.key.time_zone not in UTC:
        yield None
        return
    folder = call.shop.places.new_scratch("")
    try:
        yield Written(folder, found[1].strip("`")) if _saved(call, span, folder, numbered=numbered) else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _saved(call: Call, span: Span, folder: Path, *, numbered: bool) -> bool:
    """Whether the engine could write the rows; what it refuses, it refuses again in the statement itself."""
    number = f", monotonically_increasing_id() AS {ROW}" if numbered else ""
    sql = f"SELECT *{number} FROM (\n{call.render_text(f'SELECT * FROM {span.slice(call.text)}')}\n)"
    try:
        call.shop.engine.save(call.key, sql, folder, tag=call.tag)
    except (EngineCancelled, EngineDied):
        raise
    except EngineFailed:
        return False
    return True


def rendered(call: Call, source: Written) -> str:
    """The MERGE as engine SQL, over the written rows."""
    span, mark = call.need("source", Span), f"VALUES ('{uuid4().hex}')"
    text = f"{call.text[: span.start]}(SELECT * FROM {mark}) AS {quote(source.alias)}{call.text[span.end :]}"
    return call.render_text(text).replace(mark, source.relation)
