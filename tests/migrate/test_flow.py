"""Whole runs on the local workspace."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brickyard.migrate.observe import Eyes

pytestmark = pytest.mark.timeout(120)


SUMMARY = """-- Databricks notebook source
TRUNCATE TABLE va.summary;

INSERT INTO va.summary
SELECT tier, COUNT(*) AS members
FROM va.member
GROUP BY 1;
"""


def test_a_notebook_reconciles(world: Eyes, migrate: Any):
    (record,) = migrate({"summary.sql": SUMMARY})
    print(record["message"], json.dumps(record["tasks"], indent=1), *record["timeline"], sep="\n")
    assert (record["outcome"], record["code"], record["message"]) == ("reconciled", None, None)
