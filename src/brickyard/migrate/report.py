"""The record of runs on one page: as text for a terminal, and as a single HTML file that needs no network and no script.

Takes the documents that `flow.record` returns. What was not proved comes first, in both.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from brickyard.kernel.assets import read_text
from brickyard.kernel.terminal import plain, plural
from brickyard.migrate.model.nouns import NotebookPlan
from brickyard.migrate.plan import document as documents
from brickyard.migrate.plan.isolate import replaced
from brickyard.migrate.store import Batch, Event, Run, StoredStep
from brickyard.notebooks.edit import position
from brickyard.notebooks.model import Cell, Span

Document = Mapping[str, Any]

FORMAT = 1
_FIELDS = ("id", "path", "status", "outcome", "code", "message", "attempt", "created_at", "started_at", "finished_at")

OUTCOMES = ("differs", "failed", "halted", "unproved", "reconciled")  # the worst first
_CONTEXT = 3  # equal lines shown around a change
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def document(run: Run, batch: Batch, timeline: Iterable[Event], journal: Iterable[StoredStep]) -> dict[str, Any]:
    """The whole record of a run as one JSON document, format 1."""
    result = run.result or {}
    checked = run.preflight or {"rows": [], "findings": []}
    compared = result.get("reconciliation", [])
    counts = [max(t["rows"]) for t in compared if t["rows"]]
    return {
        "format": FORMAT,
        **plain({name: getattr(run, name) for name in _FIELDS}),
        "batch": run.batch_id,
        "workspace": batch.workspace,
        "run_page_url": result.get("run_page_url"),
        "not_proved": result.get("not_proved", []),
        "findings": [*checked["findings"], *result.get("findings", [])],
        "rows_compared": sum(counts) if counts else None,
        "plan": run.plan,
        "preflight": checked,
        "tasks": result.get("tasks", []),
        "reconciliation": compared,
        "steps": [_step(line) for line in journal],
        "timeline": plain(list(timeline)),
    }


def _step(line: StoredStep) -> dict[str, Any]:
    return {
        "key": line.key,
        "title": line.key.replace(":", " "),
        "intended_at": line.intended_at.isoformat(),
        "done_at": line.done_at.isoformat() if line.done_at else None,
        "adopted": line.adopted,
    }


def summary(run: Run) -> dict[str, Any]:
    """A run as one line of a list."""
    return {**plain({name: getattr(run, name) for name in _FIELDS}), "batch": run.batch_id}


def plan_document(plan: NotebookPlan, reasons: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A notebook's plan in the format of `plan --output json`, with its cells before and after.

    *reasons* say of groups of edits what their proof has shown.
    """
    made = documents.document(plan)
    made["edits"] = [{**edit, "proof": (reasons or {}).get(edit["group"])} for edit in made["edits"]]
    return {**made, "cells": [_cell(plan, cell) for cell in (plan.notebook.cells if plan.notebook else ())]}


def _cell(plan: NotebookPlan, cell: Cell) -> dict[str, Any]:
    assert plan.notebook is not None
    edits = [(e.hunk.span, e.hunk.replacement) for e in plan.edits if e.applied and e.hunk.cell == cell.index]
    return {
        "index": cell.index,
        "language": cell.language.value,
        "line": position(plan.notebook, cell.index, Span(0, 0)).line if cell.segments else 1,
        "before": cell.source,
        "after": replaced(cell.source, edits),
    }


