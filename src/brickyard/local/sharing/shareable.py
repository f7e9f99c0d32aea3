"""What may be in a share: the object exists, is of the type that was said, may leave this metastore, under a fitting name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from brickyard.local.catalog.model import (
    CatalogError,
    CatalogType,
    DoesNotExist,
    Function,
    Invalid,
    Schema,
    Table,
    TableType,
    Volume,
)
from brickyard.local.catalog.store import HIVE, CatalogStore
from brickyard.local.sharing.model import ObjectType, PartitionValue, SharedObject

TABLE_LIKE = frozenset(
    {
        ObjectType.TABLE,
        ObjectType.VIEW,
        ObjectType.MATERIALIZED_VIEW,
        ObjectType.STREAMING_TABLE,
        ObjectType.FOREIGN_TABLE,
    }
)
_ONE_PART = re.compile(r"[A-Za-z0-9_]+")
_TWO_PARTS = re.compile(r"[A-Za-z0-9_]+\.[A-Za-z0-9_]+")
_NOTEBOOK = re.compile(r"[^/\x00-\x1f]{1,255}")
_WITH_HISTORY = (ObjectType.MATERIALIZED_VIEW, ObjectType.STREAMING_TABLE)
_UNSHAREABLE = (CatalogType.FOREIGN, CatalogType.INTERNAL)
_OPERATORS = ("EQUAL", "LIKE")
_MAX_CONTENT = 10 * 1024 * 1024
_MAX_VIEWS_DEEP = 50
Source = Table | Schema | Volume | Function
CheckRight = Callable[[Source], None]


@dataclass(frozen=True, slots=True)
class Shareable:
    """The catalog as the owner of a share sees it; `check_right` refuses what that owner may not read."""

    store: CatalogStore
    check_right: CheckRight

    def checked(self, wanted: SharedObject, start_version: int | None) -> SharedObject:
        """Return the object as a share keeps it, or raise CatalogError with the rule that it breaks."""
        _check_alias(wanted)
        if wanted.cdf_enabled and wanted.history:
            raise _invalid(f"'{wanted.name}': cdf_enabled and history_data_sharing_status exclude each other.")
        if wanted.object_type is ObjectType.NOTEBOOK_FILE:
            return _checked_notebook(wanted)
        key = _key(wanted)
        source = self._source(wanted, key)
        self.check_right(source)
        named = replace(wanted, name=".".join(source.key))
        if isinstance(source, Table):
            return self._checked_table(named, source, start_version)
        if wanted.object_type is not ObjectType.SCHEMA and (wanted.cdf_enabled or wanted.history):
            raise _invalid(f"A {wanted.object_type} has no history to share.")
        _check_only_tables(wanted)
        return named

    def check_source(self, one: SharedObject) -> None:
        """Raise CatalogError or what `check_right` raises when the object is gone or may no longer be read."""
        if one.object_type is not ObjectType.NOTEBOOK_FILE:
            self.check_right(self._source(one, _key(one)))

    def _source(self, wanted: SharedObject, key: tuple[str, ...]) -> Source:
        catalog = self.store.catalog(key[0])
        if catalog.name == HIVE:
            raise _invalid(f"'{wanted.name}' is in hive_metastore and cannot be shared.")
        foreign = catalog.catalog_type is CatalogType.FOREIGN
        if foreign and wanted.object_type not in TABLE_LIKE:
            raise _invalid(f"'{wanted.name}' is in the foreign catalog '{catalog.name}' and cannot be shared.")
        match wanted.object_type:
            case ObjectType.SCHEMA:
                return self.store.schema(key[0], key[1])
            case ObjectType.VOLUME:
                return self.store.volume(key[0], key[1], key[2])
            case ObjectType.FUNCTION:
                return self.store.function(key[0], key[1], key[2])
            case ObjectType.MODEL | ObjectType.FEATURE_SPEC:
                raise DoesNotExist("RESOURCE_DOES_NOT_EXIST", f"{wanted.object_type} '{wanted.name}' does not exist.")
        return self.store.table(key[0], key[1], key[2])

    def _checked_table(self, wanted: SharedObject, table: Table, start_version: int | None) -> SharedObject:
        found = type_of(table)
        if found is not wanted.object_type:
            raise _invalid(f"'{wanted.name}' is a {_words(found)} and not a {wanted.object_type}.")
        if found is ObjectType.VIEW:
            self._check_view(table)
        if found is not ObjectType.TABLE:
            _check_only_tables(wanted)
            if wanted.cdf_enabled or (wanted.history and found not in _WITH_HISTORY):
                raise _invalid(f"'{wanted.name}' is a {_words(found)}: it has no changes or history to share.")
            if found not in _WITH_HISTORY:
                return wanted
        if table.data_source_format != "DELTA":
            raise _invalid(f"'{wanted.name}' is a {table.data_source_format} table; only Delta tables can be shared.")
        _check_partitions(wanted, table)
        return replace(wanted, start_version=_start_version(wanted, table, start_version))

    def _check_view(self, view: Table) -> None:
        for key in self._bases(view, 0):
            if self.store.catalog(key[0]).catalog_type in _UNSHAREABLE:
                raise _invalid(f"The view '{view.full_name}' stands on the catalog '{key[0]}' and cannot be shared.")

    def _bases(self, view: Table, depth: int) -> list[tuple[str, ...]]:
        """The view itself and every table and view that it reads, through views too."""
        found = [view.key]
        for key in _read_by(view):
            try:
                read = self.store.table(key[0], key[1], key[2])
            except CatalogError:
                continue  # gone by now: the view fails where it is read, not here
            deeper = read.table_type is TableType.VIEW and depth < _MAX_VIEWS_DEEP
            found += self._bases(read, depth + 1) if deeper else [read.key]
        return found


def type_of(table: Table) -> ObjectType:
    """The type under which a table or view is shared."""
    if table.table_type is TableType.VIEW:
        return ObjectType.VIEW
    if table.read_only:
        return ObjectType.FOREIGN_TABLE
    return ObjectType.__members__.get(table.shown_type, ObjectType.TABLE)


def table_path(table: Table) -> Path:
    """Where a table's files lie."""
    location = table.storage_location or ""
    return Path(url2pathname(urlsplit(location).path)) if location.startswith("file:") else Path(location)


