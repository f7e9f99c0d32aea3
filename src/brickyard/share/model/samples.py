"""Sample packs to start from: one pack as commented YAML and as a workbook in each layout."""

from __future__ import annotations

from typing import Literal

from brickyard.kernel.assets import read_text
from brickyard.share.model.excel_out import Layout, to_xlsx
from brickyard.share.model.fields import workspace_url as checked
from brickyard.share.model.parse import parse

WORKSPACE = "https://adb-1234567890123456.7.azuredatabricks.net"
NOTES = {
    "delta_share_region": "AM or EMEA.",
    "configurator": "E-mail addresses or groups, with commas between them.",
    "approver_status": "approved, declined, request_more_info or pending; only approved is provisioned.",
    "strategy": "NEW, UPDATE or DELETE. NEW turns to UPDATE where something of the pack exists.",
    "project_name": "A later upload of the same business line and project changes this pack.",
    "type": "D2D (the partner has Databricks), D2O (a token) or OIDC (a login of the partner's).",
    "recipient_databricks_org": "For D2D: cloud:region:uuid of the partner's metastore.",
    "recipient_ips": "Addresses or ranges that may read, with commas between them. Empty: nothing is changed; []: none is left.",
    "token_expiry": "Days that the token lives; empty or 0: the workspace's default.",
    "asset": "One asset a row: catalog.schema.table, or catalog.schema for a whole schema.",
    "share_assets": "All assets of the share.",
    "ext_catalog_name": "The catalog that the pipelines write to.",
    "source_asset": "The asset that the pipeline copies; each asset of a share with pipelines needs one.",
    "schedule_type": "CRON or CONTINUOUS.",
    "cron": "Quartz: second minute hour day month weekday, such as 0 30 6 * * ?",
    "schedule_cron": "Quartz: second minute hour day month weekday, such as 0 30 6 * * ?",
    "cron_expression": "Quartz: second minute hour day month weekday, such as 0 30 6 * * ?",
    "scd_type": "1, 2 or full_refresh; 2 needs key_columns.",
}
"""What the columns of a sample workbook say of themselves."""


def sample(kind: Literal["yaml", "xlsx"], layout: Layout = "A", workspace_url: str = WORKSPACE) -> bytes:
    """Return a sample pack for a workspace; every kind and layout parses to the same pack, without a warning."""
    text = read_text("share", "samples", "pack.yaml").format(workspace_url=checked(workspace_url)).encode()
    return text if kind == "yaml" else to_xlsx(parse("pack.yaml", text).pack, layout, notes=NOTES)
