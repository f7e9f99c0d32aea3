"""Lineage of tables and columns: who read what into what, by jobs, pipelines, dashboards and plain statements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import activity, arrival, columns, draw
from brickyard.health.synthetic.columns import Where
from brickyard.health.synthetic.draw import Ints, Mask
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.world import World

TABLE = "access.table_lineage"
COLUMN = "access.column_lineage"
COLUMNS = ("id", "customer_email", "amount", "day", "country", "status", "note", "updated_at")
_JOB, _PIPELINE, _DASHBOARD, _NOTEBOOK, _PLAIN = range(5)
_KINDS = ("JOB", "PIPELINE", "DASHBOARD_V3", "NOTEBOOK", None)


def table_lineage(world: World, span: Period) -> pa.Table:
    """Return reads and writes of tables; a few without a target, a source or either name (paths)."""
    rng = world.rng(TABLE, span.first.toordinal())
    size = world.events(420, span, 60)
    event = _Events(world, span, rng, size)
    reads, writes = rng.random(size) < 0.9, rng.random(size) < 0.6
    neither = ~reads & ~writes
    table = columns.table(
        TABLE,
        size,
        arrival.arrive(rng, world, event.moment),
        {
            **event.values(),
            **event.side("source", reads, world.tables.parent[event.table], neither),
            **event.side("target", writes, event.table, np.zeros(size, dtype=np.bool_)),
        },
    )
    return arrival.told(table, TABLE, world, tie=("entity_run_id", ("run-a", "run-b")))


def column_lineage(world: World, span: Period) -> pa.Table:
    """Return reads and writes of columns; a tenth has no target column, a few come from a path."""
    rng = world.rng(COLUMN, span.first.toordinal())
    size = world.events(500, span, 60)
    event = _Events(world, span, rng, size)
    reads, writes = rng.random(size) < 0.97, rng.random(size) < 0.9
    read, written = rng.integers(0, len(COLUMNS), size), rng.integers(0, len(COLUMNS), size)
    table = columns.table(
        COLUMN,
        size,
        arrival.arrive(rng, world, event.moment),
        {
            **event.values(),
            **event.side("source", reads, world.tables.parent[event.table], ~reads),
            **event.side("target", writes, event.table, np.zeros(size, dtype=np.bool_)),
            "source_column_name": draw.only(reads, draw.pick(COLUMNS, read)),
            "target_column_name": draw.only(writes, draw.pick(COLUMNS, written)),
        },
    )
    return arrival.told(table, COLUMN, world)


class _Events:
    """What caused the lineage of a span: half of it statements of the query history, the rest runs and updates."""

    def __init__(self, world: World, span: Period, rng: np.random.Generator, size: int) -> None:
        self.world, self.size = world, size
        self._asked, self._runs = activity.statements(world, span), activity.job_runs(world, span)
        self._updates = activity.updates(world, span)
        self.kind = draw.choose(rng, (35, 12, 23, 15, 15), size)
        self._statement = rng.integers(0, len(self._asked.start), size)
        self._run = rng.integers(0, len(self._runs.job), size)
        self._update = rng.integers(0, len(self._updates.start), size)
        self._by_statement = self.kind >= _DASHBOARD
        self._lost = rng.random(size) < 0.07
        self._ids = draw.uuids(rng, size), draw.uuids(rng, size), draw.uuids(rng, size)
        self._direct = rng.random(size) < 0.9
        self.table = np.where(
            self._by_statement,
            self._asked.table[self._statement],
            (rng.random(size) * len(world.tables.layer)).astype(np.int64),
        )
        self.moment = self._pick(
            self._runs.start[self._run], self._updates.start[self._update], self._asked.start[self._statement]
        )

    def _pick(self, run: Ints, update: Ints, statement: Ints) -> Ints:
        return np.where(self.kind == _JOB, run, np.where(self.kind == _PIPELINE, update, statement))

    def values(self) -> dict[str, Any]:
        """Return the columns that tell who and when."""
        world, jobs = self.world, self.world.jobs
        job = self._runs.job[self._run]
        pipeline = self._updates.pipeline[self._update]
        job_id, run_id = draw.digits(jobs.number[job]), draw.digits(self._runs.number[self._run])
        pipeline_id = world.pipelines.id.take(pa.array(pipeline))
        update_id = self._updates.id.take(pa.array(self._update))
        statement_id = self._asked.id.take(pa.array(self._statement))
        boards = draw.pick([f"dashboard-{board:02d}" for board in range(12)], self._statement % 12)
        is_job, is_pipeline = self.kind == _JOB, self.kind == _PIPELINE
        entity = draw.either(is_job, job_id, draw.either(is_pipeline, pipeline_id, boards))
        run = draw.either(is_job, run_id, draw.either(is_pipeline, update_id, statement_id))
        workspace = self._pick(
            jobs.workspace[job], world.pipelines.workspace[pipeline], self._asked.workspace[self._statement]
        )
        record, group, stranger = self._ids
        return {
            "account_id": world.account_id,
            "metastore_id": world.metastore_id,
            "workspace_id": world.workspaces.ids.take(pa.array(workspace)),
            "entity_type": draw.pick(_KINDS, self.kind),
            "entity_id": draw.only(self.kind != _PLAIN, entity),
            "entity_run_id": run,
            "created_by": world.users.email.take(pa.array(self._asked.user[self._statement])),
            "event_time": self.moment,
            "event_date": columns.dates(self.moment),
            "record_id": record,
            "event_id": group,
            "statement_id": draw.only(self._by_statement, draw.either(self._lost, stranger, statement_id)),
            "entity_metadata": {
                "job_info": Where(is_job, {"job_id": job_id, "job_run_id": run_id}),
                "dlt_pipeline_info": Where(is_pipeline, {"dlt_pipeline_id": pipeline_id, "dlt_update_id": update_id}),
                "dashboard_id": draw.only(self.kind == _DASHBOARD, boards),
                "alert_id": draw.only(self._lost, boards),
            },
            "direct_access": self._direct,
        }

    def side(self, name: str, named: Mask, table: Ints, path: Mask) -> dict[str, Any]:
        """Return the columns of one side: a table where it is named, a path where asked for, else nothing."""
        tables = self.world.tables
        at = pa.array(table)
        kinds = np.where(named, np.where(tables.layer[table] == 2, 1, 0), np.where(path, 2, 3))
        return {
            f"{name}_table_full_name": draw.only(named, tables.full_name.take(at)),
            f"{name}_table_catalog": draw.only(named, tables.catalog.take(at)),
            f"{name}_table_schema": draw.only(named, tables.schema.take(at)),
            f"{name}_table_name": draw.only(named, tables.name.take(at)),
            f"{name}_path": draw.only(path, pa.array(["s3://landing/raw/orders"] * self.size)),
            f"{name}_type": draw.pick(("TABLE", "VIEW", "PATH", None), kinds),
        }
