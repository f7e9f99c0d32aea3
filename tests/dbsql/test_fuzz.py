"""Whatever the text, it is read without an error and without leaving the text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from brickyard.dbsql.parse import parse
from brickyard.dbsql.rewrite import find_markers, substitute_holes
from brickyard.dbsql.tokens import tokenize

WORDS = [
    "select",
    "from",
    "where",
    "join",
    "on",
    "left",
    "lateral",
    "view",
    "with",
    "as",
    "table",
    "values",
    "insert",
    "into",
    "overwrite",
    "merge",
    "using",
    "update",
    "set",
    "delete\ncreate",
    "or",
    "replace",
    "temp",
    "view",
    "function",
    "returns",
    "return",
    "alter",
    "add",
    "column",
    "drop",
    "identifier",
    "(",
    "(",
    ")",
    ")",
    ",",
    ";",
    ".",
    "*",
    "=",
    "'",
    '"',
    "`",
    ":",
    "::",
    "@v1",
    "->",
    "=>",
    "|>",
    "[",
    "]\nbegin",
    "end",
    "case",
    "when",
    "then",
    "else",
    "if",
    "loop",
    "while",
    "for",
    "do",
    "declare",
    "union",
    "except",
    "distinct",
    "group",
    "by",
    "order",
    "limit",
    "qualify",
    "pivot",
    "tablesample\nversion",
    "timestamp",
    "of",
    "grant",
    "show",
    "tables",
    "in",
    "describe",
    "history",
    "optimize",
    "zorder",
    "vacuum",
    "use",
    "catalog",
    "comment",
    "is",
    "execute",
    "immediate",
    "copy\ncache",
    "location",
    "using",
    "'x'",
    '"y"',
    "`z`",
    "${h}",
    "$h",
    "{{h}}",
    ":p",
    "a",
    "b.c",
    "d.e.f",
    "1",
    "2.5",
    "--",
    "/*",
    "*/",
    "/*+",
    "\n",
    "deep",
    "clone",
    "truncate",
    "restore",
    "analyze",
    "recursive\nexplain",
    "load",
    "inpath",
    "cross",
    "natural",
    "partition",
    "options",
    "tblproperties",
    "columns",
    "rename",
    "to",
    "unset",
    "tags",
    "call",
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join) | st.text(
    alphabet="abfromselct ;.,()'\"`$%{}:@-/*\n\\é😀|>=", max_size=60
)


@given(TEXTS)
def test_any_text_is_read(text: str) -> None:
    script = parse(text, trees=False)
    for statement in script.statements:
        names = (*statement.references, *statement.namespaces, *statement.temp_references)
        spans = [statement.span, *(r.span for r in names), *(q.span for q in statement.qualifiers)]
        spans += [r.whole for r in names if r.whole] + [r.version for r in names if r.version]
        assert all(0 <= s.start <= s.end <= len(text) for s in spans)
        assert all(q.reference < len(statement.references) for q in statement.qualifiers)
    ends = [s.span.end for s in script.statements]
    assert ends == sorted(ends)


@given(TEXTS)
def test_tokens_are_in_order_and_do_not_overlap(text: str) -> None:
    tokens = tokenize(text)
    assert all(a.end <= b.start for a, b in pairwise(tokens))
    assert all(t.start < t.end for t in tokens)


@given(TEXTS)
def test_substitution_of_nothing_changes_nothing(text: str) -> None:
    assert substitute_holes(text, {}) == text
    assert all(m.span.slice(text) == f":{m.name}" for m in find_markers(text))
