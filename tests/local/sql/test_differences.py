"""The list of known differences from Databricks is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import brickyard.local.sql.model

FILE = Path(brickyard.local.sql.model.__file__).parents[1] / "assets" / "differences.yaml"
ENTRIES = YAML(typ="safe").load(FILE.read_text())


@pytest.mark.parametrize("entry", [e for e in ENTRIES if "sql" in e], ids=lambda e: e["id"])
def test_a_known_difference_is_still_there(sql, entry):
    assert sql.rows(entry["sql"]) == entry["local"]


def test_every_difference_has_an_id_of_its_own_and_a_title():
    assert len({e["id"] for e in ENTRIES}) == len(ENTRIES)
    assert all(e["title"] for e in ENTRIES)
