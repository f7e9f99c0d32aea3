"""Statements of a script, their scopes, holes, markers, qualifiers and faults."""

from __future__ import annotations

import pytest
from sqlglot import exp

from brickyard.dbsql.model import Hole, NamePart, Script
from brickyard.dbsql.parse import parse, tree_at
from brickyard.notebooks.model import Span


def texts(script: Script) -> list[str]:
    return [s.span.slice(script.text) for s in script.statements]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ; ;\n", []),
        ("-- only a comment", []),
        ("select 1", ["select 1"]),
        ("-- a\nselect 1; -- b\n/* c; */ select 2 -- d", ["select 1", "select 2"]),
        ("select ';', \";\", `;` from t; select 2", ["select ';', \";\", `;` from t", "select 2"]),
        ("select 'it''s; x', 'a\\';b'; select 2", ["select 'it''s; x', 'a\\';b'", "select 2"]),
        ("select r'\\'; select 2", ["select r'\\'", "select 2"]),
        ("select 1 /* /* ; */ ; */; select 2", ["select 1", "select 2"]),
        ("select (1; select 2", ["select (1", "select 2"]),
        (
            "create function f() returns int language python as $$ a; b $$; select 2",
            [
                "create function f() returns int language python as $$ a; b $$",
                "select 2",
            ],
        ),
        (
            "begin select 1; select case when x then 1 end; end; select 2",
            [
                "begin select 1; select case when x then 1 end; end",
                "select 2",
            ],
        ),
        (
            "l: begin if x then select 1; end if; while y do select 2; end while; end l; select 3",
            [
                "l: begin if x then select 1; end if; while y do select 2; end while; end l",
                "select 3",
            ],
        ),
        ("begin select 1; select 2", ["begin select 1", "select 2"]),
        ("begin transaction; select 1; commit", ["begin transaction", "select 1", "commit"]),
        (
            "create procedure p() as begin select 1; begin select 2; end; end; select 3",
            [
                "create procedure p() as begin select 1; begin select 2; end; end",
                "select 3",
            ],
        ),
        ("select 'open from a.b;\nselect 2", ["select 'open from a.b", "select 2"]),
    ],
)
def test_splits_at_separators_only(text: str, expected: list[str]) -> None:
    assert texts(parse(text, trees=False)) == expected


def test_a_broken_statement_leaves_the_others_intact() -> None:
    text = "select 1 from a.b;\n selec x frm from c.d where;\n select 2 from e.f"
    first, broken, last = parse(text).statements
    assert (first.error, last.error) == (None, None)
    assert (first.tree is None, broken.tree, last.tree is None) == (False, None, False)
    assert broken.error
    assert broken.error_offset is not None
    assert broken.span.start <= broken.error_offset <= broken.span.end
    assert [r.span.slice(text) for s in (first, broken, last) for r in s.references] == ["a.b", "c.d", "e.f"]


def test_an_open_string_is_reported_where_it_begins() -> None:
    text = "select 1; select 'x from a.b"
    statement = parse(text).statements[1]
    assert (statement.error, statement.error_offset) == ("a string or quoted name does not end", 17)


def test_tree_offsets_are_those_of_the_text() -> None:
    text = "select 1;\n\n select b.x from ${db}.t@v3 as b join identifier(:c || '.u') v on b.i = v.i where ${cond}"
    tree = parse(text).statements[1].tree
    assert tree is not None
    found = {text[t.this.meta["start"] : t.this.meta["end"] + 1] for t in tree.find_all(exp.Table)}
    assert found == {"t", "identifier(:c || '.u')"}


def test_a_range_of_the_text_can_be_parsed_alone() -> None:
    text = "create view a.b comment 'x' as select ${c} from d.e"
    query = parse(text).statements[0].arguments["query"]
    assert isinstance(query, Span)
    tree = tree_at(text, query)
    assert isinstance(tree, exp.Select)
    column = tree.find(exp.Column)
    assert column is not None
    assert text[column.this.meta["start"] : column.this.meta["end"] + 1] == "${c}"
    assert tree_at("select from where", Span(0, 17)) is None


def test_parts_of_a_name_hold_its_text_and_its_holes_in_order() -> None:
    text = "select * from ${c}.`a``b`.t_${env}_x"
    (reference,) = parse(text).statements[0].references
    assert reference.parts == (
        NamePart((Hole(Span(14, 18), "c"),)),
        NamePart(("a`b",)),
        NamePart(("t_", Hole(Span(28, 34), "env"), "_x")),
    )
    assert reference.literal is None


