"""An Excel workbook as the tree that a YAML pack gives: the three layouts of packs, each value with its cell.

Layout A has a row for each asset of a share, B and C have a row for each share; A and B write metadata as fields and values, C as one
wide row. Lists and tags may be separated in any of their ways, and columns of one layout may stand in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from brickyard.share.model import excel_cells
from brickyard.share.model.excel_cells import Cells, Row, Sheet, folded
from brickyard.share.model.nodes import TOP, Fault, Fields, Items, Node, Place, Scalar
from brickyard.share.model.pack import Metadata
from brickyard.share.model.suggest import nearest

NONE = "[]"
"""What a cell says when its list is meant to be empty; an empty cell says nothing."""
_SEPARATORS = re.compile(r"[,;|\n]")
_PAIR = re.compile(r"[:=]")
_RECIPIENT_LISTS = ("recipient_ips", "recipient_ips_to_add", "recipient_ips_to_remove", "oidc_audiences")
_SHARE_LISTS = (
    "share_assets",
    "share_assets_to_add",
    "share_assets_to_remove",
    "recipients",
    "recipients_to_add",
    "recipients_to_remove",
    "tags",
)
_PIPELINE_LISTS = ("notification", "key_columns")
_OIDC = ("oidc_issuer", "oidc_subject_claim", "oidc_subject", "oidc_audiences")
_POLICY = ("max_age_days", "overlap_hours")
_DELTA = ("ext_catalog_name", "ext_schema_name", "prefix_assetname", "tags")
_ASSET = ("asset", "asset_type", "shared_as", "cdf", "history", "start_version")
_SAME: Mapping[str, Mapping[str, str]] = {
    "recipients": {"recipient_name": "name", "description": "comment"},
    "shares": {"share_name": "name", "description": "comment", "recipient": "recipients", "share_tags": "tags"},
    "pipelines": {
        "schedule_cron": "cron",
        "cron_expression": "cron",
        "schedule_timezone": "timezone",
        "cron_timezone": "timezone",
        "notifications": "notification",
        "pipeline_name": "name_prefix",
        "description": "comment",
    },
}
"""Other names of columns, by sheet."""


def read(data: bytes) -> tuple[Node | None, list[Fault], list[Fault]]:
    """Read a workbook that the guards let through: the tree, its faults and its warnings; no tree when it is damaged."""
    cells = excel_cells.read(data)
    if "metadata" not in cells.sheets:
        if not cells.faults:
            remedy = "the sheets are Metadata, Recipients, Shares and Pipelines"
            cells.faults.append(Fault((), "the sheet 'Metadata' is missing", remedy, TOP))
        return None, cells.faults, cells.warnings
    return _Workbook(cells).tree(), cells.faults, cells.warnings


class _Workbook:
    """Makes the tree; faults of the sheets' form are added to those of the cells."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def tree(self) -> Fields:
        shares = self._shares()
        parts: dict[str, tuple[Node, Place]] = {}
        metadata = self._cells.sheets["metadata"]
        parts["metadata"] = (_metadata(metadata), metadata.place)
        for key, kind, rows in (("recipient", "recipients", self._recipients()), ("share", "shares", shares)):
            if kind in self._cells.sheets:
                place = self._cells.sheets[kind].place
                parts[key] = (Items(tuple(rows), place), place)
        return Fields({k: node for k, (node, _) in parts.items()}, {k: place for k, (_, place) in parts.items()}, TOP)

    def _rows(self, kind: str) -> Iterator[Row]:
        sheet = self._cells.sheets.get(kind)
        for row in sheet.rows() if sheet is not None else ():
            yield _renamed(row, _SAME[kind])

    def _recipients(self) -> list[Fields]:
        return [self._recipient(row) for row in self._rows("recipients")]

    def _recipient(self, row: Row) -> Fields:
        entries = self._entries(row, _RECIPIENT_LISTS, ("properties",))
        _gather(entries, "oidc", {name: name.removeprefix("oidc_") for name in _OIDC}, row)
        _gather(entries, "token_policy", {name: name for name in _POLICY}, row)
        return _fields(entries, row)

    def _shares(self) -> list[Fields]:
        rows = list(self._rows("shares"))
        by_asset = any("asset" in row.values or "asset" in row.blank for row in rows)
        groups = _grouped(rows) if by_asset else [[row] for row in rows]
        shares = [self._share(group) for group in groups]
        return self._with_pipelines(shares)

    def _share(self, rows: list[Row]) -> Fields:
        """One share of one row, or of a row for each of its assets."""
        merged: dict[str, Node] = {}
        for row in rows:
            entries = self._entries(row, _SHARE_LISTS, ())
            self._asset(merged, entries, row)
            for key, node in entries.items():
                self._merge(merged, key, node)
        for key in ("share_assets", "recipients", "tags"):
            if key in merged and len(rows) > 1:
                merged[key] = _once(merged[key])
        _gather(merged, "delta_share", {name: name for name in _DELTA}, rows[0])
        return _fields(merged, rows[0])

    def _asset(self, merged: dict[str, Node], entries: dict[str, Node], row: Row) -> None:
        """Move a row's asset, with what is said about it, to the share's assets."""
        said = {key: entries.pop(key) for key in _ASSET if key in entries}
        if not said:
            return
        names = {"asset": "name", "asset_type": "type"}
        found = {names.get(key, key): node for key, node in said.items()}
        place = next(iter(said.values())).place
        asset = Fields(found, {key: node.place for key, node in found.items()}, place, row.blank)
        many = _split(found["name"]) if len(found) == 1 and isinstance(found.get("name"), Scalar) else None
        self._merge(merged, "share_assets", many or Items((asset,), place))

    def _merge(self, merged: dict[str, Node], key: str, node: Node) -> None:
        old = merged.get(key)
        if isinstance(old, Items) and isinstance(node, Items):
            merged[key] = Items((*old.items, *node.items), old.place)
        elif old is None:
            merged[key] = node
        elif key != "name" and _said(old) != _said(node):
            message = f"says {_said(node)!r}, another row of this share says {_said(old)!r}"
            self._cells.faults.append(Fault((), message, "say the same in each row, or only once", node.place))

    def _with_pipelines(self, shares: list[Fields]) -> list[Fields]:
        places = {_text(share, "name").casefold(): at for at, share in enumerate(shares)}
        found: dict[int, list[Fields]] = {}
        for row in self._rows("pipelines"):
            share = row.values.get("share_name")
            at = places.get(share.text.strip().casefold()) if share is not None else None
            if at is None:
                self._homeless(row, share, [_text(other, "name") for other in shares])
            else:
                found.setdefault(at, []).append(self._pipeline(row))
        return [_add(share, found[at]) if at in found else share for at, share in enumerate(shares)]

    def _homeless(self, row: Row, share: Scalar | None, names: list[str]) -> None:
        if share is None:
            place = row.blank.get("share_name", row.place)
            self._cells.faults.append(Fault((), "share_name is empty", "name the share that the pipeline feeds", place))
        elif share.value is not None:
            message = f"there is no share {share.text.strip()!r} in the pack"
            self._cells.faults.append(Fault((), message, nearest(share.text, names) if names else None, share.place))

    def _pipeline(self, row: Row) -> Fields:
        entries = self._entries(row, _PIPELINE_LISTS, ("tags",))
        del entries["share_name"]
        self._schedule(entries, row)
        name = entries.pop("asset_name", None)
        if name is not None and "source_asset" not in entries:
            entries["source_asset"] = name
        return _fields(entries, row)

    def _schedule(self, entries: dict[str, Node], row: Row) -> None:
        kind = entries.pop("schedule_type", None)
        word = kind.text.strip().lower() if isinstance(kind, Scalar) else ""
        if word not in ("", "cron", "continuous"):
            message = f"the schedule_type {word!r} is not known"
            self._cells.faults.append(Fault((), message, "write CRON or CONTINUOUS", _place(kind, row)))
        cron = entries.get("cron")
        if isinstance(cron, Scalar) and cron.text.strip().lower() == "continuous":
            kind, word = entries.pop("cron"), "continuous"
        if word == "continuous":
            entries["continuous"] = Scalar(True, "true", _place(kind, row))
        keys = {name: name for name in ("cron", "timezone", "continuous")}
        blank = {name: row.blank[name] for name in keys if name in row.blank}
        _gather(entries, "schedule", keys, row, blank)
        if "schedule" not in entries and word == "cron":
            entries["schedule"] = Fields({}, {}, _place(kind, row), blank)

    def _entries(self, row: Row, lists: Iterable[str], pairs: Iterable[str]) -> dict[str, Node]:
        entries: dict[str, Node] = dict(row.values)
        for key in lists:
            if key in row.values and row.values[key].value is not None:
                entries[key] = _split(row.values[key])
        for key in pairs:
            if key in row.values and row.values[key].value is not None:
                entries[key] = self._pairs(row.values[key])
        return entries

    def _pairs(self, cell: Scalar) -> Fields:
        """A mapping written `k:v, k:v`, `k:v;k:v` or `k=v|k=v`."""
        found: dict[str, Node] = {}
        for word in filter(None, map(str.strip, _SEPARATORS.split(cell.text))):
            key, *rest = _PAIR.split(word, maxsplit=1)
            if not rest or not key.strip():
                message = f"{word!r} is not a key and a value"
                self._cells.faults.append(Fault((), message, "write key:value, with commas between", cell.place))
            elif key.strip() in found:
                self._cells.faults.append(Fault((), f"the key {key.strip()!r} stands twice", "keep one", cell.place))
            else:
                found[key.strip()] = Scalar(rest[0].strip(), rest[0].strip(), cell.place, quoted=True)
        return Fields(found, dict.fromkeys(found, cell.place), cell.place)


