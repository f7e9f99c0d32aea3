"""The scanner of string literals agrees with Python on every value, and points at the source of each character."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.migrate.plan.python.literals import Field, Literal, scan

CHARACTERS = st.sampled_from(
    [*list("ab.{}'\"\\\n é✈#%$"), "\\n", "\\'", "\\x41", "\\u00e9", "\\101", "\\N{BULLET}", "\\\n"]
)
BODIES = st.lists(CHARACTERS, max_size=12).map("".join)
OPENINGS = st.sampled_from(["'", '"', "'''", '"""', "r'", 'R"""', "u'"])


def literal(opening: str, body: str) -> str:
    return f"{opening}{body}{opening.lstrip('rRuU')}"


def is_literal(text: str) -> bool:
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return isinstance(node, ast.Constant) and ast.get_source_segment(text, node) == text


@given(
    st.lists(st.tuples(OPENINGS, BODIES).map(lambda pair: literal(*pair)).filter(is_literal), min_size=1, max_size=3)
)
@pytest.mark.filterwarnings("ignore:invalid")
def test_values_are_those_of_python_and_every_character_has_its_source(tokens: list[str]):
    text = "(" + " \\\n# no 'string'\n".join(tokens[:1]) + "\n".join(["", *tokens[1:]]) + ")"
    pieces = scan(text, 1, len(text) - 1, 1)
    assert pieces is not None
    literals = [piece for piece in pieces if isinstance(piece, Literal)]
    assert "".join(piece.value for piece in literals) == ast.literal_eval(text)
    for piece in literals:
        assert all(text[s:e] == c for c, s, e in zip(piece.value, piece.starts, piece.ends, strict=True) if e - s == 1)


def test_fields_are_found_with_their_expressions():
    text = """rf'a{ x["}"] !r:>{w}}{{b}}{y=}' f"{z:%H:%M}" """.strip()
    pieces = scan(text, 0, len(text), 1)
    assert pieces is not None
    shown = [
        (text[p.start : p.end], text[slice(*p.expression)], p.plain) if isinstance(p, Field) else p.value
        for p in pieces
    ]
    assert shown == [
        "a",
        ('{ x["}"] !r:>{w}}', ' x["}"] ', False),
        "{b}",
        ("{y=}", "y", False),
        ("{z:%H:%M}", "z", False),
    ]


@pytest.mark.parametrize("text", ["b'bytes'", "'open", "name", "'a' + 'b'"])
def test_what_is_not_just_text_literals_is_left_alone(text: str):
    assert scan(text, 0, len(text), 1) is None
