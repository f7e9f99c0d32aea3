"""Reads the workspace for migrate: tables, views, functions, histories, lineage, jobs, notebooks, runs.

What cannot be read is never taken for what is not there: each answer says which of the two it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from brickyard.dbsql.model import Kind
from brickyard.kernel.errors import BrickyardError, NotFound, WorkspaceRefused
from brickyard.kernel.names import TableName
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import (
    Access,
    Column,
    Commit,
    Observed,
    Pair,
    Producer,
    TableComparison,
    TaskResult,
    World,
)
from brickyard.migrate.plan import reconcile, ties
from brickyard.migrate.plan.isolate import Canonical, view_bases
from brickyard.migrate.plan.preflight import replaces_all
from brickyard.migrate.plan.reconcile import Side, Summary, Tolerance
from brickyard.migrate.plan.ties import Tie
from brickyard.workspace import Rows, run_sql, translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run

_AT_ONCE = 4
_DETAILS = ("# Detailed Table Information", "# Detailed View Information")
_ABSENT_FUNCTION = ("UNRESOLVED_ROUTINE", "ROUTINE_NOT_FOUND")


@dataclass(frozen=True, slots=True)
class Eyes:
    """How to look: a client, and the warehouse for SQL (any running one when None)."""

    client: WorkspaceClient
    warehouse: str | None = None
    tick: Callable[[], None] | None = None  # called while a statement runs; may raise to have it cancelled
    sent: Callable[[str], None] | None = None  # is told the id of each statement that is on its way

    def sql(self, statement: str, **parameters: Any) -> Rows:
        """Run one statement."""
        return run_sql(self.client, statement, parameters or None, self.warehouse, self._progress)

    def _progress(self, statement: str, _state: str) -> None:
        if self.sent:
            self.sent(statement)
        if self.tick:
            self.tick()


# ── the world of a notebook ──────────────────────────────────────────────────────────────────────────────────────────


def world(eyes: Eyes, pairs: Sequence[Pair], at: datetime, canonical: Canonical) -> World:
    """Look at everything a notebook names under both names, and at everything under its views.

    What a view calls by another catalog's name is looked at under its *canonical* one.
    """
    names = [n for p in pairs if p.kind is not Kind.FUNCTION for n in (p.original, p.refactored)]
    functions = [n for p in pairs if p.kind is Kind.FUNCTION for n in (p.original, p.refactored)]
    objects = _closure(eyes, names, canonical)
    lineage = _lineage(eyes, [o.name for o in objects])
    return World(
        objects=tuple(replace(o, lineage=lineage.get(str(o.name).lower(), ())) for o in objects),
        functions=tuple(_together(lambda name: function(eyes, name), functions)),
        jobs=job_ids(eyes),
        user=user_name(eyes),
        at=at,
    )


def _closure(eyes: Eyes, names: Iterable[TableName], canonical: Canonical) -> list[Observed]:
    """Look at the names, then at what the views among them read, until nothing is new."""
    found: dict[TableName, Observed] = {}
    wanted = {name.folded(): name for name in names}
    while wanted:
        looked = _together(lambda name: table(eyes, name), wanted.values())
        seen = [replace(o, bases=tuple(map(canonical, o.bases))) for o in looked]
        found |= {o.name.folded(): o for o in seen}
        bases = {base.folded(): base for o in seen for base in o.bases}
        wanted = {key: name for key, name in bases.items() if key not in found}
    return list(found.values())


def _together(look: Callable[[TableName], Observed], names: Iterable[TableName]) -> list[Observed]:
    unique = list({name.folded(): name for name in names}.values())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(look, unique))


# ── tables and views ─────────────────────────────────────────────────────────────────────────────────────────────────


def table(eyes: Eyes, name: TableName) -> Observed:
    """Look at a table or view: what it is, its columns, its history and its rows at its newest version."""
    seen = describe(eyes, name)
    if seen.access is not Access.PRESENT or seen.is_view:
        return seen
    seen = _with_history(eyes, seen)
    return _with_rows(eyes, seen)


def describe(eyes: Eyes, name: TableName) -> Observed:
    """Describe a table or view, or say whether it is missing or unreadable."""
    try:
        rows = eyes.sql(f"DESCRIBE TABLE EXTENDED {name.sql}")
    except NotFound as error:
        return Observed(name, Access.MISSING, error=error.message)
    except WorkspaceRefused as error:
        return Observed(name, Access.UNREADABLE, error=_forbidden_or_raise(error).message)
    return _described(name, rows)


def _forbidden_or_raise(error: WorkspaceRefused) -> WorkspaceRefused:
    if error.status != 403:
        raise error
    return error


def _described(name: TableName, rows: Rows) -> Observed:
    columns, details = _sections(rows)
    kind = Kind.VIEW if "VIEW" in details.get("Type", "").upper() else Kind.TABLE
    text = details.get("View Text") or details.get("View Original Text")
    catalog, schema = _namespace(details.get("View Catalog and Namespace"), name)
    return Observed(
        name,
        Access.PRESENT,
        kind=kind,
        type=details.get("Type"),
        provider=details.get("Provider"),
        owner=details.get("Owner"),
        created_at=details.get("Created Time"),
        columns=columns,
        view_text=text,
        view_catalog=catalog,
        view_schema=schema,
        bases=view_bases(text, catalog, schema) if text and kind is Kind.VIEW else (),
        properties=tuple(sorted(_properties(details.get("Table Properties", "")).items())),
    )


def _sections(rows: Rows) -> tuple[tuple[Column, ...], dict[str, str]]:
    """Split the answer of DESCRIBE TABLE EXTENDED into columns and details; other sections repeat what is in them."""
    columns: list[Column] = []
    details: dict[str, str] = {}
    section = "columns"
    for name, text, *_ in rows:
        if not name or str(name).startswith("#"):
            section = "details" if name in _DETAILS else section if name == "# col_name" else ""
        elif section == "columns":
            columns.append(Column(str(name), str(text).lower()))
        elif section == "details":
            details[str(name)] = str(text) if text is not None else ""
    return tuple(columns), details


def _namespace(text: str | None, name: TableName) -> tuple[str, str]:
    """Where a view's short names point: what the workspace says, or beside the view itself."""
    parts = [p.strip("`") for p in (text or "").split(".")]
    return (parts[0], parts[1]) if len(parts) == 2 and all(parts) else (name.catalog, name.schema)


