"""The Delta log: snapshots and history read from it, commits written to it at once or not at all."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from brickyard.local.sql.model import Origin, SqlError

Action = dict[str, Any]
_COMMIT = re.compile(r"(\d{20})\.json\Z")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d+\.(\d+))?\.parquet\Z")
_CHECKPOINT_EVERY = 20
_CHECKPOINTS = 32  # of as many tables is remembered what the last one says
ENGINE_INFO = "brickyard-local"


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits, and on behalf of which job, notebook and statement."""

    user: str
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit says about itself in DESCRIBE HISTORY."""

    operation: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, int] = field(default_factory=dict)
    blind_append: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A version of a table: its metadata, its protocol and the files that hold its rows."""

    path: Path
    version: int
    timestamp: int
    metadata: Action
    protocol: Action
    files: tuple[Action, ...]

    @property
    def fields(self) -> list[Any]:
        """The fields of the schema as Delta's JSON."""
        fields: list[Any] = json.loads(self.metadata["schemaString"])["fields"]
        return fields

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """The partition columns in order."""
        return tuple(self.metadata.get("partitionColumns") or ())

    @property
    def configuration(self) -> dict[str, str]:
        """The table properties."""
        return dict(self.metadata.get("configuration") or {})

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file["size"] for file in self.files)

    @property
    def has_change_feed(self) -> bool:
        """Whether every change must be recorded row by row."""
        return self.configuration.get("delta.enableChangeDataFeed", "").lower() == "true"


def physical_name(field: Any) -> str:
    """The name by which files know a column."""
    name: str = field["metadata"].get("delta.columnMapping.physicalName", field["name"])
    return name


def is_table(path: Path) -> bool:
    """Whether a Delta table lies at *path*."""
    return next(_commits(path), None) is not None or bool(_checkpoints(path))


def latest_version(path: Path) -> int:
    """The number of the last commit, or raise SqlError when there is no table."""
    versions = [*_commits(path), *(version for version, _ in _checkpoints(path))]
    if not versions:
        raise SqlError("DELTA_MISSING_DELTA_TABLE", f"`{path}` is not a Delta table.", "42P01")
    return max(versions)


def snapshot(path: Path, version: int | None = None) -> Snapshot:
    """Read a version of a table, the last one by default."""
    last = latest_version(path)
    wanted = last if version is None else version
    if not 0 <= wanted <= last:
        raise SqlError(
            "DELTA_VERSION_NOT_FOUND", f"Cannot time travel to version {wanted}. Available: 0 to {last}.", "22003"
        )
    state = _State()
    start = -1
    checkpoints = [found for found in _checkpoints(path) if found[0] <= wanted]
    if checkpoints:
        start, files = max(checkpoints)
        for action in _checkpoint_actions(tuple((file, *_written(file)) for file in files)):
            state.apply(action)
    for number in range(start + 1, wanted + 1):
        for action in read_commit(path, number):
            state.apply(action)
    assert state.metadata is not None
    assert state.protocol is not None
    return Snapshot(path, wanted, state.timestamp, state.metadata, state.protocol, tuple(state.files.values()))


class _State:
    def __init__(self) -> None:
        self.metadata: Action | None = None
        self.protocol: Action | None = None
        self.files: dict[tuple[str, str], Action] = {}
        self.timestamp = 0

    def apply(self, action: Action) -> None:
        match action:
            case {"add": {} as add}:
                self.files[_file_key(add)] = add
            case {"remove": {} as remove}:
                self.files.pop(_file_key(remove), None)
            case {"metaData": {} as metadata}:
                self.metadata = metadata
            case {"protocol": {} as protocol}:
                self.protocol = protocol
            case {"commitInfo": {} as info}:
                self.timestamp = info.get("timestamp", 0)


def _file_key(file: Action) -> tuple[str, str]:
    vector = file.get("deletionVector") or {}
    return file["path"], f"{vector.get('storageType', '')}{vector.get('pathOrInlineDv', '')}{vector.get('offset', '')}"


