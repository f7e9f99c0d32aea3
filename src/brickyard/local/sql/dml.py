"""Statements that change rows: the engine computes them, one commit writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from brickyard.dbsql.model import Reference
from brickyard.kernel.names import quote
from brickyard.local.sql import bounded, changefeed, narrowed
from brickyard.local.sql.call import Call, Target
from brickyard.local.sql.delta import log, write
from brickyard.local.sql.delta.log import Action, Change, Snapshot
from brickyard.local.sql.delta.write import Staged
from brickyard.local.sql.expand import tokens_of
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.render import UTC
from brickyard.local.sql.tables import sync
from brickyard.local.sql.types import text_of
from brickyard.local.sql.written import Written, rendered, written
from brickyard.notebooks.model import Span

T = TypeVar("T")

_PARTITION_VALUE = re.compile(
    r"(`[^`]+`|\w+)\s*=\s*(?:(?:DATE|TIMESTAMP)\s*(?=['\"]))?('[^']*'|\"[^\"]*\"|[\w.+-]+)", re.IGNORECASE
)


def insert(call: Call) -> Result:
    """INSERT INTO, OVERWRITE, REPLACE WHERE, with a partition or a column list, by position or by name."""
    if call.has("directory"):
        raise unsupported("INSERT OVERWRITE DIRECTORY", "write to a table, or use df.write in a notebook")
    target = call.target()
    call.uses.target = target.use
    with call.shop.ledger.lock(target.path):
        before = target.snapshot()
        static = _static_partition(call, before)
        with _source(call, before, static) as rows:
            if isinstance(rows, pa.Table):
                check_constraints(call, before, rows)
                _write_rows(call, target, before, static, rows)
            else:
                write.append(target.path, call.author, _write_change(before, "Append", None), rows, before)
    count = rows.num_rows if isinstance(rows, pa.Table) else rows.rows
    return call.counts(num_affected_rows=count, num_inserted_rows=count)


@contextmanager
def _source(call: Call, before: Snapshot, static: dict[str, str | None]) -> Iterator[pa.Table | Staged]:
    """The rows to write: of many, the files that the engine wrote, which need only be taken over."""
    if not _is_left_to_the_engine(call, before):
        yield _source_rows(call, before, static)
        return
    with write.staging(before.path) as folder:
        query = _positional(call, before, static)
        files = folder / "rows"
        _in_words(lambda: call.save(query, files))
        found = list(files.glob("*.parquet"))
        if not found:
            yield Staged((), 0)
            return
        adopted = write.adopt(before.path, files, before.fields)
        yield adopted or pa.concat_tables(pq.read_table(file) for file in found)


def _is_left_to_the_engine(call: Call, before: Snapshot) -> bool:
    """Whether its files can be the table's: it only adds rows, and nothing is left to be done with them."""
    adds = call.verb != "INSERT OVERWRITE" and call.slice("replace_where") is None and not before.partition_columns
    words = {token.word for token in tokens_of(call.need("query", Span).slice(call.text))}
    in_utc = call.key.time_zone in UTC
    takes = in_utc and "FROM" in words and not call.shop.engine.whole_spark
    return adds and takes and _is_written_as_read(before)


def _is_written_as_read(before: Snapshot) -> bool:
    named = all(write.physical_name(field) == field["name"] and field["nullable"] for field in before.fields)
    return named and not any(name.startswith("delta.constraints.") for name in before.configuration)


def _write_rows(call: Call, target: Target, before: Snapshot, static: dict[str, str | None], rows: pa.Table) -> None:
    replace_where = call.slice("replace_where")
    is_overwrite = call.verb == "INSERT OVERWRITE"
    change = _write_change(before, "Overwrite" if is_overwrite or replace_where else "Append", replace_where)
    if replace_where:
        kept = call.query(call.render_text(f"SELECT * FROM {_sql_name(call)} WHERE ({replace_where}) IS NOT TRUE"))
        change = _with_rows(change, rows.num_rows)
        write.rewrite(before, call.author, change, before.files, _stacked(before.fields, kept, rows))
    elif is_overwrite:
        removed = [f for f in before.files if _in_partition(f, before, static)]
        write.rewrite(before, call.author, change, removed, rows)
    else:
        write.append(target.path, call.author, change, rows, before)


def _write_change(before: Snapshot, mode: str, predicate: str | None) -> Change:
    parameters = {"mode": mode, "statsOnLoad": "false", "partitionBy": _json_list(before.partition_columns)}
    if predicate:
        parameters["predicate"] = predicate
    return Change("WRITE", parameters, blind_append=mode == "Append")


