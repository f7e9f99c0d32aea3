"""Bronze: copying what is new in a source, each row once, whatever comes late; whole states of sources without history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from brickyard.health.model import types
from brickyard.health.model.source import JOINT, Capture, Leaf, Source
from brickyard.health.model.state import Drift, DriftKind, Now
from brickyard.health.plan import text
from brickyard.health.plan.text import Places, names, quote

OWN = (
    ("_row_hash", "string", "md5 of the row's values; what makes a row the same row"),
    ("_batch", "bigint", "The run that copied the row"),
    ("_copied_at", "timestamp", "When it was copied"),
)
DATED = ("_snapshot_at", "timestamp", "The state of the source at this time")
OVERLAP = timedelta(days=3)
SLICE = 1_000_000  # rows of one copy
_LONGER = {"compute.clusters": 7, "lakeflow.jobs": 7, "lakeflow.job_tasks": 7, "lakeflow.pipelines": 7}


@dataclass(frozen=True, slots=True)
class Shape:
    """A source as it is now: its live leaves with their types, and leaves that our description does not know."""

    source: Source
    live: Mapping[str, str]
    extras: tuple[Leaf, ...] = ()

    @property
    def has(self) -> frozenset[str]:
        """The described leaves that the live source has."""
        return frozenset(leaf.column for leaf in self.source.leaves if leaf.column in self.live)

    def widened(self) -> dict[str, str]:
        """Leaves whose live type holds more than the described one."""
        described = {leaf.column: leaf.type for leaf in self.source.leaves}
        return {
            c: kind
            for c, kind in self.live.items()
            if c in described and not types.is_nested(kind) and not types.fits(kind, described[c])
        }


def overlap(source: Source) -> timedelta:
    """How far behind the newest row a copy looks again for rows that came late."""
    return timedelta(days=_LONGER.get(source.name, OVERLAP.days))


def live_leaves(columns: Mapping[str, str]) -> dict[str, str]:
    """Flatten live columns (name to type) to leaves."""
    return {"__".join(path): leaf.lower() for name, kind in columns.items() for path, leaf in types.leaves(name, kind)}


def drifts(source: Source, live: Mapping[str, str], seen: Mapping[str, str] | None) -> tuple[Drift, ...]:
    """Compare a live source with what was last seen of it, or, the first time, with its description.

    A described leaf that was never seen is no removal: sources get their columns over time.
    """
    described = {leaf.column: leaf.type.lower() for leaf in source.leaves}
    known = _expected(source, live, described) if seen is None else dict(seen)
    gone = {} if seen is None else {c: kind for c, kind in known.items() if c not in live}
    new = {c: kind for c, kind in live.items() if c not in known}
    found = [_retyped(source, c, known[c], live[c]) for c in live if c in known and live[c] != known[c]]
    for column, kind in gone.items():
        twin = next((c for c, other in new.items() if other == kind and c not in described), None)
        if twin is not None:
            new.pop(twin)
            found.append(Drift(source.name, column, DriftKind.RENAMED, column, twin))
        else:
            found.append(Drift(source.name, column, DriftKind.REMOVED, kind, None))
    found += [Drift(source.name, c, DriftKind.ADDED, None, kind) for c, kind in new.items()]
    return tuple(found)


def _expected(source: Source, live: Mapping[str, str], described: Mapping[str, str]) -> dict[str, str]:
    """What to expect of a source never seen: its description, in narrower types where the source is an older one."""
    return {c: live[c] if c in live and types.fits(live[c], kind) else kind for c, kind in described.items()}


def _retyped(source: Source, column: str, before: str, after: str) -> Drift:
    if types.fits(before, after):
        return Drift(source.name, column, DriftKind.WIDENED, before, after)
    kind = DriftKind.NARROWED if types.fits(after, before) else DriftKind.CHANGED
    return Drift(source.name, column, kind, before, after)


def columns(shape: Shape) -> list[tuple[str, str, str]]:
    """Name, type and comment of every column of the bronze table."""
    own = [*OWN, DATED] if shape.source.capture is Capture.SNAPSHOT else [*OWN]
    return [(leaf.column, leaf.type, leaf.comment) for leaf in (*shape.source.leaves, *shape.extras)] + own


def flattened(shape: Shape, places: Places, condition: str = "true") -> str:
    """The source's rows, one column a leaf, with their hash; a value too wide for bronze is NULL and named in _misfits."""
    wide = shape.widened()
    leaves = [_read(leaf, shape, wide) for leaf in (*shape.source.leaves, *shape.extras)]
    misfits = [_misfit(leaf) for leaf in shape.source.leaves if leaf.column in wide]
    found = f"concat_ws(',', {', '.join(misfits)})" if misfits else "''"
    inner = f"SELECT {', '.join(leaves)}, {found} AS _misfits FROM {places.source(shape.source.name)} WHERE {condition}"
    return f"SELECT *, {text.hash_of_row(shape.source.leaves, shape.extras)} AS _row_hash FROM ({inner})"


