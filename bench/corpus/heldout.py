"""A second corpus of notebooks with their true references, written from the specification alone by other hands."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

OPEN, CLOSE, END = "\ue000", "\ue001", "\ue002"
CATALOG = "foreign_edp_prd_hive"
SCHEMAS = ("velocity_analytics_foundation", "va_alms_prd", "va_alms_prd", "finance_mart")
NOUNS = (
    "orders",
    "members",
    "points_ledger",
    "staging_txn",
    "rpt_daily",
    "stage_feed",
    "Tier_History",
    "dim_date",
    "x",
    "fact_flights",
)
READ, WRITE, CHANGE, ANY = ("read",), ("write",), ("write", "readwrite"), ("read", "write", "readwrite")


@dataclass(frozen=True)
class Span:
    """A slice of the text, in code points that count from 1."""

    cell: int
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass
class Expected:
    """A reference that is there; where the specification leaves a choice, the spans and names that are right as well."""

    shape: str
    originals: frozenset[str | None]
    sides: tuple[str, ...]
    kinds: tuple[str, ...] = ("relation", "table", "view")
    loose: bool = False  # unknown is as good
    spans: list[Span] = field(default_factory=list)


@dataclass
class Decoy:
    """Text that looks like a reference and is none."""

    shape: str
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Notebook:
    """One file, and the truth about it."""

    path: str
    data: bytes
    form: str
    expected: tuple[Expected, ...]
    decoys: tuple[Decoy, ...]


Cell = tuple[str, str]
Shape = Callable[["Writer"], Sequence[Cell]]
SHAPES: dict[str, Shape] = {}
ALONE: dict[str, Shape] = {}
CHILDREN: dict[str, Shape] = {}


class Writer:
    """Writes marked text, and remembers what each mark stands for."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.marks: dict[int, Expected | Decoy] = {}
        self.shape = ""
        self.count = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def name(self) -> str:
        return f"{self.random.choice(NOUNS)}_{self.number()}"

    def schema(self) -> str:
        return self.random.choice(SCHEMAS)

    def pick(self, *items: Any) -> Any:
        return self.random.choice(items)

    def mark(self, thing: Expected | Decoy, text: str) -> str:
        key = len(self.marks)
        self.marks[key] = thing
        return f"{OPEN}{key}{END}{text}{CLOSE}{key}{END}"

    def expect(self, *originals: str | None, sides: tuple[str, ...] = READ, **more: Any) -> Expected:
        full = (one if one is None or one.count(".") == 2 else f"{CATALOG}.{one}" for one in originals)
        return Expected(self.shape, frozenset(one and one.lower() for one in full), sides, **more)

    def ref(self, text: str, *originals: str | None, sides: tuple[str, ...] = READ, **more: Any) -> str:
        expected = self.expect(*originals, sides=sides, **more)
        if text.lower().startswith("identifier("):  # the relation as written, or its argument expression
            text = text[:11] + self.mark(expected, text[11:-1]) + text[-1]
        return self.mark(expected, text)

    def decoy(self, text: str) -> str:
        return self.mark(Decoy(self.shape), text)

    def table(self, sides: tuple[str, ...] = READ, **more: Any) -> str:
        """A literal name of two or three levels, as people spell them."""
        schema, name = self.schema(), self.name()
        match self.random.randrange(12):
            case 0:
                return self.ref(f"`{schema}`.`{name}`", f"{schema}.{name}", sides=sides, **more)
            case 1:
                return self.ref(f"{schema}.`{name}`", f"{schema}.{name}", sides=sides, **more)
            case 2:
                return self.ref(f"{schema.upper()}.{name.upper()}", f"{schema}.{name}", sides=sides, **more)
            case 3:
                legacy = self.pick("hive_metastore", "spark_catalog", CATALOG)
                return self.ref(f"{legacy}.{schema}.{name}", f"{schema}.{name}", sides=sides, **more)
            case 4:
                return self.ref(f"edp_lab.sandbox.{name}", f"edp_lab.sandbox.{name}", sides=sides, **more)
            case 5:
                return self.ref(f"`{schema}`.{name}", f"{schema}.{name}", sides=sides, **more)
            case _:
                return self.ref(f"{schema}.{name}", f"{schema}.{name}", sides=sides, **more)


def shape(name: str, where: dict[str, Shape] | None = None) -> Callable[[Shape], Shape]:
    def keep(make: Shape) -> Shape:
        (SHAPES if where is None else where)[name] = make
        return make

    return keep


def sql(name: str, *templates: str) -> None:
    """Shapes of SQL from templates: R reads, W writes, C changes, D is a decoy."""

    def make(w: Writer) -> Sequence[Cell]:
        return [("sql", fill(w, w.pick(*templates)))]

    SHAPES[name] = make


def fill(w: Writer, template: str) -> str:
    out, rest = "", template
    while "{" in rest:
        before, _, rest = rest.partition("{")
        key, _, rest = rest.partition("}")
        out += before + slot(w, key)
    return out + rest


def slot(w: Writer, key: str) -> str:
    head, _, tail = key.partition(":")
    match head:
        case "R":
            return w.table()
        case "W":
            return w.table(WRITE)
        case "C":
            return w.table(CHANGE)
        case "A":
            return w.table(ANY)
        case "F":
            schema, name = w.schema(), f"fn_{w.number()}"
            return w.ref(f"{schema}.{name}", f"{schema}.{name}", kinds=("function",))
        case "D":
            return w.decoy(tail)
        case "N":
            return str(w.number())
    raise ValueError(key)


sql(
    "select",
    "SELECT * FROM {R}",
    "SELECT a.id, b.v FROM {R} a, {R} AS b WHERE a.id = b.id",
    "select id\n  from {R} -- the base\n where v > 1",
    "FROM {R} SELECT id",
    "SELECT '😀 naïve' AS s, id FROM {R} WHERE s <> 'it''s from {D:va_alms_prd.nothing}'",
    "SELECT CASE WHEN x = 'from' THEN 1 ELSE 2 END c FROM {R} t WHERE dt >= DATE '2024-01-01'",
    "SELECT /*+ BROADCAST(b) */ a.id FROM {R} a JOIN {R} b USING (id)",
)
sql(
    "join",
    "SELECT {D:o.id}, m.tier FROM {R} o\nJOIN {R} m ON {D:o.id} = m.id\nLEFT OUTER JOIN {R} p ON p.id = m.id",
    "SELECT * FROM {R} a LEFT ANTI JOIN {R} b ON a.k = b.k CROSS JOIN {R} c",
    "SELECT * FROM {R} a FULL OUTER JOIN (SELECT id FROM {R}) b ON a.id = b.id",
    "SELECT * FROM ({R} a INNER JOIN {R} b ON a.id=b.id)",
    "SELECT * FROM {R} NATURAL JOIN {R}",
    "SELECT * FROM {R} a, LATERAL (SELECT max(v) FROM {R} b WHERE {D:b.id} = {D:a.id}) m",
)
sql(
    "insert",
    "INSERT INTO {C} SELECT id, v FROM {R}",
    "INSERT INTO TABLE {C} (id, v)\nSELECT id, v FROM {R} WHERE v IS NOT NULL",
    "INSERT INTO {C} VALUES (1, 'a.b'), (2, '{D:va_alms_prd.t}')",
    "INSERT OVERWRITE {C} SELECT * FROM {R}",
    "insert into {C} table {R}",
    "WITH s AS (SELECT * FROM {R}) INSERT INTO {C} SELECT * FROM {D:s}",
    "INSERT INTO {C} BY NAME SELECT 1 AS id FROM {R}",
    "INSERT INTO {C} REPLACE WHERE dt = '2024-01-01' SELECT * FROM {R}",
)
sql(
    "insert-partition",
    "INSERT OVERWRITE TABLE {C} PARTITION (dt = '2024-01-01', region) SELECT id, region FROM {R}",
    "INSERT INTO {C} PARTITION (dt='x') (id) SELECT id FROM {R}",
    "INSERT OVERWRITE TABLE {C}\nPARTITION (dt)\nSELECT {D:a.id}, a.dt FROM {R} a",
)
sql(
    "merge",
    "MERGE INTO {C} AS t USING {R} AS s ON {D:t.id} = {D:s.id}\nWHEN MATCHED AND s.op = 'D' THEN DELETE\nWHEN MATCHED THEN UPDATE SET {D:t.v} = s.v\nWHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)",
    "MERGE INTO {C} t USING (SELECT id, max(v) v FROM {R} GROUP BY id) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT * WHEN MATCHED THEN UPDATE SET *",
    "MERGE INTO {C} USING {R} ON 1 = 0 WHEN NOT MATCHED BY SOURCE THEN DELETE",
    "MERGE WITH SCHEMA EVOLUTION INTO {C} t USING {R} s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
)
sql(
    "ctas",
    "CREATE TABLE {W} AS SELECT * FROM {R}",
    "CREATE OR REPLACE TABLE {W}\nUSING DELTA\nPARTITIONED BY (dt)\nCOMMENT 'from {D:va_alms_prd.z}'\nAS\nSELECT * FROM {R}",
    "CREATE TABLE IF NOT EXISTS {W} USING delta TBLPROPERTIES ('delta.autoOptimize' = 'true') AS WITH x AS (SELECT 1 FROM {R}) SELECT * FROM {D:x}",
    "create table {W} location '/mnt/a/b' as select * from {R}",
)
sql(
    "create",
    "CREATE TABLE IF NOT EXISTS {W} (id BIGINT NOT NULL COMMENT 'key of {D:va_alms_prd.q}', v STRUCT<a: INT, b: STRING>) USING DELTA",
    "CREATE OR REPLACE VIEW {W} AS SELECT * FROM {R}",
    "CREATE VIEW IF NOT EXISTS {W} (id COMMENT 'x') COMMENT 'y' AS SELECT id FROM {R} UNION ALL SELECT id FROM {R}",
    "CREATE TABLE {W} LIKE {R}",
    "CREATE EXTERNAL TABLE {W} (id INT) STORED AS PARQUET LOCATION '/mnt/x'",
)
sql(
    "update",
    "UPDATE {C} SET v = 1 WHERE id IN (SELECT id FROM {R})",
    "UPDATE {C} AS t SET {D:t.v} = (SELECT max(v) FROM {R} r WHERE r.id = t.id), t.w = 'a'",
)
sql(
    "delete",
    "DELETE FROM {C} WHERE dt < '2020-01-01'",
    "DELETE FROM {C} AS t WHERE EXISTS (SELECT 1 FROM {R} r WHERE {D:r.id} = {D:t.id})",
    "DELETE FROM {C} WHERE id NOT IN (SELECT id FROM {R})",
)
sql(
    "truncate",
    "TRUNCATE TABLE {C}",
    "TRUNCATE TABLE {C};\nINSERT INTO {C} SELECT * FROM {R}",
    "truncate table {C} PARTITION (dt = '1')",
)
sql(
    "optimize",
    "OPTIMIZE {A} ZORDER BY (id, dt)",
    "OPTIMIZE {A}",
    "OPTIMIZE {A} WHERE dt >= '2024-01-01' ZORDER BY (id)",
)
sql("vacuum", "VACUUM {A}", "VACUUM {A} RETAIN 168 HOURS", "VACUUM {A} RETAIN 0 HOURS DRY RUN")
sql(
    "describe",
    "DESCRIBE TABLE EXTENDED {R}",
    "DESCRIBE {R}",
    "DESC HISTORY {R}",
    "DESCRIBE DETAIL {R}",
    "DESCRIBE EXTENDED {R}",
    "SHOW CREATE TABLE {R}",
    "SHOW PARTITIONS {R}",
    "SHOW COLUMNS IN {R}",
    "SHOW TBLPROPERTIES {R}",
)
sql(
    "clone",
    "CREATE OR REPLACE TABLE {W} DEEP CLONE {R}",
    "CREATE TABLE IF NOT EXISTS {W} SHALLOW CLONE {R} VERSION AS OF 3",
    "CREATE TABLE {W} CLONE {R} TIMESTAMP AS OF '2024-01-01'",
)
sql(
    "alter",
    "ALTER TABLE {A} ADD COLUMNS (v2 STRING)",
    "ALTER TABLE {A} SET TBLPROPERTIES ('a.b' = 'c')",
    "ALTER VIEW {A} AS SELECT * FROM {R}",
    "ALTER TABLE {A} DROP PARTITION (dt = '1')",
    "ALTER TABLE {A} RENAME COLUMN a TO b",
)
sql("drop", "DROP TABLE IF EXISTS {C}", "DROP VIEW IF EXISTS {C}", "DROP TABLE {C}", "DROP TABLE IF EXISTS {C} PURGE")
sql(
    "maintenance",
    "ANALYZE TABLE {A} COMPUTE STATISTICS FOR ALL COLUMNS",
    "REFRESH TABLE {A}",
    "CACHE TABLE {A}",
    "UNCACHE TABLE IF EXISTS {A}",
    "MSCK REPAIR TABLE {A}",
    "RESTORE TABLE {A} TO VERSION AS OF 4",
    "CONVERT TO DELTA {A}",
    "COPY INTO {A} FROM '/mnt/landing/x' FILEFORMAT = CSV",
    "COMMENT ON TABLE {A} IS 'see {D:va_alms_prd.n}'",
    "FSCK REPAIR TABLE {A}",
    "GRANT SELECT ON TABLE {A} TO `team`",
)
sql(
    "cte",
    "WITH a AS (SELECT * FROM {R}), b AS (SELECT * FROM {D:a} JOIN {R} c USING (id))\nSELECT * FROM {D:b} UNION SELECT * FROM {D:a}",
    "WITH RECURSIVE r AS (SELECT id FROM {R} UNION ALL SELECT id + 1 FROM {D:r})\nSELECT * FROM {D:r}",
    "WITH a (x, y) AS (SELECT 1, 2 FROM {R}), b AS (WITH c AS (SELECT * FROM {R}) SELECT * FROM {D:c}) SELECT {D:a.x} FROM {D:a}, {D:b}",
)
sql(
    "subquery",
    "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY ts DESC) rn FROM {R}) q WHERE rn = 1",
    "SELECT (SELECT max(ts) FROM {R}) AS m, id FROM {R} WHERE id IN (SELECT id FROM {R} WHERE x)",
    "SELECT * FROM (\n  SELECT * FROM (\n    SELECT * FROM {R}\n  ) i\n) o WHERE NOT EXISTS (SELECT 1 FROM {R} z WHERE z.a = o.a)",
)
sql(
    "union",
    "SELECT id FROM {R}\nUNION ALL\nSELECT id FROM {R}\nEXCEPT\nSELECT id FROM {R}",
    "(SELECT id FROM {R}) INTERSECT (SELECT id FROM {R}) ORDER BY 1",
    "SELECT 1 UNION DISTINCT TABLE {R}",
)
sql(
    "lateral-view",
    "SELECT id, e.k FROM {R} t LATERAL VIEW OUTER explode({D:t.items}) e AS k",
    "SELECT * FROM {R} LATERAL VIEW explode(split(tags, ',')) x AS tag LATERAL VIEW posexplode({D:s.arr}) y AS p, q",
    "SELECT * FROM {R} PIVOT (sum(v) FOR m IN ('a', 'b')) p",
    "SELECT * FROM {R} TABLESAMPLE (10 PERCENT) s",
    "SELECT * FROM {R} t, explode({D:t.arr}) AS e(c)",
)
sql(
    "time-travel",
    "SELECT * FROM {R} VERSION AS OF 12",
    "SELECT * FROM {R} TIMESTAMP AS OF '2024-01-01' a JOIN {R} b ON a.id = b.id",
    "SELECT * FROM {R} FOR SYSTEM_VERSION AS OF 3 x",
)
sql(
    "function",
    "SELECT {F}(id) FROM {R}",
    "SELECT * FROM {R} WHERE {F}(a, 'x.y') > {F}({D:t.b})",
    "DESCRIBE FUNCTION {F}",
)
sql(
    "several",
    "DROP TABLE IF EXISTS {C};\nCREATE TABLE {W} AS SELECT ';' AS s FROM {R};\n-- next; from {D:va_alms_prd.c}\nINSERT INTO {C} SELECT * FROM {R};",
    'SELECT 1 FROM {R}; /* ; {D:va_alms_prd.d} */ SELECT "a;b" FROM {R}',
    "SET spark.sql.shuffle.partitions = 8;\nSELECT * FROM {R};\n\n",
)
sql(
    "comments",
    "SELECT * /* FROM {D:va_alms_prd.old} */ FROM /* was */ {R} -- not {D:va_alms_prd.new}\nWHERE 1 = 1",
    "-- INSERT INTO {D:va_alms_prd.dead}\nSELECT * FROM {R}\n-- JOIN {D:va_alms_prd.dead2} ON 1=1\n",
    "SELECT '-- not a comment' AS c, '/*' AS d FROM {R} WHERE e = '*/'",
    "/* outer /* inner {D:va_alms_prd.k} */ still {D:va_alms_prd.k2} */ SELECT * FROM {R}",
)
sql(
    "quotes",
    "SELECT 'it\\'s FROM {D:va_alms_prd.a}' AS q FROM {R}",
    'SELECT "FROM {D:va_alms_prd.b}" AS q, \'"\' r FROM {R}',
    "SELECT 'a''b FROM {D:va_alms_prd.c}' FROM {R} WHERE r = r'\\d' AND `from` = `{D:va_alms_prd.col}`",
)
sql(
    "struct-decoy",
    "SELECT {D:s.a.b}, {D:payload.member.id}, m['k.v'] FROM {R} AS s WHERE {D:s.a.c} IS NOT NULL ORDER BY {D:s.a.b}",
    "SELECT {D:nested.field} AS orders, {D:orders.id} FROM {R} orders GROUP BY {D:orders.id}, {D:nested.field}",
    "SELECT EXTRACT(year FROM {D:t.ts}), trim(BOTH ' ' FROM {D:t.s}), substring(s FROM 2), {D:t.j}:a.b FROM {R} t",
    "SELECT a IS DISTINCT FROM {D:t.b} FROM {R} t",
    "SELECT count(*) FILTER (WHERE {D:t.x} > 1), t.y::date FROM {R} t WINDOW w AS (PARTITION BY {D:t.y})",
    "SELECT * FROM {R} t WHERE {D:t.tbl} = 1 AND t.orders IN ({D:t.a}, {D:t.b})",
    "SELECT transform({D:t.arr}, x -> {D:x.a}) FROM {R} t",
)
sql(
    "functions-in-from",
    "SELECT * FROM range(10) r JOIN {R} t ON t.id = r.id",
    "SELECT * FROM VALUES (1, 'a') AS {D:v}(a, b) JOIN {R} USING (a)",
    "SELECT * FROM {R} t, explode(array(1, 2)) AS x(y)",
)


