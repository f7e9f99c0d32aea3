"""What health remembers: runs, batches, drift, quarantine and reconciliations, in Delta tables beside the gold itself.

They stand in the schema `ops` of the gold catalog, so that the laptop, a warehouse and a job on a cluster share them
and they cannot be younger or older than the tables they speak of.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from brickyard.health.model.bill import Discount
from brickyard.health.model.state import Done, Drift, Looked, Now, Sql, State
from brickyard.health.plan.discounts import RULES
from brickyard.health.plan.merging import Merged
from brickyard.health.plan.text import Places, moment, text
from brickyard.kernel.errors import Conflict, WorkspaceRefused

LEASE = timedelta(minutes=15)
READ = ("lease", "runs", "batches", "sources", "drift", "failures", "reconciliation")  # the tables that `state` needs
_RUN_LEASE = "run"
_TICK = timedelta(microseconds=1)


def state(sql: Sql, places: Places, bronze: Collection[str], looked_up_in: Collection[str] = ()) -> State:
    """Read what is remembered, and ask the *bronze* tables that exist how far they go, and when gold tables changed.

    Tables themselves are asked, not only our record of copies and merges, because a process can die between the two.
    """
    last = _last_run(sql, places)
    batches = sql(
        "SELECT table_name, source, max(last) AS last, max_by(contract, run) AS contract,"
        " max(CASE WHEN inserted + updated + deleted > 0 THEN run END) AS changed,"
        " max(CASE WHEN rows_in > quarantined THEN run END) AS taken"
        f" FROM {places.ops('batches')} WHERE layer = 'gold' GROUP BY table_name, source"
    )
    reconciled = _reconciled(sql, places)
    return State(
        last_run=int(last["run"]) if last else 0,
        source_catalog=last["source_catalog"] if last else None,
        bronze=_asked(sql, places, bronze),
        gold={(r["table_name"], r["source"]): Done(int(r["last"]), r["contract"]) for r in batches},
        changed=_changed([*batches, *_stamped(sql, places, looked_up_in)]),
        schemas=_schemas(sql, places),
        failed=frozenset(failures(sql, places)),
        reconciled=reconciled,
        presences=presences(sql, places),
        unproven=frozenset(
            r["table_name"] for r in batches if r["taken"] and int(r["taken"]) > reconciled.get(r["table_name"], 0)
        ),
        drifted=frozenset(
            (r["source"], r["leaf"], r["kind"], r["before"], r["after"])
            for r in sql(f"SELECT source, leaf, kind, before, after FROM {places.ops('drift')}")
        ),
    )


def next_run(sql: Sql, places: Places) -> int:
    """Return the next number for a run; only who holds the lease may ask, and tasks that share it make sure of it.

    A number that gold has taken already must not come again: rows copied under it would never be merged.
    """
    last = _last_run(sql, places)
    return int(last["run"]) + 1 if last else 1


def _last_run(sql: Sql, places: Places) -> Mapping[str, Any] | None:
    rows = sql(f"SELECT * FROM {places.ops('runs')} ORDER BY run DESC LIMIT 1")
    return rows[0] if rows else None


def _changed(batches: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in batches:
        if row["changed"] is not None:
            found[row["table_name"]] = max(found.get(row["table_name"], 0), int(row["changed"]))
    return found


def _stamped(sql: Sql, places: Places, tables: Collection[str]) -> Sequence[Mapping[str, Any]]:
    """The last run that wrote a row of each of these gold tables."""
    each = (
        f"SELECT {text(name)} AS table_name, max(_batch) AS changed FROM {places.gold(name)}" for name in sorted(tables)
    )
    return sql(" UNION ALL ".join(each)) if tables else []


def _asked(sql: Sql, places: Places, names: Collection[str]) -> dict[str, int]:
    if not names:
        return {}
    each = (f"SELECT {text(name)} AS name, max(_batch) AS last FROM {places.bronze(name)}" for name in sorted(names))
    return {row["name"]: int(row["last"]) for row in sql(" UNION ALL ".join(each)) if row["last"] is not None}


def _schemas(sql: Sql, places: Places) -> dict[str, dict[str, str]]:
    rows = sql(f"SELECT source, max_by(leaves, run) AS leaves FROM {places.ops('sources')} GROUP BY source")
    return {row["source"]: json.loads(row["leaves"]) for row in rows if row["leaves"]}


def _reconciled(sql: Sql, places: Places) -> dict[str, int]:
    rows = sql(f"SELECT table_name, max(run) AS run FROM {places.ops('reconciliation')} GROUP BY table_name")
    return {row["table_name"]: int(row["run"]) for row in rows}


def presences(sql: Sql, places: Places) -> dict[str, str]:
    """Return how each source was found last (see `Presence`)."""
    rows = sql(f"SELECT source, max_by(presence, run) AS presence FROM {places.ops('sources')} GROUP BY source")
    return {row["source"]: row["presence"] for row in rows}


def failures(sql: Sql, places: Places) -> dict[str, tuple[str, str]]:
    """Return code and message of what failed last of each table that has not succeeded since.

    A step may fail after a merge of the same run has succeeded. What does not tie out is told by its comparisons.
    """
    rows = sql(
        "SELECT f.table_name, f.code, f.message FROM"
        " (SELECT table_name, max_by(code, run) AS code, max_by(message, run) AS message, max(run) AS run"
        f" FROM {places.ops('failures')} GROUP BY 1) f"
        f" LEFT JOIN (SELECT table_name, max(run) AS run FROM {places.ops('batches')} GROUP BY 1) b"
        " ON f.table_name = b.table_name"
        " WHERE b.run IS NULL OR b.run < f.run OR (b.run = f.run AND f.code <> 'health-untied')"
    )
    return {row["table_name"]: (row["code"], row["message"]) for row in rows}


def take_lease(sql: Sql, places: Places, holder: str, at: datetime, *, dead: Sequence[str] = ()) -> None:
    """Become the one run that writes, or raise Conflict naming who does; a lease of *dead* holders is taken over."""
    free = " OR ".join(["holder = ''", f"until < {moment(at)}", *(f"holder = {text(h)}" for h in (holder, *dead))])
    try:
        sql(
            f"UPDATE {places.ops('lease')} SET holder = {text(holder)}, until = {moment(at + LEASE)}"
            f" WHERE name = '{_RUN_LEASE}' AND ({free})"
        )
    except WorkspaceRefused as error:
        if "concurrent" not in error.message.lower():
            raise
    found = lease(sql, places)
    if found is None or found["holder"] != holder:
        who = found["holder"] if found else "nobody"
        raise Conflict(
            f"another run is at work: {who}",
            code="health-run-busy",
            remedy=f"wait for its end; if it died, its lease ends by itself within {LEASE.seconds // 60} minutes",
        )


def keep_lease(sql: Sql, places: Places, holder: str, at: datetime) -> None:
    """Hold the lease for longer, or raise Conflict where somebody else has come to hold it."""
    sql(
        f"UPDATE {places.ops('lease')} SET until = {moment(at + LEASE)}"
        f" WHERE name = '{_RUN_LEASE}' AND holder = {text(holder)}"
    )
    found = lease(sql, places)
    if found is None or found["holder"] != holder:
        raise Conflict(
            f"the lease of this run has ended, and {found['holder'] if found else 'nobody'} has it now",
            code="health-lease-lost",
            remedy="run again; what was done stays done",
        )


def lease(sql: Sql, places: Places) -> Mapping[str, Any] | None:
    """Return who holds the lease."""
    rows = sql(f"SELECT holder, until FROM {places.ops('lease')} WHERE name = '{_RUN_LEASE}'")
    return rows[0] if rows else None


def make_lease(sql: Sql, places: Places) -> None:
    """Put the lease's row in its table, once."""
    rows = f"SELECT '{_RUN_LEASE}' AS name, '' AS holder, timestamp'1970-01-01 00:00:00Z' AS until"
    sql(
        f"MERGE INTO {places.ops('lease')} t USING ({rows}) s ON t.name = s.name"
        " WHEN NOT MATCHED THEN INSERT (name, holder, until) VALUES (s.name, s.holder, s.until)"
    )


