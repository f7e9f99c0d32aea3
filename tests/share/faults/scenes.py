"""What is played while somebody is killed: a pack comes, changes, goes back, loses a token, goes; each under a tag of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from brickyard.share.model.pack import SharePack

PERSON = "ada@acme.com"
SHARED = ("CREATE CATALOG IF NOT EXISTS m", "CREATE SCHEMA IF NOT EXISTS m.s")


def ground(tag: str) -> tuple[str, ...]:
    """The tables that the packs of a tag share."""
    tables = {"orders": "", "items": "", "feed": "", "log": " TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"}
    return tuple(f"CREATE TABLE m.s.{name}_{tag} (id BIGINT){more}" for name, more in tables.items())


def _oidc(subject: str) -> dict[str, Any]:
    return {
        "issuer": "https://login.example.com",
        "subject_claim": "sub",
        "subject": subject,
        "audiences": ["share"],
    }


def _pipeline(name: str, source: str, tag: str, cron: str, *told: str) -> dict[str, Any]:
    return {
        "name_prefix": f"{name}_{tag}",
        "source_asset": f"m.s.{source}_{tag}",
        "schedule": {"cron": cron},
        "key_columns": ["id"],
        "notification": list(told),
    }


def _pack(host: str, tag: str, recipient: list[Any], share: list[Any], **fields: Any) -> SharePack:
    people = dict.fromkeys(("contact_email", "configurator", "approver", "executive_team", "requestor"), PERSON)
    about = {
        **people,
        "business_line": f"Line {tag}",
        "delta_share_region": "EMEA",
        "workspace_url": host,
        "servicenow": "CHG1",
        **fields.pop("metadata", {}),
    }
    return SharePack.model_validate({"metadata": about, "recipient": recipient, "share": share, **fields})


def _schema(tag: str) -> dict[str, str]:
    return {"ext_catalog_name": "m", "ext_schema_name": f"partner_{tag}"}


def first(host: str, tag: str, *, rotating: bool = False) -> SharePack:
    """A pack with every kind of thing that a pack can have made."""
    partners = [
        {"name": f"acme_{tag}", "type": "D2O", "description": "the partner", "token_rotation": rotating},
        {"name": f"beta_{tag}", "type": "OIDC", "oidc": _oidc("old")},
    ]
    sales = {
        "name": f"sales_{tag}",
        "description": "for acme",
        "share_assets": [f"m.s.orders_{tag}", f"m.s.feed_{tag}", f"m.s.log_{tag}"],
        "recipients": [f"acme_{tag}", f"beta_{tag}"],
        "delta_share": _schema(tag),
        "pipelines": [
            _pipeline("feed", "feed", tag, "0 0 6 * * ?"),
            _pipeline("log", "log", tag, "0 30 6 * * ?"),
        ],
    }
    old = {"name": f"old_{tag}", "share_assets": [f"m.s.items_{tag}"], "recipients": [f"acme_{tag}"]}
    return _pack(host, tag, partners, [_assets(sales), _assets(old)])


def small(host: str, tag: str, description: str, *, rotating: bool = False) -> SharePack:
    """A pack of one share and its reader."""
    sales = {"name": f"sales_{tag}", "description": description, "share_assets": [f"m.s.orders_{tag}"]}
    reader = {"name": f"acme_{tag}", "type": "D2O", "token_rotation": rotating}
    return _pack(host, tag, [reader], [_assets(sales | {"recipients": [f"acme_{tag}"]})])


def second(host: str, tag: str) -> SharePack:
    """The pack changed in everything that can be changed."""
    partners = [
        {"name": f"acme_{tag}", "type": "D2O", "description": "other words", "recipient_ips": ["10.0.0.0/24"]},
        {"name": f"beta_{tag}", "type": "OIDC", "oidc": _oidc("new")},
        {"name": f"gamma_{tag}", "type": "D2O"},
    ]
    sales = {
        "name": f"sales_{tag}",
        "description": "for gamma",
        "share_assets": [f"m.s.items_{tag}", f"m.s.feed_{tag}"],
        "recipients": [f"acme_{tag}", f"gamma_{tag}"],
        "delta_share": _schema(tag),
        "pipelines": [_pipeline("feed", "feed", tag, "0 0 7 * * ?", "ops@acme.com")],
    }
    return _pack(host, tag, partners, [_assets(sales)], metadata={"strategy": "UPDATE"})


def the_end(host: str, tag: str) -> SharePack:
    """The pack that takes the small one away."""
    names = {"recipients": [f"acme_{tag}"], "shares": [f"sales_{tag}"]}
    return _pack(host, tag, [], [], metadata={"strategy": "DELETE"}, removal=names)


def last(host: str, tag: str) -> SharePack:
    """The pack that takes everything away."""
    names = {"recipients": [f"acme_{tag}", f"beta_{tag}"], "shares": [f"sales_{tag}", f"old_{tag}"]}
    return _pack(host, tag, [], [], metadata={"strategy": "DELETE"}, removal=names)


def _assets(share: dict[str, Any]) -> dict[str, Any]:
    return {**share, "share_assets": [{"name": name} for name in share["share_assets"]]}


# ── where a step meets the workspace ─────────────────────────────────────────────────────────────────────────────────

_UC = "/api/2.1/unity-catalog"
CALLS = {
    "CreateRecipient": f"POST {_UC}/recipients$",
    "ChangeRecipient": f"PATCH {_UC}/recipients/",
    "DeleteRecipient": f"DELETE {_UC}/recipients/",
    "RotateToken": f"POST {_UC}/recipients/.*/rotate-token",
    "AddPolicy": r"POST /api/2\.\d/.*/federation-policies",
    "RemovePolicy": r"DELETE /api/2\.\d/.*/federation-policies",
    "CreateShare": f"POST {_UC}/shares$",
    "ChangeShare": f"PATCH {_UC}/shares/[^/]+$",
    "ChangeObjects": f"PATCH {_UC}/shares/[^/]+$",
    "Grant": f"PATCH {_UC}/shares/.*/permissions",
    "Revoke": f"PATCH {_UC}/shares/.*/permissions",
    "DeleteShare": f"DELETE {_UC}/shares/",
    "CreateSchema": f"POST {_UC}/schemas$",
    "EnableChangeFeed": "POST /api/2.0/sql/statements",
    "ImportLibrary": "POST /api/2.0/workspace/import$",
    "CreatePipeline": "POST /api/2.0/pipelines$",
    "ChangePipeline": "PUT /api/2.0/pipelines/",
    "DeletePipeline": "DELETE /api/2.0/pipelines/",
    "CreateSchedule": r"POST /api/2\.\d/jobs/create",
    "ChangeSchedule": r"POST /api/2\.\d/jobs/(update|reset)",
    "DeleteSchedule": r"POST /api/2\.\d/jobs/delete",
}


@dataclass(frozen=True, slots=True)
class Point:
    """Where somebody is killed: at which moment of the first step of a kind, or of the run itself."""

    moment: str  # begin, call, answer, commit: of a step; run, plan, job: of the run; undo-call, undo-answer, undone
    kind: str

    def __str__(self) -> str:
        return f"{self.moment}-{self.kind}"


def plain(text: str, tag: str) -> str:
    """A text without what differs from one play to the next: its tag, ids, times and numbers that are counted on."""
    text = re.sub(r"\?token=[\w-]+", "?token=TOKEN", text.replace(tag, "TAG"))
    text = re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?([+-]\d\d:?\d\d|Z)?", "AT", text)
    return re.sub(r"\b\d{10,}\b", "N", text)
