"""Line-oriented notebook files: Databricks source format, plain files, exports with bare magics."""

from __future__ import annotations

import re
from dataclasses import dataclass

from brickyard.notebooks import magic
from brickyard.notebooks.model import Cell, Format, Language, Notebook, Segment

_LINE = re.compile(r"([^\n]*?)(\r?\n|\Z)")
_COMMENT = {Language.PYTHON: "#", Language.R: "#", Language.SQL: "--", Language.SCALA: "//"}
_SEPARATOR = {mark: re.compile(rf"{mark} COMMAND -{{5,}}[ \t]*\Z") for mark in ("#", "--", "//")}
_TITLE = {mark: re.compile(rf"{mark} DBTITLE \d+,(.*)\Z") for mark in ("#", "--", "//")}
_PYTHON_TEXT = re.compile(
    r"""\#[^\n]*|'{3}(?:[^'\\]|\\.|'(?!''))*(?:'{3}|\Z)|"{3}(?:[^"\\]|\\.|"(?!""))*(?:"{3}|\Z)"""
    r"""|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|[()\[\]{}]""",
    re.DOTALL,
)
_SQL_TEXT = re.compile(
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^'\\]|\\.)*(?:'|\Z)|"(?:[^"\\]|\\.)*(?:"|\Z)|`[^`]*(?:`|\Z)""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the file: its text without the line end, where it starts, and its line end."""

    text: str
    start: int
    newline: str


def parse(path: str, text: str, file_format: Format, language: Language, *, start: int) -> Notebook:
    """Parse the text from *start*, the end of the header line, to cells."""
    mark = _COMMENT[language]
    groups = _split_at_separators(_lines(text, start), _SEPARATOR[mark])
    if len(groups) == 1:
        groups = _split_at_magics(groups[0], language) if any(line.text.strip() for line in groups[0]) else []
    elif file_format in (Format.PLAIN_SQL, Format.PLAIN_PYTHON):
        groups = [part for group in groups for part in _split_at_magics(group, language)]
    newline = "\r\n" if "\r\n" in text else "\n"
    cells = tuple(_cell(i, group, language, mark, newline) for i, group in enumerate(groups, 1))
    return Notebook(path, file_format, language, text, cells)


def _lines(text: str, start: int) -> list[_Line]:
    lines = []
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        cut = end - 1 if end < len(text) and text[end - 1 : end] == "\r" and end > start else end
        stop = min(end + 1, len(text))
        lines.append(_Line(text[start:cut], start, text[cut:stop]))
        start = stop
    return lines


def _split_at_separators(lines: list[_Line], separator: re.Pattern[str]) -> list[list[_Line]]:
    groups: list[list[_Line]] = [[]]
    for line in lines:
        if separator.match(line.text):
            groups.append([])
        else:
            groups[-1].append(line)
    return groups


def _split_at_magics(lines: list[_Line], default: Language) -> list[list[_Line]]:
    """Begin a cell at each bare magic that stands at the start of a line and outside of strings and comments."""
    groups: list[list[_Line]] = [[]]
    for line in lines:
        if magic.LINE.match(line.text) and _is_complete(groups[-1], default):
            groups.append([])
        groups[-1].append(line)
    return groups


def _is_complete(lines: list[_Line], default: Language) -> bool:
    """Whether the lines hold code and leave nothing open, so that a magic after them begins a cell."""
    return any(not _is_lead(line.text) for line in lines) and not _is_open(lines, default)


def _is_lead(text: str) -> bool:
    return not text.strip() or text.lstrip().startswith(("#", "--", "//"))


def _is_open(lines: list[_Line], default: Language) -> bool:
    """Whether a string, comment or bracket of the lines is not closed yet."""
    text = "\n".join(line.text for line in lines) + "\n"
    reading = magic.read(text, default)
    if reading.language is Language.PYTHON:
        return _is_open_python(text[reading.body.start :])
    if reading.language is Language.SQL:
        return _is_open_sql(text[reading.body.start :])
    return False


def _is_open_python(text: str) -> bool:
    depth = 0
    for match in _PYTHON_TEXT.finditer(text):
        found = match[0]
        if found in "([{":
            depth += 1
        elif found in ")]}":
            depth = max(0, depth - 1)
        elif found[:3] in ("'''", '"""') and (len(found) < 6 or found[-3:] != found[:3]):
            return True
    return depth > 0


def _is_open_sql(text: str) -> bool:
    for match in _SQL_TEXT.finditer(text):
        found = match[0]
        if found.startswith("/*"):
            if not found.endswith("*/"):
                return True
        elif not found.startswith("--") and (len(found) < 2 or found[-1] != found[0]):
            return True
    return False


def _cell(index: int, lines: list[_Line], default: Language, mark: str, newline: str) -> Cell:
    anchor = lines[0].start if lines else 0
    lines = _strip_blank(lines)
    title = None
    if lines and (match := _TITLE[mark].match(lines[0].text)):
        title, lines = match[1].strip(), _strip_blank(lines[1:])
    prefix = f"{mark} MAGIC "
    prefixed = bool(lines) and _is_magic_line(lines[0].text, prefix)
    text, segments = _join(lines, prefix if prefixed else "", anchor)
    reading = magic.read(text, default)
    return Cell(
        index=index,
        language=reading.language,
        source=text,
        body=reading.body,
        segments=segments,
        title=title,
        run_target=reading.run_target,
        run_parameters=reading.run_parameters,
        prefix=prefix if prefixed else "",
        newline=newline,
    )


def _strip_blank(lines: list[_Line]) -> list[_Line]:
    first, last = 0, len(lines)
    while first < last and not lines[first].text.strip():
        first += 1
    while last > first and not lines[last - 1].text.strip():
        last -= 1
    return lines[first:last]


def _is_magic_line(text: str, prefix: str) -> bool:
    return text.startswith(prefix) or text == prefix.rstrip()


def _join(lines: list[_Line], prefix: str, anchor: int) -> tuple[str, tuple[Segment, ...]]:
    """Join the lines to the cell's source and say where each unbroken run of it stands in the file."""
    parts: list[str] = []
    runs: list[tuple[int, int, int]] = []
    at = 0
    for number, line in enumerate(lines):
        skip = min(len(prefix), len(line.text)) if prefix and _is_magic_line(line.text, prefix) else 0
        text, raw = line.text[skip:], line.start + skip
        if number < len(lines) - 1:
            text += "\n"
        length = len(text) if line.newline != "\r\n" or number == len(lines) - 1 else len(text) - 1
        if runs and runs[-1][0] + runs[-1][2] == at and runs[-1][1] + runs[-1][2] == raw:
            runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + length)
        else:
            runs.append((at, raw, length))
        parts.append(text)
        at += len(text)
    segments = tuple(Segment(*run) for run in runs) or (Segment(0, anchor, 0),)
    return "".join(parts), segments
