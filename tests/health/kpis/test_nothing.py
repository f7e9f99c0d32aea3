"""An account of which nothing is known: no KPI is OK, and none is a zero."""

from __future__ import annotations

import pytest
from tests.health.kpis.stand import Stand

from brickyard.health.flow import kpis
from brickyard.health.model.kpi import Status, contracts
from brickyard.health.plan.kpis import needed
from brickyard.kernel.errors import NotFound, SpecInvalid


def test_over_empty_tables_every_kpi_is_not_assessed_and_says_why(stand: Stand):
    stand.fill(dict.fromkeys(sorted(needed(contracts().values())), ()))
    found = kpis.all(stand.door)
    assert {one.name: one.status for one in found} == dict.fromkeys(contracts(), Status.NOT_ASSESSED)
    assert all(one.reason and not one.rows for one in found)
    assert all(rang.rings is None for rang in kpis.ringing(stand.door))


def test_before_the_first_run_a_kpi_tells_what_to_do(stand: Stand):
    nowhere = Stand(stand.client, "nowhere")
    found = kpis.value(nowhere.door, "daily-cost")
    assert (found.status, found.reason, found.remedy) == (
        *(Status.NOT_ASSESSED, "billing.fact_usage was not built"),
        "brickyard health run",
    )


def test_an_unknown_name_is_refused_with_what_looks_alike(stand: Stand):
    with pytest.raises(NotFound, match="there is no KPI dayly-cost") as refused:
        kpis.value(stand.door, "dayly-cost")
    assert refused.value.remedy == "did you mean daily-cost?"


def test_a_window_without_a_day_is_refused(stand: Stand):
    with pytest.raises(SpecInvalid, match="is empty"):
        kpis.value(stand.door, "daily-cost", since=stand.door.at.date(), until=stand.door.at.date())
