"""The page about KPIs is what the contracts say."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_about_kpis_is_as_the_contracts_say(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(DOCS))
    page = import_module("health_kpis")
    try:
        assert page.TARGET.read_text(encoding="utf-8") == page.text()
    finally:
        del sys.modules["health_kpis"]
