"""Pieces of SQL: names, canonical text of values, row hashes, versions and exact money."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from brickyard.health.model import types
from brickyard.health.model.source import Leaf
from brickyard.kernel.names import TableName, quote

UNIT = "chr(31)"  # between the canonical texts of a row's values
ABSENT = "chr(30)"  # the canonical text of NULL: one that no value has
BEFORE = "' '"  # what NULL is in a text that sorts: before every digit and letter, also with a separator behind it
_MONEY = re.compile(r"\bmoney\(\s*([\w.]+)\s*,\s*([\w.]+)\s*\)")
_MICROS_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand: the catalog of bronze, gold and ops, and the catalog of the sources."""

    catalog: str
    source_catalog: str

    def gold(self, table: str) -> str:
        """Name a gold table `domain.name`."""
        return TableName(self.catalog, *table.split(".", 1)).sql

    def bronze(self, table: str) -> str:
        """Name a bronze table."""
        return TableName(self.catalog, "bronze", table).sql

    def ops(self, table: str) -> str:
        """Name a table of the product's own records."""
        return TableName(self.catalog, "ops", table).sql

    def source(self, name: str) -> str:
        """Name a source `schema.table`."""
        return TableName(self.source_catalog, *name.split(".", 1)).sql


def text(value: str) -> str:
    """Write a string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def moment(at: datetime) -> str:
    """Write a time (UTC) as a timestamp literal, to the microsecond."""
    return f"timestamp'{at:%Y-%m-%d %H:%M:%S.%f}Z'"


def names(columns: Iterable[str], of: str = "") -> str:
    """List columns, quoted, of a relation when it is given."""
    head = f"{of}." if of else ""
    return ", ".join(head + quote(column) for column in columns)


def same(columns: Iterable[str], left: str, right: str) -> str:
    """Compare columns of two relations null-safely."""
    return " AND ".join(f"{left}.{quote(c)} <=> {right}.{quote(c)}" for c in columns)


def canonical(sql: str, type_text: str) -> str:
    """Write a value as text that is equal exactly when the values are; maps without regard to their order."""
    kind = type_text.lower()
    if kind == "string":
        return sql
    if kind == "timestamp":
        return f"cast(unix_micros({sql}) as string)"
    if kind.startswith("map<"):
        return f"to_json({_sorted_map(sql, kind)})"
    if kind.startswith(("array<", "struct<")):
        return f"to_json({sql})"
    return f"cast({sql} as string)"


def _sorted_map(sql: str, kind: str) -> str:
    """Sort a map by key. Spark orders no maps, so that entries that hold one cannot be sorted: their keys are."""
    _, _, inner = kind.removeprefix("map<").removesuffix(">").partition(",")
    if not inner.strip().startswith("map<"):
        return f"map_from_entries(array_sort(map_entries({sql})))"
    key = f"k{sql.count('[')}"
    value = _sorted_map(f"{sql}[{key}]", inner.strip())
    return f"map_from_entries(transform(array_sort(map_keys({sql})), {key} -> struct({key}, {value})))"


def fingerprint(columns: Iterable[tuple[str, str]], extras: Iterable[tuple[str, str]] = ()) -> str:
    """Hash values (SQL, type) to 32 hexadecimal digits: md5 of their canonical texts, NULL marked.

    *extras* are columns that came later: they count only where they hold something, so that older rows keep their hash.
    """
    return f"md5({texts(columns, extras)})"


def texts(columns: Iterable[tuple[str, str]], extras: Iterable[tuple[str, str]] = ()) -> str:
    """Join the canonical texts of values (SQL, type), NULL marked."""
    parts = [f"coalesce({canonical(sql, kind)}, {ABSENT})" for sql, kind in columns]
    parts += [f"{text(sql.strip('`') + '=')} || {canonical(sql, kind)}" for sql, kind in extras]
    return f"concat_ws({UNIT}, {', '.join(parts)})"


def ordered(sql: str, type_text: str) -> str:
    """Write a value as text that sorts as the value does; NULL sorts first."""
    kind = type_text.lower()
    if kind == "timestamp":
        return f"coalesce(lpad(cast(unix_micros({sql}) as string), {_MICROS_DIGITS}, '0'), {BEFORE})"
    if kind in ("bigint", "int"):
        return f"coalesce(lpad(cast({sql} as string), {_MICROS_DIGITS}, '0'), {BEFORE})"
    return f"coalesce(cast({sql} as string), {BEFORE})"


def version(sequence: Iterable[tuple[str, str]], row_hash: str = "_row_hash") -> str:
    """Write what orders the versions of a key: the sequence's parts, then the row's hash. One text, no ties."""
    return f"concat_ws('|', {', '.join([*(ordered(sql, kind) for sql, kind in sequence), row_hash])})"


def macros(sql: str) -> str:
    """Expand `money(quantity, price)` in an expression of a contract."""
    return _MONEY.sub(lambda found: money(found.group(1), found.group(2)), sql)


def money(quantity: str, price: str) -> str:
    """Multiply decimal(28,18) by decimal(18,10) to decimal(38,19), rounded half up once, exact on every engine.

    The whole product needs 47 digits, more than a decimal holds, and engines differ in what they drop. The whole part
    of the quantity times the price has ten decimals, the fraction times the price 28 and fits; only the latter rounds.
    """
    whole = f"cast(cast({quantity} as bigint) as decimal(10,0))"
    fraction = f"cast({quantity} - {whole} as decimal(18,18))"
    return (
        f"cast(cast({whole} * {price} as decimal(37,19))"
        f" + cast(round({fraction} * {price}, 19) as decimal(37,19)) as decimal(38,19))"
    )


def leaf_of(path: Iterable[str], root: str = "") -> str:
    """Write the access to a leaf of a source row."""
    head = f"{root}." if root else ""
    return head + ".".join(quote(part) for part in path)


def typed_null(type_text: str) -> str:
    """Write NULL of a type."""
    return f"cast(NULL as {type_text})"


def hash_of_row(leaves: Iterable[Leaf], extras: Iterable[Leaf] = ()) -> str:
    """Hash a row whose columns are named as bronze names its leaves."""
    return fingerprint(
        [(quote(leaf.column), leaf.type) for leaf in leaves], [(quote(leaf.column), leaf.type) for leaf in extras]
    )


def is_decimal(type_text: str) -> bool:
    """Whether a type is a decimal."""
    return types.decimal(type_text) is not None


def into_quarantine(places: Places, rows: str, run: int, at: str) -> str:
    """Write the MERGE that keeps faulty rows (table_name, reason, row_hash, row), each once."""
    return (
        f"MERGE INTO {places.ops('quarantine')} t USING ({rows}) s"
        " ON t.table_name = s.table_name AND t.row_hash = s.row_hash AND t.reason = s.reason\n"
        "WHEN NOT MATCHED THEN INSERT (table_name, reason, row_hash, row, run, at)"
        f" VALUES (s.table_name, s.reason, s.row_hash, s.row, cast({run} as bigint), {at})"
    )
