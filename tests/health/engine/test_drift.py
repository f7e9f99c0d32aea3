"""Drift of sources: every source, every kind of change, told once, nothing lost in silence, no other table held up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.health.engine.stand import AT, Engine, some

from brickyard.health import flow
from brickyard.health.flow.terms import Choice, Door
from brickyard.health.model import source as sources
from brickyard.health.model.source import Source
from brickyard.health.model.state import Drift, DriftKind
from brickyard.health.model.steps import Skip
from brickyard.health.plan import bronze
from brickyard.health.plan.compile import compile_all
from brickyard.health.plan.text import Places
from brickyard.local import LocalWorkspace

USED = sorted({table.source.name for table in compile_all() if table.source})


def live(source: Source) -> dict[str, str]:
    return bronze.live_leaves(source.columns)


def free(source: Source) -> str:
    """A leaf that is neither key nor watermark."""
    return next(leaf.column for leaf in source.leaves if leaf.path[0] not in (*source.key, source.watermark))


@pytest.mark.parametrize("name", USED)
def test_each_change_of_each_source_is_one_difference(name: str) -> None:
    source = sources.load(name)
    now, leaf = live(source), free(source)
    rest = {column: kind for column, kind in now.items() if column != leaf}
    kind = now[leaf]
    found = {
        "same": bronze.drifts(source, now, now),
        "add": bronze.drifts(source, {**now, "brand_new": "string"}, now),
        "remove": bronze.drifts(source, rest, now),
        "rename": bronze.drifts(source, {**rest, "brand_new": kind}, now),
        "widen": bronze.drifts(source, {**now, leaf: "bigint"}, {**now, leaf: "int"}),
        "narrow": bronze.drifts(source, {**now, leaf: "int"}, {**now, leaf: "bigint"}),
        "change": bronze.drifts(source, {**now, leaf: "boolean"}, {**now, leaf: "date"}),
    }
    assert found == {
        "same": (),
        "add": (Drift(name, "brand_new", DriftKind.ADDED, None, "string"),),
        "remove": (Drift(name, leaf, DriftKind.REMOVED, kind, None),),
        "rename": (Drift(name, leaf, DriftKind.RENAMED, leaf, "brand_new"),),
        "widen": (Drift(name, leaf, DriftKind.WIDENED, "int", "bigint"),),
        "narrow": (Drift(name, leaf, DriftKind.NARROWED, "bigint", "int"),),
        "change": (Drift(name, leaf, DriftKind.CHANGED, "date", "boolean"),),
    }


@pytest.mark.parametrize("name", USED)
def test_a_source_that_lacks_columns_from_the_start_has_not_drifted(name: str) -> None:
    source = sources.load(name)
    older = {**source.columns, **source.older}
    assert [d for d in bronze.drifts(source, bronze.live_leaves(older), None) if d.kind.fails] == []


# --- end to end -----------------------------------------------------------------------------------------------------

TABLES = ("access.outbound_network", "access.inbound_network")
GOLD = ("security.fact_outbound_network", "security.fact_inbound_network")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with LocalWorkspace(tmp_path) as workspace:
        sql = Engine(workspace.client())
        sql("CREATE CATALOG src")
        sql("CREATE SCHEMA src.access")
        for name in TABLES:
            make(sql, name, dict(sources.load(name).columns))
            fill(sql, name, "one")
        yield Door(sql, Places("src_health", "src"), AT)


def make(sql: Any, name: str, columns: dict[str, str]) -> None:
    sql(f"CREATE TABLE src.{name} ({', '.join(f'`{column}` {kind}' for column, kind in columns.items())})")


def fill(sql: Any, name: str, event: str, **more: str) -> None:
    values = {
        "event_id": f"'{event}'",
        "account_id": "'a'",
        "workspace_id": "'1'",
        "event_time": "timestamp'2026-04-30 10:00:00Z'",
        **more,
    }
    sql(f"INSERT INTO src.{name} ({', '.join(values)}) VALUES ({', '.join(values.values())})")


def again(sql: Any, name: str, columns: dict[str, str], **more: str) -> None:
    """Put the source in another shape with the row it had and a further one."""
    sql(f"DROP TABLE src.{name}")
    make(sql, name, columns)
    fill(sql, name, "one")
    fill(sql, name, "two", **more)


def run(door: Door, **choice: Any) -> flow.Outcome:
    return flow.run(door, Choice(**choice), some(*GOLD))


def drift(door: Door) -> list[tuple[Any, ...]]:
    return [(r["leaf"], r["kind"], r["before"], r["after"]) for r in door.sql("SELECT * FROM src_health.ops.drift")]


def events(door: Door, table: str) -> list[str]:
    return sorted(row["event_id"] for row in door.sql(f"SELECT event_id FROM src_health.{table}"))


def test_a_new_column_becomes_a_column_of_bronze_and_of_gold(door: Door) -> None:
    run(door)
    name = TABLES[0]
    again(door.sql, name, {**sources.load(name).columns, "severity": "string"}, severity="'high'")
    run(door)
    run(door)
    assert drift(door) == [("severity", "ADDED", None, "string")]
    rows = door.sql(f"SELECT event_id, severity FROM src_health.{GOLD[0]} ORDER BY 1")
    assert rows == [{"event_id": "one", "severity": None}, {"event_id": "two", "severity": "high"}]


def test_a_new_struct_field_is_named_like_its_neighbours(door: Door) -> None:
    run(door)
    name = TABLES[1]
    columns = dict(sources.load(name).columns)
    struct = next(column for column, kind in columns.items() if kind.startswith("struct<"))
    columns[struct] = columns[struct][:-1] + ",brand_new:string>"
    again(door.sql, name, columns)
    assert run(door).failed == ()
    assert drift(door) == [(f"{struct}__brand_new", "ADDED", None, "string")]
    assert f"{struct}_brand_new" in door.sql(f"SELECT * FROM src_health.{GOLD[1]} LIMIT 1")[0]


@pytest.mark.parametrize("change", ["REMOVED", "RENAMED", "NARROWED", "CHANGED"])
def test_a_breaking_change_stops_its_own_table_until_it_is_accepted(door: Door, change: str) -> None:
    run(door)
    columns, leaf = dict(sources.load(TABLES[0]).columns), "destination_type"
    before = columns[leaf]
    if change == "REMOVED":
        del columns[leaf]
    elif change == "RENAMED":
        columns = {("kind_of_destination" if c == leaf else c): kind for c, kind in columns.items()}
    else:
        columns[leaf] = "int"
        if change == "NARROWED":
            door.sql(
                'UPDATE src_health.ops.sources SET leaves = replace(leaves, \'"destination_type": "string"\', \'"destination_type": "bigint"\')'
            )
            before = "bigint"
    again(door.sql, TABLES[0], columns)
    fill(door.sql, TABLES[1], "two")
    for _ in range(2):
        outcome = run(door)
        assert [(skip.table, skip.code) for skip in outcome.skipped] == [(GOLD[0], "source-drifted")]
    after = {"REMOVED": None, "RENAMED": "kind_of_destination"}.get(change, "int")
    assert drift(door) == [(leaf, change, leaf if change == "RENAMED" else before, after)]
    assert (events(door, GOLD[0]), events(door, GOLD[1])) == (["one"], ["one", "two"])
    assert run(door, accept=frozenset([TABLES[0]])).skipped == ()
    assert events(door, GOLD[0]) == ["one", "two"]
    assert [step for step in run(door).skipped if isinstance(step, Skip)] == []


def test_a_change_that_stops_its_source_is_told_once_also_when_nothing_else_is_new(door: Door) -> None:
    run(door)
    columns = dict(sources.load(TABLES[0]).columns)
    kind = columns.pop("destination_type")
    again(door.sql, TABLES[0], columns)
    ran = [run(door).run for _ in range(3)]
    assert drift(door) == [("destination_type", "REMOVED", kind, None)]
    assert ran == [2, 2, 2]


def test_a_wider_type_is_copied_where_values_fit_and_kept_apart_where_not(door: Door) -> None:
    name, columns = TABLES[0], dict(sources.load(TABLES[0]).columns)
    struct = next(column for column, kind in columns.items() if "rcode:int" in kind)
    run(door)
    wide = {**columns, struct: columns[struct].replace("rcode:int", "rcode:bigint")}
    door.sql(f"DROP TABLE src.{name}")
    make(door.sql, name, wide)
    for event, code in (("one", "NULL"), ("two", "7"), ("three", "99999999999")):
        inner = (
            f"named_struct('domain_name', 'd', 'rcode', cast({code} as bigint), 'rdata', cast(NULL as array<string>))"
        )
        struct_value = "NULL" if event == "one" else inner
        fill(door.sql, name, event, **{struct: struct_value})
    assert run(door).failed == ()
    assert drift(door) == [(f"{struct}__rcode", "WIDENED", "int", "bigint")]
    assert events(door, GOLD[0]) == ["one", "two"]
    kept = door.sql("SELECT table_name, reason FROM src_health.ops.quarantine")
    assert kept == [{"table_name": "bronze.access_outbound_network", "reason": f"does-not-fit:{struct}__rcode"}]
