"""Migrations on start-up: one process runs them, the others wait, and none starts on a newer schema."""

from __future__ import annotations

from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from brickyard.kernel.errors import GuardRefused

_LOCK = 0x42524943  # "BRIC": the advisory lock that start-ups queue for


def upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction under the lock."""
    with engine.begin() as tx:
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if not is_current(tx):
            alembic_upgrade(config(tx), "head")


def is_current(tx: Connection) -> bool:
    """Tell whether the schema is this version's, or raise GuardRefused when it is newer."""
    script = ScriptDirectory.from_config(config(tx))
    found = MigrationContext.configure(tx).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise GuardRefused(
            f"the database is at schema {found}, which this Brickyard does not know: a newer one has written it",
            code="database-newer",
            remedy="upgrade Brickyard, or give it another database in DATABASE_URL",
        )
    return found == script.get_current_head()


def config(tx: Connection) -> Config:
    """Return Alembic's configuration for one connection; there is no `alembic.ini`."""
    settings = Config()
    settings.set_main_option("script_location", "brickyard.metadata:migrations")
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = tx
    return settings
