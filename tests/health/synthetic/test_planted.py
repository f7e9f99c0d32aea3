"""Every case that the synthetic account promises is in it, however small it is."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from brickyard.health import synthetic
from brickyard.health.synthetic import PLANTED, Account, Planted, Shape

SMALL = synthetic.generate(scale=0.02)


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in SMALL.sources:
            connection.register("arrow", everything(SMALL, name))
            connection.execute(f"CREATE TABLE {name.replace('.', '_')} AS SELECT * FROM arrow")
        yield connection


def everything(account: Account, name: str) -> pa.Table:
    """Return all arrivals of a source, or all states of a snapshot with the day of each."""
    if synthetic.source(name).shape is not Shape.SNAPSHOT:
        return account.arrivals(name)
    states = account.snapshots(name)
    dated = [state.append_column("_state_day", pa.repeat(pa.scalar(day), state.num_rows)) for day, state in states]
    return pa.concat_tables(dated)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.source}: {planted.case}")
def test_a_planted_case_is_there_in_a_small_account(lake: duckdb.DuckDBPyConnection, planted: Planted) -> None:
    found = lake.execute(planted.sql).fetchone()
    assert found is not None
    assert found[0] >= planted.at_least


def test_a_case_is_planted_once() -> None:
    cases = [(planted.source, planted.case) for planted in PLANTED]
    assert len(cases) == len(set(cases))
