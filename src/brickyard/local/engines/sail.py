"""Sail as the engine: Spark Connect in Rust, from a wheel, ready in seconds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from brickyard.local.engines.connect import Child, ConnectEngine, start
from brickyard.local.engines.model import EngineDied

_FOR_EVER = str(365 * 24 * 3600)  # seconds; Sail ends a session after a pause of 15 minutes and never opens it again


class SailEngine(ConnectEngine):
    """Sail in a child process of this Python."""

    name = "sail"
    whole_spark = False

    def _launch(self, log: Path) -> Child:
        quiet = {"RUST_LOG": os.environ.get("RUST_LOG", "error")}
        environment = {**os.environ, **quiet, "SAIL_SPARK__SESSION_TIMEOUT_SECS": _FOR_EVER}
        child = start([sys.executable, "-m", "brickyard.local.engines.child"], log, environment)
        if child is None:
            raise EngineDied("NoEngine", f"the SQL engine did not start; see {log}")
        return child
