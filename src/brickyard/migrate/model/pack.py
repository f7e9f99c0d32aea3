"""The rule pack: what a site decided about its migration, as a validated file instead of code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from brickyard.kernel.assets import asset, read_text
from brickyard.kernel.errors import SpecInvalid
from brickyard.migrate.model.located import Strict, load
from brickyard.migrate.model.nouns import EditClass

REWRITES: Mapping[str, EditClass] = {
    "references": EditClass.EXACT,
    "markers": EditClass.CONDITIONAL,
    "row-number-to-qualify": EditClass.CONDITIONAL,
    "truncate-insert": EditClass.CONDITIONAL,
    "ordinals": EditClass.CONDITIONAL,
    "time-zone": EditClass.SEMANTIC,
    "run-date": EditClass.SEMANTIC,
    "delta-days": EditClass.CONDITIONAL,
    "null-literals": EditClass.ADVICE,
    "assert-alias": EditClass.CONDITIONAL,
    "file-volumes": EditClass.CONDITIONAL,
    "remove-optimize": EditClass.CONDITIONAL,
    "remove-analyze": EditClass.CONDITIONAL,
    "remove-vacuum": EditClass.CONDITIONAL,
    "remove-partition-by": EditClass.CONDITIONAL,
    "remove-dead-comments": EditClass.EXACT,
    "remove-display-selects": EditClass.CONDITIONAL,
    "select-star": EditClass.ADVICE,
    "cache": EditClass.ADVICE,
}
"""Every rewrite a pack can switch, with the class it has when the pack does not say another."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LAG = re.compile(r"(\d+)\s*([mhd])\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _as_tuple(value: object) -> object:
    """Let one item stand for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class MappingRule(Strict):
    """Objects of *schema* (all, some by *prefix*, *pattern* or *tables*) become *to*.

    `to` is `catalog.schema.name` with `{schema}`, `{name}`, `{rest}` (the name without the prefix) and the pattern's
    groups (`{1}` or by name) filled in. The first rule that fits wins.
    """

    id: str = Field(min_length=1)
    schemas: Names = Field(alias="schema")
    to: str
    catalog: str | None = None
    prefix: Names = ()
    pattern: str | None = None
    tables: Names = ()
    side: Literal["read", "write", "any"] = "any"

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"the regular expression does not compile: {error}") from error
        return value

    @model_validator(mode="after")
    def _fits(self) -> MappingRule:
        if len(split_template(self.to)) != 3:
            raise ValueError("`to` must have three parts: catalog.schema.name")
        unknown = set(_PLACEHOLDER.findall(self.to)) - self._placeholders()
        if unknown:
            raise ValueError(f"`to` has the unknown placeholder {{{min(unknown)}}}")
        return self

    def _placeholders(self) -> set[str]:
        groups = re.compile(self.pattern or "")
        names = {"schema", "name", *groups.groupindex, *map(str, range(1, groups.groups + 1))}
        return names | ({"rest"} if self.prefix else set())


def split_template(template: str) -> list[str]:
    """Split `a.b.{name}` at the dots outside braces."""
    return re.split(r"\.(?![^{}]*\})", template)


class PathRule(Strict):
    """Files under *prefix* (as `/mnt/…`, `/dbfs/…`, `dbfs:/…`, `s3://…`) are to be found under the Volume path *to*."""

    prefix: str = Field(min_length=1)
    to: str = Field(pattern=r"^/Volumes/[^/]+/[^/]+/[^/]+")


class Widget(Strict):
    """A text widget of refactored notebooks, and what its value is used for."""

    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    default: str
    role: Literal["catalog", "source-schema", "target-schema", "delta-days", "other"] = "other"


class RewriteRule(Strict):
    """Whether a rewrite is made, and how far it may go."""

    enabled: bool = True
    edit_class: EditClass | None = Field(None, alias="class")
    options: dict[str, str | int | bool | None] = Field(default_factory=dict)

    @field_validator("edit_class", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        names = [str(c) for c in EditClass]
        if isinstance(value, str) and value not in names:
            raise ValueError(f"{value!r} is none of {', '.join(names)}")
        return EditClass(value) if isinstance(value, str) else value


class EmitterRule(Strict):
    """How a name is written from Databricks Runtime version *dbr* on."""

    dbr: str = Field(pattern=r"^\d+\.\d+$")
    style: Literal["literal", "identifier", "coalesced"]


class Compute(Strict):
    """Where a migrated notebook is run unless the command says otherwise."""

    dbr: str = Field("15.4", pattern=r"^\d+\.\d+$")
    kind: Literal["serverless", "cluster"] = "serverless"


class Maintenance(Strict):
    """What becomes of OPTIMIZE, ANALYZE and VACUUM that are taken out: kept in a manifest, or dropped.

    `zorder` says whether the manifest proposes to cluster by the columns that were Z-ordered.
    """

    keep: Literal["manifest", "drop"] = "manifest"
    zorder: Literal["cluster-by", "keep"] = "cluster-by"


class RulePack(Strict):
    """A whole pack; `original_catalog` is the catalog under which legacy objects are seen."""

    format: Literal[1]
    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str = ""
    original_catalog: str = Field(pattern=r"^\w+$")
    legacy_catalogs: Names = ("hive_metastore", "spark_catalog")
    mappings: Annotated[tuple[MappingRule, ...], BeforeValidator(_listed)] = ()
    paths: Annotated[tuple[PathRule, ...], BeforeValidator(_listed)] = ()
    widgets: Annotated[tuple[Widget, ...], BeforeValidator(_listed)] = ()
    compute: Compute = Field(default_factory=lambda: Compute.model_validate({}))
    max_lag: str = "1d"
    time_zone: str | None = None
    emitter: Annotated[tuple[EmitterRule, ...], BeforeValidator(_listed)] = (EmitterRule(dbr="0.0", style="literal"),)
    maintenance: Maintenance = Maintenance()
    rewrites: dict[str, RewriteRule] = Field(default_factory=dict)

    @field_validator("max_lag")
    @classmethod
    def _duration(cls, value: str) -> str:
        if not _LAG.match(value):
            raise ValueError(f"{value!r} is not a duration such as 30m, 12h or 1d")
        return value

    @field_validator("mappings")
    @classmethod
    def _ids_differ(cls, value: tuple[MappingRule, ...]) -> tuple[MappingRule, ...]:
        ids = [rule.id for rule in value]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"two rules have the id {twice[0]!r}")
        return value

    @field_validator("rewrites")
    @classmethod
    def _known(cls, value: dict[str, RewriteRule]) -> dict[str, RewriteRule]:
        unknown = sorted(set(value) - set(REWRITES))
        if unknown:
            raise ValueError(f"unknown rewrite {unknown[0]!r}; known: {', '.join(sorted(REWRITES))}")
        return value

    @property
    def lag(self) -> timedelta:
        """`max_lag` as a duration."""
        match = _LAG.match(self.max_lag)
        assert match is not None
        return timedelta(**{_UNITS[match[2]]: int(match[1])})

    @property
    def legacy(self) -> frozenset[str]:
        """The catalogs, in lower case, whose objects are legacy."""
        return frozenset(c.lower() for c in (self.original_catalog, *self.legacy_catalogs))

    def enabled(self, rewrite: str) -> bool:
        """Whether *rewrite* is proposed at all."""
        return rewrite in self.rewrites and self.rewrites[rewrite].enabled

    def class_of(self, rewrite: str) -> EditClass:
        """The class the pack gives *rewrite*, or the rewrite's own."""
        rule = self.rewrites.get(rewrite)
        return rule.edit_class if rule and rule.edit_class else REWRITES[rewrite]

    def style(self, dbr: str) -> str:
        """How names are written for Databricks Runtime *dbr*."""
        fitting = [rule for rule in self.emitter if version(rule.dbr) <= version(dbr)]
        return max(fitting, key=lambda rule: version(rule.dbr)).style if fitting else "literal"


