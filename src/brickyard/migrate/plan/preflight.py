"""What must hold before a notebook may run: sources present, fresh and pinned, functions there, targets understood.

Rules P1–P10. Everything is decided from what was observed; nothing is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from brickyard.dbsql.model import Kind
from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import Finding, Severity
from brickyard.migrate.model.runs import (
    Access,
    CheckRow,
    Commit,
    Confidence,
    Observed,
    Pair,
    Preflight,
    Producer,
    World,
)

# Commits that leave the rows as they are; any other operation, known or not, counts as a change of data.
_MAINTENANCE = frozenset(
    {
        "ADD COLUMNS",
        "ADD CONSTRAINT",
        "CHANGE COLUMN",
        "CHANGE COLUMNS",
        "CLUSTER BY",
        "COMPUTE STATS",
        "CREATE TABLE",
        "DROP COLUMNS",
        "DROP CONSTRAINT",
        "FSCK",
        "OPTIMIZE",
        "RENAME COLUMN",
        "REORG",
        "REPLACE COLUMNS",
        "SET TABLE PROPERTIES",
        "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES",
        "UPDATE COLUMN METADATA",
        "UPDATE SCHEMA",
        "UPGRADE PROTOCOL",
        "VACUUM END",
        "VACUUM START",
    }
)

Mapped = Callable[[TableName], TableName | None]  # the refactored name of a legacy one, by the rule pack


def check(pairs: Iterable[Pair], world: World, max_lag: timedelta, mapped: Mapped) -> Preflight:
    """Return the consolidated pre-run report of a notebook's sources, functions and targets.

    *mapped* tells which table under a refactored view stands for which table under the legacy one.
    """
    rows = tuple(_rows(tuple(pairs), world, max_lag, mapped))
    return Preflight(rows, tuple(f for row in rows for f in row.findings))


def _rows(pairs: tuple[Pair, ...], world: World, max_lag: timedelta, mapped: Mapped) -> Iterator[CheckRow]:
    for pair in pairs:
        if pair.kind is Kind.FUNCTION:
            yield _function_row(pair, world)
        elif pair.kind is Kind.PATH:
            continue
        elif pair.writes:
            yield _target_row(pair, world)
        else:
            yield _source_row(pair, world, max_lag, mapped)


# ── sources ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _source_row(pair: Pair, world: World, max_lag: timedelta, mapped: Mapped) -> CheckRow:
    seen, legacy = world.get(pair.refactored), world.get(pair.original)
    findings = (*_source_findings(pair, world, max_lag, mapped),)
    row = _row(pair, "source", seen, legacy, findings, _names(seen))
    return replace(
        row, fresh_at=oldest_change(pair.refactored, world), original_fresh_at=oldest_change(pair.original, world)
    )


def _source_findings(pair: Pair, world: World, max_lag: timedelta, mapped: Mapped) -> Iterator[Finding]:
    yield from _access(world.get(pair.refactored), pair.refactored, "source-missing")
    if pair.original.folded() != pair.refactored.folded():
        yield from _access(world.get(pair.original), pair.original, "legacy-source-missing")
    new, old = bases(pair.refactored, world), bases(pair.original, world)
    for name in sorted({*new.tables, *old.tables}):
        yield from _pinnable(world.get(name), name)
    for name in (*new.cycle, *old.cycle):
        yield _halt("view-cycle", name, f"the view {name} reads itself", "break the cycle of views")
    for name, reason in {**new.unreadable, **old.unreadable}.items():
        if name not in (pair.original, pair.refactored):
            yield _unreadable(name, reason, "source-unreadable")
    for name in {**new.missing, **old.missing}:
        if name not in (pair.original, pair.refactored):
            yield _halt(
                "source-missing", name, f"{name}, which a view reads, does not exist", "restore it or mend the view"
            )
    if pair.original.folded() != pair.refactored.folded():
        for ours, legacy in _counterparts(new, old, world, mapped):
            yield from _freshness(ours, legacy, max_lag)
            yield from _counts(ours, legacy)


def _access(seen: Observed | None, name: TableName, missing: str) -> Iterator[Finding]:
    if seen is None or seen.access is Access.MISSING:
        yield _halt(missing, name, f"{name} does not exist", "create it, or correct the mapping")
    elif seen.access is Access.UNREADABLE:
        yield _unreadable(name, seen.error, "source-unreadable")


def _unreadable(name: TableName, reason: str | None, code: str) -> Finding:
    return _halt(
        code,
        name,
        f"{name} may exist, but it cannot be read: {reason or 'no reason given'}",
        "have SELECT, USE SCHEMA and USE CATALOG granted",
    )


def _pinnable(seen: Observed | None, name: TableName) -> Iterator[Finding]:
    if seen is None or seen.access is not Access.PRESENT or seen.is_view:
        return
    if not seen.pinned:
        reason = seen.history_error or f"it is {seen.provider or 'not Delta'}"
        yield Finding(
            "source-not-pinned",
            Severity.WARN,
            f"{name} cannot be read at a fixed version ({reason}); both copies read it as it is then",
            "convert it to Delta, or stop its writers during the run",
            subject=str(name),
        )


def _counts(ours: Observed, legacy: Observed) -> Iterator[Finding]:
    if ours.rows is not None and legacy.rows is not None and ours.rows != legacy.rows:
        yield Finding(
            "source-counts-differ",
            Severity.WARN,
            f"{ours.name} has {ours.rows:,} rows, {legacy.name} has {legacy.rows:,}: results may differ for that alone",
            "bring the two sources level before you judge the results",
            subject=str(ours.name),
        )


# ── views and their base tables ──────────────────────────────────────────────────────────────────────────────────────


class Bases:
    """The tables under a view, at any depth, and what could not be followed. A table stands for itself."""

    def __init__(self) -> None:
        self.tables: list[TableName] = []
        self.cycle: list[TableName] = []
        self.missing: dict[TableName, None] = {}
        self.unreadable: dict[TableName, str | None] = {}


def bases(name: TableName, world: World) -> Bases:
    """Follow a view down to its base tables."""
    found = Bases()
    _follow(name, world, found, ())
    return found


def _follow(name: TableName, world: World, found: Bases, path: tuple[TableName, ...]) -> None:
    seen = world.get(name)
    if name.folded() in path:
        found.cycle.append(name)
    elif seen is None or seen.access is Access.MISSING:
        found.missing[name] = None
    elif seen.access is Access.UNREADABLE:
        found.unreadable[name] = seen.error
    elif seen.is_view:
        for base in seen.bases:
            _follow(base, world, found, (*path, name.folded()))
    elif name not in found.tables:
        found.tables.append(name)


# ── freshness ────────────────────────────────────────────────────────────────────────────────────────────────────────


def changes(history: Iterable[Commit]) -> tuple[Commit, ...]:
    """The commits that changed rows, newest first."""
    return tuple(
        sorted((c for c in history if c.operation.upper() not in _MAINTENANCE), key=lambda c: c.version, reverse=True)
    )


def producer(commit: Commit) -> Producer:
    """Who made a commit: the job before the notebook before the user."""
    if commit.job_id:
        return Producer("job", commit.job_id, commit.job_name)
    if commit.notebook_id:
        return Producer("notebook", commit.notebook_id)
    return Producer("user", commit.user or "unknown")


def lacking(old: Observed, new: Observed) -> tuple[Producer, ...]:
    """The jobs and notebooks that changed the legacy table and never wrote the new one."""
    known = _identities(changes(new.history or ())) | {(p.kind, p.id) for p in new.lineage}
    wanted = {producer(c): c for c in uncovered(old, new) if c.job_id or c.notebook_id}
    return tuple(sorted(p for p, commit in wanted.items() if not _identities((commit,)) & known))


def uncovered(old: Observed, new: Observed) -> tuple[Commit, ...]:
    """The legacy table's changes that a clone of it onto the new table does not already hold."""
    cloned = [
        c.clone_version
        for c in new.history or ()
        if c.clone_version is not None and c.clone_source and _same(c.clone_source, old.name)
    ]
    return tuple(c for c in changes(old.history or ()) if c.version > max(cloned, default=-1))


