"""Notebooks in which every reference is known: where it stands, what it names, and what only looks like one.

A shape is text with its references in ⟦…⟧. `§S` is a legacy schema, `§R` another, `§T` `§U` `§V` tables, `§n` a number
that no other piece of the corpus has. Cells are divided by a line `===`, their language stands behind it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SCHEMAS = ("velocity_analytics_foundation", "va_alms_prd")
CATALOG = "foreign_edp_prd_hive"
_WORDS = [
    "member",
    "points",
    "tier",
    "flight",
    "partner",
    "campaign",
    "booking",
    "account",
    "balance",
    "ledger",
    "event",
    "survey",
    "offer",
    "voucher",
    "cohort",
]
_MARK = re.compile(r"[⟦⟧]")


@dataclass(frozen=True)
class Shape:
    """A way to write references; `names` gives, mark by mark, the names it can take (None: cannot be known)."""

    id: str
    text: str
    names: tuple[tuple[str, ...] | None, ...]
    templated: bool
    decoys: int = 0
    sides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expected:
    """A reference of the corpus: its place as a user counts, the names it can take, its side."""

    shape: str
    text: str
    line: int
    column: int
    end_line: int
    end_column: int
    cell: int
    names: tuple[str, ...] | None
    side: str | None


@dataclass(frozen=True)
class Sample:
    """One generated notebook; `others` are notebooks beside it."""

    path: str
    data: bytes
    expected: tuple[Expected, ...]
    decoys: int
    others: tuple[tuple[str, bytes], ...] = ()


def _shape(identity: str, text: str, *names: str | Sequence[str] | None, decoys: int = 0, sides: str = "") -> Shape:
    given = tuple(None if n is None else (n,) if isinstance(n, str) else tuple(n) for n in names)
    return Shape(identity, text.strip("\n"), given, identity.startswith("t-"), decoys, tuple(sides.split()))


T, U, V = "§S.§T", "§S.§U", "§R.§V"

SHAPES: tuple[Shape, ...] = (
    # SQL cells, names written out
    _shape(
        "sql-select",
        "=== sql\nSELECT t.id, t.name FROM ⟦§S.§T⟧ t WHERE t.id > 3 -- from §S.§U",
        T,
        decoys=3,
        sides="read",
    ),
    _shape(
        "sql-join",
        "=== sql\nSELECT a.id, b.x\nFROM ⟦§S.§T⟧ a\n  LEFT JOIN ⟦§R.§V⟧ AS b ON a.id = b.id\n",
        T,
        V,
        decoys=4,
        sides="read read",
    ),
    _shape(
        "sql-comma", "=== sql\nselect * from ⟦§S.§T⟧, ⟦§S.§U⟧ where §T.id = §U.id", T, U, decoys=2, sides="read read"
    ),
    _shape(
        "sql-insert",
        "=== sql\nINSERT INTO ⟦§S.§T⟧ (id, x)\nSELECT id, 'from §S.§V' FROM ⟦§S.§U⟧;",
        T,
        U,
        decoys=1,
        sides="write read",
    ),
    _shape("sql-overwrite", "=== sql\nINSERT OVERWRITE TABLE ⟦§S.§T⟧ SELECT * FROM ⟦§R.§V⟧", T, V, sides="write read"),
    _shape(
        "sql-merge",
        "=== sql\nMERGE INTO ⟦§S.§T⟧ AS t USING ⟦§S.§U⟧ AS s ON t.id = s.id\n"
        "WHEN MATCHED THEN UPDATE SET t.x = s.x\nWHEN NOT MATCHED THEN INSERT *",
        T,
        U,
        decoys=4,
        sides="readwrite read",
    ),
    _shape("sql-update", "=== sql\nUPDATE ⟦§S.§T⟧ SET x = 1 WHERE note = 'db.§U'", T, decoys=1, sides="readwrite"),
    _shape(
        "sql-delete", "=== sql\nDELETE FROM ⟦§S.§T⟧ WHERE id IN (SELECT id FROM ⟦§S.§U⟧)", T, U, sides="readwrite read"
    ),
    _shape(
        "sql-truncate", "=== sql\n/* §S.§U\n stays */\nTRUNCATE TABLE ⟦§S.§T⟧;\nSELECT 1", T, decoys=1, sides="write"
    ),
    _shape(
        "sql-ctas",
        "=== sql\nCREATE OR REPLACE TABLE ⟦§S.§T⟧ USING DELTA AS\nSELECT * FROM ⟦§S.§U⟧",
        T,
        U,
        sides="write read",
    ),
    _shape("sql-view", "=== sql\nCREATE OR REPLACE VIEW ⟦§S.§T⟧ AS SELECT * FROM ⟦§S.§U⟧", T, U, sides="write read"),
    _shape("sql-optimize", "=== sql\nOPTIMIZE ⟦§S.§T⟧ ZORDER BY (id)", T),
    _shape("sql-vacuum", "=== sql\nVACUUM ⟦§S.§T⟧ RETAIN 168 HOURS", T),
    _shape("sql-analyze", "=== sql\nANALYZE TABLE ⟦§S.§T⟧ COMPUTE STATISTICS FOR ALL COLUMNS", T),
    _shape(
        "sql-describe", "=== sql\nDESCRIBE HISTORY ⟦§S.§T⟧;\nDESCRIBE TABLE EXTENDED ⟦§S.§U⟧", T, U, sides="read read"
    ),
    _shape("sql-cache", "=== sql\nCACHE TABLE hot_§n AS SELECT * FROM ⟦§S.§T⟧;\nSELECT * FROM hot_§n", T, decoys=2),
    _shape(
        "sql-union",
        "=== sql\nSELECT id FROM ⟦§S.§T⟧\nUNION ALL\nSELECT id FROM (SELECT id FROM ⟦§R.§V⟧) q WHERE q.id > 1",
        T,
        V,
        decoys=1,
        sides="read read",
    ),
    _shape(
        "sql-cte",
        "=== sql\nWITH §T AS (\n  SELECT * FROM ⟦§S.§T⟧\n), other AS (SELECT * FROM §T)\nSELECT §T.id FROM §T JOIN other ON other.id = §T.id",
        T,
        decoys=7,
        sides="read",
    ),
    _shape(
        "sql-exists",
        "=== sql\nSELECT 1 WHERE EXISTS (SELECT 1 FROM ⟦§S.§T⟧ x WHERE x.id = 2)",
        T,
        decoys=1,
        sides="read",
    ),
    _shape("sql-backticks", "=== sql\nSELECT `a`.`id` FROM ⟦`§S`.`§T`⟧ `a`", T, decoys=1, sides="read"),
    _shape(
        "sql-three",
        "=== sql\nSELECT * FROM ⟦hive_metastore.§S.§T⟧ JOIN ⟦spark_catalog.§S.§U⟧ u USING (id)",
        T,
        U,
        sides="read read",
    ),
    _shape("sql-travel", "=== sql\nSELECT * FROM ⟦§S.§T⟧ VERSION AS OF 3 t", T, sides="read"),
    _shape("sql-clone", "=== sql\nCREATE OR REPLACE TABLE ⟦§S.§T⟧ DEEP CLONE ⟦§S.§U⟧", T, U, sides="write read"),
    _shape(
        "sql-tempview",
        "=== sql\nCREATE OR REPLACE TEMP VIEW §T AS SELECT * FROM ⟦§S.§T⟧\n=== sql\nSELECT §T.id FROM §T -- §S.§T",
        T,
        decoys=4,
        sides="read",
    ),
    _shape("sql-function", "=== sql\nSELECT ⟦§S.§T⟧(x), upper(y) FROM ⟦§S.§U⟧", T, U, decoys=1, sides="read read"),
    _shape("sql-qualified", "=== sql\nSELECT §S.§T.id FROM ⟦§S.§T⟧ WHERE §T.x IS NULL", T, decoys=2, sides="read"),
    _shape("sql-drop", "=== sql\nDROP TABLE IF EXISTS ⟦§S.§T⟧", T),
    _shape("sql-show", "=== sql\nSHOW COLUMNS IN ⟦§S.§T⟧;\nREFRESH TABLE ⟦§S.§U⟧", T, U),
    # SQL cells, names given by widgets and settings
    _shape(
        "t-sql-brace",
        '=== python\ndbutils.widgets.text("db§n", "§S")\n=== sql\nSELECT * FROM ⟦${db§n}.§T⟧ WHERE x = \'${db§n}.y\'',
        T,
        decoys=1,
        sides="read",
    ),
    _shape(
        "t-sql-dollar",
        '=== python\ndbutils.widgets.dropdown("db§n", "§S", ["§S", "x"])\n=== sql\nSELECT * FROM ⟦$db§n.§T⟧ a',
        T,
        sides="read",
    ),
    _shape(
        "t-sql-insert",
        '=== python\ndbutils.widgets.text("db§n", "§S")\n=== sql\nINSERT INTO ⟦${db§n}.§T⟧ SELECT * FROM ⟦${db§n}.§U⟧',
        T,
        U,
        sides="write read",
    ),
    _shape(
        "t-sql-fragment",
        '=== python\ndbutils.widgets.text("part§n", "§T")\n=== sql\nSELECT * FROM ⟦§S.${part§n}⟧ q',
        T,
        decoys=1,
        sides="read",
    ),
    _shape(
        "t-sql-created",
        "=== sql\nCREATE WIDGET TEXT w§n DEFAULT '§S';\n=== sql\nSELECT * FROM ⟦${w§n}.§T⟧",
        T,
        decoys=1,
        sides="read",
    ),
    _shape("t-sql-set", "=== sql\nSET base§n = §S;\nSELECT * FROM ⟦${base§n}.§T⟧;", T, decoys=1, sides="read"),
    _shape(
        "t-sql-identifier",
        '=== python\ndbutils.widgets.text("db§n", "§S")\n=== sql\nSELECT * FROM IDENTIFIER(⟦:db§n || \'.§T\'⟧)',
        T,
        sides="read",
    ),
    _shape(
        "t-sql-mustache",
        '=== python\ndbutils.widgets.text("db§n", "§S")\n=== sql\nSELECT * FROM ⟦{{db§n}}.§T⟧',
        T,
        sides="read",
    ),
    _shape(
        "t-sql-use",
        "=== sql\nUSE §S;\nSELECT * FROM ⟦§T⟧ JOIN ⟦§U⟧ ON §T.id = §U.id\n=== sql\nUSE nowhere_§n",
        T,
        U,
        decoys=3,
        sides="read read",
    ),
    _shape(
        "t-sql-use-schema",
        '=== python\nspark.sql(f"USE §S")\ndf§n = spark.table("⟦§T⟧")\nspark.sql("USE nowhere")',
        T,
        decoys=2,
        sides="read",
    ),
    # Python, names written out
    _shape(
        "py-sql",
        "=== python\ndf§n = spark.sql(\"SELECT * FROM ⟦§S.§T⟧ WHERE note = '§S.§U'\")  # §S.§V",
        T,
        decoys=2,
        sides="read",
    ),
    _shape(
        "py-sql-lines",
        '=== python\ndf§n = spark.sql("""\n  SELECT a.id\n  FROM ⟦§S.§T⟧ a -- §S.§V\n  JOIN ⟦§S.§U⟧ b ON a.id = b.id\n""")',
        T,
        U,
        decoys=4,
        sides="read read",
    ),
    _shape(
        "py-sql-write", "=== python\nspark.sql('INSERT INTO ⟦§S.§T⟧ SELECT * FROM ⟦§R.§V⟧')", T, V, sides="write read"
    ),
    _shape("py-table", '=== python\ndf§n = spark.table("⟦§S.§T⟧").where("§S.§U > 1")', T, decoys=1, sides="read"),
    _shape(
        "py-read-table", "=== python\ndf§n = spark.read.table('⟦§S.§T⟧')\nprint(\"§S.§T\")", T, decoys=1, sides="read"
    ),
    _shape(
        "py-read-format",
        '=== python\ndf§n = (spark.read.format("delta")\n  .option("versionAsOf", 3)\n  .table("⟦§S.§T⟧"))',
        T,
        sides="read",
    ),
    _shape(
        "py-save", '=== python\ndf§n.write.mode("overwrite").format("delta").saveAsTable("⟦§S.§T⟧")', T, sides="write"
    ),
    _shape("py-save-append", '=== python\ndf§n.write.saveAsTable(name="⟦§S.§T⟧", mode="append")', T, sides="write"),
    _shape("py-insert", '=== python\ndf§n.select("id").write.insertInto("⟦§S.§T⟧", overwrite=True)', T, sides="write"),
    _shape("py-write-to", '=== python\ndf§n.writeTo("⟦§S.§T⟧").append()', T, sides="write"),
    _shape(
        "py-delta",
        '=== python\nfrom delta.tables import DeltaTable\nDeltaTable.forName(spark, "⟦§S.§T⟧").delete("x = \'§S.§U\'")',
        T,
        decoys=1,
        sides="readwrite",
    ),
    _shape(
        "py-catalog",
        '=== python\nif spark.catalog.tableExists("⟦§S.§T⟧"):\n    spark.catalog.refreshTable("⟦§S.§U⟧")',
        T,
        U,
        sides="read read",
    ),
    _shape("py-alias", '=== python\nrun§n = spark.sql\nrun§n("TRUNCATE TABLE ⟦§S.§T⟧")', T, sides="write"),
    _shape(
        "py-alias-session", '=== python\ns§n = spark\ndf§n = s§n.table("⟦§S.§T⟧")\ns§n.sql("OPTIMIZE ⟦§S.§U⟧")', T, U
    ),
    _shape("py-raw", "=== python\nspark.sql(r\"SELECT * FROM ⟦§S.§T⟧ WHERE x RLIKE '\\d+'\")", T, sides="read"),
    _shape("py-escapes", '=== python\nspark.sql("SELECT \\"a\\", \\u00e9\\t1\\nFROM ⟦§S.§T⟧\\n")', T, sides="read"),
    _shape(
        "py-adjacent",
        '=== python\nspark.sql("SELECT * "  # §S.§V\n          "FROM ⟦§S.§T⟧ "\n          \'JOIN ⟦§S.§U⟧ USING (id)\')',
        T,
        U,
        decoys=1,
        sides="read read",
    ),
    _shape(
        "py-variable",
        '=== python\nq§n = "SELECT * FROM ⟦§S.§T⟧"\nunused§n = "SELECT * FROM §S.§U"\ndf§n = spark.sql(q§n)',
        T,
        decoys=1,
        sides="read",
    ),
    _shape(
        "py-view",
        '=== python\ndf§n = spark.table("⟦§S.§T⟧")\ndf§n.createOrReplaceTempView("§T")\nspark.sql("SELECT §T.id FROM §T")',
        T,
        decoys=3,
        sides="read",
    ),
    _shape(
        "py-nested",
        '=== python\nout§n = spark.table("⟦§S.§T⟧").join(spark.table("⟦§S.§U⟧"), "id").count()',
        T,
        U,
        sides="read read",
    ),
    _shape(
        "py-unicode",
        '=== python\nnote§n = "Überweisung é ✈"; df§n = spark.sql("SELECT \'✈\' AS é FROM ⟦§S.§T⟧")',
        T,
        sides="read",
    ),
    _shape(
        "py-with",
        '=== python\ntry:\n    df§n = spark.table("⟦§S.§T⟧")\nexcept Exception:\n    df§n = spark.table("⟦§S.§U⟧")',
        T,
        U,
        sides="read read",
    ),
    # Python, names put together
    _shape(
        "t-py-constant",
        '=== python\ndb§n = "§S"\ndf§n = spark.sql(f"SELECT * FROM ⟦{db§n}.§T⟧ WHERE x = \'{db§n}.y\'")',
        T,
        decoys=1,
        sides="read",
    ),
    _shape(
        "t-py-widget",
        '=== python\ndbutils.widgets.text("db§n", "§S")\ndb§n = dbutils.widgets.get("db§n")\n=== python\n'
        'spark.sql(f"""INSERT INTO ⟦{db§n}.§T⟧\nSELECT * FROM ⟦{db§n}.§U⟧ u""")',
        T,
        U,
        decoys=1,
        sides="write read",
    ),
    _shape(
        "t-py-format", '=== python\nspark.sql("SELECT * FROM ⟦{}.§T⟧ WHERE id = {}".format("§S", 5))', T, sides="read"
    ),
    _shape(
        "t-py-format-named",
        '=== python\nspark.sql("SELECT * FROM ⟦{db}.§T⟧ a JOIN ⟦{db}.§U⟧ b USING (id)".format(db="§S"))',
        T,
        U,
        decoys=2,
        sides="read read",
    ),
    _shape(
        "t-py-format-later",
        '=== python\nq§n = "SELECT * FROM ⟦{0}.{1}⟧ x"\nspark.sql(q§n.format("§S", "§T"))',
        T,
        decoys=1,
        sides="read",
    ),
    _shape(
        "t-py-percent",
        '=== python\ndb§n = "§S"\nspark.sql("SELECT * FROM ⟦%s.§T⟧ WHERE d = \'%s\'" % (db§n, "x.y"))',
        T,
        decoys=1,
        sides="read",
    ),
    _shape("t-py-percent-one", '=== python\nspark.sql("TRUNCATE TABLE ⟦%s.§T⟧" % "§S")', T, sides="write"),
    _shape("t-py-percent-named", '=== python\nspark.sql("SELECT * FROM ⟦%(db)s.§T⟧" % {"db": "§S"})', T, sides="read"),
    _shape(
        "t-py-concat",
        '=== python\ndb§n = "§S"\nspark.sql("SELECT * FROM " + ⟦db§n + ".§T⟧ WHERE x = 1")',
        T,
        sides="read",
    ),
    _shape("t-py-concat-name", '=== python\ndb§n = "§S"\ndf§n = spark.table(⟦db§n + ".§T"⟧)', T, sides="read"),
    _shape(
        "t-py-concat-end",
        '=== python\ntbl§n = "§T"\nspark.sql("SELECT * FROM ⟦§S." + tbl§n⟧ + " WHERE x = 1")',
        T,
        sides="read",
    ),
    _shape("t-py-join", '=== python\ndf§n = spark.table(⟦".".join(["§S", "§T"])⟧)', T, sides="read"),
    _shape("t-py-loop", '=== python\nfor t§n in ["§T", "§U"]:\n    spark.sql(f"OPTIMIZE ⟦§S.{t§n}⟧")', (T, U)),
    _shape(
        "t-py-loop-name",
        '=== python\nfor t§n in ("§S.§T", "§S.§U"):\n    print(t§n)\n    df = spark.table(⟦t§n⟧)',
        (T, U),
        sides="read",
    ),
    _shape(
        "t-py-loop-pairs",
        '=== python\nfor db§n, t§n in [("§S", "§T"), ("§R", "§V")]:\n    df = spark.read.table(f"⟦{db§n}.{t§n}⟧")',
        (T, V),
        sides="read",
    ),
    _shape(
        "t-py-dict",
        '=== python\ncfg§n = {"in": "§S.§T", "out": "§S.§U"}\nspark.table(⟦cfg§n["in"]⟧).write.saveAsTable(⟦cfg§n["out"]⟧)',
        T,
        U,
        sides="read write",
    ),
    _shape(
        "t-py-dict-loop",
        '=== python\nfor k§n, v§n in {"§S": "§T", "§R": "§V"}.items():\n    spark.sql(f"SELECT * FROM ⟦{k§n}.{v§n}⟧ z")',
        (T, V),
        decoys=1,
        sides="read",
    ),
    _shape("t-py-name", '=== python\nname§n = "§S.§T"\n=== python\ndf§n = spark.table(⟦name§n⟧)', T, sides="read"),
    _shape(
        "t-py-branch",
        '=== python\nif dbutils.widgets.get("env§n") == "prd":\n    db§n = "§S"\nelse:\n    db§n = "§R"\ndf§n = spark.table(f"⟦{db§n}.§T⟧")',
        (T, "§R.§T"),
        sides="read",
    ),
    _shape(
        "t-py-branch-pair",
        '=== python\nif is_prod§n():\n    db§n, t§n = "§S", "§T"\nelse:\n    db§n, t§n = "§R", "§V"\nspark.sql(f"SELECT * FROM ⟦{db§n}.{t§n}⟧")',
        (T, V),
        sides="read",
    ),
    _shape(
        "t-py-ifexp",
        '=== python\ndb§n = "§S" if flag§n else "§R"\ndf§n = spark.table(f"⟦{db§n}.§T⟧")',
        (T, "§R.§T"),
        sides="read",
    ),
    _shape(
        "t-py-returned",
        '=== python\ndef full§n(t, db="§S"):\n    return f"{db}.{t}"\ndf§n = spark.table(⟦full§n("§T")⟧)',
        T,
        sides="read",
    ),
    _shape(
        "t-py-parameter",
        '=== python\ndef load§n(t):\n    """Loads §S.§V."""\n    return spark.table(f"⟦§S.{t}⟧")\na = load§n("§T")\nb = load§n("§U")',
        (T, U),
        decoys=1,
        sides="read",
    ),
    _shape(
        "t-py-comprehension",
        '=== python\ndfs§n = [spark.table(f"⟦§S.{t}⟧") for t in ["§T", "§U"]]',
        (T, U),
        sides="read",
    ),
    _shape(
        "t-py-methods", '=== python\nraw§n = "  §S.§T "\ndf§n = spark.table(⟦raw§n.strip().lower()⟧)', T, sides="read"
    ),
    _shape(
        "t-py-replace",
        '=== python\ntpl§n = "SELECT * FROM DB.X"\nname§n = "DB.X".replace("DB", "§S").replace("X", "§T")\ndf§n = spark.table(⟦name§n⟧)',
        T,
        decoys=1,
        sides="read",
    ),
    _shape(
        "t-py-grown",
        '=== python\nq§n = "SELECT * "\nq§n += "FROM ⟦§S.§T⟧ "\nq§n += "WHERE id = 1"\nspark.sql(q§n)',
        T,
        sides="read",
    ),
    _shape(
        "t-py-conf",
        '=== python\nspark.conf.set("x.db§n", "§S")\ndb§n = spark.conf.get("x.db§n")\ndf§n = spark.table(f"⟦{db§n}.§T⟧")',
        T,
        sides="read",
    ),
    _shape(
        "t-py-reassigned",
        '=== python\ndb§n = "§S"\ndf§n = spark.table(f"⟦{db§n}.§T⟧")\n=== python\ndb§n = "§R"\ndf§n = spark.table(f"⟦{db§n}.§V⟧")',
        T,
        V,
        sides="read read",
    ),
    _shape(
        "t-py-range",
        '=== python\nfor i§n in range(1, 3):\n    spark.sql(f"ANALYZE TABLE ⟦§S.§T_{i§n}⟧ COMPUTE STATISTICS")',
        ("§S.§T_1", "§S.§T_2"),
    ),
    _shape(
        "t-py-through",
        '=== python\nbase§n = "§S"\nsrc§n = f"{base§n}.§T"\nspark.sql(f"SELECT * FROM ⟦{src§n}⟧ s")',
        T,
        decoys=1,
        sides="read",
    ),
    _shape(
        "t-py-fragment",
        '=== python\nwhere§n = "WHERE id IN (SELECT id FROM ⟦§S.§U⟧)"\nspark.sql(f"SELECT * FROM ⟦§S.§T⟧ {where§n}")',
        U,
        T,
        sides="read read",
    ),
    _shape(
        "t-py-dedent",
        '=== python\nimport textwrap\nspark.sql(textwrap.dedent("""\n    SELECT *\n    FROM ⟦§S.§T⟧ d\n"""))',
        T,
        sides="read",
    ),
    _shape(
        "t-py-argument",
        '=== python\ndbutils.widgets.text("w§n", "§S.§T")\ndf§n = spark.table(⟦getArgument("w§n")⟧)',
        T,
        sides="read",
    ),
    _shape(
        "t-py-args", '=== python\nspark.sql("SELECT * FROM IDENTIFIER(⟦:t⟧)", args={"t": "§S.§T"})', T, sides="read"
    ),
    _shape(
        "t-py-views",
        '=== python\nfor t§n in ["§T", "§U"]:\n    spark.table(f"⟦§S.{t§n}⟧").createOrReplaceTempView(f"v_{t§n}")\nspark.sql("SELECT * FROM v_§T JOIN v_§U")',
        (T, U),
        decoys=2,
        sides="read",
    ),
    _shape("t-py-run", '=== run child_§n\n=== python\ndf§n = spark.table(f"⟦{child_db§n}.§T⟧")', T, sides="read"),
    _shape(
        "t-py-spec",
        '=== python\ndb§n = "§S"\nspark.sql(f"""SELECT {{}} AS x, {1 + 1} FROM ⟦{db§n}.§T⟧""")',
        T,
        sides="read",
    ),
    # what cannot be known
    _shape(
        "u-environ",
        '=== python\nimport os\ndb§n = os.environ["DB"]\ndf§n = spark.table(f"⟦{db§n}.§T⟧")',
        None,
        sides="read",
    ),
    _shape("u-parameter", "=== python\ndef uncalled§n(t):\n    return spark.table(⟦t⟧)", None, sides="read"),
    _shape(
        "u-widget",
        '=== python\nw§n = dbutils.widgets.get("never§n")\nspark.sql(f"SELECT * FROM ⟦{w§n}.§T⟧")',
        None,
        sides="read",
    ),
    _shape(
        "u-imported", '=== python\nfrom conf§n import DB\nspark.sql(f"TRUNCATE TABLE ⟦{DB}.§T⟧")', None, sides="write"
    ),
)

DECOYS: tuple[tuple[str, int], ...] = (
    ("=== markdown\n# Reads §S.§T and §S.§U", 2),
    ('=== python\nprint("loaded §S.§T")\nlog_§n = {"table": "§S.§U"}', 2),
    ("=== python\n# spark.table('§S.§T')\nmember_§n = points_§n.tier", 2),
    ('=== python\n"""Docs: spark.sql(\'SELECT * FROM §S.§T\')"""\nnever_§n = f"SELECT * FROM §S.{1}"', 2),
    ("=== sql\n-- SELECT * FROM §S.§T\nSELECT 'from §S.§U' AS note, \"§S.§V\" AS other", 3),
    ("=== sql\nWITH a§n AS (SELECT 1 AS id), b§n AS (SELECT id FROM a§n) SELECT b§n.id FROM b§n", 3),
    ("=== sql\nCREATE TEMP VIEW v§n AS SELECT 1 AS id;\nSELECT v§n.id FROM v§n", 3),
)

