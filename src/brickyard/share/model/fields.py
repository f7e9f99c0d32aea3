"""The rules of single fields: what a text must be, and how it is written the one way that the plan compares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from brickyard.kernel import quartz
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import split_name
from brickyard.share.model.current import ObjectKind
from brickyard.share.model.nodes import RefusedError
from brickyard.share.model.pack import (
    AssetSpec,
    DeltaShareSpec,
    Metadata,
    OidcSpec,
    PartitionSpec,
    PipelineSpec,
    RecipientSpec,
    Removal,
    ScheduleSpec,
    ShareSpec,
)
from brickyard.share.model.people import address, people
from brickyard.share.model.runs import ApproverStatus
from brickyard.share.model.suggest import nearest

Rule = Callable[[str], str]
REGIONS = ("AM", "EMEA")
RESERVED = ("databricks.", "brickyard.")
_LONGEST_NAME = 255
_ORG = re.compile(r"(?:aws|azure|gcp):[a-z0-9-]+:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_ALIAS = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)?\Z")
_PREFIX = re.compile(r"[A-Za-z0-9_]+\Z")
_PROPERTY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HIDDEN = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})


def clean(text: str) -> str:
    """Return a text without space around it; control characters and halves of characters are refused."""
    bad = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t\r"), None)
    if bad is not None:
        raise RefusedError(f"holds the character {bad!a}", "remove it")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def name(text: str) -> str:
    """Return the name of a recipient or share; Unity Catalog refuses space, dot, slash and control characters."""
    bad = next((c for c in text if c in "./" or c.isspace() or unicodedata.category(c) in _HIDDEN), None)
    if bad is not None:
        raise RefusedError(f"{text!r} holds {bad!a}", "names have no space, no '.', no '/' and no invisible character")
    return _at_most(_LONGEST_NAME)(text)


def asset(text: str) -> str:
    """Return the dotted name of an object, or the path of a notebook."""
    if text.startswith("/"):
        return text
    _parts(text)
    return text


def table(text: str) -> str:
    """Return a three-level name."""
    if len(_parts(text)) != 3:
        raise RefusedError(f"{text!r} is not the name of a table", "write catalog.schema.table")
    return text


def _parts(text: str) -> tuple[str, ...]:
    try:
        parts = split_name(text)
    except SpecInvalid as error:
        raise RefusedError(error.message, "write catalog.schema.table, or catalog.schema for a whole schema") from error
    if any(not part.strip() for part in parts):
        raise RefusedError(f"{text!r} has an empty part", "write catalog.schema.table")
    return parts


def ip(text: str) -> str:
    """Return an address or a range in CIDR form, written the shortest way."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise RefusedError(f"{text!r} is not an IP address or a range", "write 203.0.113.7 or 203.0.113.0/24") from None
    written = _address(network)
    if network.num_addresses > 1 and text.partition("/")[0] != written.partition("/")[0] and _host_bits(text, network):
        raise RefusedError(f"{text!r} names an address inside a range", f"write {written}", instead=written)
    return written


