"""Recall of references with their exact span on the generated corpus: `python bench/references.py [--each 50]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

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
    print(f"{'shape':<22}{'references':>11}{'exact':>8}{'recall':>9}")
    for shape, count in sorted(total.expected.items()):
        print(f"{shape:<22}{count:>11}{total.found[shape]:>8}{total.found[shape] / count:>9.1%}")
    templated = sum(n for shape, n in total.expected.items() if shape.startswith(("t-", "u-")))
    everything = total.expected.total()
    print(f"{'all':<22}{everything:>11}{total.found.total():>8}{total.recall:>9.2%}")
    print(
        f"templated {templated / everything:.0%}, decoys {total.decoys} ({total.decoys / (total.decoys + everything):.0%})"
    )
    print(f"wrong attributions {len(total.wrong)}, wrong sides {len(total.wrong_side)}")
    print(f"{len(samples)} notebooks in {seconds:.1f} s: {len(samples) / seconds:.0f}/s")
    for line in total.missed[: given.show] + total.wrong[: given.show] + total.wrong_side[: given.show]:
        print("  ", line)
    low = [shape for shape, n in total.expected.items() if total.found[shape] / n < 0.97]
    return int(total.recall < 0.995 or bool(low) or bool(total.wrong))


if __name__ == "__main__":
    sys.exit(main())
