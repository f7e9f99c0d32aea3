"""Remembers jobs, runs, attempts, task values and idempotency tokens in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from brickyard.local.catalog.database import Database, Values
from brickyard.local.runs.model import (
    Attempt,
    AttemptEnded,
    Change,
    Job,
    JobChanged,
    JsonObject,
    Life,
    Outcome,
    Phase,
    Run,
    RunEnded,
    RunType,
    Trigger,
    now_ms,
)
from brickyard.local.runs.settings import read_tasks

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ids (last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    job_id INTEGER PRIMARY KEY, creator TEXT NOT NULL, created INTEGER NOT NULL, settings TEXT NOT NULL,
    runs INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS runs (
    run_id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL, run_type TEXT NOT NULL, name TEXT NOT NULL, creator TEXT NOT NULL,
    run_as TEXT NOT NULL, settings TEXT NOT NULL, number_in_job INTEGER NOT NULL, created INTEGER NOT NULL, life TEXT NOT NULL, outcome TEXT,
    message TEXT NOT NULL, parameters TEXT NOT NULL, overrides TEXT NOT NULL, started INTEGER, ended INTEGER,
    cancel_requested INTEGER NOT NULL, timed_out INTEGER NOT NULL, timeout_ms INTEGER NOT NULL, parent INTEGER,
    deleted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS runs_of_job ON runs (job_id, run_id);
CREATE INDEX IF NOT EXISTS open_runs ON runs (life) WHERE life NOT IN ('TERMINATED', 'SKIPPED', 'INTERNAL_ERROR');
CREATE TABLE IF NOT EXISTS attempts (
    task_run_id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, task_key TEXT NOT NULL, number INTEGER NOT NULL,
    life TEXT NOT NULL, outcome TEXT, message TEXT NOT NULL, code TEXT NOT NULL,
    started INTEGER, executing INTEGER, ended INTEGER,
    ready INTEGER, timed_out INTEGER NOT NULL, answer TEXT, child INTEGER, resolved TEXT NOT NULL,
    UNIQUE (run_id, task_key, number));
CREATE TABLE IF NOT EXISTS submissions (
    scope TEXT NOT NULL, token TEXT NOT NULL, run_id INTEGER NOT NULL, PRIMARY KEY (scope, token));
CREATE TABLE IF NOT EXISTS task_values (
    run_id INTEGER NOT NULL, task_key TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run_id, task_key, name));
CREATE TABLE IF NOT EXISTS news (
    number INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL,
    settings TEXT NOT NULL DEFAULT '{}');
"""
_ADDED = {  # columns that older files lack
    ("runs", "trigger"): "TEXT NOT NULL DEFAULT 'ONE_TIME'",
    ("runs", "phases"): "TEXT NOT NULL DEFAULT '[]'",
    ("runs", "repair_id"): "INTEGER",
    ("runs", "repaired"): "INTEGER",
    ("attempts", "base"): "INTEGER NOT NULL DEFAULT 0",
}
_FIRST_ID = 1_000_000
_FINAL = "('TERMINATED', 'SKIPPED', 'INTERNAL_ERROR')"
_RUN_COLUMNS = (
    "run_id", "job_id", "run_type", "name", "creator", "run_as", "settings", "number_in_job", "created", "life", "outcome", "message",
    "parameters", "overrides", "started", "ended", "cancel_requested", "timed_out", "timeout_ms", "parent", "trigger", "phases", "repair_id",
    "repaired",
)  # fmt: skip
_ATTEMPT_COLUMNS = (
    "task_run_id", "run_id", "task_key", "number", "life", "outcome", "message", "code", "started", "executing",
    "ended", "ready", "timed_out", "answer", "child", "resolved", "base",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; times in ms since the epoch, `before` a run id."""

    job_id: int | None = None
    before: int | None = None
    active_only: bool = False
    completed_only: bool = False
    run_type: str | None = None
    created_from: int | None = None
    created_to: int | None = None


class Store:
    """Every method is one transaction; wrap several in `transaction()` to make them one."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path)
        self._db.create(_SCHEMA)
        for (table, column), kind in _ADDED.items():
            if column not in {row["name"] for row in self._db.rows(f"PRAGMA table_info({table})")}:
                self._db.execute(f'ALTER TABLE {table} ADD COLUMN "{column}" {kind}')
        self.transaction = self._db.transaction
        with self.transaction():
            if self._db.row("SELECT last FROM ids") is None:
                self._db.execute("INSERT INTO ids VALUES (?)", (_FIRST_ID,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def new_id(self) -> int:
        """An id that no job, run or task run has or had."""
        with self.transaction():
            self._db.execute("UPDATE ids SET last = last + 1")
            return int(self._one("SELECT last FROM ids")[0])

    # jobs

    def add_job(self, job: Job) -> None:
        """Remember a new job."""
        values = (job.job_id, job.creator, job.created, json.dumps(job.settings))
        with self.transaction():
            self._db.execute("INSERT INTO jobs (job_id, creator, created, settings) VALUES (?, ?, ?, ?)", values)
            self._note("job", job.job_id, json.dumps(job.settings), job.created)

    def save_settings(self, job_id: int, settings: JsonObject) -> None:
        """Replace a job's settings."""
        with self.transaction():
            self._db.execute("UPDATE jobs SET settings = ? WHERE job_id = ?", (json.dumps(settings), job_id))
            self._note("job", job_id, json.dumps(settings))

    def delete_job(self, job_id: int) -> None:
        """Forget a job; its runs stay."""
        with self.transaction():
            self._db.execute("UPDATE jobs SET deleted = 1 WHERE job_id = ?", (job_id,))
            settings = self._one("SELECT settings FROM jobs WHERE job_id = ?", (job_id,))["settings"]
            self._note("deleted job", job_id, settings)

    def job(self, job_id: int) -> Job | None:
        """A job, None when there is none of that id."""
        row = self._db.row("SELECT * FROM jobs WHERE job_id = ? AND NOT deleted", (job_id,))
        return None if row is None else _job(row)

    def jobs(self) -> list[Job]:
        """All jobs, newest first."""
        return [_job(row) for row in self._db.rows("SELECT * FROM jobs WHERE NOT deleted ORDER BY job_id DESC")]

    def next_number(self, job_id: int) -> int:
        """Count one more run of a job and return its number."""
        with self.transaction():
            self._db.execute("UPDATE jobs SET runs = runs + 1 WHERE job_id = ?", (job_id,))
            return int(self._one("SELECT runs FROM jobs WHERE job_id = ?", (job_id,))[0])

    # runs

    def save_run(self, run: Run) -> None:
        """Insert or replace a run."""
        with self.transaction():
            self._note_end("run", "SELECT life FROM runs WHERE run_id = ?", run.run_id, run.life)
            self._upsert("runs", _RUN_COLUMNS, _run_values(run))

    def run(self, run_id: int) -> Run | None:
        """A run, None when there is none of that id."""
        row = self._db.row("SELECT * FROM runs WHERE run_id = ? AND NOT deleted", (run_id,))
        return None if row is None else _run(row)

    def root(self, run: Run) -> Run:
        """The run to which iterations of a for_each task belong; any other run itself."""
        attempt = self.attempt(run.parent) if run.run_type is RunType.FOR_EACH and run.parent is not None else None
        return (None if attempt is None else self.run(attempt.run_id)) or run

    def runs(self, wanted: RunFilter, limit: int) -> list[Run]:
        """The newest runs that a filter lets through; children of notebooks only when their job is asked for."""
        conditions = {
            "NOT deleted": (),
            "run_type <> 'FOR_EACH_RUN'": (),
            "job_id = ?" if wanted.job_id is not None else "run_type NOT IN ('WORKFLOW_RUN', 'UPDATE_RUN')": _given(
                wanted.job_id
            ),
            **({"run_id < ?": (wanted.before,)} if wanted.before is not None else {}),
            **({f"life NOT IN {_FINAL}": ()} if wanted.active_only else {}),
            **({f"life IN {_FINAL}": ()} if wanted.completed_only else {}),
            **({"run_type = ?": (wanted.run_type,)} if wanted.run_type else {}),
            **({"created >= ?": (wanted.created_from,)} if wanted.created_from else {}),
            **({"created <= ?": (wanted.created_to,)} if wanted.created_to else {}),
        }
        query = f"SELECT * FROM runs WHERE {' AND '.join(conditions)} ORDER BY run_id DESC LIMIT {limit:d}"
        return [_run(row) for row in self._db.rows(query, [v for values in conditions.values() for v in values])]

    def open_runs(self, job_id: int | None = None, run_type: RunType | None = None) -> list[Run]:
        """Runs that have not ended, oldest first."""
        rows = self._db.rows(f"SELECT * FROM runs WHERE life NOT IN {_FINAL} ORDER BY run_id")
        runs = (_run(row) for row in rows)
        return [run for run in runs if job_id in (None, run.job_id) and run_type in (None, run.run_type)]

    def delete_run(self, run_id: int) -> None:
        """Hide a run that has ended."""
        self._db.execute("UPDATE runs SET deleted = 1 WHERE run_id = ?", (run_id,))

    def remember_submission(self, scope: str, token: str, run_id: int) -> None:
        """Bind an idempotency token to the run that it made."""
        self._db.execute("INSERT INTO submissions VALUES (?, ?, ?)", (scope, token, run_id))

    def submission(self, scope: str, token: str) -> int | None:
        """The run that an idempotency token made."""
        row = self._db.row("SELECT run_id FROM submissions WHERE scope = ? AND token = ?", (scope, token))
        return None if row is None else int(row[0])

    # attempts

    def save_attempt(self, attempt: Attempt) -> None:
        """Insert or replace an attempt."""
        with self.transaction():
            query = "SELECT life FROM attempts WHERE task_run_id = ?"
            self._note_end("attempt", query, attempt.task_run_id, attempt.life)
            self._upsert("attempts", _ATTEMPT_COLUMNS, _attempt_values(attempt))

    def attempt(self, task_run_id: int) -> Attempt | None:
        """An attempt by its task run id."""
        row = self._db.row("SELECT * FROM attempts WHERE task_run_id = ?", (task_run_id,))
        return None if row is None else _attempt(row)

    def attempts(self, run_id: int) -> list[Attempt]:
        """All attempts of a run, oldest first."""
        rows = self._db.rows("SELECT * FROM attempts WHERE run_id = ? ORDER BY task_run_id", (run_id,))
        return [_attempt(row) for row in rows]

    def starter(self, run_id: int) -> Attempt | None:
        """The attempt whose task started a run: one that runs a job or a pipeline."""
        row = self._db.row("SELECT * FROM attempts WHERE child = ?", (run_id,))
        return None if row is None else _attempt(row)

    def latest(self, run_id: int) -> dict[str, Attempt]:
        """The latest attempt of every task of a run."""
        return {attempt.task_key: attempt for attempt in self.attempts(run_id)}

    def mark_executing(self, task_run_id: int, at: int) -> None:
        """Note that the process of a pending attempt began to work."""
        query = "UPDATE attempts SET life = 'RUNNING', executing = ? WHERE task_run_id = ? AND life = 'PENDING'"
        self._db.execute(query, (at, task_run_id))

    # task values

    def set_value(self, run_id: int, task_key: str, name: str, value: str) -> None:
        """Keep a task value, JSON text."""
        self._db.execute("INSERT OR REPLACE INTO task_values VALUES (?, ?, ?, ?)", (run_id, task_key, name, value))

    def values(self, run_id: int) -> dict[tuple[str, str], str]:
        """The task values of a run by task and name, JSON text."""
        rows = self._db.rows("SELECT task_key, name, value FROM task_values WHERE run_id = ?", (run_id,))
        return {(row["task_key"], row["name"]): row["value"] for row in rows}

    # news

    def news(self) -> list[tuple[int, Change | None]]:
        """What changed and was not yet forgotten, oldest first, by number; None for what is gone or open again."""
        rows = self._db.rows("SELECT * FROM news ORDER BY number")
        return [(row["number"], self._change(row)) for row in rows]

    def forget_news(self, number: int) -> None:
        """Drop one piece of news that was told."""
        self._db.execute("DELETE FROM news WHERE number = ?", (number,))

    def _change(self, row: sqlite3.Row) -> Change | None:
        match row["subject"]:
            case "run":
                run = self.run(row["id"])
                if run is None or not run.life.final or run.run_type is RunType.FOR_EACH:
                    return None
                return RunEnded(run)
            case "attempt":
                attempt = self.attempt(row["id"])
                run = None if attempt is None else self.run(attempt.run_id)
                return None if run is None or attempt is None else AttemptEnded(self._told_run(run), attempt)
            case subject:
                job = self._one("SELECT * FROM jobs WHERE job_id = ?", (row["id"],))
                then = replace(_job(job), settings=json.loads(row["settings"]))
                return JobChanged(then, row["at"], subject == "deleted job")

    def _told_run(self, run: Run) -> Run:
        """The run as a listener knows it: iterations belong to the run of their for_each task."""
        root = self.root(run)
        return replace(run, run_id=root.run_id, run_type=root.run_type, number_in_job=root.number_in_job)

    def _note(self, subject: str, id_: int, settings: str = "{}", at: int | None = None) -> None:
        values = (subject, id_, now_ms() if at is None else at, settings)
        self._db.execute("INSERT INTO news (subject, id, at, settings) VALUES (?, ?, ?, ?)", values)

    def _note_end(self, subject: str, query: str, id_: int, life: Life) -> None:
        before = self._db.row(query, (id_,)) if life.final else None
        if life.final and (before is None or not Life(before["life"]).final):
            self._note(subject, id_)

    def forget_values(self, run_id: int, task_keys: Sequence[str]) -> None:
        """Forget the task values of tasks that run again."""
        marks = ", ".join("?" * len(task_keys))
        query = f"DELETE FROM task_values WHERE run_id = ? AND task_key IN ({marks})"
        self._db.execute(query, (run_id, *task_keys))

    def _one(self, sql: str, values: Values = ()) -> sqlite3.Row:
        row = self._db.row(sql, values)
        if row is None:
            raise LookupError(sql)
        return row

    def _upsert(self, table: str, columns: Sequence[str], values: Values) -> None:
        names, marks = ", ".join(f'"{c}"' for c in columns), ", ".join("?" * len(columns))
        changes = ", ".join(f'"{c}" = excluded."{c}"' for c in columns[1:])
        query = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({columns[0]}) DO UPDATE SET {changes}"
        self._db.execute(query, values)


def _job(row: sqlite3.Row) -> Job:
    return Job(row["job_id"], row["creator"], row["created"], json.loads(row["settings"]))


def _run(row: sqlite3.Row) -> Run:
    settings = json.loads(row["settings"])
    given = {name: row[name] for name in _RUN_COLUMNS}
    given |= {
        "run_type": RunType(row["run_type"]),
        "settings": settings,
        "life": Life(row["life"]),
        "outcome": Outcome(row["outcome"]) if row["outcome"] else None,
        "parameters": json.loads(row["parameters"]),
        "overrides": json.loads(row["overrides"]),
        "cancel_requested": bool(row["cancel_requested"]),
        "timed_out": bool(row["timed_out"]),
        "trigger": Trigger(row["trigger"]),
        "phases": tuple(map(_phase, json.loads(row["phases"]))),
    }
    return Run(tasks=read_tasks(settings), **given)


def _phase(row: Mapping[str, Any]) -> Phase:
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    return replace(Phase(**row), life=Life(row["life"]), outcome=outcome)


def _run_values(run: Run) -> Values:
    coded: Mapping[str, object] = {
        "settings": json.dumps(run.settings),
        "parameters": json.dumps(dict(run.parameters)),
        "overrides": json.dumps(run.overrides),
        "phases": json.dumps([asdict(phase) for phase in run.phases]),
    }
    return [_plain(coded.get(name, getattr(run, name))) for name in _RUN_COLUMNS]


def _attempt(row: sqlite3.Row) -> Attempt:
    attempt = Attempt(**{name: row[name] for name in _ATTEMPT_COLUMNS})
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    timed_out, resolved = bool(row["timed_out"]), json.loads(row["resolved"])
    return replace(attempt, life=Life(row["life"]), outcome=outcome, timed_out=timed_out, resolved=resolved)


def _attempt_values(attempt: Attempt) -> Values:
    return [_plain(getattr(attempt, name)) for name in _ATTEMPT_COLUMNS]


def _given(value: int | None) -> tuple[int, ...]:
    return () if value is None else (value,)


def _plain(value: object) -> str | int | None:
    if isinstance(value, dict):
        return json.dumps(value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} is not kept")
