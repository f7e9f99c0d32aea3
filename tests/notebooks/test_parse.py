"""Every notebook format to cells, and back to the same bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kernel.errors import SpecInvalid
from brickyard.notebooks.edit import apply_edits, encode, position
from brickyard.notebooks.model import CellEdit, Format, Language, Notebook, Span
from brickyard.notebooks.parse import MAX_BYTES, parse

PYTHON = """# Databricks notebook source
# DBTITLE 1,Load it
# MAGIC %sql
# MAGIC select *
# MAGIC
# MAGIC from a.b

# COMMAND ----------

x = '''
%sql
'''

# COMMAND ----------

# MAGIC %run ./child $p="v" $q='w x'

# COMMAND ----------

# MAGIC %md
# MAGIC | a | b |
# MAGIC |---|---|
# MAGIC %sql is a magic

# COMMAND ----------

"""


def outline(notebook: Notebook) -> list[tuple[str, str]]:
    return [(str(cell.language), cell.source) for cell in notebook.cells]


OUTLINE = [
    ("sql", "%sql\nselect *\n\nfrom a.b"),
    ("python", "x = '''\n%sql\n'''"),
    ("run", "%run ./child $p=\"v\" $q='w x'"),
    ("md", "%md\n| a | b |\n|---|---|\n%sql is a magic"),
    ("python", ""),
]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_source_format_with_any_line_end_and_byte_order_mark(ending: str, mark: str) -> None:
    notebook = parse("x/y.py", (mark + PYTHON.replace("\n", ending)).encode())
    assert (notebook.format, outline(notebook)) == (Format.SOURCE_PYTHON, OUTLINE)


def test_title_run_target_and_body() -> None:
    cells = parse("y.py", PYTHON.encode()).cells
    assert (cells[0].title, cells[0].code) == ("Load it", "select *\n\nfrom a.b")
    assert (cells[2].run_target, cells[2].run_parameters) == ("./child", (("p", "v"), ("q", "w x")))


@pytest.mark.parametrize(
    ("path", "text", "file_format", "expected"),
    [
        (
            "a.sql",
            "-- Databricks notebook source\nselect 1\n\n-- COMMAND ----------\n\n-- MAGIC %python\n-- MAGIC x = 1\n",
            Format.SOURCE_SQL,
            [("sql", "select 1"), ("python", "%python\nx = 1")],
        ),
        (
            "a.scala",
            "// Databricks notebook source\nval x = 1\n// COMMAND ----------\n// MAGIC %sql select 1",
            Format.SOURCE_SCALA,
            [("scala", "val x = 1"), ("sql", "%sql select 1")],
        ),
        ("a.r", "# Databricks notebook source\nx <- 1\n", Format.SOURCE_R, [("r", "x <- 1")]),
        ("a.R", "x <- 1", Format.SOURCE_R, [("r", "x <- 1")]),
        ("a", "# Databricks notebook source\nx = 1\n", Format.SOURCE_PYTHON, [("python", "x = 1")]),
        ("a.sql", "select 1;\nselect 2", Format.PLAIN_SQL, [("sql", "select 1;\nselect 2")]),
        ("a.sql", "\ufeffselect 1", Format.PLAIN_SQL, [("sql", "select 1")]),
        ("a.py", "x = 1\n", Format.PLAIN_PYTHON, [("python", "x = 1")]),
        (
            "a.py",
            "x = 1\n%sql\nselect 1\n%python\ny = '''\n%sql\n'''\nz = (1\n%r)\n%md\n# hi\n%sql select 2",
            Format.PLAIN_PYTHON,
            [
                ("python", "x = 1"),
                ("sql", "%sql\nselect 1"),
                ("python", "%python\ny = '''\n%sql\n'''\nz = (1\n%r)"),
                ("md", "%md\n# hi"),
                ("sql", "%sql select 2"),
            ],
        ),
        (
            "a.py",
            "# Databricks notebook source\n%sql\nselect '\n%py\n'\n%py\nx = 1",
            Format.SOURCE_PYTHON,
            [("sql", "%sql\nselect '\n%py\n'"), ("python", "%py\nx = 1")],
        ),
        (
            "a.py",
            "# Databricks notebook source\n%sql\nselect 1\n\n# COMMAND ----------\n\n-- note\n%sql select 2\n",
            Format.SOURCE_PYTHON,
            [("sql", "%sql\nselect 1"), ("sql", "-- note\n%sql select 2")],
        ),
        (
            "a.sql",
            "select 1 /*\n%python\n*/;\n%python\nx = 1\n%sql\nselect 2",
            Format.PLAIN_SQL,
            [("sql", "select 1 /*\n%python\n*/;"), ("python", "%python\nx = 1"), ("sql", "%sql\nselect 2")],
        ),
        (
            "a.py",
            "# Databricks notebook source\n# MAGIC %pip install x\n# COMMAND ----------\n%pip install y\nimport y\n",
            Format.SOURCE_PYTHON,
            [("pip", "%pip install x"), ("python", "%pip install y\nimport y")],
        ),
        ("a.py", "", Format.PLAIN_PYTHON, []),
        ("a.sql", " \n\n", Format.PLAIN_SQL, []),
        ("a.py", "# Databricks notebook source\n", Format.SOURCE_PYTHON, []),
        ("a.py", "# Databricks notebook source", Format.SOURCE_PYTHON, []),
        ("a.ipynb", "", Format.JUPYTER, []),
    ],
)
def test_reads_the_cells(path: str, text: str, file_format: Format, expected: list[tuple[str, str]]) -> None:
    notebook = parse(path, text.encode())
    assert (notebook.format, outline(notebook)) == (file_format, expected)


@pytest.mark.parametrize(
    ("source", "language", "code"),
    [
        ("%sql select 1", Language.SQL, "select 1"),
        ("%SQL\n\nselect 1", Language.SQL, "\nselect 1"),
        ("%%sql\nselect 1", Language.SQL, "select 1"),
        ("%python\nx = 1", Language.PYTHON, "x = 1"),
        ("%scala\nval x = 1", Language.SCALA, "val x = 1"),
        ("%r\nx <- 1", Language.R, "x <- 1"),
        ("%sh ls", Language.SHELL, "ls"),
        ("%fs ls /x", Language.FS, "ls /x"),
        ("%md # hi", Language.MARKDOWN, "# hi"),
        ("%md-sandbox # hi", Language.MARKDOWN, "# hi"),
        ("%run ./a", Language.RUN, "./a"),
        ("%pip install x", Language.PIP, "install x"),
        ("%pip install x\ndbutils.library.restartPython()", Language.PYTHON, "dbutils.library.restartPython()"),
        ("%load_ext autoreload\n%autoreload 2\nimport x", Language.PYTHON, "import x"),
        ("sqlx = 5 %sql", Language.PYTHON, "sqlx = 5 %sql"),
        ("# %sql\nx = 1", Language.PYTHON, "# %sql\nx = 1"),
        ("%sqlfoo", Language.PYTHON, ""),
    ],
)
def test_the_first_magic_picks_the_language(source: str, language: Language, code: str) -> None:
    text = "# Databricks notebook source\n" + source + "\n# COMMAND ----------\nx = 1"
    cell = parse("a.py", text.encode()).cells[0]
    assert (cell.language, cell.code) == (language, code)


@pytest.mark.parametrize(
    ("line", "target", "parameters"),
    [
        ("%run ./a", "./a", ()),
        ("%run '/x/my folder/a'", "/x/my folder/a", ()),
        ('%run "./a b" $p="1"', "./a b", (("p", "1"),)),
        ("%run ./a b $p = \"x $q\" $r='y'", "./a b", (("p", "x $q"), ("r", "y"))),
        ("%run", None, ()),
    ],
)
def test_run_lines(line: str, target: str | None, parameters: tuple[tuple[str, str], ...]) -> None:
    (cell,) = parse("a.py", f"# Databricks notebook source\n# MAGIC {line}".encode()).cells
    assert (cell.run_target, cell.run_parameters) == (target, parameters)


def jupyter(cells: list[dict[str, object]], **metadata: object) -> str:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def code(source: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": [{"text": '"source": "x"'}], "metadata": {}}


def test_jupyter_cells() -> None:
    title = {"application/vnd.databricks.v1+cell": {"title": "T"}}
    cells = [
        code(["%sql\n", 'select "\u00e9" ', "\n", "from a.b"]),
        code("x = 1\ny = '\U0001f600\\n'\r\n"),
        {"cell_type": "markdown", "source": ["# hi\n", "%sql"]},
        {"cell_type": "raw", "source": "r"},
        code([]),
        {**code("1"), "metadata": title},
    ]
    notebook = parse("a.ipynb", jupyter(cells).encode())
    assert outline(notebook) == [
        ("sql", '%sql\nselect "\u00e9" \nfrom a.b'),
        ("python", "x = 1\ny = '\U0001f600\\n'\n"),
        ("md", "# hi\n%sql"),
        ("other", "r"),
        ("python", ""),
        ("python", "1"),
    ]
    assert notebook.cells[5].title == "T"


def test_jupyter_language_is_the_notebooks_own() -> None:
    databricks = {"application/vnd.databricks.v1+notebook": {"language": "sql"}}
    assert parse("a.ipynb", jupyter([code("select 1")], **databricks).encode()).cells[0].language is Language.SQL
    assert parse("a.ipynb", jupyter([code("1")], language_info={"name": "scala"}).encode()).language is Language.SCALA


def test_jupyter_without_a_suffix_is_recognised() -> None:
    assert parse("a", jupyter([code("x")]).encode()).format is Format.JUPYTER


@pytest.mark.parametrize(
    ("path", "data", "error", "words"),
    [
        ("a.py", b"x = 1\n\x00", "notebook-binary", "line 2, byte offset 6"),
        ("a.sql", b"select 1\n-- caf\xe9\n", "notebook-not-utf8", "line 2, byte offset 15"),
        ("a.sql", "select 1".encode("utf-16"), "notebook-binary", "byte offset 3"),
        ("a.dbc", b"anything", "notebook-archive", "archive"),
        ("a.py", b"PK\x03\x04rest", "notebook-archive", "archive"),
        ("a.txt", b"hello", "notebook-format-unknown", "neither"),
        ("a.ipynb", b'{"cells": [\n{"source": "x" "y"}]}', "notebook-json", "line 2"),
        ("a.ipynb", b'{"cells": [{"source": "x', "notebook-json", "line 1"),
        ("a.ipynb", b'{"cells": [{"source": "\\q"}]}', "notebook-json", "escape"),
        ("a.ipynb", b'{"cells": []} x', "notebook-json", "Extra data"),
        ("a.ipynb", b'{"worksheets": []}', "notebook-json", "without cells"),
        ("a.ipynb", b"[1]", "notebook-json", "line 1"),
        ("a.ipynb", b'{"metadata": ' + b"[" * 200_000, "notebook-json", "deeply"),
        ("a.py", b" " * (MAX_BYTES + 1), "notebook-too-large", "10,485,761"),
    ],
)
def test_what_is_no_notebook_is_refused_with_its_place(path: str, data: bytes, error: str, words: str) -> None:
    with pytest.raises(SpecInvalid, match=words) as caught:
        parse(path, data)
    assert caught.value.error_code == error
    assert caught.value.remedy


LINES = st.lists(
    st.sampled_from(
        ["select * from a.b", "", "x = '%s' % y", "-- c", "# c", "  é 😀 \t", "%sql", "| a |", '"""', "'", "\\n\\"]
    ),
    min_size=0,
    max_size=5,
)
ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def notebooks(draw: st.DrawFn) -> tuple[str, str]:
    kind = draw(st.sampled_from(["source", "plain", "ipynb"]))
    cells = draw(st.lists(LINES, max_size=4))
    end = draw(ENDS)
    if kind == "ipynb":
        as_list = draw(st.booleans())
        sources = ["\n".join(c) for c in cells]
        split = [s.splitlines(keepends=True) if as_list else s for s in sources]
        return "a.ipynb", json.dumps(
            {"cells": [code(s) for s in split], "metadata": {}},
            ensure_ascii=draw(st.booleans()),
            indent=draw(st.sampled_from([None, 1])),
        )
    mark, suffix = draw(st.sampled_from([("#", ".py"), ("--", ".sql"), ("//", ".scala"), ("#", ".r")]))
    prefix = draw(st.sampled_from(["", f"{mark} MAGIC "]))
    body = f"{end}{mark} COMMAND ----------{end}".join(
        end.join((prefix + line).rstrip() if not line else prefix + line for line in c) for c in cells
    )
    header = f"{mark} Databricks notebook source{end}" if kind == "source" else ""
    return "a" + suffix, draw(st.sampled_from(["", "\ufeff"])) + header + body + draw(st.sampled_from(["", end]))


