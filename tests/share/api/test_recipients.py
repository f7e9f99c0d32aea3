"""The direct routes of recipients on a real local workspace."""

from __future__ import annotations

import httpx
import pytest
from databricks.sdk.service.sharing import AuthenticationType

from brickyard.local import LocalWorkspace


@pytest.fixture
def acme(workspace: LocalWorkspace) -> str:
    """A recipient with a token, made anew."""
    recipients = workspace.client().recipients
    if "acme" in {found.name for found in recipients.list()}:
        recipients.delete("acme")
    recipients.create("acme", AuthenticationType.TOKEN, comment="our partner")
    return "acme"


def test_recipients_are_listed_by_prefix_without_their_links(client: httpx.Client, acme: str):
    answer = client.get("/recipients", params={"prefix": "AC"})
    assert (answer.status_code, answer.json()["Message"]) == (200, "Fetched 1 recipients!")
    (found,) = answer.json()["Recipient"]
    assert (found["name"], found["comment"]) == (acme, "our partner")
    assert "activation" not in answer.text.replace("activated", "")


def test_no_recipient_of_a_prefix_is_said_in_the_old_words(client: httpx.Client, acme: str):
    answer = client.get("/recipients", params={"prefix": "nobody"})
    assert (answer.status_code, answer.json()) == (200, {"detail": "No recipients found for search criteria."})


def test_one_recipient_is_shown_and_a_missing_one_is_not_found(client: httpx.Client, acme: str):
    assert client.get(f"/api/recipients/{acme}").json()["name"] == acme
    answer = client.get("/recipients/nobody")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "NotFound")


@pytest.mark.parametrize(("status", "said"), [(403, 403), (400, 400), (500, 502), (503, 502)])
def test_what_databricks_refuses_is_refused_and_never_empty(
    client: httpx.Client, workspace: LocalWorkspace, status: int, said: int
):
    workspace.fail_next("recipients.list", status, "SOME_CODE", times=20)
    answer = client.get("/recipients")
    assert (answer.status_code, sorted(answer.json())) == (said, ["detail", "error_type"])


@pytest.mark.parametrize(
    "name", ["a%2Fb", "a%00b", "a b", "%ED%A0%80", "x" * 256, "a.b", "..%2f..%2fshares", "a?b#c"[:1] + "%3Fx"]
)
def test_a_name_that_is_none_is_the_callers_fault(client: httpx.Client, name: str):
    assert 400 <= client.get(f"/recipients/{name}").status_code < 500


def test_every_fault_of_a_request_is_listed_in_the_old_shape(client: httpx.Client):
    answer = client.get("/recipients", params={"page_size": 0, "prefix": "\0"})
    assert answer.status_code == 422
    assert [sorted(fault) for fault in answer.json()["detail"]] == [["input", "msg"], ["input", "msg"]]


def test_addresses_are_checked_before_anything_is_sent(client: httpx.Client, acme: str):
    answer = client.put(f"/recipients/{acme}/ipaddress/add", params={"ip_access_list": "999.1.1.1/77,junk,10.0.0.0/8"})
    assert (answer.status_code, "999.1.1.1/77, junk" in answer.json()["detail"]) == (400, True)
