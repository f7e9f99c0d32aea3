"""What a gold layer costs as it grows: `.venv/bin/python bench/health.py [merge] [rerun] [load]`.

merge: one day's batch into fact_usage of 1, 4 and 16 million rows, median of 7, with what a merge reads.
rerun: a run over every table with nothing new. load: 10 million usage rows, first load, then one day more.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from databricks.sdk import WorkspaceClient

from brickyard.health import flow, synthetic
from brickyard.health.apply import Work, apply
from brickyard.health.flow import seeding
from brickyard.health.flow.terms import Choice, Door
from brickyard.health.model import source as sources
from brickyard.health.model.state import Now
from brickyard.health.model.steps import Merge
from brickyard.health.plan import text
from brickyard.health.plan.compile import compile_all
from brickyard.health.plan.text import Places
from brickyard.local import LocalWorkspace
from brickyard.workspace import run_sql

ROUNDS = 7
SIZES = (1, 4, 16)  # million rows
BATCH = 20_000  # rows of one merge
PER_DAY = 100_000
FIRST_DAY = date(2025, 1, 1)
AT = datetime(2026, 5, 1, 4, tzinfo=UTC)
BILL = frozenset({"billing.fact_usage", "billing.fact_list_prices", "billing.fact_account_prices", "billing.dim_sku"})
MILLIONS = 10


def note(what: str, value: float, unit: str, bar: float | None = None) -> None:
    """Show a figure and whether it keeps its bar."""
    verdict = "" if bar is None else ("good" if value <= bar else "MISSED")
    shown = "" if bar is None else f"{bar:g}"
    print(f"{what:<66}{value:>10.2f} {unit:<8}{shown:>7}  {verdict}", flush=True)


def whole(outcome: flow.Outcome) -> flow.Outcome:
    """Return an outcome in which nothing failed; a figure of anything else would be of something else."""
    if outcome.failed:
        raise SystemExit("\n".join(f"{step}: {error.message}" for step, error in outcome.failed))
    return outcome


@contextmanager
def engine() -> Iterator[tuple[WorkspaceClient, Callable[[str], list[dict[str, Any]]]]]:
    """A local workspace of its own."""
    with tempfile.TemporaryDirectory() as folder, LocalWorkspace(Path(folder)) as workspace:
        client = workspace.client()
        yield client, lambda statement: run_sql(client, statement).dicts()


@contextmanager
def peak() -> Iterator[list[float]]:
    """Measure the greatest memory (GiB, resident) of this process and its children while something runs."""
    found, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            found[0] = max(
                found[0], sum(map(_resident, [psutil.Process(), *psutil.Process().children(recursive=True)]))
            )

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _resident(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / 2**30
    except psutil.NoSuchProcess:
        return 0.0


# --- merge ----------------------------------------------------------------------------------------------------------


def usage(prefix: str, day: date, rows: int, more: str = "") -> str:
    """Rows of usage of one day, as columns of bronze and of gold alike."""
    return (
        f"SELECT 'a' AS account_id, cast(id % 8 as string) AS workspace_id, concat('{prefix}', cast(id as string)) AS record_id,"
        f" 'PREMIUM_JOBS_COMPUTE' AS sku_name, 'AWS' AS cloud, date'{day}' AS usage_date, date'{day}' AS ingestion_date,"
        f" timestamp'{day} 00:00:00Z' AS usage_start_time, timestamp'{day} 01:00:00Z' AS usage_end_time, 'DBU' AS usage_unit,"
        f" cast(id % 1000 as decimal(28,18)) / 7 AS usage_quantity, 'ORIGINAL' AS record_type,"
        f" cast(id % 500 as string) AS usage_metadata_job_id{more} FROM range({rows})"
    )


def merges() -> None:
    """Measure one merge of an equal batch into a table that grows."""
    gold, medians, volumes = compile_all(), [], []
    with engine() as (_, sql):
        places = Places("b_health", "b")
        flow.init(Door(sql, places, AT), gold)
        day, run = FIRST_DAY, 0
        held = 0
        for millions in SIZES:
            while held < millions * 1_000_000:
                _held(sql, places, day, PER_DAY)
                day, held = day + timedelta(days=1), held + PER_DAY
            times, read, replaced = [], [], []
            for _ in range(ROUNDS):
                run += 1
                _bronze(sql, places, day - timedelta(days=1), run)
                work, before = Work(sql, places, gold, {}, Now(run, "bench", AT)), _read()
                begun = time.perf_counter()
                apply(work, Merge("billing.fact_usage", run - 1, "bench"))
                times.append(time.perf_counter() - begun)
                read.append(_read() - before)
                replaced.append(_replaced(sql, places))
            medians.append(statistics.median(times))
            volumes.append(statistics.median(read))
            note(f"merge of {BATCH:,} rows into {millions} M", medians[-1], "s")
            note("  read from disk, all of the merge", volumes[-1], "MB")
            note("  files of the target that it replaced", statistics.median(replaced), "files")
    note("read at 16 M / at 1 M, the growth being the table's log", volumes[2] / volumes[0], "times")
    note("time at 4 M / at 1 M", medians[1] / medians[0], "times", 1.2)
    note("time at 16 M / at 1 M", medians[2] / medians[0], "times", 1.4)


def _held(sql: Any, places: Places, day: date, rows: int) -> None:
    more = ", '0' AS _version, cast(0 as bigint) AS _batch"
    columns = ["account_id", "workspace_id", "record_id", "sku_name", "cloud", "usage_date", "ingestion_date"]
    columns += ["usage_start_time", "usage_end_time", "usage_unit", "usage_quantity", "record_type"]
    columns += ["usage_metadata_job_id", "_version", "_batch"]
    sql(f"INSERT INTO {places.gold('billing.fact_usage')} ({text.names(columns)}) {usage(f'{day}-', day, rows, more)}")


def _bronze(sql: Any, places: Places, day: date, run: int) -> None:
    """A batch: mostly new rows of the newest day, some that gold holds, and corrections of a week ago."""
    parts = [(f"{run}-{day}-", day, BATCH * 8 // 10), (f"{day}-", day, BATCH // 10)]
    parts.append((f"{run}-c-", day - timedelta(days=7), BATCH // 10))
    for prefix, of, rows in parts:
        more = f", md5(concat('{run}-{prefix}', cast(id as string))) AS _row_hash, cast({run} as bigint) AS _batch"
        inner = usage(prefix, of, rows, more).replace("usage_metadata_job_id", "usage_metadata__job_id")
        columns = ["account_id", "workspace_id", "record_id", "sku_name", "cloud", "usage_date", "ingestion_date"]
        columns += ["usage_start_time", "usage_end_time", "usage_unit", "usage_quantity", "record_type"]
        columns += ["usage_metadata__job_id", "_row_hash", "_batch"]
        sql(f"INSERT INTO {places.bronze('billing_usage')} ({text.names(columns)}) {inner}")


def _read() -> float:
    """Megabytes that this process and its children have read so far."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(process.io_counters().read_chars for process in processes) / 2**20


