"""What a statement leaves in the system tables: query history, lineage and audit rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from brickyard.local.api.scim import user_id
from brickyard.local.catalog.model import Table, TableType
from brickyard.local.sql.model import Origin, Result, SqlSession
from brickyard.local.sql.relations import Use, Uses
from brickyard.local.system.model import Row


@dataclass(frozen=True, slots=True)
class Finished:
    """A statement that has ended, well or not; one that was only *prepared* is run by who asked for it.

    *rows* are those of its result, *written* those that it inserted or updated.
    """

    text: str
    kind: str
    session: SqlSession
    uses: Uses
    started: datetime
    ended: datetime
    statement_id: str
    rows: int | None = None
    error: str | None = None
    canceled: bool = False
    prepared: bool = False
    written: int | None = None
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def milliseconds(self) -> int:
        """How long it took."""
        return int((self.ended - self.started).total_seconds() * 1000)


def history_row(done: Finished) -> Row:
    """The row of `system.query.history`."""
    origin, who = done.session.origin, done.session.principal
    status = "CANCELED" if done.canceled else "FAILED" if done.error else "FINISHED"
    compute = (
        {"type": "WAREHOUSE", "warehouse_id": origin.warehouse_id}
        if origin.warehouse_id
        else {"type": "SERVERLESS_COMPUTE"}
    )
    return {
        "statement_id": done.statement_id,
        "executed_by": who,
        "session_id": done.session.id,
        "execution_status": status,
        "compute": compute,
        "executed_by_user_id": user_id(who),
        "statement_text": done.text,
        "statement_type": done.kind.split(" ")[0],
        "error_message": done.error,
        "client_application": origin.client_application,
        "client_driver": origin.client_driver,
        "total_duration_ms": None if done.prepared else done.milliseconds,
        "execution_duration_ms": None if done.prepared else done.milliseconds,
        "compilation_duration_ms": done.milliseconds if done.prepared else None,
        "start_time": done.started,
        "end_time": done.ended,
        "update_time": done.ended,
        "produced_rows": done.rows,
        "written_rows": done.written,
        "from_result_cache": False,
        "query_source": {
            "job_info": _job_info(origin) if origin.job_id else None,
            "notebook_id": origin.notebook_id,
            "pipeline_info": _pipeline_info(origin, "pipeline_id", "update_id"),
        },
        "executed_as_user_id": user_id(who),
        "executed_as": who,
    }


_WRITTEN = {
    "CREATE TABLE": ("num_inserted_rows",),
    "INSERT": ("num_inserted_rows",),
    "INSERT OVERWRITE": ("num_inserted_rows",),
    "MERGE": ("num_inserted_rows", "num_updated_rows"),
    "UPDATE": ("num_affected_rows",),
}


def written_rows(result: Result) -> int | None:
    """How many rows a statement wrote, by the counts that it answered; None for one that writes none."""
    names = [name for name in _WRITTEN.get(result.kind, ()) if name in result.table.column_names]
    return sum(result.table.column(name)[0].as_py() for name in names) if names else None


def _job_info(origin: Origin) -> Row:
    return {"job_id": origin.job_id, "job_run_id": origin.job_run_id, "job_task_run_id": origin.task_run_id}


def _pipeline_info(origin: Origin, pipeline: str, update: str) -> Row | None:
    return {pipeline: origin.pipeline_id, update: origin.update_id} if origin.pipeline_id else None


def lineage_rows(done: Finished) -> Iterator[Row]:
    """The rows of `system.access.table_lineage`: one for each source of a target, or for each table only read."""
    target = done.uses.target
    for source in done.uses.sources or ([None] if target else []):
        if source is None or not same(source, target):
            yield _lineage_row(done, source, target)


def same(one: Use, other: Use | None) -> bool:
    """Whether a statement reads what it writes, which is no lineage."""
    if other is None:
        return False
    return one.path == other.path if one.table is None or other.table is None else one.table.key == other.table.key


def _lineage_row(done: Finished, source: Use | None, target: Use | None) -> Row:
    return {
        **lineage_event(done),
        **side("source", source),
        **side("target", target),
        "direct_access": source.direct if source else True,
    }


def lineage_event(done: Finished) -> Row:
    """What the lineage rows of a statement have in common, but for the record's own id that each is given here."""
    origin = done.session.origin
    return {
        **_entity(origin, done.statement_id),
        "created_by": done.session.principal,
        "event_time": done.ended,
        "event_date": done.ended.date(),
        "record_id": str(uuid.uuid4()),
        "event_id": done.event_id,
        "statement_id": done.statement_id,
        "entity_metadata": {
            "job_info": {"job_id": origin.job_id, "job_run_id": origin.job_run_id} if origin.job_id else None,
            "notebook_id": origin.notebook_id,
            "dlt_pipeline_info": _pipeline_info(origin, "dlt_pipeline_id", "dlt_update_id"),
        },
    }


