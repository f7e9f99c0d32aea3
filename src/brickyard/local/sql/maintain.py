"""OPTIMIZE, VACUUM, RESTORE, and the statements that are accepted because they change nothing that can be seen."""

from __future__ import annotations

import json
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from brickyard.dbsql.model import Reference
from brickyard.local.sql.call import Call, Target
from brickyard.local.sql.delta import log, write
from brickyard.local.sql.delta.log import Change
from brickyard.local.sql.delta.travel import milliseconds
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.tables import sync

_OPTIMIZE_METRICS = (
    "struct<numFilesAdded:bigint,numFilesRemoved:bigint,"
    "filesAdded:struct<min:bigint,max:bigint,avg:double,totalFiles:bigint,totalSize:bigint>,"
    "filesRemoved:struct<min:bigint,max:bigint,avg:double,totalFiles:bigint,totalSize:bigint>,"
    "partitionsOptimized:bigint,numBatches:bigint,totalConsideredFiles:bigint,totalFilesSkipped:bigint>"
)


def optimize(call: Call) -> Result:
    """OPTIMIZE: small files become large ones; rows stay as they are. ZORDER BY and WHERE are accepted as hints."""
    target = call.target()
    with call.shop.ledger.lock(target.path):
        before = target.snapshot()
        after = _compacted(call, before)
    added = [f for f in after.files if f not in before.files]
    removed = [f for f in before.files if f not in after.files]
    metrics = {
        "numFilesAdded": len(added),
        "numFilesRemoved": len(removed),
        "filesAdded": _sizes(added),
        "filesRemoved": _sizes(removed),
        "partitionsOptimized": len({json.dumps(f["partitionValues"]) for f in added}),
        "numBatches": 1,
        "totalConsideredFiles": len(before.files),
        "totalFilesSkipped": len(before.files) - len(removed),
    }
    return call.rows({"path": "string", "metrics": _OPTIMIZE_METRICS}, [(f"file:{target.path}", metrics)])


def _compacted(call: Call, before: log.Snapshot) -> log.Snapshot:
    groups: dict[str, int] = {}
    for file in before.files:
        key = json.dumps(file["partitionValues"], sort_keys=True)
        groups[key] = groups.get(key, 0) + 1
    if all(count < 2 for count in groups.values()) and not any(f.get("deletionVector") for f in before.files):
        return before
    rows = call.query(f"SELECT * FROM delta.`{before.path}`")
    staged = write.stage(before.path, rows, before.fields, before.partition_columns)
    adds = [{"add": {**add, "dataChange": False}} for add in staged.adds]
    parameters = {"predicate": "[]", "zOrderBy": json.dumps(list(call.items("zorder_by"))), "auto": "false"}
    metrics = {
        "numRemovedFiles": len(before.files),
        "numAddedFiles": len(adds),
        "numRemovedBytes": before.size,
        "numAddedBytes": staged.bytes,
    }
    actions = [*write.removals(before.files, data_change=False), *adds]
    log.commit(before.path, before.version + 1, call.author, Change("OPTIMIZE", parameters, metrics), actions)
    return log.snapshot(before.path)


def _sizes(files: list[log.Action]) -> dict[str, object]:
    sizes = [f["size"] for f in files]
    total = sum(sizes)
    return {
        "min": min(sizes) if sizes else None,
        "max": max(sizes) if sizes else None,
        "avg": total / len(sizes) if sizes else 0.0,
        "totalFiles": len(sizes),
        "totalSize": total,
    }


def vacuum(call: Call) -> Result:
    """VACUUM [RETAIN n HOURS] [DRY RUN]."""
    target = call.target()
    retain = call.statement.arguments.get("retain_hours")
    hours = float(str(retain)) if retain is not None else 168.0
    checked = target.snapshot().configuration.get("delta.deletedFileRetentionDuration")
    if hours < 168 and checked is None and call.session.settings.get(_CHECK, "true").lower() != "false":
        raise SqlError(
            "DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT",
            f"{hours:g} hours is less than 168; set {_CHECK} to false if no reader needs older versions.",
            "22003",
        )
    dry = call.has("dry_run")
    with call.shop.ledger.authored(target.path, call.author):
        try:
            files = DeltaTable(target.path).vacuum(int(hours), dry_run=dry, enforce_retention_duration=False)
        except DeltaError as error:
            raise SqlError("DELTA_VACUUM_FAILED", str(error), "XX000") from error
    shown = [[f"file:{target.path}/{file}"] for file in files] if dry else [[f"file:{target.path}"]]
    return call.rows({"path": "string"}, shown)


_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


def restore(call: Call) -> Result:
    """RESTORE TABLE … TO VERSION|TIMESTAMP AS OF."""
    target = call.target()
    with call.shop.ledger.lock(target.path):
        before, wanted = target.snapshot(), target.snapshot(_restore_version(call, target))
        names = {f["path"] for f in before.files}, {f["path"] for f in wanted.files}
        added = [f for f in wanted.files if f["path"] not in names[0]]
        removed = [f for f in before.files if f["path"] not in names[1]]
        metrics = {
            "tableSizeAfterRestore": wanted.size,
            "numOfFilesAfterRestore": len(wanted.files),
            "numRemovedFiles": len(removed),
            "numRestoredFiles": len(added),
            "removedFilesSize": sum(f["size"] for f in removed),
            "restoredFilesSize": sum(f["size"] for f in added),
        }
        _check_files(target, added)
        change = Change("RESTORE", {"version": str(wanted.version), "timestamp": ""}, metrics)
        actions = [{"metaData": wanted.metadata}, *write.removals(removed), *({"add": f} for f in added)]
        log.commit(target.path, before.version + 1, call.author, change, actions)
    sync(call, target.table)
    columns = (
        "table_size_after_restore",
        "num_of_files_after_restore",
        "num_removed_files",
        "num_restored_files",
        "removed_files_size",
        "restored_files_size",
    )
    return call.rows(dict.fromkeys(columns, "bigint"), [metrics.values()])


def _restore_version(call: Call, target: Target) -> int:
    version, timestamp = call.statement.arguments.get("version"), call.statement.arguments.get("timestamp")
    if version is not None:
        return int(str(version))
    if timestamp is None:
        raise SqlError("PARSE_SYNTAX_ERROR", "RESTORE needs TO VERSION AS OF or TO TIMESTAMP AS OF.", "42601")
    return log.version_at(target.path, milliseconds(str(timestamp)))


def _check_files(target: Target, files: list[log.Action]) -> None:
    gone = [f["path"] for f in files if not (target.path / unquote(f["path"])).exists()]
    if gone:
        raise SqlError("DELTA_FILE_NOT_FOUND", f"VACUUM removed files that the version needs: {gone[0]}.", "42K03")


def analyze(call: Call) -> Result:
    """ANALYZE TABLE: accepted; the log holds the statistics already."""
    if call.get("target", Reference) is not None:
        call.source()
    return call.done()


def accept(call: Call) -> Result:
    """CACHE, UNCACHE and REFRESH: accepted; nothing is cached here."""
    if call.verb == "CACHE" and call.has("query"):
        raise unsupported("CACHE TABLE … AS SELECT", "use CREATE TEMPORARY VIEW")
    return call.done()
