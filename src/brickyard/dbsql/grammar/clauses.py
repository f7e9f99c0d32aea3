"""A cursor over one statement with its parts: names, properties, columns, the clauses that many statements share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from brickyard.dbsql.model import Column, Kind, Reference, Side
from brickyard.dbsql.query import walk, walk_columns
from brickyard.dbsql.reader import Frame, Reader
from brickyard.dbsql.tokens import TokenKind

TABLES = {"TABLE": Kind.TABLE, "VIEW": Kind.VIEW, "FUNCTION": Kind.FUNCTION, "PROCEDURE": Kind.FUNCTION}
NAMESPACES = {"SCHEMA": Kind.SCHEMA, "DATABASE": Kind.SCHEMA, "CATALOG": Kind.CATALOG}
SECURABLES = ("VOLUME", "SHARE", "RECIPIENT", "CONNECTION", "PROVIDER")
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


@dataclass(slots=True)
class Clauses:
    """What was read of one statement: its arguments, and the relations in scope.

    `has_tree` says that sqlglot can make a tree of this kind of statement.
    """

    r: Reader
    args: dict[str, Any] = field(default_factory=dict)
    frame: Frame = field(default_factory=Frame)
    temp_view: str | None = None
    has_tree: bool = False

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
            return self.plain_names()
        words: list[list[str]] = [[]]
        for token in r.tokens[inner[0] : inner[1]]:
            if token.word == ",":
                words.append([])
            else:
                words[-1].append(r.key(token) if token.kind is TokenKind.QUOTED else r.text(token))
        return tuple("".join(w) for w in words if w)

    def plain_names(self) -> tuple[str, ...]:
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
        walk_columns(r, *inner)
        items = self.items(*inner)
        return tuple(c for c in (self.column(first, end) for first, end in items) if c)

    def items(self, first: int, end: int) -> list[tuple[int, int]]:
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

    def column(self, first: int, end: int) -> Column | None:
        r = self.r
        if r.word(first) in ("CONSTRAINT", "PRIMARY", "FOREIGN", "CHECK") or not r.is_name(first):
            return None
        stop = first + 1
        if r.word(stop) == ":":
            stop += 1
        type_first, stop = stop, self._type_end(stop, end)
        type_text = r.span(type_first, stop).slice(r.masked.original) if stop > type_first else None
        options = self._column_options(stop, end)
        name = r.text(r.tokens[first])
        return Column(name[1:-1].replace("``", "`") if name.startswith("`") else name, type_text, **options)

    def _type_end(self, at: int, end: int) -> int:
        """Where a type ends: a word that may follow one ends it, except inside of `struct<…>`, where it names a field."""
        r, depth = self.r, 0
        while at < end and (depth > 0 or r.word(at) not in _AFTER_TYPE):
            word = r.word(at)
            depth += (word == "<") - (word == ">") - 2 * (word == ">>")
            at = r.close(at) + 1 if word == "(" else at + 1
        return at

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
                walk(r, at, stop, self.frame)
                at = stop
            else:
                at = r.close(at) + 1 if word == "(" else at + 1
        return found

    def _option_end(self, at: int, end: int) -> int:
        r = self.r
        while at < end and r.word(at) not in ("NOT", "COMMENT", "CONSTRAINT", "GENERATED", "PRIMARY", "COLLATE"):
            at = r.close(at) + 1 if r.word(at) == "(" else at + 1
        return min(at, end)

    def common_clause(self) -> bool:
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
            items = self.items(*inner)
            self.args["partitioned_by"] = tuple(r.text(r.tokens[i]).strip("`") for i, _ in items)
            typed = tuple(c for c in (self.column(i, e) for i, e in items) if c and c.type)
            if typed:
                self.args["partition_columns"] = typed
        return r.at > first

    def _on_cluster(self) -> bool:
        r = self.r
        if not r.take("CLUSTER", "BY"):
            return False
        self.args["cluster_by"] = self.names()
        return True

    def version(self) -> None:
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

    def temp_subject(self, kind: Kind) -> None:
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

    def text(self) -> str:
        return self.r.span(self.r.at, len(self.r.tokens)).slice(self.r.masked.original)

    def securable(self, side: Side) -> None:
        """Read `TABLE t`, `SCHEMA s`, `CATALOG c` … or a bare table name."""
        r = self.r
        kinds = {**TABLES, **NAMESPACES, **dict.fromkeys(SECURABLES, Kind.SCHEMA)}
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


def find_at_depth(reader: Reader, at: int, word: str) -> int:
    """The index of the word outside of parentheses, or the end."""
    while at < len(reader.tokens) and reader.word(at) != word:
        at = reader.close(at) + 1 if reader.word(at) == "(" else at + 1
    return min(at, len(reader.tokens))


_CLAUSES: dict[str, Callable[[Clauses], bool]] = {
    "USING": Clauses._on_using,
    "LOCATION": Clauses._on_location,
    "MANAGED": Clauses._on_managed,
    "COMMENT": Clauses._on_comment,
    "TBLPROPERTIES": Clauses._on_properties,
    "PROPERTIES": Clauses._on_properties,
    "DBPROPERTIES": Clauses._on_properties,
    "WITH": Clauses._on_with,
    "OPTIONS": Clauses._on_options,
    "PARTITIONED": Clauses._on_partitioned,
    "CLUSTER": Clauses._on_cluster,
}