def _metadata(sheet: Sheet) -> Fields:
    names = [name for info in Metadata.model_fields.items() for name in (info[0], info[1].alias) if name]
    header = sheet.names()
    wide = len(set(header.values()) & set(names)) > 1
    if wide:
        row = next(sheet.rows(), Row({}, {}, {}, sheet.at(2, 1)))
        return _fields(dict(row.values), row, sheet.place)
    entries: dict[str, Node] = {}
    heads: dict[str, Place] = {}
    blank: dict[str, Place] = {}
    for number, line in enumerate(sheet.lines, 1):
        name = folded(line[1].text) if 1 in line else ""
        if not name or (number == 1 and name not in names):
            continue
        if 2 in line:
            entries[name] = line[2]
            heads[name] = line[1].place
        else:
            blank[name] = sheet.at(number, 2)
    return Fields(entries, heads, sheet.place, blank)


def _renamed(row: Row, same: Mapping[str, str]) -> Row:
    values = {same.get(name, name): scalar for name, scalar in row.values.items() if same.get(name) not in row.values}
    blank = {same.get(name, name): place for name, place in row.blank.items() if same.get(name, name) not in values}
    heads = {same.get(name, name): place for name, place in row.heads.items() if same.get(name) not in row.heads}
    return Row(values, blank, heads, row.place)