def test_holes_of_the_caller_hide_what_they_cover() -> None:
    text = "select * from {x['a']}.t where d = '{y(\"it's\")}' and e = {z}"
    holes = [Hole(Span(14, 22), "x"), Hole(Span(36, 47), "y"), Hole(Span(57, 60), "z")]
    assert [text[h.span.start : h.span.end] for h in holes] == ["{x['a']}", '{y("it\'s")}', "{z}"]
    (statement,) = parse(text, holes=holes).statements
    assert statement.error is None
    assert statement.holes == tuple(holes)
    assert [r.span.slice(text) for r in statement.references] == ["{x['a']}.t"]
    assert statement.references[0].parts == (NamePart((holes[0],)), NamePart(("t",)))


def test_markers_and_holes_are_exposed_in_order() -> None:
    text = "select :a, '${b}', $c, {{ d }} from t where x = :e and y = ':no' -- ${f} :g"
    (statement,) = parse(text).statements
    assert [h.name for h in statement.holes] == ["b", "c", "d"]
    assert [(m.name, m.span.slice(text)) for m in statement.markers] == [("a", ":a"), ("e", ":e")]


@pytest.mark.parametrize(
    ("argument", "pieces", "literal"),
    [
        ("'a.b'", ("a.b",), ("a", "b")),
        ("'a.' 'b'", ("a.b",), ("a", "b")),
        ("'a' || '.b'", ("a.b",), ("a", "b")),
        ("'`x y`.b'", ("`x y`.b",), ("x y", "b")),
        (":c || '.t'", ("c", ".t"), None),
        (":c '.' :s '.t'", ("c", ".", "s", ".t"), None),
        ("'${db}.t'", ("db", ".t"), None),
        ("'a.t' || $x", ("a.t", "x"), None),
        ("concat(:c, '.t')", (), None),
        ("upper(:c)", (), None),
        ("session.x", (), None),
    ],
)
def test_identifier_arguments(argument: str, pieces: tuple[str, ...], literal: tuple[str, ...] | None) -> None:
    text = f"select * from identifier( {argument} ) x"
    (reference,) = parse(text).statements[0].references
    assert reference.span.slice(text) == argument
    assert reference.whole is not None
    assert reference.whole.slice(text) == f"identifier( {argument} )"
    joined = "|".join(p if isinstance(p, str) else p.name for p in reference.pieces)
    assert joined.replace("a|.b", "a.b").replace("a.|b", "a.b") == "|".join(pieces)
    assert reference.literal == literal
    assert (reference.computed is None) == (literal is not None)
    assert reference.alias == "x"


