"""Runs rewrites on SQL texts for the tests beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.dbsql.parse import parse as parse_sql
from brickyard.migrate.model import EditClass, Proposal
from brickyard.migrate.plan.rewrites import NotebookView, RewriteSetting, SqlUnit, propose
from brickyard.notebooks.edit import apply_edits
from brickyard.notebooks.model import Language, Notebook
from brickyard.notebooks.parse import parse as parse_notebook


def view_of(text: str, rules: Mapping[str, Mapping[str, Any]], **known: Any) -> NotebookView:
    """The view of a SQL notebook (cells parted by the COMMAND line) with the named rewrites on."""
    notebook = parse_notebook("n.sql", f"-- Databricks notebook source\n{text}".encode())
    units = tuple(_units(notebook))
    settings = {name: RewriteSetting(True, EditClass.CONDITIONAL, options) for name, options in rules.items()}
    return NotebookView(notebook, units, settings, **known)


def _units(notebook: Notebook) -> list[SqlUnit]:
    cells = [c for c in notebook.cells if c.language is Language.SQL]
    return [SqlUnit(c.index, c.body.start, c.code, parse_sql(c.code)) for c in cells]


def proposals(text: str, rule: str, *, options: Mapping[str, Any] | None = None, **known: Any) -> list[Proposal]:
    """The proposals of one rewrite."""
    return [p for p in propose(view_of(text, {rule: options or {}}, **known)) if p.rule == rule]


def rewrite(text: str, rule: str, *, options: Mapping[str, Any] | None = None, **known: Any) -> str:
    """The text after every proposal that may be applied."""
    view = view_of(text, {rule: options or {}}, **known)
    hunks = [h for p in propose(view) if p.apply and all(c.holds is not False for c in p.conditions) for h in p.hunks]
    return apply_edits(view.notebook, hunks).removeprefix("-- Databricks notebook source\n")
