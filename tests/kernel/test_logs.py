"""Logs, and what must never be in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from brickyard.kernel import logs

SECRETS = {
    "dapi0123456789abcdef0123456789abcdef": "token {}",
    "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl": "jwt {}",
    "abc.def-123": "Authorization: Bearer {}",
    "s3cr3t!": "postgresql://ada:{}@host/db",
    "p@ss": "postgresql://ada:{}@host/db",
    "a2V5cXlk==": "DefaultEndpointsProtocol=https;AccountKey={};EndpointSuffix=x",
    "hunter2": "password={}",
    "hunter3": '{{"client_secret": "{}"}}',
    "c2ln%2Bn": "https://a.blob/x?sv=1&sig={}&se=2",
}


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**config)


@pytest.mark.parametrize(("secret", "text"), [(s, t.format(s)) for s, t in SECRETS.items()])
def test_a_secret_is_struck_out(secret: str, text: str):
    assert (secret in logs.redact(text), "***" in logs.redact(text)) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8642/runs",
        "postgresql://ada@host:5432/db",
        "the token is missing",
        "SELECT a::b FROM t@v1",
        "tokens 12",
        "user ada@example.com opened https://host:443/x",
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert logs.redact(text) == text


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_reaches_stderr_from_a_field_a_message_or_a_traceback(
    capsys: pytest.CaptureFixture[str], log_format: str
):
    logs.configure(log_format, "info")
    secret = "dapi0123456789abcdef"
    ours, theirs = structlog.stdlib.get_logger("ours"), logging.getLogger("theirs")
    ours.info(f"message {secret}", field={"nested": [secret]})
    theirs.warning("with %s", secret)
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        ours.exception("failed")
        theirs.exception("failed")
    out, err = capsys.readouterr()
    assert (out, secret in err, err.count("***")) == ("", False, 5)


def test_json_lines_carry_the_event_its_fields_and_what_is_bound(capsys: pytest.CaptureFixture[str]):
    logs.configure("json", "info")
    with structlog.contextvars.bound_contextvars(run="r1"):
        structlog.stdlib.get_logger("brickyard.x").info("step applied", step=3, password="x y")
        logging.getLogger("library").info("also")
        structlog.stdlib.get_logger("brickyard.x").debug("not shown")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    for line in (ours, theirs):
        assert line.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "step applied",
        "step": 3,
        "password": "***",
        "run": "r1",
        "logger": "brickyard.x",
        "level": "info",
    }
    assert theirs == {"event": "also", "run": "r1", "logger": "library", "level": "info"}
