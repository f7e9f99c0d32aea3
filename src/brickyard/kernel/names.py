"""Identifiers of Databricks objects: the one place where they are quoted and taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from brickyard.kernel.errors import SpecInvalid

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MAX_PART = 255


def quote(part: str) -> str:
    """Quote one identifier part with backticks, doubling those inside it."""
    return "`" + part.replace("`", "``") + "`"


def quote_if_needed(part: str) -> str:
    """Quote one part only when it is not a plain word."""
    return part if _PLAIN.match(part) else quote(part)


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A three-level name of a table, view or function."""

    catalog: str
    schema: str
    name: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Parse `a.b.c` (parts may be in backticks), or raise SpecInvalid."""
        parts = split_name(text)
        if len(parts) != 3:
            raise SpecInvalid(f"{text!r} is not a three-level name", remedy="write catalog.schema.name")
        return cls(*parts)

    @property
    def sql(self) -> str:
        """The name for SQL text, each part in backticks."""
        return ".".join(map(quote, (self.catalog, self.schema, self.name)))

    def folded(self) -> TableName:
        """The name in lower case, as Unity Catalog and Hive compare names."""
        return TableName(self.catalog.lower(), self.schema.lower(), self.name.lower())

    def __str__(self) -> str:
        return ".".join(map(quote_if_needed, (self.catalog, self.schema, self.name)))


def split_name(text: str) -> tuple[str, ...]:
    """Split a dotted name into unquoted parts, or raise SpecInvalid."""
    parts = [m.group(0) for m in re.finditer(r"`(?:[^`]|``)+`|[^.`]+|\.", text.strip())]
    names, separators = parts[::2], parts[1::2]
    if not names or any(s != "." for s in separators) or len(names) != len(separators) + 1 or "." in names:
        raise SpecInvalid(f"{text!r} is not a dotted name")
    unquoted = tuple(n[1:-1].replace("``", "`") if n.startswith("`") else n.strip() for n in names)
    if any(len(n) > _MAX_PART or not n or any(ord(c) < 32 for c in n) for n in unquoted):
        raise SpecInvalid(f"{text!r} has a part that is empty, too long or has control characters")
    return unquoted
