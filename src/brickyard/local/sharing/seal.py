"""Credentials of others at rest: sealed under a key that lies in the workspace's own folder."""

from __future__ import annotations

import base64
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path

_NONCE = 12


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals texts with AES-GCM; the key file is made, readable by its owner only, at the first use."""

    key_file: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self, text: str) -> str:
        """Return *text* sealed."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE)
        return base64.b64encode(nonce + AESGCM(self._key()).encrypt(nonce, text.encode(), None)).decode()

    def open(self, sealed: str) -> str:
        """Return the text that `close` was given."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        raw = base64.b64decode(sealed)
        return AESGCM(self._key()).decrypt(raw[:_NONCE], raw[_NONCE:], None).decode()

    def _key(self) -> bytes:
        with self._lock:
            if not self.key_file.exists():
                self.key_file.touch(mode=0o600)
                self.key_file.write_text(secrets.token_hex(32))
            return bytes.fromhex(self.key_file.read_text())
