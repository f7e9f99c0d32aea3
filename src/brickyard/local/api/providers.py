"""Delta Sharing for those who receive: providers, known by the profile file that they sent."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from brickyard.local.api.errors import ApiError, denied, invalid
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_text
from brickyard.local.api.security import LOOPBACK
from brickyard.local.api.shares import one_of
from brickyard.local.api.sharing import Sharing, rows_page, stamp_info
from brickyard.local.sharing.model import AuthenticationType, Provider
from brickyard.local.sharing.seal import Seal

_PROVIDERS = "/api/2.1/unity-catalog/providers"
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers of the metastore; their profile files are kept sealed, for they hold a bearer token."""

    sharing: Sharing
    seal: Seal


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile file says."""

    endpoint: str
    bearer: str


router: Router[Providers] = Router()


@router.on("POST", _PROVIDERS, operation="providers.create")
def create_provider(providers: Providers, call: Call) -> Answer:
    """Make a provider from the profile file that it sent."""
    body = call.body()
    providers.sharing.unity.check_create("CREATE PROVIDER", (), call.principal)
    kind = one_of(AuthenticationType, body, "authentication_type")
    if kind is not AuthenticationType.TOKEN:
        raise invalid(f"A provider of type {kind} makes itself known; only TOKEN providers are created.")
    provider = Provider(
        id="",
        name=field_text(body, "name"),
        owner="",
        authentication_type=kind,
        comment=field_text(body, "comment", "") or None,
        profile=_sealed(providers, field_text(body, "recipient_profile_str")),
    )
    return provider_info(providers, providers.sharing.store.add(provider, by=call.principal.name))


@router.on("GET", _PROVIDERS, operation="providers.list")
def list_providers(providers: Providers, call: Call) -> Answer:
    """List the providers that the caller may use; none of them is a metastore of Databricks."""
    usable = providers.sharing.usable(Provider, call.principal)
    chosen = not call.query.get("data_provider_global_metastore_id")

    def render(provider: Provider) -> JsonObject | None:
        return provider_info(providers, provider) if chosen and usable(provider) else None

    return rows_page(call, "providers", providers.sharing.store.providers, render)


@router.on("GET", f"{_PROVIDERS}/{{name}}", operation="providers.get")
def get_provider(providers: Providers, call: Call) -> Answer:
    """Describe a provider."""
    return provider_info(providers, _read(providers, call))


@router.on("PATCH", f"{_PROVIDERS}/{{name}}", operation="providers.update")
def update_provider(providers: Providers, call: Call) -> Answer:
    """Change a provider's name, owner, comment or profile file."""
    body, store = call.body(), providers.sharing.store
    with store.database.transaction():
        provider = store.provider(call.params["name"])
        providers.sharing.check_admin_or_owner(provider, call.principal)
        if body.get("new_name"):
            _check_may_rename(providers, provider, call)
        changed = replace(
            provider,
            name=field_text(body, "new_name", provider.name),
            owner=field_text(body, "owner", provider.owner),
            comment=(field_text(body, "comment", "") or None) if "comment" in body else provider.comment,
        )
        if body.get("recipient_profile_str"):
            changed = replace(changed, profile=_sealed(providers, field_text(body, "recipient_profile_str")))
        return provider_info(providers, store.save(changed, by=call.principal.name))


@router.on("DELETE", f"{_PROVIDERS}/{{name}}", operation="providers.delete")
def delete_provider(providers: Providers, call: Call) -> Answer:
    """Forget a provider."""
    store = providers.sharing.store
    with store.database.transaction():
        provider = store.provider(call.params["name"])
        providers.sharing.check_admin_or_owner(provider, call.principal)
        store.remove(provider)
    return {}


@router.on("GET", f"{_PROVIDERS}/{{name}}/shares", operation="providers.list_shares")
def list_provider_shares(providers: Providers, call: Call) -> Answer:
    """List what a provider shares with us, as its Delta Sharing server says now."""
    provider = _read(providers, call)
    found = _ask(_opened(providers, provider), provider.name, call)
    items = found.get("items")
    names = [item["name"] for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    answer: JsonObject = {"shares": [{"name": name} for name in names]}
    return {**answer, "next_page_token": found["nextPageToken"]} if found.get("nextPageToken") else answer


def _read(providers: Providers, call: Call) -> Provider:
    return providers.sharing.read(providers.sharing.store.provider(call.params["name"]), call.principal)


def _check_may_rename(providers: Providers, provider: Provider, call: Call) -> None:
    providers.sharing.check_owner(provider, call.principal)
    if not call.principal.owner:
        raise denied(f"User {call.principal.name} must be a metastore admin to rename a provider.")


# --- profile files -------------------------------------------------------------------------------------------------------


def _sealed(providers: Providers, text: str) -> str:
    _profile(text)
    return providers.seal.close(text)


def _opened(providers: Providers, provider: Provider) -> Profile:
    return _profile(providers.seal.open(provider.profile))


def _profile(text: str) -> Profile:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise invalid("recipient_profile_str is not a profile file: it is not JSON.") from error
    if not isinstance(read, dict) or read.get("shareCredentialsVersion") != 1:
        raise invalid("recipient_profile_str is not a profile file of shareCredentialsVersion 1.")
    endpoint = field_text(read, "endpoint").rstrip("/")
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise invalid(f"The endpoint of a profile file must be an https address, not '{endpoint}'.")
    return Profile(endpoint, field_text(read, "bearerToken"))


def _ask(profile: Profile, name: str, call: Call) -> JsonObject:
    """The shares that a Delta Sharing server lists; its refusals and its silence are errors, never an empty list."""
    import requests

    query = {"maxResults": call.query.get("max_results"), "pageToken": call.query.get("page_token")}
    try:
        answer = requests.get(
            f"{profile.endpoint}/shares",
            params={key: value for key, value in query.items() if value and value != "0"},
            headers={"Authorization": f"Bearer {profile.bearer}"},
            timeout=_SECONDS,
            allow_redirects=False,
        )
        found = answer.json() if answer.status_code == 200 else {}
    except requests.RequestException as error:
        raise ApiError(
            500, "INTERNAL_ERROR", f"Provider '{name}' cannot be reached: {type(error).__name__}."
        ) from error
    if answer.status_code in (401, 403):
        raise denied(f"Provider '{name}' refuses the token of its profile file.")
    if answer.status_code != 200 or not isinstance(found, dict):
        raise ApiError(500, "INTERNAL_ERROR", f"Provider '{name}' answers {answer.status_code}.")
    return found


def provider_info(providers: Providers, provider: Provider) -> JsonObject:
    """A provider; its bearer token is not shown."""
    profile = _opened(providers, provider)
    return {
        **stamp_info(provider),
        "authentication_type": provider.authentication_type.value,
        "recipient_profile": {"endpoint": profile.endpoint, "share_credentials_version": 1},
    }
