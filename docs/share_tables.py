"""Write the tables of docs/share.md from the code: the pack format, routes, settings and codes.

`.venv/bin/python docs/share_tables.py` writes them; a test fails when they are stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from fastapi import APIRouter
from generate import one_line, setting_row, table
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from brickyard.context import build
from brickyard.kernel.explain import explanations
from brickyard.settings import Settings
from brickyard.share.api import routes
from brickyard.share.model.pack import (
    AssetSpec,
    DeltaShareSpec,
    Metadata,
    OidcSpec,
    PartitionSpec,
    PipelineSpec,
    RecipientSpec,
    ScheduleSpec,
    ShareSpec,
    TokenPolicy,
)
from brickyard.web.app import create
from brickyard.web.gate import Rules

TARGET = Path(__file__).with_name("share.md")
BLOCKS = ("pack", "routes", "settings", "codes")
SETTINGS = ("enable_workflow", "share_", "azure_queue", "smtp_", "web_token_cache")
PARTS: dict[str, type[BaseModel]] = {
    "metadata": Metadata,
    "recipient[]": RecipientSpec,
    "recipient[].oidc": OidcSpec,
    "recipient[].token_policy": TokenPolicy,
    "share[]": ShareSpec,
    "share[].share_assets[]": AssetSpec,
    "share[].share_assets[].partitions[][]": PartitionSpec,
    "share[].delta_share": DeltaShareSpec,
    "share[].pipelines[]": PipelineSpec,
    "share[].pipelines[].schedule": ScheduleSpec,
}
_PEOPLE = "e-mail addresses or groups, with commas between; misspelt mail providers are refused"
_ADDRESSES = "addresses or CIDR ranges, at most 100; none for D2D"
_READERS = "recipients by name; they may be of this pack or be there already"
RULES: dict[str, dict[str, str]] = {
    "metadata": {
        "version": "kept, and nothing depends on it: the forms of 1.0 and 2.0 are told apart by what stands in them",
        "last_updated": "kept",
        "owner": "kept",
        "contact_email": f"{_PEOPLE}; the addresses are told how runs end",
        "business_line": "with `project_name` and the names inside it says [which pack this is](#which-pack-it-is)",
        "delta_share_region": "`AM` or `EMEA`",
        "configurator": f"{_PEOPLE}; told how runs end",
        "approver": f"{_PEOPLE}; told when a pack waits for approval",
        "executive_team": _PEOPLE,
        "requestor": f"{_PEOPLE}; told how runs end, and cannot approve the pack",
        "approver_status": "`approved`, `declined`, `request_more_info` or `pending`; see [approval](#approval)",
        "strategy": "see [strategy](#strategy)",
        "workspace_url": "https (http on this machine), host only; must be the workspace that is worked on",
        "servicenow_ticket": "the ticket; kept",
        "project_name": "at most 255 characters; none is the project `default`",
        "description": "at most 2,000 characters",
        "client": "at most 255 characters; kept",
        "mode": "see [merge and exact](#merge-and-exact)",
    },
    "recipient[]": {
        "name": "at most 255 characters; no space, dot, slash or invisible character; compared without case",
        "type": "D2D: the partner has Databricks; D2O: a token; OIDC: a login of the partner's",
        "recipient": "whom to ask at the partner's: e-mail addresses; kept",
        "description": "written `comment` or `description`; empty leaves the comment alone",
        "recipient_databricks_org": "D2D only, and required there: `cloud:region:uuid`, the partner's sharing identifier",
        "recipient_ips": f"who may read: {_ADDRESSES}. Empty leaves alone; `[]` in mode exact opens to all addresses",
        "recipient_ips_to_add": _ADDRESSES,
        "recipient_ips_to_remove": f"{_ADDRESSES}; none that stands in one of the other two lists",
        "token_expiry": "days that a token lives, counted from its creation, at most 365; 0 is the metastore's default",
        "token_rotation": "replace the token when it is older than `token_policy.max_age_days`, else `token_expiry`, else 90 days",
        "properties": "text by key, for conditions on partitions; keys that begin with `databricks.` or `brickyard.` are refused",
        "oidc": "OIDC only, and required there",
        "token_policy": "D2O only",
        "expires_on": "a day; after it the access ends, and rights are not given again",
    },
    "recipient[].oidc": {
        "issuer": "https address as the partner's tokens say it",
        "subject_claim": "the claim that names the reader, such as `sub` or `groups`",
        "subject": "its value",
        "audiences": "whom the tokens must be for",
    },
    "recipient[].token_policy": {
        "max_age_days": "above 0; a token that is older is replaced by the worker",
        "overlap_hours": "how long the old token lives on, from 0",
    },
    "share[]": {
        "name": "as a recipient's",
        "description": "written `comment` or `description`; empty leaves the comment alone",
        "share_assets": "all objects of the share; in a file each may be only its name. Empty leaves alone",
        "share_assets_to_add": "objects beside those",
        "share_assets_to_remove": "objects to take out; none that stands in one of the other two lists",
        "recipients": f"{_READERS}. Empty leaves alone",
        "recipients_to_add": "recipients beside those",
        "recipients_to_remove": "recipients to take the right from; none that stands in one of the other two lists",
        "delta_share": "where pipelines write; with it each table of `share_assets` needs a pipeline",
        "pipelines": "in a DELETE pack only their names; elsewhere each table of `share_assets` needs one as soon as there is one",
    },
    "share[].share_assets[]": {
        "name": "`catalog.schema.name`, `catalog.schema` for a whole schema, or the path of a notebook",
        "type": "looked up in the catalog when it is not given",
        "shared_as": "the name that recipients see, `schema.name`; unique in the share, and not for schemas",
        "cdf": "share the change feed; it is turned on where it is off. Not beside `history`",
        "history": "share the history, which includes the change feed",
        "start_version": "from which version on",
        "partitions": "a list of lists: one of the outer must hold, and in it all of the inner",
    },
    "share[].share_assets[].partitions[][]": {
        "name": "the partition column",
        "op": "how it is compared",
        "value": "the value; exactly one of this and the next",
        "recipient_property_key": "the property of the recipient that holds the value",
    },
    "share[].delta_share": {
        "ext_catalog_name": "the catalog; it must be there",
        "ext_schema_name": "the schema; it is made when it is not there",
        "prefix_assetname": "letters, digits and `_`; stands before the names of targets that are not given",
        "tags": "put on each pipeline of the share",
    },
    "share[].pipelines[]": {
        "name_prefix": "the pipeline's whole name; its job is called the same with `_schedule`. Unique in the pack",
        "source_asset": "`catalog.schema.table`. A table's change feed is turned on unless `scd_type` is `full_refresh`",
        "target_asset": "the table's name; by default that of the source, with the prefix",
        "description": "written `comment` or `description`",
        "schedule": "see below; the word `continuous` is short for `{continuous: true}`",
        "notification": "e-mail addresses that Databricks tells how updates end. Empty leaves alone",
        "tags": "text by key, for pipeline and job. Empty leaves alone",
        "serverless": "run on serverless compute",
        "scd_type": "`1`: rows as they are; `2`: every version of a row; `full_refresh`: all rows anew each time",
        "key_columns": "required with `scd_type: 2`; a list, or names with commas between. They must be columns of the source",
        "ext_catalog_name": "instead of the share's",
        "ext_schema_name": "instead of the share's",
    },
    "share[].pipelines[].schedule": {
        "cron": "Quartz, six or seven fields: second minute hour day month weekday [year]. Not beside `continuous`",
        "timezone": "an IANA zone",
        "continuous": "run all the time; then there is no job",
    },
}


def type_words(annotation: Any) -> str:
    """Say what a value is, as a person who writes YAML thinks of it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return type_words(next(one for one in arguments if one is not NoneType))
    if origin is tuple:
        return f"list of {type_words(arguments[0])}"
    if origin is dict:
        return "mapping of text"
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if issubclass(annotation, StrEnum):
        return ", ".join(f"`{one}`" for one in annotation)
    if issubclass(annotation, BaseModel):
        return "mapping"
    return {str: "text", int: "whole number", bool: "true or false"}[annotation]


