"""From bronze to rows of a gold table: typed, judged, deduplicated, given their history, enriched. SQL of relations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from brickyard.health.model.compiled import GoldColumn, GoldTable
from brickyard.health.model.contract import Expectation, Join
from brickyard.health.model.source import Capture
from brickyard.health.plan import expressions, text
from brickyard.health.plan.merging import deduplicate_bronze, enrich_usage_with_list_prices
from brickyard.health.plan.text import Places, names, quote, same

_MISFIT = "_misfit_"
_FAR = "timestamp'9999-12-31 00:00:00Z'"


@dataclass(frozen=True, slots=True)
class Batch:
    """Bronze rows of the runs after `first` up to and with `last`; every row when `first` is 0."""

    first: int
    last: int

    @property
    def sql(self) -> str:
        """The condition on bronze."""
        low = f"_batch > {self.first} AND " if self.first else ""
        return f"{low}_batch <= {self.last}"


def typed(table: GoldTable, places: Places, condition: str, groups_of: str = "") -> str:
    """Rows of bronze that meet a condition, with gold's columns, `_version`, and what is wrong with each in `_faults`.

    *groups_of*: a condition on bronze; then only rows of the groups that rows which meet it belong to.
    """
    columns = [f"{column.sql} AS {quote(column.name)}" for column in table.of_origin("source")]
    columns += [_misfit(column, table) for column in table.of_origin("source") if column.narrow]
    columns += [f"{sql} AS {name}" for name, sql in _keeping(table)]
    inner = f"SELECT {', '.join(columns)} FROM {_rows(table, places, condition, groups_of)} b"
    return f"SELECT *, {faults(table)} AS _faults FROM ({inner})"


def _keeping(table: GoldTable) -> list[tuple[str, str]]:
    """Columns that the engine itself needs beside gold's own."""
    contract = table.contract
    if not table.source:
        return []
    kept = [("_row_hash", "_row_hash"), ("_version", text.version(_sequence(table)))] if _has_rows(table) else []
    if table.latest:
        kept.append(("_batch", "_batch"))
    if table.source.capture is Capture.SNAPSHOT and _has_rows(table):
        kept.append(("_snapshot_at", "_snapshot_at"))
    if contract.valid_from:
        kept.append(("_from", quote(contract.valid_from)))
    if contract.delete_time:
        kept.append(("_deleted", quote(contract.delete_time)))
    return kept


def _has_rows(table: GoldTable) -> bool:
    return table.latest or not table.contract.rows


def _sequence(table: GoldTable) -> list[tuple[str, str]]:
    """Bronze columns with their types; columns that `rows` makes are timestamps by our convention."""
    found = []
    for name in table.contract.sequence:
        leaf = table.source.leaf(name) if table.source else None
        found.append((quote(name), leaf.type if leaf else "timestamp"))
    return found


def _rows(table: GoldTable, places: Places, condition: str, groups_of: str) -> str:
    contract = table.contract
    if table.source is None:
        return f"({contract.rows})"
    bronze = f"(SELECT * FROM {places.bronze(table.source.bronze)} WHERE {condition})"
    if groups_of:
        hit = f"SELECT DISTINCT {names(contract.group)} FROM {places.bronze(table.source.bronze)} WHERE {groups_of}"
        bronze = f"(SELECT b.* FROM {bronze} b LEFT SEMI JOIN ({hit}) g ON {same(contract.group, 'b', 'g')})"
    if not contract.rows:
        return bronze
    sql = contract.rows.replace("{source}", bronze)
    for other in set(_tables(sql)):
        sql = sql.replace("{" + other + "}", places.gold(other))
    return f"({sql})"


def _tables(sql: str) -> list[str]:
    from brickyard.health.plan.checks import tables_in

    return list(tables_in(sql))


def _misfit(column: GoldColumn, table: GoldTable) -> str:
    if column.whole:
        return f"NOT ({column.sql} <=> ({column.whole})) AS {quote(_MISFIT + column.name)}"
    leaf = table.source.leaf(column.reads[0]) if table.source else None
    origin = quote(column.reads[0])
    back = f"cast({column.sql} as {leaf.type if leaf else column.type})"
    return f"NOT ({back} <=> {origin}) AS {quote(_MISFIT + column.name)}"


def faults(table: GoldTable) -> str:
    """The names of the rules that a row breaks, joined by commas; empty for a good row."""
    cases = [(f"does-not-fit:{c.name}", quote(_MISFIT + c.name)) for c in table.columns if c.narrow]
    cases += [(f"null:{c.name}", f"{quote(c.name)} IS NULL") for c in table.of_origin("source") if c.not_null]
    cases += [(rule.name, _broken(rule)) for rule in table.contract.expect]
    if dates_its_versions(table):
        cases.append(("null:valid_from", "_from IS NULL"))
    if not cases:
        return "''"
    return "concat_ws(',', " + ", ".join(f"CASE WHEN {sql} THEN {text.text(name)} END" for name, sql in cases) + ")"


