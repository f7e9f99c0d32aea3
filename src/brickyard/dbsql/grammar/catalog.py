"""Reading the catalog and its permissions: DESCRIBE, SHOW, GRANT, COMMENT ON, USE, REFRESH, CACHE."""

from __future__ import annotations

from brickyard.dbsql.grammar.clauses import NAMESPACES, SECURABLES, Clauses, find_at_depth
from brickyard.dbsql.model import Kind, Side
from brickyard.dbsql.query import starts_query
from brickyard.dbsql.tokens import TokenKind

_DESCRIBED = frozenset(("FUNCTION", *NAMESPACES, *SECURABLES))
_SHOW_OF_TABLE = frozenset(("COLUMNS", "TBLPROPERTIES", "PARTITIONS"))
_SHOW_NAMES = {"DATABASES": "SCHEMAS"}


def describe(c: Clauses) -> str:
    """DESCRIBE of anything."""
    r = c.r
    r.at += 1
    what = r.here
    if what in ("HISTORY", "DETAIL") and r.word(r.at + 1) != ".":
        r.at += 1
        return _describe_table(c, what)
    if what in _DESCRIBED and r.is_name(r.at + 1):
        r.at += 1
        return _describe_named(c, "SCHEMA" if what == "DATABASE" else what)
    if what == "QUERY" or (what != "TABLE" and starts_query(r, r.at)):
        r.take("QUERY")
        c.query()
        return "DESCRIBE QUERY"
    r.take("TABLE")
    _extended(c)
    return _describe_table(c, "TABLE")


def _extended(c: Clauses) -> None:
    if c.r.here in ("EXTENDED", "FORMATTED") and (c.r.is_name(c.r.at + 1)):
        c.r.at += 1
        c.args["extended"] = True


def _describe_table(c: Clauses, what: str) -> str:
    r = c.r
    if r.token(r.at).kind is TokenKind.STRING:
        c.path("target", Side.READ)
    else:
        c.target(Side.READ, Kind.RELATION)
    if r.take("LIMIT"):
        c.args["limit"] = r.take_literal()
    if r.take("AS", "JSON"):
        c.args["json"] = True
    if r.is_name(r.at):
        c.args["column"] = ".".join(c.plain_names())
    return f"DESCRIBE {what}"


def _describe_named(c: Clauses, what: str) -> str:
    _extended(c)
    if what == "FUNCTION":
        c.target(Side.READ, Kind.FUNCTION)
    else:
        c.name(NAMESPACES.get(what, Kind.SCHEMA))
    return f"DESCRIBE {what}"


def show(c: Clauses) -> str:
    """SHOW of anything."""
    r = c.r
    r.at += 1
    if r.take("CREATE"):
        what = f"CREATE {r.take_any('TABLE', 'VIEW', 'FUNCTION') or 'TABLE'}"
        c.target(Side.READ, Kind.RELATION)
    elif r.here in ("GRANTS", "GRANT"):
        what = "GRANTS"
        _show_grants(c)
    else:
        what = _show_list(c)
    c.args["what"] = what
    return "SHOW"


def _show_list(c: Clauses) -> str:
    r = c.r
    words = [r.here]
    r.at += 1
    while words[-1] in ("TABLE", "USER", "SYSTEM", "ALL", "EXTERNAL", "STORAGE") and r.is_name(r.at):
        words.append(r.here)
        r.at += 1
    if words == ["ALL", "IN"] and r.take("SHARE"):
        c.name(Kind.SCHEMA)
        return "ALL IN SHARE"
    what = _SHOW_NAMES.get(" ".join(words), " ".join(words))
    if what in _SHOW_OF_TABLE:
        _show_of_table(c, what)
    elif r.take_any("IN", "FROM"):
        c.name(Kind.CATALOG if _takes_catalog_word(c) or what == "SCHEMAS" else Kind.SCHEMA)
    if r.take("SCHEMA"):
        r.take("LIKE")
        c.args["schema_like"] = r.take_string()
    r.take("LIKE")
    if (pattern := r.take_string()) is not None:
        c.args["like"] = pattern
    return what


def _takes_catalog_word(c: Clauses) -> bool:
    """Read the word CATALOG before a catalog's name; alone it is the name itself."""
    r = c.r
    if r.here != "CATALOG" or not r.is_name(r.at + 1) or r.token(r.at + 1).word == "LIKE":
        return False
    r.at += 1
    return True


