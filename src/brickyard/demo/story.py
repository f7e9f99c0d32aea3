"""The stories of the demonstration, by room: each runs from nothing to a report and says whether it came out right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from brickyard.demo import health, migrating, sharing
from brickyard.demo.rooms import Which
from brickyard.demo.stage import at_home
from brickyard.home.folder import Home
from brickyard.kernel.progress import Report


@dataclass(frozen=True, slots=True)
class Story:
    """How one room's story is told, checked and printed."""

    tell: Callable[[Home, Path, Report], Any]
    expect: Callable[[Any], None]
    as_text: Callable[[Any], str]


STORIES = {
    Which.MIGRATE: Story(migrating.tell, migrating.expect, migrating.as_text),
    Which.SHARE: Story(sharing.tell, sharing.expect, sharing.as_text),
    Which.HEALTH: Story(health.tell, health.expect, health.as_text),
}


@dataclass(frozen=True, slots=True)
class AllRooms:
    """What `brickyard demo all --output json` prints: what each room prints alone, by name."""

    seconds: float
    rooms: dict[str, Any]


def show(which: Which, folder: Path | None, report_file: Path | None, report: Report) -> Any:
    """Tell one story, or all in one home; a report that is not named is `brickyard-demo[-<room>].html`."""
    if which is Which.ALL:
        return at_home(folder, partial(_all, report_file=report_file, report=report))
    file = report_file or _report_of(which)
    return at_home(folder, lambda home: STORIES[which].tell(home, file, report))


def expect(which: Which, result: Any) -> None:
    """Raise DemoSurprised naming everything that came to another end than it must."""
    for story, told in _told(which, result):
        story.expect(told)


def as_text(which: Which, result: Any) -> str:
    """What a person reads at the end."""
    return "\n\n".join(story.as_text(told) for story, told in _told(which, result))


def _told(which: Which, result: Any) -> list[tuple[Story, Any]]:
    if which is Which.ALL:
        return [(STORIES[Which(name)], told) for name, told in result.rooms.items()]
    return [(STORIES[which], result)]


def _all(home: Home, report_file: Path | None, report: Report) -> AllRooms:
    started = time.monotonic()
    rooms = {which.value: story.tell(home, _beside(report_file, which), report) for which, story in STORIES.items()}
    return AllRooms(round(time.monotonic() - started, 2), rooms)


def _report_of(which: Which) -> Path:
    return Path("brickyard-demo.html" if which is Which.MIGRATE else f"brickyard-demo-{which}.html")


def _beside(report_file: Path | None, which: Which) -> Path:
    """Where a room's report goes when several are written: the file that was named is migrate's."""
    if report_file is None or which is Which.MIGRATE:
        return report_file or _report_of(which)
    return report_file.with_stem(f"{report_file.stem}-{which}")
