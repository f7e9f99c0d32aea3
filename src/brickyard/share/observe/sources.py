"""Reads what a pack names in the catalog: what kind of thing it is, whether it can be shared, the columns that matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from brickyard.kernel.errors import SpecInvalid, WorkspaceRefused
from brickyard.kernel.names import split_name
from brickyard.share.model.current import ObjectKind, Source
from brickyard.share.observe.asking import found, together
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.catalog import CatalogInfo, TableInfo

T = TypeVar("T")

_FEW = 3  # names of one schema that are read one by one; more are read by a listing
_HIVE, _SYSTEM, _INFORMATION = "hive_metastore", "system", "information_schema"
_FEED = "delta.enableChangeDataFeed"
_GONE = ("CATALOG_DOES_NOT_EXIST", "SCHEMA_DOES_NOT_EXIST")
_KINDS = {
    "VIEW": ObjectKind.VIEW,
    "METRIC_VIEW": ObjectKind.VIEW,
    "MATERIALIZED_VIEW": ObjectKind.MATERIALIZED_VIEW,
    "STREAMING_TABLE": ObjectKind.STREAMING_TABLE,
    "FOREIGN": ObjectKind.FOREIGN_TABLE,
}
_FORMATS = ("DELTA", "ICEBERG", None)
_UNFIT_CATALOGS = {
    "DELTASHARING_CATALOG": "it was shared with us by somebody else",
    "SYSTEM_CATALOG": "it is in a system catalog",
    "INTERNAL_CATALOG": "it is in an internal catalog",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A name, the type that the pack gives it, and whether its columns must be known."""

    name: str
    type: str | None = None
    columns: bool = False


def sources(client: WorkspaceClient, asked: Iterable[Asked], catalogs: Mapping[str, str]) -> dict[str, Source]:
    """Return those of the named things that exist, by folded name; *catalogs* are the types of the catalogs.

    Of more than three tables in a schema the schema is listed, without columns. What we may see but not read says so in
    `why_not`; a listing that fails is an error.
    """
    merged = _merged(asked)
    by_schema: defaultdict[tuple[str, str], list[Asked]] = defaultdict(list)
    others: list[Asked] = []
    for one in merged.values():
        parts = _parts(one.name)
        (by_schema[parts[0].lower(), parts[1].lower()] if len(parts) == 3 else others).append(one)
    look = _Look(client, catalogs)
    seen = [*together(look.schema, sorted(by_schema.items())), *([one] for one in together(look.other, others))]
    return {one.name.lower(): one for ones in seen for one in ones if one is not None}


def _merged(asked: Iterable[Asked]) -> dict[str, Asked]:
    """Join what is asked of one name."""
    merged: dict[str, Asked] = {}
    for one in asked:
        other = merged.get(one.name.lower(), one)
        merged[one.name.lower()] = Asked(other.name, other.type or one.type, other.columns or one.columns)
    return merged


def _parts(name: str) -> tuple[str, ...]:
    try:
        return split_name(name)
    except SpecInvalid:
        return (name,)


