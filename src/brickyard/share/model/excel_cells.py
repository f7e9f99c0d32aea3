"""The cells of a workbook: the sheets of a pack as rows by column name, and what in them cannot be taken at its word."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from io import BytesIO
from math import isfinite
from typing import Any
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from brickyard.share.model.guards import COLUMNS, ROWS, SHEETS
from brickyard.share.model.nodes import TOP, Fault, Place, Scalar

KNOWN: Mapping[str, str] = {
    "metadata": "metadata",
    "recipient": "recipients",
    "recipients": "recipients",
    "share": "shares",
    "shares": "shares",
    "pipeline": "pipelines",
    "pipelines": "pipelines",
}
"""The sheets by every name they may have, in lower case."""
_CONSTANTS = {"=TRUE()": True, "=FALSE()": False}
"""How LibreOffice writes what was true and false in a workbook that it saves again."""
_DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    InvalidFileException,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What openpyxl raises on a workbook that is not well formed; it has no error of its own for that."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values, the places of its empty cells, and those of the columns' heads, by column name."""

    values: Mapping[str, Scalar]
    blank: Mapping[str, Place]
    heads: Mapping[str, Place]
    place: Place


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: every row with its cells by position, the first row included."""

    title: str
    place: Place
    lines: tuple[Mapping[int, Scalar], ...]
    number: int

    def at(self, row: int, column: int) -> Place:
        """Return the place of a cell; both count from 1."""
        return Place.cell(self.number, self.title, row, column, get_column_letter(column))

    def names(self) -> dict[int, str]:
        """Return the column names of the first row by position."""
        return {column: folded(scalar.text) for column, scalar in (self.lines[0] if self.lines else {}).items()}

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the first that hold something."""
        names = self.names()
        heads = {name: self.at(1, column) for column, name in names.items()}
        for number, cells in enumerate(self.lines[1:], 2):
            if cells:
                values = {names[column]: scalar for column, scalar in cells.items() if column in names}
                blank = {name: self.at(number, column) for column, name in names.items() if column not in cells}
                yield Row(values, blank, heads, self.at(number, 1))


@dataclass(slots=True)
class Cells:
    """The sheets of a pack that were found in a workbook."""

    sheets: dict[str, Sheet] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)


def folded(text: str) -> str:
    """Return the name of a sheet or column as it is compared: lower case, words joined by `_`."""
    return "_".join(text.lower().replace("-", " ").replace("_", " ").split())


def read(data: bytes) -> Cells:
    """Read the sheets of a pack from a workbook that the guards let through."""
    cells = Cells()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of every feature that it does not keep
            workbook = load_workbook(BytesIO(data), keep_links=False)
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        cells.faults.append(Fault((), f"the workbook is damaged: {reason}", "save it again in Excel", TOP))
        return cells
    _sheets(cells, workbook)
    return cells


def _sheets(cells: Cells, workbook: Workbook) -> None:
    found = workbook.worksheets
    if len(found) > SHEETS:
        message = f"the workbook has {len(found)} sheets, at most {SHEETS} are read"
        cells.faults.append(Fault((), message, "keep the sheets of the pack", TOP))
        return
    for number, sheet in enumerate(found, 1):
        kind = KNOWN.get(folded(sheet.title))
        if kind is None:
            _unknown(cells, sheet, number, {KNOWN.get(folded(other.title)) for other in found})
        else:
            _known(cells, sheet, number, kind)


def _unknown(cells: Cells, sheet: Worksheet, number: int, present: set[str | None]) -> None:
    """A sheet whose name is near to one that is missing is a slip; others are somebody's notes."""
    place = Place.sheet(number, sheet.title)
    close = get_close_matches(folded(sheet.title), KNOWN, n=1, cutoff=0.7)
    if close and KNOWN[close[0]] not in present:
        meant = KNOWN[close[0]].capitalize()
        cells.faults.append(Fault((), f"the sheet {sheet.title!r} is not known", f"did you mean {meant!r}?", place))
    else:
        cells.warnings.append(
            Fault((), f"the sheet {sheet.title!r} is not part of a pack and was not read", None, place)
        )


