"""What is looked at before any parser sees a file: its size, what it really is, and what its archive would unpack to."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Literal, NoReturn
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from brickyard.kernel.errors import NotFound, Problem, SpecInvalid

Format = Literal["yaml", "xlsx"]
YAML_BYTES = 1024 * 1024
XLSX_BYTES = 5 * 1024 * 1024
ENTRIES = 200
UNPACKED_BYTES = 50 * 1024 * 1024
RATIO = 100
"""How many times its packed size a part may unpack to, once it is larger than a small part."""
SHEETS = 20
ROWS = 5_000
COLUMNS = 100
CELLS = 100_000
_RANGE = 10_000
_REFERENCE = re.compile(rb"<(?:\w+:)?(?:mergeCell|hyperlink)\b[^>]*?\bref\s*=\s*[\"']([^\"']*)")
_SMALL_PART = 100 * 1024
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CHUNK = 64 * 1024
_ARCHIVES = (".zip", ".xlsx", ".xlsm", ".xlsb", ".docx", ".jar", ".gz", ".7z", ".rar", ".tar")
_WORKBOOKS = (".xlsx", ".xlsm", ".xls")
_OTHERS = {b"%PDF": "a PDF", b"\x1f\x8b": "a gzip archive", b"7z\xbc\xaf": "a 7z archive", b"\x89PNG": "a picture"}
_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_CELLS_OF = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7}):\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_MACROS = "the workbook has macros"


def read_guarded(path: Path) -> bytes:
    """Read a pack from disk, refusing one that is too large without reading it; raises NotFound and SpecInvalid."""
    try:
        if not path.is_file():
            raise NotFound(f"{path} is not a file", remedy="give the path of a share pack, .yaml or .xlsx")
        with path.open("rb") as file:
            data = file.read(XLSX_BYTES + 1)
            size = path.stat().st_size
    except OSError as error:
        raise SpecInvalid(f"{path} cannot be read: {error.strerror}", code="share-pack-file") from error
    if len(data) > XLSX_BYTES:
        _refuse(path.name, f"the file has {size:,} bytes, a share pack at most {XLSX_BYTES:,}", _SPLIT)
    return data


_SPLIT = "split it into several packs"


def file_format(name: str, data: bytes) -> Format:
    """Tell by its content what a file is, and guard it; raises SpecInvalid when it is not fit to be parsed."""
    if not data.strip():
        _refuse(name, "the file is empty")
    if data.startswith(_ZIP):
        _guard_size(name, data, XLSX_BYTES)
        _guard_workbook(name, data)
        return "xlsx"
    _guard_kind(name, data)
    _guard_size(name, data, YAML_BYTES)
    return "yaml"


def _guard_kind(name: str, data: bytes) -> None:
    if data.startswith(_OLE) and _ENCRYPTED in data[: XLSX_BYTES + 1]:
        _refuse(name, "the workbook is protected by a password", "save it without a password and send it again")
    if data.startswith(_OLE):
        _refuse(name, "this is a workbook of Excel 97–2003 (.xls)", "save it as an Excel workbook (.xlsx)")
    other = next((kind for start, kind in _OTHERS.items() if data.startswith(start)), None)
    if other or data.startswith(b"PK"):
        _refuse(name, f"this is {other or 'an archive'}, not a share pack", "send a .yaml or .xlsx file")
    if name.lower().endswith(_WORKBOOKS) and not _is_text(data):
        _refuse(name, "the workbook is damaged: it does not begin as an .xlsx file does", "save it again in Excel")


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data[: YAML_BYTES + 1].decode()
    except UnicodeDecodeError:
        return False


def _guard_size(name: str, data: bytes, limit: int) -> None:
    if len(data) > limit:
        _refuse(name, f"the file has {len(data):,} bytes, at most {limit:,} are read", _SPLIT)


def _guard_workbook(name: str, data: bytes) -> None:
    try:
        with ZipFile(BytesIO(data)) as archive:
            _guard_directory(name, archive.infolist())
            _guard_parts(name, archive)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise _refusal(name, f"the workbook's archive is damaged: {error}", "save it again in Excel") from error


def _guard_directory(name: str, parts: list[ZipInfo]) -> None:
    names = [part.filename for part in parts]
    if len(parts) > ENTRIES:
        _refuse(name, f"the workbook's archive has {len(parts)} parts, at most {ENTRIES} are read")
    if len(set(map(str.casefold, names))) != len(names):
        _refuse(name, "the workbook's archive holds a part twice")
    if sum(part.file_size for part in parts) > UNPACKED_BYTES:
        _refuse(name, f"the workbook unpacks to more than {UNPACKED_BYTES:,} bytes", _SPLIT)
    for part in parts:
        _guard_part(name, part)
    if "[Content_Types].xml" not in names or not any(entry.startswith("xl/") for entry in names):
        _refuse(name, "this is an archive, but not an Excel workbook", "send each share pack as .yaml or .xlsx")


def _guard_part(name: str, part: ZipInfo) -> None:
    path = PurePosixPath(part.filename)
    if ".." in path.parts or path.is_absolute() or "\\" in part.filename or ":" in part.filename:
        _refuse(name, f"the workbook's archive leaves its folder: {part.filename!r}")
    if part.flag_bits & 0x1:
        _refuse(name, "the workbook's archive is encrypted", "save it without a password and send it again")
    if part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        _refuse(name, f"the part {part.filename!r} is packed in a way that workbooks do not use")
    if part.file_size > _SMALL_PART and part.file_size > RATIO * max(part.compress_size, 1):
        _refuse(name, f"the part {part.filename!r} unpacks to more than {RATIO} times its size")
    if path.name.lower() == "vbaproject.bin":
        _refuse(name, _MACROS, "save it as an Excel workbook without macros (.xlsx)")
    if path.suffix.lower() in _ARCHIVES:
        _refuse(name, f"the workbook holds another archive, {part.filename!r}", "remove embedded files")


def _guard_parts(name: str, archive: ZipFile) -> None:
    """Unpack every part, counting what really comes out."""
    left, cells = UNPACKED_BYTES, 0
    for part in archive.infolist():
        content = _inflated(name, archive, part, left)
        left -= len(content)
        _guard_content(name, part.filename, content)
        cells += _cells(name, part.filename, content)  # a sheet may stand under any name
    if cells > CELLS:
        _refuse(name, f"the workbook has {cells:,} cells, at most {CELLS:,} are read", _SPLIT)


def _inflated(name: str, archive: ZipFile, part: ZipInfo, left: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > min(left, part.file_size):
                _refuse(name, f"the part {part.filename!r} unpacks to more than its archive says")
            chunks.append(chunk)
    return b"".join(chunks)


def _guard_content(name: str, part: str, content: bytes) -> None:
    if content.startswith((_ZIP, _OLE)):
        _refuse(name, f"the workbook holds another file, {part!r}", "remove embedded files")
    if not part.lower().endswith((".xml", ".rels", ".vml")):
        return
    encoding = _ENCODING.search(content[:200])
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00")) or (encoding and not _readable(encoding[1])):
        _refuse(name, f"the part {part!r} is not written in UTF-8", "save it again in Excel")
    if _DECLARATION.search(content):
        _refuse(name, f"the part {part!r} declares a document type or entities, which workbooks do not have")
    if part == "[Content_Types].xml" and b"macroEnabled" in content:
        _refuse(name, _MACROS, "save it as an Excel workbook without macros (.xlsx)")


def _readable(encoding: bytes) -> bool:
    return encoding.lower() in (b"utf-8", b"utf8", b"us-ascii", b"ascii")


def _cells(name: str, part: str, content: bytes) -> int:
    rows = _count(content, rb"<(?:\w+:)?row[\s>/]")
    if rows > ROWS:
        _refuse(name, f"the part {part!r} has {rows:,} rows, at most {ROWS:,} are read", _SPLIT)
    for reference in _REFERENCE.finditer(content):
        if _area(reference[1].decode("ascii", "replace")) > _RANGE:
            _refuse(name, f"the part {part!r} merges or links more than {_RANGE:,} cells", "undo that in Excel")
    return _count(content, rb"<(?:\w+:)?c[\s>/]") + _count(content, rb"<(?:\w+:)?mergeCell[\s>/]")


def _area(reference: str) -> int:
    """How many cells a range has, which the parser would make one by one; a range it cannot read counts as too many."""
    if ":" not in reference:
        return 1
    match = _CELLS_OF.fullmatch(reference)
    if match is None:
        return _RANGE + 1
    columns = abs(_column(match[3]) - _column(match[1])) + 1
    return columns * (abs(int(match[4]) - int(match[2])) + 1)


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _count(content: bytes, pattern: bytes) -> int:
    return sum(1 for _ in _matches(content, pattern))


def _matches(content: bytes, pattern: bytes) -> Iterator[re.Match[bytes]]:
    return re.finditer(pattern, content)


def _refuse(name: str, message: str, remedy: str | None = None) -> NoReturn:
    raise _refusal(name, message, remedy)


def _refusal(name: str, message: str, remedy: str | None = None) -> SpecInvalid:
    problem = Problem(message, where=name, remedy=remedy)
    return SpecInvalid(
        f"{name} cannot be read as a share pack", code="share-pack-file", remedy=remedy, problems=(problem,)
    )
