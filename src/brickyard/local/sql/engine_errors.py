"""What the engine says when it refuses, in Databricks' words: error class, SQLSTATE and, for syntax, the position."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from brickyard.dbsql.parse import parse
from brickyard.local.engines.model import EngineCancelled, EngineDied, EngineFailed, EngineUnavailable
from brickyard.local.sql.expand import syntax_error
from brickyard.local.sql.model import SqlError, unsupported

_KNOWN: tuple[tuple[str, str, str], ...] = (
    (r"unknown (table )?function", "UNRESOLVED_ROUTINE", "42883"),
    (r"number of column names .* does not match", "INSERT_COLUMN_ARITY_MISMATCH", "21S01"),
    (
        r"cannot resolve attribute|missing from the schema|No field named|[Cc]annot resolve (UPDATE target )?column",
        "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
        "42703",
    ),
    (r"[Aa]mbiguous", "AMBIGUOUS_REFERENCE", "42704"),
    (r"[Dd]ivi(de|sion) by zero", "DIVIDE_BY_ZERO", "22012"),
    (r"Cannot cast|cast.*(invalid|overflow)|Error parsing", "CAST_INVALID_INPUT", "22018"),
    (r"too large to store in a Decimal", "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", "22003"),
    (r"[Oo]verflow", "ARITHMETIC_OVERFLOW", "22003"),
    (r"[Mm]ultiple source rows", "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "21506"),
    (r"must have the same number of columns", "NUM_COLUMNS_MISMATCH", "42826"),
    (r"not provided a value|[Pp]laceholder", "UNBOUND_SQL_PARAMETER", "42P02"),
)
_SYNTAX = re.compile(r"invalid argument: found (?P<found>.*?)(?: at \d+:\d+)? expected", re.DOTALL)
_CLASSED = re.compile(r"\[([A-Z][A-Z0-9_.]+)\] (.*)", re.DOTALL)
_STATE = re.compile(r"\s*SQLSTATE: (\w{5})")
_STATES = {
    "DELTA_NOT_NULL_CONSTRAINT_VIOLATED": "23502",
    "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES": "23001",
    "TABLE_OR_VIEW_NOT_FOUND": "42P01",
    "CAST_INVALID_INPUT": "22018",
    "DIVIDE_BY_ZERO": "22012",
    "ARITHMETIC_OVERFLOW": "22003",
}
_CONFLICT = re.compile(r"Failed to commit transaction|[Cc]onflict")
_COLUMN = re.compile(r'Identifier\("([^"]*)"\)\]\) is missing from the schema')
_UNGROUPED = re.compile(r'No field named (\S+\.)?"#\d+"')  # a column by the engine's own number: it was lost on the way
_MAX_MESSAGE = 2000


@contextmanager
def translated(text: str) -> Iterator[None]:
    """Turn what the engine raises into SqlError; *text* is the statement, for the position of a syntax error."""
    try:
        yield
    except EngineCancelled as error:
        raise SqlError("OPERATION_CANCELED", "Operation has been canceled.", "HY008") from error
    except EngineDied as error:
        raise SqlError("ENGINE_STOPPED", error.message, "57P01", retryable=True) from error
    except EngineUnavailable as error:
        raise SqlError("ENGINE_UNAVAILABLE", error.message, "58000") from error
    except EngineFailed as error:
        raise translate(error, text) from error


def translate(error: EngineFailed, text: str) -> SqlError:
    """Name the error class of a refusal."""
    message = error.message.strip()[:_MAX_MESSAGE]
    if found := _SYNTAX.search(message):
        return _syntax(found["found"], text)
    if found := _CLASSED.search(message):
        return _classed(found[1], found[2])
    if "__sail_default_column_value__" in message:
        return unsupported("DEFAULT as a value", "leave the column out of the INSERT's column list")
    if _UNGROUPED.search(message):
        return _ungrouped(message, text)
    if found := _COLUMN.search(message):
        name = f"A column, variable, or function parameter with name `{found[1]}` cannot be resolved."
        return SqlError("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", name, "42703")
    if _CONFLICT.search(message):
        return SqlError("DELTA_CONCURRENT_WRITE", message, "2D521", retryable=True)
    for pattern, error_class, state in _KNOWN:
        if re.search(pattern, message):
            return SqlError(error_class, message, state)
    if error.kind == "UnsupportedOperationException" or "not supported" in message or "not implemented" in message:
        return SqlError("LOCAL_UNSUPPORTED", f"The engine cannot run this: {message}", "0A000")
    return SqlError("SQL_EXECUTION_FAILED", message, "XX000")


def _classed(error_class: str, message: str) -> SqlError:
    state = _STATE.search(message)
    text = message if state is None else message[: state.start()] + message[state.end() :]
    return SqlError(error_class, text, state[1] if state else _STATES.get(error_class, "XX000"))


def _ungrouped(message: str, text: str) -> SqlError:
    if re.search(r"\bLATERAL\b", text, re.IGNORECASE):
        return unsupported("A LATERAL subquery that reads a table by an outer column", "write it as a join")
    hint = "A column outside of aggregate functions is not in GROUP BY. Add it there, or use first() or any_value()."
    return SqlError("MISSING_AGGREGATION", f"{hint} The engine says: {message}", "42803")


def _syntax(found: str, text: str) -> SqlError:
    statements = parse(text).statements
    broken = next((s for s in statements if s.error), None)
    if broken is not None:
        return syntax_error(text, broken)
    if statements and statements[0].tree is not None:
        return SqlError("LOCAL_UNSUPPORTED", f"The engine does not know this syntax, near '{found}'.", "0A000")
    at = text.find(found)
    line, column = text.count("\n", 0, max(at, 0)) + 1, max(at, 0) - (text.rfind("\n", 0, max(at, 0)) + 1)
    return SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near '{found}'. (line {line}, pos {column})", "42601")
