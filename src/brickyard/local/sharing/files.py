"""Links to data files: signed for one recipient, one file and one time, as cloud storage signs them."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from brickyard.local.api.errors import ApiError, denied
from brickyard.local.api.tokens import write_private

EXPIRES = "X-Databricks-Expires"
RECIPIENT = "X-Databricks-Recipient"
SIGNATURE = "X-Databricks-Signature"  # a name by which Delta's kernel knows a link that is signed and not a local path
LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a file and when it ends, in milliseconds since the epoch."""

    url: str
    expires: int


@dataclass(frozen=True, slots=True)
class Links:
    """Signs links to the files of shared tables and opens them again; *home* is the workspace's folder."""

    home: Path
    key: bytes

    def sign(self, base: str, recipient: str, table: Path, file: str, now: datetime) -> Link:
        """The link to a file of a table's folder; *base* is the address under which the files are served."""
        expires = int((now + LIFETIME).timestamp() * 1000)
        place = _encode(f"{_relative(table, self.home)}\n{file}")
        query = {EXPIRES: str(expires), RECIPIENT: recipient, SIGNATURE: self._signature(place, expires, recipient)}
        return Link(f"{base}/{place}?{urlencode(query)}", expires)

    def open(self, place: str, query: Mapping[str, str], now: datetime) -> Path:
        """The file that a link leads to, or raise ApiError when it was altered, has ended or its file is gone."""
        expires, recipient = query.get(EXPIRES, ""), query.get(RECIPIENT, "")
        signed = self._signature(place, int(expires), recipient) if expires.isascii() and expires.isdigit() else ""
        if not signed or not hmac.compare_digest(signed.encode(), query.get(SIGNATURE, "").encode()):
            raise denied("The signature of the link does not match.")
        if int(expires) <= now.timestamp() * 1000:
            raise denied("The link has expired; query the table again.")
        table, _, file = _decode(place).partition("\n")
        return _inside(self.home / table, file)

    def _signature(self, place: str, expires: int, recipient: str) -> str:
        return hmac.new(self.key, f"{place}\n{expires}\n{recipient}".encode(), "sha256").hexdigest()


def links(home: Path) -> Links:
    """The signer of a workspace; its key lies in a file that only the owner can read."""
    file = home / "sharing.key"
    if not file.exists():
        write_private(file, secrets.token_hex(32))
    return Links(home, bytes.fromhex(file.read_text().strip()))


def _relative(table: Path, home: Path) -> str:
    return str(table.relative_to(home)) if table.is_relative_to(home) else str(table)


def _inside(table: Path, file: str) -> Path:
    """The file, which lies in the table's folder whatever its name says."""
    path = (table / file).resolve()
    if "\x00" in file or not path.is_relative_to(table.resolve()):
        raise denied("The link leads out of the table.")
    if not path.is_file():
        raise ApiError(404, "DATA_LOSS", "The file is gone; query the table again.")
    return path


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise denied("The link is not one that this workspace gave.") from error
