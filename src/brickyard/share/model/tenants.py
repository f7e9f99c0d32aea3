"""Business lines with their regions and projects, read from a YAML, CSV or Excel file, every fault at once."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from typing import Any

from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.share.model import yaml_tree
from brickyard.share.model.guards import file_format
from brickyard.share.model.nodes import Fields, Items, Node, Scalar

COLUMNS = (
    "business_line",
    "short_name",
    "executive_team",
    "configurator_ad_group",
    "owner",
    "contact_email",
    "region",
    "workspace_url",
    "project",
    "approver",
    "configurator",
)
_REGIONS = ("AM", "EMEA")


@dataclass(slots=True)
class Line:
    """One business line while it is gathered; a project is who approves and who configures."""

    name: str
    fields: dict[str, str] = field(default_factory=dict)
    regions: dict[str, str] = field(default_factory=dict)
    projects: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    values: Mapping[str, str]


def read_tenants(name: str, data: bytes) -> tuple[Line, ...]:
    """Return the business lines of a file, by name; raises SpecInvalid with every fault at its line or row.

    A table has a row for each region or project, a YAML file a list below `tenants`, with `regions` and `projects` in each.
    """
    rows = list(_rows(name, data))
    faults = [fault for row in rows for fault in _faults(row)]
    if not rows:
        faults = [Problem("the file names no business line", where=name, remedy="write one row for each")]
    if faults:
        count = "one problem" if len(faults) == 1 else f"{len(faults)} problems"
        raise SpecInvalid(f"{name} cannot be imported: {count}", code="share-tenants-invalid", problems=tuple(faults))
    return _gathered(rows)


def _rows(name: str, data: bytes) -> Iterator[_Row]:
    if name.lower().endswith(".csv"):
        return _of_csv(name, data)
    return _of_workbook(name, data) if file_format(name, data) == "xlsx" else _of_yaml(name, data)


def _faults(row: _Row) -> Iterator[Problem]:
    for key in sorted(set(row.values) - set(COLUMNS)):
        yield Problem(f"{key!r} is not known", where=row.where, remedy=f"the columns are {', '.join(COLUMNS)}")
    if not row.values.get("business_line"):
        yield Problem("business_line is missing", where=row.where)
    region, url = row.values.get("region", ""), row.values.get("workspace_url", "")
    if bool(region) != bool(url):
        yield Problem("region and workspace_url belong together", where=row.where, remedy="give both, or none")
    if region and region.upper() not in _REGIONS:
        yield Problem(f"{region!r} is no region", where=row.where, remedy=f"write {' or '.join(_REGIONS)}")
    if url and not url.lower().startswith(("https://", "http://127.0.0.1", "http://localhost")):
        yield Problem(f"{url!r} is no address of a workspace", where=row.where, remedy="it begins with https://")


def _gathered(rows: Iterable[_Row]) -> tuple[Line, ...]:
    lines: dict[str, Line] = {}
    for row in rows:
        name = row.values["business_line"]
        line = lines.setdefault(name.casefold(), Line(name))
        line.fields |= {key: row.values[key] for key in COLUMNS[1:6] if row.values.get(key)}
        if row.values.get("region"):
            line.regions[row.values["region"].upper()] = row.values["workspace_url"].rstrip("/")
        if project := row.values.get("project"):
            line.projects[project] = (row.values.get("approver", ""), row.values.get("configurator", ""))
    return tuple(lines[key] for key in sorted(lines))


def _of_csv(name: str, data: bytes) -> Iterator[_Row]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecInvalid(f"{name} is not UTF-8", code="share-tenants-invalid", remedy="save it as UTF-8") from error
    for number, found in enumerate(csv.DictReader(StringIO(text)), 2):
        yield _Row(
            f"{name} line {number}", _texts((key, value) for key, value in found.items() if isinstance(key, str))
        )


def _of_workbook(name: str, data: bytes) -> Iterator[_Row]:
    from openpyxl import load_workbook

    sheet = load_workbook(BytesIO(data), read_only=True, data_only=True).worksheets[0]
    rows = sheet.iter_rows(values_only=True)
    header = [str(cell or "") for cell in next(rows, ())]
    for number, cells in enumerate(rows, 2):
        if any(cell is not None for cell in cells):
            yield _Row(f"{name} {sheet.title}!{number}", _texts(zip(header, cells, strict=False)))


def _texts(pairs: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """The cells of a row by the name of their column; empty ones and those without a name are left out."""
    named = ((key.strip().lower().replace(" ", "_"), str(value or "").strip()) for key, value in pairs)
    return {key: value for key, value in named if key and value}


def _of_yaml(name: str, data: bytes) -> Iterator[_Row]:
    tree, faults = yaml_tree.read(data)
    if tree is None or faults:
        found = tuple(
            Problem(fault.message, where=f"{name} {fault.place.text}" if fault.place else name) for fault in faults
        )
        raise SpecInvalid(f"{name} is not YAML that can be read", code="share-tenants-invalid", problems=found)
    listed = tree.entries.get("tenants") if isinstance(tree, Fields) else tree
    for item in listed.items if isinstance(listed, Items) else ():
        yield from _of_item(name, item)


def _of_item(name: str, item: Node) -> Iterator[_Row]:
    """A business line as rows: one of its own, one for each region, one for each project."""
    where = f"{name} {item.place.text}"
    data = _plain(item)
    if not isinstance(data, dict):
        yield _Row(where, {})
        return
    regions, projects = data.pop("regions", None) or {}, data.pop("projects", None) or []
    own = {key: _joined(value) for key, value in data.items()}
    line = {"business_line": own.get("business_line", "")}
    yield _Row(where, own)
    for region, url in regions.items() if isinstance(regions, dict) else ():
        yield _Row(where, {**line, "region": region, "workspace_url": _joined(url)})
    for project in projects if isinstance(projects, list) else ():
        said = (
            {key: _joined(value) for key, value in project.items()} if isinstance(project, dict) else {"name": project}
        )
        yield _Row(where, {**line, "project": said.pop("name", ""), **said})


def _plain(node: Node) -> Any:
    match node:
        case Fields():
            return {key: _plain(value) for key, value in node.entries.items()}
        case Items():
            return [_plain(value) for value in node.items]
        case Scalar():
            return node.text


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
