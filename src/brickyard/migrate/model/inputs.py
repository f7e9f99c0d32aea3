"""What a user hands to `migrate plan` beside the rule pack: notebooks, table mappings, parameters, options."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path, PurePosixPath

from brickyard.kernel.errors import NotFound, Problem, SpecInvalid
from brickyard.kernel.names import TableName
from brickyard.migrate.model.pack import RulePack, version

MAPPING_COLUMNS = ("workspace_name", "catalog_name", "src_schema", "dst_schema", "src_table", "dst_table")
MAX_BYTES = 10 * 1024 * 1024
"""The largest notebook that is planned; Databricks itself imports none above 10 MB."""
_RUN = re.compile(r"%run\s+[\"']?(\.[^\s\"'\\]+)")
SUFFIXES = (".py", ".sql", ".ipynb", ".scala", ".r", ".dbc")


@dataclass(frozen=True, slots=True)
class TableMapping:
    """One row of a mapping file: the legacy table becomes *target*; `where` is the row's file and line."""

    target: TableName
    where: str


Mappings = Mapping[tuple[str, str], TableMapping]
"""Table mappings by lower-case schema and table."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How to plan: the pack, mappings on top of it, widget values, and what to leave out.

    *params* are widget values by name; *schema* is the current schema of notebooks that do not say `USE`; *skip* holds
    ids of edits (or of their groups) that are not to be applied.
    """

    pack: RulePack
    mappings: Mappings = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    schema: str | None = None
    dbr: str | None = None
    skip: frozenset[str] = frozenset()
    require_proof: bool = False

    @property
    def runtime(self) -> str:
        """The Databricks Runtime version to write for."""
        return self.dbr or self.pack.compute.dbr

    def checked(self) -> PlanOptions:
        """Return the options, or raise SpecInvalid where a value is no such thing."""
        version(self.runtime)
        return self


@dataclass(frozen=True, slots=True)
class Source:
    """One notebook file: its path relative to what was asked for, and its bytes."""

    path: str
    data: bytes


def parse_mapping(name: str, text: str) -> Mappings:
    """Parse a mapping CSV, or raise SpecInvalid with every fault at file:line."""
    reader = csv.reader(StringIO(text.removeprefix("\ufeff")))
    header = [column.strip().lower() for column in next(reader, [])]
    missing = [column for column in MAPPING_COLUMNS if column not in header]
    if missing:
        _refuse(name, [Problem(f"the column {column} is missing", f"{name}:1") for column in missing])
    found: dict[tuple[str, str], TableMapping] = {}
    problems: list[Problem] = []
    for row in reader:
        if any(cell.strip() for cell in row):
            problems += _add(found, dict(zip(header, map(str.strip, row), strict=False)), f"{name}:{reader.line_num}")
    if problems:
        _refuse(name, problems)
    return found


def _add(found: dict[tuple[str, str], TableMapping], row: Mapping[str, str], where: str) -> Iterator[Problem]:
    empty = [column for column in MAPPING_COLUMNS[1:] if not row.get(column)]
    if empty:
        yield Problem(f"{', '.join(empty)} is empty", where)
        return
    key = (row["src_schema"].lower(), row["src_table"].lower())
    if key in found:
        yield Problem(f"{'.'.join(key)} is mapped twice, first at {found[key].where}", where, "keep one of the rows")
        return
    found[key] = TableMapping(TableName(row["catalog_name"], row["dst_schema"], row["dst_table"]), where)


def _refuse(name: str, problems: Iterable[Problem]) -> None:
    raise SpecInvalid(
        f"{name} is not a table mapping",
        code="mapping-invalid",
        remedy=f"the columns are {', '.join(MAPPING_COLUMNS)}",
        problems=tuple(problems),
    )


def read_mapping(path: Path) -> Mappings:
    """Read a mapping CSV from disk."""
    return parse_mapping(str(path), _read_text(path, "mapping-invalid"))


