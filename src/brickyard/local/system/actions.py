"""Audit rows of the REST face: what each operation is called in Databricks' audit log, and what of a request may be told.

Only what is listed here goes into a row, so no token, secret value, file or task parameter ever does.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from brickyard.local.system.model import Row

_UNITY = "unityCatalog"
ACTIONS: Mapping[str, tuple[str, str]] = {
    "catalogs.create": (_UNITY, "createCatalog"),
    "catalogs.delete": (_UNITY, "deleteCatalog"),
    "catalogs.update": (_UNITY, "updateCatalog"),
    "clusters.change": ("clusters", ""),  # the last word of the path
    "clusters.start": ("clusters", "start"),
    "dbfs.add_block": ("dbfs", "addBlock"),
    "dbfs.close": ("dbfs", "close"),
    "dbfs.create": ("dbfs", "create"),
    "dbfs.delete": ("dbfs", "delete"),
    "dbfs.mkdirs": ("dbfs", "mkdirs"),
    "dbfs.move": ("dbfs", "move"),
    "dbfs.put": ("dbfs", "put"),
    "files.create_directory": ("filesystem", "directoriesPut"),
    "files.delete": ("filesystem", "filesDelete"),
    "files.delete_directory": ("filesystem", "directoriesDelete"),
    "files.upload": ("filesystem", "filesPut"),
    "functions.create": (_UNITY, "createFunction"),
    "functions.delete": (_UNITY, "deleteFunction"),
    "functions.update": (_UNITY, "updateFunction"),
    "grants.update": (_UNITY, "updatePermissions"),
    "groups.create": ("accounts", "createGroup"),
    "groups.delete": ("accounts", "removeGroup"),
    "groups.patch": ("accounts", "updateGroup"),
    "groups.update": ("accounts", "updateGroup"),
    "jobs.cancel_all_runs": ("jobs", "cancelAllRuns"),
    "jobs.cancel_run": ("jobs", "cancel"),
    "jobs.create": ("jobs", "create"),
    "jobs.delete": ("jobs", "delete"),
    "jobs.delete_run": ("jobs", "deleteRun"),
    "jobs.repair_run": ("jobs", "repairRun"),
    "jobs.reset": ("jobs", "reset"),
    "jobs.run_now": ("jobs", "runNow"),
    "jobs.submit": ("jobs", "submitRun"),
    "jobs.update": ("jobs", "update"),
    "local.issue_token": ("accounts", "generateDbToken"),
    "permissions.set": ("", ""),  # the object's service
    "permissions.update": ("", ""),
    "pipelines.create": ("deltaPipelines", "create"),
    "pipelines.delete": ("deltaPipelines", "delete"),
    "pipelines.start_update": ("deltaPipelines", "startUpdate"),
    "pipelines.stop": ("deltaPipelines", "stop"),
    "pipelines.update": ("deltaPipelines", "edit"),
    "pages.profile": (_UNITY, "retrieveRecipientToken"),
    "providers.create": (_UNITY, "createProvider"),
    "providers.delete": (_UNITY, "deleteProvider"),
    "providers.update": (_UNITY, "updateProvider"),
    "recipient_activation.retrieve_token": (_UNITY, "retrieveRecipientToken"),
    "recipient_federation_policies.create": (_UNITY, "createRecipientOidcPolicy"),
    "recipient_federation_policies.delete": (_UNITY, "deleteRecipientOidcPolicy"),
    "recipients.create": (_UNITY, "createRecipient"),
    "recipients.delete": (_UNITY, "deleteRecipient"),
    "recipients.rotate_token": (_UNITY, "rotateRecipientToken"),
    "recipients.update": (_UNITY, "updateRecipient"),
    "schemas.create": (_UNITY, "createSchema"),
    "schemas.delete": (_UNITY, "deleteSchema"),
    "schemas.update": (_UNITY, "updateSchema"),
    "secrets.create_scope": ("secrets", "createScope"),
    "secrets.delete_acl": ("secrets", "deleteAcl"),
    "secrets.delete_scope": ("secrets", "deleteScope"),
    "secrets.delete_secret": ("secrets", "deleteSecret"),
    "secrets.put_acl": ("secrets", "putAcl"),
    "secrets.put_secret": ("secrets", "putSecret"),
    "shares.create": (_UNITY, "createShare"),
    "shares.delete": (_UNITY, "deleteShare"),
    "shares.update": (_UNITY, "updateShare"),
    "shares.update_permissions": (_UNITY, "updateSharePermissions"),
    "statements.cancel": ("databrickssql", "cancelQueryExecution"),
    "tables.create": (_UNITY, "createTable"),
    "tables.delete": (_UNITY, "deleteTable"),
    "tables.update": (_UNITY, "updateTables"),
    "tokens.create": ("accounts", "generateDbToken"),
    "tokens.delete": ("accounts", "revokeDbToken"),
    "users.create": ("accounts", "add"),
    "users.delete": ("accounts", "delete"),
    "users.patch": ("accounts", "updateUser"),
    "users.update": ("accounts", "updateUser"),
    "volumes.create": (_UNITY, "createVolume"),
    "volumes.delete": (_UNITY, "deleteVolume"),
    "volumes.update": (_UNITY, "updateVolume"),
    "warehouses.create": ("databrickssql", "createWarehouse"),
    "warehouses.delete": ("databrickssql", "deleteWarehouse"),
    "warehouses.edit": ("databrickssql", "editWarehouse"),
    "warehouses.start": ("databrickssql", "startWarehouse"),
    "warehouses.stop": ("databrickssql", "stopWarehouse"),
    "workspace.delete": ("workspace", "deleteNode"),
    "workspace.import": ("notebook", "importNotebook"),
    "workspace.import_file": ("workspace", "fileCreate"),
    "workspace.mkdirs": ("notebook", "createFolder"),
}
NOT_AUDITED = frozenset(
    (
        "delta_sharing.query_table",  # told by the sharing server, for the recipient
        "files.initiate_upload",  # nothing happens: the client sends the file in one request after it
        "files.presigned_urls",
        "statements.close",
        "statements.create_session",
        "statements.delete_session",
        "statements.execute",  # query.history has it; what it changes in the catalog is told by the statement
    )
)
_ACLS = {
    "jobs": ("jobs", "changeJobAcl"),
    "clusters": ("clusters", "changeClusterAcl"),
    "warehouses": ("databrickssql", "changeWarehouseAcls"),
}
_OTHER_ACL = ("workspace", "changeWorkspaceAcl")
_PATH_PARAMETERS = frozenset(
    (
        "full_name", "id", "name", "object_id", "object_type", "path", "pipeline_id", "recipient_name",
        "securable_type", "statement_id",
    )
)  # fmt: skip
_PARAMETERS = frozenset(
    (
        "all_queued_runs", "authentication_type", "auto_stop_mins", "catalog_name", "cause", "cluster_id",
        "cluster_size", "data_source_format", "displayName", "existing_token_expire_in_seconds",
        "expire_time_in_seconds", "format", "full_name", "full_refresh", "job_id", "key", "language",
        "lifetime_seconds", "max_num_clusters", "min_num_clusters", "name", "new_name", "object_type", "overwrite",
        "owner", "path", "permission", "pipeline_id", "principal", "recursive", "run_id", "run_name", "schema_name",
        "scope", "share_name", "storage_location", "table_type", "to", "token_id", "update_id", "userName",
        "validate_only", "volume_type", "warehouse_type",
    )
)  # fmt: skip
_RESULTS = ("id", "job_id", "pipeline_id", "repair_id", "run_id", "update_id")
_LARGEST = 64 * 1024  # bytes of a body that is looked into; larger ones are files


@dataclass(frozen=True, slots=True)
class Request:
    """An answered request, as far as its audit row needs it; *answer* is the body that was sent back."""

    operation: str
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    principal: str
    peer: str
    user_agent: str
    status: int
    answer: bytes
    at: datetime


def audit_row(request: Request) -> Row | None:
    """The row of `system.access.audit` for a request, None for one that changes nothing."""
    if request.operation not in ACTIONS or request.method == "HEAD":
        return None
    service, action = _named(request)
    answer = _object(request.answer)
    failed = request.status >= 400
    who = request.principal or None
    return {
        "version": "2.0",
        "event_time": request.at,
        "event_date": request.at.date(),
        "source_ip_address": request.peer or None,
        "user_agent": request.user_agent or None,
        "user_identity": {"email": who, "subject_name": who},
        "service_name": service,
        "action_name": action,
        "request_id": str(uuid.uuid4()),
        "request_params": _told(request),
        "response": {
            "status_code": request.status,
            "error_message": str(answer.get("message") or answer.get("detail") or "") if failed else None,
            "result": None if failed else _result(answer),
        },
        "audit_level": "WORKSPACE_LEVEL",
        "event_id": str(uuid.uuid4()),
        "identity_metadata": {"run_by": who, "run_as": who},
    }


def _named(request: Request) -> tuple[str, str]:
    service, action = ACTIONS[request.operation]
    if not service:
        return _ACLS.get(request.params.get("object_type", ""), _OTHER_ACL)
    return service, action or request.path.rpartition("/")[2]


def _told(request: Request) -> dict[str, str]:
    """The parameters of the path, and of the query and the body those that say what was meant."""
    body = _object(request.body)
    given = {**request.query, **{name: value for name, value in body.items() if name in _PARAMETERS}}
    told = {name: _text(value) for name, value in given.items() if name in _PARAMETERS and _is_plain(value)}
    return {**told, **{name: value for name, value in request.params.items() if name in _PATH_PARAMETERS}}


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result(answer: Mapping[str, object]) -> str | None:
    ids = {name: answer[name] for name in _RESULTS if _is_plain(answer.get(name))}
    return json.dumps(ids) if ids else None


def _object(body: bytes) -> dict[str, object]:
    if not body or len(body) > _LARGEST or not body.lstrip().startswith(b"{"):
        return {}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
