"""Doing: one step of a plan, as statements that can each be repeated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, assert_never

from brickyard.health import observe, store
from brickyard.health.model import source as sources
from brickyard.health.model.compiled import GoldTable
from brickyard.health.model.source import Capture
from brickyard.health.model.state import Now, Sql
from brickyard.health.model.steps import (
    AlterTable,
    CopyBronze,
    CreateSchema,
    CreateTable,
    CreateView,
    LookUpAgain,
    Merge,
    Negotiate,
    Reconcile,
    Skip,
    Step,
)  # fmt: skip
from brickyard.health.plan import bronze, ddl, discounts, relations, statements, tying
from brickyard.health.plan.bronze import Shape, Window
from brickyard.health.plan.compile import Gold
from brickyard.health.plan.merging import Merged, print_merge_summary
from brickyard.health.plan.relations import Batch
from brickyard.health.plan.statements import Extent
from brickyard.health.plan.text import Places
from brickyard.kernel.errors import WorkspaceRefused

Days = tuple[date, ...] | None  # None: not known

_AT_ONCE = 500  # prices of one statement
_STATIC = "-"  # the source of a table that has none


@dataclass(frozen=True, slots=True)
class Work:
    """What every step needs: the engine, the places, the compiled tables, the sources as they are, and the run."""

    sql: Sql
    places: Places
    gold: Gold
    shapes: Mapping[str, Shape]
    now: Now
    merged: dict[str, tuple[int, Days]] = field(default_factory=dict)  # by merges of this run: since when, which days

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """The key of every gold table."""
        return {table.table: table.key for table in self.gold}


def apply(work: Work, step: Step) -> str:
    """Perform one step and return what it did in a line, or raise WorkspaceRefused with Databricks' own words."""
    match step:
        case CreateSchema(schema):
            work.sql(ddl.create_schema(work.places, schema))
        case CreateTable(layer, table):
            work.sql(_create(work, layer, table))
        case CreateView(view, table):
            work.sql(dict(ddl.views(work.gold[table], work.places))[view])
        case AlterTable():
            _alter(work, step)
        case CopyBronze():
            return _copy(work, step)
        case Merge():
            return _merge(work, step)
        case LookUpAgain():
            return _look_up_again(work, step)
        case Negotiate():
            return _negotiate(work, step)
        case Reconcile():
            return _reconcile(work, step)
        case Skip():
            return step.reason
        case _:
            assert_never(step)
    return ""


def _create(work: Work, layer: str, table: str) -> str:
    match layer:
        case "ops":
            return ddl.create_ops(work.places, table)
        case "bronze":
            return ddl.create_bronze(work.shapes[table], work.places)
        case _:
            return ddl.create_gold(work.gold[table], work.places)


def _alter(work: Work, step: AlterTable) -> None:
    if step.layer == "bronze":
        target = work.places.bronze(work.shapes[step.table].source.bronze)
        comments = {name: comment for name, _, comment in bronze.columns(work.shapes[step.table])}
    else:
        target = work.places.gold(step.table)
        comments = {column.name: column.comment for column in work.gold[step.table].columns}
    work.sql(ddl.add_columns(target, [(name, kind, comments.get(name, "")) for name, kind in step.add]))


def _copy(work: Work, step: CopyBronze) -> str:
    begun = time.monotonic()
    shape = work.shapes[step.source]
    rows = sum(_inserted(work, shape, relation) for relation in _relations(work, step, shape))
    store.copied(work.sql, work.places, shape.source.bronze, step.source, rows, work.now, time.monotonic() - begun)
    return f"{rows:,} rows"


def _inserted(work: Work, shape: Shape, relation: str) -> int:
    if shape.widened():
        work.sql(bronze.quarantine(shape, work.places, relation, work.now))
    return _affected(work.sql(bronze.insert(shape, work.places, relation, work.now)))["inserted"]


def _relations(work: Work, step: CopyBronze, shape: Shape) -> list[str]:
    """What a copy inserts: the present state, or the rows of one or more windows."""
    if step.capture is Capture.SNAPSHOT:
        return [_once(bronze.flattened(shape, work.places))]
    since = datetime.fromisoformat(step.since) if step.since else None
    windows: tuple[Window, ...] = (Window(since),)
    if step.rows > bronze.SLICE and shape.source.watermark:
        days = work.sql(bronze.by_day(shape.source, work.places, since))
        windows = bronze.windows([(row["day"], int(row["found"])) for row in days], since)
    return [bronze.fresh(shape, work.places, window) for window in windows]


def _once(relation: str) -> str:
    ranked = "row_number() OVER (PARTITION BY _row_hash ORDER BY _row_hash) AS _rank"
    return f"SELECT * FROM (SELECT *, {ranked} FROM ({relation})) WHERE _rank = 1"


def _merge(work: Work, step: Merge) -> str:
    begun = time.monotonic()
    table = work.gold[step.table]
    batch = Batch(step.first, work.now.run)
    done = _rows(work, table, batch, full=step.full) if table.latest else _groups(work, table, batch)
    source = table.source.name if table.source else _STATIC
    _remember(work, table, source, step.first, done, begun)
    if step.first == 0:
        for join in table.contract.enrich.joins if table.contract.enrich else ():
            _remember(work, table, join.to, 0, Merged(table.table, 0, 0, 0, 0), begun)
    return print_merge_summary(done)


