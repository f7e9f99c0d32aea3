"""The nouns of a notebook file: cells whose text can be edited without touching a byte outside the edits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """How the file is written."""

    SOURCE_PYTHON = "source-py"  # `# Databricks notebook source`
    SOURCE_SQL = "source-sql"  # `-- Databricks notebook source`
    SOURCE_SCALA = "source-scala"
    SOURCE_R = "source-r"
    JUPYTER = "ipynb"
    PLAIN_SQL = "sql"
    PLAIN_PYTHON = "py"


class Language(StrEnum):
    """What a cell is written in."""

    PYTHON = "python"
    SQL = "sql"
    MARKDOWN = "md"
    RUN = "run"
    SCALA = "scala"
    R = "r"
    SHELL = "sh"
    FS = "fs"
    PIP = "pip"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of code points, 0-based, in a cell's `source` (or in the text a function was given)."""

    start: int
    end: int

    def shift(self, by: int) -> Span:
        """The same range, *by* code points later."""
        return Span(self.start + by, self.end + by)

    def slice(self, text: str) -> str:
        """The text of the range."""
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        """Whether both ranges share a code point (an empty range shares none with its neighbour)."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Position:
    """Where a span stands, as a user counts: 1-based lines and columns in code points, end exclusive.

    In `.ipynb` lines count within the cell's source, in all other formats within the file
    (columns then include a `# MAGIC ` prefix).
    """

    cell: int
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a cell's source that stands unbroken in the file: source offset, raw offset, length in code points."""

    source: int
    raw: int
    length: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    `source` is the text as the author sees it in the notebook, magic line included, `# MAGIC ` prefixes and JSON
    escapes taken away, lines ended by `\\n`. `body` is the range of `source` after the magic word: the code itself.
    `index` is 1-based. `run_target` is the path of a `%run` cell and `run_parameters` its `$name="value"` pairs.
    `prefix` is what stands in the file before each line of `source` (`# MAGIC `), `newline` what ends a line there.
    """

    index: int
    language: Language
    source: str
    body: Span
    segments: tuple[Segment, ...]
    title: str | None = None
    run_target: str | None = None
    run_parameters: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    newline: str = "\n"

    @property
    def code(self) -> str:
        """The text of the body."""
        return self.body.slice(self.source)


@dataclass(frozen=True, slots=True)
class Notebook:
    """A parsed notebook file; `text` is the whole file decoded, with its own line ends and byte order mark."""

    path: str
    format: Format
    language: Language
    text: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class CellEdit:
    """Replace `span` of the source of cell number `cell` by `replacement` (an empty span inserts)."""

    cell: int
    span: Span
    replacement: str
