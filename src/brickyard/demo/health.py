"""The story of health: a synthetic account, gold built by the generated job, compared with the truth, tied out, told."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunResultState

from brickyard.demo import wheel
from brickyard.demo.stage import DemoSurprised, phase, workspace
from brickyard.home import control, services
from brickyard.home.folder import Home
from brickyard.kernel.errors import BrickyardError, Problem, WorkspaceRefused
from brickyard.kernel.progress import Report, Step
from brickyard.kernel.terminal import table

if TYPE_CHECKING:
    from brickyard.health.flow import Door
    from brickyard.health.flow.billing import MonthStatement
    from brickyard.health.flow.comparing import Compared
    from brickyard.health.flow.seeding import Seeded
    from brickyard.health.oracle import Truth

DAYS, SCALE, SEED = 60, 0.75, 7
SOURCE = "synthetic"
_CENT = Decimal("0.01")
_POLL_SECONDS, _PATIENCE_SECONDS = 1.0, 2400.0
_OVER = (RunLifeCycleState.TERMINATED, RunLifeCycleState.INTERNAL_ERROR, RunLifeCycleState.SKIPPED)


@dataclass(frozen=True, slots=True)
class TableResult:
    """One gold table beside what the oracle says it must hold."""

    name: str
    domain: str
    rows: int
    equal_to_oracle: bool


@dataclass(frozen=True, slots=True)
class MonthResult:
    """The bill of a month: in gold, computed again from bronze, and on the invoice; amounts in USD."""

    month: str
    gold: str
    bronze: str
    invoice: str | None
    hash: str
    ties: bool


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How gold ties out."""

    ok: bool
    months: list[MonthResult]


@dataclass(frozen=True, slots=True)
class JobResult:
    """How the generated job ran: its tasks with their seconds."""

    result: str
    seconds: float
    tasks: dict[str, float]


@dataclass(slots=True)
class DemoResult:
    """What `brickyard demo health --output json` prints; companions stand beside the tables of the requirements."""

    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    source_rows: int = 0
    tables: list[TableResult] = field(default_factory=list)
    companions: list[TableResult] = field(default_factory=list)
    reconciliation: Reconciled | None = None
    job: JobResult | None = None
    steps_of_a_second_run: int = 0
    report: str = ""
    differences: list[str] = field(default_factory=list)


def tell(home: Home, report_file: Path, report: Report) -> DemoResult:
    """Run the demonstration in *home* and write its report to *report_file*."""
    return _told(home, report_file, report, SCALE)


def told_at(scale: float) -> Any:
    """Return a story like `tell` of an account of another size."""
    return lambda home, report_file, report: _told(home, report_file, report, scale)


def _told(home: Home, report_file: Path, report: Report, scale: float) -> DemoResult:
    from brickyard.health import flow, synthetic
    from brickyard.health.flow.door import places, through

    started = time.monotonic()
    result = DemoResult()
    during = partial(phase, result.phases)
    with during("start"):
        report(Step("start", detail="local workspace"))
        home.prepare()
        control.start(home, (services.WORKSPACE,))
    client = workspace(home)
    account = synthetic.generate(DAYS, scale, SEED)
    door = through(client, places(SOURCE), account.settled_at)
    with during("seed"):
        seeded = _seed(door, client, account, report)
    result.source_rows = sum(seeded.rows.values())
    oracle = Oracle(seeded)
    with during("job"):
        result.job = _run_job(client, door, report)
    with during("compare"):
        _compare(door, client, oracle, result, report)
    with during("again"):
        report(Step("again", detail="a second run finds nothing new"))
        result.steps_of_a_second_run = len(flow.preview(door).steps)
    with during("report"):
        months = _invoice(door, oracle)
        result.reconciliation = Reconciled(all(month.ties for month in months), [_month(month) for month in months])
        result.report = _page(door, report_file, report)
    result.seconds = round(time.monotonic() - started, 2)
    return result