def _rows(work: Work, table: GoldTable, batch: Batch, *, full: bool) -> Merged:
    """Merge rows, the newest of each key, a slice of days at a time where there are many."""
    found = Extent.of(work.sql(statements.extent(table, work.places, batch))[0])
    if found.faulty:
        work.sql(statements.quarantine(table, work.places, batch, work.now))
    done = Merged(table.table, found.rows, 0, 0, 0, found.faulty)
    if found.rows == found.faulty:
        return done
    empty = not work.sql(f"SELECT 1 FROM {work.places.gold(table.table)} LIMIT 1")
    for days in statements.slices(found):
        statement = statements.merge(table, work.places, batch, work.now, work.keys, days, full=full, empty=empty)
        done = done.plus(_affected(work.sql(statement)))
    work.merged[table.table] = (batch.first, found.days)
    return done


def _groups(work: Work, table: GoldTable, batch: Batch) -> Merged:
    """Recompute the keys or groups that a batch touches."""
    faulty = 0
    if relations.dates_its_versions(table):
        faulty = Extent.of(work.sql(statements.extent(table, work.places, batch))[0]).faulty
    if faulty:
        work.sql(statements.quarantine(table, work.places, batch, work.now))
    counts = _affected(work.sql(statements.merge(table, work.places, batch, work.now, work.keys)))
    return Merged(table.table, counts["inserted"] + counts["updated"], quarantined=faulty, **counts)


def _remember(work: Work, table: GoldTable, source: str, first: int, done: Merged, begun: float) -> None:
    seconds = time.monotonic() - begun
    store.merged(work.sql, work.places, source, first, work.now.run, done, table.hash, work.now, seconds)


def _affected(rows: Any) -> dict[str, int]:
    """Read how many rows a statement wrote; engines that tell only a total count it as inserted."""
    row = rows[0] if rows else {}
    names = {"inserted": "num_inserted_rows", "updated": "num_updated_rows", "deleted": "num_deleted_rows"}
    return {name: int(row.get(column) or 0) for name, column in names.items()}


def _look_up_again(work: Work, step: LookUpAgain) -> str:
    begun = time.monotonic()
    table = work.gold[step.table]
    enrich = table.contract.enrich
    assert enrich is not None
    join = next(join for join in enrich.joins if join.to == step.other)
    changed = Batch(step.first, work.now.run)
    days = _days_to_look_up(work, table, step, changed)
    done = Merged(table.table, 0, 0, 0, 0)
    if days != ():
        statement = statements.look_up_again(table, work.places, join, changed, work.now, work.keys, days)
        done = done.plus(_affected(work.sql(statement)))
    _remember(work, table, step.other, step.first, done, begun)
    return f"{step.table}: {done.updated:,} rows have another answer in {step.other}"


def _days_to_look_up(work: Work, table: GoldTable, step: LookUpAgain, changed: Batch) -> tuple[date, ...] | None:
    enrich = table.contract.enrich
    assert enrich is not None
    join = next(join for join in enrich.joins if join.to == step.other)
    relation = relations.looked_up_again(table, work.places, join, changed)
    found = Extent.of(work.sql(statements.measure(table, relation, faults="''"))[0])
    return () if not found.rows else found.days


def _negotiate(work: Work, step: Negotiate) -> str:
    begun = time.monotonic()
    found = _taken(work)
    _remember(work, work.gold[step.table], step.other, step.first, Merged(step.table, found, 0, 0, 0), begun)
    return f"{step.table}: discounts make {found:,} prices"


def _taken(work: Work) -> int:
    """Put the prices of the kept discounts into bronze as a state of the account's own table, unless its last one is that.

    Returns how many there are. The state is dated after the one before, which it replaces. What gold has does not count:
    of a run that broke off, bronze may hold a later state.
    """
    found = observe.negotiated_prices(work.sql, work.places, store.discounts(work.sql, work.places))
    if set(found) == set(observe.last_account_prices(work.sql, work.places)):
        return len(found)
    source = sources.load(discounts.SOURCE)
    last = work.sql(f"SELECT max(_snapshot_at) AS at FROM {work.places.bronze(source.bronze)}")[0]["at"]
    dated = replace(work.now, at=store.after(work.now.at, last))
    for at in range(0, len(found), _AT_ONCE):
        rows = discounts.relation(found[at : at + _AT_ONCE], source)
        work.sql(bronze.insert(Shape(source, {}), work.places, rows, dated))
    store.copied(work.sql, work.places, source.bronze, source.name, len(found), work.now, 0)
    return len(found)


def _reconcile(work: Work, step: Reconcile) -> str:
    table = work.gold[step.table]
    if table.table not in work.merged and not step.late:
        return f"{table.table}: nothing was merged"
    rows = _compared(work, table, Batch(step.since, work.now.run))
    store.reconciled(work.sql, work.places, table.table, rows, work.now)
    wrong = [row for row in rows if row["bronze"] != row["gold"]]
    if wrong:
        raise WorkspaceRefused(
            f"{table.table} does not tie out: {len(wrong)} of {len(rows)} comparisons differ",
            code="health-untied",
            remedy=f"read ops.reconciliation, then rebuild it: brickyard health run --table {table.table} --full",
        )
    return f"{table.table}: {len(rows)} comparisons tie out"


def _compared(work: Work, table: GoldTable, batch: Batch) -> list[tying.Row]:
    """Compare gold with bronze: all of it, or what came after the last comparison on top of what that one found."""
    first, days = work.merged.get(table.table, (None, None))
    if batch.first != first:
        days = Extent.of(work.sql(statements.extent(table, work.places, batch))[0]).days
    held = work.sql(tying.remembered(table, work.places, days)) if batch.first else []
    if not batch.first or not tying.is_measured(table, held, days):
        return tying.measures(table, work.sql(tying.whole(table, work.places, batch.last, days)))
    return tying.carried(held, tying.measures(table, work.sql(tying.since(table, work.places, batch, days))))