def dates_its_versions(table: GoldTable) -> bool:
    """Whether a history has its begins from a column of the source, which a row may lack."""
    return bool(table.contract.valid_from and table.source and table.source.leaf(table.contract.valid_from))


def _broken(rule: Expectation) -> str:
    """A rule is broken where its check is false; where it is NULL nothing can be said against the row."""
    failed = f"NOT coalesce({rule.check}, true)"
    return f"({rule.when}) AND {failed}" if rule.when else failed


def newest(table: GoldTable, places: Places, batch: Batch, where: str = "true") -> str:
    """The good rows of a batch, one of each key: the newest version. *where* is over gold columns that the key fixes."""
    good = f"SELECT * FROM ({typed(table, places, batch.sql)}) WHERE _faults = '' AND {where}"
    return deduplicate_bronze(good, table.contract.key)


def touched(table: GoldTable, places: Places, batch: Batch) -> str:
    """The keys of a history that a batch says something about."""
    key = table.contract.key
    return f"SELECT DISTINCT {names(key)} FROM ({typed(table, places, batch.sql)})"


def versions(table: GoldTable, places: Places, batch: Batch) -> str:
    """Every version of the keys that a batch touches, from all of bronze up to the batch: a history."""
    every = Batch(0, batch.last)
    rows = f"SELECT * FROM ({typed(table, places, every.sql)}) WHERE _faults = ''"
    if table.source and table.source.capture is Capture.SNAPSHOT:
        return _with_numbers(table, _from_snapshots(table, places, rows, every))
    if batch.first:
        rows = f"SELECT r.* FROM ({rows}) r LEFT SEMI JOIN ({touched(table, places, batch)}) k ON {same(table.contract.key, 'r', 'k')}"
    return _with_numbers(table, _from_changes(table, rows))


def _from_changes(table: GoldTable, rows: str) -> str:
    """A source that dates its own versions: one version for each of its times."""
    key = table.contract.key
    one = deduplicate_bronze(f"SELECT *, _from AS valid_from FROM ({rows})", (*key, "valid_from"))
    following = f"lead(valid_from) OVER (PARTITION BY {names(key)} ORDER BY valid_from)"
    dead = "_deleted" if table.contract.delete_time else "cast(NULL as timestamp)"
    return (
        f"SELECT *, CASE WHEN {dead} < coalesce(_following, {_FAR}) THEN {dead} ELSE _following END AS valid_to"
        f" FROM (SELECT *, {following} AS _following FROM ({one}))"
    )


def _from_snapshots(table: GoldTable, places: Places, rows: str, every: Batch) -> str:
    """A source that shows its present state only: a version lasts while snapshots show the same row without a gap."""
    assert table.source is not None
    key = table.contract.key
    content = text.fingerprint([(quote(c.name), c.type) for c in table.of_origin("source")])
    days = f"SELECT DISTINCT _snapshot_at AS _day FROM {places.bronze(table.source.bronze)} WHERE {every.sql}"
    calendar = f"SELECT _day, lead(_day) OVER (ORDER BY _day) AS _next FROM ({days})"
    one = deduplicate_bronze(rows, (*key, "_snapshot_at"))
    seen = f"SELECT o.*, {content} AS _content, c._next FROM ({one}) o JOIN ({calendar}) c ON o._snapshot_at = c._day"
    order = f"(PARTITION BY {names(key)} ORDER BY _snapshot_at)"
    around = (
        f"SELECT *, lag(_content) OVER {order} AS _c0, lag(_next) OVER {order} AS _n0,"
        f" lead(_content) OVER {order} AS _c1, lead(_snapshot_at) OVER {order} AS _s1 FROM ({seen})"
    )
    flagged = (
        "SELECT *, NOT (_c0 <=> _content AND _n0 <=> _snapshot_at) AS _begins,"
        f" CASE WHEN NOT (_c1 <=> _content AND _s1 <=> _next) THEN coalesce(_next, {_FAR}) END AS _end FROM ({around})"
    )
    ends = f"min(_end) OVER {order[:-1]} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"
    return (
        f"SELECT *, _snapshot_at AS valid_from, nullif(_ends, {_FAR}) AS valid_to"
        f" FROM (SELECT *, {ends} AS _ends FROM ({flagged})) WHERE _begins"
    )


