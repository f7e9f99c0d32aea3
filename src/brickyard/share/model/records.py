"""The words of the records beside packs and runs: syncs, costs, notifications and the audit trail, as the requirements have them."""

from __future__ import annotations

from enum import StrEnum


class PipelineStatus(StrEnum):
    """`job_metrics.status`."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class PeriodType(StrEnum):
    """`project_costs.period_type`."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    DAILY = "daily"


class SyncType(StrEnum):
    """`sync_jobs.sync_type`."""

    AD_USERS = "AD_USERS"
    AD_GROUPS = "AD_GROUPS"
    DATABRICKS_OBJECTS = "DATABRICKS_OBJECTS"
    JOB_METRICS = "JOB_METRICS"
    PROJECT_COSTS = "PROJECT_COSTS"


class SyncStatus(StrEnum):
    """`sync_jobs.status`."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


class NotificationType(StrEnum):
    """`notifications.notification_type`."""

    PROVISION_SUCCESS = "PROVISION_SUCCESS"
    PROVISION_FAILURE = "PROVISION_FAILURE"
    VALIDATION_FAILURE = "VALIDATION_FAILURE"
    SYNC_FAILURE = "SYNC_FAILURE"
    PIPELINE_FAILURE = "PIPELINE_FAILURE"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"


class NotificationStatus(StrEnum):
    """`notifications.status`."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


class TrailAction(StrEnum):
    """`audit_trail.action`."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    STATUS_CHANGED = "STATUS_CHANGED"
    PROVISIONED = "PROVISIONED"
    RECREATED = "RECREATED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
