"""system.storage: the operations of predictive optimisation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import arrival, columns, draw
from brickyard.health.synthetic.draw import DAY, NANO, SECOND
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.world import World, workspace_ids

NAME = "storage.predictive_optimization_operations_history"
_OPERATIONS = ("COMPACTION", "VACUUM", "ANALYZE", "CLUSTERING", "DATA_SKIPPING_COLUMN_SELECTION")
_METRICS: tuple[list[tuple[str, str]], ...] = (
    [("number_of_compacted_files", "120"), ("amount_of_data_compacted_bytes", "734003200")],
    [("number_of_deleted_files", "44"), ("amount_of_data_deleted_bytes", "91226112")],
    [("amount_of_scanned_bytes", "104857600"), ("number_of_scanned_files", "20")],
    [("number_of_removed_files", "12"), ("amount_of_data_removed_bytes", "52428800")],
    [],
)


def operations(world: World, span: Period) -> pa.Table:
    """Return the operations of a span; a few failed, and a few were for a workspace that is gone."""
    rng = world.rng(NAME, span.first.toordinal())
    size = world.events(50, span, 25)
    start = span.start + rng.integers(0, span.days * DAY // SECOND, size) * SECOND
    stop = start + rng.integers(5, 1_800, size) * SECOND
    kind = draw.choose(rng, (45, 25, 15, 10, 5), size)
    table = pa.array(rng.integers(0, len(world.tables.layer), size))
    failed = draw.within(size, draw.some(rng, size, 0.03, 2))
    home = world.workspaces.home
    workspace = home[rng.integers(0, len(home), size)]
    workspace[draw.some(rng, size, 0.033, 1)] = world.workspaces.gone[0]
    values = {
        "account_id": world.account_id,
        "workspace_id": workspace_ids(world, workspace),
        "start_time": start,
        "end_time": stop,
        "metastore_name": "synthetic",
        "metastore_id": world.metastore_id,
        "catalog_name": world.tables.catalog.take(table),
        "schema_name": world.tables.schema.take(table),
        "table_name": world.tables.name.take(table),
        "table_id": world.tables.id.take(table),
        "operation_type": draw.pick(_OPERATIONS, kind),
        "operation_id": draw.uuids(rng, size),
        "operation_status": draw.pick(("SUCCESSFUL", "FAILED: INTERNAL_ERROR"), failed.astype(np.int64)),
        "operation_metrics": draw.pick(_METRICS, kind, pa.map_(pa.string(), pa.string())),
        "usage_unit": "ESTIMATED_DBU",
        "usage_quantity": draw.decimals((rng.random(size) * NANO).astype(np.int64) + 1, rng.integers(0, NANO, size)),
    }
    return arrival.told(columns.table(NAME, size, arrival.arrive(rng, world, stop), values), NAME, world)
