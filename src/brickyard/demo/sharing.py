"""The story of share: packs for three partners, what they read, a change, drift, a way back, and an end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sharing import (
    SharedDataObject,
    SharedDataObjectDataObjectType,
    SharedDataObjectUpdate,
    SharedDataObjectUpdateAction,
)

from brickyard.context import Context, build
from brickyard.demo import sharing_page
from brickyard.demo.files import text_of
from brickyard.demo.partner import Partner, Read
from brickyard.demo.stage import DemoSurprised, asked, phase, service, workspace
from brickyard.home import control
from brickyard.home.folder import Home
from brickyard.kernel.errors import BrickyardError, Problem
from brickyard.kernel.progress import Report, Step
from brickyard.kernel.terminal import table
from brickyard.settings import Settings
from brickyard.workspace import run_sql

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 120.0
_UPLOAD = "/workflow/sharepack/upload"

ORDERS, LINES, RETURNS = (f"northwind_orders.sales.{name}" for name in ("orders", "order_lines", "returns"))
PRODUCTS = "globex_catalogue.reference.products"


@dataclass(frozen=True, slots=True)
class PackResult:
    """One pack's way: what it turned out to be, how it ended, and its steps in words."""

    name: str
    strategy: str
    status: str
    steps: list[str]
    message: str = ""


