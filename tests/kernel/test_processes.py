"""Processes that outlive the one that started them."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from brickyard.kernel import processes

SLEEPER = [sys.executable, "-c", "import sys, time; print('here', flush=True); time.sleep(60)"]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[psutil.Process]:
    process = processes.spawn(SLEEPER, log=tmp_path / "log", cwd=tmp_path)
    while "here" not in processes.last_lines(tmp_path / "log"):
        time.sleep(0.01)
    yield process
    processes.end(process, signal.SIGKILL, 5)


def test_a_mark_finds_its_process_until_it_ends(sleeper: psutil.Process):
    mark = processes.mark(sleeper, SLEEPER)
    assert processes.find(mark) == sleeper
    assert processes.end(sleeper, signal.SIGKILL, 5)
    assert processes.find(mark) is None


def test_a_later_process_of_the_same_number_is_another(sleeper: psutil.Process):
    mark = processes.mark(sleeper, SLEEPER)
    assert processes.find(replace(mark, started=mark.started - 3600)) is None
    assert processes.find(replace(mark, command=["other"])) is None


def test_a_clock_that_was_set_does_not_hide_a_process(sleeper: psutil.Process):
    mark = processes.mark(sleeper, SLEEPER)
    assert processes.find(replace(mark, started=mark.started + 5)) == sleeper


def test_the_log_keeps_what_was_said_before(tmp_path: Path):
    log = tmp_path / "log"
    for word in ("one", "two"):
        processes.spawn([sys.executable, "-c", f"print('{word}')"], log=log, cwd=tmp_path).wait(10)
    assert processes.last_lines(log) == "one\ntwo"
    assert processes.last_lines(log, 1) == "two"
