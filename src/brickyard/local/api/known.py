"""Services that Databricks has and the local workspace does not: they answer 501 instead of 404."""

from __future__ import annotations

_PREFIXES = {
    "/api/2.0/accounts": "account API",
    "/api/2.0/alerts": "alerts",
    "/api/2.0/apps": "apps",
    "/api/2.0/clean-rooms": "clean rooms",
    "/api/2.0/data-sharing": "this Delta Sharing operation",
    "/api/2.1/data-sharing": "this Delta Sharing operation",
    "/api/2.0/database": "database instances",
    "/api/2.0/git-credentials": "git credentials",
    "/api/2.0/global-init-scripts": "global init scripts",
    "/api/2.0/genie": "Genie",
    "/api/2.0/instance-pools": "instance pools",
    "/api/2.0/instance-profiles": "instance profiles",
    "/api/2.0/ip-access-lists": "IP access lists",
    "/api/2.0/lakeview": "dashboards",
    "/api/2.0/libraries": "cluster libraries",
    "/api/2.0/marketplace": "marketplace",
    "/api/2.0/mlflow": "MLflow",
    "/api/2.0/online-tables": "online tables",
    "/api/2.0/policies": "cluster policies",
    "/api/2.0/quality-monitors": "quality monitors",
    "/api/2.0/repos": "repos",
    "/api/2.0/serving-endpoints": "model serving",
    "/api/2.0/settings": "settings",
    "/api/2.0/sql/alerts": "alerts",
    "/api/2.0/sql/queries": "queries",
    "/api/2.0/sql/history": "query history (read system.query.history)",
    "/api/2.0/vector-search": "vector search",
    "/api/2.0/workspace-conf": "workspace settings",
    "/api/1.2": "remote command execution",
    "/api/2.1/clusters": "cluster changes",
    "/api/2.1/jobs": "this jobs operation",
    "/api/2.2/jobs": "this jobs operation",
    "/api/2.1/unity-catalog": "this Unity Catalog operation",
    "/api/2.0/unity-catalog": "this Unity Catalog operation",
    "/api/2.0/preview/sql": "legacy SQL objects",
    "/api/2.0/preview/scim/v2": "this identity operation",
    "/api/2.0/sql": "this SQL operation",
}


def unbuilt_service(path: str) -> str | None:
    """The name of the unbuilt service that a path belongs to, or None when nobody knows it."""
    found = [p for p in _PREFIXES if path == p or path.startswith(p + "/")]
    return _PREFIXES[max(found, key=len)] if found else None
