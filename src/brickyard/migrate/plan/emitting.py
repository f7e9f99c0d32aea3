"""How a new name is written in an SQL cell: out in full, or by IDENTIFIER and the notebook's own widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from brickyard.dbsql.model import Kind, Side
from brickyard.kernel.names import TableName
from brickyard.migrate.model.pack import RulePack, Widget, version
from brickyard.migrate.plan.sites import Site
from brickyard.notebooks.model import Language, Notebook

_MARKERS_SINCE = "15.2"  # widgets as `:name`
_SIDE_BY_SIDE_SINCE = "18.0"  # literals next to each other are one
_PLACES = frozenset(
    [
        "SELECT",
        "INSERT",
        "INSERT OVERWRITE",
        "MERGE",
        "UPDATE",
        "DELETE",
        "CREATE TABLE",
        "DROP TABLE",
        "ALTER TABLE",
        "COPY",
        "DESCRIBE TABLE",
        "DESCRIBE HISTORY",
        "DESCRIBE DETAIL",
    ]
)
"""The statements in which IDENTIFIER may name a table; bodies of views and functions take no markers."""


@dataclass(frozen=True, slots=True)
class Emitter:
    """The style of names for a runtime, and the widgets that the notebook has, with their values."""

    style: str = "literal"
    widgets: tuple[Widget, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    sql_cells: frozenset[int] = frozenset()

    @classmethod
    def of(cls, pack: RulePack, runtime: str, values: Mapping[str, str], notebook: Notebook) -> Emitter:
        """The emitter for a notebook that has widgets of these values."""
        style = pack.style(runtime)
        needed = _SIDE_BY_SIDE_SINCE if style == "coalesced" else _MARKERS_SINCE
        cells = frozenset(cell.index for cell in notebook.cells if cell.language is Language.SQL)
        return cls(style if version(runtime) >= version(needed) else "literal", pack.widgets, values, cells)

    def emit(self, site: Site) -> str | None:
        """The name as an IDENTIFIER clause, or None where it is to be written out."""
        use, name = site.rows[0].use, site.rows[0].refactored
        if self.style == "literal" or len(site.rows) != 1 or not isinstance(name, TableName):
            return None
        if site.place.cell not in self.sql_cells or use.verb not in _PLACES or use.kind is Kind.FUNCTION:
            return None
        catalog = self._widget(name.catalog, "catalog")
        schema = self._widget(name.schema, *_schema_roles(use.side))
        if catalog is None or schema is None or not name.name.isidentifier():
            return None
        glue = " " if self.style == "coalesced" else " || "
        return f"IDENTIFIER({glue.join([f':{catalog}', repr('.'), f':{schema}', repr('.' + name.name)])})"

    def _widget(self, value: str, *roles: str) -> str | None:
        """The notebook's widget of a role that has the value."""
        fitting = [
            w.name for role in roles for w in self.widgets if w.role == role and self.values.get(w.name) == value
        ]
        return fitting[0] if fitting else None


def _schema_roles(side: Side) -> tuple[str, str]:
    both = ("source-schema", "target-schema")
    return both if side is Side.READ else (both[1], both[0])