def _properties(text: str) -> dict[str, str]:
    """Read `[a=1,b=2]`."""
    pairs = (part.partition("=") for part in re.split(r",\s*(?=[\w.]+=)", text.strip("[]")))
    return {key.strip(): value for key, _, value in pairs if key.strip()}


# ── history ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def history(eyes: Eyes, name: TableName, limit: int | None = None) -> tuple[Commit, ...]:
    """Return a table's commits, newest first; raises WorkspaceRefused where it has none to show."""
    rows = eyes.sql(f"DESCRIBE HISTORY {name.sql}" + (f" LIMIT {limit}" if limit else ""))
    return tuple(_commit(row) for row in rows.dicts())


def _with_history(eyes: Eyes, seen: Observed) -> Observed:
    try:
        commits = history(eyes, seen.name)
    except NotFound as error:
        return replace(seen, history_error=error.message)
    except WorkspaceRefused as error:
        return replace(seen, history_error=error.message)
    newest = max(commits, key=lambda c: c.version, default=None)
    modified = newest.at.isoformat() if newest else None
    return replace(seen, history=commits, version=newest.version if newest else None, modified_at=modified)


def _commit(row: Mapping[str, Any]) -> Commit:
    job, notebook = _object(row.get("job")), _object(row.get("notebook"))
    parameters = _object(row.get("operationParameters"))
    cloned = str(row["operation"]).upper() == "CLONE"
    version = parameters.get("sourceVersion")
    return Commit(
        version=int(row["version"]),
        at=_utc(row["timestamp"]),
        operation=str(row["operation"]),
        user=row.get("userName"),
        job_id=_text(job.get("jobId")),
        job_name=_text(job.get("jobName")),
        job_run_id=_text(job.get("jobRunId") or job.get("runId")),
        notebook_id=_text(notebook.get("notebookId")),
        clone_source=_text(parameters.get("source")) if cloned else None,
        clone_version=int(version) if cloned and version not in (None, "") else None,
    )


def _object(value: Any) -> dict[str, Any]:
    """Read a struct or map, which SQL answers as JSON text."""
    found = json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value).strip('"')


def _utc(value: Any) -> datetime:
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _with_rows(eyes: Eyes, seen: Observed) -> Observed:
    version = f" VERSION AS OF {seen.version}" if seen.version is not None else ""
    try:
        return replace(seen, rows=int(eyes.sql(f"SELECT count(*) FROM {seen.name.sql}{version}").scalar()))
    except WorkspaceRefused as error:
        return replace(seen, access=Access.UNREADABLE, error=_forbidden_or_raise(error).message)


