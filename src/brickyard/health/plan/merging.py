"""The named pieces of every merge, as SQL text: dedup, schema check, flattening, merges, enrichment, audit, summary.

The engine is made of these and nothing else, and they can be used by themselves: each takes SQL of a relation and
returns SQL of a relation or one statement, so that a warehouse, a Spark session and a notebook run the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from brickyard.health.model.compiled import BATCH, CREATED, UPDATED, VERSION
from brickyard.health.model.contract import Join
from brickyard.health.model.source import Source
from brickyard.health.plan.text import leaf_of, names, quote, same

_OPEN_END = "timestamp'9999-12-31 00:00:00Z'"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which run writes (`batch`) and when (`at`, SQL of a timestamp)."""

    batch: int
    at: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What one merge did, in rows."""

    table: str
    rows_in: int
    inserted: int
    updated: int
    deleted: int
    quarantined: int = 0

    def plus(self, counts: Mapping[str, int]) -> Merged:
        """Add what a further statement inserted, updated and deleted."""
        return replace(
            self,
            inserted=self.inserted + counts["inserted"],
            updated=self.updated + counts["updated"],
            deleted=self.deleted + counts["deleted"],
        )

    @property
    def written(self) -> int:
        """Rows that the table gained, lost or changed."""
        return self.inserted + self.updated + self.deleted


def deduplicate_bronze(relation: str, key: Sequence[str], order: str = VERSION) -> str:
    """Keep one row of each key: the one whose *order* is greatest. NULL is a value of a key like any other.

    *order* must tell any two rows of a key apart (the engine's `_version` ends in the hash of the whole row), so that
    the same row stays whatever the partitioning and order of arrival.
    """
    ranked = f"row_number() OVER (PARTITION BY {names(key)} ORDER BY {quote(order)} DESC)"
    return f"SELECT * FROM (SELECT *, {ranked} AS _rank FROM ({relation})) WHERE _rank = 1"


def validate_merge_schema(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """Compare columns and types that a merge writes with those the target has; return each difference as a sentence."""
    missing = [f"column {name} is missing" for name in wanted if name not in found]
    other = [
        f"column {name} is {found[name]}, not {kind}"
        for name, kind in wanted.items()
        if name in found and _plain(found[name]) != _plain(kind)
    ]
    return (*missing, *other)


def _plain(type_text: str) -> str:
    return re.sub(r"\s", "", type_text).lower()


def flatten_struct_fields(source: Source, present: Iterable[str] | None = None) -> str:
    """List every leaf of a source's row under its bronze name; a leaf that is not *present* is NULL of its type.

    *present*: the bronze names of the leaves that the live source has; all of them when None.
    """
    have = None if present is None else set(present)
    return ", ".join(
        f"{leaf_of(leaf.path)} AS {quote(leaf.column)}"
        if have is None or leaf.column in have
        else f"cast(NULL as {leaf.type}) AS {quote(leaf.column)}"
        for leaf in source.leaves
    )


def add_audit_timestamps(relation: str, stamp: Stamp) -> str:
    """Add who wrote a row and when: the run's number, and created and updated timestamps."""
    return (
        f"SELECT *, cast({stamp.batch} as bigint) AS {quote(BATCH)}, {stamp.at} AS {quote(CREATED)},"
        f" {stamp.at} AS {quote(UPDATED)} FROM ({relation})"
    )


def merge_fact_table(
    target: str,
    relation: str,
    key: Sequence[str],
    columns: Sequence[str],
    *,
    bounds: str = "",
    newer: str = f"s.{quote(VERSION)} > t.{quote(VERSION)}",
    changed: str = "",
) -> str:
    """Merge rows, one of each key at most: a newer version overwrites, an older one or the same writes nothing.

    *columns* are all columns but the audit timestamps and the batch. *bounds* are literals that say where in the
    target the batch can have partners. With *changed* (SQL) a newer version that differs in nothing keeps the batch
    and the time of the older one. Without *newer* present keys are left alone: rows are only inserted.
    """
    written = [c for c in columns if c not in key]
    kept = [_kept(c, changed) for c in (BATCH, UPDATED)]
    sets = ", ".join([*(f"{quote(c)} = s.{quote(c)}" for c in written), *kept])
    every = [*columns, BATCH, CREATED, UPDATED]
    update = f"WHEN MATCHED AND {newer} THEN UPDATE SET {sets}\n" if newer else ""
    return (
        f"MERGE INTO {target} t USING ({relation}) s ON {same(key, 't', 's')}{' AND ' + bounds if bounds else ''}\n"
        f"{update}WHEN NOT MATCHED THEN INSERT ({names(every)}) VALUES ({names(every, 's')})"
    )


def _kept(column: str, changed: str) -> str:
    new, old = f"s.{quote(column)}", f"t.{quote(column)}"
    return f"{quote(column)} = CASE WHEN {changed} THEN {new} ELSE {old} END" if changed else f"{quote(column)} = {new}"


def merge_dimension_table(
    target: str, relation: str, key: Sequence[str], columns: Sequence[str], old: str, *, scd: int = 2
) -> str:
    """Make the target's rows of some keys exactly those of *relation*: insert, update where different, delete the rest.

    *old* is SQL of the target's present rows of those keys (its key columns). With `scd=2` the key holds the begin of
    the version and relation holds every version; with `scd=1` it holds one row of each key. Order of arrival does not
    matter, since relation is computed from all that is known of the keys.
    """
    if scd not in (1, 2):
        raise ValueError(f"scd is 1 or 2, not {scd}")
    written = [c for c in columns if c not in key]
    sets = ", ".join(f"{quote(c)} = s.{quote(c)}" for c in [*written, BATCH, UPDATED])
    every = [*columns, BATCH, CREATED, UPDATED]
    keys = ", ".join(
        f"CASE WHEN n.{quote(VERSION)} IS NULL THEN o.{quote(c)} ELSE n.{quote(c)} END AS {quote(c)}" for c in key
    )
    rest = names([c for c in every if c not in key], "n")
    source = (
        f"SELECT {keys}, {rest}, n.{quote(VERSION)} IS NULL AS _gone FROM ({relation}) n"
        f" FULL OUTER JOIN ({old}) o ON {same(key, 'n', 'o')}"
    )
    return (
        f"MERGE INTO {target} t USING ({source}) s ON {same(key, 't', 's')}\n"
        f"WHEN MATCHED AND s._gone THEN DELETE\n"
        f"WHEN MATCHED AND s.{quote(VERSION)} <> t.{quote(VERSION)} THEN UPDATE SET {sets}\n"
        f"WHEN NOT MATCHED AND NOT s._gone THEN INSERT ({names(every)}) VALUES ({names(every, 's')})"
    )


def enrich_usage_with_list_prices(
    relation: str, joins: Sequence[tuple[Join, str, tuple[str, ...], tuple[str, ...]]], computed: Mapping[str, str]
) -> str:
    """Look up what was valid at a row's time in other tables, one row at most, and add the *computed* columns.

    Each join comes with the other table's name, the columns taken of it, and its key. Intervals that overlap are cut
    where the next begins. In *computed*, a joined column is written `alias.column`.
    """
    sources = [f"({relation}) d"]
    for join, table, taken, key in joins:
        matches = " AND ".join(f"{join.alias}.{quote(_out(join, c))} = d.{quote(ours)}" for c, ours in join.on.items())
        inside = (
            f"d.{quote(join.as_of)} >= {join.alias}.{quote(_out(join, 'from'))}"
            f" AND d.{quote(join.as_of)} < {join.alias}.{quote(_out(join, 'to'))}"
        )
        sources.append(f"LEFT JOIN ({_intervals(join, table, taken, key)}) {join.alias} ON {matches} AND {inside}")
    added = ", ".join(f"{_aliased(sql, [j[0] for j in joins])} AS {quote(name)}" for name, sql in computed.items())
    return f"SELECT d.*, {added} FROM {' '.join(sources)}"


def _intervals(join: Join, table: str, taken: Sequence[str], key: Sequence[str]) -> str:
    begin, end = map(quote, join.valid)
    series = [c for c in key if c != join.valid[0]]
    following = f"lead({begin}) OVER (PARTITION BY {names(series)} ORDER BY {begin})"
    columns = ", ".join(f"{quote(c)} AS {quote(_out(join, c))}" for c in dict.fromkeys([*join.on, *taken]))
    fixed = " AND ".join(f"{quote(c)} = '{value}'" for c, value in join.where.items()) or "true"
    return (
        f"SELECT {columns}, {begin} AS {quote(_out(join, 'from'))},"
        f" least(coalesce({end}, {_OPEN_END}), coalesce({following}, {_OPEN_END})) AS {quote(_out(join, 'to'))}"
        f" FROM {table} WHERE {fixed}"
    )


def _out(join: Join, column: str) -> str:
    return f"{join.alias}__{column}"


def _aliased(sql: str, joins: Iterable[Join]) -> str:
    for join in joins:
        sql = re.sub(
            rf"\b{join.alias}\.(\w+)", lambda found, j=join: f"{j.alias}.{quote(_out(j, found.group(1)))}", sql
        )
    return sql


def print_merge_summary(merged: Merged) -> str:
    """Say in one line what a merge did."""
    parts = [f"{merged.rows_in:,} rows in", f"{merged.inserted:,} new", f"{merged.updated:,} changed"]
    if merged.deleted:
        parts.append(f"{merged.deleted:,} gone")
    if merged.quarantined:
        parts.append(f"{merged.quarantined:,} quarantined")
    return f"{merged.table}: {', '.join(parts)}"
