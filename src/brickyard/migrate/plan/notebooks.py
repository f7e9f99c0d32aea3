"""Planning notebooks: text in; mapping, edits and findings out. Nothing is read from disk or a workspace."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from typing import Any

from brickyard.dbsql.model import Kind
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import TableName
from brickyard.kernel.progress import Report, Step, silent
from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.nouns import Finding, NotebookPlan, Plan, Proposal, Readiness, ReferenceRow, Severity
from brickyard.migrate.plan import renames, sites
from brickyard.migrate.plan.document import document
from brickyard.migrate.plan.emitting import Emitter
from brickyard.migrate.plan.names import schema_target
from brickyard.migrate.plan.python.values import Place
from brickyard.migrate.plan.reading import Library, read
from brickyard.migrate.plan.rewrites import NotebookView, SqlUnit, propose, settings_of
from brickyard.migrate.plan.settle import Verdicts, removed, settle
from brickyard.migrate.plan.soundness import sound
from brickyard.migrate.plan.uses import SchemaUse, Uses
from brickyard.notebooks.edit import apply_edits, encode, position
from brickyard.notebooks.model import Cell, CellEdit, Format, Language, Notebook, Span
from brickyard.notebooks.parse import parse

_IGNORE = re.compile(r"(?:#|--)\s*brickyard:\s*ignore\s+([\w\s,-]+)")
_SCRIPTED = frozenset({Language.SQL, Language.PYTHON})
_FOREIGN = frozenset({Format.SOURCE_SCALA, Format.SOURCE_R})


@dataclass(frozen=True, slots=True)
class Draft:
    """A notebook read and mapped, with everything proposed for it; proofs can be made before it is finished."""

    source: Source
    notebook: Notebook
    options: PlanOptions
    references: tuple[ReferenceRow, ...]
    rewrites: tuple[Proposal, ...]
    renames: tuple[Proposal, ...]
    findings: tuple[Finding, ...]
    children: tuple[tuple[str, Mapping[str, str]], ...]
    view: NotebookView


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the workspace: what each view reads, by name in lower case."""

    view_sources: Mapping[str, frozenset[str]] = field(default_factory=dict)


Callers = Sequence[Mapping[str, str]]


def draft(
    source: Source,
    options: PlanOptions,
    library: Library | None = None,
    callers: Callers = (),
    known: Known | None = None,
) -> Draft:
    """Read one notebook and propose its edits; raises SpecInvalid for a file that is no notebook."""
    notebook = parse(source.path, source.data)
    uses = read(notebook, options, library or Library(), callers)
    found = sites.gather(uses.found.values(), options)
    rows = sites.rows(found, notebook)
    view = _view(notebook, uses, options, known or Known())
    emitter = Emitter.of(options.pack, options.runtime, uses.widgets, notebook)
    fixed = uses.kept | (uses.machine.escaped if uses.machine else set())
    named = tuple(renames.propose(found, notebook, fixed, emitter)) if options.pack.enabled(renames.RULE) else ()
    rewrites = tuple(propose(view))
    gone = removed(notebook, rewrites, options)
    settled = all(s.complete for s in found if not _within(s.place, gone)) and all(p.apply for p in named)
    moved = tuple(_schema_proposals(uses.schemas, options)) if settled and options.pack.enabled(renames.RULE) else ()
    findings = (
        *_located(uses.findings.values(), notebook),
        *sites.findings(found, notebook),
        *sites.collisions(rows),
        *_empty(notebook),
        *(f for p in named for f in p.findings),
        *_in_file(rewrites, notebook),
        *_schema_findings(uses.schemas, options, notebook, moved=bool(moved)),
    )
    children = tuple((path, arguments) for path, arguments, _ in uses.children if path is not None)
    return Draft(
        source, notebook, options, rows, rewrites, (*named, *moved), _heard(findings, notebook), children, view
    )


def finish(made: Draft, verdicts: Verdicts | None = None) -> NotebookPlan:
    """Settle a draft: which edits are applied, what the file becomes, what remains to be said."""
    notebook = made.notebook
    edits, unsound = sound(notebook, settle(notebook, made.rewrites, made.renames, made.options, verdicts or {}))
    findings = (*made.findings, *unsound)
    text = apply_edits(notebook, [edit.hunk for edit in edits if edit.applied])
    groups = {edit.group for edit in edits if edit.applied}
    return NotebookPlan(
        path=made.source.path,
        readiness=_readiness(notebook, findings),
        notebook=notebook,
        references=made.references,
        edits=edits,
        findings=findings,
        refactored=text,
        original_bytes=made.source.data,
        refactored_bytes=encode(notebook, text) if groups else made.source.data,
        children=tuple(dict.fromkeys(path for path, _ in made.children)),
        calls=made.children,
        maintenance=tuple(_maintenance(made, edits)),
    )


