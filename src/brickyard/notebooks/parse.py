"""Bytes of a notebook file to its cells."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.notebooks import jupyter, source
from brickyard.notebooks.model import Format, Language, Notebook

MAX_BYTES = 10 * 1024 * 1024  # what the workspace imports at most

_HEADER = re.compile(r"\ufeff?(#|--|//) Databricks notebook source[ \t]*(?:\r?\n|\Z)")
_BY_MARK = {
    "#": (Format.SOURCE_PYTHON, Language.PYTHON),
    "--": (Format.SOURCE_SQL, Language.SQL),
    "//": (Format.SOURCE_SCALA, Language.SCALA),
}
_PLAIN = {
    ".sql": (Format.PLAIN_SQL, Language.SQL),
    ".py": (Format.PLAIN_PYTHON, Language.PYTHON),
    ".scala": (Format.SOURCE_SCALA, Language.SCALA),
    ".r": (Format.SOURCE_R, Language.R),
}
SUFFIXES = (*_PLAIN, ".ipynb")


def parse(path: str, data: bytes) -> Notebook:
    """Parse a notebook file, or raise SpecInvalid when it is not text or not a notebook.

    An empty file is a notebook without cells.
    """
    suffix = PurePosixPath(path).suffix.lower()
    _refuse_archives(path, suffix, data)
    text = decode(path, data)
    if suffix == ".ipynb" or (suffix not in _PLAIN and _looks_like_jupyter(text)):
        return jupyter.parse(path, text)
    if header := _HEADER.match(text):
        file_format, language = (
            (Format.SOURCE_R, Language.R) if suffix == ".r" and header[1] == "#" else _BY_MARK[header[1]]
        )
        return source.parse(path, text, file_format, language, start=header.end())
    if suffix in _PLAIN:
        return source.parse(path, text, *_PLAIN[suffix], start=1 if text.startswith("\ufeff") else 0)
    raise SpecInvalid(
        f"{path}: not a notebook: it has neither a known suffix nor the line 'Databricks notebook source'",
        code="notebook-format-unknown",
        remedy="give a .py, .sql, .scala, .r or .ipynb file",
    )


def decode(path: str, data: bytes) -> str:
    """Decode UTF-8, or raise SpecInvalid with the offset and line of the first fault."""
    if len(data) > MAX_BYTES:
        raise SpecInvalid(
            f"{path}: {len(data):,} bytes, more than the {MAX_BYTES:,} that a workspace imports",
            code="notebook-too-large",
            remedy="clear the outputs or split the notebook",
        )
    nul = data.find(b"\0")
    if nul >= 0:
        raise _undecodable(path, data, nul, "notebook-binary", "a NUL byte, so this is not a text file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise _undecodable(path, data, error.start, "notebook-not-utf8", what) from error


def _undecodable(path: str, data: bytes, offset: int, code: str, what: str) -> SpecInvalid:
    line = data.count(b"\n", 0, offset) + 1
    remedy = "give the notebook's source, saved as UTF-8, not a compiled or compressed file"
    problem = Problem(f"{what} at byte offset {offset}", f"{path}:{line}", remedy)
    message = f"{path}: {what} (line {line}, byte offset {offset})"
    return SpecInvalid(message, code=code, remedy=remedy, problems=(problem,))


def _refuse_archives(path: str, suffix: str, data: bytes) -> None:
    if suffix == ".dbc" or data.startswith(b"PK\x03\x04"):
        raise SpecInvalid(
            f"{path}: an archive, not a notebook",
            code="notebook-archive",
            remedy="export the folder in source format (SOURCE) or as .ipynb and give that",
        )


def _looks_like_jupyter(text: str) -> bool:
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return False
    try:
        value = json.loads(text.lstrip("\ufeff"))
    except ValueError:
        return False
    return isinstance(value, dict) and "cells" in value
