"""The front grammar: the verb of a statement, what it names, and its arguments.

Every argument is a small value: `str`, `int`, `bool`, `Span` (a range of the script), `Reference`, `Column`, a tuple of
these, or a dict of strings. A key is absent where the statement does not say it. Keys by verb:

| verb | arguments |
|---|---|
| INSERT, INSERT OVERWRITE | target, columns, by_name, partition, replace_where, query, directory |
| MERGE, UPDATE, DELETE | target, source, on, schema_evolution, set, where |
| CREATE TABLE | target, replace, if_not_exists, external, temporary, columns, using, location, comment, properties, options, partitioned_by, cluster_by, query, like |
| CLONE | target, source, depth (DEEP, SHALLOW), version, timestamp, replace, if_not_exists, properties, location |
| CREATE VIEW, CREATE TEMP VIEW, CREATE MATERIALIZED VIEW | target, replace, if_not_exists, global, columns, comment, properties, query, using, options |
| CREATE FUNCTION, CREATE TEMP FUNCTION | target, replace, if_not_exists, parameters, returns, returns_table, body, language, comment, deterministic |
| CREATE/DROP/ALTER CATALOG, SCHEMA, VOLUME, SHARE, RECIPIENT, CONNECTION | name, replace, if_not_exists, if_exists, cascade, comment, location, managed_location, properties, options, using, foreign, external, connection, action, owner, new_name |
| DROP TABLE, DROP VIEW, DROP FUNCTION | target, if_exists, temporary |
| ALTER TABLE, ALTER VIEW | target, action (ADD COLUMNS, DROP COLUMNS, RENAME COLUMN, RENAME TO, ALTER COLUMN, SET TBLPROPERTIES, UNSET TBLPROPERTIES, SET TAGS, UNSET TAGS, SET OWNER, ADD CONSTRAINT, CLUSTER BY, AS, …), columns, names, new_name, properties, query |
| DESCRIBE HISTORY, DETAIL, TABLE, FUNCTION, SCHEMA, CATALOG, VOLUME, SHARE, RECIPIENT, QUERY | target or name, extended, limit, column, query |
| SHOW | what (CATALOGS, SCHEMAS, TABLES, VIEWS, VOLUMES, FUNCTIONS, COLUMNS, TBLPROPERTIES, PARTITIONS, GRANTS, CREATE TABLE, …), name or target, like, key, on |
| USE CATALOG, USE SCHEMA | name |
| SET, RESET, SET TIME ZONE, SET VARIABLE | key, value, variables, query |
| DECLARE VARIABLE | name, type, default, replace |
| OPTIMIZE | target, where, zorder_by, full |
| VACUUM | target, retain_hours, dry_run |
| ANALYZE | target, columns, for_all_columns, no_scan |
| RESTORE | target, version, timestamp |
| CONVERT, MSCK, FSCK, REFRESH, CACHE, UNCACHE, TRUNCATE | target, lazy, if_exists, partition |
| GRANT, REVOKE | privileges, on, securable or target, principal |
| COMMENT | on, target or name, comment |
| COPY | target, path, format, format_options, copy_options, columns, query |
| LOAD | path, target, overwrite, partition |
| EXPLAIN | query |
| EXECUTE IMMEDIATE | statement, into, using |
| CREATE WIDGET, DROP WIDGET | name, type, default, choices |
| SCRIPT | statements (the spans of the inner statements) |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from brickyard.dbsql.grammar import catalog, ddl, dml, session
from brickyard.dbsql.grammar.clauses import Clauses
from brickyard.dbsql.query import walk
from brickyard.dbsql.reader import Reader, string_inside
from brickyard.dbsql.tokens import TokenKind, tokenize

_BEFORE_INNER = frozenset(["BEGIN", ";", "THEN", "ELSE", "DO", "LOOP", "REPEAT"])
_INNER_STARTS = frozenset(
    [
        "SELECT",
        "WITH",
        "INSERT",
        "MERGE",
        "UPDATE",
        "DELETE",
        "CREATE",
        "DROP",
        "ALTER",
        "TRUNCATE",
        "SET",
        "DECLARE",
        "EXECUTE",
        "OPTIMIZE",
        "VACUUM",
        "ANALYZE",
        "REFRESH",
        "CACHE",
        "UNCACHE",
        "DESCRIBE",
        "SHOW",
        "USE",
        "COPY",
        "GRANT",
        "REVOKE",
        "COMMENT",
        "VALUES",
        "RESTORE",
        "MSCK",
        "FSCK",
        "CALL",
    ]
)


MAX_DEPTH = 100  # of parentheses; deeper text is not read, as nobody wrote it


def read(reader: Reader) -> tuple[str, Clauses]:
    """Read a statement, collect what it names, and return its verb and its parts."""
    c = Clauses(reader)
    if reader.depth > MAX_DEPTH:
        return reader.here, c
    if reader.word(1) == ":" and reader.word(2) == "BEGIN":
        reader.at = 2
    handler = _STATEMENTS.get(reader.here, dml.query_or_unknown)
    verb = handler(c)
    if reader.here == "BEGIN":
        _block(c)
    if verb == "EXECUTE IMMEDIATE":
        _executed(reader)
    if not reader.done:  # what the grammar did not read may still hold queries
        walk(reader, reader.at, len(reader.tokens), c.frame)
    return verb, c


def script(c: Clauses) -> str:
    """A BEGIN … END block, read by `read` once its verb is known."""
    return "SCRIPT"


def _block(c: Clauses) -> None:
    """Read a block's statements one by one, its conditions and loops as queries."""
    r = c.r
    spans = []
    for first, end in _inner_statements(r, r.at):
        walk(r, r.at, first)
        _inner_statement(r, first, end)
        spans.append(r.span(first, end))
        r.at = end
    walk(r, r.at, len(r.tokens))
    c.args["statements"] = tuple(spans)
    r.at = len(r.tokens)


