"""What a pack says, whatever its order and case: the form that is hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from brickyard.share.model.pack import Mode, SharePack

_NAMES = frozenset(
    {
        "recipients",
        "recipients_to_add",
        "recipients_to_remove",
        "recipient_ips",
        "recipient_ips_to_add",
        "recipient_ips_to_remove",
        "key_columns",
        "notification",
        "shares",
    }
)
_FOLDED = frozenset({"name", "name_prefix", "source_asset", "target_asset", "shared_as"})


def content_hash(pack: SharePack) -> str:
    """Return the SHA-256 of a pack's canonical content, in hexadecimal."""
    text = json.dumps(canonical(pack), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(pack: SharePack) -> dict[str, Any]:
    """Return a pack's content with its lists sorted and its names in lower case.

    That the addresses of a recipient are said to be none counts only in a pack of mode exact, where it clears them.
    """
    data = {name: getattr(pack, name) for name in SharePack.model_fields}
    plain = {name: _plain(name, value) for name, value in data.items()}
    if pack.metadata.mode is Mode.EXACT:
        plain["cleared"] = sorted(spec.name.casefold() for spec in pack.recipient if spec.clears_addresses)
    return plain


def _plain(key: str, value: Any) -> Any:
    if hasattr(value, "model_fields_set"):
        return {name: _plain(name, getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        fold = key == "pipelines"
        return {(name.casefold() if fold else name): _plain(key, inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return _sorted([_plain(key, item) for item in value])
    return value.casefold() if isinstance(value, str) and (key in _NAMES or key in _FOLDED) else value


def _sorted(items: Iterable[Any]) -> list[Any]:
    """The items as a set, in an order that depends on nothing but them."""
    written = {json.dumps(item, sort_keys=True, ensure_ascii=False): item for item in items}
    return [written[text] for text in sorted(written)]