def read_commit(path: Path, version: int) -> list[Action]:
    """The actions of one commit, or raise SqlError when the log no longer holds it."""
    file = _commit_file(path, version)
    try:
        return [json.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise SqlError(
            "DELTA_VERSION_NOT_FOUND", f"Version {version} of `{path}` is no longer in the log.", "22003"
        ) from error


def commit_infos(path: Path, limit: int | None = None) -> Iterator[tuple[int, Action]]:
    """The commit information of each version that the log holds, newest first."""
    versions = sorted(_commits(path), reverse=True)
    for version in versions[:limit]:
        info = next((a["commitInfo"] for a in read_commit(path, version) if "commitInfo" in a), {})
        modified = int(_commit_file(path, version).stat().st_mtime * 1000)
        yield version, {"timestamp": modified, **info}


def version_at(path: Path, timestamp_ms: int) -> int:
    """The last version committed at or before a time, or raise SqlError when the table is younger."""
    for version, info in commit_infos(path):
        if info["timestamp"] <= timestamp_ms:
            return version
    raise SqlError(
        "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION", "The timestamp is before the earliest version.", "42816"
    )


def commit(path: Path, version: int, author: Author, change: Change, actions: Sequence[Action]) -> int:
    """Write one commit, or raise SqlError when another writer took the version; returns the version."""
    info = _commit_info(author, change, version - 1 if version else None)
    text = "\n".join(json.dumps(action, separators=(",", ":")) for action in ({"commitInfo": info}, *actions)) + "\n"
    log = path / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    temporary = log / f".{uuid.uuid4()}.tmp"
    temporary.write_text(text)
    try:
        os.link(temporary, _commit_file(path, version))
    except FileExistsError as error:
        raise concurrent_write() from error
    finally:
        temporary.unlink()
    if version and version % _CHECKPOINT_EVERY == 0:
        _checkpoint(path)
    return version


def replace_commit(path: Path, version: int, actions: Sequence[Action]) -> None:
    """Put other words for the same change in the place of a commit, and of a checkpoint that repeats it.

    Who calls holds the table's lock; a reader finds the one or the other. Spark may know the length already: letters stay
    as they are, so that what says less is not longer.
    """
    temporary = path / "_delta_log" / f".{uuid.uuid4()}.tmp"
    lines = (json.dumps(action, separators=(",", ":"), ensure_ascii=False) + "\n" for action in actions)
    temporary.write_text("".join(lines), encoding="utf-8")
    temporary.replace(_commit_file(path, version))
    stale = [file for found, files in _checkpoints(path) if found >= version for file in files]
    if stale:
        forget_checkpoint_hint(path)
        for file in stale:
            file.unlink()
        _checkpoint(path)


def forget_checkpoint_hint(path: Path) -> None:
    """Remove the pointer to the newest checkpoint: the engine follows it even when it is to read an older version.

    The pointer is optional; readers list the log without it, and the next checkpoint writes it again.
    """
    (path / "_delta_log" / "_last_checkpoint").unlink(missing_ok=True)


def concurrent_write() -> SqlError:
    """The refusal of a commit whose version another writer took."""
    return SqlError(
        "DELTA_CONCURRENT_WRITE",
        "A concurrent transaction has written new data since this transaction read the table.",
        "2D521",
        retryable=True,
    )


def _checkpoint(path: Path) -> None:
    from deltalake import DeltaTable

    DeltaTable(path).create_checkpoint()


def author_info(author: Author) -> Action:
    """The part of the commit information that names the author, the job and the notebook."""
    origin = author.origin
    job = {
        "jobId": origin.job_id,
        "jobName": origin.job_name,
        "jobRunId": origin.job_run_id,
        "runId": origin.task_run_id or origin.job_run_id,
        "triggerType": origin.trigger_type,
    }
    info: Action = {"userId": author.user, "userName": author.user}
    if origin.job_id or origin.job_run_id:
        info["job"] = {name: value for name, value in job.items() if value}
    if origin.notebook_id:
        info["notebook"] = {"notebookId": origin.notebook_id}
    return info


def _commit_info(author: Author, change: Change, read_version: int | None) -> Action:
    return {
        "timestamp": time.time_ns() // 1_000_000,
        **author_info(author),
        "operation": change.operation,
        "operationParameters": dict(change.parameters),
        **({} if read_version is None else {"readVersion": read_version}),
        "isolationLevel": "WriteSerializable",
        "isBlindAppend": change.blind_append,
        "operationMetrics": {name: str(value) for name, value in change.metrics.items()},
        "engineInfo": ENGINE_INFO,
        "txnId": str(uuid.uuid4()),
    }


def _commit_file(path: Path, version: int) -> Path:
    return path / "_delta_log" / f"{version:020d}.json"


def _commits(path: Path) -> Iterator[int]:
    for name in _log_names(path):
        if found := _COMMIT.match(name):
            yield int(found[1])


def _checkpoints(path: Path) -> list[tuple[int, list[Path]]]:
    """Complete checkpoints: version and the files that make it up."""
    parts: dict[int, list[Path]] = {}
    wanted: dict[int, int] = {}
    for name in _log_names(path):
        if found := _CHECKPOINT.match(name):
            parts.setdefault(int(found[1]), []).append(path / "_delta_log" / name)
            wanted[int(found[1])] = int(found[2] or 1)
    return [(version, sorted(files)) for version, files in parts.items() if len(files) >= wanted[version]]


def _log_names(path: Path) -> list[str]:
    try:
        return os.listdir(path / "_delta_log")
    except (FileNotFoundError, NotADirectoryError):
        return []


@lru_cache(_CHECKPOINTS)
def _checkpoint_actions(files: tuple[tuple[Path, int, int], ...]) -> tuple[Action, ...]:
    """What the files of a checkpoint say; who knows when a file was written and its size gets what it says now."""
    return tuple(action for file, _, _ in files for action in _read_checkpoint(file))


def _written(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def _read_checkpoint(file: Path) -> Iterator[Action]:
    import pyarrow.parquet as pq

    for row in pq.read_table(file).to_pylist(maps_as_pydicts="strict"):
        for name in ("protocol", "metaData", "add"):
            if row.get(name):
                yield {name: _without_parsed(row[name])}


def _without_parsed(action: Action) -> Action:
    return {k: v for k, v in action.items() if not k.endswith("_parsed") and v is not None}
