"""Draw docs/images/share-layout-*.png: the sample workbooks as LibreOffice prints them.

`.venv/bin/python docs/share_pictures.py` draws them; it needs LibreOffice Calc, pdftoppm (poppler) and convert (ImageMagick).
"""

from __future__ import annotations

import subprocess
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Literal, get_args

from openpyxl import load_workbook
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from brickyard.share.model.samples import sample

TARGET = Path(__file__).with_name("images")
Layout = Literal["A", "B", "C"]
WIDEST, WIDEST_OF_MANY, MANY = 46, 15, 10  # characters, and columns
A3, PERCENT = 8, 72


def run(*command: str, where: Path) -> None:
    """Run a program in a folder; raises CalledProcessError when it fails."""
    subprocess.run(command, cwd=where, check=True, capture_output=True, timeout=120)


def printable(sheet: Worksheet) -> None:
    """Let a sheet stand on one page, with its name, its grid and the names of its cells."""
    sheet.page_setup.orientation, sheet.page_setup.paperSize, sheet.page_setup.scale = "landscape", A3, PERCENT
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=False)
    sheet.page_margins = PageMargins(left=0.2, right=0.2)
    sheet.print_options.gridLines = sheet.print_options.headings = True
    sheet.oddHeader.left.text, sheet.oddHeader.left.size = "&A", 11
    sheet.oddHeader.center.text = sheet.oddFooter.center.text = " "
    widest = WIDEST_OF_MANY if sheet.max_column > MANY else WIDEST
    for size in sheet.column_dimensions.values():
        size.width = min(size.width, widest)
    for row in sheet.iter_rows():
        for cell in row:
            cell.comment = None


def draw(layout: Layout, folder: Path) -> None:
    """Draw one layout: its sheets below each other, cut to what is on them."""
    workbook = load_workbook(BytesIO(sample("xlsx", layout)))
    for sheet in workbook.worksheets:
        printable(sheet)
    workbook.save(folder / f"{layout}.xlsx")
    run("soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--convert-to", "pdf", f"{layout}.xlsx", where=folder)  # fmt: skip
    run("pdftoppm", "-r", "100", "-png", f"{layout}.pdf", f"{layout}-page", where=folder)
    pages = sorted(str(page) for page in folder.glob(f"{layout}-page*.png"))
    out = str(TARGET / f"share-layout-{layout.lower()}.png")
    cut = ("-trim", "+repage", "-bordercolor", "white", "-border", "12x10", "-gravity", "west")
    run("convert", *pages, *cut, "-append", "-colors", "32", out, where=folder)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for layout in get_args(Layout):
            draw(layout, Path(folder))
