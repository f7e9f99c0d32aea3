"""A workbook that LibreOffice has written says the same as the one that it has read."""

from __future__ import annotations

import shutil
import subprocess
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook

from brickyard.share.model.excel_out import Layout, to_xlsx
from brickyard.share.model.pack import SharePack
from brickyard.share.model.parse import parse
from brickyard.share.model.samples import sample

SOFFICE = shutil.which("soffice")
MINUTES = 3

LAYOUTS: tuple[Layout, ...] = ("A", "B", "C")
absent = pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed (Debian: libreoffice-calc)")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose LibreOffice profile all tests share."""
    return tmp_path_factory.mktemp("libreoffice")


def written_by_libreoffice(folder: Path, name: str, data: bytes) -> bytes:
    """Open a workbook as a spreadsheet of LibreOffice's own, and save that as .xlsx."""
    (folder / f"{name}.xlsx").write_bytes(data)
    _convert(folder, f"{name}.xlsx", "ods", folder)
    _convert(folder, f"{name}.ods", "xlsx", folder / "written")
    return (folder / "written" / f"{name}.xlsx").read_bytes()


def _convert(folder: Path, source: str, kind: str, target: Path) -> None:
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [str(SOFFICE), profile, "--headless", "--convert-to", kind, "--outdir", str(target), source]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=MINUTES * 60)


def application(data: bytes) -> str:
    """The program that wrote a workbook, as its properties name it."""
    with ZipFile(BytesIO(data)) as archive:
        return archive.read("docProps/app.xml").decode()


@absent
@pytest.mark.full
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sample_that_libreoffice_has_saved_parses_to_the_same_pack(folder: Path, layout: Layout):
    saved = written_by_libreoffice(folder, f"sample-{layout}", sample("xlsx", layout))
    found = parse("pack.xlsx", saved)
    assert "LibreOffice" in application(saved)
    assert (found.pack, found.warnings) == (parse("pack.yaml", sample("yaml")).pack, ())


def rich() -> SharePack:
    """The sample with more of the format: a date of its own, properties, a policy, an empty list, a text like a formula."""
    text = sample("yaml").decode()
    more = "    properties: {country: NL, tier: gold}\n    token_policy: {max_age_days: 60, overlap_hours: 0}\n"
    text = text.replace("    token_expiry: 90 ", f"{more}    expires_on: 2027-12-31\n    token_expiry: 90 ", 1)
    text = text.replace("comment: Globex, Databricks to Databricks", "comment: =Globex & 1 + 1")
    return parse("pack.yaml", text.encode()).pack


def with_a_date(data: bytes) -> bytes:
    """The workbook with `last_updated` as a date of Excel's own."""
    workbook, saved = load_workbook(BytesIO(data)), BytesIO()
    (cell,) = [cell for row in workbook.worksheets[0] for cell in row if cell.value == "2026-11-20"]
    cell.value = date(2026, 11, 20)
    workbook.save(saved)
    return saved.getvalue()


@absent
@pytest.mark.full
@pytest.mark.parametrize("layout", LAYOUTS)
def test_numbers_dates_and_texts_like_formulas_stay_what_they_are(folder: Path, layout: Layout):
    saved = written_by_libreoffice(folder, f"rich-{layout}", with_a_date(to_xlsx(rich(), layout)))
    kinds = {type(cell.value) for sheet in load_workbook(BytesIO(saved)) for row in sheet for cell in row}
    assert {int, datetime} <= kinds
    assert parse("pack.xlsx", saved).pack == rich()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_true_and_false_as_libreoffice_writes_them_are_no_formulas(layout: Layout):
    workbook, saved = load_workbook(BytesIO(sample("xlsx", layout))), BytesIO()
    for sheet in workbook.worksheets:
        for row in sheet:
            for cell in row:
                cell.value = f"={cell.value}()".upper() if isinstance(cell.value, bool) else cell.value
    workbook.save(saved)
    assert parse("pack.xlsx", saved.getvalue()).pack == parse("pack.yaml", sample("yaml")).pack
