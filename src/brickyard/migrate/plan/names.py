"""Names: what a written name stands for in the legacy catalog, and what the rules make of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from brickyard.dbsql.model import Side
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import TableName, split_name
from brickyard.migrate.model.inputs import PlanOptions
from brickyard.migrate.model.pack import MappingRule, RulePack, split_template

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SCHEMELESS = re.compile(r"^(?:dbfs:/|/dbfs/|file:/dbfs/)/*")


@dataclass(frozen=True, slots=True)
class Target:
    """What a name becomes, by which rule; no name where no rule maps it, no rule where it stays itself."""

    name: TableName | None
    rule: str | None


def original(parts: tuple[str, ...], catalog: str | None, schema: str | None, pack: RulePack) -> TableName | None:
    """The three-level name of a written one, given the current catalog and schema; None where a level is missing."""
    if len(parts) == 1 and schema is not None:
        parts = (*_levels(schema), *parts)
    if len(parts) == 2:
        parts = (catalog or pack.original_catalog, *parts)
    if len(parts) != 3:
        return None
    first = pack.original_catalog if parts[0].lower() in pack.legacy else parts[0]
    return TableName(first, parts[1], parts[2])


def _levels(schema: str) -> tuple[str, ...]:
    try:
        return split_name(schema)
    except SpecInvalid:
        return (schema,)


def target(name: TableName, side: Side, options: PlanOptions) -> Target:
    """What the mapping file or the first fitting rule makes of an object."""
    legacy = name.catalog.lower() in options.pack.legacy
    row = options.mappings.get((name.schema.lower(), name.name.lower())) if legacy else None
    if row is not None:
        return Target(row.target, row.where)
    for rule in options.pack.mappings:
        filled = _apply(rule, name, side, legacy)
        if filled is not None:
            return Target(filled, rule.id)
    return Target(None if legacy else name, None)


def _apply(rule: MappingRule, name: TableName, side: Side, legacy: bool) -> TableName | None:
    if not (legacy if rule.catalog is None else rule.catalog.lower() == name.catalog.lower()):
        return None
    if name.schema.lower() not in (s.lower() for s in rule.schemas) or not _side_fits(rule, side):
        return None
    if rule.tables and name.name.lower() not in (t.lower() for t in rule.tables):
        return None
    values = _values(rule, name)
    if values is None:
        return None
    return TableName(*(_PLACEHOLDER.sub(lambda m: values[m[1]], part) for part in split_template(rule.to)))


def _side_fits(rule: MappingRule, side: Side) -> bool:
    return rule.side == "any" or side == Side.READWRITE or rule.side == side.value


def _values(rule: MappingRule, name: TableName) -> Mapping[str, str] | None:
    """What the placeholders of a rule stand for, or None where prefix or pattern do not fit."""
    values = {"schema": name.schema, "name": name.name}
    if rule.prefix:
        prefix = next((p for p in rule.prefix if name.name.lower().startswith(p.lower())), None)
        if prefix is None or len(prefix) == len(name.name):
            return None
        values["rest"] = name.name[len(prefix) :]
    if rule.pattern is not None:
        found = re.compile(rule.pattern, re.IGNORECASE).fullmatch(name.name)
        if found is None:
            return None
        values |= {str(n): text or "" for n, text in enumerate(found.groups(), 1)}
        values |= {key: text or "" for key, text in found.groupdict().items()}
    return values


def schema_target(schema: str, pack: RulePack) -> tuple[str, str] | None:
    """The catalog and schema that take in a whole legacy schema: those of the rule without further conditions."""
    for rule in pack.mappings:
        whole = not (rule.prefix or rule.pattern or rule.tables or rule.catalog) and rule.side == "any"
        if whole and schema.lower() in (s.lower() for s in rule.schemas):
            catalog, name, _ = split_template(rule.to)
            fixed = not _PLACEHOLDER.search(catalog + name)
            return (catalog, name) if fixed else None
    return None


def path_target(path: str, pack: RulePack) -> str | None:
    """The Volume path of a file; None where no rule maps it, itself where it is in a Volume."""
    plain = _SCHEMELESS.sub("/", path)
    if plain.startswith("/Volumes/"):
        return plain
    for rule in pack.paths:
        prefix = _SCHEMELESS.sub("/", rule.prefix).rstrip("/")
        if plain == prefix or plain.startswith(f"{prefix}/"):
            return rule.to.rstrip("/") + plain[len(prefix) :]
    return None
