"""Brickyard's own wheel, made from the package that runs, so that a job can be given what is being demonstrated."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_NAME = "brickyard"
_LEFT_OUT = ("__pycache__",)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal files make equal wheels


def build(folder: Path) -> Path:
    """Write the wheel into *folder* and return its path."""
    version = metadata.version(_NAME)
    info = f"{_NAME}-{version}.dist-info"
    held = {f"{_NAME}/{name}": data for name, data in _files(files(_NAME), "")}
    held |= {f"{info}/{name}": text.encode() for name, text in _described().items()}
    held[f"{info}/RECORD"] = _record(held, f"{info}/RECORD").encode()
    path = folder / f"{_NAME}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in held.items():
            wheel.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return path


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            if entry.name not in _LEFT_OUT:
                yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_bytes()


def _described() -> dict[str, str]:
    found = metadata.distribution(_NAME)
    points = [point for point in found.entry_points if point.group == "console_scripts"]
    scripts = "".join(f"{point.name} = {point.value}\n" for point in points)
    return {
        "METADATA": found.read_text("METADATA") or "",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: brickyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": f"[console_scripts]\n{scripts}",
    }


def _record(held: dict[str, bytes], itself: str) -> str:
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in held.items()]
    return "\n".join([*lines, f"{itself},,", ""])


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
