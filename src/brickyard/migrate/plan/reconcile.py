"""The comparison of two tables: the queries that find what differs, and what their answers mean.

Every query runs on a Databricks warehouse and on the local workspace alike. Rows are compared as a multiset by one
`GROUP BY` over both tables, which is exact, treats NULL as a value of its own and counts duplicates. Rows with float
columns are ranked within equal other columns first, so that noise within the tolerance is no difference.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from brickyard.kernel.names import quote
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import (
    CellDifference,
    Check,
    CheckKind,
    Column,
    RowDifference,
    TableComparison,
)

SAMPLES = 200  # differing rows that are fetched
SHOWN = 20  # differing rows and cells that a comparison keeps
_FLOATS = ("float", "double", "real")
_NESTED = ("array", "struct", "variant", "object")
_SINGLE_NOISE = 1e-6  # a 4-byte float holds about seven digits
_KEY_COLUMNS = 8
_KEY_SIZE = 3

Cell = str | None
Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two tables: its SQL name (with a version where it is pinned) and its columns."""

    label: str
    sql: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two floats may lie apart and still be equal."""

    absolute: float = 1e-9
    relative: float = 1e-9

    def equal(self, left: Cell, right: Cell, noise: float = 0.0) -> bool:
        """Compare two float values as the workspace writes them."""
        if left is None or right is None or left == right:
            return left == right
        a, b = float(left), float(right)
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return math.isclose(a, b, rel_tol=max(self.relative, noise), abs_tol=self.absolute)


@dataclass(frozen=True, slots=True)
class Shared:
    """A column that both tables have; `text` compares it as text because the types differ."""

    name: str
    original: Column
    refactored: Column

    @property
    def text(self) -> bool:
        return self.original.type != self.refactored.type

    @property
    def is_float(self) -> bool:
        return self.original.type in _FLOATS and self.refactored.type in _FLOATS

    @property
    def noise(self) -> float:
        single = "double" not in (self.original.type, self.refactored.type)
        return 0.0 if not single else _SINGLE_NOISE

    def expression(self, column: Column) -> str:
        """The SQL by which the column's values are compared."""
        name = quote(column.name)
        if self.is_float:
            return f"CAST({name} AS DOUBLE)"
        if column.type.startswith("map"):
            return f"to_json(array_sort(map_entries({name})))"
        if column.type.startswith(_NESTED):
            return f"to_json({name})"
        if column.type == "binary":
            return f"hex({name})"
        return f"CAST({name} AS STRING)" if self.text else name


def shared(original: Side, refactored: Side) -> tuple[Shared, ...]:
    """The columns of both tables, in the original's order."""
    theirs = {c.name.lower(): c for c in refactored.columns}
    return tuple(Shared(c.name, c, theirs[c.name.lower()]) for c in original.columns if c.name.lower() in theirs)


# ── schema ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def schema_check(original: Side, refactored: Side) -> Check:
    """Compare names, order and types of the columns."""
    faults = [*_schema_faults(original.columns, refactored.columns)]
    return Check(CheckKind.SCHEMA, not faults, "; ".join(faults) or f"{len(original.columns)} columns")


def _schema_faults(original: tuple[Column, ...], refactored: tuple[Column, ...]) -> Iterator[str]:
    ours, theirs = ({c.name.lower(): c for c in columns} for columns in (original, refactored))
    for name in (n for n in ours if n not in theirs):
        yield f"column {ours[name].name} is missing"
    for name in (n for n in theirs if n not in ours):
        yield f"column {theirs[name].name} is new"
    both = [n for n in ours if n in theirs]
    for name in (n for n in both if ours[n].type != theirs[n].type):
        yield f"column {name} was {ours[name].type} and is {theirs[name].type}"
    if both != [n for n in theirs if n in ours]:
        yield "the columns stand in another order"


# ── counts and column checksums ──────────────────────────────────────────────────────────────────────────────────────


def summary_query(table: Side, columns: Sequence[Shared], *, refactored: bool) -> str:
    """Select the row count and, of each column, values, distinct values and a checksum that no order changes."""
    parts = ["count(*)"]
    for column in columns:
        own = column.refactored if refactored else column.original
        parts += _float_summary(column, own) if column.is_float else _exact_summary(column, own)
    named = ", ".join(f"{part} AS s{i}" for i, part in enumerate(parts))
    return f"SELECT {named} FROM {table.sql}"


def _exact_summary(column: Shared, own: Column) -> tuple[str, str, str]:
    value = column.expression(own)
    return (
        f"count({value})",
        f"count(DISTINCT {value})",
        f"CAST(coalesce(sum(CAST(xxhash64({value}) AS DECIMAL(38, 0))), 0) AS STRING)",
    )


