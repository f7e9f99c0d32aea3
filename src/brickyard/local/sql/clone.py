"""DEEP and SHALLOW CLONE: the files of a version of one table become those of another, and the commit says whence."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from brickyard.local.sql.delta.log import Action, Author, Change, Snapshot, commit, is_table, snapshot
from brickyard.local.sql.delta.vectors import files_of
from brickyard.local.sql.delta.write import highest_protocol, removals

METRICS = (
    "sourceTableSize",
    "sourceNumOfFiles",
    "numRemovedFiles",
    "numCopiedFiles",
    "removedFilesSize",
    "copiedFilesSize",
)


def clone(
    source: Snapshot, source_name: str, path: Path, author: Author, *, shallow: bool, properties: dict[str, str]
) -> dict[str, int]:
    """Make *path* a copy of *source* in one commit and return the metrics; what was there before stays in its history."""
    before = snapshot(path) if is_table(path) else None
    for file in source.files:
        _link(source.path, path, file)
    metadata = _metadata(source, before, properties)
    protocol = highest_protocol(source.protocol, before.protocol) if before else source.protocol
    removed = before.files if before else ()
    metrics = _metrics(source, removed, shallow)
    parameters = {"source": source_name, "sourceVersion": str(source.version), "isShallow": str(shallow).lower()}
    adds = [{"add": {**file, "dataChange": True}} for file in source.files]
    actions = [{"protocol": protocol}, {"metaData": metadata}, *_gone(removed, source.files), *adds]
    commit(path, before.version + 1 if before else 0, author, Change("CLONE", parameters, metrics), actions)
    return metrics


def _gone(removed: tuple[Action, ...], kept: tuple[Action, ...]) -> list[Action]:
    names = {file["path"] for file in kept}
    return removals([file for file in removed if file["path"] not in names])


def _metadata(source: Snapshot, before: Snapshot | None, properties: dict[str, str]) -> Action:
    metadata = {**source.metadata, "configuration": {**source.configuration, **properties}}
    if before is not None:
        metadata["id"] = before.metadata["id"]
    else:
        metadata["id"] = str(uuid.uuid4())
    return metadata


def _metrics(source: Snapshot, removed: tuple[Action, ...], shallow: bool) -> dict[str, int]:
    copied = () if shallow else source.files
    values = (
        source.size,
        len(source.files),
        len(removed),
        len(copied),
        sum(f["size"] for f in removed),
        sum(f["size"] for f in copied),
    )
    return dict(zip(METRICS, values, strict=True))


def _link(source: Path, target: Path, file: Action) -> None:
    for name in files_of(file):
        _link_file(source / name, target / name)


def _link_file(source: Path, target: Path) -> None:
    """A second name for an immutable file costs nothing and outlives the first; another disk needs a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copyfile(source, target)