def expect(result: DemoResult) -> None:
    """Raise DemoSurprised naming everything that came to another end than it must."""
    every = [*result.tables, *result.companions]
    wrong = [Problem("differs from the oracle", where=one.name) for one in every if not one.equal_to_oracle]
    wrong += [Problem(told) for told in result.differences]
    if result.reconciliation is None or not result.reconciliation.ok:
        wrong.append(Problem("does not tie out with the invoice of the oracle's costs", where="reconciliation"))
    if result.job is None or result.job.result != "SUCCESS":
        wrong.append(Problem("did not succeed", where="job"))
    if result.steps_of_a_second_run:
        wrong.append(Problem(f"finds {result.steps_of_a_second_run} steps to do", where="a second run"))
    if wrong:
        raise DemoSurprised(f"{len(wrong)} thing(s) came out otherwise", problems=tuple(wrong))


def as_text(result: DemoResult) -> str:
    """The tables, the bill, and where the report is."""
    rows = [
        (one.name, f"{one.rows:,}", "yes" if one.equal_to_oracle else "NO")
        for one in (*result.tables, *result.companions)
    ]
    months = [(m.month, m.gold, m.bronze, m.invoice or "-", "yes" if m.ties else "NO") for m in _months(result)]
    phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.phases.items())
    return "\n\n".join(
        (
            f"{result.source_rows:,} rows in the system tables of {SOURCE}",
            table(("TABLE", "ROWS", "EQUAL TO THE ORACLE"), rows),
            table(("MONTH", "GOLD", "FROM BRONZE", "INVOICE", "TIES"), months),
            f"{phases}\nreport: {result.report}",
        )
    )


def _months(result: DemoResult) -> Iterable[MonthResult]:
    return result.reconciliation.months if result.reconciliation else ()


# ── the scenes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _seed(door: Door, client: WorkspaceClient, account: Any, report: Report) -> Seeded:
    """Write the account; one from an earlier demonstration in the same home is replaced."""
    from brickyard.health.flow import seeding

    return seeding.seed(door, client, account, on_step=report, replace=True)


class Oracle:
    """The truth of the account, computed while the job runs."""

    def __init__(self, seeded: Seeded) -> None:
        from brickyard.health.oracle import truth

        self._truth = truth(seeded.account, seeded.until, states=seeded.looks)
        self._failed: list[Exception] = []
        self._thread = threading.Thread(target=self._compute, daemon=True)
        self._thread.start()

    def _compute(self) -> None:
        try:
            for name in self._truth.tables():
                self._truth[name]
        except Exception as error:  # noqa: BLE001 — raised where the truth is asked for, not lost in its thread
            self._failed.append(error)

    def truth(self) -> Truth:
        """Return the truth when it is whole."""
        self._thread.join()
        if self._failed:
            raise self._failed[0]
        return self._truth


def _run_job(client: WorkspaceClient, door: Door, report: Report) -> JobResult:
    """Make the job from its file, with our own wheel, and run it: it builds all of gold."""
    from databricks.sdk.service.jobs import RunNowResponse

    settings = _settings(client, door)
    try:
        job = client.api_client.do("POST", "/api/2.2/jobs/create", body=settings)
        assert isinstance(job, dict)
        asked = {"as_of": f"{door.at:%Y-%m-%dT%H:%M:%S}"}
        started = client.jobs.run_now(job["job_id"], job_parameters=asked).response
    except DatabricksError as error:
        raise WorkspaceRefused(f"the job of the gold layer could not be started: {error}") from error
    assert isinstance(started, RunNowResponse)
    return _followed(client, started.run_id or 0, report)


def _settings(client: WorkspaceClient, door: Door) -> dict[str, Any]:
    """Read the job's settings out of the file that `health job --target dev` writes, for the user and wheel that are here."""
    from ruamel.yaml import YAML

    from brickyard.health.flow.seeding import LANDING, VOLUME
    from brickyard.health.plan.compile import compile_all
    from brickyard.health.plan.jobs import KEY, Target, Wanted, as_yaml, resource

    with TemporaryDirectory() as folder:
        made = wheel.build(Path(folder))
        path = f"/Volumes/{door.places.source_catalog}/{LANDING}/{VOLUME}/{made.name}"
        client.files.upload(path, io.BytesIO(made.read_bytes()), overwrite=True)
    me = client.current_user.me().user_name or ""
    wanted = Wanted(Target.DEV, door.places.catalog, door.places.source_catalog, emails=(me,), wheel=path)
    text = as_yaml(resource(compile_all(), wanted))
    return YAML(typ="safe").load(text)["resources"]["jobs"][KEY]


