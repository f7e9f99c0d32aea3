"""The header that names the workspace: a key into what is configured, and never an address that is contacted."""

from __future__ import annotations

import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local import LocalWorkspace
from brickyard.share.api.workspaces import key

PATHS = ["/recipients", "/api/recipients", "/shares", "/api/shares"]


@pytest.mark.parametrize("path", PATHS)
def test_the_configured_address_is_valid_as_configured(client: httpx.Client, path: str):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_without_the_header_nothing_is_done(client: httpx.Client, path: str):
    del client.headers["X-Workspace-URL"]
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (400, {"detail": "the header X-Workspace-URL is missing or too long"})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "https://",
        "http://127.0.0.1",
        "https://adb-1.azuredatabricks.net",
        "https://[",
        "ftp://127.0.0.1",
        "\x7f",
    ],
)
def test_an_address_that_is_not_configured_is_refused(client: httpx.Client, url: str):
    answer = client.get("/recipients", headers={"X-Workspace-URL": url})
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


def test_an_unknown_address_is_never_contacted(client: httpx.Client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert client.get("/recipients", headers={"X-Workspace-URL": url}).status_code == 400
        with pytest.raises(TimeoutError):
            listener.accept()


def test_more_addresses_can_be_configured(serve, workspace: LocalWorkspace):
    client = serve(share_workspaces=("https://adb-1.azuredatabricks.net",))
    for url in ("https://ADB-1.azuredatabricks.net/", "adb-1.azuredatabricks.net", workspace.host + "/"):
        assert client.get("/recipients", headers={"X-Workspace-URL": url}).status_code == 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.net", "https://A.NET/"),
        ("a.net", "https://a.net:443"),
        ("http://a.net:80", " http://a.net "),
        ("https://a.net/?o=12", "https://a.net"),
    ],
)
def test_two_ways_to_write_an_address_are_one(one: str, other: str):
    assert key(one) == key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"), [("https://a.net", "http://a.net"), ("https://a.net", "https://a.net:8443"), ("a.net", "b.net")]
)
def test_different_addresses_stay_different(one: str, other: str):
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "url", ["https://u:p@a.net", "https://a.net/path", "https://a.net:port", "https://a.net:99999"]
)
def test_what_is_more_than_an_address_is_none(url: str):
    assert key(url) is None


@given(st.text())
def test_no_text_breaks_the_key(text: str):
    assert key(text) is None or "://" in str(key(text))
