"""The rows of a SQL statement, their texts turned into Python values by the type of the column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from brickyard.kernel.errors import NotFound


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result: its name and its type as SQL writes it, `DECIMAL(10,2)`."""

    name: str
    type_text: str

    @property
    def type_name(self) -> str:
        """The type without its parameters, in upper case."""
        return self.type_text.partition("(")[0].partition("<")[0].strip().upper()


@dataclass(frozen=True, slots=True)
class Rows:
    """The whole result of one statement."""

    columns: tuple[Column, ...]
    values: tuple[tuple[Any, ...], ...]
    statement_id: str = ""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def dicts(self) -> list[dict[str, Any]]:
        """Return each row by column name; of two columns with one name the last wins."""
        return [dict(zip(self.names, row, strict=True)) for row in self.values]

    def scalar(self) -> Any:
        """Return the first value of the first row, or raise NotFound when there is none."""
        if not self.values:
            raise NotFound("the statement returned no row")
        return self.values[0][0]


def _integer(text: str) -> int:
    return int(text)


def _boolean(text: str) -> bool:
    return text.lower() == "true"


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("TINYINT", "BYTE", "SMALLINT", "SHORT", "INT", "INTEGER", "BIGINT", "LONG"), _integer),
    **dict.fromkeys(("FLOAT", "REAL", "DOUBLE"), float),
    **dict.fromkeys(("DECIMAL", "NUMERIC"), Decimal),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_NTZ"), datetime.fromisoformat),
    "BOOLEAN": _boolean,
    "DATE": date.fromisoformat,
}


def read_values(columns: Sequence[Column], texts: Sequence[Sequence[str | None]]) -> tuple[tuple[Any, ...], ...]:
    """Turn the texts of a result into Python values; arrays, structs, maps and binaries stay text."""
    readers = [_READERS.get(column.type_name, str) for column in columns]
    return tuple(tuple(map(_read, readers, row)) for row in texts)


def _read(reader: Callable[[str], Any], text: str | None) -> Any:
    """Read one value; a date outside of Python's years stays the text it is."""
    if text is None:
        return None
    try:
        return reader(text)
    except ValueError:
        if reader in (date.fromisoformat, datetime.fromisoformat):
            return text
        raise