def _entity(origin: Origin, statement_id: str) -> Row:
    if origin.pipeline_id:
        return {"entity_type": "PIPELINE", "entity_id": origin.pipeline_id, "entity_run_id": origin.update_id}
    if origin.job_id:
        return {"entity_type": "JOB", "entity_id": origin.job_id, "entity_run_id": origin.job_run_id}
    if origin.notebook_id:
        run = origin.task_run_id or origin.job_run_id
        return {"entity_type": "NOTEBOOK", "entity_id": origin.notebook_id, "entity_run_id": run}
    return {"entity_type": None, "entity_id": None, "entity_run_id": statement_id if origin.warehouse_id else None}


def side(which: str, use: Use | None) -> Row:
    """The columns that name the `source` or the `target` of a lineage row."""
    if use is None:
        return {}
    table = use.table
    if table is None:
        return {f"{which}_path": str(use.path), f"{which}_type": "PATH"}
    return {
        f"{which}_table_full_name": table.full_name,
        f"{which}_table_catalog": table.catalog,
        f"{which}_table_schema": table.schema,
        f"{which}_table_name": table.name,
        f"{which}_type": _type(table),
    }


def _type(table: Table) -> str:
    if table.table_type is TableType.VIEW:
        return "VIEW"
    return table.shown_type if table.shown_type in ("MATERIALIZED_VIEW", "STREAMING_TABLE") else "TABLE"


_ACTIONS = {
    "CREATE TABLE": "createTable",
    "CLONE": "createTable",
    "CREATE VIEW": "createTable",
    "DROP TABLE": "deleteTable",
    "DROP VIEW": "deleteTable",
    "ALTER TABLE": "updateTables",
    "ALTER VIEW": "updateTables",
    "ALTER CATALOG": "updateCatalog",
    "ALTER SCHEMA": "updateSchema",
    "ALTER VOLUME": "updateVolume",
    "CREATE SHARE": "createShare",
    "ALTER SHARE": "updateShare",
    "DROP SHARE": "deleteShare",
    "CREATE RECIPIENT": "createRecipient",
    "ALTER RECIPIENT": "updateRecipient",
    "DROP RECIPIENT": "deleteRecipient",
    "CREATE SCHEMA": "createSchema",
    "DROP SCHEMA": "deleteSchema",
    "CREATE CATALOG": "createCatalog",
    "DROP CATALOG": "deleteCatalog",
    "CREATE VOLUME": "createVolume",
    "DROP VOLUME": "deleteVolume",
    "CREATE FUNCTION": "createFunction",
    "DROP FUNCTION": "deleteFunction",
    "GRANT": "updatePermissions",
    "REVOKE": "updatePermissions",
}


def audit_rows(done: Finished) -> Iterator[Row]:
    """The row of `system.access.audit` for a statement that changes the catalog and was sent as a statement."""
    action = _ACTIONS.get(done.kind)
    if action is None or done.session.origin.within_request:
        return
    who = done.session.principal
    yield {
        "version": "2.0",
        "event_time": done.ended,
        "event_date": done.ended.date(),
        "source_ip_address": "127.0.0.1",
        "session_id": done.session.id,
        "user_identity": {"email": who, "subject_name": who},
        "service_name": "unityCatalog",
        "action_name": action,
        "request_id": done.statement_id,
        "request_params": {"statement": done.text},
        "response": {"status_code": 400 if done.error else 200, "error_message": done.error},
        "audit_level": "WORKSPACE_LEVEL",
        "event_id": str(uuid.uuid4()),
        "identity_metadata": {"run_by": who, "run_as": who},
    }
