"""What bronze holds of a day, carried from one comparison to the next: exact, however many digits."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from brickyard.health.plan import tying

DAY = date(2026, 3, 1)


def row(bronze: str | None, gold: str | None) -> dict[str, Any]:
    return {"day": DAY, "measure": "sum(usage_quantity)", "bronze": bronze, "gold": gold}


LONG = "12345678901234567890.12345678901234567"  # and one digit more, which makes the 38 of a sum


@pytest.mark.parametrize(
    ("before", "change", "gold", "bronze"),
    [
        ("10", "5", "15", "15"),
        (None, "5", "5", "5"),
        ("15", None, "15", "15"),
        ("15", "-15", None, None),
        ("15", None, "14", "15"),
        ("0.000000000000000000", None, "1", "0.000000000000000000"),
        (LONG + "8", "0.000000000000000001", LONG + "9", LONG + "9"),
        (LONG + "8", None, LONG + "9", LONG + "8"),
    ],
)
def test_a_change_is_added_to_what_was_held(
    before: str | None, change: str | None, gold: str | None, bronze: str | None
) -> None:
    held = [{"day": DAY, "measure": "sum(usage_quantity)", "bronze": before}] if before else []
    assert tying.carried(held, [row(change, gold)]) == [row(bronze, gold)]