# ── functions, lineage, jobs, the user ───────────────────────────────────────────────────────────────────────────────


def function(eyes: Eyes, name: TableName) -> Observed:
    """Look whether a function exists."""
    try:
        rows = eyes.sql(f"DESCRIBE FUNCTION {name.sql}")
    except NotFound as error:
        return Observed(name, Access.MISSING, Kind.FUNCTION, error=error.message)
    except WorkspaceRefused as error:
        if (error.databricks_code or "").startswith(_ABSENT_FUNCTION):
            return Observed(name, Access.MISSING, Kind.FUNCTION, error=error.message)
        return Observed(name, Access.UNREADABLE, Kind.FUNCTION, error=_forbidden_or_raise(error).message)
    words = " ".join(str(row[0]) for row in rows)
    return Observed(name, Access.MISSING if "not found" in words.lower() else Access.PRESENT, Kind.FUNCTION)


def _lineage(eyes: Eyes, names: Sequence[TableName]) -> dict[str, tuple[Producer, ...]]:
    """Return who wrote each table by `system.access.table_lineage`; nothing where that cannot be read."""
    if not names:
        return {}
    markers = {f"n{i}": str(name) for i, name in enumerate(names)}
    statement = (
        "SELECT DISTINCT target_table_full_name, entity_type, entity_id, entity_metadata.notebook_id "
        f"FROM system.access.table_lineage WHERE target_table_full_name IN ({', '.join(f':{m}' for m in markers)})"
    )
    try:
        rows = eyes.sql(statement, **markers)
    except (NotFound, WorkspaceRefused):
        return {}  # the system tables are off or closed in many workspaces; histories alone then decide
    found: dict[str, set[Producer]] = {}
    for target, kind, entity, notebook in rows:
        found.setdefault(str(target).lower(), set()).update(_writers(kind, entity, notebook))
    return {name: tuple(sorted(writers)) for name, writers in found.items()}


def _writers(kind: str | None, entity: Any, notebook: Any) -> Iterator[Producer]:
    if kind in ("JOB", "NOTEBOOK") and entity:
        yield Producer(kind.lower(), str(entity))
    if notebook:
        yield Producer("notebook", str(notebook))


def job_ids(eyes: Eyes) -> tuple[str, ...] | None:
    """Return the ids of all jobs of the workspace, or None where they may not be listed."""
    try:
        with translated("list the jobs"):
            return tuple(str(job.job_id) for job in eyes.client.jobs.list())
    except WorkspaceRefused as error:
        _forbidden_or_raise(error)
        return None


def user_name(eyes: Eyes) -> str:
    """Return who we are in the workspace."""
    with translated("ask who we are"):
        return eyes.client.current_user.me().user_name or "unknown"


def job_parameters(eyes: Eyes, name_or_id: str, path: str) -> dict[str, str]:
    """Return the widget values that a job gives the notebook at *path*, or raise NotFound.

    Job parameters count for every notebook of the job; a task's own base parameters come before them. A task is the
    notebook's when its path ends with the notebook's name.
    """
    with translated(f"read job {name_or_id}"):
        job = eyes.client.jobs.get(_job_id(eyes, name_or_id))
    settings = job.settings
    values = {p.name: p.default for p in (settings.parameters if settings else None) or []}
    for task in (settings.tasks if settings else None) or []:
        if task.notebook_task and _stem(task.notebook_task.notebook_path) == _stem(path):
            values |= task.notebook_task.base_parameters or {}
    return {name: str(value) for name, value in values.items()}


def _job_id(eyes: Eyes, name_or_id: str) -> int:
    if name_or_id.isdigit():
        return int(name_or_id)
    found = [j.job_id for j in eyes.client.jobs.list(name=name_or_id) if j.job_id]
    if len(found) != 1:
        problem = "no job has" if not found else f"{len(found)} jobs have"
        raise NotFound(f"{problem} the name {name_or_id!r}", code="job-not-found", remedy="give the job's id")
    return found[0]


def _stem(path: str) -> str:
    return re.sub(r"\.(py|sql|ipynb|scala|r)$", "", path.rsplit("/", 1)[-1].lower())


# ── notebooks in the workspace ───────────────────────────────────────────────────────────────────────────────────────