def drop_lease(sql: Sql, places: Places, holder: str) -> None:
    """Let the next run in."""
    sql(f"UPDATE {places.ops('lease')} SET holder = '' WHERE name = '{_RUN_LEASE}' AND holder = {text(holder)}")


def unended(sql: Sql, places: Places) -> bool:
    """Whether a run has no end."""
    return bool(sql(f"SELECT run FROM {places.ops('runs')} WHERE status = 'RUNNING' LIMIT 1"))


def lose(sql: Sql, places: Places, holder: str) -> None:
    """Call the runs of others that have no end LOST; who holds the lease knows that nobody works on them."""
    others = f"status = 'RUNNING' AND run_id <> {text(holder)}"
    if sql(f"SELECT run FROM {places.ops('runs')} WHERE {others} LIMIT 1"):
        sql(
            f"UPDATE {places.ops('runs')} SET status = 'LOST', message = 'its process ended without a word' WHERE {others}"
        )


def begin(sql: Sql, places: Places, now: Now, mark: str = "") -> None:
    """Remember that a run began; its message is a mark of its own until it ends."""
    sql(
        f"INSERT INTO {places.ops('runs')} VALUES ({now.run}, {text(now.run_id)}, 'RUNNING',"
        f" {text(places.source_catalog)}, {moment(now.at)}, NULL, {text(mark)})"
    )


