"""Reads and writes shares, recipients, providers and who may read what; names compare without case, nothing dangles."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from brickyard.kernel.clock import Clock, system_clock
from brickyard.local.catalog.codec import decode, encode
from brickyard.local.catalog.database import Database
from brickyard.local.catalog.model import AlreadyExists, CatalogError, DoesNotExist, Invalid
from brickyard.local.sharing.model import Provider, Recipient, Share, SharedObject, Token

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sharing (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (kind, key)
);
CREATE TABLE IF NOT EXISTS shared_objects (
  position INTEGER PRIMARY KEY, share TEXT NOT NULL REFERENCES sharing (id) ON DELETE CASCADE,
  identity TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (share, identity)
);
CREATE TABLE IF NOT EXISTS recipient_tokens (
  id TEXT PRIMARY KEY, recipient TEXT NOT NULL REFERENCES sharing (id) ON DELETE CASCADE,
  activation TEXT NOT NULL UNIQUE, digest TEXT UNIQUE
);
CREATE INDEX IF NOT EXISTS recipient_tokens_of ON recipient_tokens (recipient);
CREATE TABLE IF NOT EXISTS share_grants (
  share TEXT NOT NULL REFERENCES sharing (id) ON DELETE CASCADE,
  recipient TEXT NOT NULL REFERENCES sharing (id) ON DELETE CASCADE,
  PRIMARY KEY (share, recipient)
);
CREATE INDEX IF NOT EXISTS share_grants_of ON share_grants (recipient);
"""
LIMITS: Mapping[type, int] = {Share: 1000, Recipient: 5000, Provider: 1000}  # of one metastore
_CACHED = 4096  # objects of shares, most of them below a kilobyte
S = TypeVar("S", Share, Recipient, Provider)
Row = Share | Recipient | Provider


