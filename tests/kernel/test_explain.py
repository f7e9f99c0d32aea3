"""Explaining codes."""

from __future__ import annotations

import pytest

from brickyard.kernel.errors import NotFound
from brickyard.kernel.explain import explain, explanations


def test_a_known_code_says_what_why_and_what_to_do():
    entry = explain("spec-invalid")
    assert str(entry).splitlines()[0] == "spec-invalid: The request itself is wrong"
    assert [line.split(":")[0] for line in str(entry).splitlines()[1:]] == ["why", "to do"]


def test_an_unknown_code_names_those_that_look_alike():
    with pytest.raises(NotFound) as raised:
        explain("spec-invald")
    assert raised.value.error_code == "unknown-code"
    assert "spec-invalid" in (raised.value.remedy or "")


def test_codes_are_listed_in_order():
    assert list(explanations()) == sorted(explanations())
