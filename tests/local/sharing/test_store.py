"""The sharing store: names, objects, grants and tokens."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.local.catalog.database import Database
from brickyard.local.catalog.model import AlreadyExists, DoesNotExist, Invalid
from brickyard.local.sharing.model import (
    AuthenticationType,
    FederationPolicy,
    ObjectType,
    PartitionValue,
    Provider,
    Recipient,
    Share,
    SharedObject,
    Token,
)
from brickyard.local.sharing.store import LIMITS, SharingStore, digest, exposed_name

ME = "owner@example.com"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SharingStore]:
    database = Database(tmp_path / "catalog.db")
    yield SharingStore(database, clock=clock)
    database.close()


def share(store: SharingStore, name: str = "sales", *objects: SharedObject) -> Share:
    return store.add(Share(id="", name=name, owner="", objects=objects), by=ME)


def table(name: str, **fields: object) -> SharedObject:
    return replace(SharedObject(name=name, object_type=ObjectType.TABLE), **fields)


def token(link: str = "link", **fields: object) -> Token:
    return replace(Token(id=f"id of {link}", activation=link, created_at=NOW), **fields)


def recipient(store: SharingStore, name: str = "acme", *tokens: Token, **fields: object) -> Recipient:
    made = Recipient(id="", name=name, owner="", authentication_type=AuthenticationType.TOKEN, tokens=tokens)
    return store.add(replace(made, **fields), by=ME)


def test_what_is_stored_comes_back_whole(store: SharingStore):
    partition = (PartitionValue("region", value="eu"), PartitionValue("tier", recipient_property_key="tier"))
    objects = (
        table("m.s.b", shared_as="x.y", cdf_enabled=True, start_version=3, added_at=NOW, added_by=ME),
        table("m.s.a", partitions=(partition,), history=True),
    )
    made = share(store, "sales", *objects)
    policy = FederationPolicy(id="p", name="n", issuer="i", subject_claim="azp", subject="s", audiences=("a",))
    known = recipient(store, "acme", token(), ip_addresses=("10.0.0.1",), properties={"a": "b"}, policies=(policy,))
    provider = store.add(
        Provider(id="", name="p", owner="", authentication_type=AuthenticationType.TOKEN, profile="sealed"), by=ME
    )
    assert (store.share("sales"), store.recipient("acme"), store.provider("p")) == (made, known, provider)
    assert (made.owner, made.created_at, made.updated_by, bool(made.id)) == (ME, NOW, ME, True)


def test_names_compare_without_case_and_keep_their_own(store: SharingStore):
    made = share(store, "Sales")
    assert store.share("sALES") == made
    with pytest.raises(AlreadyExists) as refused:
        share(store, "SALES")
    assert refused.value.code == "SHARE_ALREADY_EXISTS"
    recipient(store, "sales")  # another sort of thing


def test_a_second_recipient_of_a_name_is_refused_in_databricks_words(store: SharingStore):
    recipient(store, "acme")
    with pytest.raises(AlreadyExists, match="There is already a Recipient object"):
        recipient(store, "ACME")


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a/b", "a\n", "x" * 256])
def test_a_name_that_no_path_can_hold_is_refused(store: SharingStore, name: str):
    with pytest.raises(Invalid):
        share(store, name)


def test_what_is_not_there_is_said_by_its_own_code(store: SharingStore):
    for ask, code in ((store.share, "SHARE"), (store.recipient, "RECIPIENT"), (store.provider, "PROVIDER")):
        with pytest.raises(DoesNotExist) as missing:
            ask("no")
        assert missing.value.code == f"{code}_DOES_NOT_EXIST"


def test_a_rename_keeps_grants_and_objects(store: SharingStore):
    made = share(store, "sales", table("m.s.t"))
    recipient(store, "acme")
    store.grant("sales", "acme")
    store.save(replace(made, name="sold"), by=ME)
    store.save(replace(store.recipient("acme"), name="partner"), by=ME)
    assert [one.name for one in store.granted("partner")] == ["sold"]
    assert store.granted("partner")[0].objects == made.objects
    assert store.readers("sold") == ["partner"]


def test_a_rename_onto_another_is_refused(store: SharingStore):
    share(store, "a")
    made = share(store, "b")
    with pytest.raises(AlreadyExists):
        store.save(replace(made, name="A"), by=ME)


def test_a_share_that_was_removed_meanwhile_is_not_saved(store: SharingStore):
    made = share(store)
    store.remove(made)
    with pytest.raises(DoesNotExist):
        store.save(made, by=ME)


def test_what_goes_takes_its_grants_objects_and_tokens_along(store: SharingStore):
    share(store, "sales", table("m.s.t"))
    known = recipient(store, "acme", token())
    store.grant("sales", "acme")
    store.grant("sales", "acme")
    store.remove(known)
    assert store.readers("sales") == []
    store.remove(store.share("sales"))
    for kept in ("sharing", "shared_objects", "recipient_tokens", "share_grants"):
        assert store.database.rows(f"SELECT * FROM {kept}") == []


def test_lists_come_by_name_and_by_page(store: SharingStore):
    for name in ("c", "A", "b"):
        share(store, name, table("m.s.t"))
    assert [one.name for one in store.shares()] == ["A", "b", "c"]
    assert [one.objects for one in store.heads(1, 1)] == [()]
    assert [one.name for one in store.heads(1, 1)] == ["b"]


def test_a_metastore_has_its_limits(store: SharingStore):
    small = SharingStore(store.database, limits={**LIMITS, Share: 1})
    share(small, "a")
    with pytest.raises(Invalid) as refused:
        share(small, "b")
    assert refused.value.code == "RESOURCE_EXHAUSTED"


def test_an_activation_link_gives_one_token_once(store: SharingStore):
    recipient(store, "acme", token())
    activated = store.activate("link")
    assert activated is not None
    bearer, active, owner = activated
    assert (active.digest, owner) == (digest(bearer), store.recipient("acme"))
    assert store.recipient_of(bearer) == (owner, active)
    assert (store.activate("link"), store.pending("link"), store.activate("other")) == (None, None, None)


def test_a_bearer_token_is_nowhere_in_the_file(store: SharingStore, tmp_path: Path):
    recipient(store, "acme", token())
    activated = store.activate("link")
    assert activated is not None
    store.database.close()
    with sqlite3.connect(tmp_path / "catalog.db") as raw:
        assert activated[0] not in "\n".join(raw.iterdump())
    raw.close()


def test_an_expired_token_opens_nothing(store: SharingStore, clock: Clock):
    recipient(store, "acme", token(expires_at=NOW + timedelta(seconds=10)), token("late", expires_at=NOW))
    assert store.activate("late") is None
    activated = store.activate("link")
    assert activated is not None
    clock.now = NOW + timedelta(seconds=10)
    assert store.recipient_of(activated[0]) is None


def test_an_unknown_bearer_is_nobody(store: SharingStore):
    recipient(store, "acme", token())
    assert [store.recipient_of(bearer) for bearer in ("", "link", digest("x"))] == [None] * 3


def test_of_many_that_use_a_link_at_once_one_gets_the_token(store: SharingStore):
    recipient(store, "acme", token())
    given: list[object] = []
    threads = [threading.Thread(target=lambda: given.append(store.activate("link"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in given if one is not None]) == 1


def test_a_metastore_is_found_by_its_global_id(store: SharingStore):
    known = recipient(store, "acme", metastore="aws:us:Abc")
    assert (store.recipient_of_metastore("AWS:us:abc"), store.recipient_of_metastore("x")) == (known, None)


def test_the_name_that_is_seen_is_the_alias_or_the_name_without_catalog():
    notebook = SharedObject(name="/Users/me/n.py", object_type=ObjectType.NOTEBOOK_FILE)
    assert [exposed_name(one) for one in (table("m.s.t"), table("m.s.t", shared_as="a.b"), notebook)] == [
        "s.t",
        "a.b",
        "n.py",
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), max_size=6))
def test_after_any_saves_a_share_holds_what_was_saved_last(
    tmp_path_factory: pytest.TempPathFactory, versions: list[list[str]]
):
    database = Database(tmp_path_factory.mktemp("store") / "catalog.db")
    store = SharingStore(database)
    made = share(store)
    for names in versions:
        made = store.save(replace(made, objects=tuple(table(f"m.s.{name}") for name in names)), by=ME)
    found = store.share("sales").objects
    assert sorted(one.name for one in found) == sorted(one.name for one in made.objects)
    database.close()
