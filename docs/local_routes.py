"""Write the tables of routes in docs/local-workspace.md from the code.

`.venv/bin/python docs/local_routes.py` writes them; a test fails when they are stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brickyard.local.api import (
    activation,
    clusters,
    dbfs,
    delta_sharing,
    faults,
    federation,
    grants,
    identity,
    jobs,
    permissions,
    pipelines,
    providers,
    recipients,
    scim,
    secrets,
    shares,
    statements,
    tables,
    unity,
    volumes,
    warehouses,
    workspace,
)
from brickyard.local.api.routes import Router
from brickyard.local.sql import http

TARGET = Path(__file__).with_name("local-workspace.md")
BEGIN, END = "<!-- routes -->", "<!-- end of routes -->"
GROUPS: dict[str, tuple[Router[Any], ...]] = {
    "Start-up of clients, identity, tokens": (identity.router, scim.router),
    "Workspace objects": (workspace.router, permissions.router),
    "SQL": (warehouses.router, statements.router),
    "Unity Catalog": (unity.router, tables.router, grants.router),
    "Delta Sharing": (shares.router, recipients.router, activation.router, federation.router, providers.router),
    "Delta Sharing as recipients read it": (delta_sharing.router,),
    "Files of volumes and DBFS": (volumes.router, dbfs.router),
    "Jobs and runs": (jobs.router,),
    "Pipelines": (pipelines.router,),
    "SQL of running notebooks": (http.router,),
    "Secrets and clusters": (secrets.router, clusters.router),
    "Faults and the record of requests": (faults.router,),
}


def rows(router: Router[Any]) -> list[str]:
    """One line for each route."""
    return [
        f"| `{e.method} {e.path}` | `{e.operation}` | {(e.function.__doc__ or '').splitlines()[0]} |"
        for e in router.entries
    ]


def render() -> str:
    """The tables."""
    head = "| route | operation | what |\n|---|---|---|\n"
    return "\n\n".join(
        f"### {title}\n\n{head}" + "\n".join(line for router in routers for line in rows(router))
        for title, routers in GROUPS.items()
    )


def filled(text: str) -> str:
    """The page with fresh tables."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    TARGET.write_text(filled(TARGET.read_text()))
