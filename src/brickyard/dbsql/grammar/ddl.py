"""CREATE, DROP and ALTER of anything."""

from __future__ import annotations

from collections.abc import Callable

from brickyard.dbsql.grammar.clauses import NAMESPACES, SECURABLES, TABLES, Clauses
from brickyard.dbsql.model import Kind, Side
from brickyard.dbsql.query import starts_query
from brickyard.dbsql.reader import Frame

_AFTER_RETURNS = frozenset(["RETURN", "AS", "LANGUAGE", "COMMENT", "NOT", "DETERMINISTIC", "CONTAINS", "READS", "SQL"])
_CREATE_FLAGS = frozenset(
    [
        "TEMP",
        "TEMPORARY",
        "GLOBAL",
        "EXTERNAL",
        "MANAGED",
        "STREAMING",
        "LIVE",
        "MATERIALIZED",
        "FOREIGN",
        "STANDARD",
        "PRIVATE",
        "LOCAL",
    ]
)
_ACTION_NAMES = {
    "ADD COLUMN": "ADD COLUMNS",
    "DROP COLUMN": "DROP COLUMNS",
    "CHANGE COLUMN": "ALTER COLUMN",
    "OWNER TO": "SET OWNER",
    "SET OWNER TO": "SET OWNER",
}


def create(c: Clauses) -> str:
    """CREATE of anything."""
    r = c.r
    r.at += 1
    c.flag("replace", "OR", "REPLACE")
    c.flag("replace", "OR", "REFRESH")
    flags = _create_flags(c)
    what = r.here
    r.at += 1
    if what == "WIDGET":
        return _create_widget(c)
    if what == "TABLE":
        return _create_table(c, bool(flags & {"TEMP", "TEMPORARY"}))
    if what == "VIEW":
        return _create_view(c, flags)
    if what in ("FUNCTION", "PROCEDURE"):
        return _create_function(c, what, bool(flags & {"TEMP", "TEMPORARY"}))
    if what in NAMESPACES or what in SECURABLES:
        return _create_securable(c, "SCHEMA" if what == "DATABASE" else what)
    return _create_other(c, what)


def _create_flags(c: Clauses) -> set[str]:
    r = c.r
    flags = set()
    while r.here in _CREATE_FLAGS and r.word(r.at + 1) not in (".", "AS", "("):
        flags.add(r.here)
        r.at += 1
    for word in ("EXTERNAL", "FOREIGN"):
        if word in flags:
            c.args[word.lower()] = True
    return flags


def _create_other(c: Clauses, what: str) -> str:
    """CREATE EXTERNAL LOCATION, STORAGE CREDENTIAL, INDEX … name nothing that this grammar follows."""
    return f"CREATE {what}"


def _create_widget(c: Clauses) -> str:
    r = c.r
    c.args["type"] = (r.take_word() or "").upper()
    c.args["name"] = r.take_word()
    if r.take("DEFAULT"):
        c.args["default"] = r.take_string()
    if r.take("CHOICES"):
        first = r.at
        c.args["choices"] = r.span(first, len(r.tokens))
    return "CREATE WIDGET"


def _create_table(c: Clauses, temporary: bool) -> str:
    r = c.r
    c.has_tree = True
    c.if_not_exists()
    if temporary:
        c.args["temporary"] = True
    c.target(Side.WRITE, Kind.TABLE)
    c.frame = Frame()
    if r.here == "(" and (r.word(r.at + 1) == "TABLE" or not starts_query(r, r.at)):
        c.args["columns"] = c.columns()
    verb = _table_clauses(c)
    c.has_tree = verb == "CREATE TABLE"
    return verb


def _table_clauses(c: Clauses) -> str:
    r = c.r
    while not r.done:
        if r.here in ("DEEP", "SHALLOW", "CLONE"):
            return _clone(c)
        if starts_query(r, r.at):
            c.query()
        elif r.take("LIKE"):
            c.target(Side.READ, Kind.TABLE, key="like")
        elif not c.common_clause():
            r.at += 1
    return "CREATE TABLE"


