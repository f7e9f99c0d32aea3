"""Doors for the flow: the warehouse of a workspace, and the catalogs that a run reads and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from brickyard.health.flow import Door
from brickyard.health.model.state import Sql
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places
from brickyard.kernel.errors import NotFound

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

SYSTEM = "system"


def places(source_catalog: str | None = None, catalog: str | None = None) -> Places:
    """Return the catalogs: gold is `<source catalog>_health` unless it is named, the sources are in `system`."""
    source = source_catalog or SYSTEM
    return Places(catalog or f"{source}_health", source)


def warehouse(client: WorkspaceClient) -> Sql:
    """Return how to run a statement on a warehouse of the workspace, chosen when the first statement comes."""
    from brickyard.workspace import pick_warehouse, run_sql

    chosen = cache(lambda: pick_warehouse(client))

    def sql(statement: str) -> Sequence[Mapping[str, Any]]:
        return run_sql(client, statement, warehouse_id=chosen()).dicts()

    return sql


def through(client: WorkspaceClient, where: Places, at: datetime) -> Door:
    """Open the flow's door to a workspace, the time being *at* (UTC)."""
    return Door(warehouse(client), where, at)


def chosen(tables: Sequence[str], domains: Sequence[str], gold: Gold | None = None) -> frozenset[str]:
    """Return the tables that are named, by themselves or by their domain; raise NotFound for a domain without tables."""
    gold = gold or compile_all()
    known = {table.contract.domain for table in gold}
    if unknown := sorted(set(domains) - known):
        raise NotFound(
            f"no such domain: {', '.join(unknown)}", code="health-no-table", remedy=f"one of {', '.join(sorted(known))}"
        )
    return frozenset(tables) | {table.table for table in gold if table.contract.domain in domains}
