"""What the report asks of gold: SQL text, pure."""

from __future__ import annotations

from brickyard.health.plan.text import Places

_MOST = 15  # lines of a list
_WEEK = 7  # days that are set beside those before


def questions(places: Places) -> dict[str, str]:
    """Return the report's queries by the names of its figures; costs are effective costs in USD."""
    return {
        "days": _days(places),
        "skus": _by(places, "sku_name AS name"),
        "jobs": _jobs(places),
        "workspaces": _workspaces(places),
        "movers": _movers(places),
        "job_health": _job_health(places),
        "job_days": _job_days(places),
        "security": _security(places),
        "security_days": _security_days(places),
        "quarantine": _quarantine(places),
        "drift": f"SELECT source, leaf, kind, before, after, run, at FROM {places.ops('drift')} ORDER BY at DESC, source, leaf LIMIT 100",
    }


def _usage(places: Places) -> str:
    return places.gold("billing.fact_usage")


def _days(places: Places) -> str:
    return (
        "SELECT usage_date AS day, billing_origin_product AS product, sum(effective_cost) AS cost"
        f" FROM {_usage(places)} GROUP BY 1, 2 ORDER BY 1, 2"
    )


def _by(places: Places, what: str) -> str:
    return (
        f"SELECT {what}, sum(effective_cost) AS cost, sum(list_cost) AS list_cost FROM {_usage(places)}"
        f" GROUP BY 1 ORDER BY cost DESC NULLS LAST, 1 LIMIT {_MOST}"
    )


def _jobs(places: Places) -> str:
    cost = (
        "SELECT workspace_id, usage_metadata_job_id AS job_id, sum(effective_cost) AS cost, sum(list_cost) AS list_cost"
        f" FROM {_usage(places)} WHERE usage_metadata_job_id IS NOT NULL GROUP BY 1, 2"
        f" ORDER BY cost DESC NULLS LAST, 1, 2 LIMIT {_MOST}"
    )
    return (
        "SELECT coalesce(j.name, concat('job ', c.job_id)) AS name, c.workspace_id, c.job_id, c.cost, c.list_cost"
        f" FROM ({cost}) c LEFT JOIN {places.gold('lakeflow.dim_job_current')} j"
        " ON c.workspace_id = j.workspace_id AND c.job_id = j.job_id ORDER BY c.cost DESC NULLS LAST, 1"
    )


def _workspaces(places: Places) -> str:
    cost = f"SELECT workspace_id, sum(effective_cost) AS cost, sum(list_cost) AS list_cost FROM {_usage(places)} GROUP BY 1"
    return (
        "SELECT coalesce(w.workspace_name, c.workspace_id, 'no workspace') AS name, c.cost, c.list_cost"
        f" FROM ({cost}) c LEFT JOIN {places.gold('shared.dim_workspace_current')} w ON c.workspace_id = w.workspace_id"
        f" ORDER BY c.cost DESC NULLS LAST, 1 LIMIT {_MOST}"
    )


def _movers(places: Places) -> str:
    """SKUs by how much the last whole week differs from the week before."""
    last = f"(SELECT max(usage_date) FROM {_usage(places)} WHERE record_type = 'ORIGINAL')"
    days_ago = "datediff(l.last_day, u.usage_date)"
    return (
        f"SELECT u.sku_name AS name, sum(CASE WHEN {days_ago} BETWEEN 1 AND {_WEEK} THEN u.effective_cost ELSE 0 END) AS cost,"
        f" sum(CASE WHEN {days_ago} BETWEEN {_WEEK + 1} AND {2 * _WEEK} THEN u.effective_cost ELSE 0 END) AS before"
        f" FROM {_usage(places)} u CROSS JOIN {last} AS l(last_day)"
        f" WHERE {days_ago} BETWEEN 1 AND {2 * _WEEK} GROUP BY 1"
        f" ORDER BY abs(cost - before) DESC NULLS LAST, 1 LIMIT {_MOST}"
    )


def _job_health(places: Places) -> str:
    runs = (
        "SELECT workspace_id, job_id, count(*) AS runs, count_if(is_success) AS succeeded,"
        " avg(run_duration_seconds) AS seconds, max(run_start_time) AS newest"
        f" FROM {places.gold('lakeflow.fact_job_run')} WHERE is_final AND run_type = 'JOB_RUN' GROUP BY 1, 2"
    )
    return (
        "SELECT coalesce(j.name, concat('job ', r.job_id)) AS name, r.workspace_id, r.runs, r.succeeded, r.seconds, r.newest"
        f" FROM ({runs}) r LEFT JOIN {places.gold('lakeflow.dim_job_current')} j"
        " ON r.workspace_id = j.workspace_id AND r.job_id = j.job_id"
        f" ORDER BY r.runs - r.succeeded DESC, 1 LIMIT {_MOST}"
    )


def _job_days(places: Places) -> str:
    return (
        "SELECT run_date AS day, count_if(is_success) AS good, count_if(NOT is_success) AS bad"
        f" FROM {places.gold('lakeflow.fact_job_run')} WHERE is_final AND run_type = 'JOB_RUN' GROUP BY 1 ORDER BY 1"
    )


def _security(places: Places) -> str:
    return (
        "SELECT service_name, action_name, count(*) AS events, count_if(is_failed_action) AS failed,"
        " count(DISTINCT user_identity_email) AS people, max(event_time) AS newest"
        f" FROM {places.gold('security.fact_audit_logs')} WHERE is_sensitive_action GROUP BY 1, 2"
        f" ORDER BY events DESC, 1, 2 LIMIT {_MOST}"
    )


def _security_days(places: Places) -> str:
    return (
        "SELECT event_date AS day, count_if(is_sensitive_action AND NOT is_failed_action) AS good,"
        " count_if(is_failed_action) AS bad"
        f" FROM {places.gold('security.fact_audit_logs')} GROUP BY 1 ORDER BY 1"
    )


def _quarantine(places: Places) -> str:
    return (
        "SELECT table_name, reason, count(*) AS found, max(at) AS newest"
        f" FROM {places.ops('quarantine')} GROUP BY 1, 2 ORDER BY found DESC, 1, 2"
    )
