"""Defects 23 and 37 to 43 of the service that this one replaces, in what it let in and let out: each stays mended."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.share.api.conftest import served
from tests.share.defects.conftest import Build, fed, feed, pack, partner
from tests.share.flow.conftest import apply, bring, submit, writes
from tests.share.model.packs import PACK, changed, read, refused, said

from brickyard.context import Context
from brickyard.kernel.errors import GuardRefused
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.share import flow
from brickyard.share.model.runs import RunStatus

UPLOAD = "/api/workflow/sharepack/upload_and_validate"
SECRET = "203.0.113.77"


def text_of(number: int, host: str) -> bytes:
    """The pack of a defect as a file, for a workspace."""
    text = PACK.replace("https://adb-1.2.azuredatabricks.net", host).replace("Sales", f"line {number}")
    return text.replace("name: acme", f"name: r{number}").encode()


def test_defect_23_an_address_is_an_address_and_a_workspace_recipient_has_none():
    for bad in ("999.1.1.1/77", "junk", "10.0.0.0/33", "::1::"):
        told = said(changed("[203.0.113.7]", f"['{bad}']"))
        assert any("is not an IP address" in line for line in told), bad
    org = "recipient_databricks_org: azure:westeurope:19a85dee-54bc-43a2-87ab-023d0ec16013"
    d2d = PACK.replace("type: D2O", f"type: D2D\n    {org}").replace("    token_expiry: 30\n", "")
    for field in ("recipient_ips", "recipient_ips_to_add", "recipient_ips_to_remove"):
        told = said(d2d.replace("recipient_ips:", f"{field}:"))
        assert any("a D2D recipient has no list of addresses" in line for line in told), field


def test_defect_37_a_group_that_may_stand_in_a_pack_is_accepted_by_the_run_too(house: Context):
    groups = {"configurator": "data-team", "approver": "ad group, boss@acme.com", "executive_team": "Execs.EU"}
    told = read(PACK.replace("data-team", "data-team, AD Group.EU")).pack
    assert told.metadata.configurator == "data-team, AD Group.EU"
    assert apply(house, pack(house, 37, metadata=groups)).status is RunStatus.COMPLETED


def test_defect_38_a_schedule_must_be_one():
    old = 'schedule: {cron: "0 30 6 * * ?", timezone: UTC}'
    for cron in ("banana x", "a b c d e f", "0 61 6 * * ?"):
        assert said(changed(old, f'schedule: {{cron: "{cron}"}}')), cron
    assert any("Mars/Phobos" in line for line in said(changed(old, old.replace("UTC", "Mars/Phobos"))))


def test_defect_39_nothing_is_said_for_a_field_and_unknown_keys_are_told():
    nothing = read(changed("    token_expiry: 30\n", "    token_expiry: 30\n    recipient:\n")).pack
    assert nothing.recipient[0].recipient is None
    for text in (changed("recipient:\n  - name", "recipient: null\nold:\n  - name"), "recipient: null\n", "null\n"):
        assert said(text)
    (told,) = refused(changed("token_expiry", "tokn_expiry"))
    assert ("tokn_expiry" in told.message, "token_expiry" in (told.remedy or "")) == (True, True)


def test_defect_40_every_layout_of_a_workbook_says_the_same_and_an_empty_cell_says_nothing():
    from tests.share.model.test_excel import A, B, C, pack_with, read_book  # reads a pack when it is imported

    assert [read_book(layout).pack for layout in (A, B, C)] == [read(PACK).pack] * 3
    empty = pack_with(A, "Recipients", "F2", None)
    assert [one.token_expiry for one in empty.recipient] == [0]


def test_defect_41_an_approval_is_given_by_somebody_else_with_a_name_of_their_own(
    build: Build, workspace: LocalWorkspace
):
    house = build(share_approval="one")
    before, sent = len(workspace.requests()), submit(house, pack(house, 41))
    flow.provision(house, sent.run_id)
    plan = flow.plan_of(house, sent.pack_id).hash
    for actor in ("up@loader.com", "ada@acme.com", "service"):
        with pytest.raises(GuardRefused):
            flow.approve(build(actor, share_approval="one"), sent.pack_id, plan_hash=plan)
    assert (flow.run_of(house, sent.run_id).status, writes(workspace, before)) == (RunStatus.PENDING_APPROVAL, [])
    flow.approve(build("carol@acme.com", share_approval="one"), sent.pack_id, plan_hash=plan)
    assert bring(house, sent.run_id).status is RunStatus.COMPLETED
    with served(house) as client:
        foreign = {"file": ("pack.yaml", text_of(41, "https://adb-1.2.azuredatabricks.net"))}
        assert client.post(UPLOAD, files=foreign).status_code == 400
        nobody = client.get("/workflow/sharepack", headers={"Authorization": "Bearer wrong"})
        assert nobody.status_code == 401


def test_defect_42_an_upload_repeated_with_its_key_is_answered_again_and_can_be_listed(build: Build):
    house = build(share_repeat_seconds=0)
    with served(house) as client:

        def upload(key: str, words: str = "") -> tuple[int, dict[str, Any], str]:
            file = text_of(42, house.workspaces.host or "") + words.encode()
            answer = client.post(UPLOAD, files={"file": ("pack.yaml", file)}, headers={"Idempotency-Key": key})
            return answer.status_code, answer.json(), answer.headers.get("X-Run-Id", "")

        status, body, run = upload("k-1")
        assert status == 202
        flow.gave_up(house, run, GuardRefused("it cannot be done"))
        assert upload("k-1")[2] == run
        assert upload("k-2")[2] != run
        assert upload("k-1", "# another file\nshare: []\n")[0] in (400, 409)
        assert client.post(UPLOAD, files={"file": ("big.yaml", b"#" * 9_000_000)}).status_code == 413
        listed = client.get("/workflow/sharepack", params={"name": "r42"}).json()
        assert [one["SharePackId"] for one in listed["SharePacks"]] == [body["SharePackId"]]
        history = client.get(f"/workflow/sharepack/{body['SharePackId']}/history").json()
        assert [one["Version"] for one in history["History"]] == [1]


def everything(metadata: Metadata) -> str:
    """All that the database holds, as text."""
    tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    with metadata.read() as tx:
        named = [f'"{row[0]}"."{row[1]}"' for row in tx.execute(sa.text(tables))]
        return "\n".join(str(row) for name in named for row in tx.execute(sa.text(f"SELECT t::text FROM {name} t")))


def test_defect_43_neither_secrets_nor_addresses_leave_the_run(
    house: Context, workspace: LocalWorkspace, metadata: Metadata, capfd: pytest.CaptureFixture[str]
):
    for words in ("first words", "second words"):
        secretive = partner(43, description=words, recipient_ips=[SECRET])
        assert apply(house, pack(house, 43, recipient=[secretive], share=[fed(43, feed("p43"))])).status == "completed"
    info = workspace.client().recipients.get("r43")
    (token,) = info.tokens or []
    link = token.activation_url or ""
    written = capfd.readouterr()
    for secret in (SECRET, "second words", link):
        assert secret and secret not in written.out + written.err
    held = everything(metadata)
    assert SECRET in held
    assert (link in held, link.rpartition("=")[2] in held) == (False, False)
    assert flow.deliver(house, "r43").link == link
