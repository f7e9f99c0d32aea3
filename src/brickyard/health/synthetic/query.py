"""query.history: every statement once it is final, and some of them before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import activity, arrival, columns, draw
from brickyard.health.synthetic.columns import Where
from brickyard.health.synthetic.draw import MINUTE, SECOND, Ints, Mask
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.world import World

NAME = "query.history"
KINDS = ("SELECT", "INSERT", "MERGE", "ALTER", "COPY")
_STATES = ("FINISHED", "FAILED", "CANCELED", "RUNNING")
_TEXTS = (
    ("SELECT sum(amount) FROM ", " WHERE day = ?"),
    ("INSERT INTO ", " SELECT * FROM staged"),
    ("MERGE INTO ", " USING changes ON key"),
    ("ALTER TABLE ", " ADD COLUMN note string"),
    ("COPY INTO ", " FROM '/Volumes/main/landing'"),
)
_TAG_MAP = pa.map_(pa.string(), pa.string())
_ONE_PARAMETER = {
    "named_parameters": [("day", {"exprs": [{"tag": "LITERAL", "literal": {"string_value": "2026-03-08"}}]})],
    "truncated": False,
}


def history(world: World, span: Period) -> pa.Table:
    """Return the states of the statements of a span: all final ones, after a running one for about one in twenty."""
    asked = activity.statements(world, span)
    rng = world.rng(NAME, span.first.toordinal())
    size = len(asked.start)
    running = draw.some(rng, size, 0.05, 5)
    at = np.concatenate([np.arange(size, dtype=np.int64), running])
    final = np.arange(len(at)) < size
    updated = np.where(final, asked.stop[at] + 2 * SECOND, asked.start[at] + SECOND)
    arrived = arrival.arrive(rng, world, updated)
    arrived[:size][running] = np.maximum(arrived[:size][running], arrived[size:] + MINUTE)
    table = columns.table(NAME, len(at), arrived, _values(world, asked, at, final, updated))
    return arrival.drifted(table, NAME, world)


def _values(world: World, asked: activity.Statements, at: Ints, final: Mask, updated: Ints) -> dict[str, Any]:
    kind, size = asked.kind[at], len(at)
    on_warehouse = asked.warehouse[at] >= 0
    failed = asked.state[at] == 1
    return {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(asked.workspace[at])),
        "statement_id": asked.id.take(pa.array(at)),
        **_who(world, asked, at),
        "execution_status": draw.pick(_STATES, np.where(final, asked.state[at], 3)),
        "compute": {
            "type": draw.pick(("SERVERLESS_COMPUTE", "WAREHOUSE"), on_warehouse.astype(np.int64)),
            "warehouse_id": draw.only(
                on_warehouse, world.warehouses.id.take(pa.array(np.maximum(asked.warehouse[at], 0)))
            ),
        },
        "statement_text": draw.join(
            draw.pick([before for before, _ in _TEXTS], kind),
            world.tables.full_name.take(pa.array(asked.table[at])),
            draw.pick([after for _, after in _TEXTS], kind),
        ),
        "statement_type": draw.pick(KINDS, kind),
        "error_message": draw.only(final & failed, pa.array(["[TABLE_OR_VIEW_NOT_FOUND] no such table"] * size)),
        "client_application": draw.pick(("Databricks SQL Dashboard", "Databricks SQL Editor", "dbt"), at % 3),
        "start_time": asked.start[at],
        "end_time": draw.only(final, columns.instants(asked.stop[at])),
        "update_time": updated,
        "query_source": _source(world, at, kind),
        "query_parameters": draw.pick(
            (_ONE_PARAMETER, None),
            (at % 50 != 0).astype(np.int64),
            source(NAME).schema().field("query_parameters").type,
        ),
        "query_tags": draw.pick(([("app", "orders")], [], None), at % 3, _TAG_MAP),
        **_measures(world, asked, at, final, on_warehouse),
    }


def _who(world: World, asked: activity.Statements, at: Ints) -> dict[str, pa.Array]:
    user = asked.user[at]
    email, number = world.users.email.take(pa.array(user)), draw.digits(world.users.number[user])
    return {
        "executed_by": email,
        "executed_by_user_id": number,
        "executed_as": email,
        "executed_as_user_id": number,
        "session_id": draw.join("session-", number, "-", draw.digits(asked.start[at] // draw.DAY)),
    }


def _source(world: World, at: Ints, kind: Ints) -> dict[str, Any]:
    dashboard = (kind == 0) & (at % 2 == 0)
    job = at % len(world.jobs.number)
    boards = draw.pick([f"dashboard-{board:02d}" for board in range(12)], at % 12)
    return {
        "dashboard_id": draw.only(dashboard, boards),
        "job_info": Where(kind == 2, {"job_id": draw.digits(world.jobs.number[job])}),
        "pipeline_info": Where(np.zeros(len(at), dtype=np.bool_), {}),
    }


def _measures(
    world: World, asked: activity.Statements, at: Ints, final: Mask, on_warehouse: Mask
) -> dict[str, pa.Array | Ints]:
    """Return the figures of the final states; waiting, compiling and total time are unknown on serverless compute."""
    rng = world.rng(NAME, "measures", int(asked.start[0]) % 1_000_003)
    size = len(at)
    spent = (asked.stop - asked.start)[at] // 1_000
    compiled = np.minimum(spent, rng.integers(20, 400, size))
    waited = rng.integers(0, 8_000, size) * (rng.random(size) < 0.1)
    volumes = _volumes(rng, asked.kind[at] > 0)
    cached = rng.random(size) < 0.12
    on_warehouse_only = {
        "total_duration_ms": spent + waited,
        "waiting_for_compute_duration_ms": waited,
        "waiting_at_capacity_duration_ms": waited // 3,
        "compilation_duration_ms": compiled,
    }
    known = {
        "execution_duration_ms": spent - compiled,
        "total_task_duration_ms": spent * 8,
        "result_fetch_duration_ms": rng.integers(0, 50, size),
        **volumes,
    }
    return {
        **{name: draw.only(final & on_warehouse, pa.array(each)) for name, each in on_warehouse_only.items()},
        **{name: draw.only(final, pa.array(each)) for name, each in known.items()},
        "read_io_cache_percent": draw.only(final, pa.array(rng.integers(0, 101, size).astype(np.int8))),
        "from_result_cache": draw.only(final, pa.array(cached)),
        "cache_origin_statement_id": asked.id.take(pa.array(np.where(cached, at // 2, at))),
    }


def _volumes(rng: np.random.Generator, written: Mask) -> dict[str, Ints]:
    """Draw how much statements read, and how much those that write have written."""
    size = len(written)
    rows = draw.lognormal(rng, 20_000, 2.0, size).astype(np.int64)
    read, pruned = rng.integers(1, 200, size), rng.integers(0, 800, size)
    return {
        "read_partitions": read // 4,
        "pruned_files": pruned,
        "read_files": read,
        "read_rows": rows,
        "produced_rows": rows // 50,
        "read_bytes": rows * 120,
        "spilled_local_bytes": rows * 40 * (rng.random(size) < 0.05),
        "written_bytes": rows * 80 * written,
        "written_rows": rows // 2 * written,
        "written_files": written.astype(np.int64),
        "shuffle_read_bytes": rows * 10,
        "pruned_files_bytes": pruned * 1_000_000,
        "read_files_bytes": read * 1_000_000,
    }
