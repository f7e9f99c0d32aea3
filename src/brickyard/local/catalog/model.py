"""The nouns of the catalog: securables, columns, grants, and the errors with Unity Catalog's codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """The securable types that the catalog stores; the value is Unity Catalog's spelling."""

    METASTORE = "METASTORE"
    CATALOG = "CATALOG"
    SCHEMA = "SCHEMA"
    TABLE = "TABLE"
    FUNCTION = "FUNCTION"
    VOLUME = "VOLUME"


class CatalogType(StrEnum):
    """Where a catalog's objects come from."""

    MANAGED = "MANAGED_CATALOG"
    FOREIGN = "FOREIGN_CATALOG"
    SYSTEM = "SYSTEM_CATALOG"
    INTERNAL = "INTERNAL_CATALOG"  # hive_metastore


PIPELINE_KIND, PIPELINE_ID = "pipelines.kind", "pipelines.pipelineId"


class TableType(StrEnum):
    """What a row of the table list is."""

    MANAGED = "MANAGED"
    EXTERNAL = "EXTERNAL"
    VIEW = "VIEW"


class VolumeType(StrEnum):
    """Who owns a volume's folder."""

    MANAGED = "MANAGED"
    EXTERNAL = "EXTERNAL"


class CatalogError(Exception):
    """A refusal of the catalog; `code` is Unity Catalog's error code and `status` the HTTP status it goes with."""

    status: ClassVar[int] = 400

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DoesNotExist(CatalogError):
    """CATALOG_DOES_NOT_EXIST, SCHEMA_DOES_NOT_EXIST, TABLE_DOES_NOT_EXIST, …"""

    status = 404


class AlreadyExists(CatalogError):
    """CATALOG_ALREADY_EXISTS, SCHEMA_ALREADY_EXISTS, TABLE_ALREADY_EXISTS, …"""

    status = 409


class NotEmpty(CatalogError):
    """CATALOG_NOT_EMPTY, SCHEMA_NOT_EMPTY."""


class Invalid(CatalogError):
    """INVALID_PARAMETER_VALUE and its like."""


class PermissionDenied(CatalogError):
    """PERMISSION_DENIED."""

    status = 403


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type_text` is SQL (`decimal(10,2)`), `type_name` Unity Catalog's word (`DECIMAL`), `type_json` Delta's."""

    name: str
    type_text: str
    type_name: str
    type_json: str
    position: int
    nullable: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What every securable carries: identity, owner and who touched it when (UTC)."""

    id: str = ""
    owner: str = ""
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog(Stamp):
    """A catalog; `options["mirror"]` of a foreign one names the catalog whose objects it shows, read only."""

    name: str
    catalog_type: CatalogType = CatalogType.MANAGED
    options: dict[str, str] = field(default_factory=dict)

    @property
    def mirror(self) -> str | None:
        """The catalog whose objects are shown here."""
        return self.options.get("mirror") if self.catalog_type is CatalogType.FOREIGN else None

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of the name."""
        return (self.name,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema(Stamp):
    """A schema."""

    catalog: str
    name: str

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of the name."""
        return (self.catalog, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Stamp):
    """A table or view; `read_only` when it is seen through a foreign catalog.

    A view keeps its text and the namespace in which the text's names are looked up.
    """

    catalog: str
    schema: str
    name: str
    table_type: TableType = TableType.MANAGED
    columns: tuple[Column, ...] = ()
    partition_columns: tuple[str, ...] = ()
    storage_location: str | None = None
    data_source_format: str = "DELTA"
    view_definition: str | None = None
    view_catalog: str | None = None
    view_schema: str | None = None
    view_columns: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of the name."""
        return (self.catalog, self.schema, self.name)

    @property
    def full_name(self) -> str:
        """`catalog.schema.name`, unquoted as Unity Catalog writes it."""
        return ".".join(self.key)

    @property
    def shown_type(self) -> str:
        """The table type, for what a pipeline made STREAMING_TABLE or MATERIALIZED_VIEW."""
        return self.properties.get(PIPELINE_KIND, self.table_type.value)


@dataclass(frozen=True, slots=True)
class FunctionParameter:
    """One parameter of a SQL function; `default` is SQL text."""

    name: str
    type_text: str
    default: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function(Stamp):
    """A SQL function; its names are looked up in the namespace where it was made."""

    catalog: str
    schema: str
    name: str
    parameters: tuple[FunctionParameter, ...] = ()
    return_type: str | None = None
    body: str = ""
    is_table: bool = False
    deterministic: bool = True
    body_catalog: str = ""
    body_schema: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of the name."""
        return (self.catalog, self.schema, self.name)

    @property
    def full_name(self) -> str:
        """`catalog.schema.name`."""
        return ".".join(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Stamp):
    """A volume and its folder on disk."""

    catalog: str
    schema: str
    name: str
    volume_type: VolumeType = VolumeType.MANAGED
    storage_location: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of the name."""
        return (self.catalog, self.schema, self.name)

    @property
    def full_name(self) -> str:
        """`catalog.schema.name`."""
        return ".".join(self.key)


Securable = Catalog | Schema | Table | Function | Volume


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One privilege of one principal on one securable, e.g. `SELECT`."""

    kind: Kind
    full_name: str
    principal: str
    privilege: str


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """One tag of a securable or of one of its columns."""

    name: str
    value: str
    column: str | None = None