def alone(sql: Sql, places: Places, now: Now) -> bool:
    """Whether no other run began under the same number."""
    return int(sql(f"SELECT count(*) AS found FROM {places.ops('runs')} WHERE run = {now.run}")[0]["found"]) == 1


def withdraw(sql: Sql, places: Places, now: Now, mark: str) -> None:
    """Take back that a run began which has done nothing yet."""
    sql(f"DELETE FROM {places.ops('runs')} WHERE run = {now.run} AND message = {text(mark)}")


def end(sql: Sql, places: Places, now: Now, status: str, at: datetime, message: str = "") -> None:
    """Remember how a run ended."""
    sql(
        f"UPDATE {places.ops('runs')} SET status = {text(status)}, ended_at = {moment(at)}, message = {text(message)}"
        f" WHERE run = {now.run}"
    )


def copied(sql: Sql, places: Places, bronze: str, source: str, rows: int, now: Now, seconds: float) -> None:
    """Remember that bronze took rows of a source."""
    _batch(sql, places, "bronze", source, bronze, 0, now.run, Merged(bronze, rows, rows, 0, 0), "", now, seconds)


def merged(
    sql: Sql, places: Places, source: str, first: int, last: int, done: Merged, contract: str, now: Now, seconds: float
) -> None:
    """Remember how far a gold table has taken a source. It comes after the merge, whose repetition changes nothing."""
    _batch(sql, places, "gold", source, done.table, first, last, done, contract, now, seconds)


def _batch(
    sql: Sql, places: Places, layer: str, source: str, table: str, first: int, last: int, done: Merged,
    contract: str, now: Now, seconds: float,
) -> None:  # fmt: skip
    sql(
        f"INSERT INTO {places.ops('batches')} VALUES ({text(layer)}, {text(table)}, {text(source)}, {first}, {last},"
        f" {done.rows_in}, {done.inserted}, {done.updated}, {done.deleted}, {done.quarantined}, {text(contract)},"
        f" {now.run}, {moment(now.at)}, cast({seconds:.3f} as double))"
    )


def looked(sql: Sql, places: Places, found: Sequence[Looked], now: Now) -> None:
    """Remember how sources were found."""
    if found:
        sql(f"INSERT INTO {places.ops('sources')} VALUES {', '.join(_looked(one, now) for one in found)}")


def _looked(one: Looked, now: Now) -> str:
    leaves = text(json.dumps(dict(one.leaves), sort_keys=True)) if one.leaves else "NULL"
    return (
        f"({text(one.source)}, {text(one.presence)}, {_or_null(one.reason)}, {_or_null(one.remedy)}, {leaves},"
        f" {now.run}, {moment(now.at)})"
    )


