"""Speed and exactness of `migrate plan --offline` on generated notebooks: `python bench/plan_offline.py [--count 1000]`."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.corpus.notebooks import Case, generate

from brickyard.dbsql.model import Kind
from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.nouns import Edit, NotebookPlan
from brickyard.migrate.model.pack import REWRITES, PathRule, RewriteRule, RulePack, read_pack
from brickyard.migrate.plan import plan_notebooks


@dataclass
class Result:
    """What was measured."""

    notebooks: int = 0
    seconds: float = 0.0
    aborted: int = 0
    applied: int = 0
    changed: int = 0
    needed: int = 0
    left: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Changed lines for each line that needed a change."""
        return self.changed / max(self.needed, 1)

    @property
    def speed(self) -> float:
        """Notebooks a second."""
        return self.notebooks / self.seconds


def measure(cases: Sequence[Case], workers: int) -> Result:
    """Plan all cases, check each plan, and plan the outputs again."""
    options = PlanOptions(_pack())
    sources = [Source(case.sample.path, case.sample.data) for case in cases]
    children = [Source(path, data) for case in cases for path, data in case.sample.others]
    start = time.perf_counter()
    plans = plan_notebooks([*sources, *children], options, workers=workers).notebooks
    result = Result(notebooks=len(plans), seconds=time.perf_counter() - start)
    outputs = [Source(plan.path, plan.refactored_bytes) for plan in plans]
    again = plan_notebooks(outputs, options, workers=workers).notebooks
    for plan, second in zip(plans, again, strict=True):
        _check(plan, second, result)
    for case, plan in zip(cases, plans, strict=False):
        result.changed += _changed_lines(plan)
        result.needed += _needed_lines(case, plan)
    return result


def _pack() -> RulePack:
    """The velocity pack with a Volume for the corpus' files, and with what it only offers applied too."""
    pack = read_pack("velocity")
    asked = {"time-zone": RewriteRule(options={"apply": True})}
    paths = (PathRule(prefix="/mnt/exports", to="/Volumes/edp_prd/files/exports"),)
    return pack.model_copy(update={"paths": paths, "rewrites": {**pack.rewrites, **asked}})


def _check(plan: NotebookPlan, second: NotebookPlan, result: Result) -> None:
    if plan.notebook is None:
        result.aborted += 1
        return
    applied = [edit for edit in plan.edits if edit.applied]
    result.applied += len(applied)
    result.left += sum(finding.code == "name-computed" for finding in plan.findings)
    result.rules.update(edit.rule for edit in applied)
    for fault in (*_outside(plan, applied), *_not_idempotent(second), *_mapping(plan, second)):
        result.faults.append(f"{plan.path}: {fault}")


def _outside(plan: NotebookPlan, applied: Sequence[Edit]) -> Iterator[str]:
    """The bytes outside the edits must be those of the original, in order."""
    before, after = _texts(plan)
    at = 0
    last: dict[int, int] = {}
    for edit in applied:
        text = before[edit.position.cell] if len(before) > 1 else before[0]
        start = _offset(text, edit.position.line, edit.position.column)
        kept = text[last.get(edit.position.cell if len(before) > 1 else 0, 0) : start]
        found = _find(after, edit, kept, at)
        if found < 0:
            yield f"the text before edit {edit.id} changed"
        last[edit.position.cell if len(before) > 1 else 0] = _offset(
            text, edit.position.end_line, edit.position.end_column
        )
    for key, text in before.items():
        rest = text[last.get(key, 0) :]
        if not after[key].endswith(rest):
            yield "the text behind the last edit changed"


def _find(after: dict[int, str], edit: Edit, kept: str, at: int) -> int:
    key = edit.position.cell if len(after) > 1 else 0
    return after[key].find(kept, at)


def _texts(plan: NotebookPlan) -> tuple[dict[int, str], dict[int, str]]:
    """The texts by cell for Jupyter, the whole file under 0 for all other formats."""
    before, after = plan.original_bytes.decode(), plan.refactored_bytes.decode()
    if not plan.path.endswith(".ipynb"):
        return {0: before}, {0: after}
    return _sources(before), _sources(after)


def _sources(text: str) -> dict[int, str]:
    document = json.loads(text)
    found = {number: "".join(cell.pop("source")) for number, cell in enumerate(document["cells"], 1)}
    return {**found, -1: json.dumps(document)}


