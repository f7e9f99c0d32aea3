"""The magic word of a cell: which language it picks and where the code begins."""

from __future__ import annotations

import re
from dataclasses import dataclass

from brickyard.notebooks.model import Language, Span

MAGICS = {
    "sql": Language.SQL,
    "python": Language.PYTHON,
    "py": Language.PYTHON,
    "md": Language.MARKDOWN,
    "md-sandbox": Language.MARKDOWN,
    "markdown": Language.MARKDOWN,
    "run": Language.RUN,
    "scala": Language.SCALA,
    "r": Language.R,
    "sh": Language.SHELL,
    "bash": Language.SHELL,
    "fs": Language.FS,
    "pip": Language.PIP,
    "conda": Language.PIP,
    "uv": Language.PIP,
    "skip": Language.OTHER,
}
_WORDS = "|".join(sorted((re.escape(w) for w in MAGICS), key=len, reverse=True))
LINE = re.compile(rf"%%?({_WORDS})(?![\w.(=-])", re.IGNORECASE)
_LEAD = re.compile(r"(?:[ \t]*(?:(?:#|--|//)[^\n]*)?\n)*[ \t]*")
_ANY_MAGIC_LINES = re.compile(r"(?:[ \t]*(?:%[^\n]*|#[^\n]*)?(?:\n|\Z))*")
_RUN = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(\S(?:[^$\n]*[^$\s])?))""")
_RUN_PARAMETER = re.compile(r"""\$(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+))""")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the first magic of a cell says."""

    language: Language
    body: Span
    run_target: str | None = None
    run_parameters: tuple[tuple[str, str], ...] = ()


def read(source: str, default: Language) -> Reading:
    """Read the first magic of a cell's source; without one the cell is in the *default* language."""
    match = LINE.match(source, _lead(source)) if "%" in source else None
    if match is None:
        start = _after_line_magics(source) if default is Language.PYTHON else 0
        return Reading(default, Span(start, len(source)))
    language = MAGICS[match[1].lower()]
    if language is Language.PIP:
        return _pip(source, default)
    body = Span(_body_start(source, match.end()), len(source))
    if language is Language.RUN:
        return Reading(language, body, *run_arguments(body.slice(source)))
    return Reading(language, body)


def run_arguments(text: str) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Read the path and the `$name="value"` pairs after `%run`."""
    match = _RUN.match(text)
    if match is None:
        return None, ()
    path = next(g for g in match.groups() if g is not None)
    pairs = (
        (m[1], next(g for g in m.groups()[1:] if g is not None)) for m in _RUN_PARAMETER.finditer(text, match.end())
    )
    return path, tuple(pairs)


def _lead(source: str) -> int:
    match = _LEAD.match(source)
    return match.end() if match else 0


def _body_start(source: str, at: int) -> int:
    while at < len(source) and source[at] in " \t":
        at += 1
    return at + 1 if source.startswith("\n", at) else at


def _after_line_magics(source: str) -> int:
    """Python after lines such as `%load_ext x`; 0 when the cell does not begin with one."""
    if not source.startswith("%", _lead(source)):
        return 0
    match = _ANY_MAGIC_LINES.match(source)
    return match.end() if match else 0


def _pip(source: str, default: Language) -> Reading:
    """A `%pip` cell is often followed by Python that restarts the interpreter."""
    start = _after_line_magics(source)
    if default is Language.PYTHON and source[start:].strip():
        return Reading(Language.PYTHON, Span(start, len(source)))
    return Reading(Language.PIP, Span(_body_start(source, _first_word_end(source)), len(source)))


def _first_word_end(source: str) -> int:
    match = LINE.match(source, _lead(source))
    return match.end() if match else 0
