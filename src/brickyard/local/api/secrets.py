"""Secret scopes: values encrypted at rest under a key of the workspace's own folder."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from brickyard.local.api.documents import Documents
from brickyard.local.api.errors import denied, exists, invalid, missing
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_text
from brickyard.local.api.tokens import Principal, write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAX_VALUE = 128 * 1024
_ORDER = ("READ", "WRITE", "MANAGE")
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Secrets:
    """The scopes with their access lists and encrypted values."""

    rows: Documents
    key_file: Path

    def values(self) -> list[str]:
        """Every secret in clear, to strike them out of logs."""
        return [self._open(name, key) for name, row in self.rows.items() for key in _map(row, "secrets")]

    def scope(self, name: str, principal: Principal, right: str) -> JsonObject:
        """A scope on which the principal has a right, or an error."""
        row = self.rows.get(name)
        if row is None:
            raise missing(f"Scope {name} does not exist!")
        held = "MANAGE" if principal.owner else _map(row, "acls").get(principal.name)
        if held not in _ORDER or _ORDER.index(str(held)) < _ORDER.index(right):
            raise denied(f"User {principal.name} does not have {right} permission on scope {name}.")
        return row

    def value(self, scope: str, key: str, principal: Principal) -> str:
        """A secret in clear, for a principal with READ on its scope."""
        if key not in _map(self.scope(scope, principal, "READ"), "secrets"):
            raise missing(f"Secret does not exist with scope: {scope} and key: {key}")
        return self._open(scope, key)

    def put(self, scope: str, key: str, value: bytes) -> None:
        """Store a secret."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher().encrypt(nonce, value, f"{scope}/{key}".encode())
        row = {"sealed": base64.b64encode(sealed).decode(), "updated": int(time.time() * 1000)}
        with self.rows.changing() as rows:
            rows[scope]["secrets"] = {**_map(rows[scope], "secrets"), key: row}

    def _open(self, scope: str, key: str) -> str:
        row = _map(self.rows.get(scope) or {}, "secrets")[key]
        assert isinstance(row, dict)
        sealed = base64.b64decode(row["sealed"])
        opened = self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], f"{scope}/{key}".encode())
        return opened.decode("utf-8", "surrogateescape")

    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not self.key_file.exists():
            write_private(self.key_file, secrets.token_hex(32))
        return AESGCM(bytes.fromhex(self.key_file.read_text()))


router: Router[Secrets] = Router()


@router.on("POST", "/api/2.0/secrets/scopes/create", operation="secrets.create_scope")
def create_scope(store: Secrets, call: Call) -> Answer:
    """Make a scope that its maker manages."""
    name = field_text(call.body(), "scope")
    with store.rows.changing() as rows:
        if name in rows:
            raise exists(f"Scope {name} already exists!")
        rows[name] = {"acls": {call.principal.name: "MANAGE"}, "secrets": {}}
    return {}


@router.on("GET", "/api/2.0/secrets/scopes/list", operation="secrets.list_scopes")
def list_scopes(store: Secrets, call: Call) -> Answer:
    """List the scopes that the caller may read."""
    names = [n for n, row in store.rows.items() if call.principal.owner or call.principal.name in _map(row, "acls")]
    return {"scopes": [{"name": name, "backend_type": "DATABRICKS"} for name in names]}


@router.on("POST", "/api/2.0/secrets/scopes/delete", operation="secrets.delete_scope")
def delete_scope(store: Secrets, call: Call) -> Answer:
    """Remove a scope with its secrets."""
    name = field_text(call.body(), "scope")
    store.scope(name, call.principal, "MANAGE")
    with store.rows.changing() as rows:
        rows.pop(name, None)
    return {}


@router.on("POST", "/api/2.0/secrets/put", operation="secrets.put_secret")
def put(store: Secrets, call: Call) -> Answer:
    """Store a secret, as text or as base64 bytes."""
    body = call.body()
    scope, key = field_text(body, "scope"), field_text(body, "key")
    store.scope(scope, call.principal, "WRITE")
    value = _bytes(body)
    if len(value) > MAX_VALUE:
        raise invalid(f"A secret may have at most {MAX_VALUE} bytes.")
    store.put(scope, key, value)
    return {}


