"""The contract of a gold table: one YAML file under `assets/gold/<domain>/`, parsed strictly."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
TableId = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z][a-z0-9_]*$")]


class Kind(StrEnum):
    """What a gold table is, which says how a batch of bronze rows becomes rows of it.

    The newest version of each key wins in facts and in `dim_scd1` and `snapshot`; `dim_scd2` keeps every version of a
    key; `derived` and `rollup` recompute the groups that a batch touches; `static` depends on no source.
    """

    DIM_SCD1 = "dim_scd1"
    DIM_SCD2 = "dim_scd2"
    FACT_APPEND = "fact_append"
    FACT_CORRECTIONS = "fact_corrections"
    FACT_SLICES = "fact_slices"
    FACT_FINAL = "fact_final"
    SNAPSHOT = "snapshot"
    ROLLUP = "rollup"
    DERIVED = "derived"
    STATIC = "static"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One gold column: `from` a bronze leaf, or an expression over leaves (`struct.field` is the leaf `struct__field`).

    `narrow: quarantine` allows a decimal narrower than its source or its expression: a value that does not fit is
    quarantined.
    """

    name: Name
    type: str | None = None
    source: Annotated[str | None, Field(alias="from")] = None
    expr: str | None = None
    comment: str | None = None
    not_null: bool = False
    narrow: Literal["quarantine"] | None = None
    enum: tuple[str, ...] = ()


class Copy(_Strict):
    """Columns taken as they are: gold name, type and comment are the leaf's."""

    columns: Annotated[tuple[str, ...], Field(alias="copy", min_length=1)]


class Flatten(_Strict):
    """Every leaf of one struct as a column named prefix + path joined by underscores."""

    struct: Annotated[str, Field(alias="flatten")]
    prefix: str | None = None
    only: tuple[str, ...] = ()
    rename: Mapping[str, str] = Field(default_factory=dict)


def _sort_of(entry: object) -> str | None:
    """Tell what an entry of `columns` is by the key that only this sort of entry has."""
    if isinstance(entry, Copy | Flatten | Column):
        return type(entry).__name__
    sorts = {"copy": "Copy", "flatten": "Flatten", "name": "Column"}
    return next((sort for key, sort in sorts.items() if isinstance(entry, Mapping) and key in entry), None)


Entry = Annotated[
    Annotated[Copy, Tag("Copy")] | Annotated[Flatten, Tag("Flatten")] | Annotated[Column, Tag("Column")],
    Discriminator(
        _sort_of,
        custom_error_type="column_sort",
        custom_error_message="an entry of columns has the key copy, flatten or name",
    ),
]


class Join(_Strict):
    """An as-of look-up in another gold table; `on` maps its columns to ours, `where` fixes further ones to a value."""

    to: TableId
    alias: Name
    on: Mapping[Name, str]
    where: Mapping[Name, str] = Field(default_factory=dict)
    as_of: str
    valid: tuple[Name, Name]
    optional: bool = False


class Enriched(_Strict):
    """A column computed from our own columns and the joined ones, written `alias.column`."""

    name: Name
    type: str
    expr: str
    comment: str


class Enrich(_Strict):
    """What is looked up in other gold tables, again whenever those change."""

    joins: tuple[Join, ...]
    columns: tuple[Enriched, ...]


class Reference(_Strict):
    """A foreign key, informational; `orphan` says whether rows without a partner are expected."""

    columns: tuple[Name, ...]
    to: TableId
    target: tuple[Name, ...] = ()
    orphan: Literal["allow", "warn"] = "allow"
    when: str | None = None


class Expectation(_Strict):
    """A rule for single rows, over gold columns; a row that breaks it is quarantined."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$")]
    when: str | None = None
    check: str


class Reconcile(_Strict):
    """What must agree between bronze and gold, by day of the prune column: row count always, these sums as well."""

    sums: tuple[Name, ...] = ()


class View(_Strict):
    """A view beside the table; `{this}` and `{domain.table}` in its SQL are names of gold tables."""

    name: Name
    comment: str
    sql: str


class Contract(_Strict):
    """All that is known of a gold table.

    `rows` is SQL over `{source}` (bronze rows, one column a leaf, plus `_row_hash`, `_batch`, `_copied_at` and, for a
    dated source, `_snapshot_at`), and over `{domain.table}`: its result stands in for the source's rows. `group` names
    the columns of bronze by which a derived table or rollup is recomputed; none means all of it. `by` names columns of
    gold that hold the same values.
    """

    table: TableId
    kind: Kind
    description: Annotated[str, StringConstraints(min_length=20)]
    grain: str
    owner: str = "platform"
    source: str | None = None
    key: tuple[Name, ...]
    sequence: tuple[str, ...] = ()
    valid_from: str | None = None
    delete_time: str | None = None
    prune: Name | None = None
    group: tuple[str, ...] = ()
    by: tuple[Name, ...] = ()
    rows: str | None = None
    columns: tuple[Entry, ...] = ()
    ignore: Mapping[str, str] = Field(default_factory=dict)
    enrich: Enrich | None = None
    references: tuple[Reference, ...] = ()
    expect: tuple[Expectation, ...] = ()
    reconcile: Reconcile = Reconcile()
    views: tuple[View, ...] = ()
    pii: tuple[Name, ...] = ()
    optional: bool = False
    auxiliary: bool = False
    retention: str = "3y"
    new_fields: Literal["add", "fail"] = "add"

    @property
    def domain(self) -> str:
        """The schema of the table in the gold catalog."""
        return self.table.partition(".")[0]

    @property
    def name(self) -> str:
        """The table's name without its domain."""
        return self.table.partition(".")[2]


_PARTS = (Contract, Column, Copy, Flatten, Enrich, Enriched, Join, Reference, Expectation, Reconcile, View)
KEYS = tuple(dict.fromkeys(field.alias or name for part in _PARTS for name, field in part.model_fields.items()))


def of(data: Mapping[str, Any]) -> Contract:
    """Return the contract that plain data describes, or raise pydantic's ValidationError."""
    return Contract.model_validate(data)