# ── the side-by-side diff ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line; `changed` where the other side reads otherwise."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the diff: the line before and after, None where a side has none."""

    kind: str  # equal | change
    number: int | None
    before: tuple[Piece, ...] | None
    new_number: int | None
    after: tuple[Piece, ...] | None
    edits: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Equal lines that are not shown."""

    lines: int


@dataclass(frozen=True, slots=True)
class CellDiff:
    """One changed cell, with the edits that explain it."""

    cell: int
    language: str
    rows: tuple[Line | Fold, ...]
    edits: tuple[Document, ...]


def diff(plan: Document | None) -> tuple[CellDiff, ...]:
    """Set the changed cells of a planned notebook side by side, each edit beside its lines."""
    if plan is None:
        return ()
    return tuple(_cell_diff(cell, _edits_of(plan, cell)) for cell in plan.get("cells", ()) if _changed(plan, cell))


def _changed(plan: Document, cell: Document) -> bool:
    return cell["before"] != cell["after"] or bool(_edits_of(plan, cell))


def _edits_of(plan: Document, cell: Document) -> tuple[Document, ...]:
    return tuple(e for e in plan.get("edits", ()) if e["cell"] == cell["index"])


def _cell_diff(cell: Document, edits: tuple[Document, ...]) -> CellDiff:
    before, after = cell["before"].split("\n"), cell["after"].split("\n")
    rows = [*_rows(before, after, cell["line"], edits)]
    return CellDiff(cell["index"], cell["language"], tuple(_folded(rows)), edits)


def _rows(before: list[str], after: list[str], start: int, edits: Sequence[Document]) -> Iterator[Line]:
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                line = (Piece(before[i], False),)
                yield Line("equal", start + i, line, start + j, line, _at(edits, start + i))
        else:
            for i, j in zip_longest(range(i1, i2), range(j1, j2)):
                yield _changed_line(before, after, i, j, start, edits)


def _changed_line(
    before: list[str], after: list[str], i: int | None, j: int | None, start: int, edits: Sequence[Document]
) -> Line:
    ours, theirs = (before[i] if i is not None else None), (after[j] if j is not None else None)
    left, right = _pieces(ours, theirs)
    number = start + i if i is not None else None
    found = _at(edits, number) if number is not None else ()
    return Line("change", number, left, start + j if j is not None else None, right, found)


def _at(edits: Iterable[Document], number: int) -> tuple[Document, ...]:
    return tuple(e for e in edits if e["line"] == number)


def _pieces(ours: str | None, theirs: str | None) -> tuple[tuple[Piece, ...] | None, tuple[Piece, ...] | None]:
    """Mark the words that differ; a line without a partner differs as a whole."""
    if ours is None or theirs is None:
        left = None if ours is None else (Piece(ours, True),)
        return left, None if theirs is None else (Piece(theirs, True),)
    a, b = _WORDS.findall(ours), _WORDS.findall(theirs)
    codes = SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes()
    left = tuple(Piece("".join(a[i1:i2]), tag != "equal") for tag, i1, i2, _, _ in codes if i2 > i1)
    return left, tuple(Piece("".join(b[j1:j2]), tag != "equal") for tag, _, _, j1, j2 in codes if j2 > j1)


def _folded(rows: Sequence[Line]) -> Iterator[Line | Fold]:
    """Leave out equal lines far from any change or edit."""
    kept = {k for i, row in enumerate(rows) if row.kind == "change" or row.edits for k in _around(i)}
    hidden = 0
    for i, row in enumerate(rows):
        if i in kept:
            if hidden:
                yield Fold(hidden)
            hidden = 0
            yield row
        else:
            hidden += 1
    if hidden:
        yield Fold(hidden)


def _around(i: int) -> range:
    return range(i - _CONTEXT, i + _CONTEXT + 1)


# ── figures of the page ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Bar:
    """One step on the time line, in thousandths of the run's length."""

    label: str
    start: int
    width: int
    seconds: float
    adopted: bool


def bars(steps: Sequence[Document]) -> tuple[Bar, ...]:
    """Lay out the steps that were done on a common time line."""
    times = [(s, _time(s["intended_at"]), _time(s["done_at"])) for s in steps if s.get("done_at")]
    if not times:
        return ()
    begin, end = min(t[1] for t in times), max(t[2] for t in times)
    whole = max((end - begin).total_seconds(), 0.001)
    return tuple(_bar(s, (a - begin).total_seconds(), (b - a).total_seconds(), whole) for s, a, b in times)


