"""Who is let in, and what an outsider gets to know."""

from __future__ import annotations

import http.client
import json
import socket
import stat
from pathlib import Path

import httpx
import pytest

from brickyard.local import LocalWorkspace
from brickyard.local.api.routes import RouteTable
from brickyard.local.api.tokens import Tokens

ME = "/api/2.0/preview/scim/v2/Me"
ANONYMOUS = {
    "/", "/health", "/.well-known/databricks-config", "/oidc/.well-known/oauth-authorization-server", "/oidc/v1/token",
    "/jobs/{job_id}/runs/{run_id}",  # the seal in the address is the proof
    "/api/local/results/{statement_id}/{chunk_index}",  # so is the signature of the link
    "/api/2.1/unity-catalog/public/data_sharing_activation/{link:path}",  # and the random part of an activation link
    "/api/2.1/unity-catalog/public/data_sharing_activation_info/{link:path}",
    "/delta_sharing/retrieve_config.html", "/delta_sharing/config.share",
}  # fmt: skip


def ask(
    workspace: LocalWorkspace, path: str = ME, token: str | None = None, **headers: str
) -> tuple[int, dict[str, object]]:
    port = int(workspace.host.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {"Host": f"127.0.0.1:{port}", **headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    connection.request("GET", path, headers=sent)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if body.startswith(b"{") else {}


def test_without_a_token_nothing_is_said(shared: LocalWorkspace):
    status, body = ask(shared)
    assert (status, body["error_code"]) == (401, "UNAUTHENTICATED")


def test_an_unknown_route_does_not_tell_an_outsider_that_it_is_unknown(shared: LocalWorkspace):
    assert ask(shared, "/api/2.0/nothing")[0] == 401


@pytest.mark.parametrize("token", ["", "x", "dapi" + "0" * 64, "é"])
def test_a_wrong_token_is_refused(shared: LocalWorkspace, token: str):
    sent = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    assert ask(shared, **sent)[0] == 401


def test_only_the_named_routes_answer_anonymously(shared: LocalWorkspace):
    others = [route for route in shared.parts.routes() if not route.operation.startswith("delta_sharing.")]
    assert {route.path for route in others if route.anonymous} == ANONYMOUS


def test_the_routes_of_recipients_want_a_recipients_token_or_a_signed_link(shared: LocalWorkspace):
    found = [route for route in shared.parts.routes() if route.operation.startswith("delta_sharing.")]
    refused = {
        route.operation: httpx.request(
            route.method, shared.host + route.path.replace("{", "").replace("}", ""), headers=headers
        ).status_code
        for route in found
        for headers in ({}, {"Authorization": f"Bearer {shared.token}"})
    }
    assert refused.pop("delta_sharing.file") == 403
    assert len(found) == 10 and set(refused.values()) == {401}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example", "[::1"]
)
def test_a_host_that_is_not_this_server_is_refused(shared: LocalWorkspace, host: str):
    assert ask(shared, "/health", Host=host)[0] == 403


def test_localhost_names_this_server(shared: LocalWorkspace):
    assert ask(shared, "/health", Host=f"localhost:{shared.host.rpartition(':')[2]}") == (200, {"status": "ok"})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_a_page_of_another_site_is_refused_even_with_the_token(shared: LocalWorkspace, origin: str):
    assert ask(shared, token=shared.token, Origin=origin)[0] == 403


def test_a_cross_site_fetch_without_an_origin_is_refused(shared: LocalWorkspace):
    assert ask(shared, "/health", **{"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_a_link_to_a_page_can_be_followed_from_anywhere(shared: LocalWorkspace):
    fetch = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(shared, "/health", **fetch)[0] == 200
    assert ask(shared, ME, **fetch)[0] == 401


def test_the_server_listens_on_loopback_only(shared: LocalWorkspace):
    port = int(shared.host.rpartition(":")[2])
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_the_token_is_random_and_only_the_owner_can_read_it(shared: LocalWorkspace, tmp_path: Path):
    assert len(shared.token) == 68
    assert stat.S_IMODE(shared.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.home.stat().st_mode) == 0o700
    assert Tokens(tmp_path, "owner@local").owner_token != shared.token


def test_no_token_stands_in_clear_but_the_owners(workspace: LocalWorkspace):
    issued = workspace.parts.tokens.issue("reader@local")
    kept = "".join(p.read_text() for p in workspace.home.iterdir() if p.is_file() and p.suffix == ".json")
    assert issued not in kept


def test_only_the_owner_opens_the_control_routes(workspace: LocalWorkspace):
    reader = workspace.parts.tokens.issue("reader@local")
    run = workspace.parts.tokens.issue(workspace.owner, ttl=60, run=7)
    asked = [ask(workspace, "/api/local/requests", token)[0] for token in (workspace.token, reader, run)]
    assert asked == [200, 403, 403]


def test_an_issued_token_speaks_for_its_principal_and_ends(tmp_path: Path):
    clock = [1000.0]
    tokens = Tokens(tmp_path, "owner@local", now=lambda: clock[0])
    token = tokens.issue("reader@local", ttl=60)
    before = tokens.principal_of(token)
    clock[0] += 60
    assert (before.name if before else None, tokens.principal_of(token)) == ("reader@local", None)


def test_personal_tokens_outlive_a_restart_and_run_tokens_do_not(tmp_path: Path):
    tokens = Tokens(tmp_path, "owner@local")
    personal, run = tokens.issue("reader@local"), tokens.issue("reader@local", run=5)
    again = Tokens(tmp_path, "owner@local")
    assert [bool(again.principal_of(t)) for t in (personal, run, tokens.owner_token)] == [True, False, True]


def test_the_tokens_of_a_run_end_together(tmp_path: Path):
    tokens = Tokens(tmp_path, "owner@local")
    run, other = tokens.issue("owner@local", run=5), tokens.issue("owner@local", run=6)
    tokens.revoke_run(5)
    assert [bool(tokens.principal_of(t)) for t in (run, other)] == [False, True]


def test_a_request_that_is_not_http_does_not_harm_the_server(shared: LocalWorkspace):
    with socket.create_connection(("127.0.0.1", int(shared.host.rpartition(":")[2])), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        raw.recv(100)
    assert httpx.get(f"{shared.host}/health").status_code == 200


def test_every_route_is_reachable_by_its_own_template(shared: LocalWorkspace):
    table = RouteTable(shared.parts.routes())
    filled = {route: route.path.replace(":path}", "}").replace("{", "x").replace("}", "x") for route in table.routes}
    shadowed = [
        r.path for r, path in filled.items() if (hit := table.find(r.method, path)) is None or hit.route.path != r.path
    ]
    assert shadowed == []
