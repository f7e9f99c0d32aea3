"""How long `brickyard --help` takes, beside a Python that does nothing: `.venv/bin/python bench/cli_help.py`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 10
BAR_MILLISECONDS = 300
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "brickyard --help": ["-m", "brickyard", "--help"],
    "brickyard migrate --help": ["-m", "brickyard", "migrate", "--help"],
}


def milliseconds(arguments: list[str]) -> float:
    """Run Python once and return how long it took."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - started)


def main() -> int:
    """Print the medians and return 1 when `brickyard --help` misses its bar."""
    medians = {}
    print(f"{'command':<26}{'median ms':>10}{'min':>8}{'max':>8}   ({RUNS} runs)")
    for name, arguments in COMMANDS.items():
        times = [milliseconds(arguments) for _ in range(RUNS)]
        medians[name] = statistics.median(times)
        print(f"{name:<26}{medians[name]:>10.0f}{min(times):>8.0f}{max(times):>8.0f}")
    print(f"bar: brickyard --help within {BAR_MILLISECONDS} ms")
    return int(medians["brickyard --help"] > BAR_MILLISECONDS)


if __name__ == "__main__":
    sys.exit(main())