def _replaced(sql: Any, places: Places) -> int:
    """How many files of the target the last merge replaced."""
    told = sql(f"DESCRIBE HISTORY {places.gold('billing.fact_usage')} LIMIT 1")[0]["operationMetrics"]
    metrics = json.loads(told) if isinstance(told, str) else dict(told)
    return int(metrics.get("num_target_files_removed") or metrics.get("numTargetFilesRemoved") or 0)


# --- rerun and load -------------------------------------------------------------------------------------------------


def rerun() -> None:
    """Measure a run over every table when nothing is new."""
    with engine() as (client, sql):
        account = synthetic.generate(scale=0.2)
        door = Door(sql, Places("synthetic_health", "synthetic"), AT)
        seeding.seed(door, client, account)
        begun = time.perf_counter()
        whole(flow.run(door))
        note(f"first run over {len(compile_all().main)} tables, scale 0.2", time.perf_counter() - begun, "s")
        before = _versions(sql)
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            again = whole(flow.run(door))
            times.append(time.perf_counter() - begun)
        note("a run with nothing new", statistics.median(times), "s", 60)
        note("  steps of it", len(again.done), "steps", 0)
        note("  versions that it wrote", _versions(sql) - before, "versions", 0)


def _versions(sql: Any) -> int:
    """The Delta versions of every table of the gold catalog, added up."""
    rows = sql(
        "SELECT table_schema, table_name FROM synthetic_health.information_schema.tables"
        " WHERE table_type = 'MANAGED' AND table_schema <> 'information_schema'"
    )
    return sum(len(sql(f"DESCRIBE HISTORY synthetic_health.{r['table_schema']}.{r['table_name']}")) for r in rows)


