"""Copies that touch nothing of anyone else's: every name in a text is set to the name that the rehearsal gave it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from brickyard.dbsql.model import Kind, Reference
from brickyard.dbsql.parse import parse
from brickyard.kernel.names import TableName
from brickyard.migrate.plan.steps import Names
from brickyard.notebooks.model import Span

# ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def view_bases(text: str, catalog: str, schema: str) -> tuple[TableName, ...]:
    """What a view reads directly; names that are not full are those of the view's own catalog and schema."""
    found = (_full(r, catalog, schema) for r in _references(text) if r.kind is not Kind.FUNCTION)
    return tuple(dict.fromkeys(name for name in found if name))


def view_query(text: str, catalog: str, schema: str, names: Names) -> str:
    """The view's text with every table it reads under its rehearsal name, and functions under their full names."""
    edits = [(r.span, _view_name(r, catalog, schema, names)) for r in _references(text)]
    return replaced(text, [(span, new) for span, new in edits if new])


def _references(text: str) -> Iterator[Reference]:
    for statement in parse(text, trees=False).statements:
        yield from statement.references


def _view_name(reference: Reference, catalog: str, schema: str, names: Names) -> str | None:
    full = _full(reference, catalog, schema)
    if full is None:
        return None
    if reference.kind is Kind.FUNCTION:
        return str(full) if len(reference.parts) > 1 else None
    return str(names.get(full.folded(), full))


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