def lag(old: Observed, new: Observed) -> timedelta:
    """How much later the legacy table's last change is than the new table's."""
    late, ours = uncovered(old, new), changes(new.history or ())
    if not late or not ours:
        return timedelta(0)
    return max(late[0].at - ours[0].at, timedelta(0))


def _same(text: str, name: TableName) -> bool:
    parts = text.replace("`", "").lower().split(".")
    return parts[-2:] == [name.schema.lower(), name.name.lower()]


def _identities(commits: Iterable[Commit]) -> set[tuple[str, str]]:
    jobs = {("job", c.job_id) for c in commits if c.job_id}
    return jobs | {("notebook", c.notebook_id) for c in commits if c.notebook_id}


def _freshness(ours: Observed, legacy: Observed, max_lag: timedelta) -> Iterator[Finding]:
    """Compare one base table with its legacy counterpart; a view is as fresh as its oldest base."""
    if ours.history is None or legacy.history is None:
        yield _unknown_freshness(ours, legacy)
    elif missing := lacking(legacy, ours):
        yield _stale(ours, legacy, f"{_list(missing)} wrote {legacy.name} and never wrote {ours.name}")
    elif (late := lag(legacy, ours)) > max_lag:
        why = f"{legacy.name} was changed {_span(late)} after {ours.name}, more than {_span(max_lag)}"
        yield _stale(ours, legacy, why)


