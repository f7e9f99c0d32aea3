"""What an imported text becomes, and how a stored one is written out: notebook or file, source or Jupyter."""

from __future__ import annotations

import html
import json
from pathlib import PurePosixPath

from brickyard.local.api.errors import invalid, unbuilt
from brickyard.local.files.workspace import Content, Entry, Kind

_HEADER = "Databricks notebook source"
_COMMENT = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
_BY_SUFFIX = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
_SUFFIX = {"PYTHON": "py", "SQL": "sql", "SCALA": "scala", "R": "r"}
_SEPARATOR = "COMMAND ----------"
_BOM = b"\xef\xbb\xbf"


def imported(path: str, data: bytes, format_: str, language: str | None) -> tuple[str, Content]:
    """The path and content to store for an import; AUTO drops the extension of what it takes for a notebook."""
    if language is not None and language not in _COMMENT:
        raise invalid(f"Unknown language {language}; expected one of {', '.join(_COMMENT)}.")
    match format_:
        case "AUTO":
            return _automatic(path, data)
        case "SOURCE":
            return path, _source(path, data, language)
        case "JUPYTER":
            return path, _jupyter(data, language)
        case "RAW":
            return path, Content(data)
        case "HTML" | "DBC" | "R_MARKDOWN":
            raise unbuilt(f"imports of format {format_}; export the notebook as SOURCE or JUPYTER")
        case _:
            raise invalid(f"Unknown format {format_}.")


def exported(entry: Entry, data: bytes, format_: str) -> tuple[bytes, str]:
    """The bytes of an export and the extension of its file; a file comes back as it is in every format."""
    if format_ in {"DBC", "R_MARKDOWN"}:
        raise unbuilt(f"exports of format {format_}")
    if format_ not in {"AUTO", "SOURCE", "JUPYTER", "RAW", "HTML"}:
        raise invalid(f"Unknown format {format_}.")
    if entry.kind is Kind.FILE:
        return data, PurePosixPath(entry.path).suffix[1:]
    wanted = (entry.format or "SOURCE") if format_ in {"AUTO", "RAW"} else format_
    if wanted == "HTML":
        return _page(entry, data), "html"
    suffix = "ipynb" if wanted == "JUPYTER" else _SUFFIX[entry.language or "PYTHON"]
    if wanted == entry.format:
        return data, suffix
    return (_to_jupyter(entry, data) if wanted == "JUPYTER" else _to_source(entry, data)), suffix


def _automatic(path: str, data: bytes) -> tuple[str, Content]:
    stem, suffix = _split(path)
    language = _BY_SUFFIX.get(suffix)
    if language and _has_header(data, language):
        return stem, Content(data, Kind.NOTEBOOK, language, "SOURCE")
    if suffix == ".ipynb":
        return stem, _jupyter(data, None)
    if suffix == ".dbc":
        raise unbuilt("imports of format DBC; export the notebooks as SOURCE or JUPYTER")
    return path, Content(data)


def _source(path: str, data: bytes, language: str | None) -> Content:
    language = language or _BY_SUFFIX.get(_split(path)[1])
    if language is None:
        raise invalid("The language is required when the format is SOURCE.")
    if not _has_header(data, language):
        data = f"{_COMMENT[language]} {_HEADER}\n".encode() + data.removeprefix(_BOM)
    return Content(data, Kind.NOTEBOOK, language, "SOURCE")


def _jupyter(data: bytes, language: str | None) -> Content:
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The notebook is not a Jupyter notebook: {error}") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise invalid("The notebook is not a Jupyter notebook: it has no list of cells.")
    return Content(data, Kind.NOTEBOOK, language or _jupyter_language(notebook), "JUPYTER")


def _jupyter_language(notebook: dict[str, object]) -> str:
    metadata = notebook.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    ours = metadata.get("application/vnd.databricks.v1+notebook")
    info = metadata.get("language_info")
    for found in (
        ours.get("language") if isinstance(ours, dict) else None,
        info.get("name") if isinstance(info, dict) else None,
    ):
        if isinstance(found, str) and found.upper() in _COMMENT:
            return found.upper()
    return "PYTHON"


def _has_header(data: bytes, language: str) -> bool:
    first = data.removeprefix(_BOM).split(b"\n", 1)[0].rstrip()
    return first == f"{_COMMENT[language]} {_HEADER}".encode()


def _split(path: str) -> tuple[str, str]:
    suffix = PurePosixPath(path).suffix
    return (path[: -len(suffix)], suffix.lower()) if suffix else (path, "")


def _cells(entry: Entry, data: bytes) -> list[tuple[str, str | None]]:
    """The text and title of each cell, as the author sees it."""
    from brickyard.notebooks.parse import parse

    return [(cell.source, cell.title) for cell in parse(entry.file_name, data).cells]


def _to_source(entry: Entry, data: bytes) -> bytes:
    comment = _COMMENT[entry.language or "PYTHON"]
    cells = [_source_cell(text, title, comment) for text, title in _cells(entry, data)]
    return (f"{comment} {_HEADER}\n" + f"\n\n{comment} {_SEPARATOR}\n\n".join(cells) + "\n").encode()


def _source_cell(text: str, title: str | None, comment: str) -> str:
    lines = text.split("\n")
    if text.lstrip().startswith("%"):
        lines = [f"{comment} MAGIC {line}" for line in lines]
    return "\n".join([f"{comment} DBTITLE 1,{title}"] * bool(title) + lines)


def _to_jupyter(entry: Entry, data: bytes) -> bytes:
    language = (entry.language or "PYTHON").lower()
    notebook = {
        "cells": [_jupyter_cell(text, title) for text, title in _cells(entry, data)],
        "metadata": {
            "application/vnd.databricks.v1+notebook": {
                "language": language,
                "notebookName": PurePosixPath(entry.path).name,
                "widgets": {},
            },
            "language_info": {"name": language},
        },
        "nbformat": 4,
        "nbformat_minor": 0,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def _jupyter_cell(text: str, title: str | None) -> dict[str, object]:
    metadata = {"application/vnd.databricks.v1+cell": {"title": title or "", "showTitle": bool(title)}}
    if text.startswith("%md"):
        body = text.removeprefix("%md").lstrip(" ").removeprefix("\n")
        return {"cell_type": "markdown", "metadata": metadata, "source": body.splitlines(keepends=True)}
    source = text.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source}


def _page(entry: Entry, data: bytes) -> bytes:
    cells = "".join(
        f"<h2>{html.escape(title or '')}</h2><pre>{html.escape(text)}</pre>" for text, title in _cells(entry, data)
    )
    name = html.escape(entry.path)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><h1>{name}</h1>{cells}</html>'.encode()
