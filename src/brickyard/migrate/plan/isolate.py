"""Copies that touch nothing of anyone else's: every name in a text is set to the name that the rehearsal gave it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from brickyard.dbsql.model import Kind, Reference, Side
from brickyard.dbsql.parse import parse
from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import ReferenceRow
from brickyard.migrate.model.pack import PathRule, RulePack
from brickyard.migrate.plan.steps import PREFIX, VOLUME, Names, Place
from brickyard.notebooks.model import Span

Canonical = Callable[[TableName], TableName]  # the one name of a legacy object that is seen through several catalogs

# ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def view_bases(text: str, catalog: str, schema: str) -> tuple[TableName, ...]:
    """What a view reads directly; names that are not full are those of the view's own catalog and schema."""
    found = (_full(r, catalog, schema) for r in _references(text) if r.kind is not Kind.FUNCTION)
    return tuple(dict.fromkeys(name for name in found if name))


def view_query(text: str, catalog: str, schema: str, names: Names, canonical: Canonical) -> str:
    """The view's text with every table it reads under its rehearsal name, and functions under their full names."""
    edits = [(r.span, _view_name(r, catalog, schema, names, canonical)) for r in _references(text)]
    return replaced(text, [(span, new) for span, new in edits if new])


def _references(text: str) -> Iterator[Reference]:
    for statement in parse(text, trees=False).statements:
        yield from statement.references


def _view_name(reference: Reference, catalog: str, schema: str, names: Names, canonical: Canonical) -> str | None:
    full = _full(reference, catalog, schema)
    if full is None:
        return None
    if reference.kind is Kind.FUNCTION:
        return str(full) if len(reference.parts) > 1 else None
    return str(names.get(canonical(full).folded(), full))


def _full(reference: Reference, catalog: str, schema: str) -> TableName | None:
    parts = reference.literal
    if not parts or len(parts) > 3:
        return None
    return TableName(*(catalog, schema)[: 3 - len(parts)], *parts)


def replaced(text: str, edits: Iterable[tuple[Span, str]]) -> str:
    """Replace spans of a text, which must not overlap."""
    parts: list[str] = []
    at = 0
    for span, new in sorted(edits, key=lambda e: e[0].start):
        parts += text[at : span.start], new
        at = span.end
    return "".join(parts) + text[at:]


# ── notebooks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def isolation_pack(base: RulePack, names: Names, files: Mapping[str, str]) -> RulePack:
    """A rule pack that renames exactly these objects and files and does nothing else.

    A rehearsal is a migration itself, so the planner that refactors a notebook isolates it as well: it knows every
    way in which a name can be written. *base* says which catalogs are the legacy one.
    """
    return RulePack.model_validate(
        {
            "format": 1,
            "name": "rehearsal",
            "original_catalog": base.original_catalog,
            "legacy_catalogs": base.legacy_catalogs,
            "mappings": tuple(_rule(i, old, new) for i, (old, new) in enumerate(names.items())),
            "paths": tuple({"prefix": old, "to": new} for old, new in files.items()),
            "rewrites": {"references": {}, "file-volumes": {}} if files else {"references": {}},
        }
    )


def redirected(base: RulePack, files: Mapping[str, str]) -> RulePack:
    """The same pack, with the files that the notebook writes sent to the rehearsal's volume."""
    rules = tuple(PathRule(prefix=old, to=new) for old, new in files.items())
    return base.model_copy(update={"paths": (*rules, *base.paths)})


def written_files(references: Iterable[ReferenceRow], place: Place, side: str) -> dict[str, str]:
    """Where each file or folder that the notebook writes goes in the rehearsal."""
    root = f"/Volumes/{place.catalog}/{place.schema(side)}/{VOLUME}"
    paths = (row.original for row in references if row.kind is Kind.PATH and row.side is not Side.READ)
    return {path: f"{root}/{_below(path)}" for path in dict.fromkeys(paths) if path}


def _below(path: str) -> str:
    """A path without its scheme, for use below a folder."""
    plain = re.sub(r"^(?:[a-z0-9]+:/*|/dbfs/|/Volumes/)", "", path).strip("/")
    return "/".join(part for part in plain.split("/") if part not in ("", ".", ".."))


def _rule(index: int, old: TableName, new: TableName) -> dict[str, object]:
    return {
        "id": f"rehearsal-{index}",
        "catalog": old.catalog,
        "schema": (old.schema,),
        "tables": (old.name,),
        "to": f"{new.catalog}.{new.schema}.{new.name}",
    }


def leaks(references: Iterable[ReferenceRow], names: Names, place: Place) -> tuple[str, ...]:
    """What an isolated copy still names that is not the rehearsal's own; a name that cannot be known leaks when written."""
    allowed = {new.folded() for new in names.values()}
    root = f"/Volumes/{place.catalog}/{PREFIX}{place.run}"
    return tuple(dict.fromkeys(row.text for row in references if _leaks(row, allowed, root)))


def _leaks(row: ReferenceRow, allowed: set[TableName], root: str) -> bool:
    if row.kind in (Kind.FUNCTION, Kind.SCHEMA, Kind.CATALOG):
        return False
    if row.original is None or row.kind is Kind.PATH:
        return row.side is not Side.READ and not (row.original or "").startswith(root)
    return TableName.parse(row.original).folded() not in allowed
