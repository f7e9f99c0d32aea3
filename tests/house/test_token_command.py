"""`brickyard token`: made for a person, listed without the secret, revoked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brickyard import cli


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path):
    """Run a command on a home of its own; returns its exit code and what it printed as JSON."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def ran(*words: str):
        code = cli.run([*words, "--home", str(tmp_path / "home"), "--output", "json"])
        return code, json.loads(capsys.readouterr().out)

    return ran


def test_a_token_is_printed_once_listed_without_its_secret_and_revoked(run):
    code, made = run("token", "add", "ada@example.com")
    assert (code, made["email"], made["token"].startswith("byd_")) == (0, "ada@example.com", True)
    _, (listed,) = run("token", "list")
    assert (listed["id"], listed["revoked_at"], made["token"] in str(listed)) == (made["id"], None, False)
    assert run("token", "revoke", "ada@example.com") == (0, {"revoked": [made["id"]]})
    assert run("token", "revoke", made["id"])[0] == 2


def test_a_token_is_a_persons(run):
    code, refused = run("token", "add", "ada")
    assert (code, refused["error"]["code"]) == (2, "token-name")
