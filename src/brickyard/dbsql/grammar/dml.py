"""Queries and what changes rows: INSERT, MERGE, UPDATE, DELETE, TRUNCATE, COPY INTO."""

from __future__ import annotations

from brickyard.dbsql.grammar.clauses import Clauses, find_at_depth
from brickyard.dbsql.model import Kind, Side
from brickyard.dbsql.query import starts_query, walk, walk_from_list
from brickyard.dbsql.reader import Frame, Reader
from brickyard.dbsql.tokens import MASK


def query_or_unknown(c: Clauses) -> str:
    r = c.r
    c.has_tree = True
    if starts_query(r, r.at) or r.here == "(":
        main = _main_verb(r)
        c.args["query"] = r.span(0, len(r.tokens))
        return main
    return "TEMPLATE" if MASK in r.here else r.here or "UNKNOWN"


def insert(c: Clauses) -> str:
    """INSERT INTO or OVERWRITE, a table or a directory."""
    r = c.r
    c.has_tree = True
    r.at += 1
    r.take("WITH", "SCHEMA", "EVOLUTION")
    overwrite = r.take_any("INTO", "OVERWRITE") == "OVERWRITE"
    verb = "INSERT OVERWRITE" if overwrite else "INSERT"
    if r.take("LOCAL", "DIRECTORY") or r.take("DIRECTORY"):
        c.path("directory", Side.WRITE)
        return verb
    r.take("TABLE")
    c.target(Side.WRITE, Kind.RELATION)
    c.frame = Frame()  # an INSERT's target is not in the scope of its query
    _insert_clauses(c)
    c.query()
    return verb


def _insert_clauses(c: Clauses) -> None:
    r = c.r
    while not r.done:
        if r.take("PARTITION"):
            first = r.at
            r.take_group()
            c.args["partition"] = r.span(first, r.at)
        elif r.take("BY", "NAME"):
            c.args["by_name"] = True
        elif r.take("REPLACE", "WHERE"):
            _until_query(c, "replace_where")
        elif r.here == "(" and not starts_query(r, r.at):
            c.args["columns"] = c.names()
        elif r.sees("IF", "NOT", "EXISTS"):
            r.at += 3
        elif r.here in ("AS", "REPLACE", "USING", "ON") and r.here != "":
            r.at += 1
        else:
            return


def _until_query(c: Clauses, key: str) -> None:
    r = c.r
    first = r.at
    while not r.done and not starts_query(r, r.at):
        r.at = r.close(r.at) + 1 if r.here == "(" else r.at + 1
    c.args[key] = r.span(first, r.at)
    walk(r, first, r.at, c.frame)


def merge(c: Clauses) -> str:
    """MERGE INTO target USING source ON … WHEN …"""
    r = c.r
    c.has_tree = True
    r.at += 1
    c.flag("schema_evolution", "WITH", "SCHEMA", "EVOLUTION")
    r.take("INTO")
    c.target(Side.READWRITE, Kind.RELATION, alias=True)
    if r.take("USING"):
        on = find_at_depth(r, r.at, "ON")
        c.args["source"] = r.span(r.at, on)
        when = next((i for i in range(on, len(r.tokens)) if _is_merge_when(r, i)), len(r.tokens))
        c.args["on"] = r.span(on + 1, when)
        walk_from_list(r, r.at, len(r.tokens), c.frame)
        r.at = len(r.tokens)
    return "MERGE"


def update(c: Clauses) -> str:
    """UPDATE target SET … [WHERE …]"""
    r = c.r
    c.has_tree = True
    r.at += 1
    c.target(Side.READWRITE, Kind.RELATION, alias=True)
    if r.here == "SET":
        c.args["set"] = r.span(r.at + 1, find_at_depth(r, r.at, "WHERE"))
    _where(c)
    return "UPDATE"


def delete(c: Clauses) -> str:
    """DELETE FROM target [WHERE …]"""
    r = c.r
    c.has_tree = True
    r.at += 1
    r.take("FROM")
    c.target(Side.READWRITE, Kind.RELATION, alias=True)
    _where(c)
    return "DELETE"


def _where(c: Clauses) -> None:
    r = c.r
    where = find_at_depth(r, r.at, "WHERE")
    if where < len(r.tokens):
        c.args["where"] = r.span(where + 1, len(r.tokens))


def truncate(c: Clauses) -> str:
    """TRUNCATE TABLE t [PARTITION (…)]"""
    r = c.r
    c.has_tree = True
    r.at += 1
    r.take("TABLE")
    c.target(Side.WRITE, Kind.TABLE)
    if r.take("PARTITION"):
        first = r.at
        r.take_group()
        c.args["partition"] = r.span(first, r.at)
    return "TRUNCATE"


def load(c: Clauses) -> str:
    """LOAD DATA [LOCAL] INPATH path [OVERWRITE] INTO TABLE t [PARTITION (…)]"""
    r = c.r
    r.at += 1
    r.take("DATA")
    r.take("LOCAL")
    r.take("INPATH")
    c.path("path", Side.READ)
    c.flag("overwrite", "OVERWRITE")
    r.take("INTO")
    r.take("TABLE")
    c.target(Side.WRITE, Kind.TABLE)
    if r.take("PARTITION"):
        first = r.at
        r.take_group()
        c.args["partition"] = r.span(first, r.at)
    return "LOAD"


def copy(c: Clauses) -> str:
    """COPY INTO target FROM path or query …"""
    r = c.r
    c.has_tree = True
    r.at += 1
    r.take("INTO")
    c.target(Side.WRITE, Kind.TABLE)
    if r.here == "(":
        c.args["columns"] = c.names()
    if r.take("FROM"):
        if (inner := r.take_group()) is not None:
            c.args["query"] = r.span(*inner)
            walk(r, *inner)
        else:
            c.path("path", Side.READ)
    _copy_clauses(c)
    return "COPY"


def _copy_clauses(c: Clauses) -> None:
    r = c.r
    while not r.done:
        if r.take("FILEFORMAT", "="):
            c.args["format"] = r.take_word()
        elif word := r.take_any("FORMAT_OPTIONS", "COPY_OPTIONS"):
            c.args[word.lower()] = c.properties()
        else:
            r.at += 1


def _main_verb(reader: Reader) -> str:
    """SELECT, or the verb after common table expressions."""
    at = 0
    while at < len(reader.tokens):
        word = reader.word(at)
        if word == "(":
            if at == 0:
                return "SELECT"
            at = reader.close(at)
        elif word == "INSERT":
            return "INSERT OVERWRITE" if reader.word(at + 1) == "OVERWRITE" else "INSERT"
        elif word in ("SELECT", "MERGE", "UPDATE", "DELETE") and reader.word(0) == "WITH":
            return word
        at += 1
    return "SELECT"


def _is_merge_when(reader: Reader, at: int) -> bool:
    return reader.word(at) == "WHEN" and reader.word(at + 1) in ("MATCHED", "NOT")
