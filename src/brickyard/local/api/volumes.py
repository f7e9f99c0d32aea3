"""The Files API: files and folders of volumes, streamed by path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from starlette.responses import FileResponse, Response

from brickyard.local.api.errors import ApiError, invalid, missing
from brickyard.local.api.paging import page
from brickyard.local.api.routes import Answer, Call, JsonObject, Router
from brickyard.local.api.tokens import Principal
from brickyard.local.files.folder import FileInfo, Folder
from brickyard.local.files.paths import parts_of

VolumeFolder = Callable[[Principal, tuple[str, str, str], bool], Folder]


@dataclass(frozen=True, slots=True)
class VolumeFiles:
    """Files of volumes; `open` checks what the principal may do and gives the volume's folder."""

    open: VolumeFolder

    def locate(self, call: Call, *, writing: bool) -> tuple[Folder, str]:
        """The folder of the volume that a request names, and the path in it."""
        path = "/" + call.params["path"]
        parts = parts_of(path)
        if len(parts) < 4 or parts[0] != "Volumes":
            raise invalid(f"Path must begin with /Volumes/<catalog>/<schema>/<volume>, not {path!r}.")
        folder = self.open(call.principal, (parts[1], parts[2], parts[3]), writing)
        return folder, "/" + "/".join(parts[4:])


router: Router[VolumeFiles] = Router()


@router.on("PUT", "/api/2.0/fs/files/{path:path}", operation="files.upload")
def upload(volumes: VolumeFiles, call: Call) -> Answer:
    """Write a file."""
    folder, path = volumes.locate(call, writing=True)
    folder.write(path, call.raw, overwrite=call.flag("overwrite"))
    return Response(status_code=204)


@router.on("GET", "/api/2.0/fs/files/{path:path}", operation="files.download")
def download(volumes: VolumeFiles, call: Call) -> Answer:
    """Read a file, or the range that was asked for."""
    folder, path = volumes.locate(call, writing=False)
    return FileResponse(folder.file(path), media_type="application/octet-stream")


@router.on("HEAD", "/api/2.0/fs/files/{path:path}", operation="files.get_metadata")
def metadata(volumes: VolumeFiles, call: Call) -> Answer:
    """Tell a file's size and time."""
    folder, path = volumes.locate(call, writing=False)
    stat = folder.file(path).stat()
    headers = {"content-length": str(stat.st_size), "last-modified": formatdate(stat.st_mtime, usegmt=True)}
    return Response(headers=headers, media_type="application/octet-stream")


@router.on("DELETE", "/api/2.0/fs/files/{path:path}", operation="files.delete")
def delete(volumes: VolumeFiles, call: Call) -> Answer:
    """Remove a file."""
    folder, path = volumes.locate(call, writing=True)
    folder.remove_file(path)
    return Response(status_code=204)


@router.on("PUT", "/api/2.0/fs/directories/{path:path}", operation="files.create_directory")
def create_directory(volumes: VolumeFiles, call: Call) -> Answer:
    """Make a folder and those above it."""
    folder, path = volumes.locate(call, writing=True)
    folder.mkdirs(path)
    return Response(status_code=204)


@router.on("GET", "/api/2.0/fs/directories/{path:path}", operation="files.list_directory_contents")
def list_directory(volumes: VolumeFiles, call: Call) -> Answer:
    """List a folder, page by page."""
    folder, path = volumes.locate(call, writing=False)
    return page(call, "contents", [_entry(row) for row in folder.children(path)], "page_size")


@router.on("HEAD", "/api/2.0/fs/directories/{path:path}", operation="files.get_directory_metadata")
def directory_metadata(volumes: VolumeFiles, call: Call) -> Answer:
    """Tell whether a folder exists."""
    folder, path = volumes.locate(call, writing=False)
    if not folder.info(path).is_directory:
        raise missing(f"{path} is not a directory.", "NOT_FOUND")
    return Response()


@router.on("DELETE", "/api/2.0/fs/directories/{path:path}", operation="files.delete_directory")
def delete_directory(volumes: VolumeFiles, call: Call) -> Answer:
    """Remove an empty folder."""
    folder, path = volumes.locate(call, writing=True)
    if path == "/":
        raise invalid("The root of a volume cannot be deleted.")
    folder.remove_folder(path)
    return Response(status_code=204)


@router.on("POST", "/api/2.0/fs/files/{path:path}", operation="files.initiate_upload")
def initiate_upload(volumes: VolumeFiles, call: Call) -> Answer:
    """Begin a large upload; the client then asks for a presigned URL, finds none and sends the file in one request."""
    volumes.locate(call, writing=True)
    return {"resumable_upload": {"session_token": "none"}}


@router.on(
    "POST",
    "/api/2.0/fs/create-download-url",
    "/api/2.0/fs/create-upload-part-urls",
    "/api/2.0/fs/create-resumable-upload-url",
    "/api/2.0/fs/create-abort-upload-url",
    operation="files.presigned_urls",
)
def presigned(volumes: VolumeFiles, call: Call) -> Answer:
    """Say that there are no presigned URLs, whereupon clients read and write through the Files API itself."""
    raise ApiError(404, "ENDPOINT_NOT_FOUND", "Presigned URLs are not served; use the Files API itself.")


def _entry(row: FileInfo) -> JsonObject:
    entry: JsonObject = {
        "path": row.path,
        "name": row.name,
        "is_directory": row.is_directory,
        "last_modified": row.modified,
    }
    return entry if row.is_directory else {**entry, "file_size": row.size}
