"""How a reference gets its new name, for each way to write it: the whole text before and after."""

from __future__ import annotations

import pytest
from tests.migrate.plan.planning import NAMES_ONLY, VELOCITY, codes, names, pack, plan, refactored

from brickyard.migrate.model.pack import EmitterRule

V, W = "velocity_analytics_foundation", "wb_velocityanalytics_prd"

IN_PLACE = {
    "a literal": (f'spark.table("{V}.a")', f'spark.table("{W}.loyalty.a")'),
    "backticks": (f'spark.sql("SELECT * FROM `{V}`.`a`")', f'spark.sql("SELECT * FROM {W}.loyalty.a")'),
    "a field, the rest kept": (
        f'db = "{V}"\nspark.sql(f"SELECT * FROM {{db}}.a WHERE x = 1")',
        f'db = "{V}"\nspark.sql(f"SELECT * FROM {W}.loyalty.a WHERE x = 1")',
    ),
    "a prefix taken away": (
        f'db = "{V}"\nspark.sql(f"SELECT * FROM {{db}}.staging_a")',
        f'db = "{V}"\nspark.sql(f"SELECT * FROM {W}.staging.a")',
    ),
    "a loop over tables": (
        f'for t in ["a", "b"]:\n    spark.table(f"{V}.{{t}}")',
        f'for t in ["a", "b"]:\n    spark.table(f"{W}.loyalty.{{t}}")',
    ),
    "a counted slot": (
        f'spark.sql("SELECT * FROM {{}}.a WHERE x = {{}}".format("{V}", 5))',
        f'spark.sql("SELECT * FROM {{}}.a WHERE x = {{}}".format("{W}.loyalty", 5))',
    ),
    "a percent slot with a prefix taken away": (
        f'spark.sql("SELECT * FROM %s.staging_%s" % ("{V}", "a"))',
        f'spark.sql("SELECT * FROM %s.%s" % ("{W}.staging", "a"))',
    ),
    "a named slot": (
        f'spark.sql("SELECT * FROM {{d}}.a".format(d="{V}"))',
        f'spark.sql("SELECT * FROM {W}.loyalty.a".format(d="{V}"))',
    ),
    "a sum in SQL": (
        f'db = "{V}"\nspark.sql("SELECT * FROM " + db + ".a WHERE x")',
        f'db = "{V}"\nspark.sql("SELECT * FROM " + "{W}.loyalty" + ".a WHERE x")',
    ),
    "a sum that ends in a value": (
        f't = "staging_a"\nspark.sql("SELECT * FROM {V}." + t + " x")',
        f't = "staging_a"\nspark.sql("SELECT * FROM {W}.staging.a" + " x")',
    ),
    "literals side by side": (
        f"spark.sql(\"SELECT * FROM {V}\" '.staging_a')",
        f"spark.sql(\"SELECT * FROM {W}.staging.a\" + '')",
    ),
    "an expression of one value": (
        f'spark.table(".".join(["{V}", "a"]))',
        f'spark.table("{W}.loyalty.a")',
    ),
    "a marker": (
        f'spark.sql("SELECT * FROM IDENTIFIER(:t)", args={{"t": "{V}.a"}})',
        f'spark.sql("SELECT * FROM {W}.loyalty.a", args={{"t": "{V}.a"}})',
    ),
    "a current schema": (
        f'spark.sql("USE {V}")\nspark.table("rpt_a")',
        f'spark.sql("USE {W}.loyalty")\nspark.table("{W}.reporting_loyalty.rpt_a")',
    ),
}

BY_DEFINITION = {
    "a constant": (
        f'name = "{V}.a"\nprint(name)\nspark.table(name)',
        f'name = "{W}.loyalty.a"\nprint(name)\nspark.table(name)',
    ),
    "a constant put together": (
        f'S = "{V}"\nname = S + ".a"\nspark.table(name)',
        f'S = "{V}"\nname = "{W}.loyalty.a"\nspark.table(name)',
    ),
    "a loop over whole names": (
        f'for t in ["{V}.a", "{V}.staging_b", "{W}.loyalty.c"]:\n    spark.table(t)',
        f'for t in ["{W}.loyalty.a", "{W}.staging.b", "{W}.loyalty.c"]:\n    spark.table(t)',
    ),
    "a loop in which one prefix goes": (
        f'for t in ["a", "staging_b"]:\n    spark.table(f"{V}.{{t}}")',
        f'for t in ["{W}.loyalty.a", "{W}.staging.b"]:\n    spark.table(f"{{t}}")',
    ),
    "branches": (
        f'if x():\n    db = "{V}"\nelse:\n    db = "va_alms_prd"\nspark.table(f"{{db}}.a")',
        f'if x():\n    db = "{W}.loyalty"\nelse:\n    db = "edp_prd.silver_alms"\nspark.table(f"{{db}}.a")',
    ),
    "a table of names": (
        f'c = {{"in": "{V}.a", "out": "{V}.rpt_b"}}\nspark.table(c["in"]).write.saveAsTable(c["out"])',
        f'c = {{"in": "{W}.loyalty.a", "out": "{W}.reporting_loyalty.rpt_b"}}\n'
        'spark.table(c["in"]).write.saveAsTable(c["out"])',
    ),
    "a widget's default": (
        f'dbutils.widgets.text("t", "{V}.a")\nspark.table(dbutils.widgets.get("t"))',
        f'dbutils.widgets.text("t", "{W}.loyalty.a")\nspark.table(dbutils.widgets.get("t"))',
    ),
}

