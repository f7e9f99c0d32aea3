"""A pack written as an Excel workbook in one of the three layouts; what a layout cannot express is refused, not lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from brickyard.kernel.errors import SpecInvalid
from brickyard.share.model.content import content_hash
from brickyard.share.model.excel_tree import NONE
from brickyard.share.model.pack import AssetSpec, PipelineSpec, RecipientSpec, SharePack, ShareSpec
from brickyard.share.model.parse import parse
from brickyard.share.model.yaml_out import plain

Layout = Literal["A", "B", "C"]
_FORMULA = ("=", "+", "-", "@", "\t", "\0")
_WIDTH = 60
Cells = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Form:
    """How a layout writes sheets, lists, tags and schedules."""

    sheets: tuple[str, str, str, str]
    lists: str
    tags: tuple[str, str]
    types: tuple[str, str]
    cron: str
    timezone: str


_FORMS: Mapping[Layout, _Form] = {
    "A": _Form(
        ("Metadata", "Recipients", "Shares", "Pipelines"), ", ", (":", ", "), ("CRON", "CONTINUOUS"), "cron", "timezone"
    ),
    "B": _Form(
        ("metadata", "recipient", "share", "pipelines"),
        ", ",
        (":", ";"),
        ("CRON", "CONTINUOUS"),
        "schedule_cron",
        "schedule_timezone",
    ),
    "C": _Form(
        ("metadata", "recipient", "share", "pipelines"),
        "|",
        ("=", "|"),
        ("cron", "continuous"),
        "cron_expression",
        "timezone",
    ),
}
_RECIPIENT = (
    "name",
    "type",
    "recipient",
    "recipient_databricks_org",
    "recipient_ips",
    "token_expiry",
    "token_rotation",
    "comment",
)
_SHARE: Mapping[Layout, tuple[str, ...]] = {
    "A": ("share_name", "asset", "recipient", "ext_catalog_name", "ext_schema_name", "prefix_assetname", "share_tags"),
    "B": ("name", "comment", "recipients", "share_assets", "ext_catalog_name", "ext_schema_name", "tags"),
    "C": ("name", "comment", "recipients", "share_assets", "ext_catalog_name", "ext_schema_name", "tags"),
}
_PIPELINE = ("share_name", "name_prefix", "source_asset", "schedule_type")
_PIPELINE_END = ("notification", "tags", "serverless", "scd_type", "key_columns")


def to_xlsx(pack: SharePack, layout: Layout = "A", *, notes: Mapping[str, str] | None = None) -> bytes:
    """Return a pack as a workbook, with *notes* as comments of the columns and fields that they name.

    Raises SpecInvalid when the layout cannot express the pack, as when B holds what is said of single assets.
    """
    data = _written(pack, layout, notes or {})
    if content_hash(parse("pack.xlsx", data).pack) != content_hash(pack):
        raise SpecInvalid(
            f"the pack cannot be written in the Excel layout {layout}",
            code="share-pack-layout",
            remedy="write it as YAML; conditions on partitions, and names with separators, have no place in Excel",
        )
    return data


def _written(pack: SharePack, layout: Layout, notes: Mapping[str, str]) -> bytes:
    form = _FORMS[layout]
    workbook = Workbook()
    for sheet in list(workbook.worksheets):
        workbook.remove(sheet)
    metadata = plain(pack)["metadata"]
    if layout == "C":
        _table(workbook.create_sheet(form.sheets[0]), [metadata], tuple(metadata), notes)
    else:
        _pairs(workbook.create_sheet(form.sheets[0]), metadata, notes)
    recipients = [_recipient(spec, form) for spec in pack.recipient] or _names("name", pack, "recipients")
    _table(workbook.create_sheet(form.sheets[1]), recipients, _RECIPIENT, notes)
    shares = [row for spec in pack.share for row in _share(spec, layout)] or _names(_SHARE[layout][0], pack, "shares")
    _table(workbook.create_sheet(form.sheets[2]), shares, _SHARE[layout], notes)
    pipelines = [_pipeline(share.name, spec, form) for share in pack.share for spec in share.pipelines]
    columns = (*_PIPELINE, form.cron, form.timezone, *_PIPELINE_END)
    _table(workbook.create_sheet(form.sheets[3]), pipelines or list(_removed(pack)), columns, notes)
    stream = BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _names(column: str, pack: SharePack, kind: str) -> list[Cells]:
    return [{column: name} for name in getattr(pack.removal, kind, ())]


def _removed(pack: SharePack) -> Iterator[Cells]:
    for share, names in pack.removal.pipelines.items() if pack.removal is not None else ():
        yield from ({"share_name": share, "name_prefix": name} for name in names)


def _pairs(sheet: Worksheet, values: Mapping[str, Any], notes: Mapping[str, str]) -> None:
    rows = [{"Field": key, "Value": value} for key, value in values.items()]
    _table(sheet, rows, ("Field", "Value"), {})
    for number, row in enumerate(rows, 2):
        _note(sheet, number, 1, notes.get(str(row["Field"])))


def _table(sheet: Worksheet, rows: list[Cells], columns: Iterable[str], notes: Mapping[str, str]) -> None:
    """Write rows below their column names; columns beyond the usual ones stand where a row needs them."""
    names = list(dict.fromkeys([*columns, *(key for row in rows for key, value in row.items() if value is not None)]))
    for column, name in enumerate(names, 1):
        _put(sheet, 1, column, name)
        sheet.cell(1, column).font = Font(bold=True)
        _note(sheet, 1, column, notes.get(name))
        longest = max((len(str(row.get(name) or "")) for row in rows), default=0)
        sheet.column_dimensions[get_column_letter(column)].width = min(max(longest, len(name)) + 3, _WIDTH)
        for number, row in enumerate(rows, 2):
            _put(sheet, number, column, row.get(name))
    sheet.freeze_panes = "A2"


def _put(sheet: Worksheet, row: int, column: int, value: Any) -> None:
    """Write a cell; a text that a spreadsheet would take for a formula stays text."""
    cell = sheet.cell(row, column, value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        cell.data_type = "s"
        cell.quotePrefix = True


def _note(sheet: Worksheet, row: int, column: int, text: str | None) -> None:
    cell = sheet.cell(row, column)
    if text is not None and isinstance(cell, Cell):
        cell.comment = Comment(text, "Brickyard", width=320, height=90)


def _recipient(spec: RecipientSpec, form: _Form) -> Cells:
    lists = {key: _list(getattr(spec, key), form) for key in ("recipient_ips_to_add", "recipient_ips_to_remove")}
    return {
        "name": spec.name,
        "type": str(spec.type),
        "recipient": spec.recipient,
        "recipient_databricks_org": spec.recipient_databricks_org or None,
        "recipient_ips": NONE if spec.clears_addresses else _list(spec.recipient_ips, form),
        "token_expiry": spec.token_expiry or None,
        "token_rotation": spec.token_rotation or None,
        "comment": spec.description or None,
        **lists,
        "properties": _tags(spec.properties, form),
        "expires_on": spec.expires_on,
        **_oidc(spec, form),
        "max_age_days": spec.token_policy.max_age_days if spec.token_policy else None,
        "overlap_hours": spec.token_policy.overlap_hours if spec.token_policy else None,
    }


def _oidc(spec: RecipientSpec, form: _Form) -> Cells:
    if spec.oidc is None:
        return {}
    return {
        "oidc_issuer": spec.oidc.issuer,
        "oidc_subject_claim": spec.oidc.subject_claim,
        "oidc_subject": spec.oidc.subject,
        "oidc_audiences": _list(spec.oidc.audiences, form),
    }


def _share(spec: ShareSpec, layout: Layout) -> list[Cells]:
    form = _FORMS[layout]
    target = spec.delta_share
    where = {
        "ext_catalog_name": target.ext_catalog_name if target else None,
        "ext_schema_name": target.ext_schema_name if target else None,
        "prefix_assetname": target.prefix_assetname if target else None,
    }
    tags = _list(target.tags if target else (), form)
    once = {"comment": spec.description or None, **_changes(spec, form)}
    recipients = _list(spec.recipients, form)
    if layout != "A":
        assets = _list([asset.name for asset in spec.share_assets], form)
        return [{"name": spec.name, "recipients": recipients, "share_assets": assets, **where, "tags": tags, **once}]
    every = {"share_name": spec.name, "recipient": recipients, **where, "share_tags": tags}
    rows = [every | _asset(asset) for asset in spec.share_assets] or [every]
    return [rows[0] | once, *rows[1:]]


def _changes(spec: ShareSpec, form: _Form) -> Cells:
    assets = {key: [a.name for a in getattr(spec, key)] for key in ("share_assets_to_add", "share_assets_to_remove")}
    readers = {key: getattr(spec, key) for key in ("recipients_to_add", "recipients_to_remove")}
    return {key: _list(value, form) for key, value in (assets | readers).items()}


def _asset(spec: AssetSpec) -> Cells:
    return {
        "asset": spec.name,
        "asset_type": spec.type,
        "shared_as": spec.shared_as,
        "cdf": spec.cdf,
        "history": spec.history,
        "start_version": spec.start_version,
    }


def _pipeline(share: str, spec: PipelineSpec, form: _Form) -> Cells:
    cron, continuous = form.types
    return {
        "share_name": share,
        "name_prefix": spec.name_prefix,
        "source_asset": spec.source_asset,
        "schedule_type": continuous if spec.schedule.continuous else cron,
        form.cron: spec.schedule.cron,
        form.timezone: spec.schedule.timezone,
        "target_asset": spec.target_asset,
        "description": spec.description or None,
        "notification": _list(spec.notification, form),
        "tags": _tags(spec.tags, form),
        "serverless": spec.serverless,
        "scd_type": spec.scd_type,
        "key_columns": _list(spec.key_columns, form),
        "ext_catalog_name": spec.ext_catalog_name,
        "ext_schema_name": spec.ext_schema_name,
    }


def _list(items: Iterable[str], form: _Form) -> str | None:
    return form.lists.join(items) or None


def _tags(tags: Mapping[str, str], form: _Form) -> str | None:
    between, after = form.tags
    return after.join(f"{key}{between}{value}" for key, value in tags.items()) or None
