"""kill -9 of the worker at each boundary of a run's steps: another takes over, and the end is the same.

A step has four moments: before anybody knows that it begins, when its call is under way, when the workspace has done it
and nobody knows it, and in the midst of the commit that says so. A run has its own: its begin, its plan, its end, and
the end of the job that brought it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from tests.share.faults.conftest import City, differences
from tests.share.faults.playing import play, usual
from tests.share.faults.scenes import CALLS, Point

from brickyard.share.model.runs import RunStatus

pytestmark = pytest.mark.timeout(240)

ALL = ("begin", "call", "answer", "commit")
MOMENTS = {"new": ALL, "update": ("answer", "commit"), "delete": ALL, "rotate": ALL, "rollback": ("answer", "commit")}
KINDS = {
    "new": (
        "CreateRecipient",
        "AddPolicy",
        "CreateShare",
        "ChangeObjects",
        "Grant",
        "CreateSchema",
        "EnableChangeFeed",
        "ImportLibrary",
        "CreatePipeline",
        "CreateSchedule",
    ),
    "update": (
        "CreateRecipient",
        "ChangeRecipient",
        "AddPolicy",
        "RemovePolicy",
        "ChangeShare",
        "ChangeObjects",
        "Grant",
        "Revoke",
        "ChangePipeline",
        "ChangeSchedule",
        "DeleteSchedule",
        "DeletePipeline",
        "DeleteShare",
    ),
    "delete": ("DeleteSchedule", "DeletePipeline", "DeleteShare", "DeleteRecipient"),
    "rotate": ("RotateToken",),
    "rollback": ("ChangeRecipient", "CreateShare", "ChangeObjects", "CreatePipeline", "DeleteRecipient"),
}
RUN_KINDS = {"new": "apply", "update": "apply", "delete": "apply", "rollback": "rollback", "rotate": "rotation"}


def _points() -> Iterator[tuple[str, Point]]:
    for scene, kinds in KINDS.items():
        yield from ((scene, Point(moment, kind)) for kind in kinds for moment in MOMENTS[scene])
        moments = ("run running", "plan running", "run completed") if scene != "rotate" else ("run completed",)
        yield from ((scene, Point(moment, RUN_KINDS[scene])) for moment in (*moments,))
        yield scene, Point("job succeeded", "share.provision")


FEW = (
    ("new", Point("answer", "CreateRecipient")),
    ("new", Point("commit", "ChangeObjects")),
    ("update", Point("call", "Grant")),
    ("delete", Point("begin", "DeleteShare")),
    ("rotate", Point("answer", "RotateToken")),
    ("rollback", Point("answer", "CreatePipeline")),
)
MANY = [case for case in _points() if case not in FEW]
CASES = [*FEW, *(pytest.param(*case, marks=pytest.mark.full) for case in MANY)]


@contextmanager
def killed(city: City, point: Point) -> Iterator[None]:
    """Kill the worker when it stands at a point of what the block begins."""
    with _stopped(city, point) as somebody_stands_there:
        yield
        somebody_stands_there()
        city.kill_worker()


def _stopped(city: City, point: Point) -> AbstractContextManager[Callable[[], None]]:
    if point.moment in ("call", "answer"):
        return city.door.stop("call" if point.moment == "call" else "answer", CALLS[point.kind])
    words = {"begin": "begin intended", "commit": "commit done", "undone": "commit compensated"}
    words["kept"] = "commit not-compensated"
    return city.gate(f"{words.get(point.moment, point.moment)} {point.kind}")


@pytest.mark.parametrize(("scene", "point"), CASES, ids=str)
def test_a_run_whose_worker_is_killed_ends_as_one_that_was_left_alone(city: City, scene: str, point: Point):
    wanted = usual(city, scene)
    told = differences(play(city, scene, lambda: killed(city, point)), wanted)
    assert told == {}, json.dumps(told, indent=1)


UNDONE = ("CreateShare", "AddPolicy", "CreateRecipient", "Grant", "ChangeObjects")
UNDOING = [
    *(Point("undone", kind) for kind in UNDONE),
    *(
        Point(moment, kind)
        for kind in ("DeleteShare", "DeleteRecipient", "RemovePolicy")
        for moment in ("call", "answer")
    ),
    Point("kept", "CreateSchema"),
    Point("run failed", "apply"),
]


@contextmanager
def refused(city: City) -> Iterator[None]:
    """Have the workspace refuse pipelines."""
    city.workspace.fail_next("pipelines.create", 403, "PERMISSION_DENIED", times=100)
    try:
        yield
    finally:
        city.workspace.parts.control.faults.clear()


@pytest.mark.parametrize(
    "point", [UNDOING[0], *(pytest.param(point, marks=pytest.mark.full) for point in UNDOING[1:])], ids=str
)
def test_a_run_that_is_taken_back_and_whose_worker_is_killed_ends_as_one_that_was_left_alone(city: City, point: Point):
    with refused(city):
        if "refused" not in city.known:
            city.known["refused"] = play(city, "new", ending=RunStatus.FAILED)
        told = differences(play(city, "new", lambda: killed(city, point), RunStatus.FAILED), city.known["refused"])
    assert told == {}, json.dumps(told, indent=1)