def _counterparts(new: Bases, old: Bases, world: World, mapped: Mapped) -> Iterator[tuple[Observed, Observed]]:
    """Pair the base tables of both sides by the rule pack; one with one whatever they are called."""
    if len(new.tables) == len(old.tables) == 1:
        pairs = [(new.tables[0], old.tables[0])]
    else:
        pairs = [(n, o) for o in old.tables for n in new.tables if (m := mapped(o)) and m.folded() == n.folded()]
    for name, legacy in pairs:
        ours, theirs = world.get(name), world.get(legacy)
        if ours and theirs and name.folded() != legacy.folded():
            yield ours, theirs


def _stale(ours: Observed, legacy: Observed, why: str) -> Finding:
    return _halt(
        "source-stale",
        ours.name,
        f"{ours.name} is stale: {why}",
        f"migrate the producers of {legacy.name} first, or bring {ours.name} level and raise max_lag",
    )


def _unknown_freshness(ours: Observed, legacy: Observed) -> Finding:
    blind = ours if ours.history is None else legacy
    return Finding(
        "freshness-unknown",
        Severity.WARN,
        f"whether {ours.name} is as fresh as {legacy.name} is not known: {blind.history_error or 'no history'}",
        "compare the two by hand, or give the run the right to read both histories",
        subject=str(ours.name),
    )


# ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _function_row(pair: Pair, world: World) -> CheckRow:
    seen = world.function(pair.refactored)
    legacy = world.function(pair.original)
    findings = (*_function_findings(seen, pair.refactored),)
    return _row(pair, "function", seen, legacy, findings, ())


def _function_findings(seen: Observed | None, name: TableName) -> Iterator[Finding]:
    if seen is None or seen.access is Access.MISSING:
        yield _halt(
            "function-missing", name, f"the function {name} does not exist", "create it, or correct the mapping"
        )
    elif seen.access is Access.UNREADABLE:
        yield _unreadable(name, seen.error, "function-unreadable")


# ── targets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _target_row(pair: Pair, world: World) -> CheckRow:
    seen, legacy = world.get(pair.refactored), world.get(pair.original)
    findings = (*_target_findings(pair, world),)
    writers = tuple(map(str, _writers(legacy)))
    return _row(pair, "target", seen, legacy, findings, writers)


def _target_findings(pair: Pair, world: World) -> Iterator[Finding]:
    legacy = world.get(pair.original)
    if legacy and legacy.access is Access.UNREADABLE:
        yield _unreadable(pair.original, legacy.error, "target-unreadable")
    elif needs_clone(pair) and (legacy is None or legacy.access is Access.MISSING):
        yield _halt(
            "target-missing",
            pair.original,
            f"the notebook changes {pair.original}, which does not exist, and does not create it first",
            "correct the name, or create the table",
        )
    elif needs_clone(pair) and legacy and not legacy.pinned:
        yield _halt(
            "target-not-pinned",
            pair.original,
            f"{pair.original} cannot be cloned at a fixed version ({legacy.history_error or legacy.provider or 'not Delta'})",
            "convert it to Delta",
        )
    if legacy and legacy.history:
        yield from _provenance(legacy, world.jobs)


def needs_clone(pair: Pair) -> bool:
    """Tell whether the notebook changes a table that must be there already; what it creates itself needs no clone."""
    return pair.writes and pair.kind is not Kind.PATH and not creates(pair.verbs)


def creates(verbs: tuple[str, ...]) -> bool:
    """Tell whether the first writing statement makes the table anew, whatever was there before."""
    first = verbs[0].upper() if verbs else ""
    if first.startswith("CREATE TABLE IF NOT EXISTS"):
        return False
    return first.startswith(("CREATE", "REPLACE", "DROP")) or first in (
        "SAVEASTABLE OVERWRITE",
        "WRITETO CREATEORREPLACE",
    )


_WHOLE = ("TRUNCATE", "INSERT OVERWRITE", "INSERTINTO OVERWRITE")


def replaces_all(verbs: tuple[str, ...]) -> bool:
    """Tell whether the rows after the notebook owe nothing to the rows before it."""
    return creates(verbs) or (bool(verbs) and verbs[0].upper() in _WHOLE)


