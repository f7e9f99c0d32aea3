"""A contract after compilation: every column resolved to a type, an expression over bronze and the leaves it reads."""

from __future__ import annotations

from dataclasses import dataclass

from brickyard.health.model.contract import Contract, Kind
from brickyard.health.model.source import Source

VERSION, BATCH = "_version", "_batch"
CREATED, UPDATED = "record_created_timestamp", "record_updated_timestamp"
AUDIT = (
    (VERSION, "string", "Orders the versions of a key: its sequence, then the hash of the whole source row"),
    (BATCH, "bigint", "The run that last wrote this row"),
    (CREATED, "timestamp", "When this row was first written"),
    (UPDATED, "timestamp", "When this row was last written"),
)
HISTORY = (
    ("valid_from", "timestamp", "When this version began (inclusive)"),
    ("valid_to", "timestamp", "When the next version began or the thing was deleted (exclusive); null: still valid"),
    ("valid_from_open", "timestamp", "As valid_from, but open (1900-01-01) for the first version, for as-of joins"),
    ("version_number", "int", "1 for the first version of the key"),
    ("is_current", "boolean", "Whether this is the newest version of a thing that was not deleted"),
)
_LATEST = {Kind.DIM_SCD1, Kind.FACT_APPEND, Kind.FACT_CORRECTIONS, Kind.FACT_SLICES, Kind.FACT_FINAL, Kind.SNAPSHOT}


@dataclass(frozen=True, slots=True)
class GoldColumn:
    """One column: `sql` is over bronze (empty for an enriched, history or audit column), `reads` are leaf columns.

    `whole`: of a narrowed expression, its SQL before it is narrowed.
    """

    name: str
    type: str
    sql: str
    comment: str
    reads: tuple[str, ...] = ()
    not_null: bool = False
    narrow: bool = False
    whole: str = ""
    origin: str = "source"  # source | enriched | history | audit


@dataclass(frozen=True, slots=True)
class GoldTable:
    """A compiled contract."""

    contract: Contract
    source: Source | None
    columns: tuple[GoldColumn, ...]
    hash: str

    @property
    def table(self) -> str:
        """Domain and name."""
        return self.contract.table

    @property
    def latest(self) -> bool:
        """Whether the newest version of each key wins, row by row."""
        return self.contract.kind in _LATEST

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell one row from another; a history's include the version's begin."""
        return (*self.contract.key, "valid_from") if self.contract.kind is Kind.DIM_SCD2 else self.contract.key

    def of_origin(self, *origins: str) -> tuple[GoldColumn, ...]:
        """Return the columns of these origins."""
        return tuple(column for column in self.columns if column.origin in origins)

    def column(self, name: str) -> GoldColumn | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)