def _float_summary(column: Shared, own: Column) -> tuple[str, str, str]:
    value = column.expression(own)
    return f"count({value})", f"CAST(min({value}) AS STRING)", f"CAST(sum({value}) AS STRING)"


@dataclass(frozen=True, slots=True)
class Summary:
    """One table in figures: rows and, for each column, values, distinct values (or the least) and checksum (or sum)."""

    rows: int
    columns: tuple[tuple[int, Cell, Cell], ...]

    @classmethod
    def read(cls, row: Row) -> Summary:
        """Read the one row that `summary_query` returns."""
        rest = row[1:]
        return cls(
            int(row[0] or 0), tuple((int(rest[i] or 0), rest[i + 1], rest[i + 2]) for i in range(0, len(rest), 3))
        )


def count_check(original: Summary, refactored: Summary) -> Check:
    """Compare the row counts."""
    equal = original.rows == refactored.rows
    return Check(
        CheckKind.COUNT, equal, f"{original.rows:,} rows" if equal else f"{original.rows:,} ≠ {refactored.rows:,}"
    )


def checksum_check(columns: Sequence[Shared], original: Summary, refactored: Summary, tolerance: Tolerance) -> Check:
    """Compare each column's figures."""
    figures = zip(columns, original.columns, refactored.columns, strict=True)
    faults = [fault for column, ours, theirs in figures if (fault := _figure_fault(column, ours, theirs, tolerance))]
    return Check(CheckKind.CHECKSUM, not faults, "; ".join(faults) or f"{len(columns)} columns")


def _figure_fault(
    column: Shared, ours: tuple[int, Cell, Cell], theirs: tuple[int, Cell, Cell], tolerance: Tolerance
) -> str | None:
    if ours[0] != theirs[0]:
        return f"{column.name} has {ours[0]:,} and {theirs[0]:,} values that are not NULL"
    if column.is_float:
        noise = max(column.noise, tolerance.relative * max(ours[0], 1) ** 0.5)
        loose = Tolerance(tolerance.absolute * max(ours[0], 1), tolerance.relative)
        equal = loose.equal(ours[1], theirs[1], column.noise) and loose.equal(ours[2], theirs[2], noise)
        return None if equal else f"the sum or least value of {column.name} differs"
    return None if ours[1:] == theirs[1:] else f"the checksum of {column.name} differs"


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column stands where in a difference query's answer: exact columns, then each float twice, then counts."""

    exact: tuple[Shared, ...]
    floats: tuple[Shared, ...]

    @classmethod
    def of(cls, columns: Iterable[Shared]) -> Layout:
        """Split columns into those compared exactly and those with a tolerance."""
        columns = tuple(columns)
        return cls(tuple(c for c in columns if not c.is_float), tuple(c for c in columns if c.is_float))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in the order of a row's values."""
        return tuple(c.name for c in (*self.exact, *self.floats))


def difference_query(original: Side, refactored: Side, columns: Sequence[Shared], tolerance: Tolerance) -> str:
    """Select every row value that one table has more often than the other, with both numbers."""
    layout = Layout.of(columns)
    groups = [f"g{i}" for i in range(len(layout.exact))] + (["place"] if layout.floats else [])
    shown = [f"CAST(g{i} AS STRING) AS v{i}" for i in range(len(layout.exact))]
    for i in range(len(layout.floats)):
        shown += [f"CAST(o{i} AS STRING) AS x{i}", f"CAST(r{i} AS STRING) AS y{i}"]
    both = f"{_half(original, layout, refactored=False)} UNION ALL {_half(refactored, layout, refactored=True)}"
    floats = "".join(f", max(o{i}) AS o{i}, max(r{i}) AS r{i}" for i in range(len(layout.floats)))
    grouped = (
        f"SELECT {''.join(f'{g}, ' for g in groups)}sum(is_o) AS n_o, sum(is_r) AS n_r{floats} FROM ({both}) AS sides"
        + (f" GROUP BY {', '.join(groups)}" if groups else "")
    )
    unequal = " OR ".join(["n_o <> n_r", *(f"NOT {_close(i, c, tolerance)}" for i, c in enumerate(layout.floats))])
    return f"SELECT {''.join(f'{s}, ' for s in shown)}n_o, n_r FROM ({grouped}) AS counted WHERE {unequal}"


