"""Every setting of Brickyard, read once from the environment (prefix `BRICKYARD_`) and passed down."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

# What differs between two processes of one house; the database URL stays out, because others can see arguments.
_ON_COMMAND_LINE = ("home", "workspace_host", "workspace_token_file", "workspace_profile", "log_format", "log_level")
_WEB = "web_"


def default_home() -> Path:
    """Return the `brickyard` folder among the user's application data."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "brickyard"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "brickyard"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "brickyard"


def _also(name: str) -> AliasChoices:
    """Read a setting under our prefix and under the bare *name* too; case does not matter."""
    return AliasChoices(f"BRICKYARD_{name}", name)


class Settings(BaseSettings):
    """The settings table in `docs/reference.md` is generated from this class."""

    model_config = SettingsConfigDict(env_prefix="BRICKYARD_", extra="ignore", frozen=True, populate_by_name=True)

    home: Path = Field(
        default_factory=default_home,
        description="Folder that holds the local workspace, the database and the tokens.",
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("BRICKYARD_DATABASE_URL", "DATABASE_URL", "DOMAIN_DB_CONNECTION_STRING"),
        description="PostgreSQL to use instead of the home's embedded one.",
    )
    workspace_host: str | None = Field(None, description="Address of the workspace to work on.")
    workspace_token_file: Path | None = Field(
        None, description="File with the workspace's token; without it the Databricks client finds its own credentials."
    )
    workspace_profile: str | None = Field(
        None, description="Profile of the Databricks configuration file to use instead of host and token file."
    )
    workspace_retry_seconds: float = Field(
        30.0, ge=0, description="How long a read is tried again while the workspace is busy or does not answer."
    )
    log_format: Literal["text", "json"] = Field("text", description="`text` or `json`; logs go to stderr.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="`debug`, `info`, `warning` or `error`."
    )
    worker_concurrency: int = Field(2, ge=1, description="Jobs one worker runs at the same time.")
    worker_heartbeat_seconds: float = Field(2.0, gt=0, description="How often a worker says that it is alive.")
    worker_timeout_seconds: float = Field(
        20.0, gt=0, description="A job whose worker was silent for so long is taken over by another."
    )
    worker_stop_seconds: float = Field(
        8.0, ge=0, description="How long a stopping worker waits for its jobs before it leaves them to the next."
    )
    queue_polling_seconds: float = Field(0.2, gt=0, description="How often the worker looks for a job.")
    queue_attempts: int = Field(
        5, ge=1, description="How often a job is started before it is given up, crashes of its worker counted."
    )
    web_host: str = Field("127.0.0.1", description="Address the web service listens on.")
    web_port: int = Field(8642, ge=0, le=65535, description="Port of the web service; 0 picks a free one.")
    web_allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "::1"), description="Host names under which the web service answers, as JSON list."
    )
    web_body_bytes: int = Field(16 * 1024 * 1024, gt=0, description="Largest request body the web service accepts.")
    web_token_file: Path | None = Field(
        None, description="File with the token of the web service; `service.token` in the home by default."
    )

    web_token_cache_seconds: float = Field(
        5.0, ge=0, description="How long a named token is trusted before the database is asked again if it was revoked."
    )
    enable_workflow: bool = Field(
        True,
        validation_alias=_also("ENABLE_WORKFLOW"),
        description="Whether the routes below `/workflow` exist; everything else stays as it is without them.",
    )
    azure_queue_connection_string: SecretStr | None = Field(
        None,
        validation_alias=_also("AZURE_QUEUE_CONNECTION_STRING"),
        description="Azure Storage account whose queue carries the ids of share runs; without it the own queue does.",
    )
    azure_queue_name: str = Field(
        "sharepack-processing",
        pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$",
        validation_alias=_also("AZURE_QUEUE_NAME"),
        description="Name of the Azure queue; messages that fail too often go to the queue of that name and `-poison`.",
    )
    azure_queue_api_version: str | None = Field(
        None,
        description="Version of the Azure Storage interface to speak, such as `2025-11-05`; the client's own if unset.",
    )
    share_approval: Literal["file", "one", "two"] = Field(
        "file",
        validation_alias=_also("SHARE_APPROVAL"),
        description="Who lets a share pack through: what its `file` says, or `one` or `two` named persons.",
    )
    share_compat: bool = Field(
        False, description="Whether unknown keys of a share pack are warnings instead of errors."
    )
    share_workspaces: tuple[str, ...] = Field(
        (), description="Other addresses of the workspace that a share pack or caller may name, as JSON list."
    )
    share_repeat_seconds: float = Field(
        60.0, ge=0, description="An identical share pack within so long of its success is not run again."
    )
    share_detect_seconds: float = Field(
        3.0,
        gt=0,
        description="How long an upload looks at the workspace for the pack's names before it leaves it to the worker.",
    )
    share_library_path: str = Field(
        "/Shared/brickyard/share/pipelines",
        pattern=r"^/",
        description="Where in the workspace the notebook lies that the pipelines of share packs run.",
    )
    share_sync_minutes: float = Field(
        60.0, ge=0, description="How often users, groups, objects, metrics and costs are read for share; 0 is never."
    )
    share_costs_table: str | None = Field(
        None,
        description="Table with columns project, usage_date, cost and currency that project costs are read from.",
    )
    share_operators: tuple[str, ...] = Field(
        (), description="Mail addresses that are told when reading users, groups, objects, metrics or costs fails."
    )
    share_rotation_minutes: float = Field(
        60.0, ge=0, description="How often it is looked for tokens to replace and grants to end; 0 is never."
    )
    health_source_catalog: str = Field("system", description="Catalog of the system tables that health reads.")
    health_catalog: str | None = Field(
        None, description="Catalog that health writes; the source catalog's name and `_health` if unset."
    )
    health_run_minutes: float = Field(
        0, ge=0, description="How often a worker brings the gold layer up to date; 0 is never."
    )
    smtp_host: str | None = Field(
        None,
        validation_alias=_also("SMTP_HOST"),
        description="Mail server for notifications; without it none is mailed.",
    )
    smtp_port: int = Field(
        587, ge=1, le=65535, validation_alias=_also("SMTP_PORT"), description="Port of the mail server."
    )
    smtp_user: str | None = Field(None, validation_alias=_also("SMTP_USER"), description="Login at the mail server.")
    smtp_password: SecretStr | None = Field(
        None, validation_alias=_also("SMTP_PASSWORD"), description="Password at the mail server."
    )
    smtp_sender: str = Field("brickyard@localhost", description="Address that notifications come from.")
    smtp_tls: bool = Field(True, description="Whether the mail server must speak TLS before it is given anything.")
    share_webhook_url: SecretStr | None = Field(
        None, description="Address that is sent each notification as JSON; its path may be a secret."
    )
    share_webhook_secret: SecretStr | None = Field(
        None, description="Key that signs what the webhook is sent: HMAC-SHA256 in `X-Brickyard-Signature`."
    )

    @property
    def token_file(self) -> Path:
        """Where the web service's token is."""
        return self.web_token_file or self.home / "service.token"


def from_arguments(program: str, arguments: Sequence[str] | None = None, *, web: bool = False) -> Settings:
    """Read the settings of a process of the house: environment first, then `--option value` for what differs.

    The settings of the *web* service lose their prefix there: `--port` is `web_port`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    for name, field in Settings.model_fields.items():
        if name in _ON_COMMAND_LINE or (web and name.startswith(_WEB)):
            option = name.removeprefix(_WEB).replace("_", "-")
            parser.add_argument(f"--{option}", dest=name, help=field.description)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    return Settings(**given)