def _writers(legacy: Observed | None) -> tuple[Producer, ...]:
    return tuple(sorted({producer(c) for c in changes(legacy.history or ())})) if legacy else ()


def _provenance(legacy: Observed, jobs: Collection[str] | None) -> Iterator[Finding]:
    writers = _writers(legacy)
    if len(writers) > 1:
        yield Finding(
            "target-several-writers",
            Severity.WARN,
            f"{len(writers)} producers write {legacy.name} ({_list(writers)}): its rows are not this notebook's alone",
            "judge differences with the other writers in mind, and migrate them too",
            subject=str(legacy.name),
        )
    if jobs is not None:
        for job in (w for w in writers if w.kind == "job"):
            yield _known_job(job, legacy) if job.id in jobs else _unknown_job(job, legacy)


def _known_job(job: Producer, legacy: Observed) -> Finding:
    return Finding(
        "target-writer-found",
        Severity.INFO,
        f"{job}, which writes {legacy.name}, exists in this workspace",
        "point it at the refactored notebook when you cut over",
        subject=str(legacy.name),
    )


def _unknown_job(job: Producer, legacy: Observed) -> Finding:
    return Finding(
        "target-writer-gone",
        Severity.WARN,
        f"{job} wrote {legacy.name} and is not in this workspace: this notebook may replace it, or the flow has changed",
        "find out who owns it; logic that is not in this notebook will be missing",
        subject=str(legacy.name),
    )


# ── onto targets ─────────────────────────────────────────────────────────────────────────────────────────────────────


def refuse_onto(pairs: Iterable[Pair], world: World) -> tuple[Finding, ...]:
    """Refuse to clone onto refactored names that exist and are not a run's own clones."""
    targets = ((p, world.get(p.refactored)) for p in pairs if p.writes and p.kind is not Kind.PATH)
    return tuple(
        _halt(
            "target-has-history",
            pair.refactored,
            f"{pair.refactored} exists and has a history of its own; cloning onto it would replace its rows",
            "leave out --onto-targets for a rehearsal, or add --replace",
        )
        for pair, seen in targets
        if seen and seen.access is not Access.MISSING and not seen.owner_run
    )


# ── small words ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _row(
    pair: Pair,
    side: str,
    seen: Observed | None,
    legacy: Observed | None,
    findings: tuple[Finding, ...],
    producers: tuple[str, ...],
) -> CheckRow:
    shown = seen if seen and seen.access is Access.PRESENT else legacy if side == "target" else seen
    return CheckRow(
        name=str(pair.refactored),
        original=str(pair.original),
        side=side,
        type=shown.type if shown else None,
        owner=shown.owner if shown else None,
        created_at=shown.created_at if shown else None,
        modified_at=shown.modified_at if shown else None,
        rows=seen.rows if seen else None,
        original_rows=legacy.rows if legacy else None,
        version=seen.version if seen else None,
        original_version=legacy.version if legacy else None,
        confidence=_confidence(findings),
        findings=findings,
        producers=producers,
    )


def _confidence(findings: tuple[Finding, ...]) -> Confidence:
    if any(f.severity is Severity.HALT for f in findings):
        return Confidence.CRITICAL
    if any(f.code in ("source-not-pinned", "freshness-unknown") for f in findings):
        return Confidence.LOW
    return Confidence.MEDIUM if any(f.severity is Severity.WARN for f in findings) else Confidence.HIGH


def _names(seen: Observed | None) -> tuple[str, ...]:
    if seen is None:
        return ()
    return tuple(map(str, sorted({producer(c) for c in changes(seen.history or ())} | set(seen.lineage))))


def _halt(code: str, name: TableName, message: str, remedy: str) -> Finding:
    return Finding(code, Severity.HALT, message, remedy, subject=str(name))


def _list(producers: Iterable[Producer]) -> str:
    return ", ".join(map(str, producers))


def _span(time: timedelta) -> str:
    hours, seconds = divmod(int(time.total_seconds()), 3600)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {seconds // 60} min"


def oldest_change(name: TableName, world: World) -> datetime | None:
    """When a source last changed; for a view, the oldest of its base tables' last changes."""
    seen = (world.get(t) for t in bases(name, world).tables)
    newest = [changes(o.history)[0].at for o in seen if o and o.history and changes(o.history)]
    return min(newest, default=None)


def pins(world: World) -> Mapping[TableName, int]:
    """The version at which each table is read and cloned."""
    return {o.name: o.version for o in world.objects if o.version is not None and not o.is_view}
