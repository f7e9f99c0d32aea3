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
| CONVERT, MSCK, REFRESH, CACHE, UNCACHE, TRUNCATE | target, lazy, if_exists, partition |
| GRANT, REVOKE | privileges, on, securable or target, principal |
| COMMENT | on, target or name, comment |
| COPY | target, path, format, format_options, copy_options, columns, query |
| EXECUTE IMMEDIATE | statement, into, using |
| CREATE WIDGET, DROP WIDGET | name, type, default, choices |
| SCRIPT | statements (the spans of the inner statements) |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from brickyard.dbsql.model import Column, Kind, Reference, Side
from brickyard.dbsql.query import QUERY_STARTS, walk, walk_from_list
from brickyard.dbsql.reader import Frame, Reader
from brickyard.dbsql.tokens import MASK, TokenKind
from brickyard.notebooks.model import Span

_TABLES = {"TABLE": Kind.TABLE, "VIEW": Kind.VIEW, "FUNCTION": Kind.FUNCTION, "PROCEDURE": Kind.FUNCTION}
_NAMESPACES = {"SCHEMA": Kind.SCHEMA, "DATABASE": Kind.SCHEMA, "CATALOG": Kind.CATALOG}
_SECURABLES = ("VOLUME", "SHARE", "RECIPIENT", "CONNECTION", "PROVIDER")


