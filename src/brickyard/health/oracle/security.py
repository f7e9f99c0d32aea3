"""The truth of the domain security: audited actions, messages to the assistant, clean rooms, refused connections."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from brickyard.health.oracle.columns import computed, copied, flattened, is_value, table
from brickyard.health.oracle.events import event_day, events, is_failed
from brickyard.health.oracle.seen import Seen

# Changes of identities, permissions, secrets, tokens, shares and network, and exports: actions by their service.
SENSITIVE = {
    "accounts": (
        "activateUser add addPrincipalToGroup addPrincipalsToGroup changeAccountOwner changeDatabricksSqlAcl "
        "changeDatabricksWorkspaceAcl changeDbTokenAcl changeDbTokenState changeServicePrincipalAcls "
        "createGroup createIpAccessList deactivateUser delete deleteIpAccessList generateDbToken mfaAddKey "
        "mfaDeleteKey removeAccountAdmin removeAdmin removeGroup removePrincipalFromGroup resetPassword "
        "revokeDbToken setAccountAdmin setAdmin updateGroup updateIpAccessList updateUser"
    ),
    "clusterPolicies": "changeClusterPolicyAcl",
    "clusters": "changeClusterAcl",
    "dashboards": "downloadQueryResult",
    "databrickssql": "changePermissions changeWarehouseAcls downloadQueryResult transferObjectOwnership",
    "deltaPipelines": "changePipelineAcls",
    "gitCredentials": "createGitCredential deleteGitCredential updateGitCredential",
    "globalInitScripts": "create delete update",
    "iamRole": "changeIamRoleAcl",
    "instancePools": "changeInstancePoolAcl",
    "jobs": "changeJobAcl",
    "mlflowAcledArtifact": "changeMlflowAcl",
    "notebook": "changeNotebookAcl downloadLargeResults downloadPreviewResults exportNotebook",
    "secrets": "createScope deleteAcl deleteScope deleteSecret putAcl putSecret",
    "servicePrincipalCredentials": "create delete",
    "sqlPermissions": "grantPermission removeAllPermissions revokePermission",
    "tokens": "generateDbToken revokeDbToken",
    "unityCatalog": (
        "createExternalLocation createRecipient createShare createStorageCredential deleteCatalog "
        "deleteExternalLocation deleteMetastore deleteRecipient deleteSchema deleteShare "
        "deleteStorageCredential deleteTable rotateRecipientToken updateExternalLocation "
        "updateMetastoreAssignment updatePermissions updateRecipient updateShare updateSharePermissions "
        "updateStorageCredential"
    ),
    "workspace": "changeWorkspaceAcl workspaceConfEdit workspaceExport",
}


def fact_audit_logs(seen: Seen) -> pa.Table:
    """Return audited actions, told apart into sensitive and failed ones."""
    rows = events(seen, "access.audit")
    service, action = rows.column("service_name"), rows.column("action_name")
    return table(
        copied(rows, "account_id workspace_id event_id event_time event_date version audit_level"),
        {"is_account_level": is_value(rows.column("audit_level"), "ACCOUNT_LEVEL")},
        copied(rows, "service_name action_name"),
        {"is_sensitive_action": computed(pa.bool_(), _sensitive, service, action)},
        copied(rows, "source_ip_address user_agent session_id request_id request_params"),
        flattened(rows, "user_identity"),
        flattened(rows, "response"),
        {"is_failed_action": is_failed(rows.column("response__status_code"))},
        flattened(rows, "identity_metadata"),
    )


def _sensitive(service: str | None, action: str | None) -> bool:
    return service is not None and action in SENSITIVE.get(service, "").split()


def fact_assistant_events(seen: Seen) -> pa.Table:
    """Return messages to the assistant."""
    rows = events(seen, "access.assistant_events")
    return table(copied(rows, "account_id workspace_id event_id event_time event_date user_agent initiated_by"))


def fact_clean_room_events(seen: Seen) -> pa.Table:
    """Return events of clean rooms."""
    rows = events(seen, "access.clean_room_events")
    kinds = (
        "clean_room_created clean_room_deleted run_notebook_started run_notebook_completed clean_room_assets_updated"
        " output_schema_deleted asset_review_created"
    )
    return table(
        copied(rows, "account_id metastore_id event_id event_type event_time clean_room_name central_clean_room_id"),
        copied(rows, "initiator_global_metastore_id initiator_collaborator_alias"),
        event_day(rows),
        *(flattened(rows, f"{kind}_metadata") for kind in kinds.split()),
    )


def fact_inbound_network(seen: Seen) -> pa.Table:
    """Return requests that a policy denied, or would have denied."""
    rows = events(seen, "access.inbound_network")
    return table(
        copied(rows, "account_id workspace_id event_id event_time request_path authenticated_as policy_outcome"),
        event_day(rows),
        flattened(rows, "source"),
        {"is_dry_run": computed(pa.bool_(), _dry, rows.column("policy_outcome"))},
        copied(rows, "rule_label"),
    )


def fact_outbound_network(seen: Seen) -> pa.Table:
    """Return connections that a policy denied, or would have denied."""
    rows = events(seen, "access.outbound_network")
    return table(
        copied(rows, "account_id workspace_id event_id event_time destination_type destination access_type"),
        event_day(rows),
        flattened(rows, "dns_event"),
        flattened(rows, "storage_event"),
        {"is_dry_run": computed(pa.bool_(), _dry, rows.column("access_type"))},
        copied(rows, "network_source_type"),
    )


def _dry(outcome: str | None) -> bool | None:
    """Tell a dry run from its words, however they are written: DRY_RUN_DENIAL, dry-run drop."""
    return None if outcome is None else "DRY_RUN" in outcome.upper().replace("-", "_").replace(" ", "_")


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "security.fact_assistant_events": fact_assistant_events,
    "security.fact_audit_logs": fact_audit_logs,
    "security.fact_clean_room_events": fact_clean_room_events,
    "security.fact_inbound_network": fact_inbound_network,
    "security.fact_outbound_network": fact_outbound_network,
}