def _address(network: IPv4Network | IPv6Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _host_bits(text: str, network: IPv4Network | IPv6Network) -> bool:
    return ip_network(text.partition("/")[0]).network_address != network.network_address


def cron(text: str) -> str:
    """Return a Quartz expression; the five fields of Unix are taken for one with second 0 where that is accepted."""
    words = text.split()
    try:
        quartz.parse(text)
    except SpecInvalid as error:
        message = error.message.replace(": expression: ", ": ")
        raise RefusedError(message, error.remedy, instead=_from_unix(words)) from error
    return " ".join(words)


def _from_unix(words: list[str]) -> str | None:
    """A Quartz expression for five Unix fields; `?` for the day that is not said. None where that is not enough."""
    if len(words) != 5 or any(c.isdigit() for c in words[4]):
        return None  # Unix counts weekdays from 0, Quartz from 1
    minute, hour, day, month, weekday = words
    if weekday == "*":
        weekday = "?"
    elif day == "*":
        day = "?"
    text = f"0 {minute} {hour} {day} {month} {weekday}"
    try:
        quartz.parse(text)
    except SpecInvalid:
        return None
    return text


@cache
def zones() -> Mapping[str, str]:
    """Return the IANA zones by their name in lower case."""
    return {zone.lower(): zone for zone in available_timezones()}


def zone(text: str) -> str:
    """Return the name of a zone as IANA writes it."""
    known = zones().get(text.lower())
    if known is None:
        raise RefusedError(f"the zone {text!r} is not known", nearest(text, sorted(zones().values())))
    return known


def workspace_url(text: str) -> str:
    """Return the address of a workspace: https, or http on this machine, without path, user and query."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise RefusedError(f"{text!r} is not an address", _URL) from None
    loopback = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or loopback):
        raise RefusedError(f"{text!r} does not begin with https://", _URL)
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment or " " in text:
        raise RefusedError(f"{text!r} holds more than a host", _URL)
    return text.rstrip("/")


_URL = "write https://adb-1234567890123456.7.azuredatabricks.net"


def day(text: str) -> str:
    """Return a date written as ISO 8601."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise RefusedError(f"{text!r} is not a date", "write year-month-day, such as 2027-03-31") from None


def organisation(text: str) -> str:
    """Return a sharing identifier `cloud:region:uuid` in lower case."""
    if not _ORG.match(text.lower()):
        raise RefusedError(
            f"{text!r} is not a sharing identifier",
            "write cloud:region:uuid, as SELECT CURRENT_METASTORE() gives it in the partner's workspace",
        )
    return text.lower()


def property_key(text: str) -> str:
    """Return the key of a recipient's property."""
    if not _PROPERTY.match(text) or text.lower().startswith(RESERVED):
        raise RefusedError(f"{text!r} cannot be the key of a property", f"{' and '.join(RESERVED)} are reserved")
    return _at_most(_LONGEST_NAME)(text)


def _matching(pattern: re.Pattern[str], what: str) -> Rule:
    def rule(text: str) -> str:
        if not pattern.match(text):
            raise RefusedError(f"{text!r} is not {what}", "letters, digits and _ are accepted")
        return text

    return rule


def _at_most(length: int) -> Rule:
    def rule(text: str) -> str:
        if len(text) > length:
            raise RefusedError(f"has {len(text)} characters, at most {length} are kept")
        return text

    return rule


def _one_of(words: Iterable[str], fold: Callable[[str], str]) -> Rule:
    known = tuple(words)

    def rule(text: str) -> str:
        if fold(text) not in known:
            raise RefusedError(f"{text!r} is not accepted", nearest(text, known))
        return fold(text)

    return rule


def _kind(text: str) -> str:
    word = text.upper().replace(" ", "_")
    return _one_of(map(str, ObjectKind), str.upper)("NOTEBOOK_FILE" if word == "NOTEBOOK" else word)


def _contact(text: str) -> str:
    if "@" not in text:
        raise RefusedError(f"{text!r} is not an e-mail address", "give the partner's address, or leave it out")
    return people(text)


def _issuer(text: str) -> str:
    if not text.lower().startswith("https://") or not urlsplit(text).netloc:
        raise RefusedError(f"{text!r} does not begin with https://", "give the issuer's address as its tokens say it")
    return text


_NAMES = dict.fromkeys(
    [
        (RecipientSpec, "name"),
        (ShareSpec, "name"),
        (ShareSpec, "recipients"),
        (ShareSpec, "recipients_to_add"),
        (ShareSpec, "recipients_to_remove"),
        (Removal, "recipients"),
        (Removal, "shares"),
        (DeltaShareSpec, "ext_catalog_name"),
        (DeltaShareSpec, "ext_schema_name"),
        (PipelineSpec, "ext_catalog_name"),
        (PipelineSpec, "ext_schema_name"),
    ],
    name,
)
_PEOPLE = dict.fromkeys(
    [(Metadata, f) for f in ("contact_email", "configurator", "approver", "executive_team", "requestor")], people
)
_IPS = dict.fromkeys(
    [(RecipientSpec, f) for f in ("recipient_ips", "recipient_ips_to_add", "recipient_ips_to_remove")], ip
)
RULES: Mapping[tuple[type, str], Rule] = {
    **_NAMES,
    **_PEOPLE,
    **_IPS,
    (Metadata, "business_line"): _at_most(_LONGEST_NAME),
    (Metadata, "delta_share_region"): _one_of(REGIONS, str.upper),
    (Metadata, "approver_status"): _one_of(map(str, ApproverStatus), str.lower),
    (Metadata, "workspace_url"): workspace_url,
    (Metadata, "servicenow_ticket"): _at_most(100),
    (Metadata, "project_name"): _at_most(_LONGEST_NAME),
    (Metadata, "client"): _at_most(_LONGEST_NAME),
    (Metadata, "description"): _at_most(2000),
    (RecipientSpec, "recipient"): _contact,
    (RecipientSpec, "recipient_databricks_org"): organisation,
    (RecipientSpec, "expires_on"): day,
    (RecipientSpec, "properties"): property_key,
    (OidcSpec, "issuer"): _issuer,
    (AssetSpec, "name"): asset,
    (AssetSpec, "type"): _kind,
    (AssetSpec, "shared_as"): _matching(_ALIAS, "an alias such as schema.table"),
    (PartitionSpec, "name"): _at_most(_LONGEST_NAME),
    (DeltaShareSpec, "prefix_assetname"): _matching(_PREFIX, "a prefix"),
    (ScheduleSpec, "cron"): cron,
    (ScheduleSpec, "timezone"): zone,
    (PipelineSpec, "name_prefix"): _at_most(_LONGEST_NAME),
    (PipelineSpec, "source_asset"): table,
    (PipelineSpec, "notification"): address,
}
"""What each field's text must be; for `properties` and `tags` the rule is that of the keys."""
