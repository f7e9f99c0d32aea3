"""A small pack as text, to be broken in one place at a time, and strategies for whole packs."""

from __future__ import annotations

from hypothesis import strategies as st

from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.share.model.pack import SharePack
from brickyard.share.model.parse import Parsed, parse

PACK = """\
metadata:
  contact_email: data@example.com
  business_line: Sales
  delta_share_region: AM
  configurator: data-team
  approver: boss@example.com
  executive_team: exec
  requestor: rita@example.com
  workspace_url: https://adb-1.2.azuredatabricks.net
  servicenow: RITM1
recipient:
  - name: acme
    type: D2O
    recipient_ips: [203.0.113.7]
    token_expiry: 30
share:
  - name: sales
    share_assets: [main.s.orders]
    recipients: [acme]
    delta_share: {ext_catalog_name: ext, ext_schema_name: acme}
    pipelines:
      - name_prefix: orders
        source_asset: main.s.orders
        schedule: {cron: "0 30 6 * * ?", timezone: UTC}
        key_columns: id
"""


def read(text: str | bytes, *, compat: bool = False) -> Parsed:
    return parse("pack.yaml", text if isinstance(text, bytes) else text.encode(), compat=compat)


def refused(text: str | bytes, name: str = "pack.yaml", *, compat: bool = False) -> tuple[Problem, ...]:
    """The problems for which a file is refused; none when it is not."""
    try:
        parse(name, text if isinstance(text, bytes) else text.encode(), compat=compat)
    except SpecInvalid as error:
        return error.problems
    return ()


def said(text: str | bytes, name: str = "pack.yaml", *, compat: bool = False) -> list[str]:
    return [str(problem) for problem in refused(text, name, compat=compat)]


def changed(old: str, new: str) -> str:
    assert PACK.count(old) == 1, old
    return PACK.replace(old, new)


_NAME = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), max_size=20).map(str.strip)
_TAG = st.from_regex(r"[a-z0-9.\-]{1,8}", fullmatch=True)
_IP = st.ip_addresses(v=4).map(str)
_CRON = st.sampled_from(["0 30 6 * * ?", "0 0 0 1 * ?", "0 0/15 8-18 ? * MON-FRI"])


@st.composite
def _recipient(draw: st.DrawFn, name: str) -> dict:
    kind = draw(st.sampled_from(["D2O", "D2D", "OIDC"]))
    spec: dict = {"name": name, "type": kind, "description": draw(_TEXT)}
    if kind == "D2D":
        return spec | {"recipient_databricks_org": f"azure:westeurope:{draw(st.uuids())}"}
    spec["properties"] = draw(st.dictionaries(_NAME, _TAG, max_size=2))
    ips = draw(st.lists(_IP, unique=True, max_size=4))
    spec |= {"recipient_ips": ips[:2], "recipient_ips_to_add": ips[2:3], "recipient_ips_to_remove": ips[3:]}
    if kind == "OIDC":
        return spec | {"oidc": {"issuer": "https://login.example.com", "subject_claim": "sub", "subject": draw(_NAME)}}
    spec |= {"token_expiry": draw(st.integers(0, 365)), "token_rotation": draw(st.booleans())}
    return spec | draw(st.sampled_from([{}, {"token_policy": {"max_age_days": 30}}, {"expires_on": "2027-01-31"}]))


@st.composite
def _share(draw: st.DrawFn, name: str, recipients: list[str]) -> dict:
    tables = draw(st.lists(_NAME, min_size=1, max_size=3, unique=True))
    spec: dict = {
        "name": name,
        "description": draw(_TEXT),
        "share_assets": [{"name": f"main.s.{table}"} for table in tables],
        "recipients": draw(st.lists(st.sampled_from(recipients), unique=True)) if recipients else [],
    }
    if not draw(st.booleans()):
        return spec
    target = {
        "ext_catalog_name": draw(_NAME),
        "ext_schema_name": draw(_NAME),
        "tags": draw(st.lists(_TAG, unique=True)),
    }
    pipelines = [draw(_pipeline(f"{name}_{table}", f"main.s.{table}")) for table in tables]
    return spec | {"delta_share": target, "pipelines": pipelines}


@st.composite
def _pipeline(draw: st.DrawFn, name: str, source: str) -> dict:
    schedule = draw(st.one_of(st.just({"continuous": True}), _CRON.map(lambda cron: {"cron": cron})))
    return {
        "name_prefix": name,
        "source_asset": source,
        "schedule": schedule,
        "description": draw(_TEXT),
        "tags": draw(st.dictionaries(_TAG, _TAG, max_size=2)),
        "serverless": draw(st.booleans()),
        "scd_type": draw(st.sampled_from(["1", "2", "full_refresh"])),
        "key_columns": draw(st.lists(_NAME, min_size=1, max_size=3, unique=True)),
    }


@st.composite
def packs(draw: st.DrawFn) -> SharePack:
    """Packs that every layout can express."""
    metadata = read(PACK).pack.metadata.model_copy(update={"description": draw(_TEXT) or None})
    recipients = draw(st.lists(_NAME, max_size=3, unique=True))
    shares = draw(st.lists(_NAME, min_size=1, max_size=2, unique=True))
    return SharePack(
        metadata=metadata,
        recipient=[draw(_recipient(name)) for name in recipients],
        share=[draw(_share(name, recipients)) for name in shares],
    )