def default_words(info: FieldInfo) -> str:
    """Say what holds when a field is left out."""
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value in (None, "", (), {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def key_words(name: str, info: FieldInfo) -> str:
    """Return a field's names in a file."""
    return f"`{info.alias}`, `{name}`" if info.alias else f"`{name}`"


def pack_tables() -> Iterator[str]:
    """Yield the table of each part of a pack; raises KeyError for a field without its rule."""
    for part, model in PARTS.items():
        rows = [
            (key_words(name, info), type_words(info.annotation), default_words(info), RULES[part][name])
            for name, info in model.model_fields.items()
        ]
        yield f"#### `{part}`\n\n" + table(("key", "value", "default", "rule"), rows)


def paths(*parts: APIRouter) -> dict[str, Any]:
    """Return the paths of the web service with these routers, as OpenAPI tells them."""
    service = create(build(Settings()), Rules(token="", hosts=frozenset(), body_bytes=0), parts)
    return service.openapi()["paths"]


def route_rows() -> list[tuple[str, str, str]]:
    """Return method, path and answers of each route of the room, those below `/api` left out."""
    house = paths()
    return [
        (f"`{method.upper()} {path}`", one_line(operation.get("description")), answer_of(operation))
        for path, methods in sorted(paths(*routes(Settings())).items())
        if path not in house and not path.startswith("/api/")
        for method, operation in methods.items()
    ]


def answer_of(operation: dict[str, Any]) -> str:
    """Return the status of success and the fields of its body."""
    status, answer = next((s, a) for s, a in operation["responses"].items() if s.startswith("2"))
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    name = str(schema.get("$ref") or schema.get("items", {}).get("$ref") or "").rpartition("/")[2]
    return f"{status} {f'`{name}`' if name else ''}".strip()


def setting_rows() -> list[tuple[str, ...]]:
    """Return the settings that concern the room."""
    return [setting_row(name, info) for name, info in Settings.model_fields.items() if name.startswith(SETTINGS)]


def code_rows() -> list[tuple[str, str, str]]:
    """Return the room's codes with cause and remedy."""
    return [
        (f"`{e.code}`", one_line(e.cause), one_line(e.remedy)) for e in explanations().values() if e.package == "share"
    ]


def block(name: str) -> str:
    """Return the generated text of one block."""
    match name:
        case "pack":
            return "\n\n".join(pack_tables())
        case "routes":
            return table(("route", "what", "answers"), route_rows())
        case "settings":
            return table(("variable", "default", "meaning"), setting_rows())
    return table(("code", "cause", "what to do"), code_rows())


def filled(text: str) -> str:
    """Return the page with fresh tables; raises ValueError when a marker is missing."""
    for name in BLOCKS:
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"docs/share.md lacks {begin} or {end}")
        fresh = f"{begin}\n\n{block(name)}\n\n{end}"
        text = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, new=fresh: new, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    TARGET.write_text(filled(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
