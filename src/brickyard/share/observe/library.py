"""Reads the notebook that pipelines run, in the workspace and as this version ships it."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from typing import TYPE_CHECKING

from brickyard.kernel.assets import read_text
from brickyard.share.observe.asking import found

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


def shipped() -> str:
    """Return the digest of the notebook that this version ships."""
    return digest(read_text("share", "pipeline.py"))


def present(client: WorkspaceClient, path: str) -> str | None:
    """Return the digest of the notebook in the workspace, or None when there is none at *path*."""
    from databricks.sdk.service.workspace import ExportFormat

    ask = partial(client.workspace.export, path, format=ExportFormat.SOURCE)
    there = found(f"export {path}", ask)
    return None if there is None else digest(base64.b64decode(there.content or "").decode())


def digest(text: str) -> str:
    """Return the digest of a notebook's text, white space at its end aside, which an export may change."""
    return hashlib.sha256(text.rstrip().encode()).hexdigest()