@pytest.mark.parametrize(
    ("relation", "version", "alias"),
    [
        ("a.b", None, None),
        ("a.b x", None, "x"),
        ("a.b as `X y`", None, "x y"),
        ("a.b version as of 3", "version as of 3", None),
        ("a.b for version as of :v x", "for version as of :v", "x"),
        ("a.b timestamp as of '2020-01-01' as x", "timestamp as of '2020-01-01'", "x"),
        (
            "a.b timestamp as of current_timestamp() - interval 1 hour x",
            "timestamp as of current_timestamp() - interval 1 hour",
            "x",
        ),
        (
            "a.b for system_time as of cast('2020-01-01' as timestamp) x",
            "for system_time as of cast('2020-01-01' as timestamp)",
            "x",
        ),
        ("a.b@v12 x", "@v12", "x"),
        ("a.b@20200101000000000", "@20200101000000000", None),
        ("a.b ${where}", None, None),
        ("a.b timestamp", None, "timestamp"),
        ("a.b pivot (sum(x) for y in (1)) p", None, "p"),
        ("a.b x (c, d)", None, "x"),
    ],
)
def test_time_travel_and_alias(relation: str, version: str | None, alias: str | None) -> None:
    text = f"select * from {relation} where 1 = 1"
    (reference,) = parse(text, trees=False).statements[0].references
    assert reference.span.slice(text) == "a.b"
    assert (reference.version.slice(text) if reference.version else None, reference.alias) == (version, alias)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select b.x, a.b.y, c.a.b.z, x from c.a.b", [("b", 0), ("a.b", 0), ("c.a.b", 0)]),
        ("select b.x from a.b b", []),
        ("select b.x from a.b t", []),
        ("select b.*, d.* from a.b join c.d x", [("b", 0)]),
        ("select a.b.* from a.b", [("a.b", 0)]),
        ("select d.x from a.b join a.d on b.i = d.i", [("d", 1), ("b", 0), ("d", 1)]),
        ("select 1 from a.b where exists (select 1 from c.d where d.i = b.i)", [("d", 1), ("b", 0)]),
        ("select 1 from a.b where exists (select 1 from c.b where b.i = 1)", [("b", 1)]),
        ("select 1 from a.b where exists (select 1 from c.d b where b.i = 1)", []),
        ("select b.x from a.b union all select b.x from c.b", [("b", 0), ("b", 1)]),
        ("with b as (select 1) select b.x from b", []),
        ("with q as (select b.x from a.b) select q.x from q", [("b", 0)]),
        ("update a.b set b.x = 1 where b.y = 2", [("b", 0), ("b", 0)]),
        ("delete from a.b where b.y = 2 and a.b.z = 3", [("b", 0), ("a.b", 0)]),
        (
            "merge into a.b using c.d on b.i = d.i when matched then update set b.x = d.x",
            [("b", 0), ("d", 1), ("b", 0), ("d", 1)],
        ),
        ("merge into a.b t using c.d s on t.i = s.i when not matched then insert (i) values (s.i)", []),
        ("insert into a.b select d.x, b.y from c.d", [("d", 1)]),
        ("select `b`.x, B.y, `A`.`b`.z from a.b", [("`b`", 0), ("B", 0), ("`A`.`b`", 0)]),
        ("select ${db}.t.x, t.y from ${db}.t", [("${db}.t", 0), ("t", 0)]),
        ("select s.f, m.k.j from a.b", []),
        ("select j:b.c, j:x from a.b", []),
        ("select t.x from identifier(:c || '.t')", [("t", 0)]),
        ("select sum(b.x) over (partition by b.y order by b.z) from a.b group by b.y", [("b", 0)] * 4),
        ("select transform(b.xs, b -> b.f) from a.b", [("b", 0)]),
        ("select transform(xs, (b, i) -> b.f + i), b.g from a.b", [("b", 0)]),
        ("select /*+ broadcast(d), merge(x) */ 1 from a.b join c.d on 1 = 1", [("d", 1)]),
        ("select * from a.b pivot (sum(b.x) for y in (1)) where b.z = 1", [("b", 0), ("b", 0)]),
        ("create view v.w as select b.x from a.b", [("b", 1)]),
        ("begin select b.x from a.b; delete from c.d where d.y = 1; end", [("b", 0), ("d", 1)]),
        ("select t.x from t; create temp view t as select 1; select t.x from t", [("t", 0)]),
    ],
)
def test_table_names_before_columns_follow_their_relation(text: str, expected: list[tuple[str, int]]) -> None:
    found = [(q.span.slice(text), q.reference) for s in parse(text, trees=False).statements for q in s.qualifiers]
    assert found == expected


def test_temp_views_of_the_script_and_of_the_caller_are_told_apart() -> None:
    text = "create or replace temp view v as select * from a.b; select * from v join w join x; drop view v"
    made, used, dropped = parse(text, temp_views=["W"]).statements
    assert made.temp_view == "v"
    assert [r.span.slice(text) for r in made.references] == ["a.b"]
    assert [r.span.slice(text) for r in used.temp_references] == ["v", "w"]
    assert [r.span.slice(text) for r in used.references] == ["x"]
    assert (dropped.references, len(dropped.temp_references)) == ((), 1)


def test_without_trees_the_rest_is_the_same() -> None:
    text = "select a.b.x from a.b where y = :y; optimize a.b; selec"
    quick, full = parse(text, trees=False), parse(text)
    assert [(s.verb, s.references, s.qualifiers) for s in quick.statements] == [
        (s.verb, s.references, s.qualifiers) for s in full.statements
    ]
    assert all(s.tree is None for s in quick.statements)


@pytest.mark.parametrize(
    "text",
    [
        "select * from a.b where x = 1 ${and_more}",
        "select * from a.b ${where} group by 1",
        "select ${columns} from a.b",
        "select a, ${columns} from a.b limit ${n}",
        "select * from a.b where d >= date_sub(current_date(), ${days}) and e in (${list})",
        "select * from a.b where d > current_date() - interval ${n} days",
        "insert into ${db}.t partition (d = '${d}') select * from ${db}.s",
        "select * from a.b ${join} where x = 1",
    ],
)
def test_templates_are_parsed_where_their_holes_stand_for_a_value_or_a_clause(text: str) -> None:
    (statement,) = parse(text).statements
    assert statement.error is None
    assert statement.tree is not None


def test_text_that_is_nested_too_deeply_is_an_error_of_its_statement() -> None:
    script = parse(f"select {'(' * 3000}1{')' * 3000}; select * from a.b")
    assert [s.error is None for s in script.statements] == [False, True]


@pytest.mark.parametrize("text", ["select 1" + " + 1" * 3000, "select 1" + " union all select 1" * 600])
def test_long_statements_are_read(text: str) -> None:
    (statement,) = parse(text).statements
    assert statement.verb == "SELECT"