def _read_by(view: Table) -> list[tuple[str, str, str]]:
    from brickyard.dbsql.parse import parse

    references = [r for s in parse(view.view_definition or "", trees=False).statements for r in s.references]
    names = [r.literal for r in references if r.literal and not r.in_string]
    home = (view.view_catalog or view.catalog, view.view_schema or view.schema)
    full = [(*home[: 3 - len(name)], *name) for name in names if len(name) <= 3]
    return [(catalog, schema, table) for catalog, schema, table in full]


def _key(wanted: SharedObject) -> tuple[str, ...]:
    levels = 2 if wanted.object_type is ObjectType.SCHEMA else 3
    parts = tuple(wanted.name.split("."))
    if len(parts) != levels or not all(parts):
        raise _invalid(f"'{wanted.name}' is not the full name of a {wanted.object_type}: it needs {levels} parts.")
    return parts


def _check_alias(wanted: SharedObject) -> None:
    if wanted.object_type in TABLE_LIKE:
        _check_pattern(wanted, "shared_as", wanted.shared_as, _TWO_PARTS)
        refused, value = "string_shared_as", wanted.string_shared_as
    else:
        pattern = {ObjectType.SCHEMA: _ONE_PART, ObjectType.NOTEBOOK_FILE: _NOTEBOOK}.get(wanted.object_type)
        _check_pattern(wanted, "string_shared_as", wanted.string_shared_as, pattern or _TWO_PARTS)
        refused, value = "shared_as", wanted.shared_as
    if value is not None:
        raise _invalid(f"{refused} must be omitted for a {wanted.object_type}.")


def _check_pattern(wanted: SharedObject, field: str, value: str | None, pattern: re.Pattern[str]) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise _invalid(f"'{value}' is not a valid {field} for the {wanted.object_type} '{wanted.name}'.")


def _check_only_tables(wanted: SharedObject) -> None:
    if wanted.partitions:
        raise _invalid(f"partitions can be given for a TABLE, '{wanted.name}' is a {wanted.object_type}.")


def _check_partitions(wanted: SharedObject, table: Table) -> None:
    columns = {column.lower() for column in table.partition_columns}
    for condition in (value for partition in wanted.partitions for value in partition):
        if condition.name.lower() not in columns:
            raise _invalid(f"'{condition.name}' is not a partition column of '{table.full_name}'.")
        _check_condition(condition)


def _check_condition(condition: PartitionValue) -> None:
    if condition.op not in _OPERATORS:
        raise _invalid(f"op must be one of {', '.join(_OPERATORS)}, not '{condition.op}'.")
    if (condition.value is None) is (condition.recipient_property_key is None):
        raise _invalid(f"'{condition.name}' needs either value or recipient_property_key.")


def _checked_notebook(wanted: SharedObject) -> SharedObject:
    if not wanted.content:
        raise _invalid("The content must be set when adding a NOTEBOOK_FILE.")
    try:
        size = len(base64.b64decode(wanted.content, validate=True))
    except binascii.Error as error:
        raise _invalid("The content of a NOTEBOOK_FILE must be base64.") from error
    if size > _MAX_CONTENT:
        raise _invalid(f"The content of a NOTEBOOK_FILE must not be larger than {_MAX_CONTENT} bytes.")
    _check_only_tables(wanted)
    return wanted


def _start_version(wanted: SharedObject, table: Table, given: int | None) -> int:
    from brickyard.local.sql.delta.log import latest_version

    current = latest_version(table_path(table))
    if given is None:
        return current
    if not 0 <= given <= current:
        raise _invalid(f"start_version {given} of '{wanted.name}' must be from 0 to the current version {current}.")
    return given


def _words(kind: ObjectType) -> str:
    return kind.lower().replace("_", " ")


def _invalid(message: str) -> Invalid:
    return Invalid("INVALID_PARAMETER_VALUE", message)
