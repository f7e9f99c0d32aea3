"""What a notebook names, and what it only seems to name."""

from __future__ import annotations

import json

import pytest
from tests.migrate.plan.planning import codes, names, plan, short, together

V = "velocity_analytics_foundation"

KNOWN = {
    "an alias of the method": ('q = spark.sql\nq("SELECT * FROM va.t")', [("va.t", "va.t")]),
    "a session under another name": ('s = spark\ns.read.table("va.t")', [("va.t", "va.t")]),
    "a session made by hand": (
        'from pyspark.sql import SparkSession\ns = SparkSession.builder.getOrCreate()\ns.table("va.t")',
        [("va.t", "va.t")],
    ),
    "a session made with a name": (
        's = SparkSession.builder.appName("x").getOrCreate()\ns.table("va.t")',
        [("va.t", "va.t")],
    ),
    "Delta's class from its package": (
        'from delta import DeltaTable\nDeltaTable.forName(spark, "va.t")',
        [("va.t", "va.t")],
    ),
    "Delta's class under another name": (
        'from delta.tables import DeltaTable as D\nD.forName(spark, "va.t")',
        [("va.t", "va.t")],
    ),
    "Delta's class through its modules": (
        'import delta\nimport delta.tables as m\ndelta.tables.DeltaTable.forName(spark, "va.t")\nm.DeltaTable.forName(spark, "va.s")',
        [("va.t", "va.t"), ("va.s", "va.s")],
    ),
    "the catalog of the Java session": (
        'spark._jsparkSession.catalog().tableExists("va.t")\nspark._jsparkSession.catalog().tableExists("va", "s")',
        [("va.t", "va.t"), ('"s"', "va.s")],
    ),
    "a dict from keywords": (
        'c = dict(db="a", **{"t": "x"})\nspark.table(f"{c[\'db\']}.{c[\'t\']}")',
        [("{c['db']}.{c['t']}", "a.x")],
    ),
    "a number with leading zeros": (
        'for i in range(1, 3):\n    spark.table(f"a.t{i:02d}")\n    spark.table("a.s%02d" % i)\n    spark.table("a.r{:02d}".format(i))',
        [(f"a.{t}", f"a.{n}0{i}") for t, n in (("t{i:02d}", "t"), ("s%02d", "s"), ("r{:02d}", "r")) for i in (1, 2)],
    ),
    "a template": (
        'from string import Template\nq = Template("SELECT \'$$\' FROM $d.t JOIN ${d}.$s")\nspark.sql(q.substitute({"d": "a"}, s="u"))',
        [("$d.t", "a.t"), ("${d}.$s", "a.u")],
    ),
    "a template without its values": (
        'import string\nspark.sql(string.Template("SELECT * FROM a.$t").safe_substitute(values()))',
        [],
    ),
    "a loop's end": ('while more():\n    break\nelse:\n    spark.table("a.t")', [("a.t", "a.t")]),
    "a method of an object": ('self.spark.sql("TRUNCATE TABLE va.t")', [("va.t", "va.t")]),
    "correlated loop variables": (
        'for d, t in [("a", "x"), ("b", "y")]:\n    spark.table(f"{d}.{t}")',
        [("{d}.{t}", "a.x"), ("{d}.{t}", "b.y")],
    ),
    "nested loops": (
        'for d in ["a", "b"]:\n    for t in ["x"]:\n        spark.table(f"{d}.{t}")',
        [("{d}.{t}", "a.x"), ("{d}.{t}", "b.x")],
    ),
    "zip and enumerate": (
        'for i, (d, t) in enumerate(zip(["a"], ["x"])):\n    spark.table(f"{d}.{t}{i}")',
        [("{d}.{t}{i}", "a.x0")],
    ),
    "a condition that is known": ('P = True\ndb = "a" if P else "b"\nspark.table(f"{db}.t")', [("{db}.t", "a.t")]),
    "code that is switched off": ('DEBUG = False\nif DEBUG:\n    spark.table("a.t")', [("a.t", "a.t")]),
    "a choice of the widget": (
        'dbutils.widgets.text("env", "dev")\ne = dbutils.widgets.get("env")\n'
        'db = "p" if e == "prd" else "d"\nspark.table(f"{db}.t")',
        [("{db}.t", "d.t"), ("{db}.t", "p.t")],
    ),
    "elif": (
        'if a():\n    db = "x"\nelif b():\n    db = "y"\nelse:\n    db = "z"\nspark.table(f"{db}.t")',
        [("{db}.t", "x.t"), ("{db}.t", "y.t"), ("{db}.t", "z.t")],
    ),
    "return by branches": (
        'def db(p):\n    if p:\n        return "x"\n    return "y"\nspark.table(db(unknown()) + ".t")',
        [('db(unknown()) + ".t"', "x.t"), ('db(unknown()) + ".t"', "y.t")],
    ),
    "a raised error": (
        'def db(p):\n    if p:\n        raise ValueError("a.b")\n    return "y"\nspark.table(db(unknown()) + ".t")',
        [('db(unknown()) + ".t"', "y.t")],
    ),
    "recursion": ('def f(n):\n    return f(n)\nf(1)\nspark.table("a.t")', [("a.t", "a.t")]),
    "functions given to others": (
        'def load(t):\n    return spark.table(f"a.{t}")\nlist(map(load, ["x", "y"]))',
        [("a.{t}", "a.x"), ("a.{t}", "a.y")],
    ),
    "a thread pool": (
        'def load(t):\n    spark.sql(f"OPTIMIZE a.{t}")\nwith ThreadPoolExecutor(4) as pool:\n    pool.map(load, ["x", "y"])',
        [("a.{t}", "a.x"), ("a.{t}", "a.y")],
    ),
    "default parameters": ('def f(t, db="a"):\n    spark.table(f"{db}.{t}")\nf("x")', [("{db}.{t}", "a.x")]),
    "starred arguments": (
        'def f(*ts):\n    for t in ts:\n        spark.table(t)\nf("a.x", "a.y")',
        [("t", "a.x"), ("t", "a.y")],
    ),
    "a lambda": ('full = lambda t: "a." + t\nspark.table(full("x"))', [('full("x")', "a.x")]),
    "a growing list": (
        'ts = []\nts.append("a.x")\nts += ["a.y"]\nfor t in ts:\n    spark.table(t)',
        [("t", "a.x"), ("t", "a.y")],
    ),
    "a nested dict": ('c = {"p": {"db": "a"}}\nspark.table(f\'{c["p"]["db"]}.t\')', [('{c["p"]["db"]}.t', "a.t")]),
    "unpacking": ('d, *rest = ["a", "b"]\nx, y = "a", "t"\nspark.table(f"{x}.{y}")', [("{x}.{y}", "a.t")]),
    "a walrus": ('if (db := "a"):\n    spark.table(f"{db}.t")', [("{db}.t", "a.t")]),
    "the split of a text": ('for t in "a.x,a.y".split(","):\n    spark.table(t)', [("t", "a.x"), ("t", "a.y")]),
    "a format with attributes": ('spark.sql("SELECT * FROM {0}.{t}".format("a", t="x"))', [("{0}.{t}", "a.x")]),
    "escaped braces": ('spark.sql("SELECT \'{{}}\' FROM {}.t".format("a"))', [("{}.t", "a.t")]),
    "current schema by the catalog": ('spark.catalog.setCurrentDatabase("a")\nspark.table("t")', [("t", "a.t")]),
    "catalog and schema": ('spark.sql("USE CATALOG c")\nspark.sql("USE a")\nspark.table("t")', [("t", "c.a.t")]),
    "a schema by branches": (
        'if x():\n    spark.sql("USE a")\nelse:\n    spark.sql("USE b")\nspark.table("c.t")',
        [("c.t", "c.t")],
    ),
    "a magic line": ('%pip install x\nspark.table("a.t")', [("a.t", "a.t")]),
    "await and type hints": ('x: str = "a.t"\nspark.table(x)', [("x", "a.t")]),
    "a try": (
        'try:\n    db = "a"\nexcept E:\n    db = "b"\nspark.table(f"{db}.t")',
        [("{db}.t", "a.t"), ("{db}.t", "b.t")],
    ),
    "a match": (
        'match env():\n    case "p":\n        db = "a"\n    case _:\n        db = "b"\nspark.table(f"{db}.t")',
        [("{db}.t", "a.t"), ("{db}.t", "b.t")],
    ),
}