def _known(cells: Cells, sheet: Worksheet, number: int, kind: str) -> None:
    place = Place.sheet(number, sheet.title)
    if kind in cells.sheets:
        other = cells.sheets[kind].title
        cells.faults.append(Fault((), f"the sheets {other!r} and {sheet.title!r} say the same", "keep one", place))
        return
    if sheet.sheet_state != "visible":
        cells.faults.append(
            Fault((), "the sheet is hidden", "show it, so that everybody sees what is asked for", place)
        )
    if sheet.max_row > ROWS or sheet.max_column > COLUMNS:
        size = f"{sheet.max_row:,} rows and {sheet.max_column} columns"
        message = f"the sheet has {size}, at most {ROWS:,} and {COLUMNS} are read"
        cells.faults.append(Fault((), message, "delete what lies outside the table", place))
        return
    read_so_far = _Reader(cells, Sheet(sheet.title, place, (), number), sheet)
    cells.sheets[kind] = read_so_far.sheet()


@dataclass(slots=True)
class _Reader:
    """Reads one sheet."""

    cells: Cells
    shape: Sheet
    source: Worksheet

    def sheet(self) -> Sheet:
        self._merged()
        self._hidden()
        lines = tuple(self._line(number, row) for number, row in enumerate(self.source.iter_rows(), 1))
        whole = Sheet(self.shape.title, self.shape.place, lines, self.shape.number)
        self._columns(whole)
        return whole

    def _line(self, number: int, row: tuple[Any, ...]) -> dict[int, Scalar]:
        scalars = ((at, self._scalar(cell, self.shape.at(number, at))) for at, cell in enumerate(row, 1))
        return {at: scalar for at, scalar in scalars if scalar is not None}

    def _scalar(self, cell: Any, place: Place) -> Scalar | None:
        value = cell.value
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, str) and value.upper() in _CONSTANTS:
            value = _CONSTANTS[value.upper()]
        elif cell.data_type == "f":
            return self._bad(place, "holds a formula, whose value cannot be trusted", "paste the value itself")
        elif cell.data_type == "e":
            return self._bad(place, f"holds the error {value}", "write the value")
        if isinstance(value, bool):
            return Scalar(value, str(value).lower(), place)
        if isinstance(value, int | float) and isfinite(value):
            return self._number(value, place)
        if isinstance(value, datetime | date):
            return Scalar(value, str(value), place)
        if not isinstance(value, str):
            return self._bad(
                place, "holds a time or a length of time, where text or a date is wanted", "write it as text"
            )
        return Scalar(value, value, place, quoted=True)

    def _number(self, value: int | float, place: Place) -> Scalar:
        whole = int(value) if value == int(value) else value
        return Scalar(whole, str(whole), place)

    def _bad(self, place: Place, message: str, remedy: str) -> Scalar:
        """A stand-in for the cell, so that its emptiness is not told as well."""
        self.cells.faults.append(Fault((), message, remedy, place))
        return Scalar(None, "", place)

    def _merged(self) -> None:
        for merged in self.source.merged_cells.ranges:
            place = self.shape.at(merged.min_row, merged.min_col)
            remedy = "unmerge them and give each row its own value"
            self.cells.faults.append(Fault((), f"the cells {merged.coord} are merged", remedy, place))

    def _hidden(self) -> None:
        rows = [number for number, row in self.source.row_dimensions.items() if row.hidden]
        columns = [column.min for column in self.source.column_dimensions.values() if column.hidden]
        places = [self.shape.at(row, 1) for row in rows if row <= self.source.max_row]
        places += [self.shape.at(1, column) for column in columns if column and column <= self.source.max_column]
        for place in places:
            self.cells.warnings.append(Fault((), "the row or column is hidden, and was read all the same", None, place))

    def _columns(self, sheet: Sheet) -> None:
        """Column names stand once, and every value stands below one; the sheet of fields and values has its own form."""
        if folded(sheet.title) == "metadata":
            return
        seen: set[str] = set()
        names = sheet.names()
        for column, name in names.items():
            if name in seen:
                place = sheet.at(1, column)
                self.cells.faults.append(Fault((), f"the column {name!r} stands twice", "keep one of the two", place))
            seen.add(name)
        for number, line in enumerate(sheet.lines[1:], 2):
            for column in line.keys() - names.keys():
                place = sheet.at(number, column)
                self.cells.faults.append(
                    Fault((), "the column has no name in row 1", "give it one or clear the cell", place)
                )
