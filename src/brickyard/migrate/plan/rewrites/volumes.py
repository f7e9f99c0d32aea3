"""File paths of DBFS mounts become paths of the Volume that the pack names for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from brickyard.migrate.model import Condition, EditClass, Finding, Proposal, Severity
from brickyard.migrate.plan.rewrites.view import NotebookView
from brickyard.notebooks.model import Cell, CellEdit, Language, Span

RULE = "file-volumes"
_PATH = re.compile(r"""(?P<quote>["'`])(?P<path>(?:/dbfs/|dbfs:/|s3a?://|/mnt/)[^"'`\n]*)(?P=quote)""")


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose the Volume's path for each path literal under a mapped prefix; name the others in a finding."""
    setting = view.settings[RULE]
    volumes: Mapping[str, str] = setting.options.get("volumes") or {}
    for cell in view.notebook.cells:
        for span in _paths(cell):
            path = span.slice(cell.source)
            if _bare(path).startswith("/Volumes/"):
                continue
            volume = _volume_path(path, volumes)
            if volume is None:
                yield _unmapped(cell, span)
                continue
            yield Proposal(
                rule=RULE,
                edit_class=setting.edit_class,
                apply=setting.apply,
                reason=f"{path} lives in a Volume under Unity Catalog",
                hunks=(CellEdit(cell.index, span, volume),),
                conditions=(Condition("who reads the file looks in the Volume", None),),
            )


def _paths(cell: Cell) -> Iterator[Span]:
    if cell.language not in (Language.PYTHON, Language.SQL):
        return
    comment = "#" if cell.language is Language.PYTHON else "--"
    for match in _PATH.finditer(cell.source, cell.body.start, cell.body.end):
        line = cell.source[cell.source.rfind("\n", 0, match.start()) + 1 : match.start()]
        if not line.lstrip().startswith(comment):
            yield Span(*match.span("path"))


def _volume_path(path: str, volumes: Mapping[str, str]) -> str | None:
    """The path in the Volume of the longest mapped prefix, None where no prefix maps it."""
    bare = _bare(path)
    for prefix in sorted(volumes, key=lambda p: len(_bare(p)), reverse=True):
        start = _bare(prefix).rstrip("/")
        if bare == start or bare.startswith(start + "/"):
            return volumes[prefix].rstrip("/") + bare[len(start) :]
    return None


def _bare(path: str) -> str:
    """A DBFS path without its scheme or mount point, so that /dbfs/mnt/x, dbfs:/mnt/x and /mnt/x are one."""
    for start in ("dbfs:", "/dbfs"):
        if path.startswith(start + "/"):
            return path[len(start) :]
    return path


def _unmapped(cell: Cell, span: Span) -> Proposal:
    path = span.slice(cell.source)
    return Proposal(
        rule=RULE,
        edit_class=EditClass.ADVICE,
        apply=False,
        reason="no Volume is named for this path",
        hunks=(),
        findings=(
            Finding(
                code="path-unmapped",
                severity=Severity.WARN,
                message=f"{path} is a DBFS or bucket path, which Unity Catalog does not govern",
                remedy="name the Volume for its prefix under `paths` in the rule pack",
                cell=cell.index,
                line=cell.source.count("\n", 0, span.start) + 1,
                subject=path,
            ),
        ),
    )
