"""The answers of the open protocol: what a recipient may list, and the versions, metadata, files and changes of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from brickyard.kernel.clock import Clock, system_clock
from brickyard.local.api.errors import ApiError, denied, invalid
from brickyard.local.catalog.model import CatalogError, Table, TableType
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sharing import changes, filters, ndjson, negotiation, prune, versions, visible
from brickyard.local.sharing.access import Directory, granted_share
from brickyard.local.sharing.audit import Row
from brickyard.local.sharing.changes import Bounds, Commit
from brickyard.local.sharing.files import Links
from brickyard.local.sharing.model import Recipient, Share, SharedObject
from brickyard.local.sharing.ndjson import Entry, Line, Lines
from brickyard.local.sharing.shareable import table_path
from brickyard.local.sharing.visible import SharedTable
from brickyard.local.sql.delta import log
from brickyard.local.sql.delta.log import Action, Snapshot

if TYPE_CHECKING:
    from brickyard.local.sharing.views import Views


@dataclass(frozen=True, slots=True)
class Server:
    """What the open protocol is answered from; *audit* takes rows of `system.access.audit`.

    *check* raises CatalogError or ApiError when an object of a share is gone or the share's owner may no longer read it.
    *views* is called when a view is first read: it brings the SQL engine.
    """

    metastore: str
    directory: Directory
    catalog: CatalogStore
    check: Callable[[Share, SharedObject], None]
    links: Links
    views: Callable[[], Views]
    audit: Callable[[Row], None]
    clock: Clock = system_clock

    def open(self, reader: Reader, share: str, schema: str, name: str) -> Opened:
        """A table that a recipient may read, or raise ApiError."""
        found = visible.find(granted_share(self.directory, reader.recipient, share), self.catalog, schema, name)
        table = visible.catalog_table(found, self.catalog)
        self._check_owner(found)
        is_view = table.table_type is TableType.VIEW
        return Opened(found, self._view_path(reader, found, table) if is_view else _delta_path(table), is_view)

    def _check_owner(self, found: SharedTable) -> None:
        try:
            self.check(found.share, found.entry)
        except (ApiError, CatalogError) as error:
            raise denied(
                f"The owner of share '{found.share.name}' may not read '{found.full_name}' any more."
            ) from error

    def _view_path(self, reader: Reader, found: SharedTable, view: Table) -> Path:
        return self.views().table(view, found.share.owner, reader.recipient.properties)

    def lines(self, reader: Reader, opened: Opened, state: Snapshot) -> Lines:
        """What writes the answer, in the format that client and table agree upon."""
        needed = negotiation.needed_features(state.protocol, state.configuration)
        sign = partial(self.links.sign, reader.base, reader.recipient.name, opened.path, now=self.clock())
        return Lines(negotiation.agree(reader.headers, needed), sign)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks and how: the recipient, the request's headers, and the address under which files are served."""

    recipient: Recipient
    headers: Mapping[str, str]
    base: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A shared table and the folder of its data."""

    shared: SharedTable
    path: Path
    is_view: bool

    @property
    def earliest(self) -> int:
        """The first version that is shared."""
        return 0 if self.is_view else self.shared.entry.start_version

    def latest(self) -> int:
        """The newest version."""
        return versions.readable(lambda: log.latest_version(self.path))

    def check_history(self, what: str, *, feed: bool = False) -> None:
        """Raise ApiError unless the table is shared with its history (or, with *feed*, with its change feed)."""
        entry = self.shared.entry
        if self.is_view or not (entry.history or (feed and entry.cdf_enabled)):
            wanted = "its change data feed or its history" if feed else "its history"
            raise invalid(f"{what} is possible only for a table that is shared with {wanted}.")

    def check_version(self, version: int, latest: int) -> int:
        """The version itself, or raise ApiError when it is not shared or does not exist."""
        if not self.earliest <= version <= latest:
            raise invalid(f"Version {version} is not shared: versions {self.earliest} to {latest} are.")
        return version

    def allowed(self, reader: Reader, state: Snapshot, files: Iterable[Action]) -> list[Action]:
        """The files that the recipient may see."""
        partitions, properties = self.shared.entry.partitions, reader.recipient.properties
        return [file for file in files if filters.allowed(file, partitions, properties, state.fields)]


@dataclass(frozen=True, slots=True)
class Hints:
    """What a client says it will need, as hints."""

    sql: Sequence[str] = ()
    json: str | None = None
    limit: int | None = None

    def applied(self, files: list[Action], state: Snapshot) -> list[Action]:
        """The files that may be needed; a limit counts only without conditions, which leave rows out as well."""
        if self.sql or self.json:
            return prune.kept(files, self._predicate(), state.fields)
        return files if self.limit is None else prune.limited(files, self.limit)

    def _predicate(self) -> prune.Predicate:
        from brickyard.local.sharing import conditions  # needs the SQL parser, which a server without hints does not

        return prune.Both((conditions.predicate(self.sql), prune.of_json(self.json)))


@dataclass(frozen=True, slots=True)
class Answer:
    """The lines of an answer, the version in its header, and the figures for the audit row."""

    version: int
    headers: Mapping[str, str]
    lines: list[Line] = field(default_factory=list)
    result: Mapping[str, object] = field(default_factory=dict)


def table_version(opened: Opened, starting: str | None) -> int:
    """The newest version, or the first one at or after a time."""
    if starting is None:
        return opened.latest()
    opened.check_history("Asking for the version at a time", feed=True)
    return max(versions.first_at_or_after(opened.path, starting), opened.earliest)


def wanted_version(opened: Opened, version: int | None, timestamp: str | None) -> int | None:
    """The version that a request travels to, None for the newest; raises ApiError when it may not."""
    if version is None and timestamp is None:
        return None
    if version is not None and timestamp is not None:
        raise invalid("Only one of version and timestamp can be given.")
    opened.check_history("Reading an older version")
    found = version if version is not None else versions.last_at_or_before(opened.path, timestamp or "")
    return opened.check_version(found, opened.latest())


def metadata(server: Server, reader: Reader, opened: Opened, version: int | None) -> Answer:
    """The protocol and metadata of a version."""
    state = versions.snapshot(opened.path, version)
    lines = server.lines(reader, opened, state)
    files = opened.allowed(reader, state, state.files)
    body = [lines.protocol(state.protocol), lines.metadata(state, files=files)]
    return Answer(state.version, lines.agreement.headers, body)


def query(server: Server, reader: Reader, opened: Opened, version: int | None, hints: Hints) -> Answer:
    """The files of a version that the recipient may see."""
    state = versions.snapshot(opened.path, version)
    lines = server.lines(reader, opened, state)
    allowed = opened.allowed(reader, state, state.files)
    chosen = hints.applied(allowed, state)
    said = (state.version, state.timestamp) if version is not None else (None, None)
    files = [lines.file(Entry("add", file, *said)) for file in chosen]
    head = [lines.protocol(state.protocol), lines.metadata(state, version=version is not None, files=allowed)]
    body = [*head, *files, *lines.end(map(ndjson.expiration, files))]
    return Answer(state.version, lines.agreement.headers, body, _figures(state.version, lines, chosen))


def table_changes(
    server: Server, reader: Reader, opened: Opened, bounds: Bounds, *, feed: bool, metadata: bool
) -> Answer:
    """The change feed of a range of versions, or without *feed* the files that they added and removed.

    With *metadata* every change of the schema or the properties is told as well.
    """
    wanted = bounds.resolve(opened.path, opened.latest(), opened.earliest)
    first, last = (versions.readable(partial(log.snapshot, opened.path, v)) for v in (wanted.start, wanted.end))
    found = changes.commits(opened.path, wanted)
    if feed:
        changes.check_feed(first, found)
    lines = server.lines(reader, opened, last)
    entries = [entry for commit in found for entry in _entries(commit, opened, reader, last, feed=feed)]
    versions.check_files(opened.path, tuple(entry.action for entry in entries if feed or entry.kind == "add"))
    head = first if metadata or lines.agreement.format is negotiation.Format.DELTA else last
    files = [lines.file(entry) for entry in entries]
    body = [
        lines.protocol(last.protocol),
        lines.metadata(head, version=True),
        *(_history(lines, found, first) if metadata else ()),
        *files,
        *lines.end(map(ndjson.expiration, files)),
    ]
    figures = _figures(wanted.start, lines, [entry.action for entry in entries])
    return Answer(wanted.start, lines.agreement.headers, body, {**figures, "endingVersion": wanted.end})


def _history(lines: Lines, found: Sequence[Commit], first: Snapshot) -> list[Line]:
    states = [commit.metadata(first) for commit in found[1:]]
    return [lines.metadata(state, version=True) for state in states if state is not None]


def _entries(commit: Commit, opened: Opened, reader: Reader, state: Snapshot, *, feed: bool) -> list[Entry]:
    found = list(commit.entries(feed=feed))
    return [entry for entry in found if opened.allowed(reader, state, [entry.action])]


def _figures(version: int, lines: Lines, files: Sequence[Action]) -> dict[str, object]:
    return {
        "deltaTableVersion": version,
        "responseFormat": str(lines.agreement.format),
        "numFiles": len(files),
        "numBytes": sum(file.get("size", 0) for file in files),
        "numRecords": sum(prune.rows_of(file) for file in files),
    }


def _delta_path(table: Table) -> Path:
    if table.data_source_format != "DELTA" or table.storage_location is None:
        raise ApiError(400, "INVALID_STATE", f"'{table.name}' is not a Delta table and cannot be read by recipients.")
    return table_path(table)
