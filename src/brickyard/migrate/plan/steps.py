"""What a run does, in order: schemas it owns, clones of targets, pinned sources, notebooks, one submitted run.

Pure: everything is decided from the plan and what was observed, so that a preview, a first run and a takeover agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from brickyard.dbsql.model import Kind, Side
from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import ReferenceRow
from brickyard.migrate.model.runs import (
    CloneTable,
    CreateSchema,
    CreateView,
    CreateVolume,
    ImportNotebook,
    Observed,
    Pair,
    Step,
    World,
)
from brickyard.migrate.plan.preflight import needs_clone
from brickyard.notebooks.model import Format, Language
from brickyard.notebooks.parse import parse

PREFIX = "brickyard_rehearsal_"
MARK = "brickyard.run"
EXPIRES = "brickyard.expires"
FOLDER = "brickyard.folder"
ORIGINAL, REFACTORED = "original", "refactored"
VOLUME = "files"
ONTO = "clone:onto:"

Names = Mapping[TableName, TableName]  # folded name in a notebook → name in the rehearsal


def pairs(references: Iterable[ReferenceRow]) -> tuple[Pair, ...]:
    """Gather a notebook's references by object; a name that no rule maps stands for itself."""
    found: dict[tuple[TableName, TableName], Pair] = {}
    for row in references:
        if row.original is None or row.kind in (Kind.SCHEMA, Kind.CATALOG, Kind.PATH):
            continue
        original = TableName.parse(row.original)
        refactored = TableName.parse(row.refactored) if row.refactored else original
        key = (original.folded(), refactored.folded())
        found[key] = _joined(found.get(key), _pair(row, original, refactored))
    return tuple(found.values())


def _pair(row: ReferenceRow, original: TableName, refactored: TableName) -> Pair:
    writes = row.side is not Side.READ
    verbs = (row.verb,) if writes and row.verb else ()
    return Pair(original, refactored, row.kind, row.side is not Side.WRITE, writes, verbs)


