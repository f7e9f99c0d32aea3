"""The truth of an account at an instant, table by table, each computed when it is asked for and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from brickyard.health.oracle import (
    billing,
    compute,
    data_classification,
    dqm,
    governance,
    lakeflow,
    marketplace,
    mlflow,
    model_serving,
    query_performance,
    security,
    shared,
    storage,
)
from brickyard.health.oracle.costs import costs
from brickyard.health.oracle.seen import Seen, Told

_DOMAINS = (
    billing, compute, data_classification, dqm, governance, lakeflow, marketplace, mlflow, model_serving,
    query_performance, security, shared, storage,
)  # fmt: skip
_TABLES: Mapping[str, Callable[[Seen], pa.Table]] = {
    name: tell for domain in _DOMAINS for name, tell in domain.TABLES.items()
}


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What gold must hold, without its audit columns."""

    seen: Seen
    _told: dict[str, pa.Table] = field(default_factory=dict)

    def tables(self) -> tuple[str, ...]:
        """Return the names of the gold tables, such as `billing.fact_usage`, in alphabetical order."""
        return tuple(sorted(_TABLES))

    def __getitem__(self, table: str) -> pa.Table:
        """Return all rows of a gold table, in no order; raise KeyError for a table that is none."""
        if table not in self._told:
            self._told[table] = _TABLES[table](self.seen)
        return self._told[table]

    def costs(self, *by: str) -> pa.Table:
        """Sum usage by day, month, workspace, sku, job, warehouse, cluster or tag; see `costs.costs`."""
        return costs(self.seen, by)


def truth(
    account: Told, at: datetime, *, looks: Sequence[datetime] = (), states: Sequence[datetime] | None = None
) -> Truth:
    """Return what gold must hold at an instant (aware) after runs at *looks*, by default one run at that instant.

    When a source that is replaced in place was looked at matters: what was there between two looks was never seen.
    *states* are the instants at which dated states were kept where these are others, as after a seeding. Raises
    ValueError for instants that are not in order or lie after *at*.
    """
    return Truth(Seen(account, _until(at, looks), _until(at, looks if states is None else states)))


def _until(at: datetime, looks: Sequence[datetime]) -> tuple[datetime, ...]:
    instants = [look.astimezone(UTC) for look in (*looks, at)]
    if instants != sorted(instants):
        raise ValueError("looks are in order of time and none of them is later than the instant itself")
    return tuple(dict.fromkeys(instants))