def _clone(c: Clauses) -> str:
    r = c.r
    c.args["depth"] = r.take_any("DEEP", "SHALLOW") or "DEEP"
    r.take("CLONE")
    c.target(Side.READ, Kind.RELATION, key="source")
    c.version()
    while not r.done:
        if not c.common_clause():
            r.at += 1
    return "CLONE"


def _create_view(c: Clauses, flags: set[str]) -> str:
    r = c.r
    c.has_tree = True
    c.if_not_exists()
    c.flag("if_not_exists", "IF", "NOT", "EXISTS")
    temporary = bool(flags & {"TEMP", "TEMPORARY"})
    if "GLOBAL" in flags:
        c.args["global"] = True
    c.temp_subject(Kind.VIEW) if temporary else c.target(Side.WRITE, Kind.VIEW)
    c.frame = Frame()
    if r.here == "(":
        c.args["columns"] = c.columns()
    while not r.done:
        if r.take("AS") or (r.here != "WITH" and starts_query(r, r.at)):
            c.query()
        elif not c.common_clause():
            r.at += 1
    if temporary:
        return "CREATE TEMP VIEW"
    return "CREATE MATERIALIZED VIEW" if "MATERIALIZED" in flags else "CREATE VIEW"


def _create_function(c: Clauses, what: str, temporary: bool) -> str:
    r = c.r
    c.if_not_exists()
    c.temp_subject(Kind.FUNCTION) if temporary else c.target(Side.WRITE, Kind.FUNCTION)
    c.frame = Frame()
    if r.here == "(":
        c.args["parameters"] = c.columns()
    while not r.done and "body" not in c.args:
        _function_clause(c)
    return f"CREATE TEMP {what}" if temporary else f"CREATE {what}"


def _function_clause(c: Clauses) -> None:
    r = c.r
    if r.take("RETURNS"):
        _returns(c)
    elif r.sees("AS", "BEGIN"):
        c.args["body"] = r.span(r.at + 1, len(r.tokens))
    elif r.take("RETURN") or r.take("AS"):
        c.query("body")
    elif r.take("LANGUAGE"):
        c.args["language"] = (r.take_word() or "").upper()
    elif r.take("COMMENT"):
        c.args["comment"] = r.take_string()
    elif r.take("NOT", "DETERMINISTIC"):
        c.args["deterministic"] = False
    elif r.take("DETERMINISTIC"):
        c.args["deterministic"] = True
    else:
        r.at += 1


def _returns(c: Clauses) -> None:
    r = c.r
    if r.take("TABLE"):
        c.args["returns_table"] = c.columns()
        return
    first = r.at
    while not r.done and r.here not in _AFTER_RETURNS:
        r.at = r.close(r.at) + 1 if r.here == "(" else r.at + 1
    c.args["returns"] = r.span(first, r.at).slice(r.masked.original)


def _create_securable(c: Clauses, what: str) -> str:
    r = c.r
    c.if_not_exists()
    c.name(NAMESPACES.get(what, Kind.SCHEMA), Side.WRITE)
    if what == "CONNECTION" and r.take("TYPE"):
        c.args["type"] = (r.take_word() or "").upper()
    if what == "RECIPIENT" and r.take("USING", "ID"):
        c.args["using_id"] = r.take_string()
    while not r.done:
        if not c.common_clause():
            r.at += 1
    return f"CREATE {what}"


def drop(c: Clauses) -> str:
    """DROP of anything."""
    r = c.r
    r.at += 1
    temporary = bool(r.take_any("TEMPORARY", "TEMP"))
    if temporary:
        c.args["temporary"] = True
    r.take_any("MATERIALIZED", "EXTERNAL", "STREAMING")
    what = r.here
    r.at += 1
    c.if_exists()
    if what == "WIDGET":
        c.args["name"] = r.take_word()
    elif what == "VARIABLE":
        c.args["name"] = ".".join(c.names())
    elif what in TABLES:
        _drop_object(c, what, temporary)
    else:
        what = "SCHEMA" if what == "DATABASE" else what
        c.name(NAMESPACES.get(what, Kind.SCHEMA), Side.WRITE)
        c.args["cascade"] = r.take_any("CASCADE", "RESTRICT", "FORCE") in ("CASCADE", "FORCE")
    return f"DROP {what}"