class SharingStore:
    """The sharing side of a metastore, in the catalog's file; safe to use from any thread.

    Every lookup raises DoesNotExist with Unity Catalog's code (`SHARE_DOES_NOT_EXIST`, `RECIPIENT_DOES_NOT_EXIST`, …).
    """

    def __init__(self, database: Database, *, clock: Clock = system_clock, limits: Mapping[type, int] = LIMITS) -> None:
        self.database = database
        self._limits = limits
        self._clock = clock
        self.database.create(_SCHEMA)

    def now(self) -> datetime:
        """The current time in UTC."""
        return self._clock().astimezone(UTC)

    # --- reading ----------------------------------------------------------------------------------------------------

    def share(self, name: str) -> Share:
        """Return one share with its objects, in the order in which they were added."""
        return self._filled(self.head(name))

    def head(self, name: str) -> Share:
        """Return one share without its objects."""
        return self._get(Share, name)

    def shares(self) -> list[Share]:
        """All shares with their objects, by name."""
        return [self._filled(share) for share in self.heads()]

    def heads(self, start: int = 0, count: int = -1) -> list[Share]:
        """A page of the shares by name, without their objects; *count* -1 for the rest."""
        return self._list(Share, start, count)

    def recipient(self, name: str) -> Recipient:
        """Return one recipient."""
        return self._get(Recipient, name)

    def recipient_of_metastore(self, global_id: str) -> Recipient | None:
        """The recipient that stands for another metastore, by its global id."""
        row = self.database.row(
            "SELECT document FROM sharing WHERE kind = 'RECIPIENT' AND lower(json_extract(document, '$.metastore')) = ?",
            (global_id.lower(),),
        )
        return None if row is None else decode(Recipient, row["document"])

    def recipients(self, start: int = 0, count: int = -1) -> list[Recipient]:
        """A page of the recipients by name; *count* -1 for the rest."""
        return self._list(Recipient, start, count)

    def provider(self, name: str) -> Provider:
        """Return one provider."""
        return self._get(Provider, name)

    def providers(self, start: int = 0, count: int = -1) -> list[Provider]:
        """A page of the providers by name; *count* -1 for the rest."""
        return self._list(Provider, start, count)

    def granted(self, recipient: str) -> list[Share]:
        """The shares that a recipient may read, with their objects, by name."""
        return [self._filled(share) for share in self.granted_heads(recipient)]

    def granted_heads(self, recipient: str) -> list[Share]:
        """The shares that a recipient may read, without their objects, by name."""
        rows = self.database.rows(
            "SELECT s.document FROM share_grants g JOIN sharing s ON s.id = g.share WHERE g.recipient = ? ORDER BY s.key",
            (self.recipient(recipient).id,),
        )
        return [decode(Share, row["document"]) for row in rows]

    def readers(self, share: str) -> list[str]:
        """The names of the recipients that may read a share, in order."""
        rows = self.database.rows(
            "SELECT r.document FROM share_grants g JOIN sharing r ON r.id = g.recipient WHERE g.share = ? ORDER BY r.key",
            (self.head(share).id,),
        )
        return [decode(Recipient, row["document"]).name for row in rows]

    # --- writing ----------------------------------------------------------------------------------------------------

    def add(self, row: S, *, by: str) -> S:
        """Store something new under its name, or raise AlreadyExists, or Invalid when the metastore is full."""
        with self.database.transaction():
            stamped = self._stamped(row, by)
            _check_name(stamped)
            self._check_free(stamped)
            self._check_limit(type(stamped))
            self.database.execute(
                "INSERT INTO sharing VALUES (?, ?, ?, ?)",
                (stamped.id, _kind(stamped), stamped.name.lower(), encode(_bare(stamped))),
            )
            self._save_parts(stamped)
        return stamped

    def save(self, row: S, *, by: str) -> S:
        """Write something back under its id; the name may be new."""
        with self.database.transaction():
            stamped = replace(row, updated_at=self.now(), updated_by=by)
            _check_name(stamped)
            self._check_free(stamped)
            changed = self.database.execute(
                "UPDATE sharing SET key = ?, document = ? WHERE id = ?",
                (stamped.name.lower(), encode(_bare(stamped)), stamped.id),
            )
            if not changed:
                raise _does_not_exist(type(stamped), stamped.name)
            self._save_parts(stamped)
        return stamped

    def remove(self, row: Row) -> None:
        """Delete something, with its objects, tokens and grants."""
        self.database.execute("DELETE FROM sharing WHERE id = ?", (row.id,))

    def grant(self, share: str, recipient: str) -> None:
        """Let a recipient read a share; twice is once."""
        values = (self.head(share).id, self.recipient(recipient).id)
        self.database.execute("INSERT OR IGNORE INTO share_grants VALUES (?, ?)", values)

    def revoke(self, share: str, recipient: str) -> None:
        """Take a share away from a recipient; not having it is no error."""
        values = (self.head(share).id, self.recipient(recipient).id)
        self.database.execute("DELETE FROM share_grants WHERE share = ? AND recipient = ?", values)

    # --- tokens -----------------------------------------------------------------------------------------------------

    def recipient_of(self, bearer: str) -> tuple[Recipient, Token] | None:
        """Who holds a bearer token, and which one; None when nobody does or it has expired."""
        held = digest(bearer)
        found = self._holder("digest", held)
        token = next((t for t in found.tokens if t.digest == held), None) if found else None
        return (found, token) if found and token and is_live(token, self.now()) else None

    def pending(self, link: str) -> tuple[Recipient, Token] | None:
        """Whose token an activation link gives, None when there is none, it was used or it has expired."""
        found = self._holder("activation", link)
        token = next((t for t in found.tokens if t.activation == link), None) if found else None
        usable = token is not None and token.digest is None and is_live(token, self.now())
        return (found, token) if found and token and usable else None

    def activate(self, link: str) -> tuple[str, Token, Recipient] | None:
        """Turn an activation link into a bearer token, once; only the digest of the bearer token is kept."""
        with self.database.transaction():
            found = self.pending(link)
            if found is None:
                return None
            recipient, token = found
            bearer = secrets.token_urlsafe(48)
            active = replace(token, digest=digest(bearer), updated_at=self.now(), updated_by=recipient.name)
            tokens = tuple(active if t.id == token.id else t for t in recipient.tokens)
            return bearer, active, self.save(replace(recipient, tokens=tokens), by=recipient.name)

    def _holder(self, column: str, value: str) -> Recipient | None:
        row = self.database.row(
            f"SELECT s.document FROM recipient_tokens t JOIN sharing s ON s.id = t.recipient WHERE t.{column} = ?",
            (value,),
        )
        return None if row is None else decode(Recipient, row["document"])

    # --- below ------------------------------------------------------------------------------------------------------

    def _get(self, class_: type[S], name: str) -> S:
        row = self.database.row(
            "SELECT document FROM sharing WHERE kind = ? AND key = ?", (class_.__name__.upper(), name.lower())
        )
        if row is None:
            raise _does_not_exist(class_, name)
        return decode(class_, row["document"])

    def _list(self, class_: type[S], start: int, count: int) -> list[S]:
        rows = self.database.rows(
            "SELECT document FROM sharing WHERE kind = ? ORDER BY key LIMIT ? OFFSET ?",
            (class_.__name__.upper(), count, start),
        )
        return [decode(class_, row["document"]) for row in rows]

    def _filled(self, share: Share) -> Share:
        rows = self.database.rows("SELECT document FROM shared_objects WHERE share = ? ORDER BY position", (share.id,))
        return replace(share, objects=tuple(_object(row["document"]) for row in rows))

    def _save_parts(self, row: Row) -> None:
        match row:
            case Share(id=id_, objects=objects):
                self._save_objects(id_, objects)
            case Recipient(id=id_, tokens=tokens):
                self._save_tokens(id_, tokens)

    def _save_objects(self, share: str, objects: Iterable[SharedObject]) -> None:
        rows = self.database.rows("SELECT identity, document FROM shared_objects WHERE share = ?", (share,))
        stored = {row["identity"]: row["document"] for row in rows}
        wanted = {identity(one): _document(one) for one in objects}
        for key in stored.keys() - wanted.keys():
            self.database.execute("DELETE FROM shared_objects WHERE share = ? AND identity = ?", (share, key))
        for key, document in wanted.items():
            if stored.get(key) != document:
                self.database.execute(
                    "INSERT INTO shared_objects (share, identity, document) VALUES (?, ?, ?) "
                    "ON CONFLICT (share, identity) DO UPDATE SET document = excluded.document",
                    (share, key, document),
                )

    def _save_tokens(self, recipient: str, tokens: Sequence[Token]) -> None:
        self.database.execute("DELETE FROM recipient_tokens WHERE recipient = ?", (recipient,))
        for token in tokens:
            values = (token.id, recipient, token.activation, token.digest)
            self.database.execute("INSERT INTO recipient_tokens VALUES (?, ?, ?, ?)", values)

    def _check_free(self, row: Row) -> None:
        other = self.database.row("SELECT id FROM sharing WHERE kind = ? AND key = ?", (_kind(row), row.name.lower()))
        if other is not None and other["id"] != row.id:
            raise _already_exists(row)

    def _check_limit(self, class_: type[Row]) -> None:
        row = self.database.row("SELECT count(*) AS n FROM sharing WHERE kind = ?", (class_.__name__.upper(),))
        if row is not None and row["n"] >= self._limits[class_]:
            raise Invalid(
                "RESOURCE_EXHAUSTED", f"A metastore holds at most {self._limits[class_]} {class_.__name__.lower()}s."
            )

    def _stamped(self, row: S, by: str) -> S:
        now = self.now()
        return replace(
            row,
            id=row.id or str(uuid.uuid4()),
            owner=row.owner or by,
            created_at=row.created_at or now,
            created_by=row.created_by or by,
            updated_at=now,
            updated_by=by,
        )


