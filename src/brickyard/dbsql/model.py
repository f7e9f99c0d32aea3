"""The nouns of Databricks SQL text: statements, references, holes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sqlglot import exp

from brickyard.notebooks.model import Span


class Side(StrEnum):
    """What a statement does with an object."""

    READ = "read"
    WRITE = "write"
    READWRITE = "readwrite"


class Kind(StrEnum):
    """What sort of object is named; RELATION where the text alone cannot tell table from view."""

    TABLE = "table"
    VIEW = "view"
    FUNCTION = "function"
    RELATION = "relation"
    PATH = "path"
    SCHEMA = "schema"  # USE, CREATE SCHEMA …: kept apart from the object references
    CATALOG = "catalog"


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of the text whose value the text does not hold: `${db}`, `$db`, `{{x}}`, `:p`, an f-string field."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class NamePart:
    """One dotted part of a name: literal text (unquoted) and holes, in order."""

    pieces: tuple[str | Hole, ...]

    @property
    def literal(self) -> str | None:
        """The text, or None when a hole is in it."""
        return (
            "".join(p for p in self.pieces if isinstance(p, str))
            if all(isinstance(p, str) for p in self.pieces)
            else None
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """An object named in a statement, CTEs and in-script temp views already told apart.

    `span` is the relation as written (`db.t`, `${db}.t`, `` `a`.`b` ``); for `IDENTIFIER(expr)` it is `expr`, and
    `whole` is the range with `IDENTIFIER(` and `)`. `parts` are the dotted parts; `computed` holds sqlglot's tree of an
    IDENTIFIER argument that is not a plain literal, and then `parts` is empty.
    `statement` is the index in the script. `alias` is the name by which columns may be qualified, where one is written.
    `pieces` are the texts and holes that an IDENTIFIER argument concatenates, in order, empty when it is another
    expression. `in_string` says that the span stands inside a string literal (`table_changes('db.t', 1)`, a path).
    `version` is the time travel clause after the name (`VERSION AS OF 3`, `@v3`).
    """

    span: Span
    parts: tuple[NamePart, ...]
    side: Side
    kind: Kind
    statement: int
    whole: Span | None = None
    computed: exp.Expression | None = None
    alias: str | None = None
    pieces: tuple[str | Hole, ...] = ()
    in_string: bool = False
    version: Span | None = None

    @property
    def literal(self) -> tuple[str, ...] | None:
        """The unquoted parts, or None when the text alone does not say the name."""
        texts = [p.literal for p in self.parts]
        return tuple(t for t in texts if t is not None) if texts and None not in texts else None


@dataclass(frozen=True, slots=True)
class Qualifier:
    """A table name written before a column (`db.t.col`, `t.col`, `t.*`), which a rename of the table must follow.

    `span` is the name without the column; `reference` is the index in the statement's `references`. Aliases are none.
    """

    span: Span
    parts: tuple[NamePart, ...]
    reference: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column or parameter as declared: its type as written, and where its default or generating expression stands."""

    name: str
    type: str | None
    nullable: bool = True
    comment: str | None = None
    default: Span | None = None
    generated: Span | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script.

    `verb` is a normalized upper-case form such as SELECT, INSERT, INSERT OVERWRITE, CREATE TABLE, CREATE VIEW,
    CREATE TEMP VIEW, CREATE FUNCTION, MERGE, UPDATE, DELETE, TRUNCATE, OPTIMIZE, VACUUM, ANALYZE, CLONE, DESCRIBE HISTORY,
    DESCRIBE DETAIL, RESTORE, USE CATALOG, USE SCHEMA, SET TIME ZONE, DECLARE VARIABLE, SHOW, GRANT, COMMENT, CACHE, …
    `tree` is sqlglot's tree of the masked text (same offsets as the text), None for statements of the front grammar and
    for those with an `error`. `arguments` holds what the front grammar read (see `dbsql.grammar`).
    `references` are the catalog's objects; names of schemas, catalogs, shares … stand in `namespaces`, uses of temp views
    that this script (or the caller) made in `temp_references`, and `temp_view` is the temp view that it makes itself.
    `markers` are the `:name` parameters, `holes` every other hole, both in order.
    `error` says what sqlglot could not read, or that a string does not end; the references are found all the same.
    """

    index: int
    span: Span  # without the separator, comments before it excluded
    verb: str
    tree: exp.Expression | None
    references: tuple[Reference, ...]
    holes: tuple[Hole, ...] = ()
    arguments: dict[str, object] = field(default_factory=dict)
    error: str | None = None
    error_offset: int | None = None
    qualifiers: tuple[Qualifier, ...] = ()
    namespaces: tuple[Reference, ...] = ()
    temp_references: tuple[Reference, ...] = ()
    temp_view: str | None = None
    markers: tuple[Hole, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """A SQL text, statement by statement; a statement that does not parse leaves the others intact."""

    text: str
    statements: tuple[Statement, ...]
