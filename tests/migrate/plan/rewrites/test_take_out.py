"""Cells of which everything is taken out."""

from __future__ import annotations

import json

import pytest
from tests.migrate.plan.planning import pack, plan

CELLS = "\n\n# COMMAND ----------\n\n"
EMPTYING = pack("rewrites: {truncate-insert: {}, remove-optimize: {}}")


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("TRUNCATE TABLE d.t;", ""),
        ("OPTIMIZE d.t;\n# MAGIC OPTIMIZE d.u\n# MAGIC ZORDER BY (id)", ""),
        ("OPTIMIZE d.t; OPTIMIZE d.u;", "\n# MAGIC "),
        ("-- nightly\n# MAGIC OPTIMIZE d.t", "\n# MAGIC -- nightly\n# MAGIC "),
        ("OPTIMIZE d.t -- nightly", "\n# MAGIC -- nightly"),
        ("OPTIMIZE d.t;\n# MAGIC SELECT count(*) FROM d.t", "\n# MAGIC SELECT count(*) FROM d.t"),
    ],
)
def test_a_cell_of_which_all_is_taken_out_keeps_its_magic_and_no_blank_line(cell: str, left: str):
    head, tail = "# Databricks notebook source\n# MAGIC %sql", f"{CELLS}# MAGIC %sql\n# MAGIC INSERT INTO d.t SELECT 1"
    text = f"{head}\n# MAGIC {cell}{tail}"
    made = plan(text, rules=EMPTYING)
    assert made.refactored is not None
    written = "INSERT OVERWRITE TABLE" if "TRUNCATE" in cell else "INSERT INTO"
    assert made.refactored == f"{head}{left}{tail.replace('INSERT INTO', written)}"
    again = plan(made.refactored, rules=EMPTYING)
    assert again.refactored == made.refactored


def test_a_jupyter_cell_of_which_all_is_taken_out_keeps_its_magic_line():
    cells = [["%sql\n", "TRUNCATE TABLE d.t"], ["%sql\n", "INSERT INTO d.t SELECT 1"]]
    sources = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": lines} for lines in cells]
    text = json.dumps({"cells": sources, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    made = plan(text, "n.ipynb", rules=EMPTYING)
    left = [cell["source"] for cell in json.loads(made.refactored or "")["cells"]]
    assert left == [["%sql"], ["%sql\n", "INSERT OVERWRITE TABLE d.t SELECT 1"]]
