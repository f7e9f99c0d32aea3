"""A KPI whose query fails is not assessed and says what the engine said; every other one is told as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.health.kpis.stand import Stand, day, used

from brickyard.health.flow import kpis
from brickyard.health.flow.kpis import Kpi
from brickyard.health.model.kpi import Status, alerts, contracts
from brickyard.health.plan.kpis import needed
from brickyard.kernel.errors import Problem, WorkspaceDown, WorkspaceRefused

BROKEN = "security.fact_audit_logs"
READS_IT = {name for name, one in contracts().items() if BROKEN in one.needs}


@pytest.fixture(scope="module")
def whole(stand: Stand) -> tuple[Kpi, ...]:
    """All KPIs over little usage and otherwise empty tables."""
    rows = [used(str(number), "5", day(number)) for number in range(2, 30)]
    stand.fill({table: rows if table == "billing.fact_usage" else () for table in needed(contracts().values())})
    return kpis.all(stand.door)


@pytest.fixture(scope="module")
def broken(stand: Stand, whole: tuple[Kpi, ...]) -> Stand:
    """The same, but one table has lost its columns."""
    stand.sql(f"DROP TABLE kpis.{BROKEN}")
    stand.sql(f"CREATE TABLE kpis.{BROKEN} (event_id string)")
    return stand


def test_of_all_kpis_those_that_fail_are_not_assessed_and_the_others_are_as_before(
    broken: Stand, whole: tuple[Kpi, ...]
):
    found = kpis.all(broken.door)
    failed = {one.name: one for one in found if one.reason.startswith("its query failed: ")}
    assert [one for one in found if one.name not in failed] == [one for one in whole if one.name not in READS_IT]
    assert Status.OK in {one.status for one in found}
    assert set(failed) == READS_IT
    for one in failed.values():
        assert (one.status, one.value, one.rows) == (Status.NOT_ASSESSED, None, ())
        assert "UNRESOLVED_COLUMN" in one.reason
        assert (one.remedy or "").startswith("brickyard health run")


def test_an_alert_on_a_kpi_that_fails_does_not_ring_and_the_others_are_evaluated(broken: Stand):
    found = kpis.ringing(broken.door)
    assert len(found) == len(alerts())
    failed = {rang.kpi.name: rang.rings for rang in found if rang.kpi.reason.startswith("its query failed: ")}
    assert failed == dict.fromkeys({one.kpi for one in alerts().values()} & READS_IT) != {}


@pytest.mark.parametrize("name", sorted(READS_IT))
def test_one_that_is_asked_for_by_name_is_refused_with_its_place_and_the_engines_words(broken: Stand, name: str):
    with pytest.raises(WorkspaceRefused, match=f"KPI {name} could not be computed: ") as refused:
        kpis.value(broken.door, name)
    error = refused.value
    words = error.message.removeprefix(f"KPI {name} could not be computed: ")
    assert (error.error_code, error.problems) == (
        "health-kpi-failed",
        (Problem(words, f"health/assets/kpis/{name}.yaml", error.remedy),),
    )
    assert f"reads {', '.join(contracts()[name].needs)}" in (error.remedy or "")


def test_a_workspace_that_does_not_answer_is_no_matter_of_one_kpi(broken: Stand):
    def silent(statement: str):
        if "information_schema" in statement:
            return broken.sql(statement)
        raise WorkspaceDown("no answer")

    with pytest.raises(WorkspaceDown):
        kpis.all(replace(broken.door, sql=silent))
