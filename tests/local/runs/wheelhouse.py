"""Makes small wheels for tests, without a build tool."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ImportFormat


def wheel(
    name: str,
    modules: Mapping[str, str],
    points: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
    version: str = "1.0",
) -> bytes:
    """The bytes of a wheel, the same ones at any time: *modules* by their file, entry points by their name."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    commands = "".join(f"{point} = {target}\n" for point, target in (points or {}).items())
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file, text in modules.items():
            archive.writestr(zipfile.ZipInfo(file), text)
        archive.writestr(zipfile.ZipInfo(f"{info}/METADATA"), metadata)
        archive.writestr(
            zipfile.ZipInfo(f"{info}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(zipfile.ZipInfo(f"{info}/entry_points.txt"), f"[console_scripts]\n{commands}")
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "")
    return buffer.getvalue()


def put(client: WorkspaceClient, path: str, content: bytes) -> str:
    """Import a file and return its path."""
    client.workspace.mkdirs(path.rpartition("/")[0])
    text = base64.b64encode(content).decode()
    client.workspace.import_(path, content=text, format=ImportFormat.RAW, overwrite=True)
    return f"/Workspace{path}"