def _drop_object(c: Clauses, what: str, temporary: bool) -> None:
    c.has_tree = what in ("TABLE", "VIEW")
    if temporary:
        c.temp_subject(TABLES[what])
    else:
        c.target(Side.WRITE, TABLES[what])


def alter(c: Clauses) -> str:
    """ALTER of anything."""
    r = c.r
    r.at += 1
    r.take_any("MATERIALIZED", "STREAMING")
    what = "SCHEMA" if r.here == "DATABASE" else r.here
    r.at += 1
    if what in TABLES:
        c.target(Side.WRITE, TABLES[what])
    else:
        c.name(NAMESPACES.get(what, Kind.SCHEMA), Side.WRITE)
    _alter_action(c)
    return f"ALTER {what}"


def _alter_action(c: Clauses) -> None:
    for words, handler in _ALTER_ACTIONS:
        if c.r.take(*words):
            c.args["action"] = _ACTION_NAMES.get(" ".join(words), " ".join(words))
            handler(c)
            return
    c.args["action"] = c.r.here
    c.args["rest"] = c.r.span(c.r.at, len(c.r.tokens))


def _alter_add_columns(c: Clauses) -> None:
    c.if_not_exists()
    if c.r.here == "(":
        c.args["columns"] = c.columns()
    else:
        end = len(c.r.tokens)
        c.args["columns"] = tuple(c for c in (c.column(i, e) for i, e in c.items(c.r.at, end)) if c)
        c.r.at = end


def _alter_names(c: Clauses) -> None:
    c.if_exists()
    c.args["names"] = c.names()


def _alter_rename_column(c: Clauses) -> None:
    c.args["names"] = c.plain_names()
    c.r.take("TO")
    c.args["new_name"] = ".".join(c.plain_names())


def _alter_rename(c: Clauses) -> None:
    r = c.r
    if r.is_name(r.at) or r.sees("IDENTIFIER", "("):
        c.target(Side.WRITE, Kind.TABLE, key="new_name")


def _alter_column(c: Clauses) -> None:
    r = c.r
    c.args["names"] = c.plain_names()
    first = r.at
    if r.take("TYPE"):
        c.args["type"] = r.span(r.at, len(r.tokens)).slice(r.masked.original)
    elif r.take("COMMENT"):
        c.args["comment"] = r.take_string()
    c.args["change"] = r.span(first, len(r.tokens))
    r.at = len(r.tokens)


def _alter_properties(c: Clauses) -> None:
    c.if_exists()
    c.args["properties"] = c.properties()


def _alter_owner(c: Clauses) -> None:
    c.r.take("TO")
    c.args["owner"] = c.r.take_principal()


def _alter_query(c: Clauses) -> None:
    c.query()


def _alter_rest(c: Clauses) -> None:
    c.args["rest"] = c.r.span(c.r.at, len(c.r.tokens))


_ALTER_ACTIONS: tuple[tuple[tuple[str, ...], Callable[[Clauses], None]], ...] = (
    (("ADD", "COLUMNS"), _alter_add_columns),
    (("ADD", "COLUMN"), _alter_add_columns),
    (("ADD", "CONSTRAINT"), _alter_rest),
    (("DROP", "CONSTRAINT"), _alter_rest),
    (("DROP", "COLUMNS"), _alter_names),
    (("DROP", "COLUMN"), _alter_names),
    (("RENAME", "COLUMN"), _alter_rename_column),
    (("RENAME", "TO"), _alter_rename),
    (("ALTER", "COLUMN"), _alter_column),
    (("CHANGE", "COLUMN"), _alter_column),
    (("SET", "TBLPROPERTIES"), _alter_properties),
    (("UNSET", "TBLPROPERTIES"), _alter_properties),
    (("SET", "DBPROPERTIES"), _alter_properties),
    (("SET", "TAGS"), _alter_properties),
    (("UNSET", "TAGS"), _alter_properties),
    (("SET", "OWNER", "TO"), _alter_owner),
    (("OWNER", "TO"), _alter_owner),
    (("SET", "LOCATION"), _alter_rest),
    (("CLUSTER", "BY"), _alter_names),
    (("AS",), _alter_query),
)
