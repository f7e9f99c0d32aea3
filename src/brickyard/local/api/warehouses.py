"""SQL warehouses: names for the one engine of the local workspace; the default one always runs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Protocol

from brickyard.local.api.documents import Documents
from brickyard.local.api.errors import exists, invalid, missing
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_text

_SETTINGS = (
    "name",
    "cluster_size",
    "min_num_clusters",
    "max_num_clusters",
    "auto_stop_mins",
    "enable_photon",
    "enable_serverless_compute",
    "spot_instance_policy",
    "warehouse_type",
    "tags",
    "channel",
    "instance_profile_arn",
)
_WAYS = {"RUNNING": ("STARTING", "RUNNING"), "STOPPED": ("STOPPING", "STOPPED")}
_DEFAULTS: JsonObject = {
    "name": "Local warehouse",
    "cluster_size": "2X-Small",
    "min_num_clusters": 1,
    "max_num_clusters": 1,
    "auto_stop_mins": 0,
    "enable_photon": False,
    "enable_serverless_compute": False,
    "spot_instance_policy": "COST_OPTIMIZED",
    "warehouse_type": "PRO",
}


class Watcher(Protocol):
    """Who is told what becomes of warehouses."""

    def warehouse(self, warehouse: JsonObject, *, deleted: bool = False) -> None:
        """A warehouse is as described, or is no more."""
        ...

    def warehouse_events(self, warehouse_id: str, *events: str) -> None:
        """A warehouse went through these states just now."""
        ...


class Unwatched:
    """Nobody is told."""

    def warehouse(self, warehouse: JsonObject, *, deleted: bool = False) -> None:
        """Pass over it."""

    def warehouse_events(self, warehouse_id: str, *events: str) -> None:
        """Pass over them."""


@dataclass(frozen=True, slots=True)
class Warehouses:
    """The warehouses of a workspace; `default_id` names the one that cannot be stopped or deleted."""

    rows: Documents
    default_id: str
    owner: str
    port: int
    watcher: Watcher = field(default_factory=Unwatched)

    def get(self, warehouse_id: str) -> JsonObject:
        """Describe a warehouse, or RESOURCE_DOES_NOT_EXIST."""
        for found in self.all():
            if found["id"] == warehouse_id:
                return found
        raise missing(f"SQL warehouse {warehouse_id} does not exist.")

    def all(self) -> list[JsonObject]:
        """Every warehouse, the default one first."""
        default: JsonObject = {**_DEFAULTS, "state": "RUNNING", "creator_name": self.owner}
        rows = [(self.default_id, default), *self.rows.items()]
        return [self._info(warehouse_id, row) for warehouse_id, row in rows]

    def usable(self, warehouse_id: str) -> None:
        """Check that statements may be sent to a warehouse, and start it when it is stopped."""
        if warehouse_id == self.default_id:
            return
        row = self.rows.get(warehouse_id)
        if row is None:
            raise invalid(f"{warehouse_id} is not a valid endpoint id.")
        if row["state"] != "RUNNING":
            self.set_state(warehouse_id, "RUNNING")

    def set_state(self, warehouse_id: str, state: str) -> None:
        """Start or stop a warehouse; the default one stays as it is."""
        before = self.get(warehouse_id)["state"]
        if warehouse_id != self.default_id:
            with self.rows.changing() as rows:
                rows[warehouse_id]["state"] = state
            if state != before:
                self.watcher.warehouse_events(warehouse_id, *_WAYS[state])

    def _info(self, warehouse_id: str, row: JsonObject) -> JsonObject:
        path = f"/sql/1.0/warehouses/{warehouse_id}"
        running = row["state"] == "RUNNING"
        return {
            **row,
            "id": warehouse_id,
            "num_clusters": 1 if running else 0,
            "num_active_sessions": 0,
            "jdbc_url": f"jdbc:databricks://127.0.0.1:{self.port}/default;httpPath={path}",
            "odbc_params": {"hostname": "127.0.0.1", "path": path, "port": self.port, "protocol": "http"},
            "health": {"status": "HEALTHY"},
        }


router: Router[Warehouses] = Router()


@router.on("GET", "/api/2.0/sql/warehouses", operation="warehouses.list")
def list_(warehouses: Warehouses, call: Call) -> Answer:
    """List the warehouses."""
    return {"warehouses": warehouses.all()}


@router.on("POST", "/api/2.0/sql/warehouses", operation="warehouses.create")
def create(warehouses: Warehouses, call: Call) -> Answer:
    """Make a warehouse; it runs at once."""
    settings = _settings(call.body())
    name = field_text(settings, "name")
    warehouse_id = secrets.token_hex(8)
    with warehouses.rows.changing() as rows:
        if any(w["name"] == name for w in warehouses.all()):
            raise exists(f"SQL warehouse with name `{name}` already exists")
        rows[warehouse_id] = {**_DEFAULTS, **settings, "state": "RUNNING", "creator_name": call.principal.name}
    warehouses.watcher.warehouse(warehouses.get(warehouse_id))
    warehouses.watcher.warehouse_events(warehouse_id, *_WAYS["RUNNING"])
    return {"id": warehouse_id}


@router.on("GET", "/api/2.0/sql/warehouses/{id}", operation="warehouses.get")
def get(warehouses: Warehouses, call: Call) -> Answer:
    """Describe a warehouse."""
    return warehouses.get(call.params["id"])


@router.on("POST", "/api/2.0/sql/warehouses/{id}/edit", operation="warehouses.edit")
def edit(warehouses: Warehouses, call: Call) -> Answer:
    """Change a warehouse's settings."""
    warehouse_id = _changeable(warehouses, call)
    with warehouses.rows.changing() as rows:
        rows[warehouse_id] |= _settings(call.body())
    warehouses.watcher.warehouse(warehouses.get(warehouse_id))
    return {}


