"""The SQL of a cell: its statements, and widget values put into them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from brickyard.dbsql.tokens import Token, TokenKind, tokenize

_BRACED = re.compile(r"\$\{\s*(\w+)\s*\}")
_DOLLAR = re.compile(r"(?<![\w$\\])\$([A-Za-z_]\w*)")
_GET_ARGUMENT = re.compile(r"""\bgetArgument\s*\(\s*(?:'([^']*)'|"([^"]*)")\s*\)""", re.IGNORECASE)


def substituted(text: str, widgets: Mapping[str, str]) -> str:
    """Put widget values in for `${x}`, `$x` and `getArgument('x')`; what names no widget stays as written."""
    text = _BRACED.sub(lambda found: widgets.get(found[1], found[0]), text)
    text = _DOLLAR.sub(lambda found: widgets.get(found[1], found[0]), text)
    return _GET_ARGUMENT.sub(lambda found: _argument(found, widgets), text)


def statements(text: str) -> Iterator[str]:
    """The statements of a text in order; a compound `BEGIN … END` is one."""
    tokens = tokenize(text)
    if tokens and tokens[0].word == "BEGIN":
        yield text.strip()
        return
    start = 0
    for token in [*tokens, Token(TokenKind.OP, len(text), len(text), ";")]:
        if token.kind is not TokenKind.OP or token.word != ";":
            continue
        statement = text[start : token.start]
        if tokenize(statement):
            yield statement.strip()
        start = token.end


def markers(statement: str, widgets: Mapping[str, str]) -> dict[str, str]:
    """The widgets that a statement names as `:x`, with their values."""
    named = {statement[t.start + 1 : t.end] for t in tokenize(statement) if t.kind is TokenKind.MARKER}
    return {name: value for name, value in widgets.items() if name in named}


def _argument(found: re.Match[str], widgets: Mapping[str, str]) -> str:
    name = found[1] or found[2] or ""
    return json.dumps(widgets[name], ensure_ascii=False) if name in widgets else found[0]
