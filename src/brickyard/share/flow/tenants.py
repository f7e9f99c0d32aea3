"""Business lines, their regions and projects, from a file."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import TenantsImported


def import_tenants(context: Context, name: str, data: bytes) -> TenantsImported:
    """Import the business lines, regions and projects of a YAML, CSV or XLSX file *name*."""
    raise NotImplementedError
