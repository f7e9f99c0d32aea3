"""How fast share takes packs in, tells how they fare and brings them to their end: `.venv/bin/python bench/share.py`.

Everything of `brickyard up` runs in a home of its own: the web service, a worker, PostgreSQL and the local workspace.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.sharing import AuthenticationType

from brickyard.home import control, tokens
from brickyard.home.folder import Home
from brickyard.share import observe
from brickyard.workspace import Workspaces, run_sql

REQUESTS = 200
RECIPIENTS = 1000
TABLES = 1000
ROUNDS = 5
FINAL = ("COMPLETED", "FAILED", "VALIDATION_FAILED")
UPLOAD = "/workflow/sharepack/upload"


@dataclass
class Stand:
    """What is measured, and what was found: each figure with its unit and its bar, where it has one."""

    host: str
    token_file: Path
    service: httpx.Client
    local: httpx.Client
    figures: list[tuple[str, float, str, float | None]] = field(default_factory=list)

    @property
    def client(self) -> WorkspaceClient:
        """The SDK's client, as any program makes it."""
        token = self.token_file.read_text().strip()
        return WorkspaceClient(config=Config(host=self.host, token=token, auth_type="pat"))

    def note(self, what: str, value: float, unit: str, bar: float | None = None) -> None:
        """Keep a figure, and show it."""
        self.figures.append((what, value, unit, bar))
        verdict = "" if bar is None else ("good" if value <= bar else "MISSED")
        shown = "" if bar is None else f"{bar:.0f}"
        print(f"{what:<68}{value:>9.1f} {unit:<6}{shown:>6}  {verdict}", flush=True)

    @property
    def good(self) -> bool:
        """Whether every bar is reached."""
        return all(bar is None or value <= bar for _, value, _, bar in self.figures)


@contextmanager
def standing(folder: Path) -> Iterator[Stand]:
    """Bring a home up, and take it down at the end."""
    home = Home(folder)
    try:
        up = control.up(home)
        secret = tokens.add(home, "bench@example.com").secret
        host, token_file = str(up.workspace_host), up.workspace_token_file
        headers = {"Authorization": f"Bearer {secret}", "X-Workspace-URL": host}
        owner = {"Authorization": f"Bearer {token_file.read_text().strip()}"}
        with (
            httpx.Client(base_url=str(up.url), headers=headers, timeout=60) as service,
            httpx.Client(base_url=host, headers=owner, timeout=60) as local,
        ):
            yield Stand(host, token_file, service, local)
    finally:
        control.down(home)


def pack(stand: Stand, project: str, tables: Iterable[str], recipients: Iterable[str] = ("acme",)) -> bytes:
    """A pack of one share, as JSON, which is YAML too."""
    person, readers = "ada@example.com", list(recipients)
    about = {
        **dict.fromkeys(("contact_email", "configurator", "approver", "executive_team", "requestor"), person),
        "business_line": "Bench",
        "delta_share_region": "EMEA",
        "workspace_url": stand.host,
        "servicenow": "CHG1",
        "project_name": project,
    }
    share = {"name": f"share_{project}", "share_assets": list(tables), "recipients": readers}
    partners = [{"name": name, "type": "D2O"} for name in readers]
    return json.dumps({"metadata": about, "recipient": partners, "share": [share]}).encode()


def send(stand: Stand, body: bytes) -> Any:
    """Upload a pack; return the answer of its 202."""
    answer = stand.service.post(UPLOAD, files={"file": ("pack.yaml", body)})
    assert answer.status_code == 202, answer.text
    return answer.json()


