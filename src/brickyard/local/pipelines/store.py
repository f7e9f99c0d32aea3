"""Remembers pipelines, updates, events, checkpoints and the datasets they made, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from brickyard.local.catalog.database import Database
from brickyard.local.pipelines.model import Checkpoint, Event, JsonObject, Level, Pipeline, Update, UpdateState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pipelines (
    pipeline_id TEXT PRIMARY KEY, creator TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
    spec TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS updates (
    number INTEGER PRIMARY KEY AUTOINCREMENT, update_id TEXT NOT NULL UNIQUE, pipeline_id TEXT NOT NULL,
    run_id INTEGER NOT NULL UNIQUE, cause TEXT NOT NULL, created INTEGER NOT NULL, request TEXT NOT NULL,
    progress TEXT NOT NULL, told INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS updates_of_pipeline ON updates (pipeline_id, number);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, pipeline_id TEXT NOT NULL, update_id TEXT,
    at INTEGER NOT NULL, event_type TEXT NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, origin TEXT NOT NULL,
    details TEXT NOT NULL, error TEXT);
CREATE INDEX IF NOT EXISTS events_of_pipeline ON events (pipeline_id, number);
CREATE TABLE IF NOT EXISTS checkpoints (
    pipeline_id TEXT NOT NULL, flow TEXT NOT NULL, done TEXT NOT NULL, target TEXT NOT NULL, pending TEXT,
    target_version INTEGER NOT NULL, PRIMARY KEY (pipeline_id, flow));
CREATE TABLE IF NOT EXISTS datasets (
    full_name TEXT PRIMARY KEY, pipeline_id TEXT NOT NULL, kind TEXT NOT NULL);
"""


