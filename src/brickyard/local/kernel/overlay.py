"""Lays an environment's modules over what this process has imported already."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from json import dump, load
from pathlib import Path
from types import ModuleType

_AGAIN = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from brickyard.local.kernel import overlay; sys.exit(overlay.resume(int(sys.argv[2])))"
)
_SOURCE = Path(__file__).parents[3]
_KERNEL = "brickyard.local"  # the code that runs the task stays itself, also when its own wheel is laid over it


def enter(site: Path) -> None:
    """Import from *site* first, also what was imported from elsewhere: such modules are forgotten."""
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    for name in _tops(site):
        module = sys.modules.get(name)
        if module is None:
            continue
        if _is_portion(site, name):
            _join(module, site / name)
        else:
            for loaded in _family(name):
                del sys.modules[loaded]


def needs_fresh(site: Path) -> bool:
    """Whether *site* replaces a loaded module of compiled code, which one process can load only once."""
    return any(
        str(getattr(sys.modules[loaded], "__file__", None) or "").endswith(tuple(EXTENSION_SUFFIXES))
        for name in _tops(site)
        if name in sys.modules and not _is_portion(site, name)
        for loaded in _family(name)
    )


def restart(order: Mapping[str, object]) -> None:
    """Become a new interpreter that has imported nothing, and go on with *order* there; it does not return."""
    with tempfile.TemporaryFile("w+") as handed:
        dump(order, handed)
        handed.seek(0)
        os.set_inheritable(handed.fileno(), True)
        command = [sys.executable, "-P", "-c", _AGAIN, str(_SOURCE), str(handed.fileno())]
        os.execve(sys.executable, command, {**os.environ, "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"})  # noqa: S606 - no shell is wanted


def resume(descriptor: int) -> int:
    """In the new interpreter: run the order that was handed over."""
    from brickyard.local.kernel import process

    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, encoding="utf-8") as handed:
        order = load(handed)
    return process.run(order)


def _tops(site: Path) -> Iterator[str]:
    """The names of the modules and packages directly in *site*."""
    for entry in site.iterdir():
        name = entry.name.partition(".")[0]
        if name.isidentifier() and (entry.is_dir() or entry.suffix in (".py", *EXTENSION_SUFFIXES, ".so", ".pyd")):
            yield name


def _is_portion(site: Path, name: str) -> bool:
    """Whether *site* has only a part of a package that others share, such as `databricks`."""
    return (site / name).is_dir() and not (site / name / "__init__.py").exists()


def _join(module: ModuleType, folder: Path) -> None:
    """Let a package that is imported already find its part in *folder*."""
    if hasattr(module, "__path__"):
        module.__path__ = [str(folder), *module.__path__]


def _family(name: str) -> list[str]:
    family = [loaded for loaded in sys.modules if loaded == name or loaded.startswith(f"{name}.")]
    return [loaded for loaded in family if loaded != _KERNEL and not loaded.startswith(f"{_KERNEL}.")]