def drifted(sql: Sql, places: Places, found: Sequence[Drift], now: Now) -> None:
    """Remember differences of sources, each once."""
    if not found:
        return
    rows = " UNION ALL ".join(
        f"SELECT {text(d.source)} AS source, {text(d.leaf)} AS leaf, {text(d.kind)} AS kind,"
        f" {_string(d.before)} AS before, {_string(d.after)} AS after"
        for d in found
    )
    same = (
        "t.source = s.source AND t.leaf = s.leaf AND t.kind = s.kind AND t.before <=> s.before AND t.after <=> s.after"
    )
    sql(
        f"MERGE INTO {places.ops('drift')} t USING ({rows}) s ON {same}"
        " WHEN NOT MATCHED THEN INSERT (source, leaf, kind, before, after, run, at)"
        f" VALUES (s.source, s.leaf, s.kind, s.before, s.after, cast({now.run} as bigint), {moment(now.at)})"
    )


def _string(value: str | None) -> str:
    return f"cast({_or_null(value)} as string)"


def failed(sql: Sql, places: Places, table: str, code: str, message: str, now: Now) -> None:
    """Remember that a table could not be brought up to date."""
    sql(
        f"INSERT INTO {places.ops('failures')} VALUES ({text(table)}, {text(code)}, {text(message[:4000])},"
        f" {now.run}, {moment(now.at)})"
    )


def reconciled(sql: Sql, places: Places, table: str, rows: Sequence[Mapping[str, Any]], now: Now) -> None:
    """Remember a comparison of bronze with gold."""
    if rows:
        values = ", ".join(_compared(table, row, now) for row in rows)
        sql(f"INSERT INTO {places.ops('reconciliation')} VALUES {values}")


def _compared(table: str, row: Mapping[str, Any], now: Now) -> str:
    ok = row["bronze"] == row["gold"]
    day = f"date'{row['day']}'" if row["day"] else "NULL"
    return (
        f"({text(table)}, {day}, {text(row['measure'])}, {_or_null(row['bronze'])}, {_or_null(row['gold'])},"
        f" {'NULL' if ok else text(_gap(row))}, {str(ok).lower()}, {now.run}, {moment(now.at)})"
    )


def _gap(row: Mapping[str, Any]) -> str:
    return f"{row['bronze']} in bronze, {row['gold']} in gold"


def _or_null(value: str | None) -> str:
    return "NULL" if value is None else text(value)


def keep_discounts(sql: Sql, places: Places, found: Sequence[Discount], now: Now) -> None:
    """Keep these discounts, at least one, in the place of all earlier ones; until the new ones stand the old ones count."""
    table = places.ops("discounts")
    at = after(now.at, sql(f"SELECT max(loaded_at) AS at FROM {table}")[0]["at"])
    rows = ", ".join(
        f"({text(one.sku_name)}, {text(one.cloud)}, cast('{one.percent}' as decimal(9,6)),"
        f" {_date(one.valid_from)}, {_date(one.valid_to)}, {moment(at)})"
        for one in found
    )
    sql(f"INSERT INTO {table} VALUES {rows}")
    sql(f"DELETE FROM {table} WHERE loaded_at < {moment(at)}")
    merged(sql, places, "-", 0, now.run, Merged(RULES, len(found), len(found), 0, 0), "", now, 0)


def discounts(sql: Sql, places: Places) -> tuple[Discount, ...]:
    """Return the discounts that are kept, without the lines of their file."""
    table = places.ops("discounts")
    rows = sql(
        f"SELECT * FROM {table} WHERE loaded_at = (SELECT max(loaded_at) FROM {table})"
        " ORDER BY sku_name, cloud, valid_from, valid_to"
    )
    return tuple(
        Discount(r["sku_name"], r["cloud"], Decimal(r["percent"]), r["valid_from"], r["valid_to"], 0) for r in rows
    )


def _date(day: date | None) -> str:
    return f"date'{day}'" if day else "cast(NULL as date)"


def after(at: datetime, last: datetime | None) -> datetime:
    """Return a time, or where it is not later than the last one, the next that can be told from it."""
    return at if last is None or last.astimezone(UTC) < at else last.astimezone(UTC) + _TICK
