"""A stand for the engine: bronze is filled batch by batch, as it would have come, and gold is brought up to date."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from databricks.sdk import WorkspaceClient

from brickyard.health import apply as doing
from brickyard.health import flow, observe, store
from brickyard.health.apply import Work
from brickyard.health.flow import looking
from brickyard.health.flow.terms import Door
from brickyard.health.model import source as sources
from brickyard.health.model.source import Capture, Source
from brickyard.health.model.state import Now
from brickyard.health.plan import Seen, plan, text
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places, names, quote
from brickyard.health.synthetic import Account
from brickyard.workspace import run_sql

AT = datetime(2026, 5, 1, 4, tzinfo=UTC)
LANDING = "landing"


class Killed(BaseException):
    """The process that runs the engine is gone."""


@dataclass
class Engine:
    """Runs SQL on the workspace; `dies` says at which statement the process ends, before or after it is carried out."""

    client: WorkspaceClient
    dies: Callable[[str], str | None] = lambda _: None
    seen: list[str] = field(default_factory=list)

    def __call__(self, statement: str) -> list[dict[str, Any]]:
        self.seen.append(statement)
        when = self.dies(statement)
        if when == "before":
            raise Killed(statement[:200])
        rows = run_sql(self.client, statement).dicts()
        if when == "after":
            raise Killed(statement[:200])
        return rows


def some(*tables: str) -> Gold:
    """The compiled contracts of some tables."""
    gold = compile_all()
    return Gold({name: gold[name] for name in gold.tables if name in tables}) if tables else gold


def land(client: WorkspaceClient, account: Account, gold: Gold) -> None:
    """Put every arrival of the sources, with the time it came, into the catalog `landing`."""
    sql = Engine(client)
    sql(f"CREATE CATALOG IF NOT EXISTS {LANDING}")
    sql(f"CREATE SCHEMA IF NOT EXISTS {LANDING}.files")
    sql(f"CREATE VOLUME IF NOT EXISTS {LANDING}.files.files")
    for name in sorted({table.source.name for table in gold if table.source}):
        source = sources.load(name)
        sql(f"CREATE SCHEMA IF NOT EXISTS {LANDING}.{name.split('.')[0]}")
        columns = ", ".join(f"{quote(column)} {kind}" for column, kind in source.columns.items())
        sql(f"CREATE TABLE {LANDING}.{name} ({columns}, _arrived_at timestamp)")
        data = io.BytesIO()
        rows = arrivals(account, name)  # may hold values below structs that are null, which no Parquet file does
        pq.write_table(pa.Table.from_pylist(rows.to_pylist(), schema=rows.schema), data)
        data.seek(0)
        path = f"/Volumes/{LANDING}/files/files/{name}.parquet"
        client.files.upload(path, data, overwrite=True)
        sql(f"INSERT INTO {LANDING}.{name} BY NAME SELECT * FROM parquet.`{path}`")
        sql(f"CREATE TABLE {flat(source)} AS {flattened(source)}")


def flat(source: Source) -> str:
    """The table of a source's landed rows as bronze keeps rows: a column for each leaf, and the hash."""
    return f"{LANDING}.files.{source.bronze}"


def flattened(source: Source) -> str:
    leaves = ", ".join(f"{text.leaf_of(leaf.path)} AS {quote(leaf.column)}" for leaf in source.leaves)
    inner = f"SELECT {leaves}, _arrived_at FROM {LANDING}.{source.name}"
    return f"SELECT *, {text.hash_of_row(source.leaves)} AS _row_hash FROM ({inner})"


def arrivals(account: Account, name: str) -> pa.Table:
    """Rows with the time they came; a dated state came at 04:00 of its day."""
    if sources.load(name).capture is Capture.APPEND:
        return account.arrivals(name)
    dated = [
        rows.append_column(
            "_arrived_at",
            pc.cast(
                pa.array([datetime(d.year, d.month, d.day, 4, tzinfo=UTC)] * rows.num_rows), pa.timestamp("us", "UTC")
            ),
        )
        for d, rows in account.snapshots(name)
    ]
    return pa.concat_tables(dated)


@dataclass
class Stand:
    """One gold catalog that takes batches of what has landed."""

    sql: Engine
    catalog: str
    gold: Gold
    run: int = 0

    @property
    def places(self) -> Places:
        return Places(self.catalog, LANDING)

    def make(self) -> Stand:
        """Make schemas and tables."""
        flow.init(Door(self.sql, self.places, AT), self.gold)
        return self

    def deliver(self, conditions: Sequence[str], wanted: Collection[str] = ()) -> None:
        """Put the landed rows that meet the conditions (over `_arrived_at` and `_row_hash`) into bronze as one batch.

        A row that meets two of them comes twice.
        """
        self.run += 1
        now = Now(self.run, "stand", AT)
        store.begin(self.sql, self.places, now)
        for source in {table.source.name: table.source for table in self.gold if table.source}.values():
            if wanted and source.name not in wanted:
                continue
            leaves = names([leaf.column for leaf in source.leaves])
            dated = source.capture is Capture.SNAPSHOT
            target = f"{self.places.bronze(source.bronze)} ({leaves}, _row_hash, _batch, _copied_at{', _snapshot_at' if dated else ''})"
            values = f"{leaves}, _row_hash, cast({self.run} as bigint), {text_of(AT)}{', _arrived_at' if dated else ''}"
            rows = " UNION ALL ".join(f"SELECT {values} FROM {flat(source)} WHERE {one}" for one in conditions)
            self.sql(f"INSERT INTO {target} {rows}")
        store.end(self.sql, self.places, now, "SUCCEEDED", AT)

    def refresh(self) -> None:
        """Bring gold up to date with bronze, as a run does after its copies."""
        existing = observe.tables(self.sql, self.catalog)
        seen = Seen(
            existing,
            store.state(self.sql, self.places, looking.bronze_in(existing), looking.looked_up_in(self.gold, existing)),
        )
        shapes = {t.source.name: Shape(t.source, {}) for t in self.gold if t.source}
        work = Work(self.sql, self.places, self.gold, shapes, Now(self.run, "stand", AT))
        for step in plan(self.gold, self.places, seen).steps:
            doing.apply(work, step)

    def digests(self) -> Mapping[str, tuple[int, str]]:
        """Rows of every gold table and a digest of their content, audit columns apart."""
        return {table.table: self.digest(table.table) for table in self.gold}

    def digest(self, name: str) -> tuple[int, str]:
        """Rows of one table and a digest of its content."""
        table = self.gold[name]
        columns = [(quote(c.name), c.type) for c in table.columns if c.origin != "audit"]
        folded = "sum(cast(conv(substr(h, 1, 14), 16, 10) as decimal(20,0)))"
        hashed = f"SELECT {text.fingerprint(columns)} AS h FROM {self.places.gold(name)}"
        row = self.sql(f"SELECT count(*) AS n, cast({folded} as string) AS d FROM ({hashed})")[0]
        return int(row["n"]), str(row["d"])


def text_of(at: datetime) -> str:
    return f"timestamp'{at:%Y-%m-%d %H:%M:%S}Z'"


def with_death(stand: Stand, dies: Callable[[str], str | None]) -> Stand:
    """The same stand, whose engine dies."""
    return replace(stand, sql=Engine(stand.sql.client, dies))