UNKNOWN = {
    "the environment": ('import os\nspark.table(os.environ["T"])', [('os.environ["T"]', None)], ["name-unknown"]),
    "an unknown call": ("spark.table(name())", [("name()", None)], ["name-unknown"]),
    "a loop over what is unknown": ('for t in ts():\n    spark.table(f"a.{t}")', [("a.{t}", None)], ["name-unknown"]),
    "a counter of an unknown loop": (
        'i = 0\nwhile more():\n    i += 1\n    spark.table(f"a.t{i}")',
        [("a.t{i}", None)],
        ["name-unknown"],
    ),
    "a name without schema": ('spark.table("t")', [("t", None)], ["schema-unknown"]),
    "an unknown schema": ('spark.sql(f"USE {db()}")\nspark.table("t")', [("t", None)], ["schema-unknown"]),
    "views of unknown names": (
        f'spark.sql("USE {V}")\ndf.createOrReplaceTempView(name())\nspark.table("t")',
        [("t", None)],
        ["schema-statement", "name-unknown"],
    ),
    "a whole text": ("spark.sql(text())", [], ["sql-unknown"]),
    "a value of a broken cell": (
        'db = "a"\n\n# COMMAND ----------\n\ndb = "b" +\n\n# COMMAND ----------\n\nspark.table(f"{db}.t")',
        [("{db}.t", None)],
        ["cell-unparsable", "name-unknown"],
    ),
    "a format that does not fit": ('t = "x"\nspark.table(f"a.{t:d}")', [("a.{t:d}", None)], ["name-unknown"]),
    "a date in a name": ('spark.table(f"a.t_{today():%Y}")', [("a.t_{today():%Y}", None)], ["name-unknown"]),
    "a widget without a default": (
        'spark.table(dbutils.widgets.get("t"))',
        [('dbutils.widgets.get("t")', None)],
        ["name-unknown"],
    ),
}

