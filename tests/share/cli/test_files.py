"""The packs of a folder or an archive."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from brickyard.kernel.errors import NotFound, SpecInvalid
from brickyard.share.cli import files
from brickyard.share.model.guards import XLSX_BYTES

CONTENT = {
    "b.yaml": b"b",
    "a/one.yml": b"a",
    "c.XLSX": b"c",
    "notes.txt": b"",
    ".hidden.yaml": b"",
    "~$open.xlsx": b"",
    "__MACOSX/b.yaml": b"",
}
FOUND = [("a/one.yml", b"a"), ("b.yaml", b"b"), ("c.XLSX", b"c")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in CONTENT.items():
        (tmp_path / "packs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packs" / name).write_bytes(data)
    return tmp_path / "packs"


def test_a_folder_holds_the_packs_at_any_depth(folder: Path):
    assert (files.is_batch(folder), files.packs(folder)) == (True, FOUND)


def test_an_archive_holds_the_same(folder: Path, tmp_path: Path):
    archive = tmp_path / "packs.ZIP"
    with ZipFile(archive, "w") as opened:
        for name, data in CONTENT.items():
            opened.writestr(name, data)
    assert (files.is_batch(archive), files.packs(archive)) == (True, FOUND)


def test_a_workbook_is_one_pack_though_it_is_an_archive(tmp_path: Path):
    assert not files.is_batch(tmp_path / "pack.xlsx")


def test_a_bomb_in_an_archive_is_unpacked_just_far_enough_to_be_refused(tmp_path: Path):
    archive = tmp_path / "bomb.zip"
    with ZipFile(archive, "w", compression=8) as opened:
        opened.writestr("bomb.yaml", b"#" * (XLSX_BYTES * 4))
    ((name, data),) = files.packs(archive)
    assert (name, len(data)) == ("bomb.yaml", XLSX_BYTES + 1)


def test_nothing_to_apply_is_said(tmp_path: Path):
    with pytest.raises(SpecInvalid, match="no share pack"):
        files.packs(tmp_path)
    with pytest.raises(NotFound):
        files.packs(tmp_path / "nowhere")
    (tmp_path / "no.zip").write_bytes(b"no archive")
    with pytest.raises(SpecInvalid) as refused:
        files.packs(tmp_path / "no.zip")
    assert refused.value.error_code == "no-packs"
