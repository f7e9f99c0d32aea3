"""The database behind one door: tables register on `METADATA`, statements run in `Metadata.transaction()`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

import psycopg
from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader
from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from brickyard.kernel.errors import MetadataDown, SpecInvalid

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

FOREVER = datetime.max.replace(tzinfo=UTC)
"""How PostgreSQL's `infinity` is read, which Python has no time for."""

_UNAVAILABLE = ("08", "53", "57P")  # connection lost · no room, no connection left · shutting down or starting


class Metadata:
    """The database at *url*, or at the URL that a callable finds when it is first needed."""

    def __init__(self, url: str | Callable[[], str]) -> None:
        self._url = url

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection; commit at the end of the block, roll back when it raises.

        Raises MetadataDown when the database does not answer.
        """
        with self.engine.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one snapshot and cannot write.

        Raises MetadataDown when the database does not answer.
        """
        with self.engine.connect() as connection:
            snapshot = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with snapshot.begin():
                yield snapshot

    def migrate(self) -> None:
        """Bring the schema to this version's, once however many processes start together.

        Raises GuardRefused when the schema is newer than this version.
        """
        from brickyard.metadata import migrate  # Alembic costs a third of a second and is needed once a process

        migrate.upgrade(self.engine)

    @property
    def dsn(self) -> str:
        """The URL for libpq, password included; never log it."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @cached_property
    def url(self) -> URL:
        """The URL for SQLAlchemy; its text hides the password."""
        return parse_url(self._url if isinstance(self._url, str) else self._url())

    @cached_property
    def engine(self) -> Engine:
        """The pool of connections; one each process."""
        engine = create_engine(
            self.url,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=10,
            connect_args={"connect_timeout": 10, "application_name": "brickyard"},
        )
        event.listen(engine, "handle_error", _name_the_outage)
        event.listen(engine, "connect", _prepare)
        return engine

    def close(self) -> None:
        """Close the idle connections."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def parse_url(text: str) -> URL:
    """Parse a PostgreSQL URL and choose its driver, or raise SpecInvalid without showing a password."""
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        remedy = "write postgresql://user:password@host:5432/name"
        raise SpecInvalid("DATABASE_URL is no URL", remedy=remedy) from None  # the cause shows the password
    if not url.drivername.startswith("postgresql"):
        raise SpecInvalid(
            f"{url.drivername} is not a database Brickyard can use", remedy="give a postgresql:// URL in DATABASE_URL"
        )
    return url.set(drivername="postgresql+psycopg")


def _name_the_outage(context: ExceptionContext) -> None:
    """Raise MetadataDown for an error that means the database is out of reach or out of room."""
    error = context.original_exception
    if context.is_pre_ping or not isinstance(error, psycopg.OperationalError):
        return  # a pooled connection that is dead is replaced, not reported
    if error.sqlstate is None or error.sqlstate.startswith(_UNAVAILABLE):
        raise MetadataDown(
            f"the database did not answer: {str(error).strip()}",
            remedy="start it (`brickyard up`), or check DATABASE_URL",
        ) from error


def _prepare(connection: psycopg.Connection, _record: ConnectionPoolEntry) -> None:
    """Read every time stamp in UTC and the infinite one too, and let no stopped process hold its locks for ever."""
    connection.adapters.register_loader("timestamptz", _Timestamps)
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
    connection.commit()


class _Timestamps(TimestamptzLoader):
    """Loads `infinity` as FOREVER."""

    def load(self, data: Buffer) -> datetime:
        """Return the time in UTC."""
        return FOREVER if data == b"infinity" else super().load(data)
