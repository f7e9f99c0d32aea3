"""A synthetic Databricks account: all source tables of the gold layer, drawn from one coherent world and a seed.

`generate(...)` gives an `Account`. Nothing here knows how the gold layer computes, so an oracle may stand on it.
`account.sources` names the sources; `account.arrivals(name)` gives every row with the instant at which it became
visible (`_arrived_at`); `account.snapshots(name)` the dated states of sources that are replaced in place;
`account.visible(name, at)` what a reader sees at an instant; `account.chunks(name)` the rows piecewise, for accounts
too large to hold. The mischief that is in the data on purpose is listed in `PLANTED`.
"""

from __future__ import annotations

from datetime import date, timedelta

from brickyard.health.synthetic.account import Account
from brickyard.health.synthetic.planted import PLANTED, Planted
from brickyard.health.synthetic.sources import ARRIVED, Shape, source

__all__ = ["ARRIVED", "PLANTED", "Account", "Planted", "Shape", "generate", "source"]

LAST_DAY = date(2026, 4, 30)


def generate(days: int = 60, scale: float = 1.0, seed: int = 7, end: date = LAST_DAY) -> Account:
    """Return the account of a seed: *days* days up to and with *end*, *scale* 1 being about 400,000 source rows.

    The default period holds the change to summer time of America (8 March) and of Europe (29 March 2026). Raises
    ValueError for fewer than two days or a scale that is not positive.
    """
    if days < 2 or scale <= 0:
        raise ValueError(f"an account needs two days or more and a positive scale, not {days} days at scale {scale}")
    first = end - timedelta(days=days - 1)
    return Account(days, float(scale), seed, first, end, first + timedelta(days=days // 2))
