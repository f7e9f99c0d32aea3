"""The story of migrate: a lakehouse, ten notebooks through the service and its worker, one report."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from brickyard.demo import files, lakehouse
from brickyard.demo.stage import DemoSurprised, asked, phase, service, workspace
from brickyard.home import control
from brickyard.home.folder import Home
from brickyard.kernel.errors import BrickyardError, Problem
from brickyard.kernel.progress import Report, Step
from brickyard.kernel.terminal import table

EXPECTED = {
    "01_member_summary.sql": ("reconciled", None),
    "02_latest_tier.py": ("reconciled", None),
    "03_points_balance.py": ("reconciled", None),
    "04_campaign_uplift.ipynb": ("halted", "source-stale"),
    "05_engagement_score.sql": ("halted", "function-missing"),
    "06_redemption.py": ("halted", "mapping-collision"),
    "07_flight_recap.py": ("differs", "tables-differ"),
    "08_alms_statement.py": ("reconciled", None),
    "09_partner_daily.ipynb": ("reconciled", None),
    "10_member_segment.py": ("reconciled", None),
}
"""What each notebook must come to, for the exit code only: outcomes are computed by the service and compared here."""

_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """How one notebook ended; `rows_compared` counts the rows of its targets."""

    path: str
    outcome: str
    code: str | None
    rows_compared: int


@dataclass(slots=True)
class DemoResult:
    """What `brickyard demo --output json` prints."""

    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    notebooks: list[NotebookResult] = field(default_factory=list)
    report: str = ""


def tell(home: Home, report_file: Path, report: Report) -> DemoResult:
    """Run the demonstration in *home* and write its report to *report_file*."""
    started = time.monotonic()
    result = DemoResult(phases={"setup": float(os.environ.get("BRICKYARD_SETUP_SECONDS", "0"))})
    with phase(result.phases, "start"):
        report(Step("start", detail="PostgreSQL, local workspace, service, worker"))
        control.up(home)
    with phase(result.phases, "lakehouse"):
        lakehouse.load(workspace(home), report)
    with phase(result.phases, "migrate"), service(home) as web:
        batch = _submit(web)
        runs = _follow(web, batch, report)
    with phase(result.phases, "report"), service(home) as web:
        page = asked(web.get(f"/migrate/runs/{batch}/report", params={"format": "html"}))
        report_file.write_text(page.text, encoding="utf-8")
        result.notebooks = [_result(asked(web.get(f"/migrate/runs/{run['id']}")).json()) for run in runs]
    result.report = str(report_file.resolve())
    result.seconds = round(time.monotonic() - started, 2)
    return result


def expect(result: DemoResult) -> None:
    """Raise DemoSurprised naming each notebook that did not come to what it must."""
    found = {n.path: (n.outcome, n.code) for n in result.notebooks}
    problems = tuple(
        Problem(f"{_words(found.get(path))}, not {_words(expected)}", where=path)
        for path, expected in EXPECTED.items()
        if found.get(path) != expected
    )
    if problems:
        raise DemoSurprised(f"{len(problems)} notebooks came to another outcome", problems=problems)


def _words(ending: tuple[str, str | None] | None) -> str:
    return "missing" if ending is None else " ".join(filter(None, ending))


def _submit(web: httpx.Client) -> str:
    notebooks = [
        {"path": path, "content": b64encode(data).decode(), "child": path.startswith("includes/")}
        for path, data in files.notebooks()
    ]
    pack = files.text_of("rules.yaml")
    request = {"notebooks": notebooks, "origin": "demo", "rules": "velocity-demo", "rules_text": pack, "jobs": 2}
    return asked(web.post("/migrate/runs", json=request)).json()["batch"]


def _follow(web: httpx.Client, batch: str, report: Report) -> list[dict[str, Any]]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        runs = asked(web.get("/migrate/runs", params={"batch": batch})).json()["runs"]
        ended = [run for run in runs if run["outcome"]]
        working = ", ".join(run["path"] for run in runs if run["status"] == "running")
        report(Step("migrate", len(ended), len(runs), working))
        if len(ended) == len(runs):
            return sorted(runs, key=lambda run: run["path"])
        if time.monotonic() > deadline:
            raise BrickyardError(f"the runs did not end within {_PATIENCE_SECONDS:.0f} s: {working}")
        time.sleep(_POLL_SECONDS)


def _result(run: dict[str, Any]) -> NotebookResult:
    return NotebookResult(run["path"], run["outcome"], run["code"], run["rows_compared"] or 0)


def as_text(result: DemoResult) -> str:
    """One line for each notebook, then where the report is."""
    rows = [(n.path, n.outcome, n.code or "", f"{n.rows_compared:,}") for n in result.notebooks]
    phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.phases.items())
    return f"{table(('NOTEBOOK', 'OUTCOME', 'CODE', 'ROWS COMPARED'), rows)}\n\n{phases}\nreport: {result.report}"