def _offset(text: str, line: int, column: int) -> int:
    return sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column - 1


def _not_idempotent(second: NotebookPlan) -> Iterator[str]:
    for edit in second.edits:
        if edit.applied:
            yield f"planned again, {edit.rule} would edit {edit.before!r} → {edit.after!r}"


def _mapping(plan: NotebookPlan, second: NotebookPlan) -> Iterator[str]:
    """The names in the output must be the right column of the mapping, without what was taken out or left to hands."""
    gone = [(e.position.line, e.position.end_line) for e in plan.edits if e.applied and _takes_out(e)]
    left = {(f.cell, f.line) for f in plan.findings if f.code == "name-computed"}
    rows = [r for r in plan.references if r.kind is not Kind.PATH]
    kept = [
        r
        for r in rows
        if (r.position.cell, r.position.line) not in left and not any(a <= r.position.line <= b for a, b in gone)
    ]
    wanted = {r.refactored for r in kept}
    possible = {r.refactored for r in rows} | {r.original for r in rows if (r.position.cell, r.position.line) in left}
    found = {r.original for r in second.references if r.kind is not Kind.PATH}
    if not wanted <= found or not found <= possible:
        yield f"names {sorted(map(str, (wanted - found) | (found - possible)))} are on one side only"


def _takes_out(edit: Edit) -> bool:
    return edit.rule.startswith("remove-") or edit.rule == "truncate-insert"


def _changed_lines(plan: NotebookPlan) -> int:
    before, after = plan.original_bytes.decode().splitlines(), plan.refactored_bytes.decode().splitlines()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")


def _needed_lines(case: Case, plan: NotebookPlan) -> int:
    """The lines that needed a change: those that hold a name that moves, or its definition, or what a rewrite changes."""
    places = {(e.cell, e.line, e.column): e for e in case.sample.expected}
    moved = [
        places.get((r.position.cell, r.position.line, r.position.column))
        for r in plan.references
        if r.original != r.refactored
    ]
    left = {(f.cell, f.line) for f in plan.findings if f.code == "name-computed"}
    lines = {(e.cell, n) for e in moved if e and (e.cell, e.line) not in left for n in range(e.line, e.end_line + 1)}
    defined = {(e.position.cell, e.position.line) for e in plan.edits if e.applied and e.rule not in _REWRITES}
    same_group = _definition_lines(plan)
    rewritten = {
        (e.position.cell, n)
        for e in plan.edits
        if e.applied and e.rule in _REWRITES
        for n in range(e.position.line, e.position.end_line + 1)
    }
    elsewhere = {line for line in lines if line not in defined and line not in rewritten}
    return len((lines - elsewhere) | rewritten | same_group)


_REWRITES = frozenset(REWRITES) - {"references"}


def _definition_lines(plan: NotebookPlan) -> set[tuple[int, int]]:
    """The lines of definitions that were changed instead of the places that use them."""
    used = {(r.position.cell, n) for r in plan.references for n in range(r.position.line, r.position.end_line + 1)}
    edited = {(e.position.cell, e.position.line) for e in plan.edits if e.applied and e.rule not in _REWRITES}
    return edited - used


def main() -> int:
    """Print the table; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--show", type=int, default=10)
    given = parser.parse_args()
    result = measure(generate(count=given.count), given.workers)
    print(f"{'notebooks':<40}{result.notebooks:>10}")
    print(f"{'notebooks/s (goal 50)':<40}{result.speed:>10.0f}")
    print(f"{'aborted (goal 0)':<40}{result.aborted:>10}")
    print(f"{'applied edits a notebook (goal 3)':<40}{result.applied / result.notebooks:>10.2f}")
    print(f"{'changed lines a needed line (goal 1.2)':<40}{result.ratio:>10.3f}")
    print(f"{'references left to hands':<40}{result.left:>10}")
    print(f"{'faults (goal 0)':<40}{len(result.faults):>10}")
    print("applied:", ", ".join(f"{rule} {n}" for rule, n in sorted(result.rules.items())))
    for fault in result.faults[: given.show]:
        print("  ", fault)
    bad = result.aborted or result.faults or result.speed < 50 or result.ratio > 1.2
    return int(bool(bad) or result.applied < 3 * result.notebooks)


if __name__ == "__main__":
    sys.exit(main())
