"""Replies that are lost: of every call that changes something, all in one run, and still nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.share.faults.conftest import City, differences
from tests.share.faults.playing import play, usual

pytestmark = pytest.mark.timeout(240)

CHANGES = {
    "new": {
        "recipients.create",
        "recipient_federation_policies.create",
        "shares.create",
        "shares.update",
        "shares.update_permissions",
        "schemas.create",
        "statements.execute",
        "workspace.mkdirs",
        "workspace.import",
        "pipelines.create",
        "jobs.create",
    },
    "update": {
        "recipients.create",
        "recipients.update",
        "recipient_federation_policies.create",
        "recipient_federation_policies.delete",
        "shares.update",
        "shares.update_permissions",
        "shares.delete",
        "pipelines.update",
        "pipelines.delete",
        "jobs.update",
        "jobs.delete",
    },
    "delete": {"recipients.delete", "shares.delete", "pipelines.delete", "jobs.delete"},
    "rotate": {"recipients.rotate_token"},
    "rollback": {
        "recipients.delete",
        "recipients.update",
        "recipient_federation_policies.create",
        "recipient_federation_policies.delete",
        "shares.create",
        "shares.update",
        "shares.update_permissions",
        "pipelines.create",
        "jobs.create",
        "jobs.update",
    },
}
SCENES = [
    "new",
    *(pytest.param(scene, marks=pytest.mark.full) for scene in ("update", "delete", "rotate", "rollback")),
]


@contextmanager
def losing(city: City, operations: set[str]) -> Iterator[None]:
    """Lose the first reply of each operation."""
    for operation in sorted(operations):
        city.workspace.drop_reply(operation)
    yield


@pytest.mark.parametrize("scene", SCENES)
def test_a_run_that_loses_a_reply_of_every_kind_of_change_ends_as_one_that_loses_none(city: City, scene: str):
    wanted = usual(city, scene)
    before = len(city.workspace.requests())
    told = differences(play(city, scene, lambda: losing(city, CHANGES[scene])), wanted)
    city.workspace.parts.control.faults.clear()
    requests = city.workspace.requests()[before:]
    assert {one.operation for one in requests if one.status == 0} == CHANGES[scene]
    assert told == {}, json.dumps(told, indent=1)
