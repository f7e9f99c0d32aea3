"""Every contract of a KPI and of an alert: what it names exists, its SQL can be read, its words are there."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import sqlglot
from pydantic import ValidationError
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from tests.health.kpis.stand import AT, gold, types

from brickyard.health.model.kpi import KpiContract, Limits, Status, Unit, alerts, contracts
from brickyard.health.plan import ddl
from brickyard.health.plan.kpis import Window, needs_slots, observed, query, rolling, scheduled, verdict, worst_first
from brickyard.health.plan.text import Places

PLACES, DIALECT = Places("g", "system"), "databricks"
MADE_TABLES = {"made.sources": "g.made.sources", "made.slots": "g.made.slots"}
SOURCE = {"source": "string", "retention_days": "int", "dated": "boolean", "newest": "timestamp"}
SLOT = {"workspace_id": "string", "job_id": "string", "slot": "timestamp"}
COMPUTED = [one for one in contracts().values() if one.computed]
REQUIRED = {*range(1, 16), 17, 18, *range(21, 28), 34, 43, 49, 50, 62, *range(70, 75)}


def names(contracts: list[KpiContract]) -> list[str]:
    return [one.kpi for one in contracts]


def test_all_numbers_of_the_facts_are_there_once_and_the_required_ones_are_computed():
    assert sorted(one.number for one in contracts().values()) == list(range(1, 76))
    assert {one.number for one in COMPUTED} >= REQUIRED


@pytest.mark.parametrize("contract", COMPUTED, ids=names(COMPUTED))
def test_what_a_contract_needs_stands_in_gold(contract: KpiContract):
    for table, columns in contract.needs.items():
        schema, _, name = table.partition(".")
        assert name in ddl.OPS if schema == "ops" else table in gold().tables
        assert set(columns) <= set(types(table)), table


@pytest.mark.parametrize("contract", COMPUTED, ids=names(COMPUTED))
def test_the_query_returns_its_columns_and_reads_exactly_what_it_names(contract: KpiContract):
    ends = Window.of(contract, AT, None, None).literals
    asked = [query(contract, PLACES, ends, MADE_TABLES), observed(contract, PLACES, ends, MADE_TABLES)]
    if needs_slots(contract):
        asked.append(scheduled(PLACES, Window.of(contract, AT, None, None)))
    assert sqlglot.parse_one(asked[0], dialect=DIALECT).named_selects == list(contract.columns)
    needed = {(table, column) for table, columns in contract.needs.items() for column in columns}
    assert {found for sql in asked for found in read(sql, contract)} == needed


def read(sql: str, contract: KpiContract) -> set[tuple[str, str]]:
    """The columns of tables that a query reads; one that no table has is refused by the resolver."""
    schema: dict[str, dict[str, dict[str, str]]] = {"made": {"sources": SOURCE, "slots": SLOT}}
    for table in contract.needs:
        domain, _, name = table.partition(".")
        schema.setdefault(domain, {})[name] = types(table)
    resolved = qualify(sqlglot.parse_one(sql, dialect=DIALECT), schema={"g": schema}, dialect=DIALECT)
    return {
        (f"{source.db}.{source.name}", column.name)
        for scope in traverse_scope(resolved)
        for column in scope.columns
        if isinstance(source := scope.sources.get(column.table), exp.Table) and source.db != "made"
    }


@pytest.mark.parametrize("contract", COMPUTED, ids=names(COMPUTED))
def test_the_query_can_be_read_over_a_window_that_moves(contract: KpiContract):
    for ask in (query, observed):
        sql = ask(contract, PLACES, rolling(30), MADE_TABLES)
        assert sqlglot.parse_one(sql, dialect=DIALECT)
        assert "{" not in sql
        assert not re.search(r"(?<!:):[a-z]", sql.replace("00:00:00", ""))


@pytest.mark.parametrize("contract", list(contracts().values()), ids=names(list(contracts().values())))
def test_a_contract_says_why_a_value_can_be_unknown(contract: KpiContract):
    assert contract.not_assessed.endswith(".")
    assert contract.unit in Unit
    assert contract.owner
    assert contract.computed or contract.missing


@pytest.mark.parametrize("alert", list(alerts().values()), ids=list(alerts()))
def test_an_alert_watches_a_kpi_with_limits(alert):
    assert contracts()[alert.kpi].limits is not None


LIMITS = Limits(worse="above", warn=Decimal(5), critical=Decimal(10))


def test_limits_hold_from_their_value_on_and_the_unknown_is_not_assessed():
    assert [LIMITS.status(value) for value in (4.9, 5, Decimal("9.99"), 10, None)] == [
        *(Status.OK, Status.WARN, Status.WARN, Status.CRITICAL),
        Status.NOT_ASSESSED,
    ]
    below = Limits(worse="below", warn=Decimal(95), critical=Decimal(80))
    assert [below.status(value) for value in (95, 94.9, 80, 79.9)] == [
        *(Status.OK, Status.WARN, Status.WARN, Status.CRITICAL)
    ]


def test_two_unknown_rows_are_not_well():
    rows = [{"status": Status.NOT_ASSESSED}, {"status": Status.NOT_ASSESSED}]
    assert verdict(COMPUTED[0], 5, rows).status is Status.NOT_ASSESSED


def test_of_too_many_rows_the_worst_are_kept_and_it_is_said():
    rate = contracts()["success-rate"]
    assert worst_first(rate, "q") == "SELECT * FROM (\nq\n) ORDER BY success_percent ASC NULLS LAST LIMIT 10000"
    assert worst_first(contracts()["daily-cost"], "q") == "q\nLIMIT 10000"
    told = verdict(rate, 5, [{"status": Status.WARN}], more=True)
    assert told.reason == "1 of 1 rows are WARN; more than 10000 rows, the others are not shown"


def test_a_contract_without_query_must_say_what_is_missing():
    plain = {"kpi": "x", "number": 1, "title": "x", "definition": "x" * 10, "grain": "x", "unit": "USD"}
    with pytest.raises(ValidationError, match="either `sql` or `missing`"):
        KpiContract.model_validate({**plain, "owner": "x", "page": "cost", "not_assessed": "x" * 10})