class Grammar:
    """Reads one statement with the cursor of a reader."""

    def __init__(self, reader: Reader) -> None:
        self.r = reader
        self.args: dict[str, Any] = {}
        self.frame = Frame()
        self.temp_view: str | None = None
        self.parses = False  # whether sqlglot has a tree for this statement

    def read(self) -> str:
        """Read the statement, collect what it names, and return its verb."""
        handler = _STATEMENTS.get(self.r.here)
        verb = handler(self) if handler else self._query_or_unknown()
        self._rest()
        return verb

    def _rest(self) -> None:
        """Whatever the grammar did not read may still hold queries."""
        if not self.r.done:
            walk(self.r, self.r.at, len(self.r.tokens), self.frame)
            self.r.at = len(self.r.tokens)

    # -- parts -----------------------------------------------------------------------------------------------------

    def target(self, side: Side, kind: Kind, *, alias: bool = False, key: str = "target") -> Reference | None:
        """Read the name of the statement's object."""
        r = self.r
        if r.sees("IDENTIFIER", "("):
            reference = r.identifier(r.at, side, kind)
            r.at = r.close(r.at + 1) + 1
        elif r.is_name(r.at):
            first = r.at
            r.at = r.chain(first)
            reference = r.named(first, r.at, side, kind)
        else:
            return None
        if alias:
            reference = self._aliased(reference)
        self.args[key] = reference
        self.frame.entries.append(r.entry(reference, r.add(reference)))
        return reference

    def _aliased(self, reference: Reference) -> Reference:
        r = self.r
        explicit = r.take("AS")
        if explicit or (r.is_name(r.at) and r.here not in ("SET", "USING", "WHERE", "VERSION", "TIMESTAMP")):
            name = r.take_word()
            if name:
                return replace(reference, alias=name.lower())
        return reference

    def name(self, kind: Kind, side: Side = Side.READ, key: str = "name") -> Reference | None:
        """Read the name of a schema, catalog, share …, which is no catalog object."""
        r = self.r
        if r.sees("IDENTIFIER", "("):
            reference = r.identifier(r.at, side, kind)
            r.at = r.close(r.at + 1) + 1
        elif r.token(r.at).kind is TokenKind.STRING:
            reference = r.string_reference(r.at, side, kind)
            r.at += 1
        elif r.is_name(r.at):
            first = r.at
            r.at = r.chain(first)
            reference = r.named(first, r.at, side, kind)
        else:
            return None
        r.namespaces.append(reference)
        self.args[key] = reference
        return reference

    def path(self, key: str, side: Side) -> None:
        """Read a path in a string literal."""
        r = self.r
        if r.token(r.at).kind is TokenKind.STRING:
            reference = r.string_reference(r.at, side, Kind.PATH)
            r.references.append(reference)
            self.args[key] = reference
            r.at += 1

    def query(self, key: str = "query") -> None:
        """Read the rest of the statement as a query."""
        r = self.r
        self.args[key] = r.span(r.at, len(r.tokens))
        walk(r, r.at, len(r.tokens), self.frame)
        r.at = len(r.tokens)

    def flag(self, key: str, *words: str) -> bool:
        """Note whether these words stand here."""
        if self.r.take(*words):
            self.args[key] = True
            return True
        return False

    def if_not_exists(self) -> None:
        """Read IF NOT EXISTS."""
        self.flag("if_not_exists", "IF", "NOT", "EXISTS")

    def if_exists(self) -> None:
        """Read IF EXISTS."""
        self.flag("if_exists", "IF", "EXISTS")

    def names(self) -> tuple[str, ...]:
        """Read a parenthesised or plain list of names."""
        r = self.r
        inner = r.take_group()
        if inner is None:
            return self._plain_names()
        words: list[list[str]] = [[]]
        for token in r.tokens[inner[0] : inner[1]]:
            if token.word == ",":
                words.append([])
            else:
                words[-1].append(r.key(token) if token.kind is TokenKind.QUOTED else r.text(token))
        return tuple("".join(w) for w in words if w)

    def _plain_names(self) -> tuple[str, ...]:
        r = self.r
        found = []
        while r.is_name(r.at):
            end = r.chain(r.at)
            found.append(".".join(r.text(t).strip("`") for t in r.tokens[r.at : end : 2]))
            r.at = end
            if not r.take(","):
                break
        return tuple(found)

    def properties(self) -> dict[str, str]:
        """Read `('a' = 'b', c.d = 1)`."""
        r = self.r
        inner = r.take_group()
        found: dict[str, str] = {}
        if inner is None:
            return found
        after, (r.at, end) = r.at, inner
        while r.at < end:
            key = self._property_key()
            r.take("=")
            found[key] = r.take_literal() or "" if r.at < end and r.here != "," else ""
            while r.at < end and not r.take(","):
                r.at += 1
        r.at = after
        return found

    def _property_key(self) -> str:
        r = self.r
        if (text := r.take_string()) is not None:
            return text
        if not r.is_name(r.at):
            r.at += 1
            return ""
        first = r.at
        r.at = r.chain(first)
        return "".join(r.text(t).strip("`") for t in r.tokens[first : r.at])

    def columns(self) -> tuple[Column, ...]:
        """Read a parenthesised list of column definitions; constraints are left out."""
        r = self.r
        inner = r.take_group()
        if inner is None:
            return ()
        walk(r, *inner, self.frame)
        items = self._items(*inner)
        return tuple(c for c in (self._column(first, end) for first, end in items) if c)

    def _items(self, first: int, end: int) -> list[tuple[int, int]]:
        r = self.r
        items, at, depth, start = [], first, 0, first
        while at < end:
            word = r.word(at)
            depth += word == "<"
            depth -= (word == ">") + 2 * (word == ">>")
            if word == "(":
                at = r.close(at)
            elif word == "," and depth <= 0:
                items.append((start, at))
                start, depth = at + 1, 0
            at += 1
        if start < end:
            items.append((start, end))
        return items

    def _column(self, first: int, end: int) -> Column | None:
        r = self.r
        if r.word(first) in ("CONSTRAINT", "PRIMARY", "FOREIGN", "CHECK") or not r.is_name(first):
            return None
        stop = first + 1
        if r.word(stop) == ":":
            stop += 1
        type_first = stop
        while stop < end and r.word(stop) not in _AFTER_TYPE:
            stop = r.close(stop) + 1 if r.word(stop) == "(" else stop + 1
        type_text = r.span(type_first, stop).slice(r.masked.original) if stop > type_first else None
        options = self._column_options(stop, end)
        name = r.text(r.tokens[first])
        return Column(name[1:-1].replace("``", "`") if name.startswith("`") else name, type_text, **options)

    def _column_options(self, at: int, end: int) -> dict[str, Any]:
        r = self.r
        found: dict[str, Any] = {}
        while at < end:
            word = r.word(at)
            if word == "NOT" and r.word(at + 1) == "NULL":
                found["nullable"] = False
                at += 2
            elif word == "COMMENT":
                r.at, after = at + 1, r.at
                found["comment"] = r.take_string()
                at, r.at = r.at, after
            elif word == "BY" and r.word(at + 1) == "DEFAULT":
                at += 2
            elif word in ("DEFAULT", "AS"):
                at, stop = at + 1, self._option_end(at + 1, end)
                found["default" if word == "DEFAULT" else "generated"] = r.span(at, stop)
                at = stop
            else:
                at = r.close(at) + 1 if word == "(" else at + 1
        return found

    def _option_end(self, at: int, end: int) -> int:
        r = self.r
        while at < end and r.word(at) not in ("NOT", "COMMENT", "CONSTRAINT", "GENERATED", "PRIMARY", "COLLATE"):
            at = r.close(at) + 1 if r.word(at) == "(" else at + 1
        return min(at, end)

    # -- queries and DML -------------------------------------------------------------------------------------------

    def _query_or_unknown(self) -> str:
        r = self.r
        self.parses = True
        if r.here in QUERY_STARTS or r.here == "(":
            main = _main_verb(r)
            self.args["query"] = r.span(0, len(r.tokens))
            return main
        return "TEMPLATE" if MASK in r.here else r.here or "UNKNOWN"

    def insert(self) -> str:
        """INSERT INTO or OVERWRITE, a table or a directory."""
        r = self.r
        self.parses = True
        r.at += 1
        r.take("WITH", "SCHEMA", "EVOLUTION")
        overwrite = r.take_any("INTO", "OVERWRITE") == "OVERWRITE"
        verb = "INSERT OVERWRITE" if overwrite else "INSERT"
        if r.take("LOCAL", "DIRECTORY") or r.take("DIRECTORY"):
            self.path("directory", Side.WRITE)
            return verb
        r.take("TABLE")
        self.target(Side.WRITE, Kind.RELATION)
        self.frame = Frame()  # an INSERT's target is not in the scope of its query
        self._insert_clauses()
        self.query()
        return verb

    def _insert_clauses(self) -> None:
        r = self.r
        while not r.done:
            if r.take("PARTITION"):
                first = r.at
                r.take_group()
                self.args["partition"] = r.span(first, r.at)
            elif r.take("BY", "NAME"):
                self.args["by_name"] = True
            elif r.take("REPLACE", "WHERE"):
                self._until_query("replace_where")
            elif r.here == "(" and r.word(r.at + 1) not in QUERY_STARTS and r.word(r.at + 1) != "(":
                self.args["columns"] = self.names()
            elif r.sees("IF", "NOT", "EXISTS"):
                r.at += 3
            elif r.here in ("AS", "REPLACE", "USING", "ON") and r.here != "":
                r.at += 1
            else:
                return

    def _until_query(self, key: str) -> None:
        r = self.r
        first = r.at
        while not r.done and r.here not in QUERY_STARTS:
            r.at = r.close(r.at) + 1 if r.here == "(" else r.at + 1
        self.args[key] = r.span(first, r.at)
        walk(r, first, r.at, self.frame)

    def merge(self) -> str:
        """MERGE INTO target USING source ON … WHEN …"""
        r = self.r
        self.parses = True
        r.at += 1
        self.flag("schema_evolution", "WITH", "SCHEMA", "EVOLUTION")
        r.take("INTO")
        self.target(Side.READWRITE, Kind.RELATION, alias=True)
        if r.take("USING"):
            on = _find_at_depth(r, r.at, "ON")
            self.args["source"] = r.span(r.at, on)
            when = next((i for i in range(on, len(r.tokens)) if _is_merge_when(r, i)), len(r.tokens))
            self.args["on"] = r.span(on + 1, when)
            walk_from_list(r, r.at, len(r.tokens), self.frame)
            r.at = len(r.tokens)
        return "MERGE"

    def update(self) -> str:
        """UPDATE target SET … [WHERE …]"""
        r = self.r
        self.parses = True
        r.at += 1
        self.target(Side.READWRITE, Kind.RELATION, alias=True)
        if r.here == "SET":
            self.args["set"] = r.span(r.at + 1, _find_at_depth(r, r.at, "WHERE"))
        self._where()
        return "UPDATE"

    def delete(self) -> str:
        """DELETE FROM target [WHERE …]"""
        r = self.r
        self.parses = True
        r.at += 1
        r.take("FROM")
        self.target(Side.READWRITE, Kind.RELATION, alias=True)
        self._where()
        return "DELETE"

    def _where(self) -> None:
        r = self.r
        where = _find_at_depth(r, r.at, "WHERE")
        if where < len(r.tokens):
            self.args["where"] = r.span(where + 1, len(r.tokens))

    def truncate(self) -> str:
        """TRUNCATE TABLE t [PARTITION (…)]"""
        r = self.r
        self.parses = True
        r.at += 1
        r.take("TABLE")
        self.target(Side.WRITE, Kind.TABLE)
        if r.take("PARTITION"):
            first = r.at
            r.take_group()
            self.args["partition"] = r.span(first, r.at)
        return "TRUNCATE"

    def copy(self) -> str:
        """COPY INTO target FROM path or query …"""
        r = self.r
        self.parses = True
        r.at += 1
        r.take("INTO")
        self.target(Side.WRITE, Kind.TABLE)
        if r.here == "(":
            self.args["columns"] = self.names()
        if r.take("FROM"):
            if (inner := r.take_group()) is not None:
                self.args["query"] = r.span(*inner)
                walk(r, *inner)
            else:
                self.path("path", Side.READ)
        self._copy_clauses()
        return "COPY"

    def _copy_clauses(self) -> None:
        r = self.r
        while not r.done:
            if r.take("FILEFORMAT", "="):
                self.args["format"] = r.take_word()
            elif word := r.take_any("FORMAT_OPTIONS", "COPY_OPTIONS"):
                self.args[word.lower()] = self.properties()
            else:
                r.at += 1

    # -- CREATE ----------------------------------------------------------------------------------------------------

    def create(self) -> str:
        """CREATE of anything."""
        r = self.r
        r.at += 1
        self.flag("replace", "OR", "REPLACE")
        self.flag("replace", "OR", "REFRESH")
        flags = self._create_flags()
        what = r.here
        r.at += 1
        if what == "WIDGET":
            return self._create_widget()
        if what == "TABLE":
            return self._create_table(bool(flags & {"TEMP", "TEMPORARY"}))
        if what == "VIEW":
            return self._create_view(flags)
        if what in ("FUNCTION", "PROCEDURE"):
            return self._create_function(what, bool(flags & {"TEMP", "TEMPORARY"}))
        if what in _NAMESPACES or what in _SECURABLES:
            return self._create_securable("SCHEMA" if what == "DATABASE" else what)
        return self._create_other(what)

    def _create_flags(self) -> set[str]:
        r = self.r
        flags = set()
        while r.here in _CREATE_FLAGS and r.word(r.at + 1) not in (".", "AS", "("):
            flags.add(r.here)
            r.at += 1
        for word in ("EXTERNAL", "FOREIGN"):
            if word in flags:
                self.args[word.lower()] = True
        return flags

    def _create_other(self, what: str) -> str:
        """CREATE EXTERNAL LOCATION, STORAGE CREDENTIAL, INDEX … name nothing that this grammar follows."""
        return f"CREATE {what}"

    def _create_widget(self) -> str:
        r = self.r
        self.args["type"] = (r.take_word() or "").upper()
        self.args["name"] = r.take_word()
        if r.take("DEFAULT"):
            self.args["default"] = r.take_string()
        if r.take("CHOICES"):
            first = r.at
            self.args["choices"] = r.span(first, len(r.tokens))
        return "CREATE WIDGET"

    def _create_table(self, temporary: bool) -> str:
        r = self.r
        self.parses = True
        self.if_not_exists()
        if temporary:
            self.args["temporary"] = True
        self.target(Side.WRITE, Kind.TABLE)
        self.frame = Frame()
        if r.here == "(" and r.word(r.at + 1) not in QUERY_STARTS:
            self.args["columns"] = self.columns()
        verb = self._table_clauses()
        self.parses = verb == "CREATE TABLE"
        return verb

    def _table_clauses(self) -> str:
        r = self.r
        while not r.done:
            if r.here in ("DEEP", "SHALLOW", "CLONE"):
                return self._clone()
            if r.here in QUERY_STARTS or r.here == "(":
                self.query()
            elif r.take("LIKE"):
                self.target(Side.READ, Kind.TABLE, key="like")
            elif not self._common_clause():
                r.at += 1
        return "CREATE TABLE"

    def _common_clause(self) -> bool:
        """Read one clause that tables, views, schemas and others share."""
        handler = _CLAUSES.get(self.r.here)
        return handler(self) if handler else False

    def _on_using(self) -> bool:
        r = self.r
        r.at += 1
        r.take("CONNECTION")
        word = r.take_word()
        self.args["connection" if r.word(r.at - 2) == "CONNECTION" else "using"] = word
        return True

    def _on_location(self) -> bool:
        self.r.at += 1
        self.path("location", Side.WRITE)
        return True

    def _on_managed(self) -> bool:
        if not self.r.take("MANAGED", "LOCATION"):
            return False
        self.path("managed_location", Side.WRITE)
        return True

    def _on_comment(self) -> bool:
        self.r.at += 1
        self.r.take("=")
        self.args["comment"] = self.r.take_string()
        return True

    def _on_properties(self) -> bool:
        self.r.at += 1
        self.args["properties"] = self.properties()
        return True

    def _on_with(self) -> bool:
        r = self.r
        if r.word(r.at + 1) not in ("DBPROPERTIES", "SERDEPROPERTIES"):
            return False
        r.at += 2
        self.args["properties"] = self.properties()
        return True

    def _on_options(self) -> bool:
        self.r.at += 1
        self.args["options"] = self.properties()
        return True

    def _on_partitioned(self) -> bool:
        r = self.r
        r.at += 1
        r.take("BY")
        first = r.at
        if r.here == "(":
            inner = (r.at + 1, r.close(r.at))
            r.at = inner[1] + 1
            items = self._items(*inner)
            self.args["partitioned_by"] = tuple(r.text(r.tokens[i]).strip("`") for i, _ in items)
            typed = tuple(c for c in (self._column(i, e) for i, e in items) if c and c.type)
            if typed:
                self.args["partition_columns"] = typed
        return r.at > first

    def _on_cluster(self) -> bool:
        r = self.r
        if not r.take("CLUSTER", "BY"):
            return False
        self.args["cluster_by"] = self.names()
        return True

    def _clone(self) -> str:
        r = self.r
        self.args["depth"] = r.take_any("DEEP", "SHALLOW") or "DEEP"
        r.take("CLONE")
        self.target(Side.READ, Kind.RELATION, key="source")
        self._version()
        while not r.done:
            if not self._common_clause():
                r.at += 1
        return "CLONE"

    def _version(self) -> None:
        """Read VERSION AS OF n, TIMESTAMP AS OF t or @v3."""
        r = self.r
        if r.here == "@":
            r.at += 1
            text = r.take_word() or ""
            self.args["version" if text[:1] in "vV" else "timestamp"] = text.lstrip("vV")
            return
        word = r.take_any("VERSION", "TIMESTAMP")
        if word and r.take("AS", "OF"):
            first = r.at
            value = r.take_literal()
            self.args[word.lower()] = value
            self.args[f"{word.lower()}_span"] = r.span(first, r.at)

    def _create_view(self, flags: set[str]) -> str:
        r = self.r
        self.parses = True
        self.if_not_exists()
        self.flag("if_not_exists", "IF", "NOT", "EXISTS")
        temporary = bool(flags & {"TEMP", "TEMPORARY"})
        if "GLOBAL" in flags:
            self.args["global"] = True
        self._temp_subject(Kind.VIEW) if temporary else self.target(Side.WRITE, Kind.VIEW)
        self.frame = Frame()
        if r.here == "(":
            self.args["columns"] = self.columns()
        while not r.done:
            if r.take("AS") or (r.here in QUERY_STARTS and r.here != "WITH"):
                self.query()
            elif not self._common_clause():
                r.at += 1
        if temporary:
            return "CREATE TEMP VIEW"
        return "CREATE MATERIALIZED VIEW" if "MATERIALIZED" in flags else "CREATE VIEW"

    def _temp_subject(self, kind: Kind) -> None:
        """A temporary object is none of the catalog's."""
        r = self.r
        if not r.is_name(r.at):
            return
        first = r.at
        r.at = r.chain(first)
        reference = r.named(first, r.at, Side.WRITE, kind)
        r.temp_references.append(reference)
        self.args["target"] = reference
        if kind is Kind.VIEW and reference.literal:
            self.temp_view = reference.literal[-1].lower()

    def _create_function(self, what: str, temporary: bool) -> str:
        r = self.r
        self.if_not_exists()
        self._temp_subject(Kind.FUNCTION) if temporary else self.target(Side.WRITE, Kind.FUNCTION)
        self.frame = Frame()
        if r.here == "(":
            self.args["parameters"] = self.columns()
        while not r.done and "body" not in self.args:
            self._function_clause()
        return f"CREATE TEMP {what}" if temporary else f"CREATE {what}"

    def _function_clause(self) -> None:
        r = self.r
        if r.take("RETURNS"):
            self._returns()
        elif r.sees("AS", "BEGIN"):
            self.args["body"] = r.span(r.at + 1, len(r.tokens))
            self.script()
        elif r.take("RETURN") or r.take("AS"):
            self.query("body")
        elif r.take("LANGUAGE"):
            self.args["language"] = (r.take_word() or "").upper()
        elif r.take("COMMENT"):
            self.args["comment"] = r.take_string()
        elif r.take("NOT", "DETERMINISTIC"):
            self.args["deterministic"] = False
        elif r.take("DETERMINISTIC"):
            self.args["deterministic"] = True
        else:
            r.at += 1

    def _returns(self) -> None:
        r = self.r
        if r.take("TABLE"):
            self.args["returns_table"] = self.columns()
            return
        first = r.at
        while not r.done and r.here not in _AFTER_RETURNS:
            r.at = r.close(r.at) + 1 if r.here == "(" else r.at + 1
        self.args["returns"] = r.span(first, r.at).slice(r.masked.original)

    def _create_securable(self, what: str) -> str:
        r = self.r
        self.if_not_exists()
        self.name(_NAMESPACES.get(what, Kind.SCHEMA), Side.WRITE)
        if what == "CONNECTION" and r.take("TYPE"):
            self.args["type"] = (r.take_word() or "").upper()
        if what == "RECIPIENT" and r.take("USING", "ID"):
            self.args["using_id"] = r.take_string()
        while not r.done:
            if not self._common_clause():
                r.at += 1
        return f"CREATE {what}"

    # -- DROP and ALTER --------------------------------------------------------------------------------------------

    def drop(self) -> str:
        """DROP of anything."""
        r = self.r
        r.at += 1
        temporary = bool(r.take_any("TEMPORARY", "TEMP"))
        if temporary:
            self.args["temporary"] = True
        r.take_any("MATERIALIZED", "EXTERNAL", "STREAMING")
        what = r.here
        r.at += 1
        self.if_exists()
        if what == "WIDGET":
            self.args["name"] = r.take_word()
        elif what == "VARIABLE":
            self.args["name"] = ".".join(self.names())
        elif what in _TABLES:
            self._drop_object(what, temporary)
        else:
            what = "SCHEMA" if what == "DATABASE" else what
            self.name(_NAMESPACES.get(what, Kind.SCHEMA), Side.WRITE)
            self.args["cascade"] = r.take_any("CASCADE", "RESTRICT", "FORCE") in ("CASCADE", "FORCE")
        return f"DROP {what}"

    def _drop_object(self, what: str, temporary: bool) -> None:
        self.parses = what in ("TABLE", "VIEW")
        if temporary:
            self._temp_subject(_TABLES[what])
        else:
            self.target(Side.WRITE, _TABLES[what])

    def alter(self) -> str:
        """ALTER of anything."""
        r = self.r
        r.at += 1
        r.take_any("MATERIALIZED", "STREAMING")
        what = "SCHEMA" if r.here == "DATABASE" else r.here
        r.at += 1
        if what in _TABLES:
            self.target(Side.WRITE, _TABLES[what])
        else:
            self.name(_NAMESPACES.get(what, Kind.SCHEMA), Side.WRITE)
        self._alter_action()
        return f"ALTER {what}"

    def _alter_action(self) -> None:
        for words, handler in _ALTER_ACTIONS:
            if self.r.take(*words):
                self.args["action"] = _ACTION_NAMES.get(" ".join(words), " ".join(words))
                handler(self)
                return
        self.args["action"] = self.r.here
        self.args["rest"] = self.r.span(self.r.at, len(self.r.tokens))

    def _alter_add_columns(self) -> None:
        self.if_not_exists()
        if self.r.here == "(":
            self.args["columns"] = self.columns()
        else:
            end = len(self.r.tokens)
            self.args["columns"] = tuple(c for c in (self._column(i, e) for i, e in self._items(self.r.at, end)) if c)
            self.r.at = end

    def _alter_names(self) -> None:
        self.if_exists()
        self.args["names"] = self.names()

    def _alter_rename_column(self) -> None:
        self.args["names"] = self._plain_names()
        self.r.take("TO")
        self.args["new_name"] = ".".join(self._plain_names())

    def _alter_rename(self) -> None:
        r = self.r
        if r.is_name(r.at) or r.sees("IDENTIFIER", "("):
            self.target(Side.WRITE, Kind.TABLE, key="new_name")

    def _alter_column(self) -> None:
        r = self.r
        self.args["names"] = self._plain_names()
        first = r.at
        if r.take("TYPE"):
            self.args["type"] = r.span(r.at, len(r.tokens)).slice(r.masked.original)
        elif r.take("COMMENT"):
            self.args["comment"] = r.take_string()
        self.args["change"] = r.span(first, len(r.tokens))
        r.at = len(r.tokens)

    def _alter_properties(self) -> None:
        self.if_exists()
        self.args["properties"] = self.properties()

    def _alter_owner(self) -> None:
        self.r.take("TO")
        self.args["owner"] = self.r.take_literal_name()

    def _alter_query(self) -> None:
        self.query()

    def _alter_rest(self) -> None:
        self.args["rest"] = self.r.span(self.r.at, len(self.r.tokens))

    # -- reading the catalog ---------------------------------------------------------------------------------------

    def describe(self) -> str:
        """DESCRIBE of anything."""
        r = self.r
        r.at += 1
        what = r.here
        if what in ("HISTORY", "DETAIL") and r.word(r.at + 1) != ".":
            r.at += 1
            return self._describe_table(what)
        if what in _DESCRIBED and r.is_name(r.at + 1):
            r.at += 1
            return self._describe_named("SCHEMA" if what == "DATABASE" else what)
        if what in QUERY_STARTS - {"TABLE"} or what == "QUERY":
            r.take("QUERY")
            self.query()
            return "DESCRIBE QUERY"
        r.take("TABLE")
        self._extended()
        return self._describe_table("TABLE")

    def _extended(self) -> None:
        if self.r.here in ("EXTENDED", "FORMATTED") and (self.r.is_name(self.r.at + 1)):
            self.r.at += 1
            self.args["extended"] = True

    def _describe_table(self, what: str) -> str:
        r = self.r
        if r.token(r.at).kind is TokenKind.STRING:
            self.path("target", Side.READ)
        else:
            self.target(Side.READ, Kind.RELATION)
        if r.take("LIMIT"):
            self.args["limit"] = r.take_literal()
        if r.take("AS", "JSON"):
            self.args["json"] = True
        if r.is_name(r.at):
            self.args["column"] = ".".join(self._plain_names())
        return f"DESCRIBE {what}"

    def _describe_named(self, what: str) -> str:
        self._extended()
        if what == "FUNCTION":
            self.target(Side.READ, Kind.FUNCTION)
        else:
            self.name(_NAMESPACES.get(what, Kind.SCHEMA))
        return f"DESCRIBE {what}"

    def show(self) -> str:
        """SHOW of anything."""
        r = self.r
        r.at += 1
        if r.take("CREATE"):
            what = f"CREATE {r.take_any('TABLE', 'VIEW', 'FUNCTION') or 'TABLE'}"
            self.target(Side.READ, Kind.RELATION)
        elif r.here in ("GRANTS", "GRANT"):
            what = "GRANTS"
            self._show_grants()
        else:
            what = self._show_list()
        self.args["what"] = what
        return "SHOW"

    def _show_list(self) -> str:
        r = self.r
        words = [r.here]
        r.at += 1
        while words[-1] in ("TABLE", "USER", "SYSTEM", "ALL", "EXTERNAL", "STORAGE") and r.is_name(r.at):
            words.append(r.here)
            r.at += 1
        if words == ["ALL", "IN"] and r.take("SHARE"):
            self.name(Kind.SCHEMA)
            return "ALL IN SHARE"
        what = _SHOW_NAMES.get(" ".join(words), " ".join(words))
        if what in _SHOW_OF_TABLE:
            self._show_of_table(what)
        elif r.take_any("IN", "FROM"):
            self.name(Kind.CATALOG if what == "SCHEMAS" else Kind.SCHEMA)
        r.take("LIKE")
        if (pattern := r.take_string()) is not None:
            self.args["like"] = pattern
        return what

    def _show_of_table(self, what: str) -> None:
        r = self.r
        r.take_any("IN", "FROM")
        reference = self.target(Side.READ, Kind.RELATION)
        if reference and what == "COLUMNS" and r.take_any("IN", "FROM"):
            self.name(Kind.SCHEMA)
        if what == "TBLPROPERTIES" and (inner := r.take_group()):
            self.args["key"] = "".join(r.text(t).strip("'\"`") for t in r.tokens[inner[0] : inner[1]])

    def _show_grants(self) -> None:
        r = self.r
        r.at += 1
        if r.is_name(r.at) and r.here not in ("ON", "TO"):
            self.args["principal"] = r.take_literal_name()
        if r.take("ON"):
            self._securable(Side.READ)
        if r.take("TO"):
            self.args["recipient"] = r.take_literal_name()

    def _securable(self, side: Side) -> None:
        """Read `TABLE t`, `SCHEMA s`, `CATALOG c` … or a bare table name."""
        r = self.r
        kinds = {**_TABLES, **_NAMESPACES, **dict.fromkeys(_SECURABLES, Kind.SCHEMA)}
        what = r.here
        if what in ("EXTERNAL", "STORAGE", "MATERIALIZED", "ANY", "SERVICE") and r.is_name(r.at + 1):
            r.at += 1
            what = f"{what} {r.here}"
        is_typed = (what in kinds or " " in what or what == "METASTORE") and r.word(r.at + 1) != "."
        if is_typed:
            r.at += 1
        self.args["on"] = ("SCHEMA" if what == "DATABASE" else what) if is_typed else "TABLE"
        kind = kinds.get(what, Kind.SCHEMA) if is_typed else Kind.RELATION
        if kind in (Kind.SCHEMA, Kind.CATALOG):
            if r.here not in ("TO", "FROM", "IS"):
                self.name(kind, side)
        else:
            self.target(side, Kind.RELATION if kind is Kind.TABLE else kind)

    # -- session ---------------------------------------------------------------------------------------------------

    def use(self) -> str:
        """USE CATALOG, SCHEMA or a bare schema."""
        r = self.r
        r.at += 1
        if r.here == "CATALOG" and r.word(r.at + 1) != ".":
            r.at += 1
            self.name(Kind.CATALOG)
            return "USE CATALOG"
        if r.here in ("SCHEMA", "DATABASE") and (r.is_name(r.at + 1) or r.token(r.at + 1).kind is TokenKind.STRING):
            r.at += 1
        self.name(Kind.SCHEMA)
        return "USE SCHEMA"

    def set(self) -> str:
        """SET of a configuration key, the time zone, a variable or the catalog."""
        r = self.r
        r.at += 1
        if r.take("TIME", "ZONE"):
            self.args["value"] = r.take_string() if r.token(r.at).kind is TokenKind.STRING else self._text()
            r.at = len(r.tokens)
            return "SET TIME ZONE"
        if r.take_any("VARIABLE", "VAR"):
            return self._set_variable()
        if r.here == "CATALOG" and r.is_name(r.at + 1):
            r.at += 1
            self.name(Kind.CATALOG)
            return "USE CATALOG"
        return self._set_key()

    def _set_key(self) -> str:
        r = self.r
        text = self._text()
        key, equals, value = text.partition("=")
        if key.strip():
            self.args["key"] = key.strip().strip("`")
        if equals:
            self.args["value"] = value.strip()
            self.args["value_span"] = Span(
                r.span(r.at, len(r.tokens)).end - len(value.lstrip()), r.span(0, len(r.tokens)).end
            )
        r.at = len(r.tokens)
        return "SET"

    def _text(self) -> str:
        return self.r.span(self.r.at, len(self.r.tokens)).slice(self.r.masked.original)

    def _set_variable(self) -> str:
        r = self.r
        first = r.at
        if r.here == "(":
            self.args["variables"] = self.names()
            r.take("=")
            if (inner := r.take_group()) is not None:
                self.args["query"] = r.span(*inner)
                walk(r, *inner)
            return "SET VARIABLE"
        assignments = []
        for start, end in self._items(first, len(r.tokens)):
            equals = next((i for i in range(start, end) if r.word(i) == "="), end)
            name = "".join(r.text(t).strip("`") for t in r.tokens[start:equals])
            assignments.append((name, r.span(equals + 1, end)))
        self.args["variables"] = tuple(name for name, _ in assignments)
        self.args["values"] = tuple(span for _, span in assignments)
        return "SET VARIABLE"

    def reset(self) -> str:
        """RESET [key]"""
        self.r.at += 1
        if not self.r.done:
            self.args["key"] = self._text()
            self.r.at = len(self.r.tokens)
        return "RESET"

    def declare(self) -> str:
        """DECLARE [OR REPLACE] [VARIABLE] name [type] [DEFAULT expr]"""
        r = self.r
        r.at += 1
        self.flag("replace", "OR", "REPLACE")
        r.take_any("VARIABLE", "VAR")
        self.args["name"] = ".".join(self._plain_names())
        first = r.at
        while not r.done and r.here not in ("DEFAULT", "="):
            r.at = r.close(r.at) + 1 if r.here == "(" else r.at + 1
        if r.at > first:
            self.args["type"] = r.span(first, r.at).slice(r.masked.original)
        if r.take_any("DEFAULT", "="):
            self.query("default")
        return "DECLARE VARIABLE"

    def execute(self) -> str:
        """EXECUTE IMMEDIATE text [INTO …] [USING …]"""
        r = self.r
        r.at += 1
        r.take("IMMEDIATE")
        first = r.at
        stop = min(_find_at_depth(r, first, "INTO"), _find_at_depth(r, first, "USING"))
        self.args["statement"] = r.span(first, stop)
        r.at = stop
        if r.take("INTO"):
            self.args["into"] = self._plain_names()
        if r.take("USING"):
            self.args["using"] = r.span(r.at, len(r.tokens))
        return "EXECUTE IMMEDIATE"

    # -- maintenance -----------------------------------------------------------------------------------------------

    def optimize(self) -> str:
        """OPTIMIZE t [FULL] [WHERE …] [ZORDER BY (…)]"""
        r = self.r
        r.at += 1
        self.target(Side.WRITE, Kind.TABLE)
        self.flag("full", "FULL")
        if r.take("WHERE"):
            stop = _find_at_depth(r, r.at, "ZORDER")
            self.args["where"] = r.span(r.at, stop)
            walk(r, r.at, stop, self.frame)
            r.at = stop
        if r.take("ZORDER", "BY"):
            self.args["zorder_by"] = self.names()
        return "OPTIMIZE"

    def vacuum(self) -> str:
        """VACUUM t [LITE|FULL] [RETAIN n HOURS] [DRY RUN]"""
        r = self.r
        r.at += 1
        if r.token(r.at).kind is TokenKind.STRING:
            self.path("target", Side.WRITE)
        else:
            self.target(Side.WRITE, Kind.TABLE)
        r.take_any("LITE", "FULL")
        if r.take("RETAIN"):
            self.args["retain_hours"] = r.take_literal()
            r.take_any("HOURS", "HOUR")
        self.flag("dry_run", "DRY", "RUN")
        return "VACUUM"

    def analyze(self) -> str:
        """ANALYZE TABLE t [PARTITION …] COMPUTE STATISTICS …"""
        r = self.r
        r.at += 1
        if r.take("TABLES"):
            if r.take_any("IN", "FROM"):
                self.name(Kind.SCHEMA)
        else:
            r.take("TABLE")
            self.target(Side.WRITE, Kind.TABLE)
        if r.take("PARTITION"):
            r.take_group()
        r.take("COMPUTE")
        r.take_any("STATISTICS", "DELTA")
        self.flag("no_scan", "NOSCAN")
        self.flag("for_all_columns", "FOR", "ALL", "COLUMNS")
        if r.take("FOR", "COLUMNS"):
            self.args["columns"] = self.names()
        return "ANALYZE"

    def restore(self) -> str:
        """RESTORE [TABLE] t TO VERSION|TIMESTAMP AS OF x"""
        r = self.r
        r.at += 1
        r.take("TABLE")
        self.target(Side.READWRITE, Kind.TABLE)
        r.take("TO")
        self._version()
        return "RESTORE"

    def convert(self) -> str:
        """CONVERT TO DELTA t [PARTITIONED BY (…)]"""
        r = self.r
        r.at += 1
        r.take("TO", "DELTA")
        self.target(Side.READWRITE, Kind.RELATION)
        while not r.done and self._common_clause():
            pass
        return "CONVERT"

    def msck(self) -> str:
        """MSCK REPAIR TABLE t [ADD|DROP|SYNC PARTITIONS]"""
        r = self.r
        r.at += 1
        r.take("REPAIR")
        r.take("TABLE")
        self.target(Side.WRITE, Kind.TABLE)
        return "MSCK"

    def refresh(self) -> str:
        """REFRESH [TABLE|FUNCTION|SCHEMA …] name"""
        r = self.r
        r.at += 1
        r.take_any("MATERIALIZED", "STREAMING", "FOREIGN")
        what = r.take_any("TABLE", "VIEW", "FUNCTION", "SCHEMA", "DATABASE", "CATALOG")
        if what in _NAMESPACES:
            self.name(_NAMESPACES[what])
        elif r.token(r.at).kind is TokenKind.STRING:
            self.path("target", Side.READ)
        else:
            self.target(Side.READ, Kind.FUNCTION if what == "FUNCTION" else Kind.RELATION)
        return "REFRESH"

    def cache(self) -> str:
        """CACHE [LAZY] TABLE t [OPTIONS (…)] [AS query]; CACHE SELECT …"""
        r = self.r
        r.at += 1
        if r.here == "SELECT":
            self.query()
            return "CACHE"
        self.flag("lazy", "LAZY")
        r.take("TABLE")
        end = r.chain(r.at)
        is_new = any(r.word(i) in ("AS", "SELECT") for i in range(end, len(r.tokens)))
        self._temp_subject(Kind.VIEW) if is_new else self.target(Side.READ, Kind.RELATION)
        if r.take("OPTIONS"):
            self.args["options"] = self.properties()
        if is_new:
            r.take("AS")
            self.query()
        return "CACHE"

    def uncache(self) -> str:
        """UNCACHE TABLE [IF EXISTS] t"""
        r = self.r
        r.at += 1
        r.take("TABLE")
        self.if_exists()
        self.target(Side.READ, Kind.RELATION)
        return "UNCACHE"

    # -- permissions and comments ----------------------------------------------------------------------------------

    def grant(self) -> str:
        """GRANT|REVOKE privileges ON securable TO|FROM principal"""
        r = self.r
        verb = r.here
        r.at += 1
        on = _find_at_depth(r, r.at, "ON")
        self.args["privileges"] = tuple(
            " ".join(r.text(t) for t in r.tokens[i:e]).upper() for i, e in self._items(r.at, on)
        )
        r.at = on
        if r.take("ON"):
            self._securable(Side.WRITE)
        if r.take_any("TO", "FROM"):
            if r.here == "RECIPIENT" and r.is_name(r.at + 1):
                r.at += 1
            self.args["principal"] = r.take_literal_name()
        r.at = len(r.tokens)
        return verb

    def comment(self) -> str:
        """COMMENT ON securable IS text"""
        r = self.r
        r.at += 1
        r.take("ON")
        if r.take("COLUMN"):
            self.args["on"] = "COLUMN"
            self._comment_column()
        else:
            self._securable(Side.WRITE)
        if r.take("IS"):
            self.args["comment"] = r.take_string()
        r.at = len(r.tokens)
        return "COMMENT"

    def _comment_column(self) -> None:
        r = self.r
        first, end = r.at, r.chain(r.at)
        r.at = end
        if end - first > 2:
            reference = r.named(first, end - 2, Side.WRITE, Kind.RELATION)
            r.add(reference)
            self.args["target"] = reference
        self.args["column"] = r.text(r.token(end - 1)).strip("`")

    # -- scripts ---------------------------------------------------------------------------------------------------

    def script(self) -> str:
        """A BEGIN … END block: its statements are read one by one, its conditions and loops as queries."""
        r = self.r
        spans = []
        for first, end in _inner_statements(r, r.at):
            walk(r, r.at, first)
            self._inner_statement(first, end)
            spans.append(r.span(first, end))
            r.at = end
        walk(r, r.at, len(r.tokens))
        self.args["statements"] = tuple(spans)
        r.at = len(r.tokens)
        return "SCRIPT"

    def _inner_statement(self, first: int, end: int) -> None:
        r = self.r
        inner = Reader(r.masked, r.tokens[first:end], r.statement, r.temp_views)
        Grammar(inner).read()
        r.inner_qualifiers += tuple((q, len(r.references)) for q in inner.qualifiers())
        r.references += inner.references
        r.namespaces += inner.namespaces
        r.temp_references += inner.temp_references


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


