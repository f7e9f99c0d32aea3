"""How the tables and the queue of share are: counted now, so that a health check knows and does not guess."""

from __future__ import annotations

from sqlalchemy import Connection, text

_TABLES = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'deltashare'")
_MESSAGES = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND task_name LIKE 'share.%'")


def tables(tx: Connection) -> int:
    """Return how many tables the schema `deltashare` has."""
    return tx.execute(_TABLES).scalar_one()


def messages(tx: Connection) -> int:
    """Return how many jobs of share wait."""
    return tx.execute(_MESSAGES).scalar_one()