def _executed(r: Reader) -> None:
    """Read the text of EXECUTE IMMEDIATE when it is one plain literal."""
    token = r.token(2)
    if (
        token.kind is TokenKind.STRING
        and "\\" not in r.text(token)
        and (len(r.tokens) == 3 or r.word(3) in ("INTO", "USING"))
    ):
        inner = Reader(
            r.masked, tokenize(r.masked.text, *string_inside(r.text(token), token.start)), r.statement, r.temp_views
        )
        read(inner)
        inner.references = [replace(reference, in_string=True) for reference in inner.references]
        _adopt(r, inner)


def _inner_statement(r: Reader, first: int, end: int) -> None:
    inner = Reader(r.masked, r.tokens[first:end], r.statement, r.temp_views)
    read(inner)
    _adopt(r, inner)


def _adopt(r: Reader, inner: Reader) -> None:
    r.inner_qualifiers += tuple((q, len(r.references)) for q in inner.qualifiers())
    r.references += inner.references
    r.namespaces += inner.namespaces
    r.temp_references += inner.temp_references


def _inner_statements(reader: Reader, at: int) -> list[tuple[int, int]]:
    """The token ranges of the statements of a block."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for i in range(at, len(reader.tokens) + 1):
        word = reader.word(i)
        if start is not None and (word == ";" or i == len(reader.tokens)):
            found.append((start, i))
            start = None
        elif start is None and word in _INNER_STARTS and (i == 0 or reader.word(i - 1) in _BEFORE_INNER):
            start = i
    return found


_STATEMENTS: dict[str, Callable[[Clauses], str]] = {
    "INSERT": dml.insert,
    "MERGE": dml.merge,
    "UPDATE": dml.update,
    "DELETE": dml.delete,
    "TRUNCATE": dml.truncate,
    "COPY": dml.copy,
    "LOAD": dml.load,
    "EXPLAIN": session.explain,
    "CREATE": ddl.create,
    "REPLACE": ddl.create,
    "DROP": ddl.drop,
    "REMOVE": ddl.drop,
    "ALTER": ddl.alter,
    "DESCRIBE": catalog.describe,
    "DESC": catalog.describe,
    "SHOW": catalog.show,
    "USE": catalog.use,
    "SET": session.set_,
    "RESET": session.reset,
    "DECLARE": session.declare,
    "EXECUTE": session.execute,
    "OPTIMIZE": session.optimize,
    "VACUUM": session.vacuum,
    "ANALYZE": session.analyze,
    "RESTORE": session.restore,
    "CONVERT": session.convert,
    "MSCK": session.msck,
    "FSCK": session.msck,
    "REPAIR": session.msck,
    "REFRESH": catalog.refresh,
    "CACHE": catalog.cache,
    "UNCACHE": catalog.uncache,
    "GRANT": catalog.grant,
    "REVOKE": catalog.grant,
    "COMMENT": catalog.comment,
    "BEGIN": script,
}