@dataclass(frozen=True, slots=True)
class _Look:
    """How to look at one thing."""

    client: WorkspaceClient
    catalogs: Mapping[str, str]

    def schema(self, group: tuple[tuple[str, str], Sequence[Asked]]) -> list[Source | None]:
        """Look at names of one schema: by a listing when they are many, and one by one what it does not tell."""
        (catalog, schema), asked = group
        listed = self._listed(catalog, schema) if len(asked) > _FEW else {}
        return [self._one(one, listed.get(one.name.lower())) for one in asked]

    def other(self, one: Asked) -> Source | None:
        """Look at a name that has not three parts: a schema or a notebook."""
        if one.name.startswith("/"):
            return self._notebook(one.name)
        return self._schema(one.name) if len(_parts(one.name)) == 2 else None

    def _listed(self, catalog: str, schema: str) -> dict[str, TableInfo]:
        """List the tables of a schema; none where there is no such schema."""

        def ask() -> list[TableInfo]:
            return list(self.client.tables.list(catalog, schema, omit_columns=True))

        tables = found(f"list the tables of {catalog}.{schema}", ask, absent=_GONE)
        return {(info.full_name or "").lower(): info for info in tables or ()}

    def _one(self, one: Asked, listed: TableInfo | None) -> Source | None:
        if listed is not None and not one.columns:
            return self._table(listed)
        looks = {
            "VOLUME": self._volume,
            "MODEL": self._model,
            "FUNCTION": self._function,
        }
        said = (one.type or "").upper()
        order = [self._named_table, *looks.values()] if said not in looks else [looks[said], self._named_table]
        return next((source for look in order if (source := look(one.name)) is not None), None)

    # ── tables ──

    def _named_table(self, name: str) -> Source | None:
        ask = partial(self.client.tables.get, ".".join(_parts(name)))
        try:
            info = found(f"read {name}", ask, absent=("TABLE_DOES_NOT_EXIST", *_GONE))
        except WorkspaceRefused as error:
            if error.status != 403:
                raise
            return Source(name=name, kind=ObjectKind.TABLE, why_not=error.message)
        return None if info is None else self._table(info)

    def _table(self, info: TableInfo) -> Source:
        kind = _KINDS.get(info.table_type.value if info.table_type else "", ObjectKind.TABLE)
        columns = info.columns or ()
        partitions = sorted((c for c in columns if c.partition_index is not None), key=lambda c: c.partition_index or 0)
        return Source(
            name=info.full_name or "",
            kind=kind,
            columns=tuple(c.name for c in columns if c.name),
            partition_columns=tuple(c.name for c in partitions if c.name),
            change_feed=(info.properties or {}).get(_FEED, "").lower() == "true",
            why_not=self._why_not(info, kind),
        )

    def _why_not(self, info: TableInfo, kind: ObjectKind) -> str | None:
        unfit = self._unfit(info.catalog_name or "", info.schema_name or "")
        if unfit:
            return unfit
        if info.browse_only:
            return "we may see it but not read it"
        if kind is ObjectKind.VIEW:
            return self._unfit_base(info)
        form = info.data_source_format.value if info.data_source_format else None
        if kind is ObjectKind.TABLE and form not in _FORMATS:
            return f"it is a {form} table, and only Delta and Iceberg tables can be shared"
        if info.row_filter or any(column.mask for column in info.columns or ()):
            return "it has a row filter or a column mask"
        return None

    def _unfit(self, catalog: str, schema: str) -> str | None:
        """Why nothing of a schema can be shared."""
        if catalog.lower() == _HIVE:
            return "it is in hive_metastore"
        if catalog.lower() == _SYSTEM or schema.lower() == _INFORMATION:
            return "it is in a system schema"
        return _UNFIT_CATALOGS.get(self.catalogs.get(catalog.lower(), ""))

    def _unfit_base(self, view: TableInfo) -> str | None:
        """Why a view cannot be shared: it stands on something foreign."""
        for catalog, table in _bases(view):
            said = self.catalogs.get(catalog.lower(), "")
            if catalog.lower() == _HIVE or said in ("FOREIGN_CATALOG", *_UNFIT_CATALOGS):
                return f"it is a view that stands on {table}, in a catalog that cannot be shared from"
        return None

    # ── what is not a table ──

    def _schema(self, name: str) -> Source | None:
        catalog, schema = _parts(name)
        ask = partial(self.client.schemas.get, f"{catalog}.{schema}")
        info = self._readable(name, ask, _GONE)
        if info is None or isinstance(info, Source):
            return info
        return Source(name=name, kind=ObjectKind.SCHEMA, why_not=self._foreign_or(catalog, schema))

    def _volume(self, name: str) -> Source | None:
        ask = partial(self.client.volumes.read, name)
        return self._plain(name, ObjectKind.VOLUME, ask, ("VOLUME_DOES_NOT_EXIST", *_GONE))

    def _model(self, name: str) -> Source | None:
        ask = partial(self.client.registered_models.get, name)
        return self._plain(name, ObjectKind.MODEL, ask, ("REGISTERED_MODEL_DOES_NOT_EXIST", *_GONE))

    def _function(self, name: str) -> Source | None:
        ask = partial(self.client.functions.get, name)
        return self._plain(
            name, ObjectKind.FUNCTION, ask, ("FUNCTION_DOES_NOT_EXIST", "ROUTINE_DOES_NOT_EXIST", *_GONE)
        )

    def _notebook(self, path: str) -> Source | None:
        info = found(f"read {path}", partial(self.client.workspace.get_status, path))
        if info is None or info.object_type is None or info.object_type.value != "NOTEBOOK":
            return None
        return Source(name=path, kind=ObjectKind.NOTEBOOK_FILE)

    def _plain(self, name: str, kind: ObjectKind, ask: Callable[[], object], absent: tuple[str, ...]) -> Source | None:
        info = self._readable(name, ask, absent, kind)
        if info is None or isinstance(info, Source):
            return info
        catalog, schema, _ = _parts(name)
        return Source(name=name, kind=kind, why_not=self._foreign_or(catalog, schema))

    def _foreign_or(self, catalog: str, schema: str) -> str | None:
        if self.catalogs.get(catalog.lower()) == "FOREIGN_CATALOG":
            return "it is in a foreign catalog, from which only tables can be shared"
        return self._unfit(catalog, schema)

    @staticmethod
    def _readable(
        name: str, ask: Callable[[], T], absent: tuple[str, ...], kind: ObjectKind = ObjectKind.SCHEMA
    ) -> T | Source | None:
        """Ask, and turn a 403 on the thing itself into why it cannot be shared."""
        try:
            return found(f"read {name}", ask, absent=absent)
        except WorkspaceRefused as error:
            if error.status != 403:
                raise
            return Source(name=name, kind=kind, why_not=error.message)


def _bases(view: TableInfo) -> Iterator[tuple[str, str]]:
    """Yield the catalog and full name of what a view reads: as Databricks says, else as its text says."""
    known = view.view_dependencies.dependencies if view.view_dependencies else None
    if known is not None:
        names = [d.table.table_full_name for d in known if d.table]
        yield from ((name.partition(".")[0], name) for name in names)
        return
    for name in _named_in(view.view_definition or ""):
        if len(name) == 3:
            yield name[0], ".".join(name)


def _named_in(text: str) -> list[tuple[str, ...]]:
    from brickyard.dbsql.parse import parse

    found_ = [r for s in parse(text, trees=False).statements for r in s.references]
    return [tuple(r.literal) for r in found_ if r.literal and not r.in_string]


def catalogs(client: WorkspaceClient) -> dict[str, str]:
    """Return the types of the catalogs that we may see, by folded name."""
    with translated("list the catalogs"):
        return {info.name.lower(): _type(info) for info in client.catalogs.list() if info.name}


def _type(info: CatalogInfo) -> str:
    return info.catalog_type.value if info.catalog_type else ""


def schemas(client: WorkspaceClient, wanted: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return those of some schemas that exist, as folded `catalog.schema`."""

    def there(key: tuple[str, str]) -> str | None:
        name = f"{key[0]}.{key[1]}"
        return name if found(f"read the schema {name}", lambda: client.schemas.get(name), absent=_GONE) else None

    unique = sorted({(catalog.lower(), schema.lower()) for catalog, schema in wanted})
    return frozenset(name for name in together(there, unique) if name)