@router.on("GET", "/api/2.0/secrets/get", operation="secrets.get_secret")
def get(store: Secrets, call: Call) -> Answer:
    """Give a secret as base64."""
    key = call.text("key")
    value = store.value(call.text("scope"), key, call.principal).encode("utf-8", "surrogateescape")
    return {"key": key, "value": base64.b64encode(value).decode()}


@router.on("GET", "/api/2.0/secrets/list", operation="secrets.list_secrets")
def list_(store: Secrets, call: Call) -> Answer:
    """List the keys of a scope, never their values."""
    row = store.scope(call.text("scope"), call.principal, "READ")
    rows = [{"key": k, "last_updated_timestamp": v["updated"]} for k, v in _secrets(row).items()]
    return {"secrets": rows} if rows else {}


@router.on("POST", "/api/2.0/secrets/delete", operation="secrets.delete_secret")
def delete(store: Secrets, call: Call) -> Answer:
    """Remove a secret."""
    body = call.body()
    scope, key = field_text(body, "scope"), field_text(body, "key")
    if key not in _secrets(store.scope(scope, call.principal, "WRITE")):
        raise missing(f"Secret {key} does not exist in scope {scope}.")
    with store.rows.changing() as rows:
        rows[scope]["secrets"] = {k: v for k, v in _secrets(rows[scope]).items() if k != key}
    return {}


@router.on("POST", "/api/2.0/secrets/acls/put", operation="secrets.put_acl")
def put_acl(store: Secrets, call: Call) -> Answer:
    """Give a principal a right on a scope."""
    body = call.body()
    scope, right = field_text(body, "scope"), field_text(body, "permission")
    store.scope(scope, call.principal, "MANAGE")
    if right not in _ORDER:
        raise invalid(f"permission must be one of {', '.join(_ORDER)}.")
    with store.rows.changing() as rows:
        rows[scope]["acls"] = {**_map(rows[scope], "acls"), field_text(body, "principal"): right}
    return {}


@router.on("GET", "/api/2.0/secrets/acls/list", operation="secrets.list_acls")
def list_acls(store: Secrets, call: Call) -> Answer:
    """List the rights on a scope."""
    acls = _map(store.scope(call.text("scope"), call.principal, "MANAGE"), "acls")
    return {"items": [{"principal": name, "permission": right} for name, right in acls.items()]}


@router.on("GET", "/api/2.0/secrets/acls/get", operation="secrets.get_acl")
def get_acl(store: Secrets, call: Call) -> Answer:
    """Give the right of one principal on a scope."""
    name = call.text("principal")
    acls = _map(store.scope(call.text("scope"), call.principal, "MANAGE"), "acls")
    if name not in acls:
        raise missing(f"{name} has no permission on the scope.")
    return {"principal": name, "permission": acls[name]}


@router.on("POST", "/api/2.0/secrets/acls/delete", operation="secrets.delete_acl")
def delete_acl(store: Secrets, call: Call) -> Answer:
    """Take a principal's right on a scope away."""
    body = call.body()
    scope, name = field_text(body, "scope"), field_text(body, "principal")
    if name not in _map(store.scope(scope, call.principal, "MANAGE"), "acls"):
        raise missing(f"{name} has no permission on the scope.")
    with store.rows.changing() as rows:
        rows[scope]["acls"] = {k: v for k, v in _map(rows[scope], "acls").items() if k != name}
    return {}


def _map(row: JsonObject, name: str) -> JsonObject:
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def _secrets(row: JsonObject) -> dict[str, JsonObject]:
    return {key: value for key, value in _map(row, "secrets").items() if isinstance(value, dict)}


def _bytes(body: JsonObject) -> bytes:
    if body.get("bytes_value") is None:
        return field_text(body, "string_value").encode()
    try:
        return base64.b64decode(field_text(body, "bytes_value"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"bytes_value is not base64: {error}") from error
