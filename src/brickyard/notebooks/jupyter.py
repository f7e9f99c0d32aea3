"""Jupyter files: where each cell's source stands in the raw JSON text, character by character."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.notebooks import magic
from brickyard.notebooks.model import Cell, Format, Language, Notebook, Segment, Span

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_RUN = re.compile(r'[^"\\]+')
_ESCAPE = re.compile(
    r"\\(?:r\\n|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_PLAIN_ESCAPES = {r"\r\n": "\n", r"\n": "\n", r"\"": '"', r"\t": "\t", "\\\\": "\\"}
_LANGUAGES = {"python": Language.PYTHON, "sql": Language.SQL, "scala": Language.SCALA, "r": Language.R}


@dataclass(slots=True)
class _Source:
    """A cell's source while it is read: its text, and where each unescaped run of it stands."""

    parts: list[str] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    length: int = 0
    separator: str | None = None

    def run(self, text: str, raw: int) -> None:
        """Add characters that stand unescaped at *raw*."""
        self.segments.append(Segment(self.length, raw, len(text)))
        self.escape(text)

    def escape(self, text: str) -> None:
        """Add what an escape sequence stands for."""
        self.parts.append(text)
        self.length += len(text)


@dataclass(frozen=True, slots=True)
class _RawCell:
    """A cell's JSON members, its source apart."""

    fields: dict[str, Any]
    source: _Source


@dataclass(slots=True)
class _Scanner:
    """A cursor over the JSON text that decodes everything but the cells' sources with the standard decoder."""

    text: str
    at: int = 0

    def notebook(self) -> tuple[dict[str, Any], list[_RawCell] | None]:
        """Read the file: its members, and its cells apart."""
        self.at = 1 if self.text.startswith("\ufeff") else 0
        fields: dict[str, Any] = {}
        cells: list[_RawCell] | None = None
        for key in self._members():
            if key == "cells" and self._peek() == "[":
                cells = [self._cell() for _ in self._items()]
            else:
                fields[key] = self._value()
        self._skip()
        if self.at < len(self.text):
            raise json.JSONDecodeError("Extra data", self.text, self.at)
        return fields, cells

    def _cell(self) -> _RawCell:
        fields: dict[str, Any] = {}
        source = _Source()
        for key in self._members():
            if key == "source" and self._peek() in '["':
                source = self._source()
            else:
                fields[key] = self._value()
        return _RawCell(fields, source)

    def _source(self) -> _Source:
        source = _Source()
        if self._peek() == '"':
            self._string(source)
            return source
        end = 0
        for _ in self._items():
            if end and source.separator is None:
                source.separator = self.text[end : self.at]
            self._string(source)
            end = self.at
        return source

    def _string(self, source: _Source) -> None:
        """Read one JSON string into *source*."""
        self._expect('"')
        source.run("", self.at)
        while not self.text.startswith('"', self.at):
            if run := _RUN.match(self.text, self.at):
                source.run(run[0], self.at)
                self.at = run.end()
            elif escape := _ESCAPE.match(self.text, self.at):
                self.at = escape.end()
                source.escape(_unescape(self.text, escape))
                source.run("", self.at)
            else:
                raise json.JSONDecodeError("Unterminated string", self.text, self.at)
        self.at += 1

    def _members(self) -> Iterator[str]:
        self._expect("{")
        if self._peek() == "}":
            self.at += 1
            return
        while True:
            if self._peek() != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", self.text, self.at)
            key = self._value()
            self._expect(":")
            yield key
            if not self._more("}"):
                return

    def _items(self) -> Iterator[None]:
        self._expect("[")
        if self._peek() == "]":
            self.at += 1
            return
        while True:
            self._skip()
            yield
            if not self._more("]"):
                return

    def _more(self, close: str) -> bool:
        sign = self._peek()
        if sign not in (",", close):
            raise json.JSONDecodeError("Expecting ',' delimiter", self.text, self.at)
        self.at += 1
        return sign == ","

    def _value(self) -> Any:
        self._skip()
        value, self.at = _DECODER.raw_decode(self.text, self.at)
        return value

    def _peek(self) -> str:
        self._skip()
        return self.text[self.at : self.at + 1] or " "

    def _expect(self, sign: str) -> None:
        if self._peek() != sign:
            raise json.JSONDecodeError(f"Expecting '{sign}'", self.text, self.at)
        self.at += 1

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at


def parse(path: str, text: str) -> Notebook:
    """Parse a Jupyter file, or raise SpecInvalid with the line of the JSON fault."""
    if not text.strip("\ufeff \t\r\n"):
        return Notebook(path, Format.JUPYTER, Language.PYTHON, text, ())
    try:
        fields, cells = _Scanner(text).notebook()
    except json.JSONDecodeError as error:
        problem = Problem(f"{error.msg} at offset {error.pos}", f"{path}:{error.lineno}:{error.colno}")
        raise SpecInvalid(
            f"{path}: line {error.lineno} is not valid JSON: {error.msg}",
            code="notebook-json",
            remedy="repair the file or export the notebook again",
            problems=(problem,),
        ) from error
    except RecursionError as error:
        raise SpecInvalid(
            f"{path}: the JSON is nested too deeply",
            code="notebook-json",
            remedy="export the notebook again",
        ) from error
    if cells is None:
        raise SpecInvalid(
            f"{path}: a JSON file without cells is not a notebook",
            code="notebook-json",
            remedy="save the notebook in nbformat 4",
        )
    language = _language(fields.get("metadata"))
    built = tuple(_cell(i, raw, language) for i, raw in enumerate(cells, 1))
    return Notebook(path, Format.JUPYTER, language, text, built)


def _unescape(text: str, escape: re.Match[str]) -> str:
    if (plain := _PLAIN_ESCAPES.get(escape[0])) is not None:
        return plain
    try:
        return json.loads(f'"{escape[0]}"')
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError("Invalid \\escape", text, escape.start()) from error


def _language(metadata: object) -> Language:
    if not isinstance(metadata, dict):
        return Language.PYTHON
    databricks = metadata.get("application/vnd.databricks.v1+notebook")
    names = (_member(databricks, "language"), _member(metadata.get("language_info"), "name"))
    return next((_LANGUAGES[n.lower()] for n in names if n and n.lower() in _LANGUAGES), Language.PYTHON)


def _member(value: object, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _cell(index: int, raw: _RawCell, language: Language) -> Cell:
    source = "".join(raw.source.parts)
    kind = raw.fields.get("cell_type")
    segments = tuple(raw.source.segments)
    newline = f'\\n"{raw.source.separator}"' if raw.source.separator else "\\n"
    if kind != "code":
        plain = Language.MARKDOWN if kind == "markdown" else Language.OTHER
        return Cell(index, plain, source, Span(0, len(source)), segments, newline=newline)
    reading = magic.read(source, language)
    return Cell(
        index=index,
        language=reading.language,
        source=source,
        body=reading.body,
        segments=segments,
        title=_title(raw.fields.get("metadata")),
        run_target=reading.run_target,
        run_parameters=reading.run_parameters,
        newline=newline,
    )


def _title(metadata: object) -> str | None:
    databricks = metadata.get("application/vnd.databricks.v1+cell") if isinstance(metadata, dict) else None
    return _member(databricks, "title") or None
