"""Packs for the tests of the store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from brickyard.share.model.pack import SharePack

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOST = "https://adb-1.azuredatabricks.net"


def pack(shares: Iterable[str] = ("sales",), recipients: Iterable[str] = ("acme",), **about: Any) -> SharePack:
    """A small pack of these shares and recipients."""
    people = dict.fromkeys(("contact_email", "configurator", "approver", "executive_team", "requestor"), "ada@acme.com")
    place = {"business_line": "Retail", "delta_share_region": "EMEA", "workspace_url": HOST, "servicenow": "CHG1"}
    return SharePack.model_validate(
        {
            "metadata": {**people, **place, **about},
            "recipient": [{"name": name, "type": "D2O"} for name in recipients],
            "share": [{"name": name, "share_assets": [{"name": "m.s.orders"}]} for name in shares],
        }
    )
