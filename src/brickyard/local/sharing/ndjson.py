"""The lines of an answer: protocol, metadata and files, in the words of the parquet or of the delta response format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from brickyard.local.api.errors import invalid
from brickyard.local.sharing.files import Link
from brickyard.local.sharing.negotiation import Agreement, Format
from brickyard.local.sql.delta.log import Action, Snapshot
from brickyard.local.sql.delta.vectors import vector_file

Line = dict[str, Any]
Sign = Callable[[str], Link]
PLAIN_WORDS = {"add": "add", "cdc": "cdf", "remove": "remove"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an answer: the log's action, and the version and time (ms) when the answer says them.

    *change* tells a file of a change from one of a snapshot.
    """

    kind: str  # add, remove or cdc
    action: Action
    version: int | None = None
    timestamp: int | None = None
    change: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Writes lines in the format agreed upon; *sign* makes the link to a file of the table."""

    agreement: Agreement
    sign: Sign

    @property
    def _plain(self) -> bool:
        return self.agreement.format is Format.PARQUET

    def protocol(self, protocol: Action) -> Line:
        """What a reader must be able to do; files of the parquet format need nothing."""
        return {"protocol": {"minReaderVersion": 1} if self._plain else {"deltaProtocol": protocol}}

    def metadata(self, state: Snapshot, *, version: bool = False, files: Iterable[Action] | None = None) -> Line:
        """The schema, partitions and properties of a version, and the size of *files* when they are given."""
        sizes = None if files is None else [file["size"] for file in files]
        extra = {"version": state.version} if version else {}
        if sizes is not None:
            extra |= {"size": sum(sizes), "numFiles": len(sizes)}
        metadata = {**state.metadata, "format": _format(state.metadata)}
        return {"metaData": {**_plain_metadata(metadata), **extra} if self._plain else _wrapped(metadata, extra)}

    def file(self, entry: Entry) -> Line:
        """One file with its link."""
        path = unquote(entry.action["path"])
        link = self.sign(path)
        said = {
            "id": self.agreement.hash(path),
            "size": entry.action.get("size", 0),
            **_known(version=entry.version, timestamp=entry.timestamp),
            "expirationTimestamp": link.expires,
        }
        return self._plain_file(entry, link, said) if self._plain else {"file": self._delta_file(entry, link, said)}

    def _plain_file(self, entry: Entry, link: Link, said: Line) -> Line:
        if entry.action.get("deletionVector"):
            raise invalid("The table has deletion vectors; ask for responseformat=delta.")
        stats = _known(stats=entry.action.get("stats"))
        values = entry.action.get("partitionValues") or {}
        word = PLAIN_WORDS[entry.kind] if entry.change else "file"
        return {word: {"url": link.url, "partitionValues": values, **said, **stats}}

    def _delta_file(self, entry: Entry, link: Link, said: Line) -> Line:
        action: Action = {**entry.action, "path": link.url}
        if (stored := vector_file(entry.action)) is not None:
            absolute = {"storageType": "p", "pathOrInlineDv": self.sign(stored).url}
            action["deletionVector"] = {**entry.action["deletionVector"], **absolute}
            said = {**said, "deletionVectorFileId": self.agreement.hash(stored)}
        return {**said, "deltaSingleAction": {entry.kind: action}}

    def end(self, expirations: Iterable[int]) -> list[Line]:
        """The line that says that the answer is whole, when the client asked for it."""
        if not self.agreement.end_stream:
            return []
        soonest = min(expirations, default=None)
        return [{"endStreamAction": _known(minUrlExpirationTimestamp=soonest)}]


def expiration(line: Line) -> int:
    """When the link of a file's line ends."""
    (inner,) = line.values()
    found: int = inner["expirationTimestamp"]
    return found


def text(lines: Iterable[Line]) -> bytes:
    """Lines as they are sent; ASCII only, because clients cut a body at every line separator that Unicode knows."""
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def _plain_metadata(metadata: Action) -> Line:
    return {
        "id": metadata["id"],
        **_known(name=metadata.get("name"), description=metadata.get("description")),
        "format": {"provider": metadata["format"]["provider"]},
        "schemaString": metadata["schemaString"],
        "partitionColumns": metadata.get("partitionColumns") or [],
        "configuration": metadata.get("configuration") or {},
    }


def _wrapped(metadata: Action, extra: Line) -> Line:
    return {"deltaMetadata": metadata, **extra}


def _format(metadata: Action) -> Line:
    known = metadata.get("format") or {}
    return {"provider": known.get("provider") or "parquet", "options": known.get("options") or {}}


def _known(**values: object) -> Line:
    return {name: value for name, value in values.items() if value is not None}