BY_HANDS = {
    "a value that is also compared": f'for t in ["{V}.a", "{V}.b"]:\n    if t == "{V}.a":\n        pass\n    spark.table(t)',
    "a value that is also a column's text": (
        f'for t in ["{V}.a", "{V}.b"]:\n    spark.sql(f"SELECT \'{{t}}\' AS source FROM {{t}}")'
    ),
    "a value handed to something unknown": f'for t in ["{V}.a", "{V}.b"]:\n    audit(t)\n    spark.table(t)',
    "a value that also names a view": f'for t in ["a", "staging_b"]:\n    spark.table(f"{V}.{{t}}").createOrReplaceTempView(t)',
    "names that need two different prefixes of one value": (
        f'for t in ["a", "staging_b"]:\n    for p in ["x", "y"]:\n        spark.table(f"{V}.{{t}}_{{p}}")'
    ),
    "a widget that is given": 'spark.table(dbutils.widgets.get("given"))',
}


@pytest.mark.parametrize("before, after", IN_PLACE.values(), ids=IN_PLACE)
def test_a_name_is_changed_where_it_is_written(before: str, after: str):
    assert refactored(before) == after


@pytest.mark.parametrize("before, after", BY_DEFINITION.values(), ids=BY_DEFINITION)
def test_a_name_is_changed_where_its_value_is_defined_when_all_uses_agree(before: str, after: str):
    assert refactored(before) == after


@pytest.mark.parametrize("text", BY_HANDS.values(), ids=BY_HANDS)
def test_a_name_whose_value_serves_something_else_is_left_to_hands(text: str):
    made = plan(text, params={"given": f"{V}.a"})
    assert made.refactored == made.notebook.text if made.notebook else False
    assert "name-computed" in dict(codes(made))


@pytest.mark.parametrize(
    "before, after", [*IN_PLACE.values(), *BY_DEFINITION.values()], ids=[*IN_PLACE, *BY_DEFINITION]
)
def test_a_second_plan_finds_the_new_names_and_nothing_to_do(before: str, after: str):
    first, second = plan(before), plan(after)
    assert [edit for edit in second.edits if edit.applied] == []
    assert {row.original for row in second.references} == {row.refactored for row in first.references}


def test_columns_qualified_by_a_table_follow_its_name():
    before = f"SELECT staging_a.id, {V}.b.x, c.y FROM {V}.staging_a, {V}.b, {V}.b c WHERE staging_a.id = b.id"
    after = f"SELECT a.id, b.x, c.y FROM {W}.staging.a, {W}.loyalty.b, {W}.loyalty.b c WHERE a.id = b.id"
    assert refactored(before, "n.sql") == after


def test_a_qualifier_that_would_be_ambiguous_takes_the_whole_name():
    before = f"SELECT {V}.a.id FROM {V}.a JOIN va_alms_prd.a ON {V}.a.id = va_alms_prd.a.id"
    after = (
        f"SELECT {W}.loyalty.a.id FROM {W}.loyalty.a JOIN edp_prd.silver_alms.a "
        f"ON {W}.loyalty.a.id = edp_prd.silver_alms.a.id"
    )
    assert refactored(before, "n.sql") == after


def test_templates_of_sql_cells_are_filled_and_conditional_on_their_widget():
    made = plan(
        f'dbutils.widgets.text("db", "{V}")\n\n# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC SELECT * FROM ${{db}}.staging_a, $db.b, IDENTIFIER(:db || \'.c\')'
    )
    assert made.refactored is not None
    assert made.refactored.splitlines()[-1] == f"# MAGIC SELECT * FROM {W}.staging.a, {W}.loyalty.b, {W}.loyalty.c"
    assert {(c.text, c.holds) for edit in made.edits for c in edit.conditions} == {
        (f"the widget db is '{V}', as planned", True)
    }