class Store:
    """Every method is one transaction; wrap several in `transaction()` to make them one."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path)
        self._db.create(_SCHEMA)
        self.transaction = self._db.transaction

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # pipelines

    def save_pipeline(self, pipeline: Pipeline) -> None:
        """Insert or replace a pipeline."""
        values = (pipeline.creator, pipeline.created, pipeline.modified, json.dumps(pipeline.spec))
        self._db.execute("INSERT OR REPLACE INTO pipelines VALUES (?, ?, ?, ?, ?)", (pipeline.pipeline_id, *values))

    def pipeline(self, pipeline_id: str) -> Pipeline | None:
        """A pipeline, None when there is none of that id."""
        row = self._db.row("SELECT * FROM pipelines WHERE pipeline_id = ?", (pipeline_id,))
        return None if row is None else _pipeline(row)

    def pipelines(self) -> list[Pipeline]:
        """All pipelines by id."""
        return [_pipeline(row) for row in self._db.rows("SELECT * FROM pipelines ORDER BY pipeline_id")]

    def delete_pipeline(self, pipeline_id: str) -> None:
        """Forget a pipeline and all that belongs to it."""
        with self.transaction():
            for table in ("pipelines", "updates", "events", "checkpoints", "datasets"):
                self._db.execute(f"DELETE FROM {table} WHERE pipeline_id = ?", (pipeline_id,))

    # updates

    def add_update(self, update: Update) -> None:
        """Remember a new update."""
        values = (update.update_id, update.pipeline_id, update.run_id, update.cause, update.created)
        query = (
            "INSERT INTO updates (update_id, pipeline_id, run_id, cause, created, request, progress, told)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
        )
        self._db.execute(query, (*values, json.dumps(update.request), update.progress))

    def update(self, pipeline_id: str, update_id: str) -> Update | None:
        """An update of a pipeline."""
        query = "SELECT * FROM updates WHERE pipeline_id = ? AND update_id = ?"
        row = self._db.row(query, (pipeline_id, update_id))
        return None if row is None else _update(row)

    def update_of_run(self, run_id: int) -> Update | None:
        """The update that a run does."""
        row = self._db.row("SELECT * FROM updates WHERE run_id = ?", (run_id,))
        return None if row is None else _update(row)

    def updates(self, pipeline_id: str, limit: int = -1) -> list[Update]:
        """The updates of a pipeline, newest first."""
        query = "SELECT * FROM updates WHERE pipeline_id = ? ORDER BY number DESC LIMIT ?"
        return [_update(row) for row in self._db.rows(query, (pipeline_id, limit))]

    def untold(self) -> list[Update]:
        """Updates whose end is not in the event log yet."""
        return [_update(row) for row in self._db.rows("SELECT * FROM updates WHERE NOT told ORDER BY number")]

    def set_progress(self, update_id: str, progress: UpdateState, *, told: bool = False) -> None:
        """Note how far an update is, and whether its end is told."""
        query = "UPDATE updates SET progress = ?, told = ? WHERE update_id = ?"
        self._db.execute(query, (progress, int(told), update_id))

    # events

    def add_event(self, event: Event) -> None:
        """Append an event."""
        query = (
            "INSERT INTO events (event_id, pipeline_id, update_id, at, event_type, level, message, origin, details, error)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        error = None if event.error is None else json.dumps(event.error)
        coded = (json.dumps(event.origin), json.dumps(event.details), error)
        plain = (event.event_id, event.pipeline_id, event.update_id, event.at, event.event_type, event.level)
        self._db.execute(query, (*plain, event.message, *coded))

    def events(self, pipeline_id: str) -> list[Event]:
        """The events of a pipeline, oldest first."""
        query = "SELECT * FROM events WHERE pipeline_id = ? ORDER BY number"
        return [_event(row) for row in self._db.rows(query, (pipeline_id,))]

    # checkpoints and datasets

    def checkpoint(self, pipeline_id: str, flow: str) -> Checkpoint:
        """How far a flow has read; nothing when it never did."""
        query = "SELECT * FROM checkpoints WHERE pipeline_id = ? AND flow = ?"
        row = self._db.row(query, (pipeline_id, flow))
        if row is None:
            return Checkpoint({})
        pending = None if row["pending"] is None else json.loads(row["pending"])
        return Checkpoint(json.loads(row["done"]), row["target"], pending, row["target_version"])

    def save_checkpoint(self, pipeline_id: str, flow: str, checkpoint: Checkpoint) -> None:
        """Insert or replace a checkpoint."""
        pending = None if checkpoint.pending is None else json.dumps(checkpoint.pending)
        values = (json.dumps(checkpoint.done), checkpoint.target, pending, checkpoint.target_version)
        self._db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)", (pipeline_id, flow, *values))

    def delete_checkpoint(self, pipeline_id: str, flow: str) -> None:
        """Let a flow read from the beginning."""
        self._db.execute("DELETE FROM checkpoints WHERE pipeline_id = ? AND flow = ?", (pipeline_id, flow))

    def claim_dataset(self, full_name: str, pipeline_id: str, kind: str) -> str:
        """Note that a pipeline writes a table, and return the pipeline that owns it."""
        with self.transaction():
            self._db.execute("INSERT OR IGNORE INTO datasets VALUES (?, ?, ?)", (full_name, pipeline_id, kind))
            row = self._db.row("SELECT pipeline_id FROM datasets WHERE full_name = ?", (full_name,))
        return pipeline_id if row is None else str(row[0])

    def datasets(self, pipeline_id: str) -> list[str]:
        """The full names of the tables that a pipeline wrote."""
        rows = self._db.rows("SELECT full_name FROM datasets WHERE pipeline_id = ? ORDER BY full_name", (pipeline_id,))
        return [str(row[0]) for row in rows]


def _pipeline(row: sqlite3.Row) -> Pipeline:
    return Pipeline(row["pipeline_id"], row["creator"], row["created"], row["modified"], json.loads(row["spec"]))


def _update(row: sqlite3.Row) -> Update:
    request: JsonObject = json.loads(row["request"])
    return Update(
        row["update_id"],
        row["pipeline_id"],
        row["run_id"],
        row["cause"],
        row["created"],
        request,
        UpdateState(row["progress"]),
        bool(row["told"]),
    )


def _event(row: sqlite3.Row) -> Event:
    return Event(
        row["event_id"],
        row["pipeline_id"],
        row["update_id"],
        row["at"],
        row["event_type"],
        Level(row["level"]),
        row["message"],
        json.loads(row["origin"]),
        json.loads(row["details"]),
        None if row["error"] is None else json.loads(row["error"]),
    )