FORMATS = ("source-py", "source-py", "ipynb", "source-sql", "bare")


def generate(seed: int = 7, each: int = 50) -> list[Sample]:
    """Make notebooks in which every shape occurs *each* times, those that are put together more often."""
    chosen = random.Random(seed)
    queue = [shape for shape in SHAPES for _ in range(each * 5 // 3 if shape.templated else each)]
    chosen.shuffle(queue)
    samples: list[Sample] = []
    while queue:
        size = min(len(queue), chosen.randint(5, 9))
        taken, queue = queue[:size], queue[size:]
        samples.append(_sample(len(samples), taken, chosen))
    return samples


@dataclass
class _Cell:
    language: str
    text: str
    expected: list[tuple[str, tuple[str, ...] | None, str | None]]
    target: str = ""


def _sample(number: int, shapes: Sequence[Shape], chosen: random.Random) -> Sample:
    cells: list[_Cell] = []
    decoys = 0
    others: list[tuple[str, bytes]] = []
    for shape in shapes:
        made, child = _instance(shape, chosen)
        cells += made
        decoys += shape.decoys
        others += child
        if chosen.random() < 0.45:
            text, count = chosen.choice(DECOYS)
            cells += _cells(_filled(text, chosen)[0], "decoy", iter(()))
            decoys += count
    data, expected = _written(cells, chosen.choice(FORMATS))
    suffix = {"ipynb": ".ipynb"}.get(data[0], ".sql" if data[0] == "source-sql" else ".py")
    return Sample(f"n{number:04}{suffix}", data[1].encode(), tuple(expected), decoys, tuple(others))


_counter = iter(range(10**9))


def _filled(text: str, chosen: random.Random) -> tuple[str, dict[str, str]]:
    """Put names in; the same mark has the same name within one piece."""
    number = str(next(_counter))
    schema, other = chosen.sample(SCHEMAS, 2)
    prefix = chosen.choice(("", "", "", "staging_", "rpt_"))
    words = chosen.sample(_WORDS, 3)
    values = {
        "§n": number,
        "§S": schema,
        "§R": other,
        "§T": f"{prefix if schema == SCHEMAS[0] else ''}{words[0]}_{number}",
        "§U": f"{words[1]}_{number}",
        "§V": f"{words[2]}_{number}",
    }
    return _put(text, values), values


def _put(text: str, values: dict[str, str]) -> str:
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def _instance(shape: Shape, chosen: random.Random) -> tuple[list[_Cell], list[tuple[str, bytes]]]:
    text, values = _filled(shape.text, chosen)
    names = [None if n is None else tuple(_put(name, values) for name in n) for n in shape.names]
    sides = [*shape.sides, *[None] * (len(names) - len(shape.sides))]
    children = []
    if "=== run child_" in text:
        child = f'# Databricks notebook source\nchild_db{values["§n"]} = "{values["§S"]}"\n'
        children.append((f"child_{values['§n']}.py", child.encode()))
    return _cells(text, shape.id, iter(zip(names, sides, strict=True))), children


def _cells(text: str, shape: str, names: Iterator[tuple[tuple[str, ...] | None, str | None]]) -> list[_Cell]:
    found: list[_Cell] = []
    for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        language, _, target = head.partition(" ")
        body = body.rstrip("\n")
        marks = [next(names) for _ in range(body.count("⟦"))]
        found.append(_Cell(language, body, [(shape, *mark) for mark in marks], target))
    return found


def _written(cells: Sequence[_Cell], file_format: str) -> tuple[tuple[str, str], list[Expected]]:
    """Lay the cells out as a file, and note where the marks stand in it."""
    if file_format == "ipynb":
        return _jupyter(cells)
    comment, native = ("--", "sql") if file_format == "source-sql" else ("#", "python")
    blocks = [_block(cell, comment, native, bare=file_format == "bare") for cell in cells]
    text = f"{comment} Databricks notebook source\n" + f"\n\n{comment} COMMAND ----------\n\n".join(blocks) + "\n"
    expected = list(_places(text, cells))
    return (file_format, _MARK.sub("", text)), expected


_MAGICS = {"sql": "%sql", "python": "%python", "markdown": "%md"}


def _block(cell: _Cell, comment: str, native: str, *, bare: bool) -> str:
    if cell.language == native:
        return cell.text
    head = f"%run ./{cell.target}" if cell.language == "run" else _MAGICS[cell.language]
    lines = [head, *cell.text.split("\n")] if cell.text else [head]
    if bare and cell.language == "sql":
        return "\n".join(lines)
    return "\n".join(f"{comment} MAGIC {line}" for line in lines)


def _places(text: str, cells: Sequence[_Cell]) -> Iterator[Expected]:
    """The marked ranges of a whole file, in order; the marks themselves do not count."""
    numbered = [(i, e) for i, cell in enumerate(cells, 1) for e in cell.expected]
    yield from _ranges(text, numbered)


def _ranges(
    text: str, numbered: Sequence[tuple[int, tuple[str, tuple[str, ...] | None, str | None]]]
) -> Iterator[Expected]:
    waiting = iter(numbered)
    line = column = 1
    start: tuple[int, int, int] | None = None
    for index, char in enumerate(text):
        if char == "⟦":
            start = (line, column, index)
        elif char == "⟧":
            assert start is not None
            cell, (shape, names, side) = next(waiting)
            written = _MARK.sub("", text[start[2] : index])
            full = None if names is None else tuple(f"{CATALOG}.{name}" for name in names)
            yield Expected(shape, written, start[0], start[1], line, column, cell, full, side)
        elif char == "\n":
            line, column = line + 1, 1
        else:
            column += 1


def _jupyter(cells: Sequence[_Cell]) -> tuple[tuple[str, str], list[Expected]]:
    made, expected = [], []
    for number, cell in enumerate(cells, 1):
        head = {"python": "", "markdown": "", "run": f"%run ./{cell.target}"}.get(cell.language, f"%{cell.language}\n")
        text = head + cell.text
        expected += _ranges(text, [(number, e) for e in cell.expected])
        source = _MARK.sub("", text).splitlines(keepends=True)
        kind = (
            {"cell_type": "markdown"}
            if cell.language == "markdown"
            else {"cell_type": "code", "execution_count": None, "outputs": []}
        )
        made.append({**kind, "metadata": {}, "source": source})
    document = {"cells": made, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return ("ipynb", json.dumps(document, indent=1, ensure_ascii=False) + "\n"), expected