@shape("temp-view")
def temp_view(w: Writer) -> Sequence[Cell]:
    view = f"v_{w.name()}"
    create = w.pick("CREATE OR REPLACE TEMP VIEW", "CREATE TEMPORARY VIEW", "create or replace temporary view")
    first = f"{create} {w.decoy(view)} AS\nSELECT * FROM {w.table()}"
    second = f"INSERT INTO {w.table(CHANGE)} SELECT {w.decoy(view + '.id')} FROM {w.decoy(view)} JOIN {w.table()} t ON t.id = {w.decoy(view + '.id')}"
    return [("sql", first), ("sql", second)] if w.random.random() < 0.6 else [("sql", f"{first};\n{second};\n")]


@shape("py-temp-view")
def py_temp_view(w: Writer) -> Sequence[Cell]:
    view = f"v_{w.name()}"
    frame = f"df_{w.number()}"
    first = f'{frame} = spark.table("{w.table()}")\n{frame}.createOrReplaceTempView("{w.decoy(view)}")'
    use = w.pick(f'display(spark.sql("SELECT * FROM {w.decoy(view)}"))', f'spark.table("{w.decoy(view)}").count()')
    return [("py", first), ("sql", f"SELECT * FROM {w.decoy(view)} a JOIN {w.table()} b ON a.id = b.id"), ("py", use)]


@shape("cte-named-like-table")
def cte_named(w: Writer) -> Sequence[Cell]:
    schema, name = w.schema(), w.name()
    table = w.ref(f"{schema}.{name}", f"{schema}.{name}")
    return [
        ("sql", f"WITH {w.decoy(name)} AS (SELECT * FROM {table})\nSELECT {w.decoy(name + '.id')} FROM {w.decoy(name)}")
    ]


def widget(w: Writer, key: str, value: str, lang: str) -> Cell:
    if lang == "sql":
        return (
            "sql",
            f'CREATE WIDGET TEXT {key} DEFAULT "{value}"'
            if w.random.random() < 0.5
            else f"CREATE WIDGET TEXT {key} DEFAULT '{value}'",
        )
    return (
        "py",
        w.pick(
            f'dbutils.widgets.text("{key}", "{value}")',
            f"dbutils.widgets.text('{key}', '{value}', 'The {key}')",
            f'dbutils.widgets.text(name="{key}", defaultValue="{value}", label="L")',
        ),
    )


STATEMENTS = (
    "SELECT * FROM {}",
    "INSERT INTO {w} SELECT 1 FROM {}",
    "SELECT * FROM {} a JOIN {} b ON a.id = b.id",
    "OPTIMIZE {}",
    "TRUNCATE TABLE {w}",
    "CREATE OR REPLACE TABLE {w} AS SELECT * FROM {} WHERE x = 'y'",
    "DELETE FROM {w} WHERE a = 1",
    "MERGE INTO {w} t USING {} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET *",
    "DESCRIBE HISTORY {}",
    "DROP TABLE IF EXISTS {w}",
    "WITH c AS (SELECT * FROM {}) SELECT * FROM c",
)


def statement(w: Writer, make: Callable[[tuple[str, ...]], str], among: Sequence[str] = STATEMENTS) -> str:
    """A statement whose relations are written by ``make`` for the sides they are used on."""
    out = w.pick(*among)
    while "{" in out.replace("\\{", ""):
        at = out.index("{")
        end = out.index("}", at)
        sides = CHANGE if out[at:end] == "{w" else ANY if out.startswith("OPTIMIZE") else READ
        out = out[:at] + make(sides).replace("{", "\ue010").replace("}", "\ue011") + out[end + 1 :]
    return out.replace("\ue010", "{").replace("\ue011", "}")


def templated(name: str, spelling: Callable[[str, str], str], lang: str) -> None:
    @shape(name)
    def make(w: Writer) -> Sequence[Cell]:
        key, schema = f"db_{w.number()}", w.schema()

        def one(sides: tuple[str, ...]) -> str:
            table = w.name()
            return w.ref(spelling(key, table), f"{schema}.{table}", sides=sides)

        return [widget(w, key, schema, lang), ("sql", statement(w, one))]


templated("brace-schema", lambda key, table: f"${{{key}}}.{table}", "sql")
templated("brace-schema-python-widget", lambda key, table: f"${{{key}}}.{table}", "py")
templated("dollar-schema", lambda key, table: f"${key}.{table}", "sql")
templated("dollar-schema-python-widget", lambda key, table: f"${key}.{table}", "py")
templated("identifier-concat", lambda key, table: f"IDENTIFIER(:{key} || '.{table}')", "py")
templated("backtick-brace", lambda key, table: f"`${{{key}}}`.{table}", "py")


@shape("brace-both")
def brace_both(w: Writer) -> Sequence[Cell]:
    a, b, schema, table = f"db_{w.number()}", f"tb_{w.number()}", w.schema(), w.name()
    text = statement(w, lambda sides: w.ref(w.pick(f"${{{a}}}.${{{b}}}"), f"{schema}.{table}", sides=sides))
    return [widget(w, a, schema, "py"), widget(w, b, table, "sql"), ("sql", text)]


@shape("brace-fragment")
def brace_fragment(w: Writer) -> Sequence[Cell]:
    key, schema = f"env_{w.number()}", w.schema()

    def one(sides: tuple[str, ...]) -> str:
        table = w.name()
        return w.ref(w.pick(f"{schema}.{table}_${{{key}}}"), f"{schema}.{table}_prd", sides=sides)

    return [widget(w, key, "prd", w.pick("sql", "py")), ("sql", statement(w, one))]


@shape("brace-schema-fragment")
def brace_schema_fragment(w: Writer) -> Sequence[Cell]:
    key = f"env_{w.number()}"

    def one(sides: tuple[str, ...]) -> str:
        table = w.name()
        return w.ref(f"va_alms_${{{key}}}.{table}", f"va_alms_prd.{table}", sides=sides)

    return [widget(w, key, "prd", w.pick("sql", "py")), ("sql", statement(w, one))]


@shape("brace-unknown")
def brace_unknown(w: Writer) -> Sequence[Cell]:
    key = f"nowhere_{w.number()}"
    return [
        (
            "sql",
            statement(
                w,
                lambda sides: w.ref(
                    w.pick(f"${{{key}}}.{w.name()}", f"${key}.{w.name()}", f"${{{key}}}"), None, sides=sides
                ),
            ),
        )
    ]