def _with_numbers(table: GoldTable, history: str) -> str:
    number = f"cast(row_number() OVER (PARTITION BY {names(table.contract.key)} ORDER BY valid_from) as int)"
    numbered = f"SELECT *, {number} AS version_number, valid_to IS NULL AS is_current FROM ({history})"
    opened = (
        f"SELECT *, CASE WHEN version_number = 1 THEN timestamp'1900-01-01 00:00:00Z' ELSE valid_from END"
        f" AS valid_from_open FROM ({numbered})"
    )
    return _with_content(table, opened)


def _with_content(table: GoldTable, relation: str) -> str:
    columns = table.of_origin("source", "history")
    content = text.fingerprint([(quote(c.name), c.type) for c in columns])
    return f"SELECT {names(c.name for c in columns)}, {content} AS _version FROM ({relation})"


def groups(table: GoldTable, places: Places, batch: Batch) -> str:
    """The rows of every group that a batch touches, recomputed from all of bronze up to the batch."""
    condition = Batch(0, batch.last).sql
    touched_only = batch.sql if table.source and batch.first and table.contract.group else ""
    good = typed(table, places, condition, touched_only)
    return _with_content(table, f"SELECT * FROM ({good}) WHERE _faults = ''")


def old_of_groups(table: GoldTable, places: Places, batch: Batch) -> str:
    """The keys of the rows that gold holds now for the groups that a batch touches."""
    contract = table.contract
    gold = places.gold(table.table)
    if not (table.source and batch.first and contract.group):
        return f"SELECT {names(table.key)} FROM {gold}"
    hit = ", ".join(f"{quote(g)} AS {quote(b)}" for g, b in zip(contract.group, contract.by, strict=True))
    touched_groups = f"SELECT DISTINCT {hit} FROM {places.bronze(table.source.bronze)} WHERE {batch.sql}"
    return (
        f"SELECT {names(table.key, 'o')} FROM {gold} o LEFT SEMI JOIN ({touched_groups}) g"
        f" ON {same(contract.by, 'o', 'g')}"
    )


def old_of_keys(table: GoldTable, places: Places, batch: Batch) -> str:
    """The versions that gold holds now of the keys that a batch touches."""
    gold = places.gold(table.table)
    if not batch.first or (table.source and table.source.capture is Capture.SNAPSHOT):
        return f"SELECT {names(table.key)} FROM {gold}"
    keys = touched(table, places, batch)
    return (
        f"SELECT {names(table.key, 'o')} FROM {gold} o LEFT SEMI JOIN ({keys}) k"
        f" ON {same(table.contract.key, 'o', 'k')}"
    )


def enriched(table: GoldTable, places: Places, relation: str, keys: dict[str, tuple[str, ...]]) -> str:
    """Add the looked-up columns; *keys* are those of the tables that are looked up in."""
    enrich = table.contract.enrich
    if enrich is None:
        return relation
    exprs = {c.name: f"cast({text.macros(c.expr)} as {c.type})" for c in enrich.columns}
    joined = {name: sql for name, sql in exprs.items() if _joins_in(sql, enrich.joins)}
    joins = [(join, places.gold(join.to), _taken(join, joined), keys[join.to]) for join in enrich.joins]
    found = enrich_usage_with_list_prices(relation, joins, joined)
    after = [f"{sql} AS {quote(name)}" for name, sql in exprs.items() if name not in joined]
    return f"SELECT *, {', '.join(after)} FROM ({found})" if after else found


def _joins_in(sql: str, joins: Iterable[Join]) -> bool:
    """Whether an expression reads a joined column; one that does not may read the columns that were looked up."""
    heads = {name.partition(".")[0] for name in expressions.read(sql).columns if "." in name}
    return any(join.alias in heads for join in joins)


def _taken(join: Join, exprs: dict[str, str]) -> tuple[str, ...]:
    named = {name for sql in exprs.values() for name in expressions.read(sql).columns}
    return tuple(sorted(name.split(".", 1)[1] for name in named if name.startswith(join.alias + ".")))


def looked_up_again(table: GoldTable, places: Places, join: Join, changed: Batch) -> str:
    """The rows of gold whose look-up in one table may have another answer since that table changed."""
    gold, other = places.gold(table.table), places.gold(join.to)
    on = " AND ".join(f"c.{quote(theirs)} = f.{quote(ours)}" for theirs, ours in join.on.items())
    begin = quote(join.valid[0])
    fixed = " AND ".join(f"{quote(c)} = {text.text(value)}" for c, value in join.where.items()) or "true"
    rows = f"SELECT {names((*join.on, join.valid[0]))} FROM {other} WHERE {changed.sql} AND {fixed}"
    own = names([c.name for c in table.of_origin("source")] + ["_version"], "f")
    return f"SELECT {own} FROM {gold} f LEFT SEMI JOIN ({rows}) c ON {on} AND f.{quote(join.as_of)} >= c.{begin}"