def version(dbr: str) -> tuple[int, ...]:
    """Read a Databricks Runtime version such as 15.4 for comparison, or raise SpecInvalid."""
    parts = dbr.split(".")
    if not 1 <= len(parts) <= 3 or not all(p.isdigit() for p in parts):
        raise SpecInvalid(f"{dbr!r} is not a Databricks Runtime version", remedy="write it as in --dbr 15.4")
    return tuple(map(int, parts))


def parse_pack(name: str, text: str) -> RulePack:
    """Parse a rule pack, or raise SpecInvalid with every fault at file:line:column."""
    return load(RulePack, name, text)


def shipped_packs() -> list[str]:
    """Return the names of the packs that ship with Brickyard."""
    return sorted(p.name.removesuffix(".yaml") for p in asset("migrate", "rules").iterdir() if p.name.endswith(".yaml"))


def read_pack(name_or_path: str) -> RulePack:
    """Read a shipped pack by name, or a pack file by path."""
    path = Path(name_or_path)
    if name_or_path in shipped_packs():
        return parse_pack(f"{name_or_path}.yaml", read_text("migrate", "rules", f"{name_or_path}.yaml"))
    if not path.is_file():
        known = ", ".join(shipped_packs())
        raise SpecInvalid(
            f"{name_or_path!r} is neither a shipped rule pack ({known}) nor a file",
            code="rule-pack-unknown",
            remedy="give --rules one of these names or the path of a YAML file",
        )
    return parse_pack(str(path), path.read_text(encoding="utf-8"))
