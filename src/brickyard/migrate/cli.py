"""The commands of migrate: plan and apply a refactoring of notebook text, run it to prove it, show the record."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.kernel.terminal import Output, emit, note, progress, table

if TYPE_CHECKING:
    from brickyard.context import Context
    from brickyard.kernel.errors import Problem
    from brickyard.migrate.model.inputs import PlanOptions, Source
    from brickyard.migrate.model.nouns import NotebookPlan, Plan, Verdict

app = typer.Typer(help="Move legacy Hive notebooks to Unity Catalog, with proof.", no_args_is_help=True)

_MANY = 8  # notebooks from which on a second process pays

Where = Annotated[str, typer.Argument(metavar="PATH", help="A notebook file, a folder, or a workspace path.")]
Rules = Annotated[str, typer.Option("--rules", help="A shipped rule pack (velocity, default), or the path of one.")]
MappingFile = Annotated[Path | None, typer.Option("--mapping", help="CSV of table mappings, on top of the rules.")]
Param = Annotated[list[str] | None, typer.Option("--param", metavar="K=V", help="A widget's value; may be repeated.")]
Params = Annotated[Path | None, typer.Option("--params", help="File of widget values: K=V lines or a JSON object.")]
Job = Annotated[
    str | None, typer.Option("--job", help="A job, by name or id, whose parameters are the widgets' values.")
]
Schema = Annotated[str | None, typer.Option("--schema", help="The schema of names without one, where no USE says it.")]
Dbr = Annotated[str | None, typer.Option("--dbr", help="The Databricks Runtime to write for, such as 15.4.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use no workspace: PATH is a local file or folder.")]
Skip = Annotated[list[str] | None, typer.Option("--skip", metavar="EDIT_ID", help="Leave an edit, or its group, out.")]
RequireProof = Annotated[bool, typer.Option("--require-proof", help="Apply proven edits only.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes that plan a folder.")]


@app.command()
def plan(
    ctx: typer.Context,
    path: Where,
    rules: Rules = "velocity",
    mapping: MappingFile = None,
    param: Param = None,
    params: Params = None,
    job: Job = None,
    schema: Schema = None,
    dbr: Dbr = None,
    offline: Offline = False,
    skip: Skip = None,
    require_proof: RequireProof = False,
    prove: Annotated[bool, typer.Option("--prove", help="Execute edits before and after, on generated rows.")] = False,
    warehouse: Annotated[str | None, typer.Option("--warehouse", help="The SQL warehouse that proves.")] = None,
    mapping_out: Annotated[
        Path | None, typer.Option("--mapping-out", help="Write original and refactored names as CSV.")
    ] = None,
    mapping_template: Annotated[
        Path | None, typer.Option("--mapping-template", help="Write the names no rule maps as CSV to fill in.")
    ] = None,
    worklist_out: Annotated[Path | None, typer.Option("--worklist", help="Write a folder's worklist as CSV.")] = None,
    diff: Annotated[
        bool | None, typer.Option("--diff/--no-diff", help="Show the changes; the default for one notebook.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Print what would change: the edits with their reasons, the mapping, and what hands are needed for."""
    from brickyard.migrate.plan.document import plan_document
    from brickyard.migrate.plan.text import plan_text
    from brickyard.migrate.plan.worklist import mapping_csv, template_csv, worklist, worklist_csv

    options = _options(ctx, path, rules, mapping, param, params, job, schema, dbr, skip, require_proof)
    made = _plan(ctx, path, options, offline=offline, workers=workers)
    if prove:
        made = _proved(ctx, path, options, made, offline=offline, warehouse=warehouse)
    items = worklist(made.notebooks)
    _write_own(mapping_out, mapping_csv(made.notebooks))
    _write_own(mapping_template, template_csv(made.notebooks))
    _write_own(worklist_out, worklist_csv(items))
    document = plan_document(made) | {"worklist": items}
    shown = diff if diff is not None else len(made.notebooks) == 1
    emit(document, _output(ctx), lambda: plan_text(made, items, diff=shown))
    raise typer.Exit(_verdict(made))