def plan_notebook(
    source: Source,
    options: PlanOptions,
    library: Library | None = None,
    callers: Callers = (),
    verdicts: Verdicts | None = None,
) -> NotebookPlan:
    """Plan one notebook; a file that cannot be read as one is blocked, with the reason as a finding."""
    try:
        return finish(draft(source, options, library, callers), verdicts)
    except SpecInvalid as error:
        remedy = error.remedy or "give a notebook file"
        finding = Finding(error.error_code, Severity.HALT, error.message, remedy)
        return NotebookPlan(source.path, Readiness.BLOCKED, None, findings=(finding,), original_bytes=source.data)


def plan_notebooks(
    sources: Sequence[Source],
    options: PlanOptions,
    *,
    beside: Sequence[Source] = (),
    verdicts: Verdicts | None = None,
    workers: int = 1,
    refused: Sequence[Finding] = (),
    report: Report = silent,
) -> Plan:
    """Plan notebooks together: `%run` and `notebook.run` are followed among them, names are compared across them.

    *beside* are notebooks that may be run by them and are not planned themselves. *verdicts* are those of proofs made of
    an earlier plan of the same notebooks. *workers* above 1 plans in so many
    processes. *refused* are findings about files that are not planned at all.
    """
    library = Library({source.path: source.data for source in (*beside, *sources)})
    one = partial(plan_notebook, options=options.checked(), library=library, verdicts=verdicts)
    plans = list(_plan_all(sources, one, workers, report))
    plans = _with_arguments(plans, sources, one, library)
    plans = _with_collisions(plans)
    summary = _summary(plans, refused)
    return Plan(_hash(plans, options), tuple(plans), summary)


Planner = Callable[..., NotebookPlan]