def _show_of_table(c: Clauses, what: str) -> None:
    r = c.r
    r.take_any("IN", "FROM")
    reference = c.target(Side.READ, Kind.RELATION)
    if reference and what == "COLUMNS" and r.take_any("IN", "FROM"):
        c.name(Kind.SCHEMA)
    if what == "TBLPROPERTIES" and (inner := r.take_group()):
        c.args["key"] = "".join(r.text(t).strip("'\"`") for t in r.tokens[inner[0] : inner[1]])


def _show_grants(c: Clauses) -> None:
    r = c.r
    r.at += 1
    if r.is_name(r.at) and r.here not in ("ON", "TO"):
        c.args["principal"] = r.take_principal()
    if r.take("ON"):
        c.securable(Side.READ)
    if r.take("TO"):
        if r.here == "RECIPIENT" and r.is_name(r.at + 1):
            r.at += 1
        c.args["recipient"] = r.take_principal()


def grant(c: Clauses) -> str:
    """GRANT|REVOKE privileges ON securable TO|FROM principal"""
    r = c.r
    verb = r.here
    r.at += 1
    on = find_at_depth(r, r.at, "ON")
    c.args["privileges"] = tuple(" ".join(r.text(t) for t in r.tokens[i:e]).upper() for i, e in c.items(r.at, on))
    r.at = on
    if r.take("ON"):
        c.securable(Side.WRITE)
    if r.take_any("TO", "FROM"):
        if r.here == "RECIPIENT" and r.is_name(r.at + 1):
            r.at += 1
        c.args["principal"] = r.take_principal()
    r.at = len(r.tokens)
    return verb


def comment(c: Clauses) -> str:
    """COMMENT ON securable IS text"""
    r = c.r
    r.at += 1
    r.take("ON")
    if r.take("COLUMN"):
        c.args["on"] = "COLUMN"
        _comment_column(c)
    else:
        c.securable(Side.WRITE)
    if r.take("IS"):
        c.args["comment"] = r.take_string()
    r.at = len(r.tokens)
    return "COMMENT"


def _comment_column(c: Clauses) -> None:
    r = c.r
    first, end = r.at, r.chain(r.at)
    r.at = end
    if end - first > 2:
        reference = r.named(first, end - 2, Side.WRITE, Kind.RELATION)
        r.add(reference)
        c.args["target"] = reference
    c.args["column"] = r.text(r.token(end - 1)).strip("`")


def refresh(c: Clauses) -> str:
    """REFRESH [TABLE|FUNCTION|SCHEMA …] name"""
    r = c.r
    r.at += 1
    r.take_any("MATERIALIZED", "STREAMING", "FOREIGN")
    what = r.take_any("TABLE", "VIEW", "FUNCTION", "SCHEMA", "DATABASE", "CATALOG")
    if what in NAMESPACES:
        c.name(NAMESPACES[what])
    elif r.token(r.at).kind is TokenKind.STRING:
        c.path("target", Side.READ)
    else:
        c.target(Side.READ, Kind.FUNCTION if what == "FUNCTION" else Kind.RELATION)
    return "REFRESH"


def cache(c: Clauses) -> str:
    """CACHE [LAZY] TABLE t [OPTIONS (…)] [AS query]; CACHE SELECT …"""
    r = c.r
    r.at += 1
    if r.here == "SELECT":
        c.query()
        return "CACHE"
    c.flag("lazy", "LAZY")
    r.take("TABLE")
    end = r.chain(r.at)
    is_new = any(r.word(i) in ("AS", "SELECT") for i in range(end, len(r.tokens)))
    c.temp_subject(Kind.VIEW) if is_new else c.target(Side.READ, Kind.RELATION)
    if r.take("OPTIONS"):
        c.args["options"] = c.properties()
    if is_new:
        r.take("AS")
        c.query()
    return "CACHE"


def uncache(c: Clauses) -> str:
    """UNCACHE TABLE [IF EXISTS] t"""
    r = c.r
    r.at += 1
    r.take("TABLE")
    c.if_exists()
    c.target(Side.READ, Kind.RELATION)
    return "UNCACHE"


def use(c: Clauses) -> str:
    """USE CATALOG, SCHEMA or a bare schema."""
    r = c.r
    r.at += 1
    if r.here == "CATALOG" and r.word(r.at + 1) != ".":
        r.at += 1
        c.name(Kind.CATALOG)
        return "USE CATALOG"
    if r.here in ("SCHEMA", "DATABASE") and (r.is_name(r.at + 1) or r.token(r.at + 1).kind is TokenKind.STRING):
        r.at += 1
    c.name(Kind.SCHEMA)
    return "USE SCHEMA"
