"""Files that no parser may see: too large, of another kind, or archives that unpack to trouble."""

from __future__ import annotations

import time
import zlib
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.share.model.packs import refused

from brickyard.kernel.errors import NotFound, SpecInvalid
from brickyard.share.model.guards import read_guarded
from brickyard.share.model.parse import parse
from brickyard.share.model.samples import sample

WORKBOOK = sample("xlsx")


def rebuilt(*, without: str = "", method: int = ZIP_DEFLATED, **parts: bytes) -> bytes:
    """The sample workbook with parts added or replaced; `__` in a name is a slash, `_x_` a dot."""
    named = {name.replace("__", "/").replace("_x_", "."): content for name, content in parts.items()}
    stream = BytesIO()
    with ZipFile(BytesIO(WORKBOOK)) as old, ZipFile(stream, "w", method) as new:
        for part in old.namelist():
            if part not in named and part != without:
                new.writestr(part, old.read(part))
        for name, content in named.items():
            new.writestr(name, content)
    return stream.getvalue()


def archive(**parts: bytes) -> bytes:
    stream = BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as new:
        for name, content in parts.items():
            new.writestr(name, content)
    return stream.getvalue()


def reason(data: bytes, name: str = "pack.xlsx") -> str:
    """The one reason for which a file is refused before it is parsed."""
    with pytest.raises(SpecInvalid) as caught:
        parse(name, data)
    assert caught.value.error_code == "share-pack-file"
    (problem,) = caught.value.problems
    assert problem.where == name
    return problem.message


def part(name: str) -> bytes:
    with ZipFile(BytesIO(WORKBOOK)) as workbook:
        return workbook.read(name)


XML = b'<?xml version="1.0"?>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n", "the file is empty"),
        (b"%PDF-1.7 x", "this is a PDF, not a share pack"),
        (b"\x1f\x8b\x08xx", "this is a gzip archive, not a share pack"),
        (b"PK\x05\x06" + bytes(18), "this is an archive, not a share pack"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "this is a workbook of Excel 97–2003 (.xls)"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99) + "EncryptedPackage".encode("utf-16-le"),
            "the workbook is protected by a password",
        ),
        (b"a: b\n" * 220_000, "the file has 1,100,000 bytes, at most 1,048,576 are read"),
        (b"PK\x03\x04" + bytes(6_000_000), "the file has 6,000,004 bytes, at most 5,242,880 are read"),
        (archive(a=b"x"), "this is an archive, but not an Excel workbook"),
    ],
)
def test_a_file_of_another_kind_or_size_is_refused_whatever_its_name(data: bytes, message: str):
    assert {reason(data, "pack.xlsx"), reason(data, "pack.yaml")} == {message}


@pytest.mark.parametrize("data", [b"\x00K\x03\x04\xff", bytes(100), b"metadata:\0"])
def test_a_workbook_whose_beginning_is_lost_is_damaged_and_no_text_in_a_wrong_encoding(data: bytes):
    assert reason(data, "Pack.XLSX") == "the workbook is damaged: it does not begin as an .xlsx file does"


def test_a_workbook_is_known_by_its_content_and_its_wrong_name_is_told():
    parsed = parse("pack.yaml", WORKBOOK)
    assert parsed.file_format == "xlsx"
    assert parsed.warnings == ("pack.yaml: the file holds an Excel workbook, which its name does not say",)


def test_a_csv_named_yaml_is_refused_as_csv():
    assert "CSV" in refused("name;type\nacme;D2O\n")[0].message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (rebuilt(xl__vbaProject_x_bin=b"x"), "the workbook has macros"),
        (
            rebuilt(
                **{"[Content_Types].xml": part("[Content_Types].xml").replace(b"sheet.main", b"macroEnabled.main")}
            ),
            "the workbook has macros",
        ),
        (rebuilt(**{"../evil.xml": b"x"}), "the workbook's archive leaves its folder: '../evil.xml'"),
        (rebuilt(**{"/etc/x": b"x"}), "the workbook's archive leaves its folder: '/etc/x'"),
        (rebuilt(xl__embeddings__a_x_zip=b"x"), "the workbook holds another archive, 'xl/embeddings/a.zip'"),
        (rebuilt(xl__embeddings__a_x_bin=archive(a=b"x")), "the workbook holds another file, 'xl/embeddings/a.bin'"),
        (
            rebuilt(xl__sharedStrings_x_xml=XML + b'<!DOCTYPE x [<!ENTITY a "aaaa">]><sst>&a;</sst>'),
            "the part 'xl/sharedStrings.xml' declares a document type or entities, which workbooks do not have",
        ),
        (
            rebuilt(docProps__other_x_xml="<!DOCTYPE x []><x/>".encode("utf-16")),
            "the part 'docProps/other.xml' is not written in UTF-8",
        ),
        (
            rebuilt(docProps__other_x_xml=b'<?xml version="1.0" encoding="UTF-7"?><x/>'),
            "the part 'docProps/other.xml' is not written in UTF-8",
        ),
        (
            rebuilt(xl__media__a_x_xml=bytes(11_000_000)),
            "the part 'xl/media/a.xml' unpacks to more than 100 times its size",
        ),
        (
            rebuilt(**{f"xl/media/{n}.bin": b"" for n in range(200)}),
            f"the workbook's archive has {200 + len(ZipFile(BytesIO(WORKBOOK)).namelist())} parts, at most 200 are read",
        ),
        (
            rebuilt(
                xl__worksheets__sheet4_x_xml=b"<worksheet>" + b"<row/>" * 5_001 + b"</worksheet>", method=ZIP_STORED
            ),
            "the part 'xl/worksheets/sheet4.xml' has 5,001 rows, at most 5,000 are read",
        ),
        (
            rebuilt(
                xl__worksheets__sheet4_x_xml=b"<worksheet>" + b"<c/>" * 100_001 + b"</worksheet>", method=ZIP_STORED
            ),
            None,
        ),
        (
            rebuilt(xl__worksheets__sheet4_x_xml=b'<worksheet><mergeCell ref="A1:XFD1048576"/></worksheet>'),
            "the part 'xl/worksheets/sheet4.xml' merges or links more than 10,000 cells",
        ),
        (
            rebuilt(xl__sheets__sheet4_x_xml=b'<worksheet><hyperlink x="1" ref="A1:A999999"/></worksheet>'),
            "the part 'xl/sheets/sheet4.xml' merges or links more than 10,000 cells",
        ),
    ],
)
def test_an_archive_that_unpacks_to_trouble_is_refused(data: bytes, message: str | None):
    found = reason(data)
    assert found == message or (message is None and "cells, at most 100,000 are read" in found)


