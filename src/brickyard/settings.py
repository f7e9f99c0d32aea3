"""Every setting of Brickyard, read once from the environment (prefix `BRICKYARD_`) and passed down."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings table in `docs/reference.md` is generated from this class."""

    model_config = SettingsConfigDict(env_prefix="BRICKYARD_", extra="ignore", frozen=True)

    home: Path | None = Field(None, description="Folder that holds the local workspace, the database and the tokens.")
    database_url: SecretStr | None = Field(
        None, validation_alias="DATABASE_URL", description="PostgreSQL to use instead of the home's embedded one."
    )
    log_format: str = Field("text", description="`text` or `json`; logs go to stderr.")
    log_level: str = Field("warning", description="debug, info, warning or error.")
    worker_concurrency: int = Field(2, ge=1, description="Jobs one worker runs at the same time.")
    queue_polling_seconds: float = Field(0.2, gt=0, description="How often the worker looks for a job.")
    worker_heartbeat_seconds: float = Field(2.0, gt=0, description="How often a worker says that it is alive.")
    worker_timeout_seconds: float = Field(
        20.0, gt=0, description="A job whose worker was silent for so long is taken over by another."
    )