NOTHING = {
    "comments and strings": f'# {V}.a\nx = "{V}.b"\nprint(f"read {V}.c")\n"""{V}.d"""',
    "attributes and methods": "df.alias.table(x)\nmodel.sql\nlog.info('a.b')",
    "a query that is not run": f'q = "SELECT * FROM {V}.a"',
    "temporary views": 'df.createOrReplaceTempView("v")\nspark.table("v")\nspark.sql("SELECT v.x FROM v")',
    "computed views": 'for n in ["a", "b"]:\n    df.createOrReplaceTempView(f"v_{n}")\nspark.table("v_a")\nspark.table("v_b")',
    "global views": 'df.createGlobalTempView("g")\nspark.table("global_temp.g")',
    "other readers": 'spark.read.format("jdbc").option("dbtable", "a.b").load()',
    "local files": 'open("notes.txt")\nimport pandas as pd\npd.read_csv("data.csv")',
}


@pytest.mark.parametrize("text, expected", KNOWN.values(), ids=KNOWN)
def test_names_are_found_through_the_language(text: str, expected: list[tuple[str, str]]):
    assert sorted(names(plan(text))) == sorted(expected)


@pytest.mark.parametrize("text, expected, said", UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_known_is_null_and_said(text: str, expected: list[tuple[str, None]], said: list[str]):
    made = plan(text)
    assert (names(made), [code for code, _ in codes(made)]) == (expected, said)


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_what_only_looks_like_a_reference_is_none(text: str):
    made = plan(text)
    assert (names(made), made.findings) == ([], ())


def test_a_parameter_comes_before_a_widgets_default():
    text = 'dbutils.widgets.text("db", "dev")\nspark.table(f"{dbutils.widgets.get(\'db\')}.t")'
    assert [short(r.original) for r in plan(text, params={"db": "prd"}).references] == ["prd.t"]


def test_a_schema_given_by_option_holds_until_the_notebook_says_another():
    text = "SELECT * FROM t;\nUSE b;\nSELECT * FROM u"
    assert names(plan(text, "n.sql", schema="a")) == [("t", "a.t"), ("u", "b.u")]


@pytest.mark.parametrize(
    "write",
    ["df.write.save(f())", "df.write.parquet(f())", 'open(f() + "/x.csv", "w")', "df.toPandas().to_csv(f())"],
)
def test_a_file_that_is_written_and_cannot_be_known_is_null_with_a_finding(write: str):
    made = plan(f"import os\n\ndef f():\n    return os.environ['X']\n\n{write}")
    assert [(r.original, r.kind.value, r.side.value) for r in made.references] == [(None, "path", "write")]
    assert "path-unknown" in [code for code, _ in codes(made)]


def test_files_are_paths():
    text = (
        'spark.read.parquet("/mnt/a")\ndf.write.csv("/mnt/b")\nopen("/dbfs/c", "w")\ndbutils.fs.cp("/mnt/d", "/mnt/e")'
    )
    found = [(r.original, r.kind.value, r.side.value) for r in plan(text).references]
    assert found == [
        ("/mnt/a", "path", "read"),
        ("/mnt/b", "path", "write"),
        ("/dbfs/c", "path", "write"),
        ("/mnt/d", "path", "read"),
        ("/mnt/e", "path", "write"),
    ]


@pytest.mark.parametrize(
    ("text", "side", "verb"),
    [
        ('df.write.saveAsTable("a.t")', "write", "saveAsTable errorifexists"),
        ('df.write.mode("append").saveAsTable("a.t")', "write", "saveAsTable append"),
        ('df.write.insertInto("a.t")', "write", "insertInto append"),
        ('df.write.mode("overwrite").insertInto("a.t")', "write", "insertInto overwrite"),
        ('df.writeTo("a.t").createOrReplace()', "write", "writeTo replace"),
        ('DeltaTable.forName(spark, "a.t").toDF()', "read", "DeltaTable.forName"),
        ('DeltaTable.forName(spark, "a.t").alias("x").merge(df, "x.a = b")', "readwrite", "MERGE"),
        ('spark.sql("CREATE OR REPLACE TABLE a.t AS SELECT 1")', "write", "CREATE TABLE"),
    ],
)
def test_a_reference_says_what_is_done_and_how(text: str, side: str, verb: str):
    [row] = plan(text).references
    assert (row.side.value, row.verb) == (side, verb)


def test_variables_of_a_notebook_that_is_run_are_known_and_its_own_names_are_not_repeated():
    made = together(
        {
            "jobs/main.py": "# Databricks notebook source\n# MAGIC %run ../lib/names\n\n# COMMAND ----------\n\nspark.table(SRC)",
            "lib/names.py": '# Databricks notebook source\nSRC = "a.t"\nspark.table("a.own")\ndf.createOrReplaceTempView("v")',
        }
    )
    assert [names(p) for p in made.notebooks] == [[("SRC", "a.t")], [("a.own", "a.own")]]
    assert made.notebooks[0].children == ("../lib/names",)


def test_a_notebook_that_is_run_with_arguments_can_take_them_all():
    made = together(
        {
            "main.py": '# Databricks notebook source\nfor d, t in [("a", "x"), ("b", "y")]:\n'
            '    dbutils.notebook.run("./child", 60, {"d": d, "t": t})',
            "child.py": "# Databricks notebook source\n"
            'spark.table(f\'{dbutils.widgets.get("d")}.{dbutils.widgets.get("t")}\')',
        }
    )
    assert [short(r.original) for r in made.notebooks[1].references] == ["a.x", "b.y"]


def test_a_child_that_is_missing_or_runs_its_parent_is_no_harm():
    made = together(
        {
            "a.py": "# Databricks notebook source\n# MAGIC %run ./b",
            "b.py": "# Databricks notebook source\n# MAGIC %run ./a",
        }
    )
    assert [codes(p) for p in made.notebooks] == [[], []]
    assert codes(plan("# Databricks notebook source\n# MAGIC %run ./gone")) == [("child-missing", 2)]


def test_one_broken_cell_is_reported_with_its_line_and_the_others_are_refactored():
    made = plan(
        "# Databricks notebook source\nspark.table('va_alms_prd.a')\n\n# COMMAND ----------\n\nx = 1\nif True\n\n"
        "# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC SELECT FROM WHERE (;\n\n# COMMAND ----------\n\n"
        "spark.table('va_alms_prd.b')"
    )
    assert [code for code in codes(made) if code[0] == "cell-unparsable"] == [
        ("cell-unparsable", 7),
        ("cell-unparsable", 12),
    ]
    assert made.refactored is not None
    assert [line for line in made.refactored.splitlines() if "silver_alms" in line] == [
        "spark.table('edp_prd.silver_alms.a')",
        "spark.table('edp_prd.silver_alms.b')",
    ]


def test_scala_and_r_are_said_and_left():
    made = plan('// Databricks notebook source\nspark.table("va_alms_prd.a")\n', "n.scala")
    assert (made.readiness, codes(made)) == ("unsupported", [("language-unsupported", 2)])
    assert made.refactored_bytes == made.original_bytes


def test_a_finding_is_silenced_by_a_comment_at_its_line():
    assert codes(plan("spark.table(name())  # brickyard: ignore name-unknown")) == []
    assert codes(plan("spark.table(name())  # brickyard: ignore other")) == [("name-unknown", 2)]
    assert codes(plan("SELECT * FROM t -- brickyard: ignore schema-unknown, name-unmapped", "n.sql")) == []


def test_positions_are_code_points_of_the_file_and_of_the_cell_in_jupyter():
    text = '# Databricks notebook source\nnote = "é✈"; spark.table("va_alms_prd.a")\n\n# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC SELECT * FROM a.b\n'
    rows = plan(text).references
    assert [
        (r.position.cell, r.position.line, r.position.column, r.position.end_line, r.position.end_column) for r in rows
    ] == [
        (1, 2, 27, 2, 40),
        (2, 7, 23, 7, 26),
    ]
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": ["%sql\n", "SELECT * FROM a.b"],
    }
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    [row] = plan(json.dumps(document), "n.ipynb").references
    assert (row.position.cell, row.position.line, row.position.column, row.position.end_column) == (1, 2, 15, 18)


def test_a_notebook_that_takes_too_long_is_given_up_politely():
    loops = "\n".join(f"{'    ' * n}for x{n} in range(400):" for n in range(4))
    made = plan(f"{loops}\n{'    ' * 4}spark.table(f'a.t{{x0}}{{x1}}{{x2}}{{x3}}')")
    assert made.readiness == "needs hands"
