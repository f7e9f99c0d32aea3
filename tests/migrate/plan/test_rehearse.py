"""Copies that touch nothing of anyone else's, and the steps that make them ready."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brickyard.dbsql.model import Kind
from brickyard.kernel.names import TableName
from brickyard.migrate.model.inputs import PlanOptions
from brickyard.migrate.model.pack import parse_pack
from brickyard.migrate.model.runs import Access, CloneTable, Commit, CreateView, ImportNotebook, Observed, World
from brickyard.migrate.plan import isolate, rehearse, steps
from brickyard.migrate.plan.rehearse import NotIsolated, Stage

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RULES = """
format: 1
name: small
original_catalog: legacy
legacy_catalogs: [hive_metastore]
mappings: [{id: all, schema: [va, vb], to: "wb.{schema}.{name}"}]
paths: [{prefix: /mnt/out, to: /Volumes/wb/va/out}]
rewrites: {references: {}, file-volumes: {}}
"""
OPTIONS = PlanOptions(pack=parse_pack("rules.yaml", RULES))
PLACE = steps.Place("r1", 1, "wb", "/Users/me/r1-1", NOW)
HEAD = "# Databricks notebook source\n"


def table(name: str, version: int = 3) -> Observed:
    commit = Commit(version, NOW, "WRITE")
    return Observed(TableName.parse(name), Access.PRESENT, history=(commit,), version=version)


def rehearsal(text: str, *objects: Observed, path: str = "n.py", **others: str) -> dict[str, Stage]:
    sources = {path: text.encode(), **{name.replace("__", "/"): t.encode() for name, t in others.items()}}
    planned = rehearse.plan_closure(sources, path, OPTIONS)
    found = steps.pairs(planned.references)
    return {s.side: s for s in rehearse.rehearsal(planned, found, World(objects, (), None, "me", NOW), PLACE)}


def texts(stage: Stage) -> dict[str, str]:
    return {
        s.path.removeprefix(f"/Users/me/r1-1/{stage.side}/"): s.content.decode()
        for s in stage.steps
        if isinstance(s, ImportNotebook)
    }


def test_each_side_names_its_own_schema_and_nothing_else_changes():
    text = HEAD + 'db = "va"\nspark.sql(f"INSERT INTO {db}.t SELECT * FROM {db}.s -- va.s stays")\n'
    sides = rehearsal(text, table("legacy.va.t"), table("legacy.va.s"), table("wb.va.s"))
    for side, stage in sides.items():
        place = f"wb.brickyard_rehearsal_r1_{side}"
        assert texts(stage) == {
            "n": HEAD + f'db = "va"\nspark.sql(f"INSERT INTO {place}.t SELECT * FROM {place}.s -- va.s stays")\n'
        }


def test_both_sides_start_from_a_clone_of_the_legacy_target_and_read_their_own_pinned_sources():
    text = HEAD + 'spark.sql("INSERT INTO va.t SELECT * FROM va.s")\n'
    sides = rehearsal(text, table("legacy.va.t", 7), table("legacy.va.s", 4), table("wb.va.s", 2))
    clones = [s for stage in sides.values() for s in stage.steps if isinstance(s, CloneTable)]
    views = [s for stage in sides.values() for s in stage.steps if isinstance(s, CreateView)]
    assert [(str(c.source), c.version, c.target.schema) for c in clones] == [
        ("legacy.va.t", 7, "brickyard_rehearsal_r1_original"),
        ("legacy.va.t", 7, "brickyard_rehearsal_r1_refactored"),
    ]
    assert [v.query for v in views] == [
        "SELECT * FROM `legacy`.`va`.`s` VERSION AS OF 4",
        "SELECT * FROM `wb`.`va`.`s` VERSION AS OF 2",
    ]
    assert steps.clone_sql(clones[0]) == (
        "CREATE OR REPLACE TABLE `wb`.`brickyard_rehearsal_r1_original`.`t` DEEP CLONE `legacy`.`va`.`t` "
        "VERSION AS OF 7 TBLPROPERTIES ('brickyard.run' = 'r1/1')"
    )


def test_tables_that_share_a_last_name_keep_it_in_schemas_of_their_own():
    text = HEAD + 'spark.sql("INSERT INTO va.t SELECT * FROM vb.t")\n'
    original = rehearsal(text, table("legacy.va.t"), table("legacy.vb.t"), table("wb.vb.t"))["original"]
    assert sorted(name.schema for name in original.names.values()) == [
        "brickyard_rehearsal_r1_original",
        "brickyard_rehearsal_r1_original_2",
    ]
    assert (
        "INSERT INTO wb.brickyard_rehearsal_r1_original.t SELECT * FROM wb.brickyard_rehearsal_r1_original_2.t"
        in texts(original)["n"]
    )


def test_views_are_made_anew_over_pinned_tables_the_lowest_first():
    text = HEAD + 'spark.sql("INSERT INTO va.t SELECT * FROM va.top")\n'
    names = [TableName.parse(n) for n in ("legacy.va.top", "legacy.va.middle", "legacy.va.s")]
    seen = [
        Observed(
            names[0],
            Access.PRESENT,
            Kind.VIEW,
            view_text="SELECT * FROM va.middle m",
            view_catalog="hive_metastore",
            view_schema="x",
            bases=(names[1],),
        ),
        Observed(
            names[1],
            Access.PRESENT,
            Kind.VIEW,
            view_text="SELECT s.id, f(id) FROM s",
            view_catalog="hive_metastore",
            view_schema="va",
            bases=(names[2],),
        ),
        table("legacy.va.s", 9),
        table("legacy.va.t"),
    ]
    original = rehearsal(text, *seen)["original"]
    place = "wb.brickyard_rehearsal_r1_original"
    assert [(s.target.name, s.query) for s in original.steps if isinstance(s, CreateView)] == [
        ("s", "SELECT * FROM `legacy`.`va`.`s` VERSION AS OF 9"),
        ("middle", f"SELECT s.id, f(id) FROM {place}.s"),
        ("top", f"SELECT * FROM {place}.middle m"),
    ]


def test_what_the_notebook_makes_itself_is_not_cloned():
    text = HEAD + 'spark.sql("CREATE OR REPLACE TABLE va.t AS SELECT 1 AS a")\nspark.table("va.t").show()\n'
    sides = rehearsal(text, table("legacy.va.t"))
    assert [s for stage in sides.values() for s in stage.steps if isinstance(s, CloneTable | CreateView)] == []


def test_children_are_copied_in_the_same_layout():
    main = HEAD + "# MAGIC %run ../lib/names\n\n# COMMAND ----------\n\nwrite()\n"
    names = HEAD + 'def write():\n    spark.sql("INSERT INTO va.t SELECT 1")\n'
    sides = rehearsal(main, table("legacy.va.t"), path="jobs/main.py", **{"lib__names.py": names})
    assert sorted(texts(sides["refactored"])) == ["jobs/main", "lib/names"]
    assert "wb.brickyard_rehearsal_r1_refactored.t" in texts(sides["refactored"])["lib/names"]


def test_written_files_go_to_the_sides_own_volume():
    text = HEAD + 'spark.sql("INSERT INTO va.t SELECT 1")\nopen("/dbfs/mnt/out/a.csv", "w")\n'
    sides = rehearsal(text, table("legacy.va.t"))
    for side, stage in sides.items():
        assert f'"/Volumes/wb/brickyard_rehearsal_r1_{side}/files/' in texts(stage)["n"]


def test_a_write_to_a_table_nobody_knows_is_not_isolated():
    text = HEAD + 'spark.sql("INSERT INTO va.t SELECT 1")\nspark.sql(f"INSERT INTO va.{unknown()} SELECT 1")\n'
    with pytest.raises(NotIsolated, match="would still touch"):
        rehearsal(text, table("legacy.va.t"))


def test_a_view_names_what_it_reads_beside_itself():
    text = "WITH w AS (SELECT * FROM b.c) SELECT * FROM w JOIN d JOIN x.y.z"
    assert [str(n) for n in isolate.view_bases(text, "cat", "sch")] == ["cat.b.c", "cat.sch.d", "x.y.z"]