@router.on("POST", "/api/2.0/sql/warehouses/{id}/start", operation="warehouses.start")
def start(warehouses: Warehouses, call: Call) -> Answer:
    """Start a warehouse."""
    warehouses.set_state(call.params["id"], "RUNNING")
    return {}


@router.on("POST", "/api/2.0/sql/warehouses/{id}/stop", operation="warehouses.stop")
def stop(warehouses: Warehouses, call: Call) -> Answer:
    """Stop a warehouse; the default one keeps running."""
    warehouses.set_state(call.params["id"], "STOPPED")
    return {}


@router.on("DELETE", "/api/2.0/sql/warehouses/{id}", operation="warehouses.delete")
def delete(warehouses: Warehouses, call: Call) -> Answer:
    """Remove a warehouse."""
    warehouse_id = _changeable(warehouses, call)
    warehouses.set_state(warehouse_id, "STOPPED")
    gone = warehouses.get(warehouse_id)
    with warehouses.rows.changing() as rows:
        rows.pop(warehouse_id, None)
    warehouses.watcher.warehouse(gone, deleted=True)
    return {}


@router.on("GET", "/api/2.0/sql/config/warehouses", operation="warehouses.get_workspace_warehouse_config")
def config(warehouses: Warehouses, call: Call) -> Answer:
    """Describe what all warehouses share."""
    return {"security_policy": "NONE", "enabled_warehouse_types": [{"warehouse_type": "PRO", "enabled": True}]}


def _changeable(warehouses: Warehouses, call: Call) -> str:
    warehouse_id = call.params["id"]
    warehouses.get(warehouse_id)
    if warehouse_id == warehouses.default_id:
        raise invalid("The default warehouse of the local workspace cannot be changed or deleted.")
    return warehouse_id


def _settings(body: JsonObject) -> JsonObject:
    return {name: body[name] for name in _SETTINGS if body.get(name) is not None}
