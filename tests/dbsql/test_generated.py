"""Random queries whose references are known by construction."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from brickyard.dbsql.parse import parse

WORDS = ["orders", "x", "t1", "from_", "`a b`", "t_${env}", "${tbl}", "2020_t", "join1", "Ünï"]
SCHEMAS = ["db", "${db}", "$db", "`my db`", "{{ db }}", "cat.db", "${cat}.${db}"]
DECOYS = [
    "'from db.orders'",
    '"join db.orders"',
    "/* from db.orders; */ 1",
    "-- from db.orders ; it's\n 1",
    "x:db.orders",
    "extract(year from db)",
    "trim(both 'x' from y)",
    "r'\\'",
    "1 is distinct from 2",
    "interval 3 days",
    "x::int",
    "`from`",
    "m['db.orders'].f",
    "cast(:p as date)",
    "1.5e3",
]


@dataclass
class Maker:
    """Makes a query and notes the references it writes."""

    random: random.Random
    references: list[str] = field(default_factory=list)
    made: int = 0

    def fresh(self, stem: str) -> str:
        self.made += 1
        return f"{stem}{self.made}"

    def name(self) -> str:
        schema = self.random.choice([*SCHEMAS, ""])
        name = self.random.choice(WORDS)
        text = f"{schema}.{name}" if schema else name
        self.references.append(text)
        return text

    def space(self) -> str:
        return self.random.choice([" ", " ", " ", "\n", " -- from a.b\n", " /* join c.d */ "])

    def relation(self, depth: int, ctes: tuple[str, ...]) -> str:
        choice = self.random.random()
        if ctes and choice < 0.25:
            return self.random.choice(ctes) + self.alias()
        if depth and choice < 0.4:
            return f"({self.query(depth - 1, ctes)})" + self.alias(always=True)
        if depth and choice < 0.45:
            return f"({self.relation(depth - 1, ctes)}{self.space()}join {self.relation(depth - 1, ctes)} on 1 = 1)"
        if choice < 0.5:
            return self.random.choice(["range(10)", "explode(array(1))", "values (1, 2), (3, 4)"]) + self.alias(
                always=True
            )
        return (
            self.name()
            + self.random.choice(["", "", "", " version as of 3", "@v3", " tablesample (5 rows)"])
            + self.alias()
        )

    def alias(self, *, always: bool = False) -> str:
        if not always and self.random.random() < 0.4:
            return ""
        return self.random.choice([" as ", " "]) + self.fresh("al")

    def expression(self, depth: int, ctes: tuple[str, ...]) -> str:
        choice = self.random.random()
        if depth and choice < 0.15:
            return f"({self.query(depth - 1, ctes)})"
        if depth and choice < 0.25:
            return f"al1.c in ({self.query(depth - 1, ctes)})"
        if choice < 0.35:
            schema = self.random.choice(["db", "${db}", "cat.db"])
            self.references.append(f"{schema}.fn")
            return f"{schema}.fn({self.expression(0, ctes)})"
        if choice < 0.6:
            return self.random.choice(DECOYS)
        return self.random.choice(["al1.c", "al1.s.f", "c", "count(*)", "max(c) over (partition by al1.d order by e)"])

    def select(self, depth: int, ctes: tuple[str, ...]) -> str:
        items = ", ".join(self.expression(depth, ctes) for _ in range(self.random.randint(1, 3)))
        text = f"select {items}{self.space()}from{self.space()}{self.relation(depth, ctes)}"
        for _ in range(self.random.randint(0, 2)):
            text += self.random.choice([self.join, self.comma])(depth, ctes)
        if self.random.random() < 0.2:
            text += f" lateral view explode(q) lv{self.made} as c1, c2"
        if self.random.random() < 0.5:
            text += f"{self.space()}where {self.expression(depth, ctes)} and {self.expression(0, ctes)} = 1"
        return text + self.random.choice(
            ["", " group by 1, 2", " order by 1, c", " limit 5", " qualify rank() over (order by c) = 1"]
        )

    def join(self, depth: int, ctes: tuple[str, ...]) -> str:
        kind = self.random.choice(
            ["join", "left join", "full outer join", "left anti join", "natural join", "cross join"]
        )
        text = f"{self.space()}{kind}{self.space()}{self.relation(depth, ctes)}"
        if kind[0] in "nc":
            return text
        return text + (" using (c, d)" if self.random.random() < 0.5 else f" on {self.expression(depth, ctes)}")

    def comma(self, depth: int, ctes: tuple[str, ...]) -> str:
        return f",{self.space()}{self.relation(depth, ctes)}"

    def query(self, depth: int, ctes: tuple[str, ...]) -> str:
        head = ""
        if depth and self.random.random() < 0.3:
            bodies = []
            for _ in range(self.random.randint(1, 2)):
                name = self.random.choice(["orders", "x", "cte1"])
                bodies.append(f"{name} as ({self.query(depth - 1, ctes)})")
                ctes = (*ctes, name)
            head = f"with {', '.join(bodies)}{self.space()}"
        text = self.select(depth, ctes)
        if depth and self.random.random() < 0.2:
            text = f"({text}) union all {self.select(depth - 1, ctes)}"
        return head + text


WRAPS: list[Callable[[str], tuple[str, list[str]]]] = [
    lambda q: (q, []),
    lambda q: (f"insert into db.target {q}", ["db.target"]),
    lambda q: (f"insert overwrite table ${{db}}.target partition (d = 1) {q}", ["${db}.target"]),
    lambda q: (f"create or replace table cat.db.target using delta as {q}", ["cat.db.target"]),
    lambda q: (f"create or replace view db.v comment 'from a.b' as {q}", ["db.v"]),
    lambda q: (f"create or replace temp view tv as {q}", []),
    lambda q: (f"merge into db.target t using ({q}) s on t.c = s.c when matched then update set *", ["db.target"]),
    lambda q: (f"delete from db.target where c in ({q})", ["db.target"]),
    lambda q: (f"create function db.f(a int) returns int return ({q})", ["db.f"]),
    lambda q: (f"cache table c1 as {q}", []),
]


def corpus(seed: int, size: int) -> list[tuple[str, list[str]]]:
    made = []
    for number in range(size):
        maker = Maker(random.Random(seed * 100_000 + number))
        query = maker.query(maker.random.randint(0, 3), ())
        text, more = maker.random.choice(WRAPS)(query)
        made.append((text, sorted([*maker.references, *more])))
    return made


def unshadowed(names: list[str], text: str) -> list[str]:
    """Names of one part that a CTE of the same query could hide are decided elsewhere; leave them out on both sides."""
    hidden = {n for n in ("orders", "x", "cte1") if f"{n} as (" in text}
    return [n for n in names if n not in hidden]


@pytest.mark.parametrize("seed", range(3))
def test_finds_exactly_what_was_written(seed: int) -> None:
    for text, expected in corpus(seed, 300):
        (statement,) = parse(text, trees=False).statements
        found = sorted(r.span.slice(text) for r in statement.references)
        assert unshadowed(found, text) == unshadowed(expected, text), text


@pytest.mark.full
def test_finds_exactly_what_was_written_in_ten_thousand_queries() -> None:
    for text, expected in corpus(99, 10_000):
        (statement,) = parse(text, trees=False).statements
        found = sorted(r.span.slice(text) for r in statement.references)
        assert unshadowed(found, text) == unshadowed(expected, text), text


def test_statements_that_sqlglot_reads_have_a_tree_with_the_offsets_of_the_text() -> None:
    parsed = 0
    for text, _ in corpus(7, 200):
        script = "select 1; " + text
        statement = parse(script).statements[1]
        if statement.tree is None:
            continue
        parsed += 1
        for table in statement.tree.find_all(__import__("sqlglot").exp.Table):
            meta = table.this.meta
            if "start" in meta:
                assert script[meta["start"] : meta["end"] + 1].strip("`")
    assert parsed > 150
