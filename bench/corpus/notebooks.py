"""Notebooks in which every rewrite has something to do; each piece knows which of its lines must change."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.corpus import references
from bench.corpus.references import FORMATS, SHAPES, Sample, Shape

_EDITABLE = tuple(shape for shape in SHAPES if not shape.id.startswith("u-"))


def _rewrite(identity: str, text: str, *names: str, lines: int) -> tuple[Shape, int]:
    return references._shape(identity, text, *names), lines


REWRITES: tuple[tuple[Shape, int], ...] = (
    _rewrite(
        "r-row-number",
        "=== sql\nCREATE OR REPLACE TEMP VIEW last_§n AS\nSELECT * FROM (\n  SELECT id, x, ROW_NUMBER() OVER "
        "(PARTITION BY id ORDER BY at DESC) AS rn FROM ⟦§S.§T⟧\n) WHERE rn = 1",
        "§S.§T",
        lines=3,
    ),
    _rewrite(
        "r-truncate-insert",
        "=== sql\nTRUNCATE TABLE ⟦§S.§T⟧;\nINSERT INTO ⟦§S.§T⟧ SELECT id FROM ⟦§S.§U⟧;",
        "§S.§T",
        "§S.§T",
        "§S.§U",
        lines=2,
    ),
    _rewrite(
        "r-ordinals",
        "=== sql\nCREATE OR REPLACE TEMP VIEW sums_§n AS\nSELECT upper(name) AS name, count(*) AS n\nFROM ⟦§S.§T⟧\nGROUP BY 1",
        "§S.§T",
        lines=2,
    ),
    _rewrite("r-optimize", "=== sql\nOPTIMIZE ⟦§S.§T⟧ ZORDER BY (id)", "§S.§T", lines=1),
    _rewrite("r-analyze", "=== sql\nANALYZE TABLE ⟦§S.§T⟧ COMPUTE STATISTICS", "§S.§T", lines=1),
    _rewrite("r-vacuum", "=== sql\nVACUUM ⟦§S.§T⟧", "§S.§T", lines=1),
    _rewrite("r-assert", "=== sql\nSELECT assert_true(count(*) > 0) FROM ⟦§S.§T⟧", "§S.§T", lines=1),
    _rewrite("r-zone", "=== sql\nSET TIME ZONE 'Australia/Sydney'", lines=0),
    _rewrite(
        "r-days",
        "=== sql\nINSERT INTO ⟦§S.§T⟧ SELECT * FROM ⟦§S.§U⟧ WHERE d >= current_date() - INTERVAL 3 DAYS",
        "§S.§T",
        "§S.§U",
        lines=1,
    ),
    _rewrite("r-files", "=== python\ndf_§n.write.mode('overwrite').parquet('/mnt/exports/§T')", lines=0),
    _rewrite("r-display", "=== sql\nSELECT * FROM ⟦§S.§T⟧ LIMIT 10", "§S.§T", lines=1),
    _rewrite(
        "r-partition", "=== sql\nCREATE TABLE ⟦§S.§T⟧ (id INT, d DATE) USING DELTA PARTITIONED BY (d)", "§S.§T", lines=1
    ),
    _rewrite(
        "r-marker",
        "=== python\ndbutils.widgets.text('day§n', '2024-01-01')\n=== sql\nDELETE FROM ⟦§S.§T⟧ WHERE d = '${day§n}'",
        "§S.§T",
        lines=1,
    ),
    _rewrite("r-dead", "=== sql\n-- SELECT * FROM §S.§T WHERE id = 1\nINSERT INTO ⟦§S.§U⟧ SELECT 1", "§S.§U", lines=2),
)


@dataclass(frozen=True)
class Case:
    """A notebook of the corpus with the number of lines that have to change in it."""

    sample: Sample
    needed: int


def generate(seed: int = 11, count: int = 1000) -> list[Case]:
    """Make *count* notebooks of five to nine pieces, at least one of them for a rewrite."""
    chosen = random.Random(seed)
    return [_case(number, chosen) for number in range(count)]


def _case(number: int, chosen: random.Random) -> Case:
    rewrite, lines = REWRITES[number % len(REWRITES)]
    rest = chosen.sample(_EDITABLE, chosen.randint(3, 6))
    shapes = [*rest[:2], rewrite, *rest[2:]]
    cells: list[references._Cell] = []
    others: list[tuple[str, bytes]] = []
    for shape in shapes:
        made, child = references._instance(shape, chosen)
        cells += made
        others += child
        if chosen.random() < 0.3:
            text, _ = chosen.choice(references.DECOYS)
            cells += references._cells(references._filled(text, chosen)[0], "decoy", iter(()))
    cells.append(references._Cell("python", f"print('done {number}')", []))
    (kind, text), expected = references._written(cells, chosen.choice(FORMATS))
    suffix = ".ipynb" if kind == "ipynb" else ".sql" if kind == "source-sql" else ".py"
    sample = Sample(f"nb{number:04}{suffix}", text.encode(), tuple(expected), 0, tuple(others))
    return Case(sample, _needed(sample, rewrite, lines))


def _needed(sample: Sample, rewrite: Shape, lines: int) -> int:
    """The lines that hold a name that moves, and those that the rewrite changes."""
    named = {(e.cell, line) for e in sample.expected if e.shape != rewrite.id for line in range(e.line, e.end_line + 1)}
    return len(named) + lines


def shapes_of(cases: Sequence[Case]) -> Iterator[str]:
    """The shapes that occur, each once."""
    yield from sorted({re.sub(r"\d+$", "", e.shape) for case in cases for e in case.sample.expected})
