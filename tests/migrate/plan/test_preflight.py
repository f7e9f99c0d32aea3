"""What must hold before a notebook may run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from brickyard.dbsql.model import Kind
from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import Severity
from brickyard.migrate.model.runs import Access, Commit, Confidence, Observed, Pair, Producer, World
from brickyard.migrate.plan import preflight

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = TableName("hive", "va", "member")
NEW = TableName("wb", "loyalty", "member")
SOURCE = Pair(OLD, NEW, Kind.TABLE, reads=True, writes=False)


def commit(version: int, operation: str = "WRITE", days: float = 0, **fields: object) -> Commit:
    return Commit(version, NOW + timedelta(days=days), operation, user="ada", **{"job_id": "17", **fields})  # type: ignore[arg-type]


def table(name: TableName, *commits: Commit, rows: int = 10, **fields: object) -> Observed:
    version = max((c.version for c in commits), default=None)
    seen = Observed(name, Access.PRESENT, type="MANAGED", provider="delta", history=commits, version=version, rows=rows)
    return replace(seen, **fields)  # type: ignore[arg-type]


def world(*objects: Observed, functions: tuple[Observed, ...] = (), jobs: tuple[str, ...] | None = ("17",)) -> World:
    return World(objects, functions, jobs, "ada", NOW)


def check(*objects: Observed, pair: Pair = SOURCE, **fields: object) -> list[tuple[str, str, Confidence]]:
    checked = preflight.check([pair], world(*objects, **fields), DAY, lambda _: NEW)  # type: ignore[arg-type]
    (row,) = checked.rows
    return [(f.code, f.severity.value, row.confidence) for f in row.findings] or [("", "", row.confidence)]


FINE = [("", "", Confidence.HIGH)]


def test_a_source_that_is_there_level_and_pinned_has_high_confidence():
    assert check(table(OLD, commit(0)), table(NEW, commit(0))) == FINE


def test_a_missing_source_is_critical():
    missing = Observed(NEW, Access.MISSING)
    assert check(table(OLD, commit(0)), missing) == [("source-missing", "halt", Confidence.CRITICAL)]


def test_an_unreadable_source_is_never_called_missing():
    closed = Observed(NEW, Access.UNREADABLE, error="no SELECT")
    (row,) = preflight.check([SOURCE], world(table(OLD, commit(0)), closed), DAY, lambda _: NEW).rows
    assert [(f.code, f.message) for f in row.findings] == [
        ("source-unreadable", "wb.loyalty.member may exist, but it cannot be read: no SELECT")
    ]


def test_a_producer_that_never_wrote_the_refactored_table_makes_it_stale():
    old = table(OLD, commit(0), commit(1, job_id="99", job_name="capture"))
    assert check(old, table(NEW, commit(0))) == [("source-stale", "halt", Confidence.CRITICAL)]


def test_a_producer_that_lineage_knows_is_not_missed():
    old = table(OLD, commit(0), commit(1, job_id="99"))
    new = table(NEW, commit(0), lineage=(Producer("job", "99"),))
    assert check(old, new) == FINE


def test_the_same_notebook_in_another_job_counts_as_the_producer():
    old = table(OLD, commit(0, job_id="1", notebook_id="n"))
    assert check(old, table(NEW, commit(0, job_id="2", notebook_id="n"))) == FINE


def test_maintenance_is_no_change_of_data():
    old = table(
        OLD, commit(0), commit(1, "OPTIMIZE", days=9, job_id="99"), commit(2, "VACUUM END", days=9, job_id="98")
    )
    assert check(old, table(NEW, commit(0))) == FINE


@pytest.mark.parametrize(("days", "stale"), [(0.9, False), (1.0, False), (1.1, True)])
def test_a_legacy_change_that_is_later_than_the_allowed_lag_makes_the_source_stale(days: float, stale: bool):
    found = check(table(OLD, commit(0), commit(1, days=days)), table(NEW, commit(0)))
    assert found == ([("source-stale", "halt", Confidence.CRITICAL)] if stale else FINE)


def test_a_change_by_hand_is_judged_by_the_lag_alone():
    old = table(OLD, commit(0), commit(1, days=0.5, job_id=None))
    assert check(old, table(NEW, commit(0))) == FINE


def test_what_a_clone_holds_is_not_missed():
    old = table(OLD, commit(0), commit(1, job_id="99"), commit(2, "OPTIMIZE", days=5))
    new = table(NEW, commit(0, "CLONE", days=0.1, job_id=None, clone_source="hive.va.member", clone_version=1))
    assert check(old, new) == FINE


def test_a_change_after_the_clone_is_missed():
    old = table(OLD, commit(0), commit(1, job_id="99"))
    new = table(NEW, commit(0, "CLONE", job_id=None, clone_source="hive.va.member", clone_version=0))
    assert check(old, new) == [("source-stale", "halt", Confidence.CRITICAL)]


def test_a_view_is_as_fresh_as_its_oldest_base():
    view, old_view = TableName("wb", "loyalty", "active"), TableName("hive", "va", "active")
    seen = [
        Observed(view, Access.PRESENT, Kind.VIEW, type="VIEW", bases=(NEW,)),
        Observed(old_view, Access.PRESENT, Kind.VIEW, type="VIEW", bases=(OLD,)),
        table(NEW, commit(0)),
        table(OLD, commit(0), commit(1, days=3)),
    ]
    pair = Pair(old_view, view, Kind.VIEW, reads=True, writes=False)
    (row,) = preflight.check([pair], world(*seen), DAY, lambda _: NEW).rows
    assert [f.code for f in row.findings] == ["source-stale"]
    assert (row.fresh_at, row.original_fresh_at) == (NOW, NOW + timedelta(days=3))


def test_bases_of_views_with_several_tables_are_paired_by_the_rules():
    other_old, other_new = TableName("hive", "va", "stage_points"), TableName("wb", "staging", "points")
    view, old_view = TableName("wb", "loyalty", "v"), TableName("hive", "va", "v")
    seen = [
        Observed(view, Access.PRESENT, Kind.VIEW, bases=(other_new, NEW)),
        Observed(old_view, Access.PRESENT, Kind.VIEW, bases=(OLD, other_old)),
        table(NEW, commit(0)),
        table(OLD, commit(0)),
        table(other_new, commit(0), rows=3),
        table(other_old, commit(0), rows=4),
    ]
    pair = Pair(old_view, view, Kind.VIEW, reads=True, writes=False)
    mapping = {OLD: NEW, other_old: other_new}
    (row,) = preflight.check([pair], world(*seen), DAY, mapping.get).rows
    assert [(f.code, f.subject) for f in row.findings] == [("source-counts-differ", "wb.staging.points")]


def test_a_cycle_of_views_and_a_base_that_is_gone_halt():
    a, b, gone = (TableName("wb", "l", n) for n in ("a", "b", "gone"))
    seen = [
        Observed(a, Access.PRESENT, Kind.VIEW, bases=(b, gone)),
        Observed(b, Access.PRESENT, Kind.VIEW, bases=(a,)),
        Observed(gone, Access.MISSING),
    ]
    (row,) = preflight.check([Pair(a, a, Kind.VIEW, reads=True, writes=False)], world(*seen), DAY, lambda _: None).rows
    assert {(f.code, f.subject) for f in row.findings} == {("view-cycle", "wb.l.a"), ("source-missing", "wb.l.gone")}


def test_a_source_that_is_not_delta_has_low_confidence():
    parquet = replace(table(NEW, rows=10), history=None, history_error="not a Delta table")
    codes = [f[0] for f in check(table(OLD, commit(0)), parquet)]
    assert codes == ["source-not-pinned", "freshness-unknown"]
    assert check(table(OLD, commit(0)), parquet)[0][2] is Confidence.LOW


def test_counts_that_differ_are_told_and_do_not_halt():
    found = check(table(OLD, commit(0), rows=11), table(NEW, commit(0), rows=10))
    assert found == [("source-counts-differ", "warn", Confidence.MEDIUM)]


def test_a_missing_function_halts():
    pair = Pair(OLD, NEW, Kind.FUNCTION, reads=True, writes=False)
    gone = Observed(NEW, Access.MISSING, Kind.FUNCTION)
    assert check(pair=pair, functions=(gone,)) == [("function-missing", "halt", Confidence.CRITICAL)]


def target(*verbs: str) -> Pair:
    return Pair(OLD, NEW, Kind.TABLE, reads=False, writes=True, verbs=verbs)


def test_the_writers_of_a_target_are_matched_with_the_jobs_by_id():
    old = table(OLD, commit(0), commit(1, job_id="170", job_name="nightly"))
    assert [code for code, _, _ in check(old, pair=target("INSERT"))] == [
        "target-several-writers",
        "target-writer-found",
        "target-writer-gone",
    ]


def test_nothing_is_said_of_jobs_that_could_not_be_listed():
    assert check(table(OLD, commit(0)), pair=target("INSERT"), jobs=None) == FINE


def test_a_changed_table_that_is_not_there_halts_and_one_that_the_notebook_makes_does_not():
    gone = Observed(OLD, Access.MISSING)
    assert check(gone, pair=target("INSERT")) == [("target-missing", "halt", Confidence.CRITICAL)]
    assert check(gone, pair=target("CREATE TABLE", "INSERT")) == FINE


@pytest.mark.parametrize(
    ("verbs", "clone", "whole"),
    [
        (("INSERT",), True, False),
        (("MERGE",), True, False),
        (("TRUNCATE", "INSERT"), True, True),
        (("INSERT OVERWRITE",), True, True),
        (("INSERT OVERWRITE PARTITION",), True, False),
        (("CREATE TABLE",), False, True),
        (("DROP TABLE", "CREATE TABLE"), False, True),
        (("CREATE TABLE IF NOT EXISTS", "INSERT"), True, False),
        (("saveAsTable overwrite",), False, True),
        (("saveAsTable append",), True, False),
        ((), True, False),
    ],
)
def test_what_a_notebook_makes_itself_needs_no_clone(verbs: tuple[str, ...], clone: bool, whole: bool):
    assert (preflight.needs_clone(target(*verbs)), preflight.replaces_all(verbs)) == (clone, whole)


def test_cloning_onto_a_target_with_a_history_of_its_own_is_refused():
    mine = table(NEW, commit(0), properties=(("brickyard.run", "r/1"),))
    assert [f.code for f in preflight.refuse_onto([target("INSERT")], world(table(NEW, commit(0))))] == [
        "target-has-history"
    ]
    assert preflight.refuse_onto([target("INSERT")], world(mine)) == ()
    assert preflight.refuse_onto([target("INSERT")], world(Observed(NEW, Access.MISSING))) == ()


def test_every_halt_stops_the_run():
    checked = preflight.check([SOURCE], world(), DAY, lambda _: NEW)
    assert [f.severity for f in checked.halts] == [Severity.HALT, Severity.HALT]