def _read(leaf: Leaf, shape: Shape, wide: Mapping[str, str]) -> str:
    live = shape.live.get(leaf.column)
    access = text.leaf_of(leaf.path)
    if live is None:
        access = text.typed_null(leaf.type)
    elif live != leaf.type.lower() and types.is_nested(live):
        access = f"from_json(to_json({access}), {text.text(leaf.type)})"
    elif leaf.column in wide:
        access = f"try_cast({access} as {leaf.type})"
    elif live != leaf.type.lower():
        access = f"cast({access} as {leaf.type})"
    return f"{access} AS {quote(leaf.column)}"


def _misfit(leaf: Leaf) -> str:
    access = text.leaf_of(leaf.path)
    return (
        f"CASE WHEN {access} IS NOT NULL AND try_cast({access} as {leaf.type}) IS NULL"
        f" THEN {text.text('does-not-fit:' + leaf.column)} END"
    )


@dataclass(frozen=True, slots=True)
class Window:
    """A range of a source's watermark: `since` and later, up to and with the day `until`; rows without one if `loose`."""

    since: datetime | None = None
    until: date | None = None
    loose: bool = True

    def sql(self, source: Source) -> str:
        """The condition on the source's watermark column."""
        if source.watermark is None or (self.since is None and self.until is None):
            return "true"
        column = quote(source.watermark)
        parts = [f"{column} >= {_literal(source, self.since)}"] if self.since else []
        parts += [f"cast({column} as date) <= date'{self.until}'"] if self.until else []
        condition = " AND ".join(parts)
        return f"({condition} OR {column} IS NULL)" if self.loose else f"({condition})"


def _literal(source: Source, at: datetime) -> str:
    leaf = source.leaf(source.watermark or "")
    return f"date'{at:%Y-%m-%d}'" if leaf and leaf.type == "date" else f"timestamp'{at:%Y-%m-%d %H:%M:%S}Z'"


def by_day(source: Source, places: Places, since: datetime | None) -> str:
    """Count a source's rows by day of its watermark, oldest first; rows without one are left out."""
    column = quote(source.watermark or "")
    condition = Window(since, loose=False).sql(source)
    return (
        f"SELECT cast({column} as date) AS day, count(*) AS found FROM {places.source(source.name)}"
        f" WHERE {condition} AND {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
    )


def windows(days: Sequence[tuple[date, int]], since: datetime | None) -> tuple[Window, ...]:
    """Cut a large copy into windows of whole days and at most about a million rows; one window where that suffices."""
    if sum(rows for _, rows in days) <= SLICE:
        return (Window(since),)
    found: list[Window] = []
    begin, held = since, 0
    for at, (day, rows) in enumerate(days):
        held += rows
        last = at + 1 == len(days)
        if last or held + days[at + 1][1] > SLICE:
            found.append(Window(begin, None if last else day, loose=not found))
            begin, held = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1), 0
    return tuple(found)


def newest(source: Source, places: Places, now: datetime) -> str:
    """The greatest watermark that bronze holds and that does not lie in the future."""
    column = quote(source.watermark or "")
    return (
        f"SELECT cast(max({column}) as timestamp) AS newest FROM {places.bronze(source.bronze)}"
        f" WHERE cast({column} as timestamp) <= timestamp'{now:%Y-%m-%d %H:%M:%S}Z'"
    )


def later(source: Source, places: Places, now: datetime) -> str:
    """Count the rows of a source beyond the greatest watermark that bronze holds: bronze can have none of them.

    The engine compares, in the type of bronze: a time would be cut on its way through a client, a day moved by its zone.
    """
    column, leaf = quote(source.watermark or ""), source.leaf(source.watermark or "")
    kind, past = leaf.type if leaf else "timestamp", f"cast({column} as timestamp) <= {text.moment(now)}"
    last = f"SELECT max({column}) FROM {places.bronze(source.bronze)} WHERE {past}"
    return f"SELECT count(*) AS found FROM {places.source(source.name)} WHERE cast({column} as {kind}) > ({last}) AND {past}"