def _find_at_depth(reader: Reader, at: int, word: str) -> int:
    """The index of the word outside of parentheses, or the end."""
    while at < len(reader.tokens) and reader.word(at) != word:
        at = reader.close(at) + 1 if reader.word(at) == "(" else at + 1
    return min(at, len(reader.tokens))


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


_AFTER_TYPE = frozenset(
    [
        "NOT",
        "NULL",
        "COMMENT",
        "DEFAULT",
        "GENERATED",
        "CONSTRAINT",
        "PRIMARY",
        "COLLATE",
        "CHECK",
        "MASK",
        "FIRST",
        "AFTER",
        "REFERENCES",
        "FOREIGN",
    ]
)
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
_DESCRIBED = frozenset(("FUNCTION", *_NAMESPACES, *_SECURABLES))
_SHOW_OF_TABLE = frozenset(("COLUMNS", "TBLPROPERTIES", "PARTITIONS"))
_SHOW_NAMES = {"DATABASES": "SCHEMAS"}
_ACTION_NAMES = {
    "ADD COLUMN": "ADD COLUMNS",
    "DROP COLUMN": "DROP COLUMNS",
    "CHANGE COLUMN": "ALTER COLUMN",
    "OWNER TO": "SET OWNER",
    "SET OWNER TO": "SET OWNER",
}
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
        "CALL",
    ]
)
_ALTER_ACTIONS: tuple[tuple[tuple[str, ...], Callable[[Grammar], None]], ...] = (
    (("ADD", "COLUMNS"), Grammar._alter_add_columns),
    (("ADD", "COLUMN"), Grammar._alter_add_columns),
    (("ADD", "CONSTRAINT"), Grammar._alter_rest),
    (("DROP", "CONSTRAINT"), Grammar._alter_rest),
    (("DROP", "COLUMNS"), Grammar._alter_names),
    (("DROP", "COLUMN"), Grammar._alter_names),
    (("RENAME", "COLUMN"), Grammar._alter_rename_column),
    (("RENAME", "TO"), Grammar._alter_rename),
    (("ALTER", "COLUMN"), Grammar._alter_column),
    (("CHANGE", "COLUMN"), Grammar._alter_column),
    (("SET", "TBLPROPERTIES"), Grammar._alter_properties),
    (("UNSET", "TBLPROPERTIES"), Grammar._alter_properties),
    (("SET", "DBPROPERTIES"), Grammar._alter_properties),
    (("SET", "TAGS"), Grammar._alter_properties),
    (("UNSET", "TAGS"), Grammar._alter_properties),
    (("SET", "OWNER", "TO"), Grammar._alter_owner),
    (("OWNER", "TO"), Grammar._alter_owner),
    (("SET", "LOCATION"), Grammar._alter_rest),
    (("CLUSTER", "BY"), Grammar._alter_names),
    (("AS",), Grammar._alter_query),
)
_CLAUSES: dict[str, Callable[[Grammar], bool]] = {
    "USING": Grammar._on_using,
    "LOCATION": Grammar._on_location,
    "MANAGED": Grammar._on_managed,
    "COMMENT": Grammar._on_comment,
    "TBLPROPERTIES": Grammar._on_properties,
    "PROPERTIES": Grammar._on_properties,
    "DBPROPERTIES": Grammar._on_properties,
    "WITH": Grammar._on_with,
    "OPTIONS": Grammar._on_options,
    "PARTITIONED": Grammar._on_partitioned,
    "CLUSTER": Grammar._on_cluster,
}
_STATEMENTS: dict[str, Callable[[Grammar], str]] = {
    "INSERT": Grammar.insert,
    "MERGE": Grammar.merge,
    "UPDATE": Grammar.update,
    "DELETE": Grammar.delete,
    "TRUNCATE": Grammar.truncate,
    "COPY": Grammar.copy,
    "CREATE": Grammar.create,
    "REPLACE": Grammar.create,
    "DROP": Grammar.drop,
    "REMOVE": Grammar.drop,
    "ALTER": Grammar.alter,
    "DESCRIBE": Grammar.describe,
    "DESC": Grammar.describe,
    "SHOW": Grammar.show,
    "USE": Grammar.use,
    "SET": Grammar.set,
    "RESET": Grammar.reset,
    "DECLARE": Grammar.declare,
    "EXECUTE": Grammar.execute,
    "OPTIMIZE": Grammar.optimize,
    "VACUUM": Grammar.vacuum,
    "ANALYZE": Grammar.analyze,
    "RESTORE": Grammar.restore,
    "CONVERT": Grammar.convert,
    "MSCK": Grammar.msck,
    "REPAIR": Grammar.msck,
    "REFRESH": Grammar.refresh,
    "CACHE": Grammar.cache,
    "UNCACHE": Grammar.uncache,
    "GRANT": Grammar.grant,
    "REVOKE": Grammar.grant,
    "COMMENT": Grammar.comment,
    "BEGIN": Grammar.script,
}