def _json_list(names: Sequence[str]) -> str:
    return json.dumps(list(names), separators=(",", ":"))


def _with_rows(change: Change, rows: int) -> Change:
    return Change(change.operation, change.parameters, {"numOutputRows": rows}, change.blind_append)


def _sql_name(call: Call, argument: str = "target") -> str:
    return call.need(argument, Reference).span.slice(call.text)


def _stacked(fields: Sequence[Any], *tables: pa.Table) -> pa.Table:
    return pa.concat_tables(write.conform(table, fields) for table in tables)


def _in_partition(file: Action, before: Snapshot, static: dict[str, str | None]) -> bool:
    physical = {f["name"].lower(): write.physical_name(f) for f in before.fields}
    values = file["partitionValues"]
    return all(values.get(physical[name]) == value for name, value in static.items())


def _static_partition(call: Call, before: Snapshot) -> dict[str, str | None]:
    """The partition columns that PARTITION (…) gives a value, as the log writes values."""
    text = call.slice("partition")
    if text is None:
        return {}
    known = {name.lower() for name in before.partition_columns}
    found = {}
    for name, value in _PARTITION_VALUE.findall(text):
        column = name.strip("`").lower()
        if column not in known:
            raise SqlError("NON_PARTITION_COLUMN", f"PARTITION clause cannot contain the column `{column}`.", "42000")
        found[column] = None if value.upper() == "NULL" else value.strip("'\"")
    return found


def _source_rows(call: Call, before: Snapshot, static: dict[str, str | None]) -> pa.Table:
    return _in_words(lambda: call.query(_positional(call, before, static)))


def _in_words(run: Callable[[], T]) -> T:
    try:
        return run()
    except SqlError as error:
        if error.error_class != "ASSIGNMENT_ARITY_MISMATCH":
            raise
        message = "The query has another number of columns than the target."
        raise SqlError("INSERT_COLUMN_ARITY_MISMATCH", message, "21S01") from error


def _positional(call: Call, before: Snapshot, static: dict[str, str | None]) -> str:
    """The source query with its columns put in the place and type of the target's."""
    query = call.render(call.need("query", Span))
    order = _source_order(call, before, static, query)
    names = [f"_c{i}" for i in range(len(order))]
    sources = {name.lower(): source for name, source in zip(order, names, strict=True)}
    items = [_item(field, sources, static) for field in before.fields]
    return f"SELECT {', '.join(items)} FROM (\n{query}\n) AS _s({', '.join(names)})"


def _source_order(call: Call, before: Snapshot, static: dict[str, str | None], query: str) -> list[str]:
    """The target's column for each column of the source."""
    all_names = [field["name"] for field in before.fields]
    if call.has("by_name"):
        return _known(call.query(f"SELECT * FROM (\n{query}\n) LIMIT 0").column_names, all_names)
    if call.has("columns"):
        return _known(call.items("columns"), all_names)
    partitions = {name.lower() for name in before.partition_columns} if call.has("partition") else set()
    dynamic = [n for n in before.partition_columns if n.lower() in partitions and n.lower() not in static]
    return [n for n in all_names if n.lower() not in partitions] + dynamic


def _known(names: Sequence[str], all_names: Sequence[str]) -> list[str]:
    known = {name.lower() for name in all_names}
    for name in names:
        if name.strip("`").lower() not in known:
            raise SqlError(
                "UNRESOLVED_COLUMN.WITH_SUGGESTION", f"A column with name `{name}` cannot be resolved.", "42703"
            )
    return [name.strip("`") for name in names]


def _item(field: Any, sources: dict[str, str], static: dict[str, str | None]) -> str:
    name, type_ = field["name"], text_of(field["type"])
    if name.lower() in static:
        value = static[name.lower()]
        source = "NULL" if value is None else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    else:
        source = sources.get(name.lower()) or field["metadata"].get("CURRENT_DEFAULT", "NULL")
    if isinstance(field["type"], dict) and name.lower() in sources:
        return f"{source} AS {quote(name)}"  # the engine cannot cast every nested value; writing does
    return f"CAST({source} AS {type_}) AS {quote(name)}"


