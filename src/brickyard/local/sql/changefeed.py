"""Changes to rows that our own commit writes: for tables with a change feed, and for conditions the engine cannot plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from sqlglot import exp

from brickyard.dbsql.model import Reference
from brickyard.kernel.names import quote
from brickyard.local.catalog.model import Table
from brickyard.local.sql import bounded
from brickyard.local.sql.assignments import assignments
from brickyard.local.sql.call import Call, Target
from brickyard.local.sql.delta import log, write
from brickyard.local.sql.delta.log import Action, Change, Snapshot
from brickyard.local.sql.delta.travel import milliseconds
from brickyard.local.sql.expand import single
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.relations import data_path
from brickyard.local.sql.types import text_of
from brickyard.notebooks.model import Span

_CHANGE_TYPE = {"name": "_change_type", "type": "string", "nullable": False, "metadata": {}}


def change(call: Call, target: Target, before: Snapshot) -> Result:
    """Run UPDATE, DELETE or MERGE by computing the rows and committing them ourselves."""
    match call.verb:
        case "UPDATE":
            return _update(call, before)
        case "DELETE":
            return _delete(call, before)
    return _merge(call, target)


def _relation(call: Call) -> str:
    reference = call.need("target", Reference)
    name = reference.span.slice(call.text)
    return f"{name} AS {quote(reference.alias)}" if reference.alias else name


def _select(call: Call, items: str, condition: str) -> pa.Table:
    return call.query(call.render_text(f"SELECT {items} FROM {_relation(call)} WHERE {condition}"))


def _delete(call: Call, before: Snapshot) -> Result:
    where = call.slice("where") or "TRUE"
    deleted = _select(call, "*", where)
    kept = _select(call, "*", f"({where}) IS NOT TRUE")
    metrics = {"numDeletedRows": deleted.num_rows, "numCopiedRows": kept.num_rows}
    if deleted.num_rows:
        feed = _feed(before, [(deleted, "delete")])
        stated = Change("DELETE", {"predicate": f'["{where}"]'}, metrics)
        write.rewrite(before, call.author, stated, before.files, kept, feed)
    return call.counts(num_affected_rows=deleted.num_rows)


def _update(call: Call, before: Snapshot) -> Result:
    where = call.slice("where") or "TRUE"
    new = {a.column.lower(): a.expression for a in assignments(call)}
    items = [_updated(field, new) for field in before.fields]
    old_rows = _select(call, "*", where)
    new_rows = _select(call, ", ".join(items), where)
    kept = _select(call, "*", f"({where}) IS NOT TRUE")
    metrics = {"numUpdatedRows": old_rows.num_rows, "numCopiedRows": kept.num_rows}
    if old_rows.num_rows:
        feed = _feed(before, [(old_rows, "update_preimage"), (new_rows, "update_postimage")])
        rows = pa.concat_tables([write.conform(kept, before.fields), write.conform(new_rows, before.fields)])
        stated = Change("UPDATE", {"predicate": f'["{where}"]'}, metrics)
        write.rewrite(before, call.author, stated, before.files, rows, feed)
    return call.counts(num_affected_rows=old_rows.num_rows)


def _updated(field: Any, new: dict[str, str]) -> str:
    source = new.get(field["name"].lower(), quote(field["name"]))
    return f"CAST({source} AS {text_of(field['type'])}) AS {quote(field['name'])}"


def _feed(before: Snapshot, changes: Sequence[tuple[pa.Table, str]]) -> list[Action]:
    """The change files of a commit, none for a table without a change feed."""
    if not before.has_change_feed:
        return []
    marked = [
        table.append_column("_change_type", pa.array([kind] * table.num_rows, pa.string())) for table, kind in changes
    ]
    fields = [*before.fields, _CHANGE_TYPE]
    rows = pa.concat_tables(write.conform(table, fields) for table in marked)
    staged = write.stage(before.path / "_change_data", rows, fields, before.partition_columns)
    return [{"cdc": _cdc(add)} for add in staged.adds]


def _cdc(add: Action) -> Action:
    path = f"_change_data/{add['path']}"
    return {"path": path, "partitionValues": add["partitionValues"], "size": add["size"], "dataChange": False}


def changes(table: Table, arguments: Sequence[str]) -> pa.Table:
    """The rows of `table_changes(table, start [, end])`; versions or timestamps."""
    path = data_path(table)
    if not log.snapshot(path).has_change_feed:
        raise SqlError(
            "DELTA_MISSING_CHANGE_DATA",
            f"Change data feed is not enabled on `{table.full_name}`. Set delta.enableChangeDataFeed=true.",
            "KD002",
        )
    bounds = [int(a) if a.isdigit() else log.version_at(path, milliseconds(a)) for a in arguments]
    if not bounds:
        raise SqlError("WRONG_NUM_ARGS", "table_changes needs a start version or timestamp.", "42605")
    reader = DeltaTable(path).load_cdf(bounds[0], bounds[1] if len(bounds) > 1 else None)
    return _signed(pa.table(reader))


def _signed(rows: pa.Table) -> pa.Table:
    """The rows with signed versions: SQL has no unsigned integers."""
    fields = [f.with_type(pa.int64()) if pa.types.is_unsigned_integer(f.type) else f for f in rows.schema]
    return rows.cast(pa.schema(fields))


# --- MERGE by delta-rs ----------------------------------------------------------------------------------------------


def _merge(call: Call, target: Target) -> Result:
    tree = single(call.text, call.session.temp_views, trees=True).tree
    if not isinstance(tree, exp.Merge):
        raise unsupported("This MERGE on a table with a change feed", "turn the change feed off")
    return merge_rows(call, target, tree, _source_of(call))


def _source_of(call: Call) -> pa.Table:
    """The rows of a MERGE's source, computed by the engine."""
    return call.query(call.render_text(f"SELECT * FROM {call.need('source', Span).slice(call.text)}"))


