"""The workspace API: folders, notebooks and files by path."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import quote

from starlette.responses import Response

from brickyard.local.api import content
from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_text
from brickyard.local.files.workspace import Entry, Kind, WorkspaceFiles, workspace_path

MAX_JSON_CONTENT = 10 * 1024 * 1024
router: Router[WorkspaceFiles] = Router()


@router.on("POST", "/api/2.0/workspace/import", operation="workspace.import")
def import_(files: WorkspaceFiles, call: Call) -> Answer:
    """Store a notebook or file, sent as base64 in JSON or as a multipart form."""
    fields: Mapping[str, object] = call.form or call.body()
    path = field_text(fields, "path")
    path, stored = content.imported(
        path=workspace_path(path),
        data=_content(fields),
        format_=field_text(fields, "format", "SOURCE"),
        language=field_text(fields, "language", "") or None,
    )
    files.write(path, stored, call.principal.name, overwrite=str(fields.get("overwrite", "")).lower() == "true")
    return {}


@router.on("GET", "/api/2.0/workspace/export", operation="workspace.export")
def export(files: WorkspaceFiles, call: Call) -> Answer:
    """Give back a notebook or file: base64 in JSON, or its bytes with `direct_download`."""
    entry = files.status(call.text("path"))
    if entry.kind is Kind.DIRECTORY:
        raise invalid(f"Path ({entry.path}) is a folder; export the objects in it one by one.")
    data, suffix = content.exported(entry, files.read(entry.path), call.text("format", "SOURCE"))
    if call.flag("direct_download"):
        name = quote(entry.path.rpartition("/")[2] + (f".{suffix}" if suffix else ""))
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(data, headers=headers, media_type="application/octet-stream")
    return {"content": base64.b64encode(data).decode(), "file_type": suffix}


@router.on("GET", "/api/2.0/workspace/list", operation="workspace.list")
def list_(files: WorkspaceFiles, call: Call) -> Answer:
    """List a folder."""
    after = call.number("notebooks_modified_after", 0)
    found = [e for e in files.children(call.text("path")) if e.kind is not Kind.NOTEBOOK or e.modified_at >= after]
    return {"objects": [object_info(e) for e in found]} if found else {}


@router.on("GET", "/api/2.0/workspace/get-status", operation="workspace.get_status")
def get_status(files: WorkspaceFiles, call: Call) -> Answer:
    """Describe what stands at a path."""
    return object_info(files.status(call.text("path")))


@router.on("POST", "/api/2.0/workspace/mkdirs", operation="workspace.mkdirs")
def mkdirs(files: WorkspaceFiles, call: Call) -> Answer:
    """Make a folder and those above it."""
    files.mkdirs(field_text(call.body(), "path"), call.principal.name)
    return {}


@router.on("POST", "/api/2.0/workspace/delete", operation="workspace.delete")
def delete(files: WorkspaceFiles, call: Call) -> Answer:
    """Remove an object; a folder that holds something only with `recursive`."""
    body = call.body()
    files.delete(field_text(body, "path"), recursive=body.get("recursive") is True)
    return {}


@router.on("POST", "/api/2.0/workspace-files/import-file/{path:path}", operation="workspace.import_file")
def import_file(files: WorkspaceFiles, call: Call) -> Answer:
    """Store the body as the command-line client does: a notebook when its first line says so, else a file."""
    path, stored = content.imported(workspace_path("/" + call.params["path"]), call.raw, "AUTO", None)
    overwrite = call.flag("overwrite")
    try:
        files.write(path, stored, call.principal.name, overwrite=overwrite)
    except ApiError as error:
        if error.error_code == "RESOURCE_ALREADY_EXISTS":
            raise ApiError(409, error.error_code, error.message) from error
        raise
    return {}


@router.on("GET", "/api/2.0/workspace-files/{path:path}", operation="workspace.read_file")
def read_file(files: WorkspaceFiles, call: Call) -> Answer:
    """Give back the bytes of a file."""
    return Response(files.read("/" + call.params["path"]), media_type="application/octet-stream")


def object_info(entry: Entry) -> JsonObject:
    """An object as the workspace API describes it."""
    info: JsonObject = {
        "object_id": entry.object_id,
        "resource_id": str(entry.object_id),
        "object_type": entry.kind.value,
        "path": entry.path,
        "created_at": entry.created_at,
        "modified_at": entry.modified_at,
    }
    if entry.language:
        info["language"] = entry.language
    if entry.kind is Kind.FILE:
        info["size"] = entry.size
    return info


def _content(fields: Mapping[str, object]) -> bytes:
    value = fields.get("content", "")
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise invalid("content must be base64 text")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"content is not base64: {error}") from error
    if len(data) > MAX_JSON_CONTENT:
        raise ApiError(
            400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"Size exceeds {MAX_JSON_CONTENT} bytes; upload it as a multipart form."
        )
    return data