def _half(table: Side, layout: Layout, *, refactored: bool) -> str:
    """One table's rows in the shape of the union: exact columns, floats on their own side, and the side's mark."""
    own = [c.refactored if refactored else c.original for c in (*layout.exact, *layout.floats)]
    values = [c.expression(o) for c, o in zip((*layout.exact, *layout.floats), own, strict=True)]
    exact, floats = values[: len(layout.exact)], values[len(layout.exact) :]
    parts = [f"{value} AS g{i}" for i, value in enumerate(exact)]
    for i, value in enumerate(floats):
        nothing = "CAST(NULL AS DOUBLE)"
        parts += [f"{nothing if refactored else value} AS o{i}", f"{value if refactored else nothing} AS r{i}"]
    if floats:
        by = f"PARTITION BY {', '.join(exact)} " if exact else ""
        parts.append(f"row_number() OVER ({by}ORDER BY {', '.join(floats)}) AS place")
    parts += [f"{0 if refactored else 1} AS is_o", f"{1 if refactored else 0} AS is_r"]
    return f"SELECT {', '.join(parts)} FROM {table.sql}"


def _close(i: int, column: Shared, tolerance: Tolerance) -> str:
    """Whether two floats are equal or near. An infinite or undefined distance is never near; NULL is near only NULL."""
    o, r = f"o{i}", f"r{i}"
    near = f"greatest(CAST({tolerance.absolute!r} AS DOUBLE), CAST({max(tolerance.relative, column.noise)!r} AS DOUBLE) * greatest(abs({o}), abs({r})))"
    finite = f"abs({o} - {r}) < CAST('1.7976931348623157E308' AS DOUBLE)"
    return (
        f"coalesce(({o} IS NULL AND {r} IS NULL) OR (isnan({o}) AND isnan({r})) OR {o} = {r} "
        f"OR ({finite} AND abs({o} - {r}) <= {near}), FALSE)"
    )


def count_query(differences: str) -> str:
    """Count the differing values, and the rows of each side among them; a row whose floats differ is one on each."""
    floats = "CASE WHEN n_o = n_r THEN 1 ELSE 0 END"
    parts = (f"coalesce(sum(greatest({more}, 0) + {floats}), 0)" for more in ("n_o - n_r", "n_r - n_o"))
    return f"SELECT count(*), {', '.join(parts)} FROM ({differences}) AS d"


def sample_query(differences: str, layout: Layout, key: Sequence[str]) -> str:
    """Select some of the differing rows, those that share a key next to each other."""
    wanted = {name.lower() for name in key}
    order = [f"v{i}" for i, c in enumerate(layout.exact) if c.name.lower() in wanted]
    order += [f"v{i}" for i, c in enumerate(layout.exact) if c.name.lower() not in wanted]
    return (
        f"SELECT * FROM ({differences}) AS d" + (f" ORDER BY {', '.join(order)}" if order else "") + f" LIMIT {SAMPLES}"
    )


# ── what the answers mean ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Loose:
    """Rows that found no equal on the other side, one entry for each copy."""

    original: tuple[Row, ...]
    refactored: tuple[Row, ...]

    @property
    def count(self) -> int:
        """How many rows differ: a row that changed counts once."""
        return max(len(self.original), len(self.refactored))


def loose(rows: Iterable[Row], layout: Layout, tolerance: Tolerance) -> Loose:
    """Read a difference query's rows, and pair off rows whose floats only changed places within the tolerance."""
    ours: list[Row] = []
    theirs: list[Row] = []
    for row in rows:
        exact, n_o, n_r = row[: len(layout.exact)], int(row[-2] or 0), int(row[-1] or 0)
        pairs = row[len(layout.exact) : -2]
        ours += [(*exact, *pairs[0::2])] * (n_o if layout.floats else max(n_o - n_r, 0))
        theirs += [(*exact, *pairs[1::2])] * (n_r if layout.floats else max(n_r - n_o, 0))
    return _paired_off(ours, theirs, layout, tolerance) if layout.floats else Loose(tuple(ours), tuple(theirs))


def _paired_off(ours: list[Row], theirs: list[Row], layout: Layout, tolerance: Tolerance) -> Loose:
    left = defaultdict(list)
    for row in theirs:
        left[tuple(row[: len(layout.exact)])].append(row)
    unmatched: list[Row] = []
    for row in ours:
        group = left[tuple(row[: len(layout.exact)])]
        match = next((other for other in group if _floats_equal(row, other, layout, tolerance)), None)
        if match is None:
            unmatched.append(row)
        else:
            group.remove(match)
    return Loose(tuple(unmatched), tuple(row for group in left.values() for row in group))


