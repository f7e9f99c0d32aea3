"""A pack that was really applied, twice, read as its recipients: what is shared is read, what was taken away is refused."""

from __future__ import annotations

import pytest
from tests.share.flow.conftest import apply, pack_of

from brickyard.context import Context
from brickyard.share import flow
from brickyard.share.model.runs import Checked, RunStatus, Verdict

# the client leaves the folder in which it reads an empty table to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
READ, REFUSED = Verdict.READ, Verdict.REFUSED


def lines(found: tuple[Checked, ...]) -> list[tuple[str, str, str, Verdict, bool]]:
    """The findings without their words."""
    return [(one.share, one.recipient, one.table, one.verdict, one.expected) for one in found]


def test_what_versions_gave_and_took_is_read_and_refused(house: Context) -> None:
    both = [{"name": "acme", "type": "D2O"}, {"name": "bolt", "type": "D2O"}]
    given = {"name": "sales", "share_assets": [{"name": "m.s.orders"}, {"name": "m.s.feed"}]}
    run = apply(house, pack_of(house, recipient=both, share=[{**given, "recipients": ["acme", "bolt"]}]))
    assert run.status is RunStatus.COMPLETED, run
    assert run.pack_id
    first = flow.verify(house, run.pack_id)
    assert lines(first) == [
        ("sales", name, table, verdict, True)
        for name in ("acme", "bolt")
        for table, verdict in (
            ("*", REFUSED),
            ("s.brickyard_not_shared", REFUSED),
            ("s.feed", READ),
            ("s.orders", READ),
        )
    ]
    fewer = {"name": "sales", "share_assets": [{"name": "m.s.orders"}], "recipients": ["acme"]}
    again = apply(house, pack_of(house, recipient=both, share=[fewer]))
    assert again.status is RunStatus.COMPLETED, again
    assert lines(flow.verify(house, run.pack_id)) == [
        ("sales", "acme", "*", REFUSED, True),
        ("sales", "acme", "s.brickyard_not_shared", REFUSED, True),
        ("sales", "acme", "s.feed", REFUSED, True),
        ("sales", "acme", "s.orders", READ, True),
        ("sales", "bolt", "*", REFUSED, True),
    ]


def test_a_verification_changes_no_plan(house: Context) -> None:
    run = apply(house, pack_of(house))
    assert run.pack_id
    before = flow.plan_of(house, run.pack_id)
    flow.verify(house, run.pack_id)
    assert flow.plan_of(house, run.pack_id) == before
    assert before.steps == ()


def test_a_pack_that_was_deleted_opens_to_nobody(house: Context) -> None:
    run = apply(house, pack_of(house))
    gone = {"metadata": {"strategy": "DELETE"}, "recipient": [], "share": []}
    removal = {"recipients": ["acme"], "shares": ["sales"]}
    ended = apply(house, pack_of(house, removal=removal, **gone))
    assert (ended.status, ended.pack_id) == (RunStatus.COMPLETED, run.pack_id)
    assert ended.pack_id
    assert lines(flow.verify(house, ended.pack_id)) == [
        ("*", "acme", "*", REFUSED, True),
        ("sales", "*", "*", REFUSED, True),
    ]
