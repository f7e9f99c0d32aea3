"""The commands of migrate: plan and apply a refactoring of notebook text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.kernel.terminal import Output, emit, note, progress

if TYPE_CHECKING:
    from brickyard.kernel.errors import Problem
    from brickyard.migrate.model.inputs import PlanOptions, Source
    from brickyard.migrate.model.nouns import NotebookPlan, Plan

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
    items = worklist(made.notebooks)
    for target, text in (
        (mapping_out, mapping_csv),
        (mapping_template, template_csv),
    ):
        if target is not None:
            _write_own(target, text(made.notebooks))
    if worklist_out is not None:
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


def _plan(ctx: typer.Context, path: str, options: PlanOptions, *, offline: bool, workers: int | None) -> Plan:
    """Read the notebooks and plan them, showing progress for a folder."""
    from brickyard.kernel.progress import silent
    from brickyard.migrate.plan import plan_notebooks

    sources, problems = _sources(ctx, path, offline=offline)
    count = workers or (min(os.cpu_count() or 1, 4) if len(sources) >= _MANY else 1)
    refused = _refused(problems, alone=not sources)
    if len(sources) == 1:
        made = plan_notebooks(sources, options, refused=refused, report=silent)
        _refuse_blocked_file(made)
        return made
    with progress() as report:
        return plan_notebooks(sources, options, workers=count, refused=refused, report=report)


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
            code="plan-moved",
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
    """Write what is not blocked; files that hold the text already stay untouched."""
    written: list[str] = []
    for made in plans:
        target = targets[made.path]
        data = made.refactored_bytes if made.notebook is not None else made.original_bytes
        if made.readiness == "blocked" or (target.exists() and target.read_bytes() == data):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data)
        written.append(str(target))
    return written


def _replace(target: Path, data: bytes) -> None:
    """Write a file whole or not at all, keeping its mode."""
    draft = target.with_name(f".{target.name}.brickyard")
    try:
        draft.write_bytes(data)
        if target.exists():
            draft.chmod(target.stat().st_mode & 0o7777)
        draft.replace(target)
    except OSError as error:
        from brickyard.kernel.errors import SpecInvalid

        draft.unlink(missing_ok=True)
        raise SpecInvalid(f"{target} cannot be written: {error.strerror}", code="output-unwritable") from error


def _write_own(target: Path, text: str) -> None:
    _replace(target, text.encode())
    note(f"wrote {target}")
