"""The worklist of a folder: which notebooks are ready, and in which order, writers before readers."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from brickyard.dbsql.model import Kind, Side
from brickyard.migrate.model.inputs import MAPPING_COLUMNS
from brickyard.migrate.model.nouns import NotebookPlan, ReferenceRow, Severity

Graph = Mapping[str, set[str]]


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One notebook of the worklist; `after` are the notebooks that write what it reads, `cycle` numbers its cycle."""

    order: int
    path: str
    outcome: str
    halts: int
    warnings: int
    infos: int
    after: tuple[str, ...]
    cycle: int | None


def worklist(plans: Sequence[NotebookPlan]) -> tuple[WorkItem, ...]:
    """Order the notebooks so that each comes after those that write what it reads; cycles stay together."""
    before = _writers_of(plans)
    groups = _components(before)
    by_path = {plan.path: plan for plan in plans}
    cycles = {path: n for n, group in enumerate((g for g in groups if len(g) > 1), 1) for path in group}
    ordered = [path for group in groups for path in sorted(group)]
    return tuple(_item(n, by_path[path], before, cycles.get(path)) for n, path in enumerate(ordered, 1))


def _item(order: int, plan: NotebookPlan, before: Graph, cycle: int | None) -> WorkItem:
    count = Counter(finding.severity for finding in plan.findings)
    return WorkItem(
        order=order,
        path=plan.path,
        outcome=plan.readiness.value,
        halts=count[Severity.HALT],
        warnings=count[Severity.WARN],
        infos=count[Severity.INFO],
        after=tuple(sorted(before[plan.path])),
        cycle=cycle,
    )


def _writers_of(plans: Sequence[NotebookPlan]) -> dict[str, set[str]]:
    """For each notebook, the others that write something it reads."""
    writers: dict[str, set[str]] = {}
    for plan in plans:
        for row in plan.references:
            if row.original and row.kind is not Kind.FUNCTION and row.side is not Side.READ:
                writers.setdefault(row.original.lower(), set()).add(plan.path)
    return {
        plan.path: {w for name in _read(plan.references) for w in writers.get(name, ())} - {plan.path} for plan in plans
    }


def _read(rows: Iterable[ReferenceRow]) -> set[str]:
    return {row.original.lower() for row in rows if row.original and row.side is not Side.WRITE}


def _components(before: Graph) -> list[list[str]]:
    """The strongly connected groups of notebooks, each after those it depends on (Tarjan's algorithm, iterative)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for root in sorted(before):
        if root in index:
            continue
        work = [(root, iter(sorted(before[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    found.append(stack[at:])
                    del stack[at:]
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                work.append((following, iter(sorted(before[following]))))
            elif following in stack:
                low[node] = min(low[node], index[following])
    return found


def mapping_csv(plans: Iterable[NotebookPlan]) -> str:
    """The mapping of original to refactored names, each pair once."""
    pairs = {(r.original, r.refactored) for p in plans for r in p.references if r.original and r.kind is not Kind.PATH}
    rows = [
        (original, refactored or "")
        for original, refactored in sorted(pairs, key=lambda pair: (pair[0], pair[1] or ""))
    ]
    return _csv(("original_3_level", "refactored_3_level"), rows)


def template_csv(plans: Iterable[NotebookPlan]) -> str:
    """The names that no rule maps, most used first, as a mapping file with the targets left to fill in."""
    counts: Counter[tuple[str, str]] = Counter()
    for plan in plans:
        for row in plan.references:
            if row.original and row.refactored is None and row.kind is not Kind.PATH:
                _, schema, table = row.original.split(".", 2)
                counts[schema, table] += 1
    rows = [
        ("", "", schema, "", table, "", str(n))
        for (schema, table), n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return _csv((*MAPPING_COLUMNS, "count"), rows)


def worklist_csv(items: Iterable[WorkItem]) -> str:
    """The worklist as CSV."""
    rows = [
        (
            str(i.order),
            i.path,
            i.outcome,
            str(i.halts),
            str(i.warnings),
            str(i.infos),
            " ".join(i.after),
            str(i.cycle or ""),
        )
        for i in items
    ]
    return _csv(("order", "notebook", "outcome", "halts", "warnings", "infos", "after", "cycle"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