def check_constraints(call: Call, before: Snapshot, rows: pa.Table) -> None:
    """Raise SqlError when a row breaks a CHECK constraint of the table."""
    constraints = {k: v for k, v in before.configuration.items() if k.startswith("delta.constraints.")}
    if not constraints or not rows.num_rows:
        return
    file = call.shop.places.new_scratch(".parquet")
    pq.write_table(rows, file)
    for name, expression in constraints.items():
        broken = call.query(f"SELECT 1 FROM parquet.{quote(str(file))} WHERE NOT ({expression}) LIMIT 1")
        if broken.num_rows:
            constraint = name.removeprefix("delta.constraints.").upper()
            message = f"CHECK constraint {constraint} {expression} violated by row."
            raise SqlError("DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", message, "23001")


# --- UPDATE, DELETE, MERGE, TRUNCATE --------------------------------------------------------------------------------


def change_rows(call: Call) -> Result:
    """UPDATE, DELETE and MERGE: by the engine, or by our own commit where the engine cannot."""
    target = call.target()
    call.uses.target = target.use
    with call.shop.ledger.lock(target.path):
        before = target.snapshot()
        whole_spark = call.shop.engine.whole_spark
        feeds = before.has_change_feed and not whole_spark
        if feeds or (call.verb != "MERGE" and _has_subquery(call)):
            return changefeed.change(call, target, before)
        if call.verb == "MERGE" and not whole_spark:
            return _merge(call, target, before)
        return _by_engine(call, target, _rendered(call))


def _rendered(call: Call) -> str:
    return call.render_text(_with_named_source(call)) if call.verb == "MERGE" else call.render()


def _merge(call: Call, target: Target, before: Snapshot) -> Result:
    """MERGE over a source that is worked out once; one that bounds its target touches only the files that it must."""
    tree = bounded.bounded(call, before)
    with written(call, numbered=tree is not None) as source:
        if source is not None and not source.rows and "BY SOURCE" not in _words(call):
            return call.changed({})
        if source is None or not source.rows:
            return _by_engine(call, target, _rendered(call))
        done = _by_its_keys(call, target, before, tree, source) if tree is not None else None
        return done or _by_engine(call, target, rendered(call, source))


def _by_its_keys(call: Call, target: Target, before: Snapshot, tree: exp.Merge, source: Written) -> Result | None:
    """Merge a source of which only the rows are looked at that meet one of the target; None where the engine must."""
    if bounded.updates(tree) and bounded.is_small(source.rows):
        return narrowed.merge(call, target, before, tree, source)
    if bounded.is_appended(source.rows, source.size):
        return narrowed.append(call, target, before, tree, source)
    return None


def _words(call: Call) -> str:
    return " ".join(token.word for token in tokens_of(call.text))


def _has_subquery(call: Call) -> bool:
    return any(token.word == "SELECT" for token in tokens_of(call.text))


def _by_engine(call: Call, target: Target, sql: str) -> Result:
    with call.shop.ledger.authored(target.path, call.author) as written:
        call.query(sql)
    metrics: dict[str, int] = {}
    actions = [action for version in written.versions for action in log.read_commit(target.path, version)]
    if any("metaData" in action for action in actions):
        sync(call, target.table)
    for info in (action["commitInfo"] for action in actions if "commitInfo" in action):
        metrics |= {k: int(v) for k, v in info.get("operationMetrics", {}).items()}
    return call.changed(metrics)


def _with_named_source(call: Call) -> str:
    """The MERGE with `USING (…) AS s(a, b)` as a subquery, for an engine that takes no column names there."""
    span = call.need("source", Span)
    found = re.search(r"\)\s*(?:AS\s+)?(`[^`]+`|\w+)\s*\([^()]*\)\s*$", span.slice(call.text), re.IGNORECASE)
    if found is None:
        return call.text
    source = f"(SELECT * FROM {span.slice(call.text)}) AS {found[1]}"
    return f"{call.text[: span.start]}{source}{call.text[span.end :]}"


def truncate(call: Call) -> Result:
    """TRUNCATE TABLE: every file leaves in one commit; the history stays."""
    target = call.target()
    call.uses.target = target.use
    with call.shop.ledger.lock(target.path):
        before = target.snapshot()
        static = _static_partition(call, before)
        removed = [f for f in before.files if _in_partition(f, before, static)]
        rows = write.row_count(removed, target.path)
        metrics = {
            "numRemovedFiles": len(removed),
            "numDeletedRows": rows,
            "numRemovedBytes": sum(f["size"] for f in removed),
        }
        change = Change("TRUNCATE", {}, metrics)
        log.commit(target.path, before.version + 1, call.author, change, write.removals(removed))
    return call.done()
