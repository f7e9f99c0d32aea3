"""What each statement names: exact text, side and kind of every reference."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.dbsql.model import Statement
from brickyard.dbsql.parse import parse


def rows(statement: Statement, text: str) -> list[str]:
    return [f"{r.span.slice(text)} {r.side} {r.kind}" for r in statement.references]


def found(text: str) -> list[str]:
    return sorted(row for statement in parse(text).statements for row in rows(statement, text))


QUERIES = {
    "select * from a.b": ["a.b read relation"],
    "select * from a.b x, c.d as y, e": ["a.b read relation", "c.d read relation", "e read relation"],
    "select * from a.b x left join c.d y on x.i = y.i cross join e.f": [
        "a.b read relation",
        "c.d read relation",
        "e.f read relation",
    ],
    "select * from a.b left semi join c.d using (i), e.f": [
        "a.b read relation",
        "c.d read relation",
        "e.f read relation",
    ],
    "select * from (a.b join c.d on 1=1) join e.f": ["a.b read relation", "c.d read relation", "e.f read relation"],
    "select * from ((select * from a.b) union all (select * from c.d)) q": ["a.b read relation", "c.d read relation"],
    "(select 1 from a.b) union (select 2 from c.d) order by 1": ["a.b read relation", "c.d read relation"],
    "select (select max(x) from a.b), exists (select 1 from c.d) from e.f where g in (select h from i.j)": [
        "a.b read relation",
        "c.d read relation",
        "e.f read relation",
        "i.j read relation",
    ],
    "select case when exists(select 1 from a.b) then 1 end from c.d": ["a.b read relation", "c.d read relation"],
    "select * from a.b pivot (sum(x) for y in ('p' as q, 'r')) as z where z.q > 1": ["a.b read relation"],
    "select * from a.b unpivot include nulls (v for n in (c1, c2)) u, c.d": ["a.b read relation", "c.d read relation"],
    "select * from a.b tablesample (10 percent) repeatable (7) x join c.d tablesample (5 rows)": [
        "a.b read relation",
        "c.d read relation",
    ],
    "select * from a.b lateral view outer explode(q) t as c1, c2 where c1 > 1": ["a.b read relation"],
    "select * from a.b lateral view explode(x) t as c lateral view explode(y) u as d, e.f": ["a.b read relation"],
    "select * from a.b, lateral (select * from c.d where c.d.x = b.y) z": ["a.b read relation", "c.d read relation"],
    "select * from a.b, lateral explode(b.x) as t(y)": ["a.b read relation"],
    "select * from range(10), explode(array(1)) t, read_files('/x', format => 'csv') f, a.b": ["a.b read relation"],
    "select * from a.b version as of 3 x join c.d timestamp as of '2020-01-01' y": [
        "a.b read relation",
        "c.d read relation",
    ],
    "select * from a.b@v3, c.d@20200101000000000": ["a.b read relation", "c.d read relation"],
    "select * from table_changes('a.b', 1, 5) x join table_changes(\"c.`d`\", 2)": [
        "a.b read relation",
        "c.`d` read relation",
    ],
    "select * from delta.`/x/y` a, parquet.`s3://b/c`, csv.`dbfs:/x.csv`": [
        "csv.`dbfs:/x.csv` read path",
        "delta.`/x/y` read path",
        "parquet.`s3://b/c` read path",
    ],
    "select * from csv.events": ["csv.events read relation"],
    "values (1, 'a.b'), (2, 'c.d')": [],
    "select * from values (1, 2), (3, 4) as t(a, b), c.d": ["c.d read relation"],
    "select * from values 1, 2": [],
    "table a.b": ["a.b read relation"],
    "select * from stream(a.b)": ["a.b read relation"],
    "select * from stream a.b": ["a.b read relation"],
    "from a.b select x where y > 1": ["a.b read relation"],
    "from a.b |> where x > 1 |> join c.d using (i) |> aggregate count(*) group by y": [
        "a.b read relation",
        "c.d read relation",
    ],
    "select * from a.b where x = 1 union all select * from c.d minus select * from e.f": [
        "a.b read relation",
        "c.d read relation",
        "e.f read relation",
    ],
    "select * except (x, y) from a.b": ["a.b read relation"],
    "select extract(year from d), trim(both 'x' from y), substring(s from 2), overlay(a placing b from 3) from a.b": [
        "a.b read relation"
    ],
    "select * from a.b where x is distinct from y and z is not distinct from w": ["a.b read relation"],
    "select distinct x from a.b": ["a.b read relation"],
    "select count(distinct x) from a.b": ["a.b read relation"],
    "select db.fn(x), c.d.fn(db2.g(1)), fn(z) from t": [
        "c.d.fn read function",
        "db.fn read function",
        "db2.g read function",
        "t read relation",
    ],
    "select * from db.tvf(1, 2) t join c.d.tvf2() u": ["c.d.tvf2 read function", "db.tvf read function"],
    "select * from tvf(table(a.b), 1), tvf2(table(select * from c.d)), tvf3(t => table a.e)": [
        "a.b read relation",
        "a.e read relation",
        "c.d read relation",
    ],
    "select a.b.c.d, a.b.c from a.b.c": ["a.b.c read relation"],
    "select `x y`.`z`, 1 from `a b`.`c``d` t": ["`a b`.`c``d` read relation"],
    "select x from a . b": ["a . b read relation"],
    "select x /* from c.d */ -- from e.f\n from a.b -- join g.h": ["a.b read relation"],
    "select 'from c.d', \"join e.f\", r'from \\', 'it''s from g.h' from a.b": ["a.b read relation"],
    "select x:y.z, x:a[0].b::int, m['k'].n from a.b": ["a.b read relation"],
    "select transform(xs, x -> x + 1), array_sort(ys, (l, r) -> 1) from a.b": ["a.b read relation"],
    "select max(x) filter (where y > 1) over (partition by z order by w rows between 1 preceding and current row) from a.b": [
        "a.b read relation"
    ],
    "select * from a.b qualify row_number() over (partition by x order by y) = 1": ["a.b read relation"],
    "select * from a.b window w as (partition by x)": ["a.b read relation"],
    "select * from a.b order by (select max(x) from c.d)": ["a.b read relation", "c.d read relation"],
    "select * from a.2020_sales, a._t, `2020`.x": [
        "`2020`.x read relation",
        "a.2020_sales read relation",
        "a._t read relation",
    ],
    "select if(x in (select y from a.b), 1, 2)": ["a.b read relation"],
    "select * from a.b as left_ join c.d right on 1=1": ["a.b read relation", "c.d read relation"],
    "select table, values, t.from, x as table from a.b where table like 'x' and table = 1": ["a.b read relation"],
    "select map('a', 1), (map('b', 2)), reduce(xs, 0, (a, b) -> a + b) from a.b": ["a.b read relation"],
    "explain extended select * from a.b": ["a.b read relation"],
    "select /*+ broadcast(b) */ * from a.b": ["a.b read relation"],
    "select * from a.b natural join c.d full outer join e.f on true": [
        "a.b read relation",
        "c.d read relation",
        "e.f read relation",
    ],
    "select current_date() - interval 3 days, date '2020-01-01', timestamp '2020-01-01' from a.b": [
        "a.b read relation"
    ],
    "select * from a.b timestamp as of date_sub(current_date(), 1) x, c.d": ["a.b read relation", "c.d read relation"],
    "select * from a.b timestamp as of current_timestamp() - interval 12 hours, c.d": [
        "a.b read relation",
        "c.d read relation",
    ],
    "select * from json.`/x`, text.`/y`": ["json.`/x` read path", "text.`/y` read path"],
}

TEMPLATES = {
    "select * from ${db}.t": ["${db}.t read relation"],
    "select * from $db.t": ["$db.t read relation"],
    "select * from ${a.b}.t_${env} x join {{ schema }}.u y": [
        "${a.b}.t_${env} read relation",
        "{{ schema }}.u read relation",
    ],
    "select ${db}.fn(x) from ${db}.`t${n}`": ["${db}.`t${n}` read relation", "${db}.fn read function"],
    "select * from ${tbl}": ["${tbl} read relation"],
    "select * from a.b where ${cond} and d >= '${date}'": ["a.b read relation"],
    "select * from a.b ${where}": ["a.b read relation"],
    "select * from a.b where x = $x limit ${n}": ["a.b read relation"],
    "select * from identifier(:c || '.t')": [":c || '.t' read relation"],
    "select * from IDENTIFIER('a.b') x join identifier(:t) y on x.i = y.i": ["'a.b' read relation", ":t read relation"],
    "select identifier(:f)(x), identifier(:col) from a.b": [":f read function", "a.b read relation"],
    "insert into identifier(:c '.t') select * from a.b": [":c '.t' write relation", "a.b read relation"],
    "merge into identifier(:t) t using a.b s on t.i = s.i when matched then delete": [
        ":t readwrite relation",
        "a.b read relation",
    ],
    "update identifier(:t) set x = 1": [":t readwrite relation"],
    "delete from identifier(:t || '_x') where y = 1": [":t || '_x' readwrite relation"],
    "create or replace table identifier(:c || '.' || :s || '.t') as select * from a.b": [
        ":c || '.' || :s || '.t' write table",
        "a.b read relation",
    ],
    "drop table if exists identifier(:t)": [":t write table"],
    "{% if x %} select * from a.b {% endif %}": ["a.b read relation"],
    "select * from delta.`${path}/x`": ["delta.`${path}/x` read path"],
}

STATEMENTS = {
    "insert into a.b select * from c.d": ["a.b write relation", "c.d read relation"],
    "insert into table a.b (x, y) values (1, (select max(z) from c.d))": ["a.b write relation", "c.d read relation"],
    "insert overwrite a.b partition (d = '1', h) if not exists select * from c.d": [
        "a.b write relation",
        "c.d read relation",
    ],
    "insert into a.b by name with q as (select * from c.d) select * from q": [
        "a.b write relation",
        "c.d read relation",
    ],
    "insert into a.b replace where d > 1 select * from c.d": ["a.b write relation", "c.d read relation"],
    "insert into a.b table c.d": ["a.b write relation", "c.d read relation"],
    "insert overwrite directory '/x' using parquet select * from c.d": ["/x write path", "c.d read relation"],
    "with q as (select * from c.d) insert into a.b select * from q": ["a.b write relation", "c.d read relation"],
    "from a.b insert into c.d select * insert overwrite table e.f select y": [
        "a.b read relation",
        "c.d write relation",
        "e.f write relation",
    ],
    "merge with schema evolution into a.b t using (select * from c.d) s on t.i = s.i when matched and s.x > 1 then update set *"
    " when not matched then insert (i, x) values (s.i, s.x) when not matched by source then delete": [
        "a.b readwrite relation",
        "c.d read relation",
    ],
    "merge into a.b using c.d on a.b.i = c.d.i when not matched then insert *": [
        "a.b readwrite relation",
        "c.d read relation",
    ],
    "update a.b t set x = 1 where y in (select y from c.d)": ["a.b readwrite relation", "c.d read relation"],
    "delete from a.b as t where not exists (select 1 from c.d u where u.i = t.i)": [
        "a.b readwrite relation",
        "c.d read relation",
    ],
    "truncate table a.b": ["a.b write table"],
    "truncate table a.b partition (d = 1)": ["a.b write table"],
    "create table a.b (x int, y string) using delta": ["a.b write table"],
    "create or replace table a.b using delta partitioned by (x) location '/x' as select * from c.d": [
        "/x write path",
        "a.b write table",
        "c.d read relation",
    ],
    "create table if not exists a.b as with q as (select 1 from c.d) select * from q": [
        "a.b write table",
        "c.d read relation",
    ],
    "create table a.b (table string, from_ int, x int default c.f(1), values string)": [
        "a.b write table",
        "c.f read function",
    ],
    "insert into a.b (table, values) select 1, 2 from c.d": ["a.b write relation", "c.d read relation"],
    "with q as (select 1) insert into identifier(:t) select * from q": [":t write relation"],
    "create table a.b like c.d": ["a.b write table", "c.d read table"],
    "create table a.b (i int, constraint k foreign key (i) references c.d (i))": ["a.b write table", "c.d read table"],
    "create or replace table a.b deep clone c.d version as of 3": ["a.b write table", "c.d read relation"],
    "create table if not exists a.b shallow clone c.d@v7 location '/x'": [
        "/x write path",
        "a.b write table",
        "c.d read relation",
    ],
    "create table a.b clone delta.`/x`": ["a.b write table", "delta.`/x` read path"],
    "create or replace view a.b (x comment 'c', y) comment 'from z.z' as select * from c.d": [
        "a.b write view",
        "c.d read relation",
    ],
    "create view if not exists a.b as select * from c.d": ["a.b write view", "c.d read relation"],
    "create materialized view a.b as select * from c.d": ["a.b write view", "c.d read relation"],
    "create or replace temp view v as select * from c.d": ["c.d read relation"],
    "create global temporary view v as select * from c.d": ["c.d read relation"],
    "create temporary view v using csv options (path '/x')": [],
    "create or replace function a.f(x int default 1, y string) returns int return (select max(z) from c.d where z > x)": [
        "a.f write function",
        "c.d read relation",
    ],
    "create function a.f(x int) returns table (y int) return select y from c.d": [
        "a.f write function",
        "c.d read relation",
    ],
    "create function a.f(x int) returns int language python as $$ from c import d $$": ["a.f write function"],
    "create temporary function f(x int) returns int return a.g(x)": ["a.g read function"],
    "drop table if exists a.b": ["a.b write table"],
    "drop view a.b": ["a.b write view"],
    "drop function if exists a.f": ["a.f write function"],
    "drop temporary function f": [],
    "alter table a.b add columns (x int after y)": ["a.b write table"],
    "alter table a.b rename to a.c": ["a.b write table", "a.c write table"],
    "alter table a.b set tblproperties ('x.y' = 'c.d')": ["a.b write table"],
    "alter view a.b as select * from c.d": ["a.b write view", "c.d read relation"],
    "optimize a.b where d > 1 zorder by (x, y)": ["a.b write table"],
    "optimize delta.`/x`": ["delta.`/x` write path"],
    "vacuum a.b retain 168 hours dry run": ["a.b write table"],
    "vacuum '/x'": ["/x write path"],
    "analyze table a.b compute statistics for columns x, y": ["a.b write table"],
    "restore table a.b to version as of 3": ["a.b readwrite table"],
    "restore a.b timestamp as of '2020-01-01'": ["a.b readwrite table"],
    "convert to delta parquet.`/x` partitioned by (d int)": ["parquet.`/x` readwrite path"],
    "msck repair table a.b sync partitions": ["a.b write table"],
    "fsck repair table a.b dry run": ["a.b write table"],
    "refresh table a.b": ["a.b read relation"],
    "refresh a.b": ["a.b read relation"],
    "cache lazy table a.b": ["a.b read relation"],
    "cache table x as select * from c.d": ["c.d read relation"],
    "cache select * from c.d": ["c.d read relation"],
    "uncache table if exists a.b": ["a.b read relation"],
    "describe a.b": ["a.b read relation"],
    "desc table extended a.b": ["a.b read relation"],
    "describe extended a.b": ["a.b read relation"],
    "describe formatted a.b": ["a.b read relation"],
    "describe history a.b limit 5": ["a.b read relation"],
    "describe detail delta.`/x`": ["delta.`/x` read path"],
    "describe detail '/x'": ["/x read path"],
    "describe function extended a.f": ["a.f read function"],
    "describe schema extended a": [],
    "describe catalog a": [],
    "describe history.t": ["history.t read relation"],
    "show tables in a like 'b*'": [],
    "show columns in a.b": ["a.b read relation"],
    "show tblproperties a.b ('x')": ["a.b read relation"],
    "show partitions a.b": ["a.b read relation"],
    "show create table a.b": ["a.b read relation"],
    "show grants on table a.b": ["a.b read relation"],
    "show grants `me@x` on schema a": [],
    "grant select on table a.b to `me@x`": ["a.b write relation"],
    "grant select, modify on a.b to me": ["a.b write relation"],
    "revoke all privileges on view a.b from me": ["a.b write view"],
    "grant execute on function a.f to me": ["a.f write function"],
    "grant usage on schema a to me": [],
    "comment on table a.b is 'from c.d'": ["a.b write relation"],
    "comment on column a.b.c is 'x'": ["a.b write relation"],
    "copy into a.b from '/x' fileformat = csv": ["/x read path", "a.b write table"],
    "copy into a.b from (select x, _metadata.file_path from '/x') fileformat = parquet": [
        "/x read path",
        "a.b write table",
    ],
    "use a": [],
    "use catalog a": [],
    "create schema if not exists a.b location '/x'": ["/x write path"],
    "create foreign catalog a using connection c options (database 'd')": [],
    "drop schema a.b cascade": [],
    "set time zone 'Australia/Brisbane'": [],
    "set spark.sql.shuffle.partitions = 10": [],
    "declare or replace variable d date default (select max(x) from a.b)": ["a.b read relation"],
    "set var x = (select max(x) from a.b), y = 2": ["a.b read relation"],
    "set variable (x, y) = (select 1, 2 from a.b)": ["a.b read relation"],
    "execute immediate 'select * from a.b where x = ?' using 1": ["a.b read relation"],
    "execute immediate 'insert into a.b select * from ${db}.t where x = 1'": [
        "${db}.t read relation",
        "a.b write relation",
    ],
    "execute immediate 'select * from a.' || :t": [],
    "load data inpath '/x' overwrite into table a.b partition (d = 1)": ["/x read path", "a.b write table"],
    "explain formatted insert into a.b select * from c.d": ["a.b write relation", "c.d read relation"],
    "create widget text x default 'a.b'": [],
    "drop widget x": [],
    "begin declare x int; insert into a.b select * from c.d; if x > 1 then update e.f set a = 1; else delete from g.h;"
    " end if; for r as select * from i.j do select r.x; end for; end": [
        "a.b write relation",
        "c.d read relation",
        "e.f readwrite relation",
        "g.h readwrite relation",
        "i.j read relation",
    ],
    "create procedure a.p(x int) as begin insert into b.c select * from d.e; end": [
        "a.p write function",
        "b.c write relation",
        "d.e read relation",
    ],
    "call a.p(1)": ["a.p read function"],
    "select 1;; ; select * from a.b;": ["a.b read relation"],
}

SCOPES = {
    "with x as (select * from x) select * from x": ["x read relation"],
    "with x as (select * from a.x), y as (select * from x) select * from y join x": ["a.x read relation"],
    "with x as (select 1) select * from a.x": ["a.x read relation"],
    "with x as (select * from y), y as (select * from a.b) select * from x, y": [
        "a.b read relation",
        "y read relation",
    ],
    "with recursive x as (select 1 union all select n from x) select * from x": [],
    "with recursive x(n) max recursion level 9 as (select 1 union all select n from x) select * from x": [],
    "with x(a, b) as (select * from c.d) select * from X": ["c.d read relation"],
    "with `x` (select * from c.d) select * from x": ["c.d read relation"],
    "select * from (with x as (select * from a.b) select * from x) q join x": ["a.b read relation", "x read relation"],
    "with x as (select * from a.b) select * from (with x as (select * from x) select * from x)": ["a.b read relation"],
    "with x as (select 1) select (select max(i) from x), y.* from y": ["y read relation"],
    "create temp view v as select * from a.b; select * from v; select * from db.v": [
        "a.b read relation",
        "db.v read relation",
    ],
    "select * from v; create temp view v as select 1; select * from V": ["v read relation"],
    "with v as (select 1) select * from v; select * from v": ["v read relation"],
    "insert into x with x as (select * from a.b) select * from x": ["a.b read relation", "x write relation"],
}


@pytest.mark.parametrize("text", [*QUERIES, *TEMPLATES, *STATEMENTS, *SCOPES])
def test_finds_what_the_statement_names(text: str) -> None:
    assert found(text) == {**QUERIES, **TEMPLATES, **STATEMENTS, **SCOPES}[text]


KEPT = re.compile(r"""('[^']*'|"[^"]*"|`[^`]*`|--[^\n]*\n|/\*.*?\*/|\{\{.*?\}\}|\{%.*?%\}|\$\$.*?\$\$)""")
SPACES = st.sampled_from([" ", "\n", "\r\n\t", " /* from q.q; ' */ ", ' -- join r.r; "\n', "/* /* ; */ from s.s */"])


