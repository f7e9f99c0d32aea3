"""system.access: the audit log, assistant and clean room events, and denied network access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import arrival, columns, draw
from brickyard.health.synthetic.columns import Where
from brickyard.health.synthetic.draw import DAY, HOUR, SECOND, Ints
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.world import ACCOUNT, NOBODY, World, workspace_ids

AUDIT = "access.audit"
BURST = 25  # failed logins of one principal from one address within ten minutes


@dataclass(frozen=True, slots=True)
class Action:
    """One audited action: where it belongs, how often it happens and what its parameters look like."""

    service: str
    name: str
    account_level: bool
    weight: float
    parameters: tuple[tuple[str, str], ...] = ()


ACTIONS: tuple[Action, ...] = (
    Action("accounts", "tokenLogin", True, 24, (("tokenId", "t-1"),)),
    Action("accounts", "login", True, 8),
    Action("accounts", "aadBrowserLogin", True, 5),
    Action("accounts", "setAdmin", True, 0.3, (("targetUserName", "ana.adler0@synthetic.example"),)),
    Action("accounts", "addPrincipalToGroup", True, 0.6, (("targetGroupName", "admins"),)),
    Action("accounts", "changeAccountOwner", True, 0.05),
    Action("unityCatalog", "getTable", False, 20, (("full_name_arg", "main.clean.orders_8"),)),
    Action("unityCatalog", "generateTemporaryTableCredential", False, 12, (("operation", "READ"),)),
    Action("unityCatalog", "updatePermissions", True, 0.8, (("securable_type", "table"), ("changes", "[SELECT]"))),
    Action("unityCatalog", "createTable", False, 3),
    Action("unityCatalog", "deleteTable", False, 0.6),
    Action("unityCatalog", "deltaSharingQueriedTable", True, 4, (("recipient_name", "acme"),)),
    Action("jobs", "runNow", False, 6, (("job_id", "1"),)),
    Action("jobs", "changeJobAcl", False, 0.4, (("targetUserId", "1"),)),
    Action("clusters", "start", False, 3),
    Action("clusters", "changeClusterAcl", False, 0.3),
    Action("databrickssql", "commandSubmit", False, 9, (("warehouseId", "w"),)),
    Action("tokens", "generateDbToken", True, 0.6),
    Action("secrets", "getSecret", False, 2, (("scope", "prod"),)),
    Action("notebook", "downloadPreviewResults", False, 1),
    Action("workspace", "workspaceExport", False, 0.5),
)
_LOGIN = 1
_GRANT = 8
_AGENTS = ("Mozilla/5.0", "databricks-sdk-py/0.60", "Apache-HttpClient/4.5", None)
_AUDIT_TIES = ("twice/1.0", "twice/2.0")


def audit(world: World, span: Period) -> pa.Table:
    """Return the audit log of a span, with bursts of failed logins and changes of permissions."""
    rng = world.rng(AUDIT, span.first.toordinal())
    size = world.events(650, span, 120)
    action = draw.choose(rng, [each.weight for each in ACTIONS], size)
    action[:5] = _GRANT
    user = rng.integers(0, len(world.users.number), size)
    event = _moments(rng, span, size)
    address = rng.integers(1, 250, size)
    status = draw.pick((200, 400, 403), draw.choose(rng, (96, 2.5, 1.5), size)).to_numpy().copy()
    for first in range(5, 5 + BURST * max(1, round(span.days / 20)), BURST):
        burst = slice(first, min(first + BURST, size))
        action[burst], user[burst], address[burst], status[burst] = _LOGIN, first % 7, 251, 401
        event[burst] = event[first] // DAY * DAY + np.sort(rng.integers(0, 600, len(event[burst]))) * SECOND
    values = _audit_values(world, rng, action, user, event, address, status)
    table = columns.table(AUDIT, size, arrival.arrive(rng, world, event), values)
    return arrival.told(table, AUDIT, world, tie=("user_agent", _AUDIT_TIES))


def _moments(rng: np.random.Generator, span: Period, size: int) -> Ints:
    """Draw instants in a span, to the millisecond."""
    return span.start + rng.integers(0, span.days * DAY // 1_000, size) * 1_000


def _home(world: World, rng: np.random.Generator, size: int) -> Ints:
    home = world.workspaces.home
    return home[rng.integers(0, len(home), size)]


def _audit_values(
    world: World, rng: np.random.Generator, action: Ints, user: Ints, event: Ints, address: Ints, status: Ints
) -> dict[str, Any]:
    size = len(action)
    at_account = np.asarray([each.account_level for each in ACTIONS])[action]
    unnamed = np.where(rng.random(size) < 0.05, NOBODY, ACCOUNT)
    system = rng.random(size) < 0.1
    email = world.users.email.take(pa.array(user))
    caller = draw.either(system, pa.array(["System-User"] * size), email)
    failed = status >= 400
    return {
        "account_id": world.account_id,
        "workspace_id": workspace_ids(world, np.where(at_account, unnamed, _home(world, rng, size))),
        "version": "2.0",
        "event_time": event,
        "event_date": columns.dates(event),
        "source_ip_address": draw.join("203.0.113.", draw.digits(address)),
        "user_agent": draw.pick(_AGENTS, rng.integers(0, len(_AGENTS), size)),
        "session_id": draw.hex_ids(rng, size, 16),
        "user_identity": {"email": caller, "subject_name": draw.only(system, caller)},
        "service_name": draw.pick([each.service for each in ACTIONS], action),
        "action_name": draw.pick([each.name for each in ACTIONS], action),
        "request_id": draw.uuids(rng, size),
        "request_params": draw.pick(
            [list(each.parameters) for each in ACTIONS], action, pa.map_(pa.string(), pa.string())
        ),
        "response": {
            "status_code": pa.array(status.astype(np.int32)),
            "error_message": draw.only(failed, pa.array(["not allowed"] * size)),
            "result": draw.only(~failed, pa.array(["{}"] * size)),
        },
        "audit_level": draw.pick(("WORKSPACE_LEVEL", "ACCOUNT_LEVEL"), at_account.astype(np.int64)),
        "event_id": draw.uuids(rng, size),
        "identity_metadata": {"run_by": caller, "run_as": email, "run_by_display_name": caller},
    }


def assistant_events(world: World, span: Period) -> pa.Table:
    """Return the messages to the assistant."""
    name = "access.assistant_events"
    rng = world.rng(name, span.first.toordinal())
    size = world.events(65, span, 30)
    event = _moments(rng, span, size)
    workspace = _home(world, rng, size)
    workspace[: max(1, size // 25)] = world.workspaces.gone[0]
    values = {
        "account_id": world.account_id,
        "workspace_id": workspace_ids(world, workspace),
        "event_id": draw.uuids(rng, size),
        "event_time": event,
        "event_date": columns.dates(event),
        "user_agent": draw.pick(_AGENTS, rng.integers(0, len(_AGENTS), size)),
        "initiated_by": world.users.email.take(pa.array(rng.integers(0, len(world.users.number), size))),
    }
    return arrival.told(columns.table(name, size, arrival.arrive(rng, world, event), values), name, world)


_CLEAN_ROOM = "access.clean_room_events"
_CLEAN_ROOM_EVENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "CLEAN_ROOM_CREATED",
        "clean_room_created_metadata",
        {
            "collaborators": [
                {"collaborator_global_metastore_id": "aws:us-east-1:m1", "collaborator_alias": "creator"},
                {"collaborator_global_metastore_id": "azure:westeurope:m2", "collaborator_alias": "partner"},
            ],
            "compliance_profile": {"is_enabled": True, "compliance_standards": ["HIPAA"]},
        },
    ),
    ("RUN_NOTEBOOK_STARTED", "run_notebook_started_metadata", {"notebook_name": "overlap", "run_id": "r-1"}),
    (
        "RUN_NOTEBOOK_COMPLETED",
        "run_notebook_completed_metadata",
        {"notebook_name": "overlap", "run_id": "r-1", "state": "SUCCESS", "duration_in_seconds": 84},
    ),
    (
        "CLEAN_ROOM_ASSETS_UPDATED",
        "clean_room_assets_updated_metadata",
        {"added_assets": [{"data_object_type": "TABLE", "catalog": "creator", "name": "s.customers"}]},
    ),
    ("OUTPUT_SCHEMA_DELETED", "output_schema_deleted_metadata", {"name": "out_1", "action": "DELETED"}),
    (
        "ASSET_REVIEW_CREATED",
        "asset_review_created_metadata",
        {"asset_name": "overlap", "data_object_type": "NOTEBOOK_FILE", "review_state": "APPROVED"},
    ),
    ("CLEAN_ROOM_DELETED", "clean_room_deleted_metadata", {"central_clean_room_id": "cr-1"}),
)


def clean_room_events(world: World, span: Period) -> pa.Table:
    """Return the events of three clean rooms, each with the payload of its kind only."""
    rng = world.rng(_CLEAN_ROOM, span.first.toordinal())
    size = world.events(10, span, 14)
    kind = draw.choose(rng, (2, 30, 30, 15, 6, 15, 2), size)
    kind[:14] = np.arange(14) // 2
    event = _moments(rng, span, size)
    room = rng.integers(0, 3, size)
    schema = source(_CLEAN_ROOM).schema()
    payloads = {
        column: draw.pick((payload, None), (kind != at).astype(np.int64), schema.field(column).type)
        for at, (_, column, payload) in enumerate(_CLEAN_ROOM_EVENTS)
    }
    values = {
        "account_id": world.account_id,
        "metastore_id": world.metastore_id,
        "event_id": draw.uuids(rng, size),
        "clean_room_name": draw.pick(("overlap", "reach", "fraud"), room),
        "central_clean_room_id": draw.pick(("cr-1", "cr-2", "cr-3"), room),
        "initiator_global_metastore_id": "aws:us-east-1:m1",
        "event_type": draw.pick([each[0] for each in _CLEAN_ROOM_EVENTS], kind),
        "event_time": event,
        "initiator_collaborator_alias": draw.pick(("creator", "partner"), rng.integers(0, 2, size)),
        **payloads,
    }
    table = columns.table(_CLEAN_ROOM, size, arrival.arrive(rng, world, event), values)
    return arrival.told(table, _CLEAN_ROOM, world)


def inbound_network(world: World, span: Period) -> pa.Table:
    """Return denied inbound access; the words of the outcome change with the drift."""
    name = "access.inbound_network"
    rng = world.rng(name, span.first.toordinal())
    size = world.events(35, span, 20)
    event = _moments(rng, span, size)
    dry = rng.random(size) < 0.3
    event[:2], event[2:4] = span.start + HOUR, span.stop - HOUR
    dry[:4] = (True, False, True, False)
    newer = (event >= world.drift).astype(np.int64) * 2
    values = {
        "account_id": world.account_id,
        "workspace_id": workspace_ids(world, _home(world, rng, size)),
        "event_id": draw.uuids(rng, size),
        "request_path": draw.pick(("/api/2.1/jobs/list", "/api/2.0/sql/statements", "/login.html"), event % 3),
        "source": {"ip": draw.join("198.51.100.", draw.digits(rng.integers(1, 250, size)))},
        "authenticated_as": draw.only(
            rng.random(size) < 0.8,
            world.users.email.take(pa.array(rng.integers(0, len(world.users.number), size))),
        ),
        "event_time": event,
        "policy_outcome": draw.pick(("DENY", "DENY_DRY_RUN", "DENIED", "DRY_RUN_DENIAL"), newer + dry),
        "rule_label": draw.pick(("office-only", "vpn-only", None), rng.integers(0, 3, size)),
    }
    table = columns.table(name, size, arrival.arrive(rng, world, event), values)
    return arrival.told(table, name, world, tie=("request_path", ("/twice", "/again")))


def outbound_network(world: World, span: Period) -> pa.Table:
    """Return denied outbound access by name, address or storage place."""
    name = "access.outbound_network"
    rng = world.rng(name, span.first.toordinal())
    size = world.events(160, span, 30)
    event = _moments(rng, span, size)
    kind = draw.choose(rng, (70, 10, 20), size)
    kind[:6] = (0, 1, 2, 0, 1, 2)
    workspace = _home(world, rng, size)
    workspace[: max(1, size // 80)] = world.workspaces.gone[1]
    hosts = ("pypi.example", "tracker.example", "files.example", "api.example")
    host = rng.integers(0, len(hosts), size)
    addresses = draw.pick((["192.0.2.7"], ["192.0.2.8", "192.0.2.9"], []), host % 3, pa.list_(pa.string()))
    values = {
        "account_id": world.account_id,
        "workspace_id": workspace_ids(world, workspace),
        "destination_type": draw.pick(("DNS", "IP", "STORAGE"), kind),
        "destination": draw.pick(hosts, host),
        "dns_event": Where(kind == 0, {"domain_name": draw.pick(hosts, host), "rcode": 0, "rdata": addresses}),
        "storage_event": Where(
            kind == 2,
            {"hostname": "bucket.example", "path": "/raw", "rejection_reason": "DENIED_BY_POLICY", "rdata": addresses},
        ),
        "event_time": event,
        "access_type": draw.pick(("DROP", "DRY_RUN_DROP"), (rng.random(size) < 0.25).astype(np.int64)),
        "event_id": draw.uuids(rng, size),
        "network_source_type": draw.pick(("SERVERLESS", "MODEL_SERVING", None), host % 3),
    }
    return arrival.told(columns.table(name, size, arrival.arrive(rng, world, event), values), name, world)
