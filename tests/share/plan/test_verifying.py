"""What a verification tries: who stands for whom, what must be there, what steps have taken away."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.share.store.samples import pack as sample

from brickyard.share.model.current import ObjectKind, PartitionValue, RecipientState, SharedObject, ShareState
from brickyard.share.model.pack import RecipientType, ShareSpec
from brickyard.share.model.steps import ChangeObjects, CreateRecipient, DeleteRecipient, DeleteShare, Grant, Revoke
from brickyard.share.plan.verifying import Audience, Expected, Taken, audiences, expected, taken, wanted

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ORDERS = SharedObject(name="m.s.orders", kind=ObjectKind.TABLE)
OLD = SharedObject(name="m.s.Old", kind=ObjectKind.TABLE, shared_as="x.renamed")


def reader(name: str, type_: RecipientType = RecipientType.D2O, **more) -> RecipientState:
    return RecipientState(name=name, type=type_, owner="ada", **more)


def test_recipients_that_get_the_same_are_one_audience():
    states = [
        reader("A", properties={"land": "at"}),
        reader("b", properties={"land": "at"}, ip_addresses=("10.0.0.1",)),
        reader("c", properties={"land": "ch"}),
        reader("d", RecipientType.D2D),
        reader("e"),
    ]
    recipients = {one.name.lower(): one for one in states}
    shares = {"sales": ShareState(name="Sales", owner="ada", readers=("A", "B", "c", "d"))}
    pairs = [("sales", name) for name in ("a", "b", "c", "d", "e", "f")]
    assert audiences(pairs, recipients, shares) == (
        Audience(recipients=("A", "b"), shares=("Sales",), properties=(("land", "at"),), guarded=("b",)),
        Audience(recipients=("c",), shares=("Sales",), properties=(("land", "ch"),)),
    )


def test_whose_access_has_ended_is_to_read_nothing():
    pack = sample(("sales",), ("acme", "late"))
    share = pack.share[0].model_copy(update={"recipients": ("ACME", "late")})
    late = pack.recipient[1].model_copy(update={"expires_on": "2026-11-19"})
    pack = pack.model_copy(update={"share": (share,), "recipient": (pack.recipient[0], late)})
    assert wanted(pack, NOW) == (("sales", "ACME"),)


def test_what_must_be_there_is_what_is_shared_and_what_is_declared():
    own = ((PartitionValue("who", recipient_property_key="databricks.name"),),)
    objects = (
        ORDERS,
        SharedObject(name="m.s.fed", kind=ObjectKind.TABLE, cdf=True),
        SharedObject(name="m.s.mine", kind=ObjectKind.TABLE, partitions=own),
        SharedObject(name="m.files.in", kind=ObjectKind.VOLUME),
        SharedObject(name="m.whole", kind=ObjectKind.SCHEMA),
    )
    names = ("m.s.orders", "m.s.absent", "m.whole", "m.whole.part", "m.files.in", "/Shared/notebook")
    spec = ShareSpec.model_validate({"name": "sales", "share_assets": [{"name": name} for name in names]})
    assert expected(ShareState(name="sales", owner="ada", objects=objects), spec) == Expected(
        tables=("s.fed", "s.orders"),
        schemas=("whole",),
        feeds=frozenset({"s.fed"}),
        beyond=(
            ("files.in", "the open protocol reads tables only, this is a volume"),
            ("s.mine", "its rows depend on a property that Databricks gives each recipient"),
        ),
        missing=("s.absent",),
    )


def test_what_is_given_back_is_not_taken():
    steps = (
        ChangeObjects(share="Sales", remove=(ORDERS, OLD)),
        Revoke("sales", ("Acme", "left")),
        DeleteRecipient("dead", reader("dead")),
        DeleteRecipient("back", reader("back")),
        DeleteShare("gone", ShareState(name="gone", owner="ada", objects=(ORDERS,), readers=("left",))),
        ChangeObjects(share="sales", add=(ORDERS,)),
        Grant("SALES", ("acme",)),
        CreateRecipient(name="Back", type=RecipientType.D2O),
    )
    assert taken(steps) == Taken(
        tables=frozenset({("sales", "x.renamed"), ("gone", "s.orders")}),
        readers=frozenset({("sales", "left"), ("*", "dead"), ("gone", "left")}),
    )
