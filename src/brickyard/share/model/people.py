"""Who may stand in a pack: e-mail addresses and groups, with a guard against misspelt mail providers."""

from __future__ import annotations

import re
from difflib import get_close_matches

from brickyard.share.model.nodes import RefusedError

_LOCAL = re.compile(r"[A-Za-z0-9._+-]+\Z")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_TOP = re.compile(r"[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]\Z")
_GROUP = re.compile(r"[A-Za-z0-9._\s-]+\Z")
_PROVIDERS = ("gmail", "yahoo", "ymail", "outlook", "hotmail")
_ONLY_COM = ("gmail", "ymail")
_REAL = frozenset(
    {*_PROVIDERS, "mail", "email", "googlemail", "gmx", "fastmail", "protonmail", "hushmail", "rediffmail"}
)
_WRONG_TOPS = frozenset({"con", "cmo", "ocm", "vom", "xom", "comm", "coom", "om", "cm", "cim", "cpm", "copm", "c"})


def people(text: str) -> str:
    """Return the entries of a comma-separated list, one space after each comma, or raise RefusedError."""
    entries = [entry.strip() for entry in text.split(",")]
    if not all(entries):
        raise RefusedError("has an empty entry", "write people and groups with one comma between two of them")
    for entry in entries:
        _check(entry)
    return ", ".join(entries)


def address(text: str) -> str:
    """Return one e-mail address, or raise RefusedError; a group is none."""
    if "@" not in text:
        raise RefusedError(f"{text!r} is not an e-mail address")
    _check(text)
    return text


def _check(entry: str) -> None:
    if "@" in entry:
        _check_address(entry)
    elif len(entry) < 2 or not _GROUP.match(entry):
        raise RefusedError(
            f"{entry!r} is neither an e-mail address nor the name of a group",
            "groups have at least two of letters, digits, space, '.', '_' and '-'",
        )


def _check_address(entry: str) -> None:
    local, _, domain = entry.partition("@")
    labels = domain.split(".")
    if not _LOCAL.match(local) or len(labels) < 2 or not all(map(_LABEL.match, labels)) or not _TOP.match(labels[-1]):
        raise RefusedError(f"{entry!r} is not an e-mail address", "write it as name@example.com")
    meant = _meant(domain.lower())
    if meant is not None:
        raise RefusedError(f"{entry!r} looks misspelt", f"did you mean {local}@{meant}?")


def _meant(domain: str) -> str | None:
    """The provider's domain that was probably meant by a misspelt one."""
    label, _, rest = domain.partition(".")
    if label in _PROVIDERS:
        wrong = rest in _WRONG_TOPS or rest == "co" or (label in _ONLY_COM and rest != "com")
        return f"{label}.com" if wrong else None
    if label in _REAL or abs(len(label) - 6) > 2:
        return None
    close = get_close_matches(label, _PROVIDERS, n=1, cutoff=0.8)
    return f"{close[0]}.com" if close and _one_slip(label, close[0]) else None


def _one_slip(written: str, meant: str) -> bool:
    """Whether one letter was left out, added, changed or swapped with its neighbour."""
    start = next(
        (n for n, (a, b) in enumerate(zip(written, meant, strict=False)) if a != b), min(len(written), len(meant))
    )
    tail, other = written[start:], meant[start:]
    swapped = len(tail) > 1 and len(other) > 1 and tail[0] == other[1] and tail[1] == other[0] and tail[2:] == other[2:]
    return swapped or tail[1:] == other or tail == other[1:] or tail[1:] == other[1:]
