"""The source tables of the synthetic account: columns, types in two dated versions, keys and ways of changing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import pyarrow as pa
from ruamel.yaml import YAML

from brickyard.health.synthetic.ddl import arrow_type
from brickyard.kernel.assets import read_text

ARRIVED = "_arrived_at"
ARRIVED_FIELD = pa.field(ARRIVED, pa.timestamp("us", "UTC"))


class Shape(StrEnum):
    """How a reader sees a source change: every row for ever, the newest state of each key, or dated states."""

    ROWS = "rows"
    LATEST = "latest"
    SNAPSHOT = "snapshot"


SHAPES: dict[str, Shape] = {
    "access.workspaces_latest": Shape.SNAPSHOT,
    "billing.usage": Shape.ROWS,
    "billing.list_prices": Shape.SNAPSHOT,
    "billing.account_prices": Shape.SNAPSHOT,
    "lakeflow.jobs": Shape.ROWS,
    "lakeflow.job_tasks": Shape.ROWS,
    "lakeflow.pipelines": Shape.ROWS,
    "lakeflow.job_run_timeline": Shape.ROWS,
    "lakeflow.job_task_run_timeline": Shape.ROWS,
    "lakeflow.pipeline_update_timeline": Shape.ROWS,
    "compute.warehouses": Shape.ROWS,
    "query.history": Shape.LATEST,
    "compute.warehouse_events": Shape.ROWS,
    "access.audit": Shape.ROWS,
    "access.assistant_events": Shape.ROWS,
    "access.clean_room_events": Shape.ROWS,
    "access.inbound_network": Shape.ROWS,
    "access.outbound_network": Shape.ROWS,
    "compute.node_types": Shape.SNAPSHOT,
    "compute.clusters": Shape.ROWS,
    "compute.node_timeline": Shape.ROWS,
    "access.table_lineage": Shape.ROWS,
    "access.column_lineage": Shape.ROWS,
    "data_classification.results": Shape.SNAPSHOT,
    "data_quality_monitoring.table_results": Shape.ROWS,
    "marketplace.listing_access_events": Shape.ROWS,
    "marketplace.listing_funnel_events": Shape.ROWS,
    "mlflow.experiments_latest": Shape.LATEST,
    "mlflow.runs_latest": Shape.LATEST,
    "mlflow.run_metrics_history": Shape.ROWS,
    "serving.served_entities": Shape.ROWS,
    "serving.endpoint_usage": Shape.ROWS,
    "serving.payload_logs": Shape.ROWS,
    "storage.predictive_optimization_operations_history": Shape.ROWS,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One source column: its type now, its type before the drift, or None when it was not there yet."""

    name: str
    text: str
    text_before: str | None

    @property
    def kind(self) -> pa.DataType:
        """Return the Arrow type of today."""
        return arrow_type(self.text)

    @property
    def kind_before(self) -> pa.DataType | None:
        """Return the Arrow type before the drift, or None for a column that came with it."""
        return None if self.text_before is None else arrow_type(self.text_before)


@dataclass(frozen=True, slots=True)
class Source:
    """One system table as its description in the assets states it."""

    name: str
    key: tuple[str, ...]
    watermark: str | None
    order: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def shape(self) -> Shape:
        """Return how a reader sees this source change."""
        return SHAPES[self.name]

    def schema(self, *, drifted: bool = True) -> pa.Schema:
        """Return the Arrow schema after or before the drift, without the arrival column."""
        if drifted:
            return pa.schema([(column.name, column.kind) for column in self.columns])
        return pa.schema([(each.name, each.kind_before) for each in self.columns if each.kind_before is not None])

    def texts(self, *, drifted: bool = True) -> dict[str, str]:
        """Return each column's SQL type text after or before the drift."""
        if drifted:
            return {column.name: column.text for column in self.columns}
        return {column.name: column.text_before for column in self.columns if column.text_before is not None}


@cache
def source(name: str) -> Source:
    """Return the description of one source such as `billing.usage`; raise KeyError for a name that is no source."""
    SHAPES[name]
    loaded = YAML(typ="safe", pure=True).load(read_text("health", "system_tables", f"{name}.yaml"))
    semantics = loaded["update_semantics"]
    orders = [str(each) for each in semantics["dedup_order"] if not str(each).startswith("hash")]
    return Source(
        name=name,
        key=tuple(loaded["primary_key"]),
        watermark=semantics["watermark"],
        order=tuple(each.split()[0] for each in orders),
        columns=tuple(_column(each) for each in loaded["columns"]),
    )


def _column(raw: dict[str, str]) -> Column:
    before = None if "since" in raw else raw.get("type_2025", raw["type"])
    return Column(name=raw["name"], text=raw["type"], text_before=before)


@cache
def arrival_schema(name: str) -> pa.Schema:
    """Return a source's Arrow schema of today followed by the arrival column."""
    return source(name).schema().append(ARRIVED_FIELD)