def merge_rows(call: Call, target: Target, tree: exp.Merge, source: pa.Table) -> Result:
    """Merge rows by delta-rs, in one commit; nothing is committed when nothing changes."""
    with call.shop.ledger.authored(target.path, call.author):
        metrics = _merged(target.path, tree, source)
    return call.changed(metrics)


def _merged(path: Path, tree: exp.Merge, source: pa.Table) -> dict[str, int]:
    merger = DeltaTable(path).merge(
        source,
        predicate=_sql(tree.args["on"]),
        source_alias=tree.args["using"].alias_or_name,
        target_alias=tree.this.alias_or_name,
    )
    for when in tree.args["whens"].expressions:
        _add_clause(merger, when)
    try:
        found = merger.execute()
    except DeltaError as error:
        raise SqlError("DELTA_MERGE_FAILED", str(error), "XX000") from error
    names = {"updated": "Updated", "deleted": "Deleted", "inserted": "Inserted"}
    return {f"numTargetRows{word}": int(found[f"num_target_rows_{name}"]) for name, word in names.items()}


def _add_clause(merger: Any, when: exp.When) -> None:
    then, matched, by_source = when.args["then"], when.args.get("matched"), when.args.get("source")
    condition = _sql(when.args["condition"]) if when.args.get("condition") else None
    word = "matched" if matched else "not_matched_by_source" if by_source else "not_matched"
    if isinstance(then, exp.Var):
        getattr(merger, f"when_{word}_delete")(condition)
    elif isinstance(then, exp.Insert):
        _add_insert(merger, then, condition)
    elif bounded.is_star(then):
        getattr(merger, f"when_{word}_update_all")(condition)
    else:
        updates = {e.this.name: _sql(e.expression) for e in then.expressions}
        getattr(merger, f"when_{word}_update")(updates, condition)


def _add_insert(merger: Any, then: exp.Insert, condition: str | None) -> None:
    if bounded.is_star(then):
        merger.when_not_matched_insert_all(condition)
        return
    names = [column.name for column in then.this.expressions]
    values = [_sql(value) for value in then.expression.expressions]
    merger.when_not_matched_insert(dict(zip(names, values, strict=True)), condition)


def _sql(tree: exp.Expression) -> str:
    """Spell an expression for delta-rs, to whom `a <=> b AND c` would be `a <=> (b AND c)`."""
    return tree.transform(_enclosed).sql(dialect="postgres")


def _enclosed(node: exp.Expression) -> exp.Expression:
    return exp.Paren(this=node.copy()) if isinstance(node, exp.NullSafeEQ) else node
