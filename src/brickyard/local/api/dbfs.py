"""DBFS: files in base64 blocks, by path."""

from __future__ import annotations

import base64
import binascii
import itertools
import threading
from dataclasses import dataclass, field

from brickyard.local.api.errors import ApiError, invalid, missing
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_number, field_text
from brickyard.local.files.folder import FileInfo, Folder

BLOCK = 1024 * 1024
_READ_LIMIT = 1024 * 1024


@dataclass(slots=True)
class Upload:
    """A file that is being written block by block."""

    path: str
    overwrite: bool
    principal: str
    blocks: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Dbfs:
    """The DBFS root and the uploads that are open."""

    folder: Folder
    uploads: dict[int, Upload] = field(default_factory=dict)
    handles: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def upload(self, call: Call) -> tuple[int, Upload]:
        """The open upload that a request names."""
        handle = field_number(call.body(), "handle")
        found = self.uploads.get(handle)
        if found is None or found.principal != call.principal.name:
            raise missing(f"No file is open under the handle {handle}.")
        return handle, found


router: Router[Dbfs] = Router()


@router.on("POST", "/api/2.0/dbfs/put", operation="dbfs.put")
def put(dbfs: Dbfs, call: Call) -> Answer:
    """Write a whole file."""
    fields: JsonObject = dict(call.form) if call.form else call.body()
    contents = fields.get("contents", "")
    data = contents if isinstance(contents, bytes) else _decoded(contents)
    overwrite = str(fields.get("overwrite", "")).lower() == "true"
    _write(dbfs, field_text(fields, "path"), data, overwrite)
    return {}


@router.on("POST", "/api/2.0/dbfs/create", operation="dbfs.create")
def create(dbfs: Dbfs, call: Call) -> Answer:
    """Open a file to write it in blocks."""
    body = call.body()
    upload = Upload(field_text(body, "path"), body.get("overwrite") is True, call.principal.name)
    if not upload.overwrite and dbfs.folder.place(upload.path).exists():
        raise _already(upload.path)
    with dbfs.lock:
        handle = next(dbfs.handles)
        dbfs.uploads[handle] = upload
    return {"handle": handle}


@router.on("POST", "/api/2.0/dbfs/add-block", operation="dbfs.add_block")
def add_block(dbfs: Dbfs, call: Call) -> Answer:
    """Append a block to an open file."""
    _, upload = dbfs.upload(call)
    upload.blocks.append(_decoded(call.body().get("data", "")))
    return {}


@router.on("POST", "/api/2.0/dbfs/close", operation="dbfs.close")
def close(dbfs: Dbfs, call: Call) -> Answer:
    """Store an open file."""
    handle, upload = dbfs.upload(call)
    _write(dbfs, upload.path, b"".join(upload.blocks), upload.overwrite)
    dbfs.uploads.pop(handle, None)
    return {}


@router.on("GET", "/api/2.0/dbfs/read", operation="dbfs.read")
def read(dbfs: Dbfs, call: Call) -> Answer:
    """Read a part of a file, 1 MB at most."""
    offset, length = call.number("offset", 0), call.number("length", _READ_LIMIT)
    if offset < 0 or length < 0:
        raise invalid("offset and length must not be negative.")
    with dbfs.folder.file(call.text("path")).open("rb") as stream:
        stream.seek(offset)
        data = stream.read(min(length, _READ_LIMIT))
    return {"bytes_read": len(data), "data": base64.b64encode(data).decode()}


@router.on("GET", "/api/2.0/dbfs/list", operation="dbfs.list")
def list_(dbfs: Dbfs, call: Call) -> Answer:
    """List a folder, or the file itself."""
    info = _found(dbfs, call.text("path"))
    rows = dbfs.folder.children(call.text("path")) if info.is_directory else [info]
    return {"files": [_info(row) for row in rows]} if rows else {}


@router.on("GET", "/api/2.0/dbfs/get-status", operation="dbfs.get_status")
def get_status(dbfs: Dbfs, call: Call) -> Answer:
    """Describe a file or folder."""
    return _info(_found(dbfs, call.text("path")))


@router.on("POST", "/api/2.0/dbfs/mkdirs", operation="dbfs.mkdirs")
def mkdirs(dbfs: Dbfs, call: Call) -> Answer:
    """Make a folder and those above it."""
    dbfs.folder.mkdirs(field_text(call.body(), "path"))
    return {}


@router.on("POST", "/api/2.0/dbfs/move", operation="dbfs.move")
def move(dbfs: Dbfs, call: Call) -> Answer:
    """Move a file or folder."""
    body = call.body()
    source = field_text(body, "source_path")
    _found(dbfs, source)
    dbfs.folder.move(source, field_text(body, "destination_path"))
    return {}


@router.on("POST", "/api/2.0/dbfs/delete", operation="dbfs.delete")
def delete(dbfs: Dbfs, call: Call) -> Answer:
    """Remove a file or folder; one that is not there is no error."""
    body = call.body()
    path = field_text(body, "path")
    if not dbfs.folder.place(path).exists():
        return {}
    if dbfs.folder.info(path).is_directory:
        dbfs.folder.remove_folder(path, recursive=body.get("recursive") is True)
    else:
        dbfs.folder.remove_file(path)
    return {}


def _found(dbfs: Dbfs, path: str) -> FileInfo:
    if not dbfs.folder.place(path).exists():
        raise missing(f"No file or directory exists on path {path}.")
    return dbfs.folder.info(path)


def _write(dbfs: Dbfs, path: str, data: bytes, overwrite: bool) -> None:
    if not overwrite and dbfs.folder.place(path).exists():
        raise _already(path)
    dbfs.folder.write(path, data, overwrite=overwrite)


def _already(path: str) -> ApiError:
    return ApiError(400, "RESOURCE_ALREADY_EXISTS", f"A file or directory already exists at the input path {path}.")


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise invalid("The contents must be base64 text.")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"The contents are not base64: {error}") from error
    if len(data) > BLOCK:
        raise ApiError(400, "MAX_BLOCK_SIZE_EXCEEDED", f"A block may have at most {BLOCK} bytes.")
    return data


def _info(row: FileInfo) -> JsonObject:
    return {
        "path": row.path or "/",
        "is_dir": row.is_directory,
        "file_size": row.size,
        "modification_time": row.modified,
    }
