"""Keeping: bronze, gold and the truth of a seeded account as Parquet files in a folder."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from brickyard.health.flow import Door
from brickyard.health.flow.seeding import daily
from brickyard.health.oracle import truth
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.synthetic import Account
from brickyard.kernel.errors import WorkspaceDown, WorkspaceRefused
from brickyard.kernel.files import unwritable
from brickyard.kernel.progress import Report, Step, silent
from brickyard.workspace import await_statement, pick_warehouse, translated

if TYPE_CHECKING:
    from datetime import datetime

    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.sql import ResultData

_SECONDS = 120


def keep(
    door: Door,
    client: WorkspaceClient,
    account: Account,
    until: datetime,
    folder: Path,
    *,
    on_step: Report = silent,
    gold: Gold | None = None,
) -> dict[str, int]:
    """Write `bronze/`, `gold/` and `truth/` below *folder*, a file a table, and return the rows of each file.

    Files that are there are written over. Raises SpecInvalid where the folder cannot be written.
    """
    gold = gold or compile_all()
    sources = sorted({table.source.bronze for table in gold if table.source})
    wanted = [(f"bronze/{name}", door.places.bronze(name)) for name in sources]
    wanted += [(f"gold/{table.table}", door.places.gold(table.table)) for table in gold]
    told = truth(account, until, states=daily(account, until))
    total, rows = len(wanted) + len(told.tables()), {}
    for at, (name, table) in enumerate(wanted):
        on_step(Step("keep", at, total, name))
        rows[name] = _write(folder / f"{name}.parquet", batches(client, f"SELECT * FROM {table}"))
    for at, table in enumerate(told.tables(), len(wanted)):
        on_step(Step("keep", at, total, f"truth/{table}"))
        rows[f"truth/{table}"] = _write(folder / "truth" / f"{table}.parquet", iter([told[table]]))
    return rows


def _write(path: Path, parts: Iterator[pa.Table]) -> int:
    first = next(parts)
    rows = first.num_rows
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            for part in parts:
                writer.write_table(part)
                rows += part.num_rows
    except OSError as error:
        raise unwritable(path, error) from error
    return rows


def batches(client: WorkspaceClient, statement: str) -> Iterator[pa.Table]:
    """Run a query and yield its rows as Arrow tables, chunk by chunk, so that no whole table is held."""
    from databricks.sdk.service.sql import Disposition, Format

    with translated("read a table"):
        sent = client.statement_execution.execute_statement(
            statement, pick_warehouse(client), disposition=Disposition.EXTERNAL_LINKS, format=Format.ARROW_STREAM
        )
        number = sent.statement_id or ""
        await_statement(client, number)
        answer = client.statement_execution.get_statement(number)
        state = answer.status.state.value if answer.status and answer.status.state else "unknown"
        if state != "SUCCEEDED":
            words = answer.status.error.message if answer.status and answer.status.error else state
            raise WorkspaceRefused(f"{statement}: {words}", code="statement-failed")
        chunk = answer.result
        while chunk is not None:
            yield from map(_table, _links(chunk))
            following = next((link.next_chunk_index for link in chunk.external_links or () if link), None)
            if following is None:
                return
            chunk = client.statement_execution.get_statement_result_chunk_n(number, following)


def _links(chunk: ResultData) -> Iterator[str]:
    yield from (link.external_link for link in chunk.external_links or () if link.external_link)


def _table(link: str) -> pa.Table:
    try:
        with urllib.request.urlopen(link, timeout=_SECONDS) as answer:  # noqa: S310 — the workspace gave the address
            return pa.ipc.open_stream(io.BytesIO(answer.read())).read_all()
    except (urllib.error.URLError, TimeoutError) as error:
        raise WorkspaceDown(f"a part of a result could not be read: {error}") from error