def load() -> None:
    """Measure the first load of ten million rows of usage, and one day more."""
    with engine() as (client, sql):
        account = synthetic.generate(scale=MILLIONS * 1_000_000 / 78_600)
        last = AT - timedelta(days=1)
        held, kept = _land(client, sql, account, last)
        note("rows of usage in the source", held / 1e6, "million")
        door = Door(sql, Places("b_health", "b"), last)
        with peak() as memory:
            begun = time.perf_counter()
            whole(flow.run(door, Choice(only=BILL)))
            first = time.perf_counter() - begun
        note("first load of the bill", first, "s")
        note("  memory, this process and the engine", memory[0], "GiB", 8)
        more = _more(client, sql, kept)
        with peak() as memory:
            begun = time.perf_counter()
            whole(flow.run(Door(sql, door.places, AT), Choice(only=BILL)))
            day = time.perf_counter() - begun
        note(f"one day more, {more:,} rows", day, "s", 60)
        note("  of the first load", 100 * day / first, "percent", 5)
        note("  memory, this process and the engine", memory[0], "GiB", 8)


def _land(client: WorkspaceClient, sql: Any, account: Any, until: datetime) -> tuple[int, list[pa.Table]]:
    """Put usage and prices into catalog `b`; keep the usage that comes later."""
    for statement in ("CREATE CATALOG b", "CREATE SCHEMA b.billing", "CREATE VOLUME b.billing.files"):
        sql(statement)
    for name in sorted({"billing.usage", "billing.list_prices", "billing.account_prices"}):
        columns = ", ".join(f"`{column}` {kind}" for column, kind in sources.load(name).columns.items())
        sql(f"CREATE TABLE b.{name} ({columns})")
    for name in ("billing.list_prices", "billing.account_prices"):
        _put(client, sql, name, account.visible(name, until))
    held, later = 0, []
    for chunk in account.chunks("billing.usage"):
        early = pc.less_equal(chunk["_arrived_at"], pa.scalar(until, pa.timestamp("us", "UTC")))
        later.append(chunk.filter(pc.invert(early)).drop_columns("_arrived_at"))
        held += _put(client, sql, "billing.usage", chunk.filter(early).drop_columns("_arrived_at"))
        if held > MILLIONS * 1_000_000:
            break
    return held, later


def _more(client: WorkspaceClient, sql: Any, kept: list[pa.Table]) -> int:
    return _put(client, sql, "billing.usage", pa.concat_tables(kept))


def _put(client: WorkspaceClient, sql: Any, name: str, rows: pa.Table) -> int:
    data = io.BytesIO()
    pq.write_table(rows, data)
    data.seek(0)
    path = f"/Volumes/b/billing/files/{name}.parquet"
    client.files.upload(path, data, overwrite=True)
    sql(f"INSERT INTO b.{name} BY NAME SELECT * FROM parquet.`{path}`")
    return rows.num_rows


PARTS = {"merge": merges, "rerun": rerun, "load": load}


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    for part in parser.parse_args().parts or list(PARTS):
        PARTS[part]()


if __name__ == "__main__":
    sys.exit(main())