def _joined(before: Pair | None, pair: Pair) -> Pair:
    if before is None:
        return pair
    kind = before.kind if pair.kind is Kind.RELATION else pair.kind
    return Pair(
        before.original,
        before.refactored,
        kind,
        before.reads or pair.reads,
        before.writes or pair.writes,
        (*before.verbs, *pair.verbs),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run keeps what it makes: one schema for each side (more where two objects share a last name)."""

    run: str
    attempt: int
    catalog: str
    folder: str
    expires: datetime

    @property
    def mark(self) -> str:
        """What our objects carry: the run and its attempt."""
        return f"{self.run}/{self.attempt}"

    def schema(self, side: str, spill: int = 0) -> str:
        """The name of a rehearsal schema."""
        attempt = f"_{self.attempt}" if self.attempt > 1 else ""
        return f"{PREFIX}{self.run}{attempt}_{side}" + (f"_{spill + 1}" if spill else "")

    @property
    def properties(self) -> tuple[tuple[str, str], ...]:
        """The properties of a rehearsal schema."""
        return ((MARK, self.mark), (EXPIRES, self.expires.isoformat()), (FOLDER, self.folder))


def folder(user: str, run: str, attempt: int) -> str:
    """The folder of the workspace in which an attempt keeps its notebooks."""
    return f"/Users/{user}/brickyard-rehearsals/{run}-{attempt}"


def expiry(at: datetime, keep_days: int) -> datetime:
    """When later runs drop what a run made at *at*."""
    return at + timedelta(days=keep_days)


def rehearsed(place: Place, side: str, objects: Iterable[TableName]) -> dict[TableName, TableName]:
    """Give each object a name in the side's schema, the last part kept so that column qualifiers still hold."""
    taken: set[TableName] = set()
    names: dict[TableName, TableName] = {}
    for folded in dict.fromkeys(name.folded() for name in objects):
        spill = 0
        while (new := TableName(place.catalog, place.schema(side, spill), folded.name)) in taken:
            spill += 1
        taken.add(new)
        names[folded] = new
    return names


def scratch(place: Place) -> TableName:
    """Where edits are proved: a catalog, and the start of the names of schemas that are dropped again."""
    return TableName(place.catalog, place.schema("proof"), "")


def scratch_schemas(place: Place) -> tuple[CreateSchema, ...]:
    """The two worlds of a proof, made beforehand so that they carry the run's mark."""
    names = (f"{scratch(place).schema}_{world}" for world in "ab")
    return tuple(CreateSchema(f"schema:proof:{name}", place.catalog, name, place.properties) for name in names)


@dataclass(frozen=True, slots=True)
class Layout:
    """One side of a rehearsal: the names its notebook uses, and what they are in the side's own schema."""

    side: str
    place: Place
    names: Names
    targets: tuple[TableName, ...]

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas that the side needs, the first one always."""
        used = {name.schema for name in self.names.values()}
        return tuple(sorted(used | {self.place.schema(self.side)}))

    def step_key(self, verb: str, name: TableName | str) -> str:
        """The journal's key of a step of this side."""
        return f"{verb}:{self.side}:{name}"


def layout(place: Place, side: str, found: Sequence[Pair], world: World) -> Layout:
    """Lay out one side: every table and view that its notebook names, and every table under its views."""
    own = [p for p in found if p.kind is not Kind.FUNCTION]
    named = [_name(p, side) for p in own]
    targets = tuple(_name(p, side) for p in own if p.writes)
    under = [base for name in named if name not in targets for base in views_under(name, world)]
    return Layout(side, place, rehearsed(place, side, [*named, *under]), targets)


def _name(pair: Pair, side: str) -> TableName:
    return pair.original if side == ORIGINAL else pair.refactored


def views_under(name: TableName, world: World, path: tuple[TableName, ...] = ()) -> Iterator[TableName]:
    """Everything a view reads, at any depth, what stands below before what stands above."""
    seen = world.get(name)
    if seen is None or not seen.is_view or name.folded() in path:
        return
    for base in seen.bases:
        yield from views_under(base, world, (*path, name.folded()))
        yield base


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def prepare(
    of: Layout, found: Sequence[Pair], world: World, views: Mapping[TableName, str], *, volume: bool
) -> tuple[Step, ...]:
    """The steps that make one side ready to run; *views* are the isolated texts of the views it reads."""
    return (
        *(CreateSchema(of.step_key("schema", s), of.place.catalog, s, of.place.properties) for s in of.schemas),
        *([_volume(of)] if volume else []),
        *_clones(of, found, world),
        *_sources(of, world, views),
    )


def _volume(of: Layout) -> CreateVolume:
    schema = of.place.schema(of.side)
    return CreateVolume(of.step_key("volume", schema), of.place.catalog, schema, VOLUME)


def _clones(of: Layout, found: Sequence[Pair], world: World) -> Iterator[CloneTable]:
    """Clone the legacy target for both sides, so that both start from the same rows."""
    for pair in found:
        seen = world.get(pair.original)
        if needs_clone(pair) and seen and seen.version is not None:
            target = of.names[_name(pair, of.side).folded()]
            yield CloneTable(of.step_key("clone", target.name), pair.original, seen.version, target, of.place.mark)


def _sources(of: Layout, world: World, views: Mapping[TableName, str]) -> Iterator[CreateView]:
    """Show every source at its pinned version, base tables before the views over them."""
    targets = {t.folded() for t in of.targets}
    ordered = [base for name in of.names for base in (*views_under(name, world), name)]
    for folded in dict.fromkeys(name.folded() for name in ordered):
        seen = world.get(folded)
        if folded not in targets and seen is not None:
            target = of.names[folded]
            key = of.step_key("view", f"{target.schema}.{target.name}")
            yield CreateView(key, target, views.get(folded) or pinned_query(seen))


def pinned_query(seen: Observed) -> str:
    """Select a table at its pinned version, or as it is where it cannot be pinned."""
    version = f" VERSION AS OF {seen.version}" if seen.version is not None and not seen.is_view else ""
    return f"SELECT * FROM {seen.name.sql}{version}"


def clone_onto(found: Sequence[Pair], world: World, mark: str) -> tuple[CloneTable, ...]:
    """The literal way: clone legacy targets onto the refactored names themselves."""
    return tuple(
        CloneTable(f"{ONTO}{pair.refactored}", pair.original, seen.version, pair.refactored, mark, _before(pair, world))
        for pair in found
        if needs_clone(pair) and (seen := world.get(pair.original)) and seen.version is not None
    )


def _before(pair: Pair, world: World) -> int | None:
    """The version to which a replaced target goes back when the run is taken back; none for a clone of our own."""
    seen = world.get(pair.refactored)
    return seen.version if seen and not seen.owner_run else None


# ── notebooks ────────────────────────────────────────────────────────────────────────────────────────────────────────

_SUFFIX = re.compile(r"\.(py|sql|ipynb|scala|r)$", re.IGNORECASE)


def notebook_path(place: Place, side: str, path: str) -> str:
    """Where a notebook of one side is imported, in the same relative layout."""
    return f"{place.folder}/{side}/{_SUFFIX.sub('', path.strip('/'))}"


def imports(place: Place, side: str, texts: Mapping[str, bytes]) -> tuple[ImportNotebook, ...]:
    """Import every notebook of one side."""
    return tuple(_import(place, side, path, content) for path, content in sorted(texts.items()))


def _import(place: Place, side: str, path: str, content: bytes) -> ImportNotebook:
    notebook = parse(path, content)
    jupyter = notebook.format is Format.JUPYTER
    language = "SQL" if notebook.language is Language.SQL else "PYTHON"
    target = notebook_path(place, side, path)
    return ImportNotebook(f"import:{side}:{path}", target, "JUPYTER" if jupyter else "SOURCE", language, content)


def clone_sql(step: CloneTable) -> str:
    """The statement of a clone."""
    return (
        f"CREATE OR REPLACE TABLE {step.target.sql} DEEP CLONE {step.source.sql} VERSION AS OF {step.version} "
        f"TBLPROPERTIES ('{MARK}' = '{step.mark}')"
    )


def view_sql(step: CreateView) -> str:
    """The statement of a source view."""
    return f"CREATE OR REPLACE VIEW {step.target.sql} AS {step.query}"
