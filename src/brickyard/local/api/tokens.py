"""Who may call: the owner's token, tokens made for other principals, and short-lived tokens of runs.

Only digests are kept; personal tokens outlive a restart, run tokens do not (neither do the runs' processes).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks; `run` is the task run that a run-scoped token belongs to."""

    name: str
    owner: bool = False
    run: int | None = None


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One issued token, by its digest; times in seconds since the epoch, `expires` None for never."""

    token_id: str
    digest: str
    principal: str
    created: float
    expires: float | None
    comment: str = ""
    run: int | None = None


class Tokens:
    """The token registry of one workspace."""

    def __init__(self, folder: Path, owner: str, now: Callable[[], float] = time.time) -> None:
        self.owner = owner
        self.owner_token = _owner_token(folder / "token")
        self._file = folder / "tokens.json"
        self._now = now
        self._lock = threading.Lock()
        self._rows: dict[str, TokenRow] = {row.digest: row for row in _load(self._file)}

    def issue(self, principal: str, ttl: float | None = None, run: int | None = None, comment: str = "") -> str:
        """Make a token for *principal* that ends after *ttl* seconds; one with a *run* is never written to disk."""
        token = "dapi" + secrets.token_hex(32)
        expires = None if ttl is None else self._now() + ttl
        row = TokenRow(secrets.token_hex(16), digest(token), principal, self._now(), expires, comment, run)
        with self._lock:
            self._rows[row.digest] = row
            if run is None:
                self._save()
        return token

    def principal_of(self, token: str) -> Principal | None:
        """Who holds the token, or None when nobody does any more."""
        if hmac.compare_digest(token.encode(), self.owner_token.encode()):
            return Principal(self.owner, owner=True)
        row = self._rows.get(digest(token))
        if row is None or (row.expires is not None and row.expires <= self._now()):
            return None
        return Principal(row.principal, owner=row.principal == self.owner and row.run is None, run=row.run)

    def row_of(self, token: str) -> TokenRow | None:
        """The row of a token."""
        return self._rows.get(digest(token))

    def rows(self, principal: str) -> list[TokenRow]:
        """The personal tokens of a principal, oldest first."""
        with self._lock:
            mine = [r for r in self._rows.values() if r.principal == principal and r.run is None]
        return sorted(mine, key=lambda r: r.created)

    def all_rows(self) -> list[TokenRow]:
        """Every token that was issued and not revoked."""
        with self._lock:
            return list(self._rows.values())

    def revoke(self, token_id: str) -> bool:
        """End a token; False when there is none of that id."""
        return self._drop(lambda row: row.token_id == token_id)

    def revoke_run(self, run: int) -> bool:
        """End the tokens of a run; False when it had none."""
        return self._drop(lambda row: row.run == run)

    def _drop(self, condition: Callable[[TokenRow], bool]) -> bool:
        with self._lock:
            gone = [key for key, row in self._rows.items() if condition(row)]
            for key in gone:
                del self._rows[key]
            if gone:
                self._save()
        return bool(gone)

    def _save(self) -> None:
        rows = [asdict(row) for row in self._rows.values() if row.run is None]
        write_private(self._file, json.dumps(rows, indent=1))


def digest(token: str) -> str:
    """The digest by which a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, at once or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)


def _owner_token(path: Path) -> str:
    if not path.exists():
        write_private(path, "dapi" + secrets.token_hex(32))
    path.chmod(0o600)
    return path.read_text().strip()


def _load(path: Path) -> list[TokenRow]:
    return [TokenRow(**row) for row in json.loads(path.read_text())] if path.exists() else []