@shape("brace-conf")
def brace_conf(w: Writer) -> Sequence[Cell]:
    key, schema = f"my.db{w.number()}", w.schema()

    def one(sides: tuple[str, ...]) -> str:
        table = w.name()
        return w.ref(f"${{{key}}}.{table}", f"{schema}.{table}", sides=sides)

    return [
        w.pick(("py", f'spark.conf.set("{key}", "{schema}")'), ("sql", f"SET {key} = {schema}")),
        ("sql", statement(w, one)),
    ]


@shape("identifier-full")
def identifier_full(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"full_{w.number()}", w.schema(), w.name()
    text = statement(w, lambda sides: w.ref(f"IDENTIFIER(:{key})", f"{schema}.{table}", sides=sides))
    return [widget(w, key, f"{schema}.{table}", w.pick("py", "sql")), ("sql", text)]


@shape("identifier-literal")
def identifier_literal(w: Writer) -> Sequence[Cell]:
    def one(sides: tuple[str, ...]) -> str:
        schema, table = w.schema(), w.name()
        text = w.pick(
            f"IDENTIFIER('{schema}.{table}')",
            f"IDENTIFIER('{schema}' || '.' || '{table}')",
            f"identifier('{schema}' || '.{table}')",
        )
        return w.ref(text, f"{schema}.{table}", sides=sides)

    return [
        (
            "sql",
            statement(w, one, ("SELECT * FROM {}", "INSERT INTO {w} SELECT 1 FROM {}", "DELETE FROM {w} WHERE a = 1")),
        )
    ]


@shape("unqualified-unknown")
def unqualified_unknown(w: Writer) -> Sequence[Cell]:
    return [("sql", statement(w, lambda sides: w.ref(w.name(), None, sides=sides)))]


@shape("use-schema", ALONE)
def use_schema(w: Writer) -> Sequence[Cell]:
    schema = w.schema()

    def one(sides: tuple[str, ...]) -> str:
        table = w.name()
        return w.ref(table, f"{schema}.{table}", sides=sides)

    use = w.pick(f"USE {schema}", f"USE SCHEMA {schema}", f"USE DATABASE {schema}", f"use `{schema}`")
    cells = [("sql", statement(w, one)), ("sql", f"SELECT * FROM {w.table()}")]
    if w.random.random() < 0.3:
        return [
            ("py", w.pick(f'spark.sql("{use}")', f'spark.catalog.setCurrentDatabase("{schema}")')),
            *cells,
            ("py", f'spark.table("{one(READ)}")'),
        ]
    return [("sql", use), *cells] if w.random.random() < 0.5 else [("sql", f"{use};\n{statement(w, one)}"), *cells]


@shape("use-changes", ALONE)
def use_changes(w: Writer) -> Sequence[Cell]:
    cells: list[Cell] = []
    for schema in ("va_alms_prd", "velocity_analytics_foundation"):
        table = w.name()
        cells += [
            ("sql", f"USE {schema}"),
            ("sql", f"INSERT INTO {w.ref(table, f'{schema}.{table}', sides=CHANGE)} SELECT * FROM {w.table()}"),
        ]
    return cells


# Python -----------------------------------------------------------------------------------------------------------


@shape("spark-sql-literal")
def spark_sql_literal(w: Writer) -> Sequence[Cell]:
    call = w.pick("spark.sql", "spark.sql", "sqlContext.sql", "df = spark.sql")
    text = statement(w, w.table)
    return [
        (
            "py",
            w.pick(
                f'{call}("{text}")',
                f'{call}( "{text}" ).show()',
                f'{call}(sqlQuery="{text}")',
                f'{call}("{text}" )  # reads {w.decoy("va_alms_prd.zzz")}',
                f'{call}(r"{text}")',
            ),
        )
    ]


@shape("spark-sql-triple")
def spark_sql_triple(w: Writer) -> Sequence[Cell]:
    q, name = w.pick('"""', "'''"), f"res_{w.number()}"
    return [
        ("py", f"{name} = spark.sql({q}\n  -- 😀 from {w.decoy('va_alms_prd.cmt')}\n  {statement(w, w.table)}\n{q})"),
        ("py", f"display({name})"),
    ]


@shape("fstring-schema")
def fstring_schema(w: Writer) -> Sequence[Cell]:
    key, schema = f"db_{w.number()}", w.schema()

    def one(sides: tuple[str, ...]) -> str:
        table = w.name()
        return w.ref(f"{{{key}}}.{table}", f"{schema}.{table}", sides=sides)

    text = statement(w, one)
    q = w.pick('"', '"""')
    body = f"\n  {text}\n  LIMIT {{n}}\n" if q == '"""' and text.startswith("SELECT") else text
    return [("py", f'{key} = "{schema}"\nn = 5'), ("py", f"spark.sql({w.pick('f', 'F', 'rf')}{q}{body}{q})")]


@shape("fstring-table")
def fstring_table(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"tbl_{w.number()}", w.schema(), w.name()
    value, text = w.pick(
        (f"{schema}.{table}", f"{{{key}}}"),
        (table, f"{schema}.{{{key}}}"),
        (table.removeprefix(table[:2]), f"{schema}.{table[:2]}{{{key}}}"),
    )
    return [
        (
            "py",
            f"{key} = '{value}'\nspark.sql(f\"{statement(w, lambda sides: w.ref(text, f'{schema}.{table}', sides=sides))}\")",
        )
    ]


@shape("fstring-widget")
def fstring_widget(w: Writer) -> Sequence[Cell]:
    key, schema = f"db_{w.number()}", w.schema()
    get = w.pick(f'dbutils.widgets.get("{key}")', f'getArgument("{key}")')

    def one(sides: tuple[str, ...]) -> str:
        table = w.name()
        return w.ref(f"{{{key}}}.{table}", f"{schema}.{table}", sides=sides)

    return [widget(w, key, schema, "py"), ("py", f'{key} = {get}\nspark.sql(f"{statement(w, one)}")')]


@shape("fstring-widget-inline")
def fstring_widget_inline(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"db_{w.number()}", w.schema(), w.name()
    text = f"{{dbutils.widgets.get('{key}')}}.{table}"
    return [widget(w, key, schema, "py"), ("py", f'spark.sql(f"SELECT * FROM {w.ref(text, f"{schema}.{table}")}")')]


@shape("widget-unknown")
def widget_unknown(w: Writer) -> Sequence[Cell]:
    key = f"db_{w.number()}"
    text = w.pick(f"{{{key}}}.{w.name()}", f"{{{key}}}")
    return [
        (
            "py",
            f'{key} = dbutils.widgets.get("unset_{key}")\nspark.sql(f"SELECT * FROM {w.ref(text, None)} WHERE a = 1")',
        )
    ]


@shape("format")
def format_shape(w: Writer) -> Sequence[Cell]:
    schema, table = w.schema(), w.name()
    hole, args = w.pick(("{}", f'"{schema}"'), ("{0}", f'"{schema}"'), ("{db}", f'db="{schema}"'))
    text = statement(
        w,
        lambda sides: w.ref(f"{hole}.{table}", f"{schema}.{table}", sides=sides),
        ("SELECT * FROM {}", "DROP TABLE IF EXISTS {w}", "OPTIMIZE {}", "DELETE FROM {w} WHERE a = 1"),
    )
    if w.random.random() < 0.5:
        return [("py", f'spark.sql("{text}".format({args}))')]
    return [("py", f'q_{w.number()} = """{text}"""\nspark.sql(q_{w.count}.format({args}))')]


@shape("format-several")
def format_several(w: Writer) -> Sequence[Cell]:
    schema, table, other = w.schema(), w.name(), w.name()
    text = f"INSERT INTO {w.ref('{}.{}', f'{schema}.{table}', sides=CHANGE)} SELECT * FROM {w.ref('{}.' + other, f'{schema}.{other}')}"
    return [("py", f'spark.sql("{text}".format("{schema}", "{table}", "{schema}"))')]


@shape("percent")
def percent(w: Writer) -> Sequence[Cell]:
    schema, table = w.schema(), w.name()
    if w.random.random() < 0.5:
        return [
            ("py", f'spark.sql("SELECT * FROM {w.ref(f"%s.{table}", f"{schema}.{table}")} WHERE d > 1" % "{schema}")')
        ]
    return [
        (
            "py",
            f'spark.sql("SELECT * FROM {w.ref("%s.%s", f"{schema}.{table}")} WHERE n = %d" % ("{schema}", "{table}", 3))',
        )
    ]


@shape("percent-dict")
def percent_dict(w: Writer) -> Sequence[Cell]:
    schema, table = w.schema(), w.name()
    return [
        ("py", f'spark.sql("SELECT * FROM {w.ref(f"%(db)s.{table}", f"{schema}.{table}")}" % {{"db": "{schema}"}})')
    ]


@shape("concat")
def concat(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"db_{w.number()}", w.schema(), w.name()
    expected = w.expect(f"{schema}.{table}")
    head, tail = w.pick(('"SELECT * FROM "', '" WHERE a = 1"'), ('"select id from "', '" limit 3"'))
    inner = w.mark(expected, key + ' + ".' + table)
    inner = w.mark(expected, w.mark(expected, inner + '"'))
    whole = w.mark(expected, f"{head} + {inner} + {tail}")
    return [("py", f'{key} = "{schema}"'), ("py", f"spark.sql({whole})")]


@shape("concat-name")
def concat_name(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"tb_{w.number()}", w.schema(), w.name()
    expected = w.expect(f"{schema}.{table}")
    name = w.mark(expected, f'{schema}." + {key}')
    return [("py", f'{key} = "{table}"\nspark.sql({w.mark(expected, chr(34) + "SELECT * FROM " + name)})')]


@shape("implicit-concat")
def implicit_concat(w: Writer) -> Sequence[Cell]:
    return [
        (
            "py",
            f'spark.sql("SELECT a, b "\n          "FROM {w.table()} t "\n          "JOIN {w.table()} u ON t.id = {w.decoy("u.id")}")',
        )
    ]


@shape("implicit-concat-split")
def implicit_split(w: Writer) -> Sequence[Cell]:
    schema, table = w.schema(), w.name()
    expected = w.expect(f"{schema}.{table}")
    name = w.mark(expected, f'{schema}." "{table}')
    whole = w.mark(expected, f'"SELECT * FROM {name}"')
    return [("py", f"spark.sql({whole})")]


@shape("variable")
def variable(w: Writer) -> Sequence[Cell]:
    q = f"q_{w.number()}"
    expected = []

    def one(sides: tuple[str, ...]) -> str:
        schema, table = w.schema(), w.name()
        expected.append(w.expect(f"{schema}.{table}", sides=sides))
        return w.mark(expected[-1], f"{schema}.{table}")

    text = statement(w, one)
    use = q
    for each in expected:
        use = w.mark(each, use)
    cells = [("py", f'{q} = """{text}"""'), ("py", f"spark.sql({use})")]
    return cells if w.random.random() < 0.5 else [("py", "\n".join(text for _, text in cells))]


@shape("variable-append")
def variable_append(w: Writer) -> Sequence[Cell]:
    q, schema, table = f"q_{w.number()}", w.schema(), w.name()
    expected = w.expect(f"{schema}.{table}")
    other = w.expect(f"{schema}.{table}_2")
    first = w.mark(expected, f"{schema}.{table}")
    second = w.mark(other, f"{schema}.{table}_2")
    return [
        (
            "py",
            f'{q} = "SELECT * FROM {first}"\n{q} += " UNION ALL SELECT * FROM {second}"\nspark.sql({w.mark(other, w.mark(expected, q))})',
        )
    ]


@shape("variable-fstring")
def variable_fstring(w: Writer) -> Sequence[Cell]:
    q, schema, table = f"q_{w.number()}", w.schema(), w.name()
    expected = w.expect(f"{schema}.{table}")
    return [
        ("py", f'SCHEMA_{q} = "{schema}"'),
        (
            "py",
            f'{q} = f"""\nSELECT *\nFROM {w.mark(expected, f"{{SCHEMA_{q}}}.{table}")} -- {{SCHEMA_{q}}}.none\n"""\ndf = spark.sql({w.mark(expected, q)})',
        ),
    ]


@shape("constant")
def constant(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"TABLE_{w.number()}", w.schema(), w.name()
    call, sides = w.pick(
        ("spark.table({})", READ),
        ("spark.read.table({})", READ),
        ("df.write.saveAsTable({})", CHANGE),
        ("spark.sql('x')", READ),
    )
    if "{}" not in call:
        call = "spark.read.format('delta').table({})"
    return [("py", f"{key} = '{schema}.{table}'"), ("py", call.format(w.ref(key, f"{schema}.{table}", sides=sides)))]


@shape("constant-parts")
def constant_parts(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"C_{w.number()}", w.schema(), w.name()
    text = w.pick(
        f'DB_{key} + "." + {key}',
        f'f"{{DB_{key}}}.{{{key}}}"',
        f'"{{}}.{{}}".format(DB_{key}, {key})',
        f'"%s.%s" % (DB_{key}, {key})',
        f'".".join([DB_{key}, {key}])',
    )
    expected = w.expect(f"{schema}.{table}")
    inner = w.mark(expected, text)
    if text.startswith(('f"', '"{}', '"%s')):
        quote = text.index('"')
        end = text.index('"', quote + 1)
        inner = w.mark(expected, text[: quote + 1] + w.mark(expected, text[quote + 1 : end]) + text[end:])
    return [("py", f'DB_{key}, {key} = "{schema}", "{table}"\nspark.table({inner})')]


@shape("loop-list")
def loop_list(w: Writer) -> Sequence[Cell]:
    schema, names = w.schema(), [w.name() for _ in range(w.random.randrange(2, 5))]
    text = w.ref(f"{schema}.{{t}}", *(f"{schema}.{name}" for name in names), sides=ANY)
    items = json.dumps(names) if w.random.random() < 0.5 else "(" + ", ".join(f"'{name}'" for name in names) + ")"
    body = w.pick(f'spark.sql(f"OPTIMIZE {text}")', f'print(t)\n    spark.sql(f"SELECT * FROM {text}")')
    if w.random.random() < 0.5:
        return [("py", f"tables_{w.number()} = {items}"), ("py", f"for t in tables_{w.count}:\n    {body}")]
    return [("py", f"for t in {items}:\n    {body}")]


@shape("loop-full-names")
def loop_full(w: Writer) -> Sequence[Cell]:
    names = [f"{w.schema()}.{w.name()}" for _ in range(3)]
    call = w.pick("spark.table({})", "spark.read.table({})")
    return [("py", f"for t in {json.dumps(names)}:\n    df = {call.format(w.ref('t', *names))}")]


@shape("loop-dict")
def loop_dict(w: Writer) -> Sequence[Cell]:
    schema, names = w.schema(), [w.name() for _ in range(3)]
    mapping = {f"k{i}": name for i, name in enumerate(names)}
    text = w.ref(f"{schema}.{{v}}", *(f"{schema}.{name}" for name in names))
    if w.random.random() < 0.5:
        return [
            (
                "py",
                f'm = {json.dumps(mapping, indent=2)}\nfor k, v in m.items():\n  spark.sql(f"SELECT * FROM {text}").createOrReplaceTempView(k)',
            )
        ]
    return [("py", f'for v in {json.dumps(mapping)}.values():\n    spark.sql(f"SELECT * FROM {text}")')]


@shape("loop-keys")
def loop_keys(w: Writer) -> Sequence[Cell]:
    schema, names = w.schema(), [w.name() for _ in range(2)]
    text = w.ref(f"{schema}.{{k}}", *(f"{schema}.{name}" for name in names))
    return [
        (
            "py",
            f'm = {json.dumps(dict.fromkeys(names, 1))}\nfor k in m:\n  spark.sql(f"SELECT * FROM {text} WHERE v = {{m[k]}}")',
        )
    ]


@shape("loop-zip")
def loop_zip(w: Writer) -> Sequence[Cell]:
    pairs = [(w.schema(), w.name()) for _ in range(2)]
    full = [f"{a}.{b}" for a, b in pairs]
    head = w.pick(
        f"for s, t in zip({json.dumps([a for a, _ in pairs])}, {json.dumps([b for _, b in pairs])}):",
        f"for s, t in [{', '.join(f'({a!r}, {b!r})' for a, b in pairs)}]:",
    )
    return [("py", f'{head}\n    spark.sql(f"SELECT * FROM {w.ref("{s}.{t}", *full)}")')]


@shape("loop-range")
def loop_range(w: Writer) -> Sequence[Cell]:
    schema, table, n = w.schema(), w.name(), w.random.randrange(2, 5)
    start, stop = w.pick((0, n), (1, n + 1), (2020, 2020 + n))
    args = f"{stop}" if start == 0 else f"{start}, {stop}"
    return [
        (
            "py",
            f'for i in range({args}):\n    spark.sql(f"SELECT * FROM {w.ref(f"{schema}.{table}_{{i}}", *(f"{schema}.{table}_{i}" for i in range(start, stop)))}")',
        )
    ]


@shape("loop-enumerate")
def loop_enumerate(w: Writer) -> Sequence[Cell]:
    schema, names = w.schema(), [w.name() for _ in range(2)]
    return [
        (
            "py",
            f'for i, t in enumerate({json.dumps(names)}):\n    spark.sql("SELECT * FROM " + f"{w.ref(f"{schema}.{{t}}", *(f"{schema}.{n}" for n in names))} LIMIT 1")',
        )
    ]


@shape("comprehension")
def comprehension(w: Writer) -> Sequence[Cell]:
    schema, names = w.schema(), [w.name() for _ in range(2)]
    return [
        (
            "py",
            f'dfs = [spark.sql(f"SELECT * FROM {w.ref(f"{schema}.{{n}}", *(f"{schema}.{n}" for n in names))}") for n in {json.dumps(names)}]',
        )
    ]


@shape("branch")
def branch(w: Writer) -> Sequence[Cell]:
    one, two, table, key = "va_alms_prd", "finance_mart", w.name(), f"db_{w.number()}"
    ref = w.ref(f"{{{key}}}.{table}", f"{one}.{table}", f"{two}.{table}")
    choose = w.pick(
        f'if spark.conf.get("x") == "prd":\n    {key} = "{one}"\nelse:\n    {key} = "{two}"',
        f'{key} = "{one}" if today() else "{two}"',
    )
    return [("py", f'{choose}\nspark.sql(f"SELECT * FROM {ref}")')]


@shape("function-parameter")
def function_parameter(w: Writer) -> Sequence[Cell]:
    schema, names, f = w.schema(), [w.name() for _ in range(2)], f"load_{w.number()}"
    full = [f"{schema}.{name}" for name in names]
    match w.random.randrange(3):
        case 0:
            body, calls = (
                f'return spark.sql(f"SELECT * FROM {w.ref(f"{schema}.{{t}}", *full)}")',
                [f'{f}("{n}")' for n in names],
            )
        case 1:
            body, calls = f"return spark.table({w.ref('t', *full)})", [f'{f}("{n}")' for n in full]
        case _:
            body, calls = (
                f'return spark.sql("""SELECT * FROM {w.ref("{0}.{1}", *full)}""".format(s, t))',
                [f'{f}(t="{n}", s="{schema}")' for n in names],
            )
    params = "t, s" if "format(s" in body else w.pick("t", "t: str") if "{t}" in body or "(t" in body else "t"
    return [("py", f"def {f}({params}):\n    {body}"), ("py", "a = " + calls[0] + "\n" + calls[1] + ".show()")]


@shape("function-default")
def function_default(w: Writer) -> Sequence[Cell]:
    schema, table, f = w.schema(), w.name(), f"read_{w.number()}"
    return [
        (
            "py",
            f'def {f}(name, db="{schema}"):\n    """Reads {w.decoy("va_alms_prd.doc")}."""\n    return spark.sql(f"SELECT * FROM {w.ref("{db}.{name}", f"{schema}.{table}")}")\n\n{f}("{table}")',
        )
    ]


@shape("function-returns-name")
def function_returns(w: Writer) -> Sequence[Cell]:
    schema, table, f = w.schema(), w.name(), f"full_{w.number()}"
    return [
        (
            "py",
            f'def {f}(t):\n    return "{schema}." + t\n\nspark.sql(f"SELECT * FROM {w.ref(f"{{{f}({table!r})}}", f"{schema}.{table}")}")',
        )
    ]


@shape("class-attribute")
def class_attribute(w: Writer) -> Sequence[Cell]:
    schema, table, c = w.schema(), w.name(), f"Config{w.number()}"
    return [
        ("py", f'class {c}:\n    DB = "{schema}"\n'),
        ("py", f'spark.sql(f"SELECT * FROM {w.ref(f"{{{c}.DB}}.{table}", f"{schema}.{table}")}")'),
    ]


@shape("dict-config")
def dict_config(w: Writer) -> Sequence[Cell]:
    schema, table, c = w.schema(), w.name(), f"conf_{w.number()}"
    text = w.pick(f"{{{c}['db']}}.{table}", f"{{{c}.get('db')}}.{table}")
    return [
        (
            "py",
            f'{c} = {{"db": "{schema}", "other": 1}}\nspark.sql(f"SELECT * FROM {w.ref(text, f"{schema}.{table}")}")',
        )
    ]


def call_shape(name: str, sides: tuple[str, ...], *templates: str) -> None:
    @shape(name)
    def make(w: Writer) -> Sequence[Cell]:
        before, after = w.pick(*templates).split("§")
        return [("py", before + w.table(sides) + after)]


call_shape(
    "spark-table",
    READ,
    'df = spark.table("§")',
    "spark.table('§').filter(\"a.b > 1\").show()",
    'x = (spark\n     .table("§")\n     .select("orders.id"))',
    'spark.table(tableName="§")',
)
call_shape(
    "read-table",
    READ,
    'df = spark.read.table("§")',
    'spark.read.option("versionAsOf", 3).table("§")',
    'spark.read.table("""§""")',
)
call_shape(
    "read-format-table",
    READ,
    'df = spark.read.format("delta").table("§")',
    'df = spark.read.format("delta").load("/mnt/x").join(spark.read.format("delta").table("§"), "id")',
    'spark.readStream.table("§")',
    'spark.readStream.format("delta").table("§")',
)
call_shape(
    "save-as-table",
    CHANGE,
    'df.write.saveAsTable("§")',
    'df.write.format("delta").mode("overwrite").saveAsTable("§")',
    '(df.write\n  .mode("append")\n  .option("mergeSchema", "true")\n  .saveAsTable("§"))',
    'df.write.saveAsTable("§", format="delta", mode="append")',
    'df.write.saveAsTable(name="§")',
)
call_shape(
    "insert-into",
    CHANGE,
    'df.write.insertInto("§")',
    'df.write.mode("overwrite").insertInto("§", overwrite=True)',
    'df.write.insertInto(tableName="§")',
)
call_shape(
    "write-to",
    CHANGE,
    'df.writeTo("§").append()',
    'df.writeTo("§").using("delta").createOrReplace()',
    'df.select("a.b").writeTo("§").overwritePartitions()',
)
call_shape(
    "delta-for-name",
    ANY,
    'from delta.tables import DeltaTable\ndt = DeltaTable.forName(spark, "§")',
    'import delta.tables\ndelta.tables.DeltaTable.forName(spark, "§").delete("a.b = 1")',
    'from delta import DeltaTable\nDeltaTable.forName(spark, "§").alias("t").merge(df.alias("s"), "t.id = s.id").whenMatchedUpdateAll().execute()',
    'from delta.tables import *\nDeltaTable.forName(spark, "§").toDF()',
)
call_shape(
    "catalog",
    ANY,
    'if spark.catalog.tableExists("§"):\n    print("there")',
    'spark.catalog.refreshTable("§")',
    'spark.catalog.cacheTable("§")',
    'spark.catalog.listColumns("§")',
    'spark._jsparkSession.catalog().tableExists("§")',
    'spark.catalog.uncacheTable("§")',
)
call_shape(
    "to-table",
    CHANGE,
    'df.writeStream.option("checkpointLocation", "/x").toTable("§")',
    'df.writeStream.format("delta").toTable("§")',
)


@shape("alias")
def alias(w: Writer) -> Sequence[Cell]:
    name = f"run_{w.number()}"
    define = w.pick(
        f"{name} = spark.sql", f"def {name}(q):\n    return spark.sql(q)", f"{name} = lambda q: spark.sql(q)"
    )
    schema, table = w.schema(), w.name()
    expected = w.expect(f"{schema}.{table}")
    define = define.replace("sql(q)", f"sql({w.mark(expected, 'q')})")
    return [("py", define), ("py", f'{name}("SELECT * FROM {w.mark(expected, f"{schema}.{table}")}")')]


@shape("session-alias")
def session_alias(w: Writer) -> Sequence[Cell]:
    name = f"sess_{w.number()}"
    define = w.pick(
        f"{name} = spark",
        f"from pyspark.sql import SparkSession\n{name} = SparkSession.builder.getOrCreate()",
        f"{name} = SparkSession.builder.appName('a.b').getOrCreate()",
        f"{name} = SparkSession.getActiveSession()",
    )
    return [("py", f'{define}\n{name}.sql("SELECT * FROM {w.table()}")\n{name}.table("{w.table()}")')]


@shape("spark-parameter")
def spark_parameter(w: Writer) -> Sequence[Cell]:
    name = f"f_{w.number()}"
    return [
        (
            "py",
            f'def {name}(spark, n):\n    df = spark.sql("SELECT * FROM {w.table()}")\n    return df.limit(n)\n\n{name}(spark, 3)',
        )
    ]


@shape("escapes")
def escapes(w: Writer) -> Sequence[Cell]:
    return [
        (
            "py",
            w.pick(
                f'spark.sql("SELECT \\"a\\" AS x,\\n \'q\' FROM {w.table()} WHERE y = \\"FROM {w.decoy("va_alms_prd.s")}\\"")',
                f"spark.sql('SELECT \\'é\\' FROM {w.table()} \\\n  JOIN {w.table()} USING (id)')",
                f"spark.sql(\"SELECT '\\u00e9' AS x FROM {w.table()}\")",
                f"spark.sql(\"SELECT '\\\\\\\\d' FROM {w.table()}\\tWHERE a = 1\")",
            ),
        )
    ]


@shape("fstring-braces")
def fstring_braces(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"d_{w.number()}", w.schema(), w.name()
    text = w.ref(f"{{{key}}}.{table}", f"{schema}.{table}")
    return [
        (
            "py",
            f"{key} = \"{schema}\"\nspark.sql(f\"SELECT '{{{{x.y}}}}' AS a, {{1 + 1}} AS b FROM {text} WHERE d >= '{{str(1)}}'\")",
        )
    ]


@shape("chained-calls")
def chained(w: Writer) -> Sequence[Cell]:
    return [
        (
            "py",
            f'(spark.table("{w.table()}").alias("o")\n   .join(spark.table("{w.table()}").alias("m"), F.col("{w.decoy("o.id")}") == F.col("{w.decoy("m.id")}"))\n   .select("{w.decoy("o.payload.id")}")\n   .write.mode("overwrite").saveAsTable("{w.table(CHANGE)}"))',
        )
    ]


@shape("python-decoys")
def python_decoys(w: Writer) -> Sequence[Cell]:
    d = w.decoy
    return [
        (
            "py",
            w.pick(
                f'never_{w.number()} = "SELECT * FROM {d("va_alms_prd.never")}"',
                f'print("loading {d("va_alms_prd.orders")}")',
                f'# spark.sql("SELECT * FROM {d("va_alms_prd.gone")}")\nx = 1',
                f'"""\nNotebook of {d("va_alms_prd.docs")}\n"""',
                f'df.select("{d("o.id")}", F.col("{d("m.tier")}"))',
                f'open("{d("va_alms_prd.csv")}").read()',
                f'logger.info(f"SELECT * FROM {d("va_alms_prd.log")}")',
                f'raise_if = "va_alms_prd.orders" in ["{d("va_alms_prd.orders")}"]',
                f'class X:\n    def sql(self, q):\n        return q\n\nX().sql("SELECT * FROM {d("va_alms_prd.mine")}")',
                f'pd.read_csv("{d("velocity_analytics_foundation.members")}")',
                f'table = "{d("va_alms_prd.solo")}"',
                f'df.createOrReplaceTempView("{d("orders")}")\nspark.sql("SELECT * FROM {d("orders")}")',
            ),
        ),
        ("py", f'spark.table("{w.table()}")'),
    ]


@shape("markdown")
def markdown(w: Writer) -> Sequence[Cell]:
    return [
        (
            "md",
            f'# Load {w.decoy("va_alms_prd.orders")}\n\n`SELECT * FROM {w.decoy("va_alms_prd.orders")}` and `spark.table("{w.decoy("va_alms_prd.m")}")`',
        ),
        ("sql", f"SELECT * FROM {w.table()}"),
    ]


@shape("column-like-table")
def column_like(w: Writer) -> Sequence[Cell]:
    schema, name = w.schema(), w.name()
    return [
        (
            "sql",
            f"SELECT {w.decoy(name)}, sum({w.decoy(name)}) AS {w.decoy(name)}_s FROM {w.ref(f'{schema}.{name}', f'{schema}.{name}')} WHERE {w.decoy(name)} > 0 GROUP BY {w.decoy(name)}",
        )
    ]


@shape("qualified-column")
def qualified_column(w: Writer) -> Sequence[Cell]:
    schema, name = w.schema(), w.name()
    return [
        (
            "sql",
            f"SELECT {w.decoy(name + '.id')} FROM {w.ref(f'{schema}.{name}', f'{schema}.{name}')} JOIN {w.table()} z ON z.id = {w.decoy(name + '.id')}",
        )
    ]


@shape("parameterised-sql")
def parameterised(w: Writer) -> Sequence[Cell]:
    return [
        (
            "py",
            f'spark.sql("SELECT * FROM {w.table()} WHERE id = :id AND s = :s", args={{"id": 1, "s": "{w.decoy("va_alms_prd.v")}"}})',
        )
    ]


@shape("try-with")
def try_with(w: Writer) -> Sequence[Cell]:
    return [
        (
            "py",
            f'try:\n    spark.sql("DROP TABLE {w.table(CHANGE)}")\nexcept Exception as e:\n    print(e)\nfinally:\n    spark.table("{w.table()}")',
        )
    ]


@shape("strip-replace")
def strip_replace(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"t_{w.number()}", w.schema(), w.name()
    value, expression = w.pick(
        (f" {schema}.{table} ", "strip()"),
        (f"{schema}/{table}", 'replace("/", ".")'),
        (f"{schema.upper()}.{table}", "lower()"),
    )
    return [("py", f'{key} = "{value}".{expression}\nspark.table({w.ref(key, f"{schema}.{table}")})')]


@shape("multiline-statement-list")
def statement_list(w: Writer) -> Sequence[Cell]:
    items = []
    marks = []
    for _ in range(2):
        schema, table = w.schema(), w.name()
        marks.append(w.expect(f"{schema}.{table}", sides=CHANGE))
        items.append(f'  "DELETE FROM {w.mark(marks[-1], f"{schema}.{table}")} WHERE a = 1",')
    use = "stmt"
    for one in marks:
        use = w.mark(one, use)
    return [("py", "for stmt in [\n" + "\n".join(items) + f"\n]:\n    spark.sql({use})")]


@shape("semicolon-split")
def semicolon_split(w: Writer) -> Sequence[Cell]:
    marks, parts = [], []
    for _ in range(2):
        schema, table = w.schema(), w.name()
        marks.append(w.expect(f"{schema}.{table}", sides=CHANGE))
        parts.append(f"DELETE FROM {w.mark(marks[-1], f'{schema}.{table}')} WHERE a = 1")
    use = "s"
    for one in marks:
        use = w.mark(one, use)
    return [
        (
            "py",
            f'script_{w.number()} = "{parts[0]};{parts[1]}"\nfor s in script_{w.count}.split(";"):\n    spark.sql({use})',
        )
    ]


@shape("run-child", CHILDREN)
def run_child(w: Writer) -> Sequence[Cell]:
    key, schema, table = f"db_{w.number()}", w.schema(), w.name()
    uses = w.pick(
        f'spark.sql(f"SELECT * FROM {w.ref(f"{{{key}}}.{table}", f"{schema}.{table}")}")',
        f'spark.sql(f"INSERT INTO {w.ref(f"{{{key}}}.{table}", f"{schema}.{table}", sides=CHANGE)} SELECT 1")',
    )
    return [("child", f'{key} = "{schema}"'), ("run", ""), ("py", uses)]


# Templates --------------------------------------------------------------------------------------------------------
# ⟪name⟫ is a reference, ⟪text→name|name⟫ one whose names differ from its text, ⟪text→?⟫ one that cannot be known,
# ⟪text→name?⟫ one that may be unknown, ⟪text×⟫ a decoy, ⟪text→name→k⟫ and ⟪k←text⟫ two right spans of one reference;
# ⟪!…⟫ is written, ⟪~…⟫ either. § is a number of the snippet, DB and DC are schemas, ‖ divides cells, which start with sql:, py: …


def written(w: Writer, template: str) -> list[Cell]:
    number = str(w.number())
    text = template.replace("§", number).replace("DB", w.schema()).replace("DC", w.pick("finance_mart", "va_alms_prd"))
    cells: list[Cell] = []
    known: dict[str, Expected] = {}
    for cell in text.split("‖"):
        lang, _, body = cell.partition(":")
        cells.append((lang.strip(), marked(w, body, known)))
    return cells


def marked(w: Writer, text: str, known: dict[str, Expected]) -> str:
    while "⟫" in text:
        end = text.index("⟫")
        start = text.rindex("⟪", 0, end)
        text = text[:start] + one_mark(w, text[start + 1 : end], known) + text[end + 1 :]
    return text


def one_mark(w: Writer, text: str, known: dict[str, Expected]) -> str:
    if text.endswith("×"):
        return w.decoy(text[:-1])
    key, arrow, rest = text.partition("←")
    if arrow:
        return w.mark(known[key], rest)
    sides = {"!": CHANGE, "~": ANY}.get(text[0], READ)
    text = text[1:] if text[0] in "!~" else text
    kinds = ("function",) if text[0] == "ƒ" else ("relation", "table", "view")
    parts = text.removeprefix("ƒ").split("→")
    names = (parts[1] if len(parts) > 1 else plain(parts[0])).split("|")
    loose = names[-1] != "?" and names[-1].endswith("?")
    found = [None if name == "?" else name.removesuffix("?") for name in names]
    expected = w.expect(*found, sides=sides, kinds=kinds, loose=loose)
    if len(parts) > 2:
        known[parts[2]] = expected
    return w.mark(expected, parts[0])


def plain(text: str) -> str:
    return text.replace("`", "").replace(" ", "")


def form(name: str, *templates: str, where: dict[str, Shape] = SHAPES) -> None:
    def make(w: Writer) -> Sequence[Cell]:
        return written(w, w.pick(*templates))

    where[name] = make


form(
    "sql-table-words",
    "sql:SELECT date, user, left(a, 2) FROM ⟪DB.order§⟫ ORDER BY date",
    "sql:SELECT 1 AS from_date, `table` FROM ⟪DB.`2019-x§`⟫",
    "sql:SELECT * FROM ⟪DB.`größe_§`⟫ g WHERE ⟪g.größe×⟫ > 1",
    "sql:SELECT * FROM ⟪DB.2019_orders_§⟫",
    "sql:SELECT * FROM ⟪`DB`.`my table §`→DB.my table §⟫",
    "sql:SELECT * FROM ⟪DB . t§→DB.t§⟫ x",
    "sql:SELECT * FROM ⟪DB.values⟫ v JOIN ⟪DB.table⟫ t USING (id)",
    "sql:SELECT * FROM\n\t⟪DB.tab§⟫\n\t,\t⟪DB.tab§b⟫  ",
)
form(
    "multi-insert",
    "sql:FROM ⟪DB.a§⟫\nINSERT INTO ⟪!DB.b§⟫ SELECT id\nINSERT OVERWRITE TABLE ⟪!DC.c§⟫ SELECT v",
    "sql:INSERT INTO ⟪!DB.b§⟫ (SELECT * FROM ⟪DC.a§⟫)",
    "sql:INSERT INTO ⟪!DB.b§⟫ WITH q AS (SELECT * FROM ⟪DC.a§⟫) SELECT * FROM ⟪q×⟫",
    "sql:CREATE TABLE ⟪!DB.b§⟫ AS (SELECT * FROM ⟪DC.a§⟫)",
    "sql:REPLACE TABLE ⟪!DB.b§⟫ USING DELTA AS SELECT * FROM ⟪DC.a§⟫",
)
form(
    "sql-function-ddl",
    "sql:CREATE OR REPLACE FUNCTION ⟪!ƒDB.fn§⟫(x INT) RETURNS INT RETURN (SELECT max(id) + x FROM ⟪DC.a§⟫)",
    "sql:DROP FUNCTION IF EXISTS ⟪!ƒDB.fn§⟫",
    "sql:SELECT * FROM ⟪ƒDB.tvf§⟫(1, 'a') t JOIN ⟪DC.a§⟫ b USING (id)",
    "sql:SELECT abs(x), ⟪ƒDB.fn§⟫(max(a)) OVER (PARTITION BY b) FROM ⟪DC.a§⟫",
    "sql:CREATE FUNCTION ⟪!ƒDB.fn§⟫ AS 'com.acme.Fn' USING JAR '/x.jar'",
)
form(
    "sql-paths",
    "sql:SELECT * FROM delta.`/mnt/va_alms_prd.x` p JOIN ⟪DB.a§⟫ a USING (id)",
    "sql:MERGE INTO delta.`/mnt/x` t USING ⟪DB.s§⟫ s ON ⟪t.id×⟫ = s.id WHEN MATCHED THEN DELETE",
    "sql:CREATE TABLE ⟪!DB.a§⟫ CLONE delta.`/mnt/z`",
    "sql:COPY INTO ⟪!DB.a§⟫ FROM (SELECT _c0 AS id FROM '/mnt/landing/va_alms_prd.csv') FILEFORMAT = CSV",
    "sql:LOAD DATA INPATH '/x/y.z' INTO TABLE ⟪!DB.a§⟫",
)
form("sql-rename", "sql:ALTER TABLE ⟪!DB.a§⟫ RENAME TO ⟪!DB.b§⟫")
form(
    "sql-cdf",
    "sql:SELECT * FROM table_changes('⟪DB.a§⟫', 2)",
    "sql:SELECT * FROM table_changes('⟪DB.a§⟫', '2024-01-01', '2024-02-01') c WHERE ⟪c._change_type×⟫ = 'insert'",
)
form(
    "sql-explain",
    "sql:EXPLAIN SELECT * FROM ⟪DB.a§⟫",
    "sql:EXPLAIN EXTENDED INSERT INTO ⟪~DB.b§⟫ SELECT * FROM ⟪DB.a§⟫",
    "sql:SELECT * FROM ⟪DB.a§⟫ QUALIFY row_number() OVER (PARTITION BY k ORDER BY t) = 1",
    "sql:SELECT * EXCEPT (a) FROM ⟪DB.a§⟫ GROUP BY ALL",
    "sql:FROM ⟪DB.a§⟫ |> WHERE x > 1 |> JOIN ⟪DC.b§⟫ USING (id) |> SELECT id",
    "sql:SELECT * FROM ⟪DB.a§⟫ UNPIVOT (v FOR n IN (x, y))",
    "sql:SELECT a:b.c::string, m['DB.k'] FROM ⟪DB.a§⟫",
)
form(
    "sql-variable",
    "sql:DECLARE OR REPLACE VARIABLE vv§ DATE DEFAULT (SELECT max(dt) FROM ⟪DB.a§⟫)",
    "sql:DECLARE OR REPLACE VARIABLE vw§ INT; SET VAR vw§ = (SELECT max(id) FROM ⟪DB.a§⟫)",
    "sql:SELECT * FROM ⟪DB.a§⟫ WHERE d = session.vv",
)
form(
    "sql-stream",
    "sql:CREATE OR REFRESH STREAMING TABLE ⟪!DB.b§⟫ AS SELECT * FROM STREAM(⟪DB.a§⟫)",
    "sql:CREATE MATERIALIZED VIEW ⟪!DB.b§⟫ AS SELECT * FROM ⟪DB.a§⟫",
    "sql:SELECT * FROM STREAM ⟪DB.a§⟫",
)
form(
    "sql-hivevar",
    "sql:SET hivevar:hv§ = DB‖sql:SELECT * FROM ⟪${hivevar:hv§}.a→DB.a⟫",
    "sql:SET hv§ = DB‖sql:SELECT * FROM ⟪${hiveconf:hv§}.a→DB.a⟫ t",
    "sql:SET hv§=DB;\nSELECT * FROM ⟪${hv§}.a→DB.a⟫ t",
)
form(
    "sql-cache-as",
    "sql:CACHE TABLE ⟪cv§×⟫ AS SELECT * FROM ⟪DB.a§⟫‖sql:SELECT * FROM ⟪cv§×⟫ JOIN ⟪DB.b§⟫ USING (id)‖sql:UNCACHE TABLE ⟪cv§×⟫",
    "sql:CACHE LAZY TABLE ⟪cv§×⟫ SELECT * FROM ⟪DB.a§⟫",
)
form(
    "sql-drop-temp",
    "sql:CREATE OR REPLACE TEMP VIEW ⟪tv§×⟫ AS SELECT * FROM ⟪DB.a§⟫;\nSELECT * FROM ⟪tv§×⟫;\nDROP VIEW IF EXISTS ⟪tv§×⟫",
    "sql:CREATE GLOBAL TEMPORARY VIEW ⟪gv§×⟫ AS SELECT * FROM ⟪DB.a§⟫‖sql:SELECT ⟪g.id×⟫ FROM ⟪global_temp.gv§×⟫ g",
    "sql:CREATE OR REPLACE TEMPORARY VIEW ⟪tv§×⟫ (a, b) AS\nWITH ⟪tw§×⟫ AS (SELECT * FROM ⟪DB.a§⟫) SELECT * FROM ⟪tw§×⟫‖py:spark.table('⟪tv§×⟫').write.mode('append').saveAsTable('⟪!DB.out§⟫')\nspark.catalog.dropTempView('⟪tv§×⟫')",
)
form(
    "sql-apostrophe-comment",
    "sql:-- don't read ⟪va_alms_prd.old×⟫\nSELECT * FROM ⟪DB.a§⟫ -- it's fine; really\nWHERE a = 'x' -- \"quoted\n",
    "sql:SELECT a, -- `tick\n b FROM ⟪DB.a§⟫ /* can't */ JOIN ⟪DB.b§⟫ USING (id)",
    'py:spark.sql("""\n  -- don\'t use ⟪va_alms_prd.old×⟫\n  SELECT * -- it\'s\n  FROM ⟪DB.a§⟫\n""")',
    "sql:SELECT 'x\u2028y' AS s FROM ⟪DB.a§⟫ -- \u2028\u0085 odd\nJOIN ⟪DB.b§⟫ USING (id)",
    "sql:SELECT * FROM ⟪DB.a§⟫ --;\n;\n;\nSELECT * FROM ⟪DB.b§⟫",
)
form(
    "sql-schema-column",
    "sql:SELECT ⟪DB.a§.id×⟫, ⟪a§.v×⟫ FROM ⟪DB.a§⟫ WHERE ⟪DB.a§.id×⟫ > 1",
    "sql:SELECT ⟪DB.a§×⟫.id FROM ⟪DB.a§⟫ JOIN ⟪DB.b§⟫ ON ⟪DB.a§×⟫.id = ⟪DB.b§×⟫.id",
)
form(
    "sql-script",
    "sql:BEGIN\n  DECLARE n INT DEFAULT 0;\n  INSERT INTO ⟪!DB.a§⟫ SELECT * FROM ⟪DC.b§⟫;\nEND",
    "sql:EXECUTE IMMEDIATE 'SELECT * FROM ⟪DB.a§⟫'",
)
form(
    "sql-lambda-names",
    "sql:SELECT aggregate(⟪o.xs×⟫, 0, (acc, x) -> acc + ⟪x.v×⟫), ⟪o.p.q×⟫['r'] FROM ⟪DB.a§⟫ o HAVING count(*) > 1",
    "sql:SELECT ⟪t.*×⟫, count(⟪t.from×⟫) FROM ⟪DB.a§⟫ t",
    "sql:SELECT o.* FROM ⟪DB.a§⟫ o LEFT SEMI JOIN ⟪DB.b§⟫ ON o.id = ⟪b§.id×⟫ AND o.join IS NULL",
)

form(
    "py-unknown-pieces",
    'py:spark.sql(f"SELECT {cols} FROM ⟪DB.a§⟫ WHERE {pred}")',
    "py:spark.sql(f\"SELECT {', '.join(columns)} FROM ⟪DB.a§⟫ t JOIN ⟪DB.b§⟫ u ON {' AND '.join(keys)}\")",
    'py:spark.sql("SELECT " + cols + " FROM ⟪DB.a§⟫ WHERE d = " + day)',
    "py:spark.sql(\"SELECT %s FROM ⟪DB.a§⟫ WHERE d > '%s'\" % (cols, day))",
    'py:spark.sql("INSERT INTO ⟪!DB.a§⟫ SELECT {} FROM ⟪DC.b§⟫".format(cols))',
    "py:spark.sql(f\"DELETE FROM ⟪!DB.a§⟫ WHERE dt = '{dt:%Y-%m-%d}'\")",
)
form(
    "py-unknown-name",
    'py:spark.sql(f"SELECT * FROM ⟪DB.a_{suffix()}→?⟫")',
    'py:import datetime\nspark.sql(f"DROP TABLE IF EXISTS ⟪!DB.a_{datetime.date.today():%Y%m%d}→?⟫")',
    "py:import os\nspark.sql(f\"SELECT * FROM ⟪{os.environ['DBX']}.a§→?⟫\")",
    "py:def ld§(t):\n    return spark.table(⟪t→?⟫)",
)
form(
    "py-table-computed",
    'py:db§ = "DB"\nspark.table(⟪k←f"⟪{db§}.a§→DB.a§→k⟫"⟫)',
    'py:db§ = "DB"\ndf.write.mode("append").saveAsTable(⟪k←f"⟪!{db§}.a§→DB.a§→k⟫"⟫)',
    'py:db§ = "DB"\ndf.write.insertInto(⟪!db§ + ".a§"→DB.a§⟫)',
    'py:T§ = "a§"\nfrom delta.tables import DeltaTable\nDeltaTable.forName(spark, ⟪k←"⟪~DB.{}→DB.a§→k⟫".format(T§)⟫)',
    'py:db§ = "DB"\ntgt§ = f"{db§}.a§"\ndf.write.format("delta").mode("overwrite").option("path", "/mnt/x").saveAsTable(⟪!tgt§→DB.a§⟫)',
    'py:db§ = "DB"\nif not spark.catalog.tableExists(⟪k←f"⟪~{db§}.a§→DB.a§→k⟫"⟫):\n    df.writeTo(⟪j←f"⟪!{db§}.a§→DB.a§→j⟫"⟫).create()',
    'py:db§ = "DB"\nspark.read.format("delta").option("versionAsOf", 1).table(⟪k←"⟪%s.a§→DB.a§→k⟫" % db§⟫)',
)
form(
    "py-jdbc-decoy",
    'py:df = spark.read.format("jdbc").option("url", u).option("dbtable", "⟪va_alms_prd.x×⟫").load()\ndf.write.saveAsTable("⟪!DB.a§⟫")',
    'py:spark.read.jdbc(url, "⟪va_alms_prd.x×⟫", properties=p).write.mode("append").insertInto("⟪!DB.a§⟫")',
    'py:pd.read_sql("SELECT * FROM ⟪va_alms_prd.x×⟫", connection)\nspark.table("⟪DB.a§⟫")',
    'py:cursor.execute("DELETE FROM ⟪va_alms_prd.x×⟫")\nconn.sql("SELECT * FROM ⟪va_alms_prd.x×⟫")\nspark.table("⟪DB.a§⟫")',
    'py:import duckdb\nduckdb.sql("SELECT * FROM ⟪va_alms_prd.x×⟫").df()\nspark.table("⟪DB.a§⟫")',
    'py:spark.createDataFrame([("⟪va_alms_prd.x×⟫",)]).write.saveAsTable("⟪!DB.a§⟫")',
    'py:spark.sql("SELECT * FROM {⟪frame×⟫} JOIN ⟪DB.a§⟫ USING (id)", frame=df)',
)
form(
    "py-delta-builder",
    'py:from delta.tables import *\nDeltaTable.createIfNotExists(spark).tableName("⟪!DB.a§⟫").addColumn("id", "INT").execute()',
    'py:from delta.tables import DeltaTable\nDeltaTable.createOrReplace(spark).tableName("⟪!DB.a§⟫").execute()',
    'py:import delta\ndelta.DeltaTable.forName(spark, "⟪~DB.a§⟫")',
    'py:import delta.tables as dt§\ndt§.DeltaTable.forName(spark, "⟪~DB.a§⟫")',
    'py:from delta.tables import DeltaTable as DT§\nDT§.forName(sparkSession=spark, tableOrViewName="⟪~DB.a§⟫").vacuum()',
)
form(
    "py-places",
    'py:assert spark.table("⟪DB.a§⟫").count() > 0, "empty"',
    'py:frames = {"a": spark.table("⟪DB.a§⟫"), "b": [spark.table("⟪DB.b§⟫")]}',
    'py:f = lambda: spark.table("⟪DB.a§⟫").count()',
    'py:def f§(df=spark.table("⟪DB.a§⟫")):\n    yield df',
    'py:while spark.table("⟪DB.a§⟫").count():\n    break\nelse:\n    spark.table("⟪DB.b§⟫")',
    'py:n = 1 if spark.table("⟪DB.a§⟫").isEmpty() else spark.table("⟪DB.b§⟫").count()',
    'py:with timer():\n    (spark\n        .sql("""SELECT 1 FROM ⟪DB.a§⟫""")  # \'\n        .show())',
    'py:a, b = spark.table("⟪DB.a§⟫"), spark.table("⟪DB.b§⟫")',
    "py:print(f\"rows: {spark.table('⟪DB.a§⟫').count()}\")",
    'py:def outer§():\n    def inner():\n        return spark.table("⟪DB.a§⟫")\n    return inner()',
    'py:@udf("string")\ndef g§(x):\n    return x\n\nspark.table("⟪DB.a§⟫").withColumn("t", g§("⟪a.b×⟫"))',
    'py:match spark.table("⟪DB.a§⟫").count():\n    case 0:\n        pass',
    'py:if (n := spark.table("⟪DB.a§⟫").count()) > 1: print(n)',
    'py:async def h§():\n    return spark.table("⟪DB.a§⟫")',
    'py:del_ = [r for r in spark.sql("SELECT * FROM ⟪DB.a§⟫").collect() if r.x]',
    'py:for r in spark.sql("SELECT t FROM ⟪DB.a§⟫").collect():\n    spark.sql(f"OPTIMIZE ⟪~DC.{r.t}→?⟫")',
)
form(
    "py-config-records",
    'py:for c in [{"db": "DB", "t": "a§"}, {"db": "DC", "t": "b§"}]:\n    spark.sql(f"SELECT * FROM ⟪{c[\'db\']}.{c[\'t\']}→DB.a§|DC.b§⟫")',
    'py:m§ = {"va_alms_prd": ["a§", "b§"], "finance_mart": ["c§"]}\nfor db, ts in m§.items():\n    for t in ts:\n        spark.sql(f"SELECT * FROM ⟪{db}.{t}→va_alms_prd.a§|va_alms_prd.b§|finance_mart.c§⟫")',
    'py:for a in ["x§", "y§"]:\n    for b in (1, 2):\n        spark.sql(f"DROP TABLE ⟪!DB.{a}_{b}→DB.x§_1|DB.x§_2|DB.y§_1|DB.y§_2⟫")',
    'py:cfg§ = {"src": {"db": "DB", "table": "a§"}}\nspark.sql(f"SELECT * FROM ⟪{cfg§[\'src\'][\'db\']}.{cfg§[\'src\'][\'table\']}→DB.a§⟫")',
    'py:for s, t in {"a§": "b§"}.items():\n    spark.sql(f"INSERT INTO ⟪!DB.{t}→DB.b§⟫ SELECT * FROM ⟪DB.{s}→DB.a§⟫")',
)
form(
    "py-range-format",
    'py:for i in range(1, 4):\n    spark.sql(f"SELECT * FROM ⟪DB.a§_{i:02d}→DB.a§_01|DB.a§_02|DB.a§_03⟫")',
    'py:for y in range(2022, 2024):\n    spark.sql("SELECT * FROM ⟪DB.a§_{}→DB.a§_2022|DB.a§_2023⟫".format(y))',
    'py:for i in range(3, 0, -1):\n    spark.table(⟪"DB.a§_" + str(i)→DB.a§_3|DB.a§_2|DB.a§_1⟫)',
    'py:for m in ["1", "2"]:\n    spark.sql("SELECT * FROM ⟪DB.a§_%s→DB.a§_1|DB.a§_2⟫" % m)',
)
form(
    "py-list-building",
    'py:ts§ = []\nts§.append("a§")\nts§.append("b§")\nfor t in ts§:\n    spark.sql(f"SELECT * FROM ⟪DB.{t}→DB.a§|DB.b§⟫")',
    'py:for t in "a§,b§".split(","):\n    spark.sql(f"SELECT * FROM ⟪DB.{t}→DB.a§|DB.b§⟫")',
    'py:ts§ = ["a§"] + ["b§"]\nfor t in ts§:\n    spark.sql(f"SELECT * FROM ⟪DB.{t}→DB.a§|DB.b§⟫")',
    'py:ts§ = ["a§", "b§", "c§"]\nspark.sql(f"SELECT * FROM ⟪DB.{ts§[0]}→DB.a§⟫ JOIN ⟪DB.{ts§[-1]}→DB.c§⟫ USING (id)")\nfor t in ts§[1:]:\n    spark.sql(f"SELECT * FROM ⟪DB.{t}→DB.b§|DB.c§⟫")',
    'py:for t in sorted({"b§", "a§"}):\n    spark.sql(f"SELECT * FROM ⟪DB.{t}→DB.a§|DB.b§⟫")',
    'py:ts§ = [f"DB.{n}" for n in ("a§", "b§")]\nfor t in ts§:\n    spark.table(⟪t→DB.a§|DB.b§⟫)',
    'py:ts§ = dict(x="a§", y="b§")\nspark.sql(f"SELECT * FROM ⟪DB.{ts§[\'y\']}→DB.b§⟫")',
)
form(
    "py-conf",
    'py:spark.conf.set("app.db§", "DB")‖py:d§ = spark.conf.get("app.db§")\nspark.sql(f"SELECT * FROM ⟪{d§}.a→DB.a⟫")',
    'py:d§ = spark.conf.get("app.unset§", "DB")\nspark.sql(f"SELECT * FROM ⟪{d§}.a→DB.a?⟫")',
)
form(
    "py-widget-kinds",
    'py:dbutils.widgets.dropdown("env§", "prd", ["dev", "prd"])\nenv§ = dbutils.widgets.get("env§")‖py:spark.sql(f"SELECT * FROM ⟪va_alms_{env§}.a§→va_alms_prd.a§⟫")',
    'py:dbutils.widgets.combobox("c§", "DB", ["DB"], "x")\nspark.table(⟪k←f"⟪{dbutils.widgets.get(\'c§\')}.a§→DB.a§→k⟫"⟫)',
    'sql:CREATE WIDGET DROPDOWN w§ DEFAULT "DB" CHOICES SELECT * FROM (VALUES ("a"), ("b"))‖sql:SELECT * FROM ⟪${w§}.a§→DB.a§⟫',
    'py:dbutils.widgets.removeAll()\ndbutils.widgets.text("w§", "DB")\nw§ = dbutils.widgets.get("w§").strip().lower()\nspark.table(⟪w§ + ".a§"→DB.a§⟫)',
    "sql:CREATE WIDGET TEXT w§ DEFAULT 'DB'‖sql:SELECT * FROM ⟪${w§}.a§→DB.a§⟫ WHERE d = getArgument('w§')",
)
form(
    "py-reassigned",
    'py:db§ = "va_alms_prd"\nspark.sql(f"SELECT * FROM ⟪{db§}.a§→va_alms_prd.a§⟫")\ndb§ = "finance_mart"\nspark.sql(f"SELECT * FROM ⟪{db§}.b§→finance_mart.b§⟫")',
    'py:db§ = "va_alms_prd"‖py:def g§(db§):\n    return spark.sql(f"SELECT * FROM ⟪{db§}.a§→finance_mart.a§⟫")\n\ng§("finance_mart")',
    'py:def g§():\n    return spark.sql(f"SELECT * FROM ⟪{LATE§}.a§→DB.a§⟫")‖py:LATE§ = "DB"\ng§()',
    'py:db§ = "va_alms_prd"\ndef g§():\n    db§ = "finance_mart"\n    spark.sql(f"SELECT * FROM ⟪{db§}.a§→finance_mart.a§⟫")\ng§()\nspark.sql(f"SELECT * FROM ⟪{db§}.b§→va_alms_prd.b§⟫")',
    'py:def g§(t):\n    spark.sql(f"OPTIMIZE ⟪~DB.{t}→DB.a§|DB.b§⟫")\n\nfor t in ["a§", "b§"]:\n    g§(t)',
)
form(
    "py-methods",
    'py:class L§:\n    def __init__(self, db):\n        self.db = db\n\n    def load(self):\n        return spark.sql(f"SELECT * FROM ⟪{self.db}.a§→DB.a§?⟫")\n\nL§("DB").load()',
    'py:class L§:\n    NAME = "DB"\n\n    def load(self, spark):\n        return spark.sql(f"SELECT * FROM ⟪{self.NAME}.a§→DB.a§?⟫ JOIN ⟪DC.b§⟫ USING (id)")',
    'py:class L§:\n    def __init__(self, spark):\n        self.spark = spark\n\n    def load(self):\n        return self.spark.table("⟪DC.b§⟫")',
    'py:class L§:\n    @staticmethod\n    def load():\n        return spark.sql("""SELECT * FROM ⟪DC.b§⟫""")',
)
form(
    "py-replace",
    'py:q§ = "SELECT * FROM ⟪__D__.a§→va_alms_prd.a§→k⟫"\nspark.sql(⟪k←q§.replace("__D__", "va_alms_prd")⟫)',
    'py:from string import Template\nq§ = Template("SELECT * FROM ⟪$d.a§→va_alms_prd.a§?→k⟫")\nspark.sql(⟪k←q§.substitute(d="va_alms_prd")⟫)',
)
form(
    "py-concat-literal",
    'py:spark.sql("SELECT * " + \\\n  "FROM ⟪DB.a§⟫ " + "JOIN ⟪DB.b§⟫ USING (id)")',
    'py:q§ = ("SELECT * "\n  f"FROM ⟪DB.a§⟫ "\n  "JOIN ⟪DB.b§⟫ USING (id)")\nspark.sql(q§)',
    'py:spark.sql(" ".join(["SELECT *", "FROM ⟪DB.a§⟫", "WHERE 1 = 1"]))',
    'py:spark.sql("""SELECT * FROM ⟪DB.a§⟫""" + (" LIMIT 1" if debug else ""))',
    'py:q§ = "SELECT * FROM ⟪DB.a§⟫"\nif flag:\n    q§ += " WHERE x"\nelse:\n    q§ = q§ + " JOIN ⟪DB.b§⟫ USING (id)"\nspark.sql(q§)',
    'py:spark.sql("SELECT * FROM ⟪DB.a§⟫".strip()).show()',
    'py:import textwrap\nspark.sql(textwrap.dedent("""\n  SELECT * FROM ⟪DB.a§⟫\n"""))',
)
form(
    "py-fstring-details",
    'py:d§ = "DB"\nspark.sql(f"SELECT * FROM ⟪{d§!s}.a§→DB.a§⟫")',
    'py:d§ = "DB"; t§ = "A§"\nspark.sql(f"SELECT * FROM ⟪{d§}.{t§.lower()}→DB.a§⟫")',
    'py:p§ = "va"; e§ = "prd"\nspark.sql(f"SELECT * FROM ⟪{p§}_alms_{e§}.a§→va_alms_prd.a§⟫")',
    'py:d§ = "DB"\nspark.sql(f"SELECT * FROM ⟪`{d§}`.`a§`→DB.a§⟫")',
    'py:d§ = "DB"\nspark.sql(f"""SELECT \'😀\' x, \'{d§}\' y FROM ⟪{d§}.a§→DB.a§⟫ {"WHERE 1=1" if True else ""}""")',
    'py:d§ = "DB"\nspark.sql(f"SELECT * FROM ⟪{ d§ }.a§→DB.a§⟫")',
    'py:d§ = "DB"\nspark.sql("SELECT 1 AS é " f"FROM ⟪{d§}.a§→DB.a§⟫ " "WHERE a = \'{x}\'")',
    "py:d§ = \"DB\"\nspark.sql(fr\"SELECT '\\d' FROM ⟪{d§}.a§→DB.a§⟫ WHERE x RLIKE 'a{{2}}'\")",
    'py:d§ = "DB"\nspark.sql(f"SELECT * FROM ⟪hive_metastore.{d§}.a§→DB.a§⟫")',
    'py:c§ = "hive_metastore"\nspark.sql(f"SELECT * FROM ⟪{c§}.DB.a§→DB.a§⟫")',
)
form(
    "py-temp-names",
    'py:for t in ["u§", "v§"]:\n    spark.table(⟪k←f"⟪DB.{t}→DB.u§|DB.v§→k⟫"⟫).createOrReplaceTempView(f"tmp_{t}")‖sql:SELECT * FROM ⟪tmp_u§×⟫ JOIN ⟪tmp_v§×⟫ USING (id)',
    'py:spark.table("⟪DB.a§⟫").createOrReplaceGlobalTempView("⟪gg§×⟫")\nspark.sql("SELECT * FROM ⟪global_temp.gg§×⟫")',
    'py:df.registerTempTable("⟪rt§×⟫")\nsqlContext.sql("SELECT * FROM ⟪rt§×⟫ JOIN ⟪DB.a§⟫ USING (id)")\nsqlContext.table("⟪DB.b§⟫")',
    'py:name§ = "tvn§"\ndf.createOrReplaceTempView(name§)\nspark.sql(f"SELECT * FROM ⟪{name§}×⟫ a JOIN ⟪DB.a§⟫ b USING (id)")',
    'py:spark.sql("CREATE OR REPLACE TEMP VIEW ⟪sv§×⟫ AS SELECT * FROM ⟪DB.a§⟫")\nspark.table("⟪sv§×⟫")',
    'py:df.createTempView("⟪orders_tv§×⟫")\nspark.sql("SELECT * FROM ⟪DB.orders_tv§⟫ a JOIN ⟪orders_tv§×⟫ b USING (id)")',
)
form(
    "py-catalog-parts",
    'py:spark.catalog.tableExists("⟪~DB.a§⟫")',
    'py:spark.catalog.createTable("⟪!DB.a§⟫", path="/mnt/a", source="delta")',
    'py:[c.name for c in spark.catalog.listColumns("⟪DB.a§⟫")]',
    'py:spark.catalog.recoverPartitions("⟪~DB.a§⟫")',
    'py:if spark._jsparkSession.catalog().tableExists("⟪~DB.a§⟫"):\n    pass',
)
form(
    "magic-lines",
    "sql1:SELECT * FROM ⟪DB.a§⟫",
    "md:%⟪va_alms_prd.orders×⟫‖sql:SELECT * FROM ⟪DB.a§⟫",
    "pip:install va_alms_prd.x‖sql:SELECT * FROM ⟪DB.a§⟫",
    "sh:cat ⟪va_alms_prd.orders×⟫‖py:spark.table('⟪DB.a§⟫')",
    "scala:spark.table(\"⟪va_alms_prd.orders×⟫\")‖py:spark.table('⟪DB.a§⟫')",
    "titled:Load ⟪va_alms_prd.orders×⟫‖py:spark.table('⟪DB.a§⟫')",
    "sql:\n\nSELECT * FROM ⟪DB.a§⟫\n\n",
)
form(
    "broken-cell",
    "py:def (:\n  spark.table(‖py:spark.table('⟪DB.a§⟫')",
    "sql:SELEC * FRM WHERE ((‖sql:SELECT * FROM ⟪DB.a§⟫",
    "py:print 'old'‖sql:SELECT * FROM ⟪DB.a§⟫",
    "sql:SELECT * FROM (((‖py:spark.sql('SELECT * FROM ⟪DB.b§⟫')",
    "py:s = '''never ends‖sql:SELECT * FROM ⟪DB.a§⟫",
)
form(
    "three-level",
    "sql:SELECT * FROM ⟪HIVE_METASTORE.DB.a§→DB.a§⟫",
    "sql:SELECT * FROM ⟪`hive_metastore`.`DB`.`a§`→DB.a§⟫",
    "sql:SELECT * FROM ⟪edp_prd.silver_alms.z§⟫ JOIN ⟪wb_velocityanalytics_prd.loyalty.z§⟫ USING (id)",
    "sql:SELECT * FROM ⟪samples.tpch.orders§⟫",
    "sql:SELECT * FROM ⟪system.access.audit⟫",
)
form(
    "use-then-python",
    'py:spark.sql("USE va_alms_prd")\nspark.table("⟪a§→va_alms_prd.a§⟫").write.saveAsTable("⟪!b§→va_alms_prd.b§⟫")‖sql:SELECT * FROM ⟪c§→va_alms_prd.c§⟫',
    "sql:USE CATALOG hive_metastore‖sql:USE va_alms_prd‖sql:INSERT INTO ⟪!c§→va_alms_prd.c§⟫ SELECT * FROM ⟪DB.d§⟫",
    "sql:USE hive_metastore.va_alms_prd;\nTRUNCATE TABLE ⟪!c§→va_alms_prd.c§⟫",
    'py:db = "va_alms_prd"\nspark.sql(f"USE {db}")‖sql:SELECT * FROM ⟪c§→va_alms_prd.c§⟫',
    'py:dbutils.widgets.text("db", "va_alms_prd")‖sql:USE ${db}‖sql:SELECT * FROM ⟪c§→va_alms_prd.c§⟫',
    "sql:USE CATALOG main_uc;\nUSE SCHEMA gold;\nSELECT * FROM ⟪c§→main_uc.gold.c§⟫",
    "sql:USE CATALOG main_uc‖sql:SELECT * FROM ⟪gold.c§→main_uc.gold.c§⟫",
    'py:spark.sql("USE " + unknown_db())‖sql:SELECT * FROM ⟪c§→?⟫',
    'sql:USE va_alms_prd‖py:spark.catalog.setCurrentDatabase("finance_mart")‖sql:SELECT * FROM ⟪c§→finance_mart.c§⟫',
    where=ALONE,
)
form(
    "run-child-forms",
    'child:DB_NAME = "va_alms_prd"\nTABLES = {"o": "o§"}‖run:‖py:spark.sql(f"SELECT * FROM ⟪{DB_NAME}.{TABLES[\'o\']}→va_alms_prd.o§⟫")',
    'child:def full(t):\n    return f"va_alms_prd.{t}"‖run:‖py:spark.table(⟪full("a§")→va_alms_prd.a§⟫)',
    'child:spark.sql("USE va_alms_prd")‖run:‖py:spark.table("⟪a§→va_alms_prd.a§⟫")',
    'child:df.createOrReplaceTempView("child_view")‖run:‖sql:SELECT * FROM ⟪child_view×⟫ JOIN ⟪DB.a§⟫ USING (id)',
    'child:dbutils.widgets.text("d", "va_alms_prd")‖run:‖sql:SELECT * FROM ⟪${d}.a§→va_alms_prd.a§⟫',
    where=CHILDREN,
)


# Files ------------------------------------------------------------------------------------------------------------


def prefixed(text: str, prefix: str) -> str:
    return "\n".join(f"{prefix} {line}".rstrip(" ") if line == "" else f"{prefix} {line}" for line in text.split("\n"))


INLINE = ("run", "sql1", "pip")


def source(cells: Sequence[Cell], form: str) -> str:
    """The text of a source notebook, marks and all."""
    mark = "--" if form == "sql" else "#"
    home = "sql" if form == "sql" else "py"
    out = []
    for lang, text in cells:
        if lang == "titled":
            out.append(f"{mark} DBTITLE 1,{text}\n{mark} MAGIC %md x")
            continue
        word = {"sql1": "%sql", "py": "%python"}.get(lang, f"%{lang}")
        if lang == home:
            out.append(text)
        elif form == "bare" and lang != "md":
            out.append(f"{word} {text}" if lang in INLINE else f"{word}\n{text}")
        else:
            out.append(prefixed(f"{word} {text}" if lang in INLINE else f"{word}\n{text}", f"{mark} MAGIC"))
    return f"{mark} Databricks notebook source\n" + f"\n\n{mark} COMMAND ----------\n\n".join(out) + "\n"


def unmark(text: str, marks: dict[int, Expected | Decoy], cell: int) -> str:
    """The text without its marks, whose places are noted."""
    out: list[str] = []
    line = column = 1
    started: dict[int, tuple[int, int, int]] = {}
    size = at = 0
    while at < len(text):
        char = text[at]
        if char in (OPEN, CLOSE):
            end = text.index(END, at)
            key = int(text[at + 1 : end])
            if char == OPEN:
                started[key] = (line, column, size)
            else:
                first, start, offset = started[key]
                marks[key].spans.append(Span(cell, first, start, line, column, "".join(out[offset:])))
            at = end + 1
            continue
        out.append(char)
        size += 1
        at += 1
        line, column = (line + 1, 1) if char == "\n" else (line, column + 1)
    return "".join(out)


def jupyter(cells: Sequence[Cell], form: str, marks: dict[int, Expected | Decoy]) -> str:
    made = []
    for index, (lang, marked) in enumerate(cells, 1):
        head = {"py": "", "md": "", "titled": "# "}.get(
            lang, f"%{lang.removesuffix('1')}" + (" " if lang in INLINE else "\n")
        )
        text = unmark(head + marked, marks, index)
        body: object = text.splitlines(keepends=True) if form == "ipynb-list" else text
        kind = (
            {"cell_type": "markdown", "metadata": {}}
            if lang == "md"
            else {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        )
        made.append({**kind, "source": body})
    document = {"cells": made, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=form == "ipynb-list") + "\n"


def noise(w: Writer) -> Cell:
    """A cell that names no table, though it may look so."""
    w.shape = "noise"
    d = w.decoy
    return w.pick(
        ("md", f"## Étape 😀: {d('va_alms_prd.orders')} and `FROM {d('velocity_analytics_foundation.members')}`"),
        ("py", "import datetime\nstart = datetime.datetime.now()"),
        ("py", f"# was {d('va_alms_prd.orders')}, now JOIN {d('va_alms_prd.members')}\nx = {{'a': 1}}\nprint(x['a'])"),
        ("py", f'print("wrote {d("va_alms_prd.orders")} from {d("va_alms_prd.members")}")'),
        (
            "py",
            f'notes = "FROM {d("va_alms_prd.orders")}"\nwords = {{"{d("va_alms_prd.members")}": "{d("va_alms_prd.x")}"}}',
        ),
        (
            "sql",
            f"SELECT '{d('va_alms_prd.orders')}' AS a, 'FROM {d('va_alms_prd.members')}' AS b -- {d('va_alms_prd.c')}",
        ),
        (
            "sql",
            f"WITH q AS (SELECT 1 AS id, named_struct('a', 2) AS s)\nSELECT {d('q.id')}, {d('s.a')} FROM {d('q')} JOIN {d('q')} r ON {d('r.id')} = {d('q.id')}",
        ),
    )


def write(w: Writer, name: str, cells: Sequence[Cell], form: str) -> Notebook:
    """One notebook of a format, with its marks resolved."""
    before = list(w.marks.values())
    crlf = w.random.random() < 0.2 and not form.startswith("ipynb")
    if form.startswith("ipynb"):
        text, ending = jupyter(cells, form, w.marks), ".ipynb"
    elif form == "plain":
        body = "".join(f"{text.rstrip().removesuffix(';')}\n;\n\n" for _, text in cells)
        text, ending = unmark(body, w.marks, 0), ".sql"
    else:
        text, ending = unmark(source(cells, form), w.marks, 0), ".sql" if form == "sql" else ".py"
    if not form.startswith("ipynb") and w.random.random() < 0.2:
        text = text.rstrip("\n")
    things = {id(one): one for one in before if one.spans}.values()
    w.marks.clear()
    data = text.replace("\n", "\r\n").encode() if crlf else text.encode()
    expected = tuple(one for one in things if isinstance(one, Expected))
    return Notebook(
        name + ending,
        data,
        form + ("-crlf" if crlf else ""),
        expected,
        tuple(one for one in things if isinstance(one, Decoy)),
    )


def chosen_format(w: Writer, cells: Sequence[Cell]) -> str:
    languages = {lang for lang, _ in cells}
    forms = ["sql", "py", "bare", "ipynb-list", "ipynb-string"]
    if languages == {"sql"} and not any(
        "${" in text or "$db" in text or (":" in text.replace("::", "") and "IDENTIFIER(:" in text) for _, text in cells
    ):
        forms += ["plain", "plain"]
    if "py" not in languages:
        forms += ["sql", "py"]
    return w.pick(*forms)


def generate(repeats: int = 40, seed: int = 20261121) -> Iterator[Notebook]:
    """All shapes, each so many times, a few to a notebook."""
    w = Writer(seed)
    bag = [name for name in SHAPES for _ in range(repeats)]
    w.random.shuffle(bag)
    serial = 0
    while bag:
        taken, cells = bag[: w.random.randrange(1, 6)], []
        del bag[: len(taken)]
        for name in taken:
            w.shape = name
            cells += SHAPES[name](w)
            if w.random.random() < 0.5:
                cells.append(noise(w))
        serial += 1
        yield write(w, f"nb_{serial:04}", cells, chosen_format(w, cells))
    for name, make in ALONE.items():
        for _ in range(repeats):
            w.shape, serial = name, serial + 1
            cells = list(make(w))
            yield write(w, f"nb_{serial:04}", cells, chosen_format(w, cells))
    for name, make in CHILDREN.items():
        for _ in range(repeats):
            w.shape, serial = name, serial + 1
            yield from family(w, f"nb_{serial:04}", make(w))


def family(w: Writer, name: str, cells: Sequence[Cell]) -> Iterator[Notebook]:
    child = next(text for lang, text in cells if lang == "child")
    yield Notebook(f"{name}_child.py", f"# Databricks notebook source\n{child}\n".encode(), "py", (), ())
    rest = [(lang, f"./{name}_child" if lang == "run" else text) for lang, text in cells if lang != "child"]
    yield write(w, name, rest, w.pick("py", "sql", "bare", "ipynb-list"))
