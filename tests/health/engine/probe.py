"""Bring gold up to date in three shuffled batches with duplicates in a given home, and print each table's digest as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.health.engine.stand import Engine, Stand, some

from brickyard.kernel.errors import BrickyardError
from brickyard.local import LocalWorkspace

FEW = (
    *("billing.fact_usage", "billing.fact_list_prices", "billing.fact_account_prices", "billing.dim_sku"),
    *("shared.dim_workspace", "lakeflow.dim_job", "lakeflow.fact_job_run_timeline"),
)
PARTS = 3


def deliver(stand: Stand) -> None:
    """Deliver in an order that has nothing to do with when rows came, a fifth of them twice."""
    drawn = (
        "md5(concat(_row_hash, cast(_arrived_at as string)))"  # so that one content of several days is in several parts
    )
    part = f"cast(conv(substr({drawn}, 1, 6), 16, 10) as bigint) % {PARTS}"
    again = f"cast(conv(substr({drawn}, 7, 6), 16, 10) as bigint) % 5 = 0"
    for number in range(PARTS):
        stand.deliver([f"({part}) = {number}", f"({part}) < {number} AND {again}"])
        stand.refresh()


def main(home: str) -> None:
    with LocalWorkspace(Path(home)) as workspace:
        stand = Stand(Engine(workspace.client()), "probe", some(*FEW)).make()
        try:
            deliver(stand)
            sys.stdout.write(json.dumps(stand.digests()))
        except BrickyardError as error:
            sys.stdout.write(json.dumps({"refused": error.message}))


if __name__ == "__main__":
    main(sys.argv[1])