def _plan_all(sources: Sequence[Source], one: Planner, workers: int, report: Report) -> Iterator[NotebookPlan]:
    if workers <= 1 or len(sources) <= workers:
        yield from _told(map(one, sources), len(sources), report)
        return
    context = get_context("forkserver")
    with ProcessPoolExecutor(workers, context, _start, (one,)) as pool:
        chunk = max(1, min(50, len(sources) // (workers * 4)))
        yield from _told(pool.map(_plan_shared, sources, chunksize=chunk), len(sources), report)


_SHARED: dict[str, Planner] = {}


def _start(one: Planner) -> None:
    """Give a worker process the planner, with what all notebooks share."""
    _SHARED["planner"] = one


def _plan_shared(source: Source) -> NotebookPlan:
    return _SHARED["planner"](source)


def _told(plans: Iterable[NotebookPlan], total: int, report: Report) -> Iterator[NotebookPlan]:
    for done, plan in enumerate(plans, 1):
        report(Step("planning", done, total, plan.path))
        yield plan


# Between notebooks


def _with_arguments(
    plans: list[NotebookPlan], sources: Sequence[Source], one: Planner, library: Library
) -> list[NotebookPlan]:
    """Plan those again that other notebooks run with arguments: their widgets can have these values."""
    callers: dict[str, list[Mapping[str, str]]] = {}
    for plan in plans:
        for path, arguments in plan.calls:
            target = library.find(plan.path, path)
            if target is not None and arguments and dict(arguments) not in callers.get(target, []):
                callers.setdefault(target, []).append(dict(arguments))
    by_path = {source.path: source for source in sources}
    return [one(by_path[plan.path], callers=callers[plan.path]) if plan.path in callers else plan for plan in plans]


def _with_collisions(plans: list[NotebookPlan]) -> list[NotebookPlan]:
    """Halt notebooks that map another object than their neighbours to the same name."""
    rows = [(index, row) for index, plan in enumerate(plans) for row in plan.references]
    originals: dict[str, dict[str, set[int]]] = {}
    for index, row in rows:
        if row.original and row.refactored and row.rule:
            by_original = originals.setdefault(row.refactored.lower(), {})
            by_original.setdefault(row.original.lower(), set()).add(index)
    changed = list(plans)
    for name, by_original in originals.items():
        for index in sorted(set().union(*by_original.values())) if len(by_original) > 1 else ():
            changed[index] = _collided(changed[index], name, sorted(by_original))
    return changed


def _collided(plan: NotebookPlan, name: str, originals: Sequence[str]) -> NotebookPlan:
    if any(f.code == "mapping-collision" and (f.subject or "").lower() == name for f in plan.findings):
        return plan
    row = next(r for r in plan.references if (r.refactored or "").lower() == name)
    finding = Finding(
        "mapping-collision",
        Severity.HALT,
        f"{' and '.join(originals)} would both become {row.refactored}, in different notebooks",
        "give one of them another name by a rule or a row of the mapping file",
        row.position.cell,
        row.position.line,
        row.refactored,
    )
    return replace(plan, readiness=Readiness.BLOCKED, findings=(*plan.findings, finding))


def _summary(plans: Sequence[NotebookPlan], refused: Sequence[Finding]) -> dict[str, Any]:
    outcomes = Counter(plan.readiness.value for plan in plans)
    findings = Counter(f.severity.value for plan in plans for f in (*plan.findings,))
    findings.update(f.severity.value for f in refused)
    return {
        "notebooks": len(plans),
        "outcomes": dict(sorted(outcomes.items())),
        "references": sum(len(plan.references) for plan in plans),
        "edits": sum(len(plan.edits) for plan in plans),
        "applied": sum(edit.applied for plan in plans for edit in plan.edits),
        "findings": dict(sorted(findings.items())),
        "refused": [{"code": f.code, "message": f.message, "remedy": f.remedy, "path": f.subject} for f in refused],
    }


def _hash(plans: Sequence[NotebookPlan], options: PlanOptions) -> str:
    """A digest of what the plan does and of the bytes it was made from."""
    digest = hashlib.sha256(options.runtime.encode())
    for plan in plans:
        digest.update(json.dumps(_without_verdicts(document(plan)), sort_keys=True, ensure_ascii=False).encode())
        digest.update(hashlib.sha256(plan.original_bytes).digest())
    return digest.hexdigest()


def _without_verdicts(made: dict[str, Any]) -> dict[str, Any]:
    """A notebook's document without what proofs have shown: a plan is the same as long as it does the same."""
    return made | {"edits": [{k: v for k, v in edit.items() if k != "verdict"} for edit in made["edits"]]}


# Parts of a draft


def _view(notebook: Notebook, uses: Uses, options: PlanOptions, known: Known) -> NotebookView:
    units = [SqlUnit(t.cell, t.offset, t.text, t.script, t.embedded) for t in uses.texts.values()]
    whole = options.runtime.split(".")
    return NotebookView(
        notebook=notebook,
        units=tuple(units),
        settings=settings_of(options.pack),
        dbr=(int(whole[0]), int(whole[1]) if len(whole) > 1 else 0),
        original_names=dict(_original_names(uses)),
        view_sources=known.view_sources,
    )


def _original_names(uses: Uses) -> Iterator[tuple[tuple[int, int], str]]:
    """The name at each place that has exactly one."""
    by_place: dict[tuple[int, int], set[str]] = {}
    for use in uses.found.values():
        if use.kind is not Kind.PATH:
            full = use.original
            name = f"{full.catalog}.{full.schema}.{full.name}" if isinstance(full, TableName) else ""
            by_place.setdefault((use.place.cell, use.place.span.start), set()).add(name)
    for place, found in by_place.items():
        if len(found) == 1 and (name := found.pop()):
            yield place, name


def _within(place: Place, hunks: Iterable[CellEdit]) -> bool:
    return any(h.cell == place.cell and h.span.start <= place.span.start < h.span.end for h in hunks)


def _schema_proposals(schemas: Iterable[SchemaUse], options: PlanOptions) -> Iterator[Proposal]:
    """`USE db` follows the schema's tables; only where every name was renamed, since it moves all names left as they were."""
    for use in schemas:
        target = _schema_target(use, options)
        if target is not None and use.place is not None and use.place.cell:
            text = ".".join(target)
            yield Proposal(
                rule="schema",
                edit_class=renames.EditClass.EXACT,
                reason=f"{'.'.join(use.parts or ())} → {text}",
                hunks=(CellEdit(use.place.cell, use.place.span, text),),
            )


def _schema_target(use: SchemaUse, options: PlanOptions) -> tuple[str, str] | None:
    if use.parts is None or use.verb != "USE SCHEMA" or not _is_legacy(use.parts, options):
        return None
    return schema_target(use.parts[-1], options.pack)


def _is_legacy(parts: tuple[str, ...], options: PlanOptions) -> bool:
    return len(parts) == 1 or parts[0].lower() in options.pack.legacy


def _schema_findings(
    schemas: Iterable[SchemaUse], options: PlanOptions, notebook: Notebook, *, moved: bool
) -> Iterator[Finding]:
    """Statements about whole legacy schemas that are not rewritten."""
    known = {schema.lower() for rule in options.pack.mappings for schema in rule.schemas}
    for use in schemas:
        if use.place is None or not use.place.cell or use.parts is None or (moved and _schema_target(use, options)):
            continue
        if use.parts[-1].lower() in known and _is_legacy(use.parts, options):
            yield Finding(
                "schema-statement",
                Severity.WARN,
                f"{use.verb} concerns the legacy schema {'.'.join(use.parts)} as a whole and was left as it is",
                "decide what the statement should do in Unity Catalog",
                use.place.cell,
                position(notebook, use.place.cell, use.place.span).line,
                use.parts[-1],
            )


def _located(findings: Iterable[Finding], notebook: Notebook) -> Iterator[Finding]:
    """Turn the offsets that evaluation notes into lines."""
    for finding in findings:
        if finding.cell is None or finding.line is None:
            yield replace(finding, cell=finding.cell or None)
        else:
            at = Span(finding.line, finding.line)
            yield replace(finding, line=position(notebook, finding.cell, at).line)


def _in_file(proposals: Iterable[Proposal], notebook: Notebook) -> Iterator[Finding]:
    """The findings of rewrites, their lines counted in the file instead of in the cell."""
    cells = {cell.index: cell for cell in notebook.cells}
    for finding in (f for proposal in proposals for f in proposal.findings):
        if finding.cell is None:
            yield finding
        else:
            yield replace(finding, line=_file_line(notebook, cells[finding.cell], finding.line or 1))


def _file_line(notebook: Notebook, cell: Cell, line: int) -> int:
    at = sum(len(text) + 1 for text in cell.source.split("\n")[: line - 1])
    return position(notebook, cell.index, Span(min(at, len(cell.source)), min(at, len(cell.source)))).line


def _empty(notebook: Notebook) -> Iterator[Finding]:
    if not any(cell.code.strip() for cell in notebook.cells):
        yield Finding(
            "notebook-empty",
            Severity.WARN,
            f"{notebook.path} holds no cell",
            "leave it out, or check that it was exported whole",
        )


def _heard(findings: Iterable[Finding], notebook: Notebook) -> tuple[Finding, ...]:
    """The findings that no comment in the text silences, each once."""
    distinct = {(f.code, f.cell, f.line, None if f.code == "path-unmapped" else f.message): f for f in findings}
    ordered = sorted(distinct.values(), key=lambda f: (f.cell or 0, f.line or 0, f.code))
    if "brickyard:" not in notebook.text:
        return tuple(ordered)
    return tuple(f for f in ordered if f.code not in _ignored(f, notebook))


def _ignored(finding: Finding, notebook: Notebook) -> frozenset[str]:
    if finding.cell is None or finding.line is None:
        return frozenset()
    text = notebook.text
    if notebook.format is Format.JUPYTER:
        text = next(c.source for c in notebook.cells if c.index == finding.cell)
    lines = text.splitlines()
    said = _IGNORE.search(lines[finding.line - 1]) if finding.line <= len(lines) else None
    return frozenset(re.split(r"[\s,]+", said[1].strip())) if said else frozenset()


def _readiness(notebook: Notebook, findings: Sequence[Finding]) -> Readiness:
    if notebook.format in _FOREIGN and not any(c.language in _SCRIPTED for c in notebook.cells):
        return Readiness.UNSUPPORTED
    severities = {finding.severity for finding in findings}
    if Severity.HALT in severities:
        return Readiness.BLOCKED
    return Readiness.NEEDS_HANDS if Severity.WARN in severities else Readiness.READY


def _maintenance(made: Draft, edits: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """What was taken out, for the maintenance manifest, where the pack keeps one."""
    policy = made.options.pack.maintenance
    if policy.keep == "drop":
        return
    applied = {(e.rule, e.hunk.cell, e.hunk.span.start) for e in edits if e.applied}
    for proposal in made.rewrites:
        entry = proposal.maintenance
        if entry and any((proposal.rule, h.cell, h.span.start) in applied for h in proposal.hunks):
            yield {**entry} if policy.zorder == "cluster-by" else {**entry, "cluster_by": []}
