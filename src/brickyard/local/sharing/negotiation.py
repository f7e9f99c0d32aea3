"""What a client can read and what a table needs: the two response formats, reader features and hashes of file names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from brickyard.local.api.errors import invalid
from brickyard.local.sql.delta.log import Action

CAPABILITIES = "delta-sharing-capabilities"
FILE_ID_HASH = "fileidhash"
_WITHOUT_READERS = frozenset({"vacuumprotocolcheck", "v2checkpoint"})  # features that leave the data files as they are


class Format(StrEnum):
    """How an answer describes files: in the protocol's own words, or as actions of a Delta log."""

    PARQUET = "parquet"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the capabilities header of a request says; without one a client reads parquet only."""

    formats: frozenset[Format] = frozenset({Format.PARQUET})
    features: frozenset[str] = frozenset()
    end_stream: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the answer to a request looks like."""

    format: Format
    end_stream: bool
    hash: Callable[[str], str]
    headers: Mapping[str, str]


def parse(header: str | None) -> Capabilities:
    """Read the capabilities header, whose words count without case; raises ApiError when no known format is in it."""
    words = dict(_pair(part) for part in (header or "").lower().split(";") if part.strip())
    wanted = words.get("responseformat", frozenset({Format.PARQUET.value}))
    formats = frozenset(Format(word) for word in wanted if word in set(Format))
    if not formats:
        raise invalid(f"None of the response formats {', '.join(sorted(wanted))} is known; ask for delta or parquet.")
    features = words.get("readerfeatures", frozenset())
    return Capabilities(formats, features, "true" in words.get("includeendstreamaction", ()))


def _pair(part: str) -> tuple[str, frozenset[str]]:
    key, _, value = part.partition("=")
    return key.strip(), frozenset(word.strip() for word in value.split(",") if word.strip())


def needed_features(protocol: Action, configuration: Mapping[str, str]) -> frozenset[str]:
    """The reader features without which a table's files would be misread, in lower case."""
    if protocol["minReaderVersion"] >= 3:
        return frozenset(name.lower() for name in protocol.get("readerFeatures") or ()) - _WITHOUT_READERS
    mapped = configuration.get("delta.columnMapping.mode", "none").lower() != "none"
    return frozenset({"columnmapping"}) if mapped else frozenset()


def agree(headers: Mapping[str, str], needed: frozenset[str]) -> Agreement:
    """Choose the format of an answer, or raise ApiError when the client cannot read the table.

    Parquet is chosen when the client takes it and nothing is lost; the choice is said in the answer's header.
    """
    wanted = parse(headers.get(CAPABILITIES))
    format_ = Format.PARQUET if Format.PARQUET in wanted.formats and not needed else Format.DELTA
    if format_ not in wanted.formats:
        raise invalid(
            f"The table needs the reader features {', '.join(sorted(needed))}, which responseformat=parquet does not "
            "have; ask for responseformat=delta."
        )
    if missing := needed - wanted.features:
        raise invalid(f"The client does not support the table's reader features: {', '.join(sorted(missing))}.")
    said = f"responseformat={format_}" + (";includeendstreamaction=true" if wanted.end_stream else "")
    hash_, echo = _file_id_hash(headers.get(FILE_ID_HASH), format_)
    return Agreement(format_, wanted.end_stream, hash_, {CAPABILITIES: said, **echo})


def _file_id_hash(header: str | None, format_: Format) -> tuple[Callable[[str], str], dict[str, str]]:
    name = (header or format_).strip().lower()
    if name not in _HASHES:
        raise invalid(f"fileidhash must be parquet or delta, not {header!r}.")
    return _HASHES[name], {FILE_ID_HASH: name} if header else {}


def _md5(path: str) -> str:
    return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()


def _sha256(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


_HASHES: dict[str, Callable[[str], str]] = {Format.PARQUET: _md5, Format.DELTA: _sha256}