def _floats_equal(row: Row, other: Row, layout: Layout, tolerance: Tolerance) -> bool:
    start = len(layout.exact)
    return all(
        tolerance.equal(a, b, column.noise)
        for column, a, b in zip(layout.floats, row[start:], other[start:], strict=True)
    )


def unique_columns(columns: Sequence[Shared], original: Summary, refactored: Summary) -> tuple[str, ...]:
    """The first column whose values are all there and all different, as a key of one; empty when there is none."""
    figures = zip(columns, original.columns, refactored.columns, strict=True)
    for column, ours, theirs in figures:
        unique = [
            s.rows > 0 and f[0] == s.rows == int(f[1] or 0)
            for s, f in ((original, ours), (refactored, theirs))
            if not column.is_float
        ]
        if any(unique):
            return (column.name,)
    return ()


def key_candidates(found: Loose, layout: Layout) -> tuple[tuple[str, ...], ...]:
    """Sets of columns that could be a key: they tell the differing rows of each side apart and pair some of them."""
    indexes = range(min(len(layout.exact), _KEY_COLUMNS))
    sets = (c for size in range(2, _KEY_SIZE + 1) for c in combinations(indexes, size))
    good = (c for c in sets if _tells_apart(found, c))
    return tuple(tuple(layout.exact[i].name for i in c) for c, _ in zip(good, range(5), strict=False))


def _tells_apart(found: Loose, indexes: tuple[int, ...]) -> bool:
    ours, theirs = ([tuple(row[i] for i in indexes) for row in rows] for rows in (found.original, found.refactored))
    return len(set(ours)) == len(ours) and len(set(theirs)) == len(theirs) and bool(set(ours) & set(theirs))


def key_query(table: Side, keys: Sequence[Sequence[str]]) -> str:
    """Count rows, and distinct values of each candidate key."""
    counts = (f"count(DISTINCT struct({', '.join(map(quote, key))})) AS k{i}" for i, key in enumerate(keys))
    return f"SELECT count(*) AS n, {', '.join(counts)} FROM {table.sql}"


def differences(
    found: Loose, layout: Layout, key: Sequence[str]
) -> tuple[tuple[CellDifference, ...], tuple[RowDifference, ...]]:
    """Pair rows by key and name the cells that differ; rows without a partner stand whole."""
    at = [layout.names.index(name) for name in key]
    ours, theirs = (_by_key(rows, at) if at else {} for rows in (found.original, found.refactored))
    paired = [k for k in ours if k in theirs and len(ours[k]) == len(theirs[k]) == 1]
    cells = [c for k in paired for c in _cells(ours[k][0], theirs[k][0], layout, key, at)]
    rest = [
        [r for r in rows if not at or _pick(r, at) not in set(paired)] for rows in (found.original, found.refactored)
    ]
    return tuple(cells), tuple(_whole_rows(rest[0], rest[1], layout))


def _by_key(rows: Iterable[Row], at: Sequence[int]) -> Mapping[tuple[Cell, ...], list[Row]]:
    found: dict[tuple[Cell, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[_pick(row, at)].append(row)
    return found


def _pick(row: Row, at: Sequence[int]) -> tuple[Cell, ...]:
    return tuple(row[i] for i in at)


def _cells(ours: Row, theirs: Row, layout: Layout, key: Sequence[str], at: Sequence[int]) -> Iterator[CellDifference]:
    named = tuple(zip(key, _pick(ours, at), strict=True))
    for name, left, right in zip(layout.names, ours, theirs, strict=True):
        if left != right:
            yield CellDifference(named, name, left, right)


def _whole_rows(ours: Iterable[Row], theirs: Iterable[Row], layout: Layout) -> Iterator[RowDifference]:
    left, right = Counter(map(tuple, ours)), Counter(map(tuple, theirs))
    for row in {**left, **right}:
        yield RowDifference(tuple(zip(layout.names, row, strict=True)), left[row], right[row])


def rows_check(differing: int, tied: int, rows: int) -> Check:
    """Say what the comparison of the rows found."""
    if tied:
        return Check(CheckKind.ROWS, True, f"{rows:,} rows; {tied:,} differ only by a tie of ROW_NUMBER")
    return Check(CheckKind.ROWS, not differing, f"{differing:,} rows differ" if differing else f"{rows:,} rows")


def conclude(comparison: TableComparison) -> Outcome:
    """A table is reconciled when every check is equal; a tie, or floats that only changed places, explain a checksum."""
    faults = {c.kind for c in comparison.checks if not c.equal}
    rows_equal = CheckKind.ROWS not in faults
    return Outcome.DIFFERS if faults - ({CheckKind.CHECKSUM} if rows_equal else set()) else Outcome.RECONCILED
