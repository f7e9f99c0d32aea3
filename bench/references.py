"""Recall of references with their exact span on two generated corpora: `python bench/references.py [--each 50]`.

The second one, `held-out`, was written from the specification by someone who had not seen the planner or the first corpus.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.corpus import heldout
from bench.corpus.references import Expected, Sample, generate

from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.nouns import ReferenceRow
from brickyard.migrate.model.pack import read_pack
from brickyard.migrate.plan import plan_notebooks


@dataclass
class Score:
    """What was found, shape by shape."""

    expected: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    wrong_side: list[str] = field(default_factory=list)
    decoys: int = 0

    @property
    def recall(self) -> float:
        """The share of all references that was found."""
        return self.found.total() / self.expected.total()

    @property
    def good(self) -> bool:
        """Whether the goals are reached."""
        lowest = min(self.found[shape] / n for shape, n in self.expected.items())
        return self.recall >= 0.995 and lowest >= 0.97 and not self.wrong

    def faults(self, at_most: int) -> list[str]:
        """Some of what is missed or wrong."""
        return self.missed[:at_most] + self.wrong[:at_most] + self.wrong_side[:at_most]


def score(samples: list[Sample]) -> Score:
    """Plan every notebook and compare."""
    options = PlanOptions(read_pack("velocity"))
    total = Score()
    for sample in samples:
        sources = [Source(sample.path, sample.data), *(Source(p, d) for p, d in sample.others)]
        plan = plan_notebooks(sources, options).notebooks[0]
        total.decoys += sample.decoys
        _compare(sample, plan.references, total)
    return total


Place = tuple[int, int, int, int, int]


def _place(row: ReferenceRow) -> Place:
    at = row.position
    return at.cell, at.line, at.column, at.end_line, at.end_column


def _compare(sample: Sample, rows: tuple[ReferenceRow, ...], total: Score) -> None:
    by_place: dict[Place, list[ReferenceRow]] = {}
    for row in rows:
        by_place.setdefault(_place(row), []).append(row)
    for wanted in sample.expected:
        place = (wanted.cell, wanted.line, wanted.column, wanted.end_line, wanted.end_column)
        found = by_place.pop(place, [])
        total.expected[wanted.shape] += 1
        _judge(sample, wanted, found, total)
    for left in by_place.values():
        total.wrong += [f"{sample.path}: {r.text!r} at {_place(r)} is {r.original}" for r in left]


def _judge(sample: Sample, wanted: Expected, found: list[ReferenceRow], total: Score) -> None:
    names = {row.original for row in found}
    right = set(wanted.names) if wanted.names is not None else {None}
    if names == right and all(row.text == wanted.text for row in found):
        total.found[wanted.shape] += 1
    else:
        total.missed.append(f"{sample.path}: {wanted.shape} {wanted.text!r} at {wanted.line}: {names or 'nothing'}")
    total.wrong += [f"{sample.path}: {wanted.shape} {wanted.text!r} is {name}" for name in names - right if name]
    if wanted.side and any(row.side.value != wanted.side for row in found):
        total.wrong_side.append(f"{sample.path}: {wanted.shape} {wanted.text!r}: {[r.side.value for r in found]}")


def score_held_out(notebooks: list[heldout.Notebook]) -> Score:
    """Plan the held-out notebooks together and compare: one expected row for each name that a reference can take."""
    sources = [Source(notebook.path, notebook.data) for notebook in notebooks]
    plans = {plan.path: plan for plan in plan_notebooks(sources, PlanOptions(read_pack("velocity"))).notebooks}
    total = Score()
    for notebook in notebooks:
        total.decoys += sum(len(decoy.spans) for decoy in notebook.decoys)
        rows = [row for row in plans[notebook.path].references if row.kind.value not in ("path", "schema", "catalog")]
        by_place: dict[Place, list[ReferenceRow]] = {}
        for row in rows:
            at = row.position
            cell = at.cell if notebook.path.endswith(".ipynb") else 0
            by_place.setdefault((cell, at.line, at.column, at.end_line, at.end_column), []).append(row)
        _compare_held_out(notebook, by_place, total)
    return total


def _compare_held_out(notebook: heldout.Notebook, by_place: dict[Place, list[ReferenceRow]], total: Score) -> None:
    allowed: dict[Place, set[str | None]] = {}
    for wanted in notebook.expected:
        places = [(s.cell, s.line, s.column, s.end_line, s.end_column) for s in wanted.spans]
        found = [row for place in places for row in by_place.get(place, ())]
        names = {row.original.lower() if row.original else None for row in found}
        missing = set() if wanted.loose and None in names else wanted.originals - names
        total.expected[wanted.shape] += len(wanted.originals)
        total.found[wanted.shape] += len(wanted.originals) - len(missing)
        total.missed += [f"{notebook.path}: {wanted.shape} {wanted.spans[0].text!r} as {name}" for name in missing]
        right = [r for r in found if (r.original and r.original.lower()) in wanted.originals]
        if any(r.side.value not in wanted.sides for r in right):
            total.wrong_side.append(f"{notebook.path}: {wanted.shape} {[r.side.value for r in right]}")
        for place in places:
            allowed.setdefault(place, {None}).update(wanted.originals)
    for place, rows in by_place.items():
        for row in rows:
            if place not in allowed or (row.original and row.original.lower()) not in allowed[place]:
                total.wrong.append(f"{notebook.path}: {row.text!r} at {place} is {row.original}")


def main() -> int:
    """Print the table; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", type=int, default=10)
    given = parser.parse_args()
    samples = generate(given.seed, given.each)
    start = time.perf_counter()
    total = score(samples)
    seconds = time.perf_counter() - start
    _table(total)
    templated = sum(n for shape, n in total.expected.items() if shape.startswith(("t-", "u-")))
    print(f"templated {templated / total.expected.total():.0%}")
    print(f"{len(samples)} notebooks in {seconds:.1f} s: {len(samples) / seconds:.0f}/s")
    held_out = score_held_out(list(heldout.generate(given.each)))
    _table(held_out, "held-out: ")
    for line in (line for one in (total, held_out) for line in one.faults(given.show)):
        print("  ", line)
    return int(not (total.good and held_out.good))


def _table(total: Score, before: str = "") -> None:
    print(f"{'shape':<38}{'references':>11}{'exact':>8}{'recall':>9}")
    for shape, count in sorted(total.expected.items()):
        print(f"{before + shape:<38}{count:>11}{total.found[shape]:>8}{total.found[shape] / count:>9.1%}")
    everything = total.expected.total()
    print(f"{before + 'all':<38}{everything:>11}{total.found.total():>8}{total.recall:>9.2%}")
    print(f"{before}decoys {total.decoys} ({total.decoys / (total.decoys + everything):.0%})")
    print(f"{before}wrong attributions {len(total.wrong)}, wrong sides {len(total.wrong_side)}")


if __name__ == "__main__":
    sys.exit(main())
