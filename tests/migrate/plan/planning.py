"""Plans texts for the tests beside it."""

from __future__ import annotations

from typing import Any

from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.nouns import NotebookPlan, Plan
from brickyard.migrate.model.pack import RulePack, parse_pack, read_pack
from brickyard.migrate.plan import plan_notebook, plan_notebooks
from brickyard.migrate.plan.reading import Library

VELOCITY = read_pack("velocity")
NAMES_ONLY: RulePack = VELOCITY.model_copy(update={"rewrites": {"references": VELOCITY.rewrites["references"]}})
"""The velocity pack with no rewrite but that of names."""

HEADER = "# Databricks notebook source\n"


def pack(text: str) -> RulePack:
    """A pack from its keys, without the head."""
    return parse_pack("test.yaml", f"format: 1\nname: test\noriginal_catalog: hive_metastore\n{text}")


def plan(text: str, path: str = "n.py", *, rules: RulePack = NAMES_ONLY, **options: Any) -> NotebookPlan:
    """The plan of one notebook; Python texts get the header of a source notebook."""
    body = HEADER + text if path.endswith(".py") and not text.startswith("#") else text
    return plan_notebook(Source(path, body.encode()), PlanOptions(rules, **options))


def together(files: dict[str, str], *, rules: RulePack = NAMES_ONLY, **options: Any) -> Plan:
    """The plan of notebooks that lie beside each other."""
    return plan_notebooks([Source(path, text.encode()) for path, text in files.items()], PlanOptions(rules, **options))


def names(made: NotebookPlan) -> list[tuple[str, str | None]]:
    """Each reference as it is written, with the name it has in the legacy catalog."""
    return [(row.text, short(row.original)) for row in made.references]


def short(name: str | None) -> str | None:
    """A name without the part that all have in common."""
    return name.replace("foreign_edp_prd_hive.", "").replace("velocity_analytics_foundation.", "v.") if name else None


def refactored(text: str, path: str = "n.py", **options: Any) -> str:
    """The text that a notebook becomes, without its header."""
    made = plan(text, path, **options)
    assert made.refactored is not None
    return made.refactored.removeprefix(HEADER)


def codes(made: NotebookPlan) -> list[tuple[str, int | None]]:
    """The findings by code and line."""
    return [(finding.code, finding.line) for finding in made.findings]


__all__ = [
    "HEADER",
    "NAMES_ONLY",
    "VELOCITY",
    "Library",
    "codes",
    "names",
    "pack",
    "plan",
    "refactored",
    "short",
    "together",
]
