"""What a command works with: the home, the workspace it was told to use, and how to print."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.terminal import Output, note

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from brickyard.context import Context
    from brickyard.home.folder import Home
    from brickyard.settings import Settings


@dataclass(frozen=True, slots=True)
class Remote:
    """A workspace that was named explicitly: by its host, or by a profile of the Databricks configuration."""

    host: str | None = None
    profile: str | None = None


def choose(profile: str | None, environment: Mapping[str, str]) -> Remote | None:
    """Return the workspace that was said explicitly, or None for the home's own; a DEFAULT profile alone says nothing."""
    host = environment.get("DATABRICKS_HOST") or environment.get("BRICKYARD_WORKSPACE_HOST")
    if profile and host:
        raise SpecInvalid(
            f"--profile {profile} and DATABRICKS_HOST={host} both name a workspace",
            code="workspace-ambiguous",
            remedy="leave out --profile, or unset DATABRICKS_HOST",
        )
    named = profile or environment.get("DATABRICKS_CONFIG_PROFILE") or environment.get("BRICKYARD_WORKSPACE_PROFILE")
    if host:
        return Remote(host=host)
    return Remote(profile=named) if named else None


def person() -> str:
    """Who is at the terminal, for the audit trail; the number of a user who has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@dataclass
class Session:
    """One run of a command; the options fill it before anything is looked up."""

    home_folder: Path | None = None
    profile: str | None = None
    output: Output = Output.TEXT
    environment: Mapping[str, str] = field(default_factory=lambda: environ)

    @cached_property
    def home(self) -> Home:
        """The home folder that was named, or the user's own."""
        from brickyard.home.folder import Home
        from brickyard.settings import Settings

        return Home((self.home_folder or Settings().home).expanduser().resolve())

    def address(self) -> str | None:
        """The address of the workspace of this command, without starting one; None behind a profile, which is not read.

        A home that is new chooses its address for good.
        """
        if named := choose(self.profile, self.environment):
            return named.host
        return self.home.prepare().addresses.workspace

    @cached_property
    def settings(self) -> Settings:
        """The settings, with the workspace of this command; the home's own is started when it is needed."""
        from brickyard.settings import Settings

        remote = choose(self.profile, self.environment)
        known = Settings(home=self.home.path)
        if remote is None:
            return known.model_copy(update=self._local_workspace())
        return known.model_copy(update={"workspace_host": remote.host, "workspace_profile": remote.profile})

    def _local_workspace(self) -> dict[str, object]:
        from brickyard.home import control, services

        self.home.prepare()
        if services.running(self.home, services.WORKSPACE) is None:
            note(f"starting the local workspace of {self.home.path} (`brickyard down` stops it)")
        control.start(self.home, (services.WORKSPACE,))
        return {
            "workspace_host": self.home.addresses.workspace,
            "workspace_token_file": self.home.workspace_token_file,
            "workspace_profile": None,
        }

    @cached_property
    def _context(self) -> Context:
        from brickyard import rooms
        from brickyard.context import build
        from brickyard.kernel import logs

        logs.configure(self.settings.log_format, self.settings.log_level)
        rooms.load("tasks")  # where no worker is alive, this process does the jobs that it asks for
        context = build(self.settings, actor=person())
        note(f"workspace {context.workspaces.client().config.host}")
        return context

    def context(self) -> Context:
        """Build what flows take: the workspace, the metadata, the queue and the clock."""
        return self._context

    def workspace_client(self) -> WorkspaceClient:
        """Return the client of this command's workspace."""
        return self._context.workspaces.client()
