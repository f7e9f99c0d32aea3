"""Which workspace a command talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickyard.home.session import Remote, Session, choose
from brickyard.kernel.errors import SpecInvalid


@pytest.mark.parametrize(
    ("profile", "environment", "chosen"),
    [
        (None, {}, None),
        (None, {"DATABRICKS_TOKEN": "t"}, None),
        (None, {"DATABRICKS_CONFIG_FILE": "x"}, None),
        (None, {"DATABRICKS_HOST": "https://a"}, Remote(host="https://a")),
        (None, {"DATABRICKS_CONFIG_PROFILE": "prod"}, Remote(profile="prod")),
        (None, {"DATABRICKS_CONFIG_PROFILE": "DEFAULT"}, Remote(profile="DEFAULT")),
        ("dev", {}, Remote(profile="dev")),
        ("dev", {"DATABRICKS_CONFIG_PROFILE": "prod"}, Remote(profile="dev")),
        (None, {"DATABRICKS_HOST": "https://a", "DATABRICKS_CONFIG_PROFILE": "prod"}, Remote(host="https://a")),
        (None, {"BRICKYARD_WORKSPACE_HOST": "https://b"}, Remote(host="https://b")),
        (None, {"BRICKYARD_WORKSPACE_PROFILE": "prod"}, Remote(profile="prod")),
    ],
)
def test_only_what_is_said_explicitly_names_a_workspace(
    profile: str | None, environment: dict[str, str], chosen: Remote | None
):
    assert choose(profile, environment) == chosen


def test_two_workspaces_at_once_are_refused():
    with pytest.raises(SpecInvalid) as raised:
        choose("dev", {"DATABRICKS_HOST": "https://a"})
    assert raised.value.error_code == "workspace-ambiguous"


def test_a_named_workspace_starts_nothing_in_the_home(tmp_path: Path):
    session = Session(home_folder=tmp_path / "home", environment={"DATABRICKS_HOST": "https://a"})
    assert session.settings.workspace_host == "https://a"
    assert session.settings.home == tmp_path / "home"
    assert not (tmp_path / "home").exists()
