"""The worklist: readers after writers, cycles kept together; and the CSV files that go with a plan."""

from __future__ import annotations

from tests.migrate.plan.planning import together

from brickyard.migrate.model.inputs import parse_mapping
from brickyard.migrate.plan.worklist import mapping_csv, template_csv, worklist, worklist_csv

W = "wb_velocityanalytics_prd"


def notebook(reads: str, writes: str) -> str:
    return f"INSERT INTO va_alms_prd.{writes} SELECT * FROM va_alms_prd.{reads}"


def test_a_reader_comes_after_its_writers_and_cycles_are_named():
    plans = together(
        {
            "a.sql": notebook("y", "z"),
            "b.sql": notebook("x", "y"),
            "c.sql": notebook("q", "p"),
            "d.sql": notebook("p", "q"),
        }
    )
    items = worklist(plans.notebooks)
    assert [(i.order, i.path, i.after, i.cycle) for i in items] == [
        (1, "b.sql", (), None),
        (2, "a.sql", ("b.sql",), None),
        (3, "c.sql", ("d.sql",), 1),
        (4, "d.sql", ("c.sql",), 1),
    ]


def test_the_worklist_counts_findings_and_says_what_is_ready():
    plans = together({"a.sql": "SELECT * FROM nowhere.t", "b.sql": "SELECT 1"})
    assert worklist_csv(worklist(plans.notebooks)).splitlines() == [
        "order,notebook,outcome,halts,warnings,infos,after,cycle",
        "1,a.sql,needs hands,0,1,0,,",
        "2,b.sql,ready,0,0,0,,",
    ]


def test_the_mapping_has_the_two_columns_and_each_pair_once():
    plans = together({"a.sql": notebook("x", "y"), "b.sql": "SELECT * FROM va_alms_prd.x, nowhere.t"})
    assert mapping_csv(plans.notebooks).splitlines() == [
        "original_3_level,refactored_3_level",
        "foreign_edp_prd_hive.nowhere.t,",
        "foreign_edp_prd_hive.va_alms_prd.x,edp_prd.silver_alms.x",
        "foreign_edp_prd_hive.va_alms_prd.y,edp_prd.silver_alms.y",
    ]


def test_the_template_lists_names_without_a_rule_by_count_and_can_be_filled_in():
    plans = together({"a.sql": "SELECT * FROM s.rare, s.often, s.often o, va_alms_prd.x"})
    template = template_csv(plans.notebooks)
    assert template.splitlines() == [
        "workspace_name,catalog_name,src_schema,dst_schema,src_table,dst_table,count",
        ",,s,,often,,2",
        ",,s,,rare,,1",
    ]
    filled = template.replace(",,s,,often,", "w,main,s,gold,often,often").replace(",,s,,rare,", "w,main,s,gold,rare,r")
    assert str(parse_mapping("m.csv", filled)["s", "rare"].target) == "main.gold.r"


def test_two_notebooks_that_map_two_objects_to_one_name_are_both_blocked():
    plans = together(
        {
            "a.sql": "SELECT * FROM velocity_analytics_foundation.stage_x",
            "b.sql": "SELECT * FROM velocity_analytics_foundation.staging_x",
        }
    )
    assert [(p.readiness, [f.code for f in p.findings]) for p in plans.notebooks] == [
        ("blocked", ["mapping-collision"])
    ] * 2


def test_the_hash_is_stable_and_follows_text_and_rules():
    files = {"a.sql": notebook("x", "y")}
    changed = {"a.sql": notebook("x", "y") + " "}
    hashes = {together(files).hash, together(files).hash, together(changed).hash, together(files, dbr="16.4").hash}
    assert len(hashes) == 3
