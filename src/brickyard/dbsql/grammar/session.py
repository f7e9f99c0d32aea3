"""Session settings and variables, and the upkeep of tables: SET, DECLARE, EXECUTE IMMEDIATE, OPTIMIZE, VACUUM, RESTORE …"""

from __future__ import annotations

from brickyard.dbsql.grammar.clauses import Clauses, find_at_depth
from brickyard.dbsql.model import Kind, Side
from brickyard.dbsql.query import walk
from brickyard.dbsql.tokens import TokenKind
from brickyard.notebooks.model import Span


def set_(c: Clauses) -> str:
    """SET of a configuration key, the time zone, a variable or the catalog."""
    r = c.r
    r.at += 1
    if r.take("TIME", "ZONE"):
        c.args["value"] = r.take_string() if r.token(r.at).kind is TokenKind.STRING else c.text()
        r.at = len(r.tokens)
        return "SET TIME ZONE"
    if r.take_any("VARIABLE", "VAR"):
        return _set_variable(c)
    if r.here == "CATALOG" and r.is_name(r.at + 1):
        r.at += 1
        c.name(Kind.CATALOG)
        return "USE CATALOG"
    return _set_key(c)


def _set_key(c: Clauses) -> str:
    r = c.r
    text = c.text()
    key, equals, value = text.partition("=")
    if key.strip():
        c.args["key"] = key.strip().strip("`")
    if equals:
        c.args["value"] = value.strip()
        c.args["value_span"] = Span(r.span(r.at, len(r.tokens)).end - len(value.lstrip()), r.span(0, len(r.tokens)).end)
    r.at = len(r.tokens)
    return "SET"


def _set_variable(c: Clauses) -> str:
    r = c.r
    first = r.at
    if r.here == "(":
        c.args["variables"] = c.names()
        r.take("=")
        if (inner := r.take_group()) is not None:
            c.args["query"] = r.span(*inner)
            walk(r, *inner)
        return "SET VARIABLE"
    assignments = []
    for start, end in c.items(first, len(r.tokens)):
        equals = next((i for i in range(start, end) if r.word(i) == "="), end)
        name = "".join(r.text(t).strip("`") for t in r.tokens[start:equals])
        assignments.append((name, r.span(equals + 1, end)))
    c.args["variables"] = tuple(name for name, _ in assignments)
    c.args["values"] = tuple(span for _, span in assignments)
    return "SET VARIABLE"


def reset(c: Clauses) -> str:
    """RESET [key]"""
    c.r.at += 1
    if not c.r.done:
        c.args["key"] = c.text()
        c.r.at = len(c.r.tokens)
    return "RESET"


def declare(c: Clauses) -> str:
    """DECLARE [OR REPLACE] [VARIABLE] name [type] [DEFAULT expr]"""
    r = c.r
    r.at += 1
    c.flag("replace", "OR", "REPLACE")
    r.take_any("VARIABLE", "VAR")
    c.args["name"] = ".".join(c.plain_names())
    first = r.at
    while not r.done and r.here not in ("DEFAULT", "="):
        r.at = r.close(r.at) + 1 if r.here == "(" else r.at + 1
    if r.at > first:
        c.args["type"] = r.span(first, r.at).slice(r.masked.original)
    if r.take_any("DEFAULT", "="):
        c.query("default")
    return "DECLARE VARIABLE"


def execute(c: Clauses) -> str:
    """EXECUTE IMMEDIATE text [INTO …] [USING …]"""
    r = c.r
    r.at += 1
    r.take("IMMEDIATE")
    first = r.at
    stop = min(find_at_depth(r, first, "INTO"), find_at_depth(r, first, "USING"))
    c.args["statement"] = r.span(first, stop)
    r.at = stop
    if r.take("INTO"):
        c.args["into"] = c.plain_names()
    if r.take("USING"):
        c.args["using"] = r.span(r.at, len(r.tokens))
    return "EXECUTE IMMEDIATE"


def explain(c: Clauses) -> str:
    """EXPLAIN [EXTENDED|FORMATTED|COST|CODEGEN|ANALYZE] statement"""
    r = c.r
    r.at += 1
    r.take_any("EXTENDED", "FORMATTED", "COST", "CODEGEN", "ANALYZE")
    c.query()
    return "EXPLAIN"


def optimize(c: Clauses) -> str:
    """OPTIMIZE t [FULL] [WHERE …] [ZORDER BY (…)]"""
    r = c.r
    r.at += 1
    c.target(Side.WRITE, Kind.TABLE)
    c.flag("full", "FULL")
    if r.take("WHERE"):
        stop = find_at_depth(r, r.at, "ZORDER")
        c.args["where"] = r.span(r.at, stop)
        walk(r, r.at, stop, c.frame)
        r.at = stop
    if r.take("ZORDER", "BY"):
        c.args["zorder_by"] = c.names()
    return "OPTIMIZE"


def vacuum(c: Clauses) -> str:
    """VACUUM t [LITE|FULL] [RETAIN n HOURS] [DRY RUN]"""
    r = c.r
    r.at += 1
    if r.token(r.at).kind is TokenKind.STRING:
        c.path("target", Side.WRITE)
    else:
        c.target(Side.WRITE, Kind.TABLE)
    r.take_any("LITE", "FULL")
    if r.take("RETAIN"):
        c.args["retain_hours"] = r.take_literal()
        r.take_any("HOURS", "HOUR")
    c.flag("dry_run", "DRY", "RUN")
    return "VACUUM"


def analyze(c: Clauses) -> str:
    """ANALYZE TABLE t [PARTITION …] COMPUTE STATISTICS …"""
    r = c.r
    r.at += 1
    if r.take("TABLES"):
        if r.take_any("IN", "FROM"):
            c.name(Kind.SCHEMA)
    else:
        r.take("TABLE")
        c.target(Side.WRITE, Kind.TABLE)
    if r.take("PARTITION"):
        r.take_group()
    r.take("COMPUTE")
    r.take_any("STATISTICS", "DELTA")
    c.flag("no_scan", "NOSCAN")
    c.flag("for_all_columns", "FOR", "ALL", "COLUMNS")
    if r.take("FOR", "COLUMNS"):
        c.args["columns"] = c.names()
    return "ANALYZE"


def restore(c: Clauses) -> str:
    """RESTORE [TABLE] t TO VERSION|TIMESTAMP AS OF x"""
    r = c.r
    r.at += 1
    r.take("TABLE")
    c.target(Side.READWRITE, Kind.TABLE)
    r.take("TO")
    c.version()
    return "RESTORE"


def convert(c: Clauses) -> str:
    """CONVERT TO DELTA t [PARTITIONED BY (…)]"""
    r = c.r
    r.at += 1
    r.take("TO", "DELTA")
    c.target(Side.READWRITE, Kind.RELATION)
    while not r.done and c.common_clause():
        pass
    return "CONVERT"


def msck(c: Clauses) -> str:
    """MSCK REPAIR TABLE t [ADD|DROP|SYNC PARTITIONS]; FSCK REPAIR TABLE t [DRY RUN]"""
    r = c.r
    verb = r.here
    r.at += 1
    r.take("REPAIR")
    r.take("TABLE")
    c.target(Side.WRITE, Kind.TABLE)
    return verb
