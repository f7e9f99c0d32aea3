"""Activation links, sealed with a key that only this home has: the database alone gives none of them away."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from brickyard.kernel.errors import GuardRefused

_KEY = "share.key"
_NONCE_BYTES = 12
_KEY_BYTES = 32


def sealed(home: Path, text: str) -> bytes:
    """Return the text encrypted and authenticated (AES-256-GCM), the nonce in front."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(home)).encrypt(nonce, text.encode(), None)


def opened(home: Path, data: bytes) -> str:
    """Return what was sealed, or raise GuardRefused when it was sealed with another key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(_key(home)).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None).decode()
    except InvalidTag as error:
        raise GuardRefused(
            "the activation link was sealed with another key than this home's",
            code="share-link-sealed",
            remedy=f"deliver it from the home whose {_KEY} sealed it, or rotate the token",
        ) from error


def _key(home: Path) -> bytes:
    """Return the key of the home, made at its first use with mode 0600; of two processes that make one, the first wins."""
    file = home / _KEY
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=home)
        with os.fdopen(handle, "wb") as out:
            out.write(secrets.token_bytes(_KEY_BYTES))
        with suppress(FileExistsError):
            os.link(draft, file)
        os.unlink(draft)
    return file.read_bytes()