def names(text: str) -> list[list[str]]:
    return [
        [
            f"{r.side} {r.kind} " + "".join(str(p) for n in r.parts for p in n.pieces if isinstance(p, str))
            for r in s.references
        ]
        for s in parse(text, trees=False).statements
        if s.references
    ]


@given(st.lists(st.sampled_from([*QUERIES, *STATEMENTS]), min_size=1, max_size=5), st.data())
def test_comments_between_tokens_and_neighbours_change_nothing(texts: list[str], data: st.DataObject) -> None:
    pieces = KEPT.split("\n; ".join(texts) + "\n")
    for i in range(0, len(pieces), 2):
        words = pieces[i].split(" ")
        spaces = data.draw(st.lists(SPACES, min_size=len(words), max_size=len(words)))
        pieces[i] = "".join(
            w + (s if n < len(words) - 1 else "") for n, (w, s) in enumerate(zip(words, spaces, strict=True))
        )
    assert names("".join(pieces)) == [n for text in texts for n in names(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("create schema a.b", ["a.b schema"]),
        ("use catalog `x y`", ["`x y` catalog"]),
        ("use schema a.b", ["a.b schema"]),
        ("use a", ["a schema"]),
        ("show tables in a.b", ["a.b schema"]),
        ("show schemas in c", ["c catalog"]),
        ("drop catalog c cascade", ["c catalog"]),
        ("grant usage on catalog c to me", ["c catalog"]),
        ("describe schema a.b", ["a.b schema"]),
        ("comment on schema a is 'x'", ["a schema"]),
        ("show columns in t in a", ["a schema"]),
    ],
)
def test_keeps_schemas_and_catalogs_apart(text: str, names: list[str]) -> None:
    (statement,) = parse(text).statements
    assert [f"{r.span.slice(text)} {r.kind}" for r in statement.namespaces] == names
