"""Gold over HTTP: how tables stand, how the bill ties out, KPIs and lineage; kind before the first run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn

from brickyard import rooms
from brickyard.context import Context
from brickyard.health import flow, synthetic
from brickyard.health.flow import Door
from brickyard.health.flow.door import places, through
from brickyard.health.flow.seeding import seed
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.web.app import create
from brickyard.web.gate import Rules
from brickyard.workspace import Workspaces

RULES = Rules(token="the-token", hosts=frozenset({"127.0.0.1"}), body_bytes=100_000)
GOLD = Gold({n: t for n, t in compile_all().tables.items() if t.contract.domain in ("billing", "shared")})
OF_SYNTHETIC = {"source_catalog": "synthetic"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspaces]:
    """A workspace with the bill of a synthetic account in gold."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as local:
        client = local.client()
        account = synthetic.generate(days=60, scale=0.02, seed=7)
        door = through(client, places("synthetic"), account.settled_at)
        seed(door, client, account, gold=GOLD)
        flow.init(door)
        assert flow.run(door, gold=GOLD).failed == ()
        yield Workspaces(host=local.host, token_file=local.token_file)


@pytest.fixture
def door(workspace: Workspaces) -> Door:
    """What the service works through."""
    return through(workspace.client(), places("synthetic"), datetime(2026, 5, 4, tzinfo=UTC))


@pytest.fixture
def web(workspace: Workspaces, metadata: Metadata) -> Iterator[httpx.Client]:
    settings = Settings()
    app = create(Context(workspace, metadata, Queue(metadata, settings)), RULES, rooms.routers(settings))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, headers={"Authorization": "Bearer the-token"}, timeout=120) as client:
            yield client
        server.should_exit = True
        thread.join()


def test_every_table_tells_how_it_stands(web: httpx.Client):
    found = web.get("/health/tables", params=OF_SYNTHETIC).json()
    states = {table["table"]: table["state"] for table in found["tables"]}
    assert set(states) == set(compile_all().tables)
    assert {states[name] for name in GOLD.tables} == {"OK"}
    assert states["security.fact_audit_logs"] == "NEVER_BUILT"
    usage = next(table for table in found["tables"] if table["table"] == "billing.fact_usage")
    assert (usage["rows"] > 1000, usage["untied"], usage["quarantined"]) == (True, 0, 2)


def test_the_bill_ties_out_month_by_month(web: httpx.Client):
    found = web.get("/health/reconciliation", params={**OF_SYNTHETIC, "table": "billing.fact_usage"}).json()
    assert (found["ok"], {one["table"] for one in found["comparisons"]}) == (True, {"billing.fact_usage"})
    assert [month["month"] for month in found["months"]][:2] == ["2026-03-01", "2026-04-01"]
    assert all(month["gold"] == month["bronze"] and isinstance(month["gold"], str) for month in found["months"])


def test_a_kpi_tells_its_value_and_its_status(web: httpx.Client):
    found = web.get("/health/kpis/daily-cost", params=OF_SYNTHETIC).json()
    assert (found["name"], found["status"] in ("OK", "WARN", "CRITICAL", "NOT_ASSESSED")) == ("daily-cost", True)


def test_a_kpi_whose_query_fails_is_told_with_its_place_and_the_engines_words(web: httpx.Client, door: Door):
    table = "synthetic_health.billing.fact_usage"
    door.sql(f"ALTER TABLE {table} RENAME TO {table}_whole")
    door.sql(f"CREATE TABLE {table} (record_id string)")
    try:
        answer = web.get("/health/kpis/daily-cost", params=OF_SYNTHETIC)
    finally:
        door.sql(f"DROP TABLE {table}")
        door.sql(f"ALTER TABLE {table}_whole RENAME TO {table}")
    told = answer.json()
    assert (answer.status_code, told["code"], "UNRESOLVED_COLUMN" in told["detail"]) == (502, "health-kpi-failed", True)
    assert [fault["where"] for fault in told["problems"]] == ["health/assets/kpis/daily-cost.yaml"]


def test_lineage_needs_no_catalog(web: httpx.Client):
    found = web.get("/health/lineage", params={"column": "fact_usage.list_cost"}).json()
    assert (found["name"], found["expression"]) == ("billing.fact_usage.list_cost", "money(usage_quantity, list_price)")


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("/health/tables", {"source_catalog": "nothing"}, 404, "health-not-run"),
        ("/health/reconciliation", {"source_catalog": "nothing"}, 404, "health-not-run"),
        ("/health/kpis/no-such-kpi", OF_SYNTHETIC, 404, "health-no-kpi"),
        ("/health/lineage", {"column": "fact_usage.nothing_like_it"}, 404, "health-no-table"),
    ],
)
def test_what_is_not_there_is_said(web: httpx.Client, path: str, params: dict[str, str], status: int, code: str):
    answer = web.get(path, params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_health_of_the_service_answers_as_before(web: httpx.Client):
    assert web.get("/health").json()["status"] == "healthy"
    assert web.post("/health/logging/test").status_code == 200
