"""The meaning of every error and finding code, from the `assets/codes.yaml` of each package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from ruamel.yaml import YAML

from brickyard.kernel.assets import packages_with, read_text
from brickyard.kernel.errors import NotFound

_FILE = "codes.yaml"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one code means, why it comes about, and what to do."""

    code: str
    title: str
    cause: str
    remedy: str
    example: str | None
    package: str

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.title}", f"why:   {self.cause}", f"to do: {self.remedy}"]
        return "\n".join([*parts, *([f"example:\n{self.example}"] if self.example else [])])


@cache
def explanations() -> Mapping[str, Explanation]:
    """Return every documented code, in alphabetical order."""
    found = [entry for package in packages_with(_FILE) for entry in _read(package)]
    return {entry.code: entry for entry in sorted(found, key=lambda entry: entry.code)}


def _read(package: str) -> list[Explanation]:
    codes = YAML(typ="safe", pure=True).load(read_text(package, _FILE)) or {}
    return [_explanation(code, entry, package) for code, entry in codes.items()]


def _explanation(code: str, entry: Mapping[str, str], package: str) -> Explanation:
    example = entry.get("example")
    return Explanation(
        code=code,
        title=entry["title"].strip(),
        cause=entry["cause"].strip(),
        remedy=entry["remedy"].strip(),
        example=example.rstrip() if example else None,
        package=package,
    )


def explain(code: str) -> Explanation:
    """Return what *code* means, or raise NotFound with the codes that look alike."""
    known = explanations()
    if code in known:
        return known[code]
    alike = get_close_matches(code, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(alike)}?" if alike else "`brickyard explain` alone lists every code"
    raise NotFound(f"no code is named {code!r}", code="unknown-code", remedy=hint)