def notebooks(client: WorkspaceClient, path: str) -> tuple[tuple[str, bytes], ...]:
    """Return the notebook at a workspace path, or every notebook below a folder, as relative paths and their bytes."""
    from databricks.sdk.service.workspace import ObjectType

    with translated(f"read {path}"):
        status = client.workspace.get_status(path)
        if status.object_type is ObjectType.NOTEBOOK:
            return (_export(client, path, path.rsplit("/", 1)[0]),)
        found = [o for o in client.workspace.list(path, recursive=True) if o.object_type is ObjectType.NOTEBOOK]
        return tuple(_export(client, o.path or "", path) for o in sorted(found, key=lambda o: o.path or ""))


def _export(client: WorkspaceClient, path: str, root: str) -> tuple[str, bytes]:
    from base64 import b64decode

    from databricks.sdk.service.workspace import ExportFormat

    exported = client.workspace.export(path, format=ExportFormat.SOURCE)
    suffix = f".{exported.file_type}" if exported.file_type else ".py"
    relative = path[len(root.rstrip("/")) + 1 :]
    return relative + ("" if relative.endswith(suffix) else suffix), b64decode(exported.content or "")


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_CELL = re.compile(r"\b[Cc]ell[ _#]*\[?(\d+)")


def results(eyes: Eyes, run: Run) -> tuple[TaskResult, ...]:
    """Return how each notebook of a finished run ended, with its output or its error."""
    return tuple(_task_result(eyes, task) for task in run.tasks or [])


def _task_result(eyes: Eyes, task: Any) -> TaskResult:
    state = task.state.result_state or task.state.life_cycle_state if task.state else None
    word = state.value if state else "UNKNOWN"
    message = (task.state.state_message if task.state else None) or None
    try:
        with translated(f"read the output of {task.task_key}"):
            output = eyes.client.jobs.get_run_output(task.run_id)
    except BrickyardError as error:
        return TaskResult(task.task_key, word, message or error.message)
    trace = _ANSI.sub("", output.error_trace) if output.error_trace else None
    cell = _CELL.search(f"{output.error or ''}\n{trace or ''}")
    result = output.notebook_output.result if output.notebook_output else None
    at = int(cell[1]) if cell else None
    error = output.error if trace else None  # an error without a trace is the workspace's word, not the notebook's
    return TaskResult(task.task_key, word, message or output.error, error, at, trace, result or None)


def run_ids(run: Run) -> frozenset[str]:
    """Every id by which a table's history may name a run."""
    ids = [run.run_id, *(t.run_id for t in run.tasks or [])]
    return frozenset(str(i) for i in ids if i)


def moved(eyes: Eyes, pins: Mapping[TableName, int]) -> dict[TableName, Commit]:
    """Return the newest commit of each table that has left the version at which it was pinned; not of those dropped."""
    found: dict[TableName, Commit] = {}
    for name, version in pins.items():
        with suppress(NotFound):
            newest = history(eyes, name, limit=1)
            if newest and newest[0].version != version:
                found[name] = newest[0]
    return found


# ── comparing two tables ─────────────────────────────────────────────────────────────────────────────────────────────


def compare_target(
    eyes: Eyes,
    pair: Pair,
    original: TableName | None,
    refactored: TableName,
    world: World,
    tolerance: Tolerance,
    tie: Tie | None = None,
) -> TableComparison:
    """Compare a target of the two copies; without an *original* copy, the refactored one with the legacy table itself.

    *tie* tells which other rows the original's ROW_NUMBER might have picked as well.
    """
    names, where = (str(pair.original), str(pair.refactored)), (str(original or pair.original), str(refactored))
    left = _side(eyes, "original", original) if original else _pinned_original(pair, world)
    right = _side(eyes, "refactored", refactored)
    if left and right:
        return compare(eyes, names, left, right, tolerance, tie)
    if original is None and left is None:
        reason = "only the refactored notebook ran, and the legacy table owes rows to earlier runs"
        return TableComparison(*names, where, Outcome.UNPROVED, reason)
    if left is None and right is None:
        return TableComparison(*names, where, Outcome.RECONCILED, "neither notebook leaves the table behind")
    which = "original" if left else "refactored"
    return TableComparison(*names, where, Outcome.DIFFERS, f"only the {which} notebook leaves the table behind")


def _side(eyes: Eyes, label: str, name: TableName) -> Side | None:
    seen = describe(eyes, name)
    return Side(label, name.sql, seen.columns) if seen.access is Access.PRESENT else None


