"""Compiling contracts: every column resolved, and every fault that would make a wrong or a silent table refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brickyard.health.model import source as sources
from brickyard.health.model.compiled import AUDIT, HISTORY, GoldColumn, GoldTable
from brickyard.health.model.contract import Column, Contract, Copy, Flatten, Kind
from brickyard.health.model.reading import Path, Read, read_all
from brickyard.health.model.source import Leaf, Source
from brickyard.health.plan import checks, expressions, text
from brickyard.health.plan.checks import Fault
from brickyard.kernel.errors import Problem, SpecInvalid

Lookup = Callable[[str], Source | None]


@dataclass(frozen=True, slots=True)
class Gold:
    """All compiled tables, by name, in the order in which they can be built."""

    tables: Mapping[str, GoldTable]

    def __getitem__(self, table: str) -> GoldTable:
        return self.tables[table]

    def __iter__(self) -> Iterator[GoldTable]:
        return iter(self.tables.values())

    @property
    def main(self) -> tuple[GoldTable, ...]:
        """The tables of the requirements, without the companions."""
        return tuple(table for table in self if not table.contract.auxiliary)


def described(name: str) -> Source | None:
    """Return the description of a source, or None when there is none."""
    return sources.load(name) if name in sources.names() else None


def compile_all(reads: Sequence[Read] | None = None, lookup: Lookup = described) -> Gold:
    """Compile contracts (the package's own by default), or raise SpecInvalid with every fault, its file and line."""
    found = tuple(read_all() if reads is None else reads)
    faults: list[Problem] = []
    tables: dict[str, GoldTable] = {}
    for one in found:
        table, wrong = compile_one(one.contract, lookup)
        faults += [_problem(one, fault) for fault in wrong]
        if one.contract.table not in tables:
            tables[one.contract.table] = table
    for one in found:
        faults += [_problem(one, fault) for fault in checks.between(one.contract, found, tables)]
    if faults:
        raise SpecInvalid("the contracts have faults", code="contract-invalid", problems=tuple(faults))
    return Gold(_ordered(tables))


def _problem(one: Read, fault: Fault) -> Problem:
    return Problem(fault.message, one.where(fault.path), fault.remedy)


def compile_one(contract: Contract, lookup: Lookup = described) -> tuple[GoldTable, tuple[Fault, ...]]:
    """Resolve the columns of one contract; also return the faults that need no other contract to be seen."""
    source = lookup(contract.source) if contract.source else None
    if contract.source and source is None:
        fault = Fault(("source",), f"source {contract.source} is not described", "add its file to system_tables")
        return GoldTable(contract, None, (), _hash(contract)), (fault,)
    faults: list[Fault] = []
    columns = tuple(_columns(contract, source, faults))
    table = GoldTable(contract, source, (*columns, *_added(contract)), _hash(contract))
    return table, (*faults, *checks.alone(table))


def _added(contract: Contract) -> Iterator[GoldColumn]:
    for column in contract.enrich.columns if contract.enrich else ():
        reads = tuple(sorted(expressions.read(text.macros(column.expr)).columns))
        yield GoldColumn(column.name, column.type, "", column.comment, reads, origin="enriched")
    if contract.kind is Kind.DIM_SCD2:
        for name, kind, comment in HISTORY:
            yield GoldColumn(name, kind, "", comment, origin="history", not_null=name != "valid_to")
    for name, kind, comment in AUDIT:
        yield GoldColumn(name, kind, "", comment, origin="audit", not_null=True)


def _columns(contract: Contract, source: Source | None, faults: list[Fault]) -> Iterator[GoldColumn]:
    for at, entry in enumerate(contract.columns):
        path: Path = ("columns", at)
        match entry:
            case Copy(columns=wanted):
                yield from _copied(wanted, source, path, faults)
            case Flatten():
                yield from _flattened(entry, source, path, faults)
            case Column():
                yield from _one(entry, contract, source, path, faults)


def _copied(wanted: tuple[str, ...], source: Source | None, path: Path, faults: list[Fault]) -> Iterator[GoldColumn]:
    for name in wanted:
        leaf = source.leaf(name) if source else None
        if leaf is None:
            faults.append(_no_leaf(name, source, path))
        else:
            yield GoldColumn(name, leaf.type, text.quote(name), leaf.comment, (name,))


def _no_leaf(name: str, source: Source | None, path: Path) -> Fault:
    known = [leaf.column for leaf in source.leaves] if source else []
    return Fault(path, f"the source has no column {name}", checks.nearest(name, known))


def _flattened(entry: Flatten, source: Source | None, path: Path, faults: list[Fault]) -> Iterator[GoldColumn]:
    root = tuple(entry.struct.split("."))
    prefix = "_".join(root) + "_" if entry.prefix is None else entry.prefix
    found = [leaf for leaf in (source.leaves if source else ()) if leaf.path[: len(root)] == root]
    if not found:
        faults.append(Fault(path, f"the source has no struct {entry.struct}"))
    for leaf in found:
        inner = "_".join(leaf.path[len(root) :])
        if not entry.only or inner in entry.only:
            yield _taken(leaf, entry.rename.get(inner, prefix + inner))


def _taken(leaf: Leaf, name: str) -> GoldColumn:
    return GoldColumn(name.lower(), leaf.type, text.quote(leaf.column), leaf.comment, (leaf.column,))


def _one(
    entry: Column, contract: Contract, source: Source | None, path: Path, faults: list[Fault]
) -> Iterator[GoldColumn]:
    if (entry.source is None) == (entry.expr is None):
        faults.append(Fault(path, f"{entry.name} needs either `from` or `expr`"))
        return
    if entry.source is not None:
        yield from _from(entry, entry.source, contract, source, path, faults)
        return
    if entry.type is None or entry.comment is None:
        faults.append(Fault(path, f"{entry.name} is computed and needs a type and a comment"))
        return
    sql = text.macros(entry.expr or "")
    try:
        reads = expressions.read(sql).columns
    except expressions.Unreadable:
        return  # told by the check of all expressions
    yield GoldColumn(
        entry.name,
        entry.type,
        f"{'try_cast' if entry.narrow else 'cast'}({sql} as {entry.type})",
        entry.comment,
        tuple(sorted(reads)),
        entry.not_null,
        entry.narrow is not None,
        whole=sql if entry.narrow else "",
    )


def _from(
    entry: Column, origin: str, contract: Contract, source: Source | None, path: Path, faults: list[Fault]
) -> Iterator[GoldColumn]:
    leaf = source.leaf(origin) if source else None
    if leaf is None and not contract.rows:
        faults.append(_no_leaf(origin, source, path))
        return
    kind = entry.type or (leaf.type if leaf else None)
    if kind is None or (leaf is None and entry.comment is None):
        faults.append(Fault(path, f"{entry.name} comes from `rows` and needs a type and a comment"))
        return
    if leaf:
        faults += checks.narrowed(entry, leaf, path)
    sql = text.quote(origin)
    if leaf is None or kind.lower() != leaf.type.lower():
        sql = f"try_cast({sql} as {kind})" if entry.narrow else f"cast({sql} as {kind})"
    comment = entry.comment or (leaf.comment if leaf else "")
    yield GoldColumn(entry.name, kind, sql, comment, (origin,), entry.not_null, entry.narrow is not None)


def _hash(contract: Contract) -> str:
    plain = json.dumps(contract.model_dump(mode="json", by_alias=True), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def depends_on(contract: Contract) -> tuple[str, ...]:
    """Return the gold tables that must be built before this one: those that it looks up and those that it points to."""
    joined = [join.to for join in contract.enrich.joins] if contract.enrich else []
    read = checks.tables_in(contract.rows or "")
    pointed = [reference.to for reference in contract.references if reference.to != contract.table]
    return tuple(dict.fromkeys([*joined, *read, *pointed]))


def _ordered(tables: Mapping[str, GoldTable]) -> dict[str, GoldTable]:
    """Sort by dependency, then by name; a circle of references is cut where it was entered."""
    done: dict[str, GoldTable] = {}
    entered: set[str] = set()

    def visit(name: str) -> None:
        if name in entered or name not in tables:
            return
        entered.add(name)
        for other in depends_on(tables[name].contract):
            visit(other)
        done[name] = tables[name]

    for name in sorted(tables):
        visit(name)
    return done