@app.command()
def apply(
    ctx: typer.Context,
    path: Where,
    in_place: Annotated[bool, typer.Option("--in-place", help="Write over the notebooks.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file or folder.")] = None,
    rules: Rules = "velocity",
    mapping: MappingFile = None,
    param: Param = None,
    params: Params = None,
    job: Job = None,
    schema: Schema = None,
    dbr: Dbr = None,
    offline: Offline = False,
    skip: Skip = None,
    require_proof: RequireProof = False,
    expect: Annotated[
        str | None, typer.Option("--hash", help="Refuse when the plan is not the one with this hash.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Write the refactored text; a notebook that a halting finding blocks is left out."""
    from brickyard.kernel.errors import SpecInvalid

    if in_place == (out is not None):
        raise SpecInvalid("say where to write", code="usage", remedy="give either --in-place or --out PATH")
    options = _options(ctx, path, rules, mapping, param, params, job, schema, dbr, skip, require_proof)
    made = _plan(ctx, path, options, offline=offline, workers=workers)
    _expect(made, expect)
    written = _write(made.notebooks, _targets(path, out, made.notebooks, in_place=in_place))
    blocked = [p.path for p in made.notebooks if p.readiness == "blocked"]
    emit(
        {"hash": made.hash, "written": written, "blocked": blocked, "summary": made.summary},
        _output(ctx),
        lambda: "\n".join(
            [*(f"wrote {name}" for name in written), *(f"blocked {name}" for name in blocked)] or ["nothing to do"]
        ),
    )
    raise typer.Exit(_applied(made, blocked))


@app.command()
def run(
    ctx: typer.Context,
    path: Annotated[str | None, typer.Argument(help="A notebook file, a folder, or a workspace path.")] = None,
    rules: Rules = "velocity",
    mapping: MappingFile = None,
    param: Param = None,
    params: Params = None,
    job: Job = None,
    schema: Schema = None,
    dbr: Dbr = None,
    require_proof: RequireProof = False,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Run on this cluster instead of serverless.")] = None,
    warehouse: Annotated[str | None, typer.Option("--warehouse", help="Run on this SQL warehouse.")] = None,
    onto_targets: Annotated[
        bool, typer.Option("--onto-targets", help="Clone onto the refactored names instead of rehearsing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --onto-targets: replace targets with a history of their own.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=32, help="Notebooks that run at the same time.")] = 1,
    only_failed: Annotated[
        bool, typer.Option("--only-failed", help="Leave out notebooks whose last run reconciled.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Start a new attempt of a run that did not end well.")
    ] = None,
    rehearsal_catalog: Annotated[
        str | None, typer.Option("--rehearsal-catalog", help="Catalog of the rehearsal schemas; the first target's.")
    ] = None,
    keep_days: Annotated[int, typer.Option("--keep-days", min=0, help="Days after which later runs clean up.")] = 3,
    expect: Annotated[
        str | None, typer.Option("--hash", help="Refuse when the plan is not the one with this hash.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML file.")] = None,
) -> None:
    """Rehearse notebooks before and after their refactoring on clones and pinned sources, and compare what they write."""
    from brickyard.migrate import flow
    from brickyard.migrate.model.runs import RunRequest

    fields = _named_rules(rules) | _request_inputs(mapping, param, params) | _notebooks(path, resume)
    request = RunRequest.model_validate(
        fields
        | {
            "job": job,
            "default_schema": schema,
            "dbr": dbr,
            "require_proof": require_proof,
            "cluster": cluster,
            "warehouse": warehouse,
            "onto_targets": onto_targets,
            "replace": replace,
            "jobs": jobs,
            "only_failed": only_failed,
            "resume": resume,
            "rehearsal_catalog": rehearsal_catalog,
            "keep_days": keep_days,
            "plan_hash": expect,
        }
    )
    context = ctx.obj.context()
    context.metadata.migrate()
    queued = flow.submit(context, request)
    _follow(context, queued.batch)
    documents = [d for d in flow.record(context, queued.batch) if d["path"] in queued.runs]
    _show_runs(ctx, context, queued.batch, documents, html)
    raise typer.Exit(_runs_exit(documents))


@app.command()
def report(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="A run, or a batch of runs.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML file.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many runs to list.")] = 20,
) -> None:
    """Show the record of a run or batch; without one, list the last runs."""
    from brickyard.migrate import flow, store
    from brickyard.migrate.report import summary

    context = ctx.obj.context()
    context.metadata.migrate()
    if run is not None:
        _show_runs(ctx, context, run, flow.record(context, run), html)
        return
    with context.metadata.read() as tx:
        runs = [summary(found) for found in store.list_runs(tx, limit=limit)]
    emit(runs, _output(ctx), lambda: _listed(runs))


def _listed(runs: Sequence[Mapping[str, Any]]) -> str:
    """The runs as a table that fits a terminal; `--output json` holds all of each."""
    if not runs:
        return "no notebook was run yet"
    rows = [
        (
            run["id"],
            run["path"],
            run["outcome"] or run["status"],
            run["code"] or "-",
            run["created_at"][:16].replace("T", " "),
        )
        for run in runs
    ]
    return table(("RUN", "NOTEBOOK", "OUTCOME", "CODE", "SUBMITTED (UTC)"), rows)


def _named_rules(rules: str) -> dict[str, Any]:
    """A shipped pack by name, or the text of the user's own."""
    from brickyard.migrate.model.pack import read_pack, shipped_packs

    read_pack(rules)
    if rules in shipped_packs():
        return {"rules": rules}
    return {"rules": rules, "rules_text": Path(rules).read_text(encoding="utf-8")}


def _request_inputs(mapping: Path | None, param: Sequence[str] | None, params: Path | None) -> dict[str, Any]:
    from brickyard.migrate.model.inputs import parse_params, read_mapping, read_params

    if mapping is not None:
        read_mapping(mapping)
    return {
        "mapping": mapping.read_text(encoding="utf-8-sig") if mapping else None,
        "params": (read_params(params) if params else {}) | parse_params(param or ()),
    }


def _notebooks(path: str | None, resume: str | None) -> dict[str, Any]:
    """The notebooks of a local path with those they run, or the name of a workspace path."""
    from brickyard.kernel.errors import SpecInvalid

    if path is None:
        if resume is None:
            raise SpecInvalid("there is nothing to run", code="usage", remedy="give a PATH, or --resume RUN")
        return {}
    if not Path(path).exists() and path.startswith("/"):
        return {"path": path}
    local = Path(path)
    root, files = (local, _files(local)) if local.is_dir() else _with_children(local.resolve())
    sent = [
        {
            "path": f.relative_to(root).as_posix(),
            "content": b64encode(f.read_bytes()),
            "child": not local.is_dir() and n > 0,
        }
        for n, f in enumerate(files)
    ]
    return {"notebooks": sent, "origin": str(root.resolve())}


def _files(folder: Path) -> list[Path]:
    from brickyard.migrate.model.inputs import read_sources

    sources, problems = read_sources(folder)
    for problem in problems:
        note(f"left out: {problem}")
    return [folder / source.path for source in sources]


def _with_children(file: Path) -> tuple[Path, list[Path]]:
    """A notebook and those it runs, with the folder that holds them all."""
    from brickyard.kernel.errors import SpecInvalid
    from brickyard.migrate.model.inputs import SUFFIXES, PlanOptions, read_sources
    from brickyard.migrate.model.pack import read_pack
    from brickyard.migrate.plan import plan_notebook

    options = PlanOptions(pack=read_pack("default"))
    files = [file]
    for asker in files:
        sources, problems = read_sources(asker)
        if problems:
            raise SpecInvalid(str(problems[0]), code="notebook-too-large", remedy=problems[0].remedy)
        names = (asker.parent / child for child in plan_notebook(sources[0], options).children)
        found = (Path(f"{name}{suffix}") for name in names for suffix in ("", *SUFFIXES))
        files += [f for f in dict.fromkeys(p.resolve() for p in found if p.is_file()) if f not in files]
    return Path(os.path.commonpath([f.parent for f in files])), files


def _follow(context: Context, batch: str) -> None:
    """Wait for the runs of a batch, doing them in this process where no worker is alive. On Ctrl-C they are stopped."""
    from brickyard.kernel import stop
    from brickyard.kernel.errors import Interrupted
    from brickyard.migrate import flow

    try:
        with progress() as tell:
            flow.follow(context, batch, tell)
    except (KeyboardInterrupt, Interrupted) as error:
        stop.clear()
        note("stopping; what the runs have made is dropped (Ctrl-C again leaves it)")
        flow.stop(context, batch)
        flow.await_end(context, batch)
        raise Interrupted("stopped on request", remedy=f"go on with: brickyard migrate run --resume {batch}") from error


def _show_runs(
    ctx: typer.Context, context: Context, name: str, documents: Sequence[dict[str, Any]], html: Path | None
) -> None:
    from brickyard.migrate import flow
    from brickyard.migrate import report as reports

    if html is not None:
        _write_own(html, reports.html(flow.title(context, name), documents, context.clock()))
    emit({"batch": documents[0]["batch"], "runs": documents}, _output(ctx), lambda: reports.text(documents))


_PLATFORM = (
    "workspace-down",
    "workspace-refused",
    "workspace-forbidden",
    "run-lost",
    "metadata-down",
    "workspace-unauthorized",
)


def _runs_exit(documents: Sequence[dict[str, Any]]) -> int:
    """0 all reconciled, 1 findings, 3 the platform failed, 4 all halted, 5 a mixture."""
    codes = {_run_exit(d) for d in documents}
    return codes.pop() if len(codes) == 1 else 5


def _run_exit(document: dict[str, Any]) -> int:
    match document["outcome"]:
        case "reconciled":
            return 0
        case "halted":
            return 4
        case "failed":
            return 3 if document["code"] in _PLATFORM else 1
        case _:
            return 1


def _output(ctx: typer.Context) -> Output:
    return ctx.obj.output if ctx.obj is not None else Output.TEXT


def _options(
    ctx: typer.Context,
    path: str,
    rules: str,
    mapping: Path | None,
    param: Sequence[str] | None,
    params: Path | None,
    job: str | None,
    schema: str | None,
    dbr: str | None,
    skip: Sequence[str] | None,
    require_proof: bool,
) -> PlanOptions:
    from brickyard.migrate.model.inputs import PlanOptions, parse_params, read_mapping, read_params
    from brickyard.migrate.model.pack import read_pack

    values: dict[str, str] = dict(_job_parameters(ctx, job, path)) if job else {}
    values |= read_params(params) if params else {}
    return PlanOptions(
        pack=read_pack(rules),
        mappings=read_mapping(mapping) if mapping else {},
        params=values | parse_params(param or ()),
        schema=schema,
        dbr=dbr,
        skip=frozenset(skip or ()),
        require_proof=require_proof,
    ).checked()


def _job_parameters(ctx: typer.Context, job: str, path: str) -> Mapping[str, str]:
    from brickyard.migrate.observe import Eyes, job_parameters

    return job_parameters(Eyes(ctx.obj.workspace_client()), job, path)


def _plan(
    ctx: typer.Context,
    path: str,
    options: PlanOptions,
    *,
    offline: bool,
    workers: int | None,
    verdicts: Mapping[str, Verdict] | None = None,
) -> Plan:
    """Read the notebooks and plan them, showing progress for a folder."""
    from brickyard.kernel.progress import silent
    from brickyard.migrate.model.inputs import read_children
    from brickyard.migrate.plan import plan_notebooks

    sources, problems = _sources(ctx, path, offline=offline)
    beside = read_children(Path(path), sources[0]) if len(sources) == 1 and Path(path).is_file() else []
    count = workers or (min(os.cpu_count() or 1, 4) if len(sources) >= _MANY else 1)
    refused = _refused(problems, alone=not sources)
    if len(sources) == 1:
        made = plan_notebooks(sources, options, beside=beside, verdicts=verdicts, refused=refused, report=silent)
        _refuse_blocked_file(made)
        return made
    with progress() as report:
        return plan_notebooks(sources, options, verdicts=verdicts, workers=count, refused=refused, report=report)


def _proved(
    ctx: typer.Context, path: str, options: PlanOptions, made: Plan, *, offline: bool, warehouse: str | None
) -> Plan:
    """The plan settled once more with what the workspace shows of its edits."""
    from brickyard.kernel.errors import SpecInvalid
    from brickyard.migrate import flow
    from brickyard.migrate.observe import Eyes

    if offline:
        raise SpecInvalid("--prove needs a workspace", code="usage", remedy="leave out --offline")
    verdicts = flow.prove(Eyes(ctx.obj.workspace_client(), warehouse), made, made.hash[:12])
    return _plan(ctx, path, options, offline=offline, workers=1, verdicts=verdicts)


def _sources(ctx: typer.Context, path: str, *, offline: bool) -> tuple[list[Source], list[Problem]]:
    """The notebooks of a local path, or of a workspace path when nothing local has that name."""
    from brickyard.migrate.model.inputs import Source, read_sources

    if offline or Path(path).exists() or not path.startswith("/"):
        return read_sources(Path(path))
    from brickyard.migrate.observe import notebooks

    return [Source(name, data) for name, data in notebooks(ctx.obj.workspace_client(), path)], []


def _refused(problems: Sequence[Problem], *, alone: bool) -> list[Any]:
    """Files that are too large, as findings; when there is nothing else, that is an error."""
    from brickyard.kernel.errors import SpecInvalid
    from brickyard.migrate.model.nouns import Finding, Severity

    if problems and alone:
        remedy = problems[0].remedy
        raise SpecInvalid(str(problems[0]), code="notebook-too-large", remedy=remedy, problems=tuple(problems))
    return [Finding("notebook-too-large", Severity.WARN, p.message, p.remedy or "", subject=p.where) for p in problems]


def _refuse_blocked_file(made: Plan) -> None:
    """A single file that is no notebook is bad input, not a finding."""
    from brickyard.kernel.errors import SpecInvalid

    only = made.notebooks[0]
    finding = only.findings[0] if only.findings else None
    if only.notebook is None and finding is not None:
        raise SpecInvalid(finding.message, code=finding.code, remedy=finding.remedy)
    if finding is not None and finding.code == "notebook-empty":
        raise SpecInvalid(finding.message, code=finding.code, remedy=finding.remedy)


def _verdict(made: Plan) -> int:
    findings = made.summary["findings"]
    return 1 if findings.get("warn") or findings.get("halt") else 0


def _applied(made: Plan, blocked: Sequence[str]) -> int:
    if blocked:
        return 4 if len(blocked) == len(made.notebooks) else 5
    return 1 if made.summary["findings"].get("warn") else 0


def _expect(made: Plan, expected: str | None) -> None:
    from brickyard.kernel.errors import GuardRefused

    if expected is not None and expected != made.hash:
        raise GuardRefused(
            f"the plan is {made.hash}, not {expected}",
            code="plan-changed",
            remedy="look at the plan again and give its hash",
        )


def _targets(path: str, out: Path | None, plans: Sequence[NotebookPlan], *, in_place: bool) -> dict[str, Path]:
    """Where each notebook is written; nothing that is not ours is written over."""
    from brickyard.kernel.errors import GuardRefused, Problem, SpecInvalid

    if in_place and not Path(path).exists():
        raise SpecInvalid(f"{path} is not a local file or folder", code="usage", remedy="give --out PATH")
    root = Path(path) if Path(path).is_dir() else Path(path).parent
    if out is None:
        return {p.path: root / p.path for p in plans}
    single = Path(path).is_file() and not out.is_dir()
    targets = {p.path: out if single else out / p.path for p in plans}
    taken = [Problem("exists already", str(t)) for p in plans if _differs(t := targets[p.path], p.refactored_bytes)]
    if taken:
        raise GuardRefused(
            "what would be written over is not ours",
            code="output-exists",
            remedy="give a new folder with --out, or --in-place",
            problems=tuple(taken),
        )
    return targets


def _differs(target: Path, data: bytes) -> bool:
    return target.exists() and target.read_bytes() != data


def _write(plans: Sequence[NotebookPlan], targets: Mapping[str, Path]) -> list[str]:
    """Write what is not blocked, all of it or nothing; files that hold the text already stay untouched."""
    from brickyard.kernel.files import write_whole

    changed: dict[Path, bytes] = {}
    for made in plans:
        target = targets[made.path]
        data = made.refactored_bytes if made.notebook is not None else made.original_bytes
        if made.readiness != "blocked" and not (target.exists() and target.read_bytes() == data):
            changed[target] = data
    write_whole(changed)
    return [str(target) for target in changed]


def _write_own(target: Path | None, text: str) -> None:
    from brickyard.kernel.files import write_whole

    if target is not None:
        write_whole({target: text.encode()})
        note(f"wrote {target}")