@given(notebooks())
def test_no_edits_give_the_same_bytes(given_notebook: tuple[str, str]) -> None:
    path, text = given_notebook
    notebook = parse(path, text.encode())
    assert encode(notebook, apply_edits(notebook, [])) == text.encode()


@given(notebooks(), st.data())
def test_an_edit_is_read_back_and_leaves_the_other_cells_alone(
    given_notebook: tuple[str, str], data: st.DataObject
) -> None:
    path, text = given_notebook
    notebook = parse(path, text.encode())
    cells = [c for c in notebook.cells if c.segments and c.source.strip()]
    if not cells:
        return
    cell = data.draw(st.sampled_from(cells))
    start = data.draw(st.integers(1, len(cell.source)))
    end = data.draw(st.integers(start, len(cell.source)))
    new = data.draw(st.sampled_from(["x", "", "x\ny", "x\n\ny é", "\\", 'a"b']))
    changed = parse(path, apply_edits(notebook, [CellEdit(cell.index, Span(start, end), new)]).encode())
    expected = cell.source[:start] + new + cell.source[end:]
    if len(changed.cells) == len(notebook.cells):  # an edit may open a string, or end in a magic of its own
        assert changed.cells[cell.index - 1].source.strip() == expected.strip()
        others = [
            (a.source, b.source) for a, b in zip(notebook.cells, changed.cells, strict=True) if a.index != cell.index
        ]
        assert all(before == after for before, after in others)


