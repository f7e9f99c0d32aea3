"""What changed in a table: the change feed, or the files that a range of versions added and removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from brickyard.local.api.errors import invalid
from brickyard.local.sharing.ndjson import Entry
from brickyard.local.sharing.versions import first_at_or_after, last_at_or_before, readable, timestamps
from brickyard.local.sql.delta import log
from brickyard.local.sql.delta.log import Action, Snapshot


@dataclass(frozen=True, slots=True)
class Range:
    """Versions, both ends inclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range that a request asks for: versions or timestamps."""

    starting_version: int | None = None
    starting_timestamp: str | None = None
    ending_version: int | None = None
    ending_timestamp: str | None = None

    def resolve(self, path: Path, latest: int, earliest: int) -> Range:
        """The versions meant, or raise ApiError when they are not ones that are shared."""
        if (self.starting_version is None) == (self.starting_timestamp is None):
            raise invalid("Exactly one of startingVersion and startingTimestamp is needed.")
        if self.ending_version is not None and self.ending_timestamp is not None:
            raise invalid("Only one of endingVersion and endingTimestamp can be given.")
        found = Range(self._start(path), min(self._end(path, latest), latest))
        if found.start < earliest:
            raise invalid(f"The table is shared from version {earliest} on; version {found.start} is not.")
        if found.start > latest:
            raise invalid(f"Version {found.start} is after the latest version of the table, {latest}.")
        if found.end < found.start:
            raise invalid(f"The range ends at version {found.end}, before it starts at version {found.start}.")
        return found

    def _start(self, path: Path) -> int:
        if self.starting_timestamp is not None:
            return first_at_or_after(path, self.starting_timestamp)
        assert self.starting_version is not None
        return self.starting_version

    def _end(self, path: Path, latest: int) -> int:
        if self.ending_timestamp is not None:
            return last_at_or_before(path, self.ending_timestamp)
        return latest if self.ending_version is None else self.ending_version


@dataclass(frozen=True, slots=True)
class Commit:
    """The actions of one version and when it was made, in milliseconds since the epoch."""

    version: int
    timestamp: int
    actions: tuple[Action, ...]

    def entries(self, *, feed: bool) -> Iterator[Entry]:
        """The files that say what changed; with *feed* the rows that were written for the feed stand for the others."""
        kinds = ("cdc",) if feed and any("cdc" in action for action in self.actions) else ("add", "remove")
        for action in self.actions:
            for kind in kinds:
                if kind in action and (kind == "cdc" or action[kind].get("dataChange", True)):
                    yield Entry(kind, action[kind], self.version, self.timestamp, change=True)

    def metadata(self, before: Snapshot) -> Snapshot | None:
        """The table's metadata when this version changed it."""
        found = next((action["metaData"] for action in self.actions if "metaData" in action), None)
        return None if found is None else replace(before, version=self.version, metadata=found, files=())


def commits(path: Path, range_: Range) -> list[Commit]:
    """The commits of a range, oldest first; raises ApiError when the log no longer holds one of them."""
    times: Mapping[int, int] = timestamps(path)
    versions = range(range_.start, range_.end + 1)
    if missing := [version for version in versions if version not in times]:
        raise invalid(f"Version {missing[0]} is no longer in the table's log.")
    return [Commit(version, times[version], _actions(path, version)) for version in versions]


def _actions(path: Path, version: int) -> tuple[Action, ...]:
    return tuple(readable(lambda: log.read_commit(path, version)))


def check_feed(start: Snapshot, found: list[Commit]) -> None:
    """Raise ApiError unless the change feed was on in every version."""
    states = [start, *(state for commit in found[1:] if (state := commit.metadata(start)) is not None)]
    off = [state.version for state in states if not state.has_change_feed]
    if off:
        raise invalid(f"The change data feed is not enabled in version {off[0]} of the table.")
