"""One synthetic account: what arrived when, and what a reader of each source sees at an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import (
    access,
    arrival,
    compute,
    lakeflow,
    lineage,
    marketplace,
    mlflow,
    quality,
    query,
    serving,
    skus,
    storage,
    usage,
    workspaces,
)
from brickyard.health.synthetic.period import Period, microseconds, midnight, moment
from brickyard.health.synthetic.sources import ARRIVED, SHAPES, Shape, arrival_schema, source
from brickyard.health.synthetic.world import World, build

Teller = Callable[[World, Period], pa.Table]
Dated = tuple[tuple[date, pa.Table], ...]

CHUNK_ROWS = 1_000_000

SNAPSHOTS: dict[str, Callable[[World], Dated]] = {
    "access.workspaces_latest": workspaces.workspaces_latest,
    "billing.list_prices": skus.list_prices,
    "billing.account_prices": skus.account_prices,
    "compute.node_types": compute.node_types,
    "data_classification.results": quality.classification,
}

DEFINITIONS: dict[str, Callable[[World], pa.Table]] = {
    "compute.warehouses": compute.warehouses,
    "mlflow.experiments_latest": mlflow.experiments_latest,
    "serving.served_entities": serving.served_entities,
    "lakeflow.jobs": lakeflow.jobs,
    "lakeflow.job_tasks": lakeflow.job_tasks,
    "lakeflow.pipelines": lakeflow.pipelines,
}

TELLERS: dict[str, Teller] = {
    "billing.usage": usage.usage,
    "data_quality_monitoring.table_results": quality.table_results,
    "marketplace.listing_access_events": marketplace.listing_access_events,
    "marketplace.listing_funnel_events": marketplace.listing_funnel_events,
    "mlflow.runs_latest": mlflow.runs_latest,
    "mlflow.run_metrics_history": mlflow.run_metrics_history,
    "serving.endpoint_usage": serving.endpoint_usage,
    "serving.payload_logs": serving.payload_logs,
    "storage.predictive_optimization_operations_history": storage.operations,
    "query.history": query.history,
    "access.audit": access.audit,
    "access.assistant_events": access.assistant_events,
    "access.clean_room_events": access.clean_room_events,
    "access.inbound_network": access.inbound_network,
    "access.outbound_network": access.outbound_network,
    "access.table_lineage": lineage.table_lineage,
    "access.column_lineage": lineage.column_lineage,
    "compute.clusters": compute.clusters,
    "compute.node_timeline": compute.node_timeline,
    "compute.warehouse_events": compute.warehouse_events,
    "lakeflow.job_run_timeline": lakeflow.job_run_timeline,
    "lakeflow.job_task_run_timeline": lakeflow.job_task_run_timeline,
    "lakeflow.pipeline_update_timeline": lakeflow.pipeline_update_timeline,
}


@dataclass(frozen=True, slots=True)
class Account:
    """A synthetic account of *days* days; the newer source schemas begin on *drift_day*."""

    days: int
    scale: float
    seed: int
    first_day: date
    last_day: date
    drift_day: date

    @property
    def world(self) -> World:
        """Return what exists in the account."""
        return build(self.seed, self.scale, Period(self.first_day, self.days), midnight(self.drift_day))

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the names of all sources, such as `billing.usage`."""
        return tuple(SHAPES)

    @property
    def settled_at(self) -> datetime:
        """Return the instant by which every row has arrived."""
        return moment(self.world.settled)

    def arrivals(self, name: str) -> pa.Table:
        """Return every row of a source that is no snapshot, with `_arrived_at`, in the order of arrival in each span.

        Raises KeyError for a snapshot or an unknown source.
        """
        return _arrivals(self, name)

    def chunks(self, name: str) -> Iterator[pa.Table]:
        """Yield the same rows as `arrivals`, in the same order, about a million at a time and never all in memory."""
        if name in DEFINITIONS:
            yield DEFINITIONS[name](self.world)
            return
        held: list[pa.Table] = []
        for span in Period(self.first_day, self.days).spans(self.scale):
            held.append(TELLERS[name](self.world, span))
            if sum(part.num_rows for part in held) >= CHUNK_ROWS:
                yield pa.concat_tables(held)
                held = []
        if held:
            yield pa.concat_tables(held)

    def snapshots(self, name: str) -> Dated:
        """Return the dated states of a source that is replaced in place: the first, and each that differs.

        Raises KeyError for a source that is no snapshot.
        """
        return tuple((day, table.cast(source(name).schema())) for day, table in SNAPSHOTS[name](self.world))

    def visible(self, name: str, at: datetime) -> pa.Table:
        """Return what a reader sees at an instant, in the columns and types the source has on that day."""
        table = self._state(name, at) if source(name).shape is Shape.SNAPSHOT else self._arrived(name, at)
        schema = self.arrow_schema(name, at.astimezone(UTC).date())
        return pa.table([arrival.narrowed(table.column(each.name), each.type) for each in schema], schema=schema)

    def _state(self, name: str, at: datetime) -> pa.Table:
        shown = [table for day, table in self.snapshots(name) if day <= at.astimezone(UTC).date()]
        return shown[-1] if shown else source(name).schema().empty_table()

    def _arrived(self, name: str, at: datetime) -> pa.Table:
        table = self.arrivals(name)
        here = table.filter(pa.array(arrival.moments(table) <= microseconds(at)))
        return newest(here, name) if source(name).shape is Shape.LATEST else here

    def schema(self, name: str, on: date) -> dict[str, str]:
        """Return each column's SQL type as of a day: the older types before the drift, today's from then on."""
        return source(name).texts(drifted=on >= self.drift_day)

    def arrow_schema(self, name: str, on: date) -> pa.Schema:
        """Return the same as an Arrow schema."""
        return source(name).schema(drifted=on >= self.drift_day)


@lru_cache(maxsize=2 * len(SHAPES))
def _arrivals(account: Account, name: str) -> pa.Table:
    chunks = list(account.chunks(name))
    return pa.concat_tables(chunks).combine_chunks() if chunks else arrival_schema(name).empty_table()


def newest(table: pa.Table, name: str) -> pa.Table:
    """Keep the last state of each key: the greatest by the source's order, then by arrival."""
    described = source(name)
    keys = [table.column(column).combine_chunks().dictionary_encode().indices.to_numpy() for column in described.key]
    order = [arrival.moments(table, column) for column in (*described.order[:1], ARRIVED)]
    ranked = np.lexsort((np.arange(table.num_rows), *order[::-1], *keys))
    if len(ranked) == 0:
        return table
    same = np.ones(len(ranked), dtype=np.bool_)
    for key in keys:
        same[:-1] &= key[ranked][:-1] == key[ranked][1:]
    same[-1] = False
    return table.take(pa.array(np.sort(ranked[~same])))
