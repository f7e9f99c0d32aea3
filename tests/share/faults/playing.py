"""Plays a scene in the city, undisturbed or not, and tells what is there at its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

from tests.share.faults.conftest import City, Stand
from tests.share.faults.scenes import first, last, second

from brickyard.share import flow
from brickyard.share.model.runs import RunStatus

Disturbed = Callable[[], AbstractContextManager[object]]


def usual(city: City, scene: str) -> Stand:
    """What is there at the end of a scene that nobody disturbs; it is played once."""
    if scene not in city.known:
        city.known[scene] = play(city, scene)
    return city.known[scene]


def play(city: City, scene: str, disturbed: Disturbed = nullcontext, ending: RunStatus = RunStatus.COMPLETED) -> Stand:
    """Play a scene, its run begun within what disturbs it, and return what is there at the end."""
    tag, host = city.tag(), city.door.host
    city.work()
    forget_library(city)
    pack_id = "" if scene == "new" else before(city, scene, tag)
    with disturbed():
        run_id = city.upload(first(host, tag)).run_id if scene == "new" else begin(city, scene, tag, pack_id)
    run = city.ended(run_id)
    assert run.status is ending, run.message
    city.check_clean(run_id)
    stand = city.stand(tag)
    if scene == "rotate":  # what rotates must not do so in the next play
        _end_well(city, city.upload(last(host, tag)).run_id)
    return stand


def before(city: City, scene: str, tag: str) -> str:
    """Bring about what a scene begins with, and return the pack's id."""
    host = city.door.host
    made = city.upload(first(host, tag, rotating=scene == "rotate"))
    _end_well(city, made.run_id)
    if scene == "rollback":
        _end_well(city, city.upload(second(host, tag)).run_id)
    return made.pack_id


def begin(city: City, scene: str, tag: str, pack_id: str) -> str:
    """Queue the run of a scene and return its id."""
    host = city.door.host
    if scene == "rotate":
        flow.rotate_due(city.house(ahead=timedelta(days=100)))
        asked = "SELECT id FROM brickyard.share_runs WHERE pack_id = %s AND kind = 'rotation'"
        ((run_id,),) = city.rows(asked, pack_id)
        return run_id
    if scene == "rollback":
        return flow.rollback(city.house(), pack_id, 1).run_id
    return city.upload(second(host, tag) if scene == "update" else last(host, tag)).run_id


def forget_library(city: City) -> None:
    """Take away the notebook that pipelines share, so that a new pack brings it again."""
    workspace = city.workspace.client().workspace
    if any(one.path == "/Shared/brickyard" for one in workspace.list("/Shared")):
        workspace.delete("/Shared/brickyard", recursive=True)


def _end_well(city: City, run_id: str) -> None:
    run = city.ended(run_id)
    assert run.status is RunStatus.COMPLETED, run.message
