"""Dashboards as files: what the contracts say, written where a bundle or an import takes it from."""

from __future__ import annotations

from pathlib import Path

from brickyard.health.plan import dashboards
from brickyard.health.plan.text import Places
from brickyard.kernel.files import write_whole


def write(places: Places, out: Path) -> tuple[Path, ...]:
    """Write the dashboard and the alerts' queries for a gold catalog under a folder; raise SpecInvalid where none can be."""
    files = {out / name: content.encode() for name, content in dashboards.files(places).items()}
    write_whole(files)
    return tuple(files)
