"""Calls that are not made: a pack that is applied again writes nothing, and a thousand objects are few calls."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from tests.share.faults.conftest import City
from tests.share.faults.scenes import first
from tests.share.faults.test_refused import bring, quiet

from brickyard.share.model.pack import SharePack
from brickyard.share.model.runs import RunStatus
from brickyard.workspace import run_sql

__all__ = ["quiet"]
pytestmark = pytest.mark.timeout(200)

READS = ("GET", "HEAD")


def shuffled(value: object) -> object:
    """The same document with every list in another order."""
    if isinstance(value, dict):
        return {key: shuffled(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return random.Random(4).sample([shuffled(one) for one in value], len(value))
    return value


def test_a_pack_that_is_applied_again_in_another_order_writes_nothing(quiet: City):
    tag = quiet.tag()
    pack = first(quiet.door.host, tag)
    assert bring(quiet, quiet.upload(pack).run_id).status is RunStatus.COMPLETED
    seen = len(quiet.workspace.requests())
    again = SharePack.model_validate(shuffled(pack.model_dump(mode="json")))
    run = bring(quiet, quiet.upload(again).run_id)
    wrote = [one.operation for one in quiet.workspace.requests()[seen:] if one.method not in READS]
    assert (run.status, run.version, run.steps, wrote) == (RunStatus.COMPLETED, 1, (), [])


@pytest.mark.full
def test_a_thousand_tables_are_few_calls(quiet: City):
    tag = quiet.tag()
    client = quiet.workspace.client()
    run_sql(client, f"CREATE SCHEMA m.many_{tag}")
    for number in range(1000):
        run_sql(client, f"CREATE TABLE m.many_{tag}.t{number} (id BIGINT)")
    names = [{"name": f"m.many_{tag}.t{number}"} for number in range(1000)]
    pack = first(quiet.door.host, tag).model_dump(mode="json")
    pack["share"] = [{"name": f"sales_{tag}", "share_assets": names, "recipients": [f"acme_{tag}"]}]
    seen = len(quiet.workspace.requests())
    run = bring(quiet, quiet.upload(SharePack.model_validate(pack)).run_id)
    assert run.status is RunStatus.COMPLETED, run.message
    made = Counter(one.operation for one in quiet.workspace.requests()[seen:])
    assert made["shares.update"] <= 11
    reads = made["tables.get"] + made["tables.list"]
    assert reads <= 2 * (1000 // 50 + 1), made
    assert len(client.shares.get(f"sales_{tag}", include_shared_data=True).objects or ()) == 1000
