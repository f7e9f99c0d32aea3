"""Importing pyspark's Connect client from anywhere.

pyspark takes a process whose `__main__` has neither a file nor a spec (`python -c`, a worker of a test runner) for its own
doctests, and ends it with `sys.exit` where no whole Spark is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def outside_doctests() -> Iterator[None]:
    """Lend `__main__` a file name while pyspark is imported, where it has none."""
    main = sys.modules["__main__"]
    lend = getattr(main, "__spec__", None) is None and not hasattr(main, "__file__")
    if lend:
        main.__file__ = sys.executable
    try:
        yield
    finally:
        if lend:
            del main.__file__