def fresh(shape: Shape, places: Places, window: Window) -> str:
    """The rows of a source that bronze does not hold, each once."""
    source, within = shape.source, window.sql(shape.source)
    held = f"SELECT _row_hash FROM {places.bronze(source.bronze)} WHERE {within}"
    rows = (
        f"SELECT n.* FROM ({flattened(shape, places, within)}) n LEFT ANTI JOIN ({held}) b ON n._row_hash = b._row_hash"
    )
    ranked = "row_number() OVER (PARTITION BY _row_hash ORDER BY _row_hash) AS _rank"
    return f"SELECT * FROM (SELECT *, {ranked} FROM ({rows})) WHERE _rank = 1"


def count(relation: str) -> str:
    """Count rows, and those with a value that bronze cannot hold."""
    return f"SELECT count(*) AS found, count_if(_misfits <> '') AS misfits FROM ({relation})"


def insert(shape: Shape, places: Places, relation: str, now: Now) -> str:
    """Append good rows to bronze under the run's number."""
    leaves = [leaf.column for leaf in (*shape.source.leaves, *shape.extras)]
    stamp = text.moment(now.at)
    dated = shape.source.capture is Capture.SNAPSHOT
    own = ["_row_hash", "_batch", "_copied_at", *(["_snapshot_at"] if dated else [])]
    values = f"_row_hash, cast({now.run} as bigint), {stamp}{', ' + stamp if dated else ''}"
    return (
        f"INSERT INTO {places.bronze(shape.source.bronze)} ({names([*leaves, *own])})"
        f" SELECT {names(leaves)}, {values} FROM ({relation}) WHERE _misfits = ''"
    )


def unlike_last_snapshot(shape: Shape, places: Places) -> str:
    """Count the differences between a source's present state and the last dated one (`found`), and the rows of both.

    `here` rows are shown, `held` were in the state of `dated`. A state without any row is not taken (`found` is 0): no row
    could date it, and it is more likely a fault than the end of everything.
    """
    bronze = places.bronze(shape.source.bronze)
    last = f"SELECT _row_hash, _snapshot_at FROM {bronze} WHERE _snapshot_at = (SELECT max(_snapshot_at) FROM {bronze})"
    here = f"SELECT DISTINCT _row_hash FROM ({flattened(shape, places)})"
    return (
        "SELECT CASE WHEN count(h) = 0 THEN 0 ELSE count_if(h IS NULL OR g IS NULL) END AS found,"
        " count(h) AS here, count(g) AS held, max(at) AS dated"
        f" FROM (SELECT _row_hash AS h FROM ({here})) a"
        f" FULL OUTER JOIN (SELECT DISTINCT _row_hash AS g, _snapshot_at AS at FROM ({last})) b ON a.h = b.g"
    )


def extras(source: Source, columns: Mapping[str, str], known: Iterable[str]) -> tuple[Leaf, ...]:
    """Live leaves that the description does not know, with their paths, in a steady order."""
    described = {leaf.column for leaf in source.leaves}
    found = [Leaf(path, kind) for name, whole in columns.items() for path, kind in types.leaves(name, whole)]
    return tuple(sorted((leaf for leaf in found if leaf.column not in described), key=lambda leaf: leaf.column))


def with_known_extras(shape: Shape, held: Mapping[str, str]) -> Shape:
    """Add the further leaves that bronze already holds, so that they stay columns when the source drops them again."""
    described = {leaf.column for leaf in shape.source.leaves} | {name for name, _, _ in (*OWN, DATED)}
    known = {leaf.column for leaf in shape.extras}
    kept = [Leaf(tuple(name.split(JOINT)), kind) for name, kind in held.items() if name not in described | known]
    return replace(shape, extras=tuple(sorted((*shape.extras, *kept), key=lambda leaf: leaf.column)))


def quarantine(shape: Shape, places: Places, relation: str, now: Now) -> str:
    """Write the MERGE that keeps rows with a value that bronze cannot hold, each once."""
    table = f"bronze.{shape.source.bronze}"
    leaves = ", ".join(f"{text.text(leaf.column)}, {quote(leaf.column)}" for leaf in shape.source.leaves)
    rows = (
        f"SELECT {text.text(table)} AS table_name, _misfits AS reason, _row_hash AS row_hash,"
        f" min(to_json(named_struct({leaves}))) AS row FROM ({relation}) WHERE _misfits <> '' GROUP BY _misfits, _row_hash"
    )
    return text.into_quarantine(places, rows, now.run, text.moment(now.at))