def parse_params(pairs: Iterable[str]) -> dict[str, str]:
    """Parse `K=V` options, or raise SpecInvalid naming each that is none."""
    pairs = list(pairs)
    bad = [
        Problem(f"{pair!r} is not K=V", "--param") for pair in pairs if not pair.partition("=")[0] or "=" not in pair
    ]
    if bad:
        raise SpecInvalid("a parameter is not written K=V", code="param-invalid", problems=tuple(bad))
    return {key.strip(): value for key, _, value in (pair.partition("=") for pair in pairs)}


def read_params(path: Path) -> dict[str, str]:
    """Read widget values from a file: a JSON object, or lines of `K=V` (blank lines and `#` comments skipped)."""
    text = _read_text(path, "param-invalid")
    if text.lstrip().startswith("{"):
        return _json_params(path, text)
    lines = list(enumerate(text.splitlines(), 1))
    kept = [(number, line.strip()) for number, line in lines if line.strip() and not line.strip().startswith("#")]
    bad = [Problem(f"{line!r} is not K=V", f"{path}:{number}") for number, line in kept if "=" not in line]
    if bad:
        raise SpecInvalid(f"{path} does not hold K=V lines", code="param-invalid", problems=tuple(bad))
    return {key: value.strip() for key, value in parse_params(line for _, line in kept).items()}


def _json_params(path: Path, text: str) -> dict[str, str]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise SpecInvalid(f"{path} is not JSON", code="param-invalid", problems=(Problem(error.msg, where),)) from error
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def _read_text(path: Path, code: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist", code="input-missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecInvalid(f"{path} cannot be read as text: {error}", code=code) from error


def read_sources(path: Path) -> tuple[list[Source], list[Problem]]:
    """Read a notebook, or every notebook below a folder; files too large to plan come back as problems.

    Raises NotFound when *path* does not exist and SpecInvalid when a folder holds no notebook.
    """
    if not path.exists():
        raise NotFound(f"{path} does not exist", code="input-missing", remedy="give a notebook file or a folder")
    files = _notebooks(path) if path.is_dir() else [path]
    if not files:
        raise SpecInvalid(
            f"{path} holds no notebook", code="no-notebooks", remedy=f"notebooks end in {', '.join(SUFFIXES)}"
        )
    root = path if path.is_dir() else path.parent
    large = [file for file in files if file.stat().st_size > MAX_BYTES]
    sources = [Source(file.relative_to(root).as_posix(), file.read_bytes()) for file in files if file not in set(large)]
    return sources, [_too_large(file, root) for file in large]


def read_children(path: Path, source: Source) -> list[Source]:
    """Read the notebooks that the notebook at *path* runs by `%run`, at any depth, as far as they are on disk.

    Their paths are relative to the notebook's folder, steps above it left out.
    """
    found: dict[str, Source] = {}
    waiting = [(path, source)]
    while waiting:
        disk, asker = waiting.pop()
        for target in _RUN.findall(asker.data.decode("utf-8", "replace")):
            child = _on_disk(disk.parent / target)
            if child is not None:
                key = plain_path(PurePosixPath(asker.path).parent / target) + child.suffix
                if key not in found and key != source.path:
                    found[key] = Source(key, child.read_bytes())
                    waiting.append((child, found[key]))
    return list(found.values())


def _on_disk(path: Path) -> Path | None:
    candidates = (path, *(path.with_name(path.name + suffix) for suffix in SUFFIXES))
    return next((c for c in candidates if c.suffix and c.is_file() and c.stat().st_size <= MAX_BYTES), None)


def plain_path(path: PurePosixPath) -> str:
    """The path without `.` and `..`."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        elif part not in (".", "..", "/"):
            parts.append(part)
    return "/".join(parts)


def _notebooks(folder: Path) -> list[Path]:
    """Notebook files below *folder*, hidden folders left out, in the order of their paths."""
    found = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _too_large(file: Path, root: Path) -> Problem:
    size = file.stat().st_size / 1024 / 1024
    return Problem(
        f"the notebook has {size:.0f} MB; the limit is {MAX_BYTES // 1024 // 1024} MB",
        file.relative_to(root).as_posix(),
        "clear its outputs or split it",
    )
