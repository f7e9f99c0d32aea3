"""kill -9 of the worker at each boundary of a run's steps: another takes over, and the end is the same.

A step has four moments: before anybody knows that it begins, when its call is under way, when the workspace has done it
and nobody knows it, and in the midst of the commit that says so. A run has its own: its begin, its plan, its end, and
the end of the job that brought it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.share.faults.conftest import City, Stand, differences
from tests.share.faults.scenes import CALLS, Point, first, last, second

from brickyard.share import flow
from brickyard.share.model.runs import RunStatus

pytestmark = pytest.mark.timeout(240)

MOMENTS = ("begin", "call", "answer", "commit")
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
        yield from ((scene, Point(moment, kind)) for kind in kinds for moment in MOMENTS)
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
def _nothing(_city: City, _point: Point) -> Iterator[None]:
    yield


@contextmanager
def _killed(city: City, point: Point) -> Iterator[None]:
    """Kill the worker when it stands at a point of what the block begins."""
    if point.moment in ("call", "answer"):
        stop = city.door.stop("call" if point.moment == "call" else "answer", CALLS[point.kind])
    else:
        words = {"begin": "begin intended", "commit": "commit done"}.get(point.moment, point.moment)
        stop = city.gate(f"{words} {point.kind}")
    with stop as somebody_stands_there:
        yield
        somebody_stands_there()
        city.kill_worker()


def play(city: City, scene: str, point: Point | None) -> Stand:
    """Play a scene, kill at the point where one is given, and return what is there at the end."""
    tag, host = city.tag(), city.door.host
    disturbed = _killed if point else _nothing
    where = point or Point("", "")
    city.work()
    forget_library(city)
    if scene == "new":
        with disturbed(city, where):
            run_id = city.upload(first(host, tag)).run_id
    else:
        made = city.upload(first(host, tag, rotating=scene == "rotate"))
        assert city.ended(made.run_id).status is RunStatus.COMPLETED
        if scene == "rollback":
            assert city.ended(city.upload(second(host, tag)).run_id).status is RunStatus.COMPLETED
        with disturbed(city, where):
            run_id = begin(city, scene, tag, made.pack_id)
    run = city.ended(run_id)
    assert run.status is RunStatus.COMPLETED, run.message
    city.check_clean(run_id)
    stand = city.stand(tag)
    if scene == "rotate":  # what rotates must not do so in the next play
        assert city.ended(city.upload(last(host, tag)).run_id).status is RunStatus.COMPLETED
    return stand


def begin(city: City, scene: str, tag: str, pack_id: str) -> str:
    """Queue the run of a scene and return its id."""
    host = city.door.host
    if scene == "rotate":
        later = city.house(ahead=timedelta(days=100))
        flow.rotate_due(later)
        ((run_id,),) = city.rows(
            "SELECT id FROM brickyard.share_runs WHERE pack_id = %s AND kind = 'rotation'", pack_id
        )
        return run_id
    if scene == "rollback":
        return flow.rollback(city.house(), pack_id, 1).run_id
    return city.upload(second(host, tag) if scene == "update" else last(host, tag)).run_id


def forget_library(city: City) -> None:
    """Take away the notebook that pipelines share, so that a new pack brings it again."""
    workspace = city.workspace.client().workspace
    if any(one.path == "/Shared/brickyard" for one in workspace.list("/Shared")):
        workspace.delete("/Shared/brickyard", recursive=True)


@pytest.mark.parametrize(("scene", "point"), CASES, ids=str)
def test_a_run_whose_worker_is_killed_ends_as_one_that_was_left_alone(city: City, scene: str, point: Point):
    if scene not in city.known:
        city.known[scene] = play(city, scene, None)
    told = differences(play(city, scene, point), city.known[scene])
    assert told == {}, json.dumps(told, indent=1)
