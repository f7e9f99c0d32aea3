"""The truth of the domain governance: lineage of tables and of columns."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from brickyard.health.oracle.columns import Columns, copied, flattened, table
from brickyard.health.oracle.events import events, is_there
from brickyard.health.oracle.seen import Seen

_ENTITY = (
    "account_id metastore_id workspace_id record_id event_id event_time event_date entity_type entity_id entity_run_id"
    " created_by statement_id direct_access"
)
_SIDE = "{0}_table_full_name {0}_table_catalog {0}_table_schema {0}_table_name {0}_path {0}_type"


def _lineage(rows: pa.Table) -> Columns:
    sides = [copied(rows, _SIDE.format(side)) for side in ("source", "target")]
    moved = {"is_read": is_there(rows.column("source_type")), "is_write": is_there(rows.column("target_type"))}
    return {**copied(rows, _ENTITY), **sides[0], **sides[1], **moved, **flattened(rows, "entity_metadata")}


def fact_table_lineage(seen: Seen) -> pa.Table:
    """Return reads and writes of tables and paths."""
    return table(_lineage(events(seen, "access.table_lineage", ["record_id"])))


def fact_column_lineage(seen: Seen) -> pa.Table:
    """Return reads and writes of columns, also those of which one side is not known."""
    rows = events(seen, "access.column_lineage", ["record_id"])
    return table(_lineage(rows), copied(rows, "source_column_name target_column_name"))


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "governance.fact_column_lineage": fact_column_lineage,
    "governance.fact_table_lineage": fact_table_lineage,
}