def _bar(step: Document, start: float, seconds: float, whole: float) -> Bar:
    width = max(round(1000 * seconds / whole), 4)
    return Bar(step["title"], min(round(1000 * start / whole), 1000 - width), width, seconds, step["adopted"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def tally(documents: Sequence[Document]) -> tuple[tuple[str, int], ...]:
    """Count notebooks by outcome, the worst first; those without one by their status."""
    words = [d["outcome"] or d["status"] for d in documents]
    order = [*OUTCOMES, *sorted({w for w in words if w not in OUTCOMES})]
    return tuple((word, words.count(word)) for word in order if word in words)


def seconds(document: Document) -> float | None:
    """How long a run took, from its start to its end."""
    if not document.get("started_at") or not document.get("finished_at"):
        return None
    return (_time(document["finished_at"]) - _time(document["started_at"])).total_seconds()


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def html(title: str, documents: Sequence[Document], made_at: datetime) -> str:
    """Render the runs as one self-contained page; everything that came from outside is escaped."""
    from jinja2 import Environment, StrictUndefined  # only who renders a page needs the package

    style = read_text("migrate", "report.css")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"when": _when, "thousands": _thousands, "lasted": lasted, "plural": plural}
    page = environment.from_string(read_text("migrate", "report.html.j2"))
    return page.render(
        title=title,
        runs=[_view(document, index) for index, document in enumerate(documents, 1)],
        tally=tally(documents),
        made_at=made_at.isoformat(),
        style=style,
        style_hash=style_hash(),
    )


def diff_html(title: str, documents: Sequence[Document], made_at: datetime) -> str:
    """Render the changes alone as a page."""
    rest: dict[str, Any] = dict.fromkeys(("tasks", "reconciliation", "steps", "timeline", "findings"), ())
    rest["preflight"] = {"rows": (), "findings": ()}
    plans = [{**d["plan"], "references": (), "maintenance": ()} if d["plan"] else None for d in documents]
    return html(title, [{**d, **rest, "plan": plan} for d, plan in zip(documents, plans, strict=True)], made_at)


def style_hash() -> str:
    """The hash by which a content security policy allows the page's own style sheet."""
    digest = hashlib.sha256(read_text("migrate", "report.css").encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def policy() -> str:
    """The content security policy of the page: its own style sheet and nothing else."""
    return f"default-src 'none'; style-src '{style_hash()}'; base-uri 'none'; form-action 'none'"


def _view(document: Document, index: int) -> dict[str, Any]:
    plan = document.get("plan") or {}
    return {
        **document,
        "anchor": f"run-{index}",
        "seconds": seconds(document),
        "cells": diff(document.get("plan")),
        "edits": plan.get("edits", ()),
        "references": plan.get("references", ()),
        "plan_findings": plan.get("findings", ()),
        "maintenance": plan.get("maintenance", ()),
        "bars": bars(document.get("steps", ())),
    }


def _when(text: str | None) -> str:
    return _time(text).strftime("%Y-%m-%d %H:%M:%S") if text else "–"


def _thousands(number: int | None) -> str:
    return "–" if number is None else f"{number:,}".replace(",", "\u202f")


def lasted(duration: float | None) -> str:
    """Write a duration in seconds for a person."""
    if duration is None:
        return "–"
    minutes, rest = divmod(duration, 60)
    return f"{int(minutes)} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


# ── the terminal ─────────────────────────────────────────────────────────────────────────────────────────────────────


def text(documents: Sequence[Document]) -> str:
    """Render the runs for a terminal."""
    lines = [*_unproved_lines(documents)]
    for document in documents:
        lines += ["", *_run_lines(document)]
    counts = ", ".join(f"{count} {word}" for word, count in tally(documents))
    return "\n".join([*lines, "", counts]).lstrip("\n")


def _unproved_lines(documents: Sequence[Document]) -> Iterator[str]:
    found = [(d["path"], statement) for d in documents for statement in d["not_proved"]]
    if found:
        yield "Not proved:"
    for path, statement in found:
        yield f"  {path}: {statement}"


def _run_lines(document: Document) -> Iterator[str]:
    word = document["outcome"] or document["status"]
    yield f"{document['path']}  {word}" + (f" ({document['code']})" if document["code"] else "")
    yield f"  run {document['id']}, attempt {document['attempt']}, {lasted(seconds(document))}"
    if document["message"]:
        yield f"  {document['message']}"
    for finding in document["findings"]:
        if finding["severity"] != "info":
            yield f"  {finding['severity']:<5} {finding['code']}: {finding['message']}"
    for table in document["reconciliation"]:
        yield from _table_lines(table)


def _table_lines(table: Document) -> Iterator[str]:
    yield f"  {table['outcome']:<10} {table['original']} → {table['refactored']}" + (
        f": {table['reason']}" if table["reason"] else ""
    )
    for check in table["checks"]:
        yield f"    {'=' if check['equal'] else '≠'} {check['kind']}: {check['detail']}"
    for cell in table["cells"][:5]:
        key = ", ".join(f"{name}={value}" for name, value in cell["key"])
        yield f"      {key}: {cell['column']} {_shown(cell['original'])} → {_shown(cell['refactored'])}"
    for row in table["only"][:5]:
        values = ", ".join(f"{name}={_shown(value)}" for name, value in row["values"])
        yield f"      {row['original']} × original, {row['refactored']} × refactored: {values}"


def _shown(value: str | None) -> str:
    return "NULL" if value is None else repr(value)
