"""A development workspace on 127.0.0.1: REST like Databricks, SQL on real Delta tables, notebooks and jobs that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brickyard.local.server import LocalWorkspace

__all__ = ["LocalWorkspace"]


def __getattr__(name: str) -> object:
    """Load the server only for those who ask for it: notebook processes import this package too."""
    if name == "LocalWorkspace":
        from brickyard.local.server import LocalWorkspace

        return LocalWorkspace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
