"""What a flow may touch: the workspaces, the metadata, the queue and the clock; and who acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brickyard.kernel.clock import Clock, system_clock
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.workspace import Workspaces

SERVICE = "service"  # who acts where no person is at the terminal: the web service and the workers


@dataclass(frozen=True, slots=True)
class Context:
    """What every flow function takes; tests build one by hand. *actor* is who the audit trail says it was."""

    workspaces: Workspaces
    metadata: Metadata
    queue: Queue
    clock: Clock = system_clock
    actor: str = SERVICE


def build(settings: Settings, actor: str = SERVICE) -> Context:
    """Build the context from the settings; nothing is connected before it is used."""
    metadata = Metadata(_database(settings))
    return Context(
        workspaces=Workspaces(
            host=settings.workspace_host,
            token_file=settings.workspace_token_file,
            profile=settings.workspace_profile,
            retry_seconds=settings.workspace_retry_seconds,
        ),
        metadata=metadata,
        queue=Queue(metadata, settings),
        actor=actor,
    )


def _database(settings: Settings) -> Callable[[], str]:
    """Return how to learn the database's URL: the given one, or the home's own server, started when first needed."""

    def url() -> str:
        if settings.database_url:
            return settings.database_url.get_secret_value()
        from brickyard.metadata import embedded  # only who has no database of their own needs the server's package

        return embedded.start(settings.home / "postgres")

    return url
