"""The story of health, on a small account: gold by the generated job equals the oracle, and the bill ties out."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickyard.demo import health, wheel
from brickyard.demo.stage import DemoSurprised
from brickyard.health.plan.compile import compile_all
from brickyard.home.folder import Home
from brickyard.kernel.progress import silent


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_job_builds_what_the_oracle_knows(tmp_path: Path):
    with Home.temporary() as home:
        told = health.told_at(0.02)(home, tmp_path / "health.html", silent)
    health.expect(told)
    assert {one.name for one in told.tables} == {table.table for table in compile_all().main}
    assert (tmp_path / "health.html").stat().st_size > 10_000


def test_what_came_out_otherwise_is_named():
    with pytest.raises(DemoSurprised) as surprised:
        health.expect(health.DemoResult(tables=[health.TableResult("a.b", "a", 1, equal_to_oracle=False)]))
    assert [str(problem) for problem in surprised.value.problems] == [
        "a.b: differs from the oracle",
        "reconciliation: does not tie out with the invoice of the oracle's costs",
        "job: did not succeed",
    ]


def test_equal_files_make_equal_wheels(tmp_path: Path):
    one, other = (wheel.build(folder).read_bytes() for folder in (tmp_path, tmp_path))
    assert one == other