def _followed(client: WorkspaceClient, run_id: int, report: Report) -> JobResult:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        run = client.jobs.get_run(run_id)
        tasks = run.tasks or []
        done = [task for task in tasks if task.state and task.state.life_cycle_state in _OVER]
        working = [
            task.task_key for task in tasks if task.state and task.state.life_cycle_state is RunLifeCycleState.RUNNING
        ]
        report(Step("job", len(done), len(tasks), ", ".join(working)))
        if run.state and run.state.life_cycle_state in _OVER:
            return _ended(client, run)
        if time.monotonic() > deadline:
            raise BrickyardError(f"the job did not end within {_PATIENCE_SECONDS:.0f} s: {', '.join(working)}")
        time.sleep(_POLL_SECONDS)


def _ended(client: WorkspaceClient, run: Run) -> JobResult:
    """Return how the job ended, or raise WorkspaceRefused with the words of the tasks that failed."""
    tasks = run.tasks or []
    if run.state is None or run.state.result_state is not RunResultState.SUCCESS:
        words = [
            f"{task.task_key}: {client.jobs.get_run_output(task.run_id or 0).error or task.state.state_message}"
            for task in tasks
            if task.state and task.state.result_state is not RunResultState.SUCCESS
        ]
        raise WorkspaceRefused(f"the job of the gold layer failed: {'; '.join(words)}")
    seconds = {task.task_key: _seconds(task.start_time, task.end_time) for task in tasks}
    return JobResult(run.state.result_state.value, _seconds(run.start_time, run.end_time), seconds)


def _seconds(start: int | None, end: int | None) -> float:
    return ((end or 0) - (start or 0)) / 1000


def _compare(door: Door, client: WorkspaceClient, oracle: Oracle, result: DemoResult, report: Report) -> None:
    from brickyard.health.flow.comparing import compare
    from brickyard.health.plan.compile import compile_all

    report(Step("oracle", detail="the truth, computed without the engine"))
    truth = oracle.truth()
    report(Step("compare", detail="every row of every table"))
    main = {table.table for table in compile_all().main}
    for one in compare(door, client, truth):
        found = TableResult(one.table, one.domain, one.rows, one.equal)
        (result.tables if one.table in main else result.companions).append(found)
        result.differences += _differences(one)
    missing = sorted(main - {one.name for one in result.tables})
    result.differences += [f"{name} is not known to the oracle" for name in missing]


def _differences(one: Compared) -> list[str]:
    return [f"{one.table} {found.side}: {dict(found.key)} {dict(found.columns)}" for found in one.differences]


def _invoice(door: Door, oracle: Oracle) -> tuple[MonthStatement, ...]:
    """Load the bill that the oracle's costs make, rounded to cents, as the invoice, and tie gold out with it."""
    from brickyard.health.flow.billing import load_invoice
    from brickyard.health.model.bill import read_invoice

    usage = oracle.truth()["billing.fact_usage"].select(["usage_date", "sku_name", "effective_cost"])
    totals: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for day, sku, cost in zip(*(column.to_pylist() for column in usage.columns), strict=True):
        totals[f"{day:%Y-%m}", sku] += cost or 0
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("month", "sku_name", "amount"))
    writer.writerows((*key, amount.quantize(_CENT, ROUND_HALF_UP)) for key, amount in sorted(totals.items()))
    return load_invoice(door, "invoice.csv", read_invoice("invoice.csv", text.getvalue().encode()))


def _month(found: MonthStatement) -> MonthResult:
    invoice = None if found.invoice is None else f"{found.invoice:.2f}"
    return MonthResult(f"{found.month:%Y-%m}", str(found.gold), str(found.bronze), invoice, found.hash, found.ties)


def _page(door: Door, report_file: Path, report: Report) -> str:
    from brickyard.health import report as pages
    from brickyard.health.flow import reporting

    report_file.write_text(pages.page(reporting.figures(door, kpis=False, on_step=report)), encoding="utf-8")
    return str(report_file.resolve())
