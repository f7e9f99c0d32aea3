"""A daily run at 04:00 takes every row that has arrived by then, however late it is, and reads only the overlap again."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.health.engine.stand import LANDING, Engine, land, some, text_of

from brickyard.health import flow, synthetic
from brickyard.health.flow.terms import Choice, Door
from brickyard.health.model import source as sources
from brickyard.health.plan import bronze
from brickyard.health.plan.text import Places
from brickyard.local import LocalWorkspace

USAGE, DAYS = "billing.usage", 8
GOLD = ("billing.fact_usage", "billing.fact_list_prices", "billing.fact_account_prices")
FIRST = datetime(2026, 3, 2, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("capture"))) as workspace:
        client = workspace.client()
        account = synthetic.generate(days=DAYS, scale=0.05, end=FIRST.date() + timedelta(days=DAYS - 1))
        land(client, account, some(*GOLD))
        yield client


def arrive(sql: Any, after: datetime, until: datetime) -> None:
    columns = ", ".join(f"`{column}`" for column in sources.load(USAGE).columns)
    sql(
        f"INSERT INTO live.{USAGE} ({columns}) SELECT {columns} FROM {LANDING}.{USAGE}"
        f" WHERE _arrived_at > {text_of(after)} AND _arrived_at <= {text_of(until)}"
    )


def arrived(sql: Any, until: datetime) -> int:
    rows = f"SELECT DISTINCT _row_hash FROM {LANDING}.files.billing_usage WHERE _arrived_at <= {text_of(until)}"
    return int(sql(f"SELECT count(*) AS n FROM ({rows})")[0]["n"])


def test_every_row_is_there_after_the_first_run_after_it_arrived(client: Any) -> None:
    sql = Engine(client)
    columns = ", ".join(f"`{column}` {kind}" for column, kind in sources.load(USAGE).columns.items())
    for statement in ("CREATE CATALOG live", "CREATE SCHEMA live.billing", f"CREATE TABLE live.{USAGE} ({columns})"):
        sql(statement)
    places, before, held, expected, reread = Places("live_health", "live"), FIRST - timedelta(days=60), [], [], []
    for day in range(DAYS + 2):
        at = FIRST + timedelta(days=day)
        arrive(sql, before, at)
        sql.seen.clear()
        flow.run(Door(sql, places, at), Choice(), some(*GOLD))
        held.append(int(sql(f"SELECT count(*) AS n FROM {places.bronze('billing_usage')}")[0]["n"]))
        expected.append(arrived(sql, at))
        reread.append(_oldest_day_read(sql.seen, at))
        before = at
    assert held == expected
    assert max(reread[1:DAYS]) <= bronze.overlap(sources.load(USAGE)) + timedelta(days=1)


def _oldest_day_read(statements: list[str], at: datetime) -> timedelta:
    """How far back the copy of this run read the source."""
    copies = [s for s in statements if s.startswith("INSERT INTO") and "`bronze`.`billing_usage`" in s]
    days = [date.fromisoformat(d) for s in copies for d in re.findall(r"`ingestion_date` >= date'([\d-]+)'", s)]
    return at.date() - min(days) if days else timedelta(0)


def in_zone(client: Any, zone: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A session as a cluster in that zone has it."""
    from pyspark.sql.connect.session import SparkSession

    from brickyard.local.kernel.spark import connect

    monkeypatch.setenv("SPARK_REMOTE", "")
    for module in ("delta", "delta.tables"):
        monkeypatch.setitem(sys.modules, module, None)
    spark = connect(client.config.host, client.config.token)
    request.addfinalizer(lambda: SparkSession.stop(spark))  # the class's own: that of a task's session does nothing
    spark.sql(f"SET TIME ZONE '{zone}'")
    return lambda statement: spark.sql(statement).collect()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_day_is_no_later_than_itself_in_any_zone(
    client: Any, zone: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The last day that bronze holds is not new for ever on a cluster east of UTC."""
    sql, name = Engine(client), f"zone_{zone.replace('/', '_').lower()}"
    places, source = Places(f"{name}_health", name), sources.load(USAGE)
    columns = ", ".join(f"`{column}` {kind}" for column, kind in source.columns.items())
    for statement in (
        *(f"CREATE CATALOG {name}", f"CREATE SCHEMA {name}.billing", f"CREATE TABLE {name}.{USAGE} ({columns})"),
        f"INSERT INTO {name}.{USAGE} BY NAME SELECT * EXCEPT (_arrived_at) FROM {LANDING}.{USAGE}",
    ):
        sql(statement)
    flow.run(Door(sql, places, FIRST + timedelta(days=30)), Choice(), some(*GOLD))
    ask = in_zone(client, zone, monkeypatch, request)
    for days in (30, 2):
        asked = bronze.later(source, places, FIRST + timedelta(days=days))
        assert [row["found"] for row in ask(asked)] == [0]
    sql(
        f"DELETE FROM {places.bronze(source.bronze)} WHERE ingestion_date = (SELECT max(ingestion_date) FROM {name}.{USAGE})"
    )
    assert ask(bronze.later(source, places, FIRST + timedelta(days=30)))[0]["found"] > 0