def digest(bearer: str) -> str:
    """The digest by which a bearer token is kept."""
    return hashlib.sha256(bearer.encode()).hexdigest()


def is_live(token: Token, at: datetime) -> bool:
    """Whether a token has not expired."""
    return token.expires_at is None or token.expires_at > at


def exposed_name(shared: SharedObject) -> str:
    """The name under which a recipient sees an object: its alias, or the object's own name without the catalog."""
    own = shared.name if shared.object_type == "NOTEBOOK_FILE" else shared.name.partition(".")[2]
    return shared.shared_as or shared.string_shared_as or (own.rpartition("/")[2] if "/" in own else own)


def identity(shared: SharedObject) -> str:
    """What tells an object of a share from the others; a table may be in a share twice, under different names."""
    return f"{shared.object_type}:{shared.name}:{exposed_name(shared)}".lower()


@lru_cache(maxsize=_CACHED)
def _object(document: str) -> SharedObject:
    """Read an object of a share; a share of 1,000 is read and written for every change of one of them."""
    return decode(SharedObject, document)


@lru_cache(maxsize=_CACHED)
def _document(one: SharedObject) -> str:
    return encode(one)


def _bare(row: Row) -> Row:
    return replace(row, objects=()) if isinstance(row, Share) else row


def _kind(row: Row) -> str:
    return type(row).__name__.upper()


def _check_name(row: Row) -> None:
    if not row.name or len(row.name) > 255 or any(ord(c) < 33 or c in "./\x7f" for c in row.name):
        raise Invalid("INVALID_PARAMETER_VALUE", f"'{row.name}' is not a valid name.")


def _does_not_exist(class_: type[Row], name: str) -> CatalogError:
    word = class_.__name__
    return DoesNotExist(f"{word.upper()}_DOES_NOT_EXIST", f"{word} '{name}' does not exist.")


def _already_exists(row: Row) -> CatalogError:
    word = type(row).__name__
    if isinstance(row, Recipient):
        message = f"There is already a Recipient object with the name '{row.name}': it already exists."
    else:
        message = f"{word} '{row.name}' already exists."
    return AlreadyExists(f"{word.upper()}_ALREADY_EXISTS", message)
