"""Verification as the recipient, through the real client: what is read, what is refused, and that no probe stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from tests.share.store.samples import pack as sample

from brickyard.context import Context
from brickyard.kernel.errors import Conflict, NotFound, WorkspaceDown, WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.share import apply, flow
from brickyard.share.apply.probe import probe
from brickyard.share.model.current import ObjectKind, OidcPolicy, RecipientState, SharedObject, ShareState
from brickyard.share.model.pack import RecipientType, SharePack, Strategy
from brickyard.share.model.probes import PREFIX
from brickyard.share.model.runs import Checked, RunKind, RunStatus, Verdict
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeObjects,
    CreateRecipient,
    CreateShare,
    DeleteRecipient,
    DeleteShare,
    Grant,
    Revoke,
    Step,
)
from brickyard.share.store import packs, runs, steps
from brickyard.workspace import Workspaces

# the client leaves the folder in which it reads an empty table to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
READ, REFUSED, FAILED, NOT_ASSESSED = Verdict.READ, Verdict.REFUSED, Verdict.FAILED, Verdict.NOT_ASSESSED
ORDERS = SharedObject(name="m.s.orders", kind=ObjectKind.TABLE)
FED = SharedObject(name="m.s.fed", kind=ObjectKind.TABLE, cdf=True)
BY_LAND = SharedObject(name="m.s.by_land", kind=ObjectKind.VIEW)
METASTORE = "aws:eu-west-1:11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class House:
    """A house whose packs are applied by hand, step by step."""

    workspace: LocalWorkspace
    context: Context
    client: WorkspaceClient

    def applied(self, pack: SharePack, *done: Step, status: RunStatus = RunStatus.COMPLETED) -> str:
        """Save a pack, perform the steps that make it so, and return its id."""
        with self.context.metadata.transaction() as tx:
            saved = packs.save(tx, pack, by="ada@acme.com", strategy=Strategy.NEW)
            run_id = f"{saved.pack_id}-{saved.version}"
            where = {"pack_id": saved.pack_id, "version": saved.version, "workspace": self.workspace.host}
            runs.create(tx, run_id, RunKind.APPLY, at=self.context.clock(), by="ada@acme.com", **where)
        hands = apply.Hands(self.client, str(saved.pack_id), lambda *_: None, self.context.clock)
        for position, step in enumerate(done):
            result = apply.perform(hands, step)
            with self.context.metadata.transaction() as tx:
                steps.intend(tx, run_id, str(position), position, step, self.context.clock(), attempt=1)
                steps.done(tx, run_id, str(position), self.context.clock(), result)
        if status.final:
            with self.context.metadata.transaction() as tx:
                runs.finish(tx, run_id, status, self.context.clock())
        return str(saved.pack_id)

    def probes(self) -> list[str]:
        """The probes that are in the workspace."""
        return [str(one.name) for one in self.client.recipients.list() if str(one.name).startswith(PREFIX)]

    def clean(self) -> None:
        """Remove all shares and recipients."""
        for share in list(self.client.shares.list_shares()):
            self.client.shares.delete(str(share.name))
        for one in list(self.client.recipients.list()):
            self.client.recipients.delete(str(one.name))

    def sql(self, statement: str) -> None:
        """Run a statement."""
        house = self.workspace.parts.warehouses.default_id
        done = self.client.statement_execution.execute_statement(statement, house, wait_timeout="50s")
        assert done.status and done.status.state and done.status.state.value == "SUCCEEDED", done.status


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A workspace with a plain table, one with a change feed and a view for each recipient."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        client = workspace.client()
        client.catalogs.create("m")
        client.schemas.create("s", "m")
        house = workspace.parts.warehouses.default_id
        feed = "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
        for statement in (
            "CREATE TABLE m.s.orders AS SELECT id, id * 2 AS twice FROM range(25)",
            f"CREATE TABLE m.s.fed (id INT) {feed}",
            "INSERT INTO m.s.fed VALUES (1), (2)",
            "CREATE TABLE m.s.lands (id INT, land STRING)",
            "INSERT INTO m.s.lands VALUES (1, 'at'), (2, 'ch'), (3, 'at')",
            "CREATE VIEW m.s.by_land AS SELECT * FROM m.s.lands WHERE land = current_recipient('land')",
        ):
            done = client.statement_execution.execute_statement(statement, house, wait_timeout="50s")
            assert done.status and done.status.state and done.status.state.value == "SUCCEEDED", done.status
        yield workspace


@pytest.fixture
def house(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path) -> Iterator[House]:
    """A house with a database of its own, on a workspace without shares and recipients."""
    token = tmp_path / "token"
    token.write_text(workspace.token)
    context = Context(
        Workspaces(host=workspace.host, token_file=token, retry_seconds=1),
        metadata,
        Queue(metadata, Settings(home=tmp_path)),
    )
    house = House(workspace, context, context.workspaces.client())
    house.clean()
    yield house
    workspace.parts.control.faults.clear()
    assert house.probes() == []


def pack(assets: tuple[str, ...] = ("m.s.orders",), *readers: Any, **about: Any) -> SharePack:
    """A pack of the share `sales`; readers are names, or whole recipients."""
    named = [one if isinstance(one, dict) else {"name": one, "type": "D2O"} for one in readers]
    share = {"name": "sales", "share_assets": [{"name": n} for n in assets], "recipients": [r["name"] for r in named]}
    data = sample(**about).model_dump(mode="json", by_alias=True)
    return SharePack.model_validate({**data, "recipient": named, "share": [share] if assets or named else []})


def partner(name: str, **more: Any) -> CreateRecipient:
    """A partner who reads with a token."""
    return CreateRecipient(name=name, type=RecipientType.D2O, **more)


def sales(*objects: SharedObject) -> tuple[Step, Step]:
    """The share `sales` with these objects."""
    return CreateShare("sales"), ChangeObjects(share="sales", add=objects)


def lines(found: tuple[Checked, ...]) -> list[tuple[str, str, str, bool, int | None]]:
    """The findings without their words."""
    return [(one.table, one.recipient, one.verdict, one.expected, one.rows) for one in found]


def test_each_table_is_read_in_both_formats_and_what_is_not_shared_is_refused(house: House) -> None:
    done = (partner("acme"), *sales(ORDERS, FED), Grant("sales", ("acme",)))
    found = flow.verify(house.context, house.applied(pack(("m.s.orders", "m.s.fed"), "acme"), *done))
    assert [(one.table, one.verdict, one.expected, one.rows) for one in found] == [
        ("*", REFUSED, True, None),
        ("s.brickyard_not_shared", REFUSED, True, None),
        ("s.fed", READ, True, 2),
        ("s.orders", READ, True, 10),
    ]
    assert found[0].message.startswith("after its right was taken: HTTP 40")
    assert found[1].message.startswith("HTTP 404 RESOURCE_DOES_NOT_EXIST")
    assert found[2].message == "columns and first rows in parquet, in delta too, 2 changes of version 1"
    assert found[3].message == "columns and first rows in parquet, in delta too"


def test_all_rows_are_counted_on_demand(house: House) -> None:
    done = (partner("acme"), *sales(ORDERS), Grant("sales", ("acme",)))
    found = flow.verify(house.context, house.applied(pack(("m.s.orders",), "acme"), *done), rows="all")
    assert [one.rows for one in found if one.table == "s.orders"] == [25]


def test_a_probe_reads_with_the_properties_of_those_it_stands_for(house: House) -> None:
    done = (
        partner("one", properties={"land": "at"}),
        partner("two", properties={"land": "ch"}),
        partner("three", properties={"land": "at"}),
        *sales(BY_LAND),
        Grant("sales", ("one", "two", "three")),
    )
    pack_id = house.applied(pack(("m.s.by_land",), "one", "two", "three"), *done)
    before = len(house.workspace.requests())
    found = flow.verify(house.context, pack_id)
    assert {one.recipient: one.rows for one in found if one.table == "s.by_land"} == {"one": 2, "two": 1, "three": 2}
    made = [one for one in house.workspace.requests()[before:] if one.operation == "recipients.create"]
    assert len(made) == 2


def test_the_partners_own_link_is_never_used(house: House) -> None:
    done = (partner("acme"), *sales(ORDERS), Grant("sales", ("acme",)))
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *done)
    before = house.client.recipients.get("acme").as_dict()
    flow.verify(house.context, pack_id)
    assert house.client.recipients.get("acme").as_dict() == before


def test_recipients_that_cannot_be_stood_for_are_not_assessed(house: House) -> None:
    policy = OidcPolicy("https://login.example.com", "sub", "reader", ("sales",))
    done = (
        CreateRecipient(name="far", type=RecipientType.D2D, metastore=METASTORE),
        CreateRecipient(name="login", type=RecipientType.OIDC),
        AddPolicy("login", policy),
        *sales(ORDERS),
        Grant("sales", ("far", "login")),
    )
    far = {"name": "far", "type": "D2D", "recipient_databricks_org": METASTORE}
    oidc = {"issuer": policy.issuer, "subject_claim": "sub", "subject": "reader", "audiences": ["sales"]}
    login = {"name": "login", "type": "OIDC", "oidc": oidc}
    found = flow.verify(house.context, house.applied(pack(("m.s.orders",), far, login), *done))
    assert lines(found) == [("*", "far", NOT_ASSESSED, True, None), ("*", "login", NOT_ASSESSED, True, None)]


def test_an_address_off_the_list_is_refused(house: House) -> None:
    done = (partner("acme", ip_addresses=("10.0.0.0/8",)), *sales(ORDERS), Grant("sales", ("acme",)))
    acme = {"name": "acme", "type": "D2O", "recipient_ips": ["10.0.0.0/8"]}
    found = flow.verify(house.context, house.applied(pack(("m.s.orders",), acme), *done))
    outside = [one for one in found if "192.0.2.0/24" in one.message]
    assert lines(tuple(outside)) == [("*", "acme", REFUSED, True, None)]
    assert all(one.expected for one in found)


def test_what_earlier_versions_gave_is_tried_and_must_be_refused(house: House) -> None:
    gave = (partner("acme"), partner("left"), partner("dead"), *sales(ORDERS, FED))
    first = pack(("m.s.orders", "m.s.fed"), "acme", "left", "dead")
    house.applied(first, *gave, Grant("sales", ("acme", "left", "dead")))
    dead = RecipientState(name="dead", type=RecipientType.D2O, owner="")
    took = (
        ChangeObjects(share="sales", remove=(FED,)),
        Revoke("sales", ("left",)),
        DeleteRecipient("dead", dead),
    )
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *took)
    found = flow.verify(house.context, pack_id)
    assert lines(found) == [
        ("*", "dead", REFUSED, True, None),
        ("*", "acme", REFUSED, True, None),
        ("s.brickyard_not_shared", "acme", REFUSED, True, None),
        ("s.fed", "acme", REFUSED, True, None),
        ("s.orders", "acme", READ, True, 10),
        ("*", "left", REFUSED, True, None),
    ]


def test_what_was_taken_and_is_there_again_is_not_as_it_should_be(house: House) -> None:
    gave = (partner("acme"), partner("left"), *sales(ORDERS, FED), Grant("sales", ("acme", "left")))
    house.applied(pack(("m.s.orders", "m.s.fed"), "acme", "left"), *gave)
    took = (ChangeObjects(share="sales", remove=(FED,)), Revoke("sales", ("left",)))
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *took)
    by_hand = apply.Hands(house.client, "by hand", lambda *_: None, house.context.clock)
    for step in (ChangeObjects(share="sales", add=(FED,)), Grant("sales", ("left",))):
        apply.perform(by_hand, step)
    found = flow.verify(house.context, pack_id)
    assert lines(tuple(one for one in found if not one.expected)) == [
        ("s.fed", "acme", READ, False, None),
        ("*", "left", READ, False, None),
    ]


def test_what_the_pack_declares_and_nobody_can_read_is_not_as_it_should_be(house: House) -> None:
    wants = pack(("m.s.orders", "m.s.fed"), "acme", "ungranted", "absent")
    done = (partner("acme"), partner("ungranted"), *sales(ORDERS), Grant("sales", ("acme",)))
    found = flow.verify(house.context, house.applied(wants, *done))
    assert [(one.table, one.recipient, one.message) for one in found if not one.expected] == [
        ("*", "absent", "the recipient does not exist"),
        ("s.fed", "acme", "the pack declares it, and it is not in the share"),
        ("*", "ungranted", "the recipient has no right to read the share"),
    ]


def test_a_table_whose_data_is_lost_has_failed_and_is_not_refused(house: House) -> None:
    house.sql("CREATE OR REPLACE TABLE m.s.broken AS SELECT 1 AS id")
    done = (partner("acme"), *sales(SharedObject(name="m.s.broken", kind=ObjectKind.TABLE)), Grant("sales", ("acme",)))
    pack_id = house.applied(pack(("m.s.broken",), "acme"), *done)
    log = Path(str(house.client.tables.get("m.s.broken").storage_location)) / "_delta_log"
    for file in log.iterdir():
        file.write_text("{")
    found = flow.verify(house.context, pack_id)
    assert lines(tuple(one for one in found if one.table == "s.broken")) == [("s.broken", "acme", FAILED, False, None)]


def test_a_deleted_share_opens_to_nobody(house: House) -> None:
    house.applied(pack(("m.s.orders",), "acme"), partner("acme"), *sales(ORDERS), Grant("sales", ("acme",)))
    before = ShareState(name="sales", owner="", objects=(ORDERS,), readers=("acme",))
    pack_id = house.applied(pack(()), DeleteShare("sales", before))
    found = flow.verify(house.context, pack_id)
    assert [(one.share, one.recipient, one.verdict, one.expected) for one in found] == [("sales", "*", REFUSED, True)]


@pytest.mark.parametrize(
    "operation", ["recipients.create", "shares.update_permissions", "recipients.delete", "recipients.update"]
)
def test_a_lost_reply_leaves_nothing_behind(house: House, operation: str) -> None:
    done = (partner("acme", ip_addresses=("10.0.0.0/8",)), *sales(ORDERS), Grant("sales", ("acme",)))
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *done)
    house.workspace.drop_reply(operation)
    assert all(one.expected for one in flow.verify(house.context, pack_id))


def test_a_link_that_is_used_up_by_a_lost_reply_is_followed_by_another_probe(house: House) -> None:
    done = (partner("acme"), *sales(ORDERS), Grant("sales", ("acme",)))
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *done)
    house.workspace.drop_reply("recipient_activation.retrieve_token")
    assert all(one.expected for one in flow.verify(house.context, pack_id))


def test_an_error_drops_the_probe_and_is_told(house: House) -> None:
    done = (partner("acme"), *sales(ORDERS), Grant("sales", ("acme",)))
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *done)
    house.workspace.fail_next("shares.update_permissions", 403, "PERMISSION_DENIED")
    with pytest.raises(WorkspaceRefused):
        flow.verify(house.context, pack_id)
    assert house.probes() == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, WorkspaceDown])
def test_whatever_ends_a_reading_drops_its_probe(house: House, interruption: type[BaseException]) -> None:
    hands = apply.Hands(house.client, "pack", lambda *_: None, house.context.clock)
    with pytest.raises(interruption), probe(hands, (), properties={}):
        assert len(house.probes()) == 1
        raise interruption("stopped")
    assert house.probes() == []


def test_nobody_else_sees_a_probe(house: House) -> None:
    for step in (partner("acme"), *sales(ORDERS), Grant("sales", ("acme",))):
        apply.perform(apply.Hands(house.client, "pack", lambda *_: None, house.context.clock), step)
    before = (flow.access(house.context), flow.import_live(house.context, ("sales",)))
    hands = apply.Hands(house.client, "pack", lambda *_: None, house.context.clock)
    with probe(hands, ("sales",), properties={}):
        assert (flow.access(house.context), flow.import_live(house.context, ("sales",))) == before


def test_a_probe_lives_an_hour_and_carries_the_mark(house: House) -> None:
    hands = apply.Hands(house.client, "pack", lambda *_: None, house.context.clock)
    with probe(hands, (), properties={"land": "at"}) as reader:
        made = house.client.recipients.get(reader.name)
    assert made.properties_kvpairs and made.properties_kvpairs.properties == {"land": "at", "brickyard.pack": "pack"}
    assert made.expiration_time and made.created_at
    assert abs(made.expiration_time - made.created_at - 3_600_000) < 5_000
    assert reader.link not in repr(reader)


def test_probes_that_a_killed_verification_left_are_dropped_after_their_hour(house: House) -> None:
    left = partner(f"{PREFIX}0123456789abcdef")
    apply.perform(apply.Hands(house.client, "pack", lambda *_: None, house.context.clock), left)
    house.client.recipients.create(f"{PREFIX}of_somebody_else", _token_type())
    assert flow.drop_probes(house.context) == ()
    later = Context(
        house.context.workspaces,
        house.context.metadata,
        house.context.queue,
        clock=lambda: datetime.now(UTC) + timedelta(hours=1, minutes=1),
    )
    assert flow.drop_probes(later) == (left.name,)
    assert house.probes() == [f"{PREFIX}of_somebody_else"]
    house.clean()


def _token_type() -> Any:
    from databricks.sdk.service.sharing import AuthenticationType

    return AuthenticationType.TOKEN


def test_while_a_run_is_under_way_nothing_is_verified(house: House) -> None:
    pack_id = house.applied(pack(("m.s.orders",), "acme"), status=RunStatus.QUEUED)
    with pytest.raises(Conflict) as refused:
        flow.verify(house.context, pack_id)
    assert refused.value.error_code == "share-run-under-way"


def test_a_pack_that_is_not_there_is_said(house: House) -> None:
    with pytest.raises(NotFound):
        flow.verify(house.context, "11111111-2222-3333-4444-555555555555")


def test_neither_links_nor_tokens_reach_logs_and_database(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    kept: list[str] = []
    done = (partner("acme"), *sales(ORDERS), Grant("sales", ("acme",)))
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *done)
    found = flow.verify(house.context, pack_id)
    with house.context.metadata.read() as tx:
        newest = runs.newest(tx, packs.get(tx, pack_id).pack_id)
        assert newest
        kept += [event.message for event in runs.timeline(tx, newest.id)]
    assert kept[-1] == "verified as the recipients: 3 readings, 0 not as it should be"
    said = " ".join([*kept, repr(found), *capfd.readouterr()])
    assert "retrieve_config" not in said and "Bearer" not in said


def test_a_table_without_rows_is_read(house: House) -> None:
    house.sql("CREATE OR REPLACE TABLE m.s.none (id INT)")
    done = (partner("acme"), *sales(SharedObject(name="m.s.none", kind=ObjectKind.TABLE)), Grant("sales", ("acme",)))
    found = flow.verify(house.context, house.applied(pack(("m.s.none",), "acme"), *done))
    assert [(one.verdict, one.rows, one.message) for one in found if one.table == "s.none"] == [
        (READ, 0, "columns and first rows in parquet, in delta too")
    ]


def test_a_server_that_stays_away_is_given_up_soon(house: House) -> None:
    done = (partner("acme"), *sales(ORDERS), Grant("sales", ("acme",)))
    pack_id = house.applied(pack(("m.s.orders",), "acme"), *done)
    house.workspace.fail_next("delta_sharing.table_metadata", 503, "TEMPORARILY_UNAVAILABLE", times=50)
    begin = time.monotonic()
    found = flow.verify(house.context, pack_id)
    assert time.monotonic() - begin < 10
    assert lines(tuple(one for one in found if one.table == "s.orders")) == [("s.orders", "acme", FAILED, False, None)]
