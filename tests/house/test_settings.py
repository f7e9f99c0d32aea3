"""Settings and the context built from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickyard import context
from brickyard.kernel.errors import SpecInvalid
from brickyard.metadata import embedded
from brickyard.settings import Settings, from_arguments


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in os.environ:
        if name.startswith(("BRICKYARD_", "DATABRICKS_", "DATABASE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BRICKYARD_HOME", str(tmp_path))


def test_every_setting_is_described():
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


@pytest.mark.parametrize("name", ["DATABASE_URL", "BRICKYARD_DATABASE_URL"])
def test_the_database_is_named_in_the_usual_way_or_in_ours_and_never_shown(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv(name, "postgresql://ada:s3cret@host/db")
    settings = Settings()
    assert settings.database_url and settings.database_url.get_secret_value().endswith("host/db")
    assert "s3cret" not in repr(settings)


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BRICKYARD_WEB_PORT", "1")
    monkeypatch.setenv("BRICKYARD_LOG_LEVEL", "info")
    settings = from_arguments("brickyard.web", ["--port", "2", "--home", "/x", "--token-file", "/t"], web=True)
    assert (settings.web_port, settings.log_level, settings.home, settings.token_file) == (
        2,
        "info",
        Path("/x"),
        Path("/t"),
    )


def test_the_token_lies_in_the_home_unless_said_otherwise(tmp_path: Path):
    assert Settings().token_file == tmp_path / "service.token"


def test_building_a_context_connects_to_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("BRICKYARD_WORKSPACE_HOST", "http://127.0.0.1:1")
    built = context.build(Settings())
    assert (built.workspaces.host, built.queue.metadata is built.metadata) == ("http://127.0.0.1:1", True)


def test_without_a_database_the_homes_own_is_started_when_it_is_needed(tmp_path: Path):
    built = context.build(Settings())
    assert not (tmp_path / "postgres").exists()
    built.metadata.migrate()
    built.metadata.close()
    assert embedded.pid(tmp_path / "postgres")
    embedded.remove(tmp_path / "postgres")


def test_without_a_workspace_a_client_is_refused():
    with pytest.raises(SpecInvalid):
        context.build(Settings()).workspaces.client()