@given(notebooks(), st.data())
def test_the_text_at_a_position_is_the_span(given_notebook: tuple[str, str], data: st.DataObject) -> None:
    path, text = given_notebook
    notebook = parse(path, text.encode())
    cells = [c for c in notebook.cells if c.source.strip()]
    if not cells:
        return
    cell = data.draw(st.sampled_from(cells))
    line = data.draw(st.sampled_from([n for n in cell.source.split("\n") if n]))
    start = cell.source.index(line)
    found = position(notebook, cell.index, Span(start, start + len(line)))
    lines = (cell.source if notebook.format is Format.JUPYTER else text).split("\n")
    assert found.line == found.end_line
    assert lines[found.line - 1][found.column - 1 : found.end_column - 1] == line


def test_edits_that_overlap_or_leave_the_cell_are_refused() -> None:
    notebook = parse("a.sql", b"select 1")
    with pytest.raises(ValueError, match="overlap"):
        apply_edits(notebook, [CellEdit(1, Span(0, 4), "a"), CellEdit(1, Span(3, 5), "b")])
    with pytest.raises(ValueError, match="outside"):
        apply_edits(notebook, [CellEdit(1, Span(0, 99), "a")])


def test_new_lines_of_an_edit_are_written_as_the_format_needs() -> None:
    notebook = parse("y.py", PYTHON.replace("\n", "\r\n").encode())
    at = notebook.cells[0].source.index("a.b")
    text = apply_edits(notebook, [CellEdit(1, Span(at, at + 3), "c.d\n\nwhere 1")])
    assert "# MAGIC from c.d\r\n# MAGIC\r\n# MAGIC where 1\r\n" in text


def test_an_edit_of_jupyter_changes_only_its_characters() -> None:
    text = jupyter([code(["%sql\n", 'select "\u00e9"\n', "from a.b"]), code("x")])
    notebook = parse("a.ipynb", text.encode())
    at = notebook.cells[0].source.index("a.b")
    edited = apply_edits(notebook, [CellEdit(1, Span(at, at + 3), 'c."d"\n-- é')])
    assert edited == text.replace('"from a.b"', '"from c.\\"d\\"\\n",\n    "-- \\u00e9"')
