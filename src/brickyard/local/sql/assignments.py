"""What UPDATE … SET sets."""

from __future__ import annotations

from dataclasses import dataclass

from brickyard.dbsql.tokens import TokenKind
from brickyard.local.sql.call import Call
from brickyard.local.sql.expand import tokens_of
from brickyard.notebooks.model import Span


@dataclass(frozen=True, slots=True)
class Assignment:
    """One `column = expression` of an UPDATE."""

    column: str
    expression: str


def assignments(call: Call) -> list[Assignment]:
    """What UPDATE … SET sets."""
    tokens = tokens_of(call.text)
    start = next(i for i, t in enumerate(tokens) if t.word == "SET") + 1
    where = call.get("where", Span)
    end = max((i for i, t in enumerate(tokens) if where and t.end <= where.start), default=len(tokens))
    cuts, depth = [start - 1], 0
    for at in range(start, end):
        depth += (tokens[at].word in ("(", "[")) - (tokens[at].word in (")", "]"))
        if tokens[at].word == "," and depth == 0:
            cuts.append(at)
    bounds = [
        (tokens[a].end, tokens[b].start if b < len(tokens) else len(call.text))
        for a, b in zip(cuts, [*cuts[1:], end], strict=True)
    ]
    return [_assignment(call.text[a:b]) for a, b in bounds]


def _assignment(text: str) -> Assignment:
    tokens = tokens_of(text)
    equals = next(i for i, t in enumerate(tokens) if t.word == "=" and t.kind is TokenKind.OP)
    name = text[tokens[equals - 1].start : tokens[equals - 1].end].strip("`")
    return Assignment(name, text[tokens[equals].end :].strip())
