"""Rows of `system.compute` and of the workspace itself: warehouses, what happened to them, the machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from brickyard.local.system.model import Row


def warehouse_columns(warehouse: Mapping[str, object]) -> Row:
    """What the version of a warehouse says, from its description by the Warehouses API."""
    kind = "SERVERLESS" if warehouse.get("enable_serverless_compute") is True else warehouse.get("warehouse_type")
    channel = warehouse.get("channel")
    name = channel.get("name") if isinstance(channel, dict) else None
    return {
        "warehouse_id": warehouse["id"],
        "warehouse_name": warehouse.get("name"),
        "warehouse_type": kind,
        "warehouse_channel": str(name or "CURRENT").removeprefix("CHANNEL_NAME_"),
        "warehouse_size": str(warehouse.get("cluster_size")).replace("-", "_").upper(),
        "min_clusters": warehouse.get("min_num_clusters"),
        "max_clusters": warehouse.get("max_num_clusters"),
        "auto_stop_minutes": warehouse.get("auto_stop_mins"),
        "tags": _tags(warehouse.get("tags")),
        "created_by": warehouse.get("creator_name"),
    }


def warehouse_row(columns: Row, at: datetime, *, deleted: bool = False) -> Row:
    """The version of a warehouse that took effect *at*."""
    return {**columns, "change_time": at, "delete_time": at if deleted else None}


def event_row(warehouse_id: str, event: str, at: datetime) -> Row:
    """What happened to a warehouse (STARTING, RUNNING, STOPPING, STOPPED); the engine is its one cluster."""
    return {
        "warehouse_id": warehouse_id,
        "event_type": event,
        "cluster_count": int(event == "RUNNING"),
        "event_time": at,
    }


def node_type_row(node: Mapping[str, object]) -> Row:
    """This machine, from its description by the Clusters API; nobody counted its GPUs."""
    return {
        "node_type": node["node_type_id"],
        "core_count": node["num_cores"],
        "memory_mb": node["memory_mb"],
        "gpu_count": None,
    }


def workspace_row(name: str, url: str, created: datetime | None) -> Row:
    """This workspace."""
    return {"workspace_name": name, "workspace_url": url, "create_time": created, "status": "RUNNING"}


def _tags(value: object) -> dict[str, str]:
    """Custom tags, as the Warehouses API nests them."""
    listed = value.get("custom_tags") if isinstance(value, dict) else None
    return {str(t.get("key")): str(t.get("value")) for t in listed if isinstance(t, dict)} if listed else {}
