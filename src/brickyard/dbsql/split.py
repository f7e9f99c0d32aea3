"""Tokens of a script to statements: at each semicolon outside of a BEGIN … END block."""

from __future__ import annotations

from brickyard.dbsql.tokens import Token

_COMPOUND_ENDS = frozenset(["IF", "LOOP", "WHILE", "FOR", "REPEAT"])


def split(tokens: list[Token]) -> list[list[Token]]:
    """Split to statements without their separators; empty ones are left out."""
    statements: list[list[Token]] = []
    first = 0
    while first < len(tokens):
        end = _end(tokens, first)
        if end > first:
            statements.append(tokens[first:end])
        first = end + 1
    return statements


def _end(tokens: list[Token], first: int) -> int:
    plain = next((i for i in range(first, len(tokens)) if tokens[i].word == ";"), len(tokens))
    begin = next((i for i in range(first, plain) if tokens[i].word == "BEGIN"), None)
    if begin is None or not _begins_block(tokens, first, begin):
        return plain
    return _block_end(tokens, begin) or plain


def _begins_block(tokens: list[Token], first: int, begin: int) -> bool:
    """BEGIN opens a block at a statement's start, after its label, or as a procedure's body."""
    follows = tokens[begin + 1].word if begin + 1 < len(tokens) else ""
    is_body = any(t.word == "PROCEDURE" for t in tokens[first:begin])
    is_labelled = begin == first + 2 and tokens[first + 1].word == ":"
    return follows not in ("TRANSACTION", ";", "", ".") and (begin == first or is_labelled or is_body)


def _block_end(tokens: list[Token], begin: int) -> int | None:
    """The index of the separator after the END that closes the block, or None when none does."""
    depth = 0
    for i in range(begin, len(tokens)):
        word = tokens[i].word
        before = tokens[i - 1].word if i else ""
        if word == "BEGIN" or (word == "CASE" and before != "END"):
            depth += 1
        elif word == "END" and (tokens[i + 1].word if i + 1 < len(tokens) else "") not in _COMPOUND_ENDS:
            depth -= 1
        if depth == 0:
            return next((j for j in range(i, len(tokens)) if tokens[j].word == ";"), len(tokens))
    return None