def _grouped(rows: list[Row]) -> list[list[Row]]:
    """Rows of one share together, in the order of their first rows; a row without a name stands alone."""
    groups: dict[str, list[Row]] = {}
    for at, row in enumerate(rows):
        name = row.values["name"].text.strip().casefold() if "name" in row.values else f"\0{at}"
        groups.setdefault(name, []).append(row)
    return list(groups.values())


def _split(node: Node) -> Items:
    text = node.text if isinstance(node, Scalar) else ""
    words = [] if text.strip() == NONE else [word.strip() for word in _SEPARATORS.split(text)]
    return Items(tuple(Scalar(word, word, node.place, quoted=True) for word in words if word), node.place)


def _once(node: Node) -> Node:
    """A list in which what several rows say stands once."""
    if not isinstance(node, Items):
        return node
    found: dict[str, Node] = {}
    for item in node.items:
        found.setdefault(_said(item), item)
    return Items(tuple(found.values()), node.place)


def _said(node: Node) -> str:
    """What a node says, for comparison: a bare name and a mapping of nothing but the name say the same."""
    match node:
        case Scalar(text=text):
            return text.strip()
        case Items(items=items):
            return "|".join(map(_said, items))
        case Fields(entries=entries):
            rest = "".join(f"|{key}={_said(entries[key])}" for key in sorted(entries) if key != "name")
            return (_said(entries["name"]).casefold() if "name" in entries else "") + rest


def _gather(
    entries: dict[str, Node], into: str, names: Mapping[str, str], row: Row, blank: Mapping[str, Place] | None = None
) -> None:
    """Move columns of a row into one mapping, where any of them holds something."""
    found = {short: entries.pop(name) for name, short in names.items() if name in entries}
    if found:
        empty = {short: row.blank[name] for name, short in names.items() if name in row.blank} | dict(blank or {})
        place = next(iter(found.values())).place
        entries[into] = Fields(found, {key: node.place for key, node in found.items()}, place, empty)


def _fields(entries: Mapping[str, Node], row: Row, place: Place | None = None) -> Fields:
    keys = {key: row.heads.get(key, node.place) for key, node in entries.items()}
    return Fields(entries, keys, place or row.place, row.blank)


def _add(share: Fields, pipelines: list[Fields]) -> Fields:
    node = Items(tuple(pipelines), pipelines[0].place)
    return Fields(
        {**share.entries, "pipelines": node}, {**share.keys, "pipelines": node.place}, share.place, share.blank
    )


def _place(node: Node | None, row: Row) -> Place:
    return node.place if node is not None else row.place


def _text(fields: Fields, key: str) -> str:
    node = fields.entries.get(key)
    return node.text.strip() if isinstance(node, Scalar) else ""