def test_a_names_parts_are_quoted_where_they_must_be():
    rules = pack("mappings: [{id: a, schema: s, to: 'my-cat.s.{name}'}]\nrewrites: {references: {}}\n")
    assert refactored("SELECT * FROM s.t", "n.sql", rules=rules) == "SELECT * FROM `my-cat`.s.t"


WIDGETS = f"""-- Databricks notebook source
CREATE WIDGET TEXT catalogue_name DEFAULT '{W}';
CREATE WIDGET TEXT source_schema DEFAULT 'loyalty';
CREATE WIDGET TEXT target_schema DEFAULT 'loyalty';

-- COMMAND ----------

"""


@pytest.mark.parametrize(
    ("style", "dbr", "source", "target"),
    [
        ("literal", "15.4", f"{W}.loyalty.b", f"{W}.loyalty.a"),
        ("identifier", "13.3", f"{W}.loyalty.b", f"{W}.loyalty.a"),
        (
            "identifier",
            "15.4",
            "IDENTIFIER(:catalogue_name || '.' || :source_schema || '.b')",
            "IDENTIFIER(:catalogue_name || '.' || :target_schema || '.a')",
        ),
        (
            "coalesced",
            "18.0",
            "IDENTIFIER(:catalogue_name '.' :source_schema '.b')",
            "IDENTIFIER(:catalogue_name '.' :target_schema '.a')",
        ),
    ],
)
def test_names_are_written_in_the_style_of_the_runtime_by_the_widgets_that_are_there(
    style: str, dbr: str, source: str, target: str
):
    emitter = (EmitterRule.model_validate({"dbr": "9.1", "style": style}),)
    rules = NAMES_ONLY.model_copy(update={"emitter": emitter})
    text = WIDGETS + f"INSERT INTO {V}.a SELECT * FROM {V}.b;\nOPTIMIZE {V}.a;\nINSERT INTO {V}.staging_c SELECT 1"
    made = plan(text, "n.sql", rules=rules, dbr=dbr)
    assert made.refactored is not None
    assert made.refactored.removeprefix(WIDGETS).splitlines() == [
        f"INSERT INTO {target} SELECT * FROM {source};",
        f"OPTIMIZE {W}.loyalty.a;",
        f"INSERT INTO {W}.staging.c SELECT 1",
    ]
    again = plan(made.refactored, "n.sql", rules=rules, dbr=dbr)
    assert [edit for edit in again.edits if edit.applied] == []
    assert {r.original for r in again.references} == {r.refactored for r in made.references}


def test_two_objects_that_become_one_halt_the_notebook():
    made = plan(f"SELECT * FROM {V}.staging_a JOIN {V}.stage_a USING (id)", "n.sql")
    assert (made.readiness, codes(made)) == ("blocked", [("mapping-collision", 1)])


def test_a_name_that_no_rule_maps_is_null_and_said():
    made = plan("SELECT * FROM unheard_of.t", "n.sql")
    assert [(r.original, r.refactored, r.rule) for r in made.references] == [
        ("foreign_edp_prd_hive.unheard_of.t", None, None)
    ]
    assert codes(made) == [("name-unmapped", 1)]


def test_a_schema_is_changed_when_names_that_depend_on_it_are_taken_out():
    head, between = "spark.sql('USE va_alms_prd')", "\n\n# COMMAND ----------\n\n"
    cells = [head, "# MAGIC %sql\n# MAGIC SELECT * FROM unheard_of.t", "spark.table('a').count()"]
    once = refactored(between.join(cells), rules=VELOCITY)
    assert once.startswith("spark.sql('USE edp_prd.silver_alms')") and "unheard_of" not in once
    assert refactored(once, rules=VELOCITY) == once


def test_a_schema_is_not_changed_while_names_without_one_are_left():
    text = f"USE {V};\nSELECT * FROM {V}.a;\nSELECT * FROM unheard_of.t"
    assert refactored(text, "n.sql") == f"USE {V};\nSELECT * FROM {W}.loyalty.a;\nSELECT * FROM unheard_of.t"


def test_names_in_unity_catalog_are_left_as_they_are():
    made = plan(f"SELECT * FROM {W}.loyalty.a", "n.sql")
    assert [(r.original, r.refactored, r.rule) for r in made.references] == [(f"{W}.loyalty.a", f"{W}.loyalty.a", None)]
    assert names(made) == [(f"{W}.loyalty.a", f"{W}.loyalty.a")]