def finished(stand: Stand, pack_id: str, seconds: float = 300) -> Any:
    """Wait until a pack has come to its end, and return where it stands."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = stand.service.get(f"/workflow/sharepack/{pack_id}").json()
        if found["Status"] in FINAL:
            assert found["Status"] == "COMPLETED", found
            return found
        time.sleep(0.02)
    raise TimeoutError(pack_id)


def timed(do: Callable[[], object]) -> float:
    """The milliseconds of a call."""
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1000


def p95(times: list[float]) -> float:
    """The time that 95 of 100 stay below."""
    return statistics.quantiles(times, n=20)[-1]


def in_rounds(measure: Callable[[int], float]) -> float:
    """The median of several rounds."""
    return statistics.median(measure(number) for number in range(ROUNDS))


# ── what is measured ─────────────────────────────────────────────────────────────────────────────────────────────────


def prepare(stand: Stand) -> None:
    """Fill the metastore: a table to share, and as many recipients as the bar says."""
    client = stand.client
    for statement in ("CREATE CATALOG b", "CREATE SCHEMA b.s", "CREATE TABLE b.s.orders (id BIGINT)"):
        run_sql(client, statement)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: client.recipients.create(f"other_{n}", AuthenticationType.TOKEN), range(RECIPIENTS)))


def one_by_one(stand: Stand) -> list[str]:
    """Packs one after the other, each brought to its end before the next comes: the 202, and the whole way."""
    ids: list[str] = []
    whole: list[float] = []

    def one(project: str) -> float:
        body, began = pack(stand, project, ["b.s.orders"], [project]), time.perf_counter()
        taken = timed(lambda: ids.append(send(stand, body)["SharePackId"]))
        finished(stand, ids[-1])
        whole.append((time.perf_counter() - began) * 1000)
        return taken

    each = REQUESTS // ROUNDS
    taken = in_rounds(lambda number: p95([one(f"alone_{number}_{index}") for index in range(each)]))
    stand.note(f"upload to 202, p95, median of {ROUNDS} x {each}", taken, "ms", 100)
    stand.note(f"upload to COMPLETED, median of {len(whole)}", statistics.median(whole), "ms")
    return ids


def in_a_row(stand: Stand) -> None:
    """Packs as fast as they can be sent, while the worker provisions those before."""
    bodies = [pack(stand, f"row_{index}", ["b.s.orders"], [f"row_{index}"]) for index in range(REQUESTS // ROUNDS)]
    ids: list[str] = []
    began = time.perf_counter()
    taken = [timed(lambda body=body: ids.append(send(stand, body)["SharePackId"])) for body in bodies]
    for pack_id in ids:
        finished(stand, pack_id)
    stand.note(f"upload to 202 beside a busy worker, p95 of {len(ids)}", p95(taken), "ms")
    stand.note(
        f"{len(ids)} packs in a row from the first upload to the last COMPLETED", time.perf_counter() - began, "s"
    )


def statuses(stand: Stand, ids: list[str]) -> None:
    """The status of packs that are done, while nothing else happens."""

    def round_of(_: int) -> float:
        return p95([timed(lambda one=one: stand.service.get(f"/workflow/sharepack/{one}")) for one in ids[:REQUESTS]])

    stand.note(f"status, p95 of {REQUESTS}, median of {ROUNDS}", in_rounds(round_of), "ms", 5)


def detection(stand: Stand) -> None:
    """What an upload asks the workspace, by the names one by one and by listing everything."""
    client = Workspaces(host=stand.host, token_file=stand.token_file).client()

    def of(recipients: list[str]) -> list[float]:
        return [timed(lambda: observe.existing_names(client, recipients, ["share_new"])) for _ in range(REQUESTS)]

    few, many = [f"other_{n}" for n in range(3)], [f"other_{n}" for n in range(RECIPIENTS)]
    stand.note(f"strategy of 3 recipients among {RECIPIENTS}, p95 of {REQUESTS}", p95(of(few)), "ms", 300)
    stand.note(f"strategy of {RECIPIENTS} recipients, p95 of {REQUESTS}", p95(of(many)), "ms", 300)


def many_tables(stand: Stand) -> None:
    """One share that grows by as many tables as the bar says."""
    client = stand.client
    names = [f"b.s.t{number:04d}" for number in range(TABLES)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: run_sql(client, f"CREATE TABLE {name} (id BIGINT)"), names))
    finished(stand, send(stand, pack(stand, "wide", []))["SharePackId"])
    stand.local.delete("/api/local/requests")
    began = time.perf_counter()
    finished(stand, send(stand, pack(stand, "wide", names))["SharePackId"])
    seconds = time.perf_counter() - began
    asked = stand.local.get("/api/local/requests").json()["requests"]
    writes = [one for one in asked if one["method"] not in ("GET", "HEAD")]
    stand.note(f"{TABLES} tables added to a share: PATCH calls", len(writes), "calls", 11)
    stand.note(f"{TABLES} tables added to a share: reads", len(asked) - len(writes), "calls")
    stand.note(f"{TABLES} tables added to a share: upload to COMPLETED", seconds, "s")


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-tables", action="store_true")
    given = parser.parse_args()
    print(f"{'what':<68}{'':>9} {'unit':<6}{'bar':>6}")
    with tempfile.TemporaryDirectory() as folder, standing(Path(folder).resolve() / "home") as stand:
        prepare(stand)
        statuses(stand, one_by_one(stand))
        in_a_row(stand)
        detection(stand)
        if not given.skip_tables:
            many_tables(stand)
    return int(not stand.good)


if __name__ == "__main__":
    sys.exit(main())
