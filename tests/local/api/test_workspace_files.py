"""What an import becomes, what an export gives back, and the tree between them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk.errors import BadRequest, DatabricksError, InvalidParameterValue, NotFound, ResourceAlreadyExists
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local import LocalWorkspace
from brickyard.local.api import content
from brickyard.local.api.errors import ApiError
from brickyard.local.files.workspace import Content, Entry, Kind, WorkspaceFiles

HEADER = b"# Databricks notebook source\n"
NOTEBOOK = HEADER + b"print(1)\n\n# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC select 1\n"
JUPYTER = json.dumps(
    {
        "cells": [
            {"cell_type": "code", "source": ["select 1"], "metadata": {}, "outputs": [], "execution_count": None}
        ],
        "metadata": {"application/vnd.databricks.v1+notebook": {"language": "sql"}},
        "nbformat": 4,
        "nbformat_minor": 0,
    }
).encode()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[WorkspaceFiles]:
    found = WorkspaceFiles(tmp_path, "owner@local")
    yield found
    found.close()


@pytest.mark.parametrize(
    ("path", "data", "stored"),
    [
        ("/a.py", NOTEBOOK, ("/a", Kind.NOTEBOOK, "PYTHON", "SOURCE")),
        ("/a.py", b"\xef\xbb\xbf" + NOTEBOOK, ("/a", Kind.NOTEBOOK, "PYTHON", "SOURCE")),
        ("/a.py", NOTEBOOK.replace(b"\n", b"\r\n"), ("/a", Kind.NOTEBOOK, "PYTHON", "SOURCE")),
        ("/a.SQL", b"-- Databricks notebook source\nselect 1", ("/a", Kind.NOTEBOOK, "SQL", "SOURCE")),
        ("/a.scala", b"// Databricks notebook source", ("/a", Kind.NOTEBOOK, "SCALA", "SOURCE")),
        ("/a.ipynb", JUPYTER, ("/a", Kind.NOTEBOOK, "SQL", "JUPYTER")),
        ("/a.py", b"print(1)\n", ("/a.py", Kind.FILE, None, None)),
        ("/a.sql", HEADER, ("/a.sql", Kind.FILE, None, None)),
        ("/a.b.txt", NOTEBOOK, ("/a.b.txt", Kind.FILE, None, None)),
        ("/a", NOTEBOOK, ("/a", Kind.FILE, None, None)),
    ],
)
def test_auto_decides_by_extension_and_first_line(path: str, data: bytes, stored: tuple[object, ...]):
    name, found = content.imported(path, data, "AUTO", None)
    assert (name, found.kind, found.language, found.format) == stored
    assert found.data == data


def test_source_keeps_the_name_and_adds_the_missing_first_line():
    name, found = content.imported("/a.py", b"print(1)\n", "SOURCE", "PYTHON")
    assert (name, found.kind, found.data) == ("/a.py", Kind.NOTEBOOK, HEADER + b"print(1)\n")


@pytest.mark.parametrize(
    ("data", "format_", "language", "code"),
    [
        (b"x", "SOURCE", None, "INVALID_PARAMETER_VALUE"),
        (b"x", "SOURCE", "COBOL", "INVALID_PARAMETER_VALUE"),
        (b"x", "NONSENSE", None, "INVALID_PARAMETER_VALUE"),
        (b"{not json", "JUPYTER", None, "INVALID_PARAMETER_VALUE"),
        (b"[1]", "JUPYTER", None, "INVALID_PARAMETER_VALUE"),
        (b"PK", "DBC", None, "NOT_IMPLEMENTED"),
    ],
)
def test_what_cannot_be_imported_is_refused(data: bytes, format_: str, language: str | None, code: str):
    with pytest.raises(ApiError) as refused:
        content.imported("/a", data, format_, language)
    assert refused.value.error_code == code


@given(data=st.binary(max_size=200))
def test_what_is_imported_as_a_file_comes_back_byte_for_byte(data: bytes, tmp_path_factory: pytest.TempPathFactory):
    files = WorkspaceFiles(tmp_path_factory.mktemp("files"), "owner@local")
    files.write("/Shared/x.bin", Content(data), "owner@local")
    entry = files.status("/Shared/x.bin")
    assert content.exported(entry, files.read(entry.path), "AUTO") == (data, "bin")
    files.close()


def test_workspace_is_a_name_of_the_root(files: WorkspaceFiles):
    files.write("/Workspace/Shared/x", Content(b"1"), "owner@local")
    assert [files.status(p).path for p in ("/Shared/x", "/Workspace/Shared/x", "/Workspace")] == [
        "/Shared/x",
        "/Shared/x",
        "/",
    ]


def test_the_owners_folder_exists_and_is_protected(files: WorkspaceFiles):
    assert files.status("/Users/owner@local").kind is Kind.DIRECTORY
    with pytest.raises(ApiError) as refused:
        files.delete("/Users/owner@local", recursive=True)
    assert refused.value.error_code == "DIRECTORY_PROTECTED"


def test_identifiers_are_kept_when_content_is_replaced(files: WorkspaceFiles):
    first = files.write("/Shared/x", Content(b"1"), "owner@local")
    second = files.write("/Shared/x", Content(b"22"), "owner@local", overwrite=True)
    assert (second.object_id, second.created_at, second.size) == (first.object_id, first.created_at, 2)


def test_an_object_is_not_overwritten_unless_asked_nor_by_another_kind(files: WorkspaceFiles):
    files.write("/Shared/x", Content(b"1"), "owner@local")
    with pytest.raises(ApiError) as there:
        files.write("/Shared/x", Content(b"2"), "owner@local")
    notebook = Content(NOTEBOOK, Kind.NOTEBOOK, "PYTHON", "SOURCE")
    with pytest.raises(ApiError) as other:
        files.write("/Shared/x", notebook, "owner@local", overwrite=True)
    assert (there.value.error_code, other.value.error_code) == ("RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE")
    assert files.read("/Shared/x") == b"1"


def test_a_folder_must_exist_before_something_is_put_in_it(files: WorkspaceFiles):
    with pytest.raises(ApiError) as refused:
        files.write("/Shared/none/x", Content(b"1"), "owner@local")
    assert (refused.value.status, refused.value.error_code) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_deleting_a_folder_leaves_its_neighbours(files: WorkspaceFiles):
    for path in ("/Shared/a", "/Shared/a/b", "/Shared/ab", "/Shared/a.b"):
        files.mkdirs(path, "owner@local")
    files.write("/Shared/a/b/x", Content(b"1"), "owner@local")
    with pytest.raises(ApiError) as full:
        files.delete("/Shared/a")
    files.delete("/Shared/a", recursive=True)
    assert full.value.error_code == "DIRECTORY_NOT_EMPTY"
    assert [e.path for e in files.children("/Shared")] == ["/Shared/a.b", "/Shared/ab"]
    assert not files.local_path("/Shared/a").exists()


def test_the_tree_is_found_again_by_the_next_server(tmp_path: Path):
    files = WorkspaceFiles(tmp_path, "owner@local")
    written = files.write("/Shared/x", Content(b"1"), "owner@local")
    files.close()
    again = WorkspaceFiles(tmp_path, "owner@local")
    assert (again.status("/Shared/x"), again.read("/Shared/x")) == (written, b"1")
    again.close()


def test_a_source_notebook_exports_as_jupyter_and_back():
    entry = Entry(1, "/n", Kind.NOTEBOOK, "PYTHON", "SOURCE", 0, 0, 0, "")
    jupyter, suffix = content.exported(entry, NOTEBOOK, "JUPYTER")
    cells = ["".join(c["source"]) for c in json.loads(jupyter)["cells"]]
    assert (suffix, cells) == ("ipynb", ["print(1)", "%sql\nselect 1"])
    back = Entry(1, "/n", Kind.NOTEBOOK, "PYTHON", "JUPYTER", 0, 0, 0, "")
    assert content.exported(back, jupyter, "SOURCE") == (NOTEBOOK, "py")


def test_an_exported_page_escapes_the_code():
    entry = Entry(1, "/<b>", Kind.NOTEBOOK, "PYTHON", "SOURCE", 0, 0, 0, "")
    page, _ = content.exported(entry, HEADER + b"'<script>alert(1)</script>'\n", "HTML")
    assert b"<script>" not in page
    assert b"&lt;script&gt;" in page


def test_the_sdk_moves_notebooks_and_files_both_ways(shared: LocalWorkspace):
    client = shared.client()
    client.workspace.mkdirs("/Shared/both")
    client.workspace.upload("/Shared/both/n.py", NOTEBOOK, format=ImportFormat.AUTO)
    client.workspace.upload("/Shared/both/f é+%.txt", b"\x00\xff", format=ImportFormat.AUTO)
    client.workspace.import_(
        "/Shared/both/q",
        content=base64.b64encode(b"select 1").decode(),
        language=Language.SQL,
        format=ImportFormat.SOURCE,
    )
    found = {o.path: o.object_type for o in client.workspace.list("/Workspace/Shared/both")}
    assert found == {
        "/Shared/both/n": ObjectType.NOTEBOOK,
        "/Shared/both/f é+%.txt": ObjectType.FILE,
        "/Shared/both/q": ObjectType.NOTEBOOK,
    }
    assert client.workspace.download("/Shared/both/f é+%.txt").read() == b"\x00\xff"
    exported = client.workspace.export("/Shared/both/n", format=ExportFormat.SOURCE)
    assert base64.b64decode(exported.content or "") == NOTEBOOK


def test_errors_are_those_that_the_sdk_knows(shared: LocalWorkspace):
    client = shared.client()
    client.workspace.upload("/Shared/once", b"1", format=ImportFormat.AUTO)
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.upload("/Shared/once", b"1", format=ImportFormat.AUTO)
    with pytest.raises(NotFound):
        client.workspace.get_status("/Shared/never")
    with pytest.raises(InvalidParameterValue):
        client.workspace.get_status("/Shared/../etc")
    with pytest.raises(BadRequest):
        client.workspace.import_("/Shared/x", content="***", language=Language.SQL)
    with pytest.raises(DatabricksError):
        client.workspace.upload("/Shared/x", b"1")


def test_a_path_encoded_by_the_client_is_decoded_once(shared: LocalWorkspace):
    api = shared.client().api_client
    api.do(
        "POST",
        "/api/2.0/workspace-files/import-file/Shared%2Fw-1.0%2Blocal.whl",
        query={"overwrite": "true"},
        data=b"w",
    )
    assert shared.client().workspace.get_status("/Shared/w-1.0+local.whl").size == 1
    with pytest.raises(InvalidParameterValue):
        api.do("GET", "/api/2.0/workspace-files/Shared/%2e%2e/token")