def test_a_part_that_is_there_twice_is_refused():
    stream = BytesIO(WORKBOOK)
    with ZipFile(stream, "a") as workbook, pytest.warns(UserWarning, match="Duplicate"):
        workbook.writestr("xl/workbook.xml", b"<x/>")
    assert reason(stream.getvalue()) == "the workbook's archive holds a part twice"


def test_an_archive_that_says_less_than_it_unpacks_is_refused():
    bomb = bytes(2_000_000)
    data = rebuilt(xl__media__a_x_bin=bomb)
    lie = data.replace((2_000_000).to_bytes(4, "little"), (90_000).to_bytes(4, "little"))
    assert lie != data
    assert reason(lie).startswith("the workbook's archive is damaged")
    assert zlib.crc32(bomb[:90_000]) != zlib.crc32(bomb)


def test_an_encrypted_archive_is_refused():
    data = bytearray(WORKBOOK)
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert reason(bytes(data)) == "the workbook's archive is encrypted"


def test_a_zip_bomb_is_refused_in_a_moment():
    data = rebuilt(xl__worksheets__sheet1_x_xml=b"<c/>" * 12_000_000)
    began = time.monotonic()
    reason(data)
    assert time.monotonic() - began < 1


def test_a_file_of_200_mb_is_refused_without_reading_it_all(tmp_path: Path):
    path = tmp_path / "pack.yaml"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    began = time.monotonic()
    with pytest.raises(SpecInvalid, match="cannot be read as a share pack") as caught:
        read_guarded(path)
    assert caught.value.problems[0].message == "the file has 209,715,200 bytes, a share pack at most 5,242,880"
    assert time.monotonic() - began < 0.5


def test_a_file_is_read_whole_and_one_that_is_none_is_not_found(tmp_path: Path):
    path = tmp_path / "pack.xlsx"
    path.write_bytes(WORKBOOK)
    assert read_guarded(path) == WORKBOOK
    with pytest.raises(NotFound):
        read_guarded(tmp_path)


ANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHEETS = [name for name in ZipFile(BytesIO(WORKBOOK)).namelist() if name.startswith("xl/") and name.endswith(".xml")]


@ANY
@given(at=st.integers(0, len(WORKBOOK) - 1), put=st.binary(min_size=1, max_size=8))
def test_a_workbook_with_any_bytes_overwritten_is_read_or_refused(at: int, put: bytes):
    refused(WORKBOOK[:at] + put + WORKBOOK[at + len(put) :], "pack.xlsx")


@ANY
@given(name=st.sampled_from(SHEETS), at=st.floats(0, 1), cut=st.integers(0, 20), put=st.binary(max_size=8))
def test_a_workbook_with_any_part_damaged_is_read_or_refused(name: str, at: float, cut: int, put: bytes):
    content = part(name)
    start = int(at * len(content))
    refused(rebuilt(**{name: content[:start] + put + content[start + cut :]}), "pack.xlsx")


@ANY
@given(
    name=st.sampled_from(SHEETS),
    at=st.floats(0, 1),
    word=st.sampled_from([b'"1"', b'"x"', b'""', b'"99999999"', b'"A1"']),
)
def test_a_workbook_with_any_attribute_changed_is_read_or_refused(name: str, at: float, word: bytes):
    import re

    content = part(name)
    found = list(re.finditer(rb'"[^"]*"', content))
    one = found[min(int(at * len(found)), len(found) - 1)]
    refused(rebuilt(**{name: content[: one.start()] + word + content[one.end() :]}), "pack.xlsx")