@dataclass(slots=True)
class DemoResult:
    """What `brickyard demo share --output json` prints."""

    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    packs: list[PackResult] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    checks: list[Problem] = field(default_factory=list)
    rows_read_as_recipient: int = 0
    refused_as_expected: int = 0
    report: str = ""

    def must(self, good: bool, where: str, otherwise: str) -> None:
        """Note what came out otherwise than it should."""
        if not good:
            self.checks.append(Problem(otherwise, where=where))

    def read(self, found: Read, *, allowed: bool) -> None:
        """Count what a partner read, or was refused."""
        self.reads.append(found)
        self.rows_read_as_recipient += found.rows or 0
        self.refused_as_expected += found.refused is not None and not allowed
        self.must(
            (found.refused is None) == allowed, f"{found.partner} {found.table}", "read" if not allowed else "refused"
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story is told with."""

    home: Home
    web: httpx.Client
    client: WorkspaceClient
    context: Context
    result: DemoResult
    report: Report

    def say(self, name: str, detail: str) -> None:
        """Say where the story is."""
        self.report(Step(name, detail=detail))


def tell(home: Home, report_file: Path, report: Report) -> DemoResult:
    """Run the demonstration in *home* and write its report to *report_file*."""
    started = time.monotonic()
    result = DemoResult()
    during = partial(phase, result.phases)
    with during("start"):
        report(Step("start", detail="PostgreSQL, local workspace, service, worker"))
        control.up(home)
    context = _context(home)
    with service(home) as web:
        stage = Stage(home, web, workspace(home), context, result, report)
        with during("lakehouse"):
            _load(stage)
        with during("packs"):
            _provision(stage)
        with during("partners"):
            partners = _activate(stage)
        with during("change"):
            _change(stage, partners["northwind"])
        with during("drift"):
            _drift(stage, partners["northwind"])
        with during("rollback"):
            _roll_back(stage, partners["northwind"])
        with during("revoke"):
            _revoke(stage, partners["globex"])
    context.metadata.close()
    result.seconds = round(time.monotonic() - started, 2)
    report_file.write_text(sharing_page.html(result), encoding="utf-8")
    result.report = str(report_file.resolve())
    return result


def expect(result: DemoResult) -> None:
    """Raise DemoSurprised naming everything that came to another end than it must."""
    if result.checks:
        count = len(result.checks)
        raise DemoSurprised(f"{count} thing(s) came out otherwise", problems=tuple(result.checks))


def as_text(result: DemoResult) -> str:
    """The packs, what the partners read, and where the report is."""
    packs = [(p.name, p.strategy, p.status, len(p.steps), p.message) for p in result.packs]
    reads = [
        (r.partner, r.table, f"{r.rows:,}" if r.rows is not None else f"refused ({r.refused})") for r in result.reads
    ]
    phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.phases.items())
    return "\n\n".join(
        (
            table(("PACK", "STRATEGY", "STATUS", "STEPS", "MESSAGE"), packs),
            table(("PARTNER", "TABLE", "ROWS"), reads),
            f"{phases}\nreport: {result.report}",
        )
    )


# ── the scenes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _context(home: Home) -> Context:
    settings = Settings(
        home=home.path,
        workspace_host=home.addresses.workspace,
        workspace_token_file=home.workspace_token_file,
        workspace_profile=None,
    )
    return build(settings, actor="demo")


def _load(stage: Stage) -> None:
    """Make the tables, views and catalogs that the packs share."""
    stage.say("lakehouse", "tables, views, catalogs")
    for statement in text_of("sharing.sql").split(";"):
        run_sql(stage.client, statement.strip())


def _provision(stage: Stage) -> None:
    """Send a pack with faults, which is refused in full, then one for each partner."""
    refused = _send(stage, "faulty.yaml", _text(stage, "faulty"))
    faults = refused.json()["ValidationErrors"] if refused.status_code == 400 else []
    stage.result.must(len(faults) >= 4, "faulty.yaml", f"answered {refused.status_code} with {len(faults)} faults")
    stage.result.packs.append(PackResult("faulty.yaml", "NEW", "REFUSED", [], f"{len(faults)} faults named at once"))
    for name in ("northwind", "globex", "initech"):
        file_name, data = (
            (f"{name}.xlsx", _workbook(stage, name)) if name == "globex" else (f"{name}.yaml", _text(stage, name))
        )
        _bring(stage, file_name, data)


def _activate(stage: Stage) -> dict[str, Partner]:
    """Give each partner its link, once, and let it read everything that it sees."""
    from brickyard.share import flow

    found = {}
    for name in ("northwind", "globex"):
        stage.say("partners", f"{name} reads")
        found[name] = Partner.activate(name, flow.deliver(stage.context, name).link)
        for read in found[name].read_all():
            stage.result.read(read, allowed=True)
    stage.result.must(len(stage.result.reads) == 4, "partners", f"{len(stage.result.reads)} tables read, not 4")
    return found


def _change(stage: Stage, northwind: Partner) -> None:
    """A second version shares the returns in place of the order lines."""
    _bring(stage, "northwind-2.yaml", _text(stage, "northwind-2"))
    stage.result.read(northwind.read(RETURNS), allowed=True)
    stage.result.read(northwind.read(LINES), allowed=False)


def _drift(stage: Stage, northwind: Partner) -> None:
    """Somebody takes a table out of the share by hand; the drift is seen, and the same pack puts it back."""
    gone = SharedDataObject(name="retail.sales.returns", data_object_type=SharedDataObjectDataObjectType.TABLE)
    update = SharedDataObjectUpdate(SharedDataObjectUpdateAction.REMOVE, gone)
    stage.client.shares.update("northwind_orders", updates=[update])
    stage.result.read(northwind.read(RETURNS), allowed=False)
    pack = _pack_named(stage, "northwind")
    drift = asked(stage.web.get(f"/workflow/sharepack/{pack}/drift", headers=_headers(stage))).json()
    stage.result.must(drift["State"] == "drifted", "drift", f"the drift is said to be {drift['State']}")
    _bring(stage, "northwind-2.yaml", _text(stage, "northwind-2"))
    stage.result.read(northwind.read(RETURNS), allowed=True)


def _roll_back(stage: Stage, northwind: Partner) -> None:
    """Back to the first version, by the hash of its plan."""
    stage.say("rollback", "northwind, to version 1")
    pack = _pack_named(stage, "northwind")
    path = f"/workflow/sharepack/{pack}/rollback"
    plan = asked(stage.web.post(f"{path}/plan", json={"To": 1}, headers=_headers(stage))).json()
    sent = asked(stage.web.post(path, json={"To": 1, "PlanHash": plan["PlanHash"]}, headers=_headers(stage)))
    _follow(stage, "northwind, back to version 1", sent)
    stage.result.read(northwind.read(LINES), allowed=True)
    stage.result.read(northwind.read(RETURNS), allowed=False)


def _revoke(stage: Stage, globex: Partner) -> None:
    """The contract ends: a DELETE pack takes share, pipeline and recipient, and the token opens nothing any more."""
    _bring(stage, "globex-revoked.yaml", _text(stage, "globex-revoked"))
    stage.result.read(globex.read(PRODUCTS), allowed=False)


# ── the service ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(stage: Stage, name: str) -> bytes:
    return text_of("packs", f"{name}.yaml").replace("{{workspace_url}}", stage.home.addresses.workspace).encode()


def _workbook(stage: Stage, name: str) -> bytes:
    """The same pack as a workbook."""
    from brickyard.share.model.excel_out import to_xlsx
    from brickyard.share.model.parse import parse

    return to_xlsx(parse(f"{name}.yaml", _text(stage, name)).pack, "A")


def _headers(stage: Stage) -> dict[str, str]:
    return {"X-Workspace-URL": stage.home.addresses.workspace}


def _send(stage: Stage, name: str, data: bytes, **options: Any) -> httpx.Response:
    return stage.web.post(_UPLOAD, files={"file": (name, data)}, headers=_headers(stage), params=options)


def _bring(stage: Stage, name: str, data: bytes) -> None:
    """Plan a pack, send it with its plan's hash, and follow it to its end."""
    stage.say("packs", name)
    plan = asked(_send(stage, name, data, dry_run=True)).json()
    _follow(stage, name, asked(_send(stage, name, data, plan_hash=plan["PlanHash"], again=True)))


def _follow(stage: Stage, name: str, sent: httpx.Response) -> None:
    """Wait until a run is over and note how it went."""
    run_path = f"/workflow/runs/{sent.headers['X-Run-Id']}"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        run = asked(stage.web.get(run_path, headers=_headers(stage))).json()
        if run["FinishedAt"]:
            break
        if time.monotonic() > deadline:
            raise BrickyardError(f"{name} was not provisioned within {_PATIENCE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    status = asked(stage.web.get(f"/workflow/sharepack/{run['SharePackId']}", headers=_headers(stage))).json()
    stage.result.must(status["Status"] == "COMPLETED", name, f"{status['Status']}: {status['ErrorMessage']}")
    steps = [step["Words"] for step in run["Steps"]]
    message = status["ErrorMessage"] or status["ProvisioningStatus"]
    stage.result.packs.append(PackResult(name, run["Strategy"] or status["Strategy"], status["Status"], steps, message))


def _pack_named(stage: Stage, project: str) -> str:
    """The id of the pack of a project."""
    found = asked(stage.web.get("/workflow/sharepack", headers=_headers(stage))).json()["SharePacks"]
    return next(pack["SharePackId"] for pack in found if pack["SharePackName"].endswith(project))
