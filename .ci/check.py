"""Everything that must hold before a change is good; `./yard check` runs it, `--full` adds the long suites."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SUMMARY = re.compile(r"\d+ (passed|failed|error|skipped|deselected).* in [\d.]+s")


@dataclass(frozen=True, slots=True)
class Step:
    """One command and the name it goes by in the table."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended."""

    name: str
    seconds: float
    code: int
    last_line: str


def steps(full: bool, rest: list[str]) -> list[Step]:
    """Return the steps in the order in which they run, the tests last."""
    marks = () if full else ("-m", "not full")
    workers = ("-n", str(min(2, os.cpu_count() or 1)), "--dist", "loadfile")
    return [
        Step("format", ("ruff", "format", "--check", ".")),
        Step("lint", ("ruff", "check", ".")),
        Step("types", ("pyrefly", "check", "--summarize-errors")),
        Step("imports", ("lint-imports", "--no-logo")),
        Step("tests", ("pytest", *workers, *marks, *rest)),
    ]


def run(step: Step) -> Outcome:
    """Run a step, its output passed through, and remember pytest's summary."""
    say(f"\n── {step.name}: {' '.join(step.command)}")
    started, last = time.monotonic(), ""
    command = [str(BIN / step.command[0]), *step.command[1:]]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            say(line.rstrip("\n"))
            last = line.strip() if SUMMARY.search(line) else last
    return Outcome(step.name, time.monotonic() - started, process.returncode, last)


def say(line: str) -> None:
    """Print a line now, so that a log shows where a long step is."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_all(wanted: list[Step]) -> int:
    """Run every step, print a table, and return 1 when one of them failed; the last step's summary comes last."""
    outcomes = [run(step) for step in wanted]
    say(f"\n{'STEP':<10}{'SECONDS':>8}  RESULT")
    for outcome in outcomes:
        say(f"{outcome.name:<10}{outcome.seconds:>8.1f}  {'ok' if outcome.code == 0 else 'FAILED'}")
    say(f"{'all':<10}{sum(outcome.seconds for outcome in outcomes):>8.1f}")
    say("\n" + outcomes[-1].last_line)
    return int(any(outcome.code for outcome in outcomes))


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for: `--full`, and words for pytest."""
    rest = [word for word in arguments if word not in ("--full", "--")]
    return run_all(steps("--full" in arguments, rest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