def _pinned_original(pair: Pair, world: World) -> Side | None:
    """The legacy table itself, with which a target can be compared that is replaced as a whole."""
    seen = world.get(pair.original)
    if seen is None or seen.version is None or not replaces_all(pair.verbs):
        return None
    return Side("original", f"{seen.name.sql} VERSION AS OF {seen.version}", seen.columns)


def compare(
    eyes: Eyes,
    names: tuple[str, str],
    original: Side,
    refactored: Side,
    tolerance: Tolerance,
    tie: Tie | None = None,
) -> TableComparison:
    """Compare two tables from coarse to fine: schema, row count, column checksums, then every row.

    *names* are what the two are called in the notebooks.
    """
    columns = reconcile.shared(original, refactored)
    ours, theirs = (
        Summary.read(eyes.sql(reconcile.summary_query(side, columns, refactored=side is refactored)).values[0])
        for side in (original, refactored)
    )
    checks = [
        reconcile.schema_check(original, refactored),
        reconcile.count_check(ours, theirs),
        reconcile.checksum_check(columns, ours, theirs, tolerance),
    ]
    blank = TableComparison(*names, (original.sql, refactored.sql), Outcome.RECONCILED, rows=(ours.rows, theirs.rows))
    if not columns:
        return replace(blank, outcome=Outcome.DIFFERS, checks=tuple(checks), reason="the two share no column")
    found = _differing_rows(eyes, original, refactored, columns, (ours, theirs), tolerance, tie)
    checks.append(reconcile.rows_check(found.differing_rows, found.tied, max(ours.rows, theirs.rows)))
    whole = replace(found, **_names(blank), checks=tuple(checks))
    return replace(whole, outcome=reconcile.conclude(whole))


def _names(blank: TableComparison) -> dict[str, Any]:
    return {
        "original": blank.original,
        "refactored": blank.refactored,
        "compared": blank.compared,
        "rows": blank.rows,
    }


def _differing_rows(
    eyes: Eyes,
    original: Side,
    refactored: Side,
    columns: Sequence[reconcile.Shared],
    figures: tuple[Summary, Summary],
    tolerance: Tolerance,
    tie: Tie | None,
) -> TableComparison:
    """Find the rows that differ, and the cells where a key pairs them; `differing_rows` counts all of them."""
    layout = reconcile.Layout.of(columns)
    query = reconcile.difference_query(original, refactored, columns, tolerance)
    groups, *rows = (int(n) for n in eyes.sql(reconcile.count_query(query)).values[0])
    blank = TableComparison("", "", ("", ""), Outcome.RECONCILED)
    if not groups:
        return blank
    if tie and _excused(eyes, tie, original, layout, query):
        return replace(blank, tied=max(rows))
    key = reconcile.unique_columns(columns, *figures)
    fetched = eyes.sql(reconcile.sample_query(query, layout, key)).values
    complete = len(fetched) == groups
    loose = reconcile.loose(fetched, layout, tolerance)
    key = key or _combined_key(eyes, original, loose, layout)
    cells, only = reconcile.differences(loose, layout, key)
    return replace(
        blank,
        key=key,
        cells=cells[: reconcile.SHOWN],
        only=only[: reconcile.SHOWN],
        differing_rows=loose.count if complete else max(rows),
        samples_complete=complete and len(cells) <= reconcile.SHOWN and len(only) <= reconcile.SHOWN,
    )


def _excused(eyes: Eyes, tie: Tie, original: Side, layout: reconcile.Layout, differences: str) -> bool:
    """Tell whether every differing row is one that a tied ROW_NUMBER may pick."""
    query = ties.excuse_query(tie, original, layout, differences)
    if query is None:
        return False
    try:
        return eyes.sql(query).values[0] == (0, 0)
    except (NotFound, WorkspaceRefused):
        return False  # what feeds the window is not at hand outside of the notebook, so nothing is excused


def _combined_key(eyes: Eyes, original: Side, loose: reconcile.Loose, layout: reconcile.Layout) -> tuple[str, ...]:
    """Find a key of several columns; candidates come from the differing rows and are checked on the whole table."""
    candidates = reconcile.key_candidates(loose, layout)
    if not candidates:
        return ()
    total, *counts = eyes.sql(reconcile.key_query(original, candidates)).values[0]
    return next((key for key, count in zip(candidates, counts, strict=True) if count == total), ())
