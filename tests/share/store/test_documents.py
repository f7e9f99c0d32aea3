"""Steps and plans go into JSON and come back the same, all kinds of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brickyard.share.model.pack import Strategy
from brickyard.share.model.steps import CreateShare, Grant, Plan, Step
from brickyard.share.store import documents

TIMES = st.datetimes(timezones=st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes))))
st.register_type_strategy(datetime, TIMES)
STEPS = st.one_of(*(st.from_type(kind) for kind in documents.KINDS.values()))


def test_there_is_a_document_for_every_kind_of_step():
    assert len(documents.KINDS) == 23
    document = documents.step_document(CreateShare("sales"))
    assert document == {"kind": "CreateShare", "name": "sales", "comment": "", "storage_root": None}


@pytest.mark.parametrize("kind", documents.KINDS.values(), ids=documents.KINDS.keys())
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_step_comes_back_as_it_was(kind: type[Step], data: st.DataObject):
    step = data.draw(st.from_type(kind))
    text = json.dumps(documents.step_document(step))
    assert documents.step(json.loads(text)) == step


@given(st.lists(STEPS, max_size=5), st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_plan_comes_back_as_it_was(steps: list[Step], data: st.DataObject):
    plan = data.draw(st.builds(Plan, strategy=st.sampled_from(Strategy), steps=st.just(tuple(steps))))
    text = json.dumps(documents.plan_document(plan))
    assert documents.plan(json.loads(text)) == plan


def test_tuples_stay_tuples():
    assert documents.step(documents.step_document(Grant("sales", ("acme",)))) == Grant("sales", ("acme",))
