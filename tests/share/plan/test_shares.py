"""Shares: their objects, their readers, and whose they are."""

from __future__ import annotations

import random

import pytest
from tests.share.plan.simulated import NOW, after, assets, d2o, named, pack, recipient, share, table, tables, world

from brickyard.share.model.current import Claim, ObjectKind, PartitionValue, SharedObject, Source
from brickyard.share.model.pack import AssetSpec, PartitionSpec, ShareSpec, Strategy
from brickyard.share.model.steps import (
    ChangeObjects,
    ChangeShare,
    CreateShare,
    DeleteShare,
    EnableChangeFeed,
    Grant,
    Loss,
    Refusal,
    Revoke,
)
from brickyard.share.plan import detect, plan, plan_hash

A, B, C = "main.s.a", "main.s.b", "main.s.c"


def of(*specs: ShareSpec, **metadata: str):
    return pack([], specs, **metadata)


def claim(kind: str, name: str) -> frozenset[Claim]:
    return frozenset({Claim(kind, "sales", name)})


def test_a_new_share_is_made_filled_and_granted():
    spec = ShareSpec(name="sales", description="S", share_assets=assets(B, A), recipients=("acme",))
    now = world(sources=tables(A, B), recipients=named(recipient("acme")))
    assert plan(of(spec), now, now=NOW).steps == (
        CreateShare("sales", "S"),
        ChangeObjects(share="sales", add=(table(A), table(B))),
        Grant("sales", ("acme",)),
    )


def test_what_others_added_stays_in_merge_and_goes_in_exact_and_what_this_pack_added_goes_in_both():
    there = share("sales", objects=(table(A), table(B), table(C)), readers=("acme", "beta", "gamma"))
    now = world(
        sources=tables(A, B, C),
        recipients=named(recipient("acme"), recipient("beta"), recipient("gamma")),
        shares=named(there),
        claims=claim("object", B) | claim("reader", "beta"),
    )
    spec = ShareSpec(name="sales", share_assets=assets(A), recipients=("acme",))
    assert plan(of(spec), now, now=NOW).steps == (
        Revoke("sales", ("beta",)),
        ChangeObjects(share="sales", remove=(table(B),)),
    )
    assert plan(of(spec, mode="exact"), now, now=NOW).steps == (
        Revoke("sales", ("beta", "gamma")),
        ChangeObjects(share="sales", remove=(table(B), table(C))),
    )


def test_what_another_pack_added_stays_even_in_exact_mode_with_a_warning():
    there = share("sales", objects=(table(A), table(B)), readers=("acme", "beta"))
    now = world(
        sources=tables(A, B),
        recipients=named(recipient("acme"), recipient("beta")),
        shares=named(there),
        others=claim("object", B) | claim("reader", "beta"),
    )
    found = plan(of(ShareSpec(name="sales", share_assets=assets(A), recipients=("acme",)), mode="exact"), now, now=NOW)
    assert found.steps == ()
    assert found.warnings[1:] == (
        f"The share sales keeps {B}: another share pack has added it.",
        "beta still may read sales: another share pack has granted it.",
    )


def test_an_empty_list_leaves_alone_and_lists_to_add_and_remove_do_what_they_say():
    there = share("sales", objects=(table(A), table(B)), readers=("acme",))
    now = world(
        sources=tables(A, B, C),
        recipients=named(recipient("acme"), recipient("beta")),
        shares=named(there),
        claims=claim("object", A) | claim("reader", "acme"),
    )
    assert plan(of(ShareSpec(name="sales"), mode="exact"), now, now=NOW).steps == ()
    spec = ShareSpec(
        name="sales",
        share_assets_to_add=assets(C),
        share_assets_to_remove=assets(B),
        recipients_to_add=("beta",),
        recipients_to_remove=("acme",),
    )
    assert plan(of(spec), now, now=NOW).steps == (
        ChangeObjects(share="sales", add=(table(C),)),
        Grant("sales", ("beta",)),
        Revoke("sales", ("acme",)),
        ChangeObjects(share="sales", remove=(table(B),), part=2),
    )


def test_a_view_that_is_there_is_neither_added_as_a_table_nor_removed():
    view = SharedObject(name=A, kind=ObjectKind.VIEW)
    now = world(sources={A: Source(name=A, kind=ObjectKind.VIEW)}, shares=named(share("sales", objects=(view,))))
    assert plan(of(ShareSpec(name="sales", share_assets=assets(A))), now, now=NOW).steps == ()


@pytest.mark.parametrize("kind", ObjectKind)
def test_the_kind_of_an_asset_is_what_the_catalog_says(kind: ObjectKind):
    now = world(sources={A: Source(name=A, kind=kind)})
    steps = plan(of(ShareSpec(name="sales", share_assets=assets(A))), now, now=NOW).steps
    assert steps[-1] == ChangeObjects(share="sales", add=(SharedObject(name=A, kind=kind),))


def test_what_the_server_fills_in_is_no_difference():
    filled = SharedObject(
        name=A, kind=ObjectKind.TABLE, shared_as="s.a", cdf=True, history=True, start_version=7, comment=""
    )
    asset = AssetSpec(name=A.upper(), history=True)
    now = world(sources=tables(A), shares=named(share("sales", objects=(filled,))))
    assert plan(of(ShareSpec(name="sales", share_assets=(asset,))), now, now=NOW).steps == ()


def test_options_of_an_object_are_updated_and_keep_what_the_pack_does_not_say():
    there = table(A, cdf=True, start_version=3, shared_as="x.y")
    now = world(sources=tables(A), shares=named(share("sales", objects=(there,))))
    asset = AssetSpec(name=A, history=True, partitions=((PartitionSpec(name="day", value="1"),),))
    wanted = table(
        A, history=True, start_version=3, shared_as="x.y", partitions=((PartitionValue("day", "EQUAL", "1"),),)
    )
    assert plan(of(ShareSpec(name="sales", share_assets=(asset,))), now, now=NOW).steps == (
        ChangeObjects(share="sales", update=(wanted,), before=(there,)),
    )


def test_another_alias_is_a_removal_and_an_addition_in_two_requests_with_a_warning():
    there = table(A, shared_as="x.old")
    now = world(
        sources=tables(A), shares=named(share("sales", objects=(there,))), claims=claim("object", f"{A} as x.old")
    )
    found = plan(of(ShareSpec(name="sales", share_assets=(AssetSpec(name=A, shared_as="x.new"),))), now, now=NOW)
    assert found.steps == (
        ChangeObjects(share="sales", remove=(there,)),
        ChangeObjects(share="sales", add=(table(A, shared_as="x.new"),), part=2),
    )
    assert "taken out of the share sales and added again" in found.warnings[-1]
    assert found.losses == (Loss(what=f"the share sales no longer has TABLE {A} as x.old"),)


def test_one_table_under_two_aliases_is_two_objects():
    spec = ShareSpec(name="sales", share_assets=(AssetSpec(name=A), AssetSpec(name=A, shared_as="x.two")))
    first = plan(of(spec), now_ := world(sources=tables(A)), now=NOW)
    assert [len(s.add) for s in first.steps if isinstance(s, ChangeObjects)] == [1, 1]
    assert plan(of(spec), after(now_, first.steps), now=NOW).steps == ()


def test_a_thousand_tables_take_ten_requests_in_any_order():
    names = [f"main.s.t{n}" for n in range(1000)]
    shuffled = random.Random(1).sample(names, 1000)
    now = world(sources=tables(*names), shares=named(share("sales")))
    found = plan(of(ShareSpec(name="sales", share_assets=assets(*shuffled))), now, now=NOW)
    assert [len(s.add) for s in found.steps if isinstance(s, ChangeObjects)] == [100] * 10
    assert found == plan(of(ShareSpec(name="sales", share_assets=assets(*names))), now, now=NOW)


def test_more_than_a_share_holds_is_refused():
    names = [f"main.s.t{n}" for n in range(1001)]
    found = plan(of(ShareSpec(name="sales", share_assets=assets(*names))), world(sources=tables(*names)), now=NOW)
    assert [p.message for p in found.refusals] == ["the share would have 1001 tables; Databricks takes 1000"]


def test_more_than_a_metastore_holds_is_refused():
    now = world(every_recipient=frozenset(f"r{n}" for n in range(5000)))
    (problem,) = plan(pack([d2o("acme")]), now, now=NOW).refusals
    assert problem.message == "the metastore would have 5001 recipients; Databricks takes 5000"


@pytest.mark.parametrize(
    ("asset", "message"),
    [
        (AssetSpec(name="main.s.ab"), "main.s.ab does not exist, or we may not see it"),
        (AssetSpec(name=A, type="VIEW"), f"{A} is a TABLE and not a VIEW"),
        (AssetSpec(name="main.s.v"), "main.s.v cannot be shared: it stands on something foreign"),
        (AssetSpec(name=A, cdf=True, history=True), f"{A} asks for cdf and history"),
        (AssetSpec(name="main.s.f", cdf=True), "a FUNCTION has no changes to share"),
        (AssetSpec(name=A, shared_as="a.b.c"), "a.b.c is no alias for a TABLE"),
        (
            AssetSpec(name=A, partitions=((PartitionSpec(name="dat", value="1"),),)),
            f"dat is not a partition column of {A}",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(asset: AssetSpec, message: str):
    others = {
        "main.s.v": Source(name="main.s.v", kind=ObjectKind.VIEW, why_not="it stands on something foreign"),
        "main.s.f": Source(name="main.s.f", kind=ObjectKind.FUNCTION),
    }
    found = plan(of(ShareSpec(name="sales", share_assets=(asset,))), world(sources={**tables(A), **others}), now=NOW)
    assert [p.message for p in found.refusals] == [message]
    assert found.refusals[0].where == f"share sales: {asset.name}"


def test_two_tables_under_one_name_are_refused():
    now = world(sources=tables("one.s.a", "two.s.a"))
    found = plan(of(ShareSpec(name="sales", share_assets=assets("one.s.a", "two.s.a"))), now, now=NOW)
    assert [p.message for p in found.refusals] == ["one.s.a, two.s.a would all be s.a in the share"]


def test_a_reader_that_nobody_knows_is_refused_with_the_nearest_name():
    now = world(every_recipient=frozenset({"acme_corp"}))
    found = plan(of(ShareSpec(name="sales", recipients=("acme_crop",))), now, now=NOW)
    assert found.refusals == (
        Refusal(
            "there is no recipient acme_crop, neither in the pack nor in the workspace",
            where="share sales",
            remedy="did you mean acme_corp?",
            code="share-recipient-missing",
        ),
    )


def test_a_table_whose_changes_are_shared_gets_its_change_feed_first():
    spec = ShareSpec(name="sales", share_assets=(AssetSpec(name=A, cdf=True),))
    steps = plan(of(spec), world(sources=tables(A)), now=NOW).steps
    assert steps[1:] == (EnableChangeFeed(A), ChangeObjects(share="sales", add=(table(A, cdf=True),)))


def test_descriptions_are_changed_and_an_empty_one_leaves_alone():
    now = world(shares=named(share("sales", comment="old")))
    changed = ChangeShare("sales", "new", "old")
    assert plan(of(ShareSpec(name="sales", description="new")), now, now=NOW).steps == (changed,)
    assert plan(of(ShareSpec(name="sales")), now, now=NOW).steps == ()


def test_a_share_no_longer_listed_is_deleted_when_this_pack_made_it_and_emptied_when_others_need_it():
    there = share("old", objects=(table(A), table(B)), readers=("acme",))
    claims = frozenset({Claim("share", "", "old"), Claim("object", "old", A), Claim("reader", "old", "acme")})
    now = world(sources=tables(A, B), shares=named(there, share("sales")), claims=claims)
    spec = ShareSpec(name="sales")
    found = plan(of(spec), now, now=NOW)
    assert found.steps == (DeleteShare("old", there),)
    assert found.losses == (
        Loss(what=f"the share old is deleted, with {A}, {B} in it", who=("acme",), irreversible=True),
    )
    theirs = frozenset({Claim("object", "old", B)})
    kept = plan(of(spec), world(sources=tables(A, B), shares=now.shares, claims=claims, others=theirs), now=NOW)
    assert kept.steps == (Revoke("old", ("acme",)), ChangeObjects(share="old", remove=(table(A),)))


def test_new_turns_to_update_with_the_documented_words_whatever_the_case_of_the_names():
    spec = pack([d2o("Acme"), d2o("beta")], [ShareSpec(name="Sales")])
    text = (
        "Auto-switched from NEW to UPDATE: 1 recipient(s) and 1 share(s) already exist."
        " Existing resources will be updated, new ones will be created."
    )
    assert detect(spec, {"acme", "zeta"}, {"SALES"}) == (Strategy.UPDATE, (text,))
    assert detect(spec, {"zeta"}, ()) == (Strategy.NEW, ())
    update = pack([d2o("acme")], strategy="UPDATE")
    assert detect(update, (), ()) == (Strategy.UPDATE, ())


def test_the_hash_follows_the_decisions_and_not_the_order_of_lists():
    one, two = of(ShareSpec(name="s", share_assets=assets(A, B))), of(ShareSpec(name="s", share_assets=assets(B, A)))
    now = world(sources=tables(A, B))
    assert plan(one, now, now=NOW).hash == plan(two, now, now=NOW).hash
    assert (
        plan(one, now, now=NOW).hash != plan(one, world(sources=tables(A, B), shares=named(share("s"))), now=NOW).hash
    )
    assert plan_hash(one, Strategy.NEW, ()) != plan_hash(one, Strategy.UPDATE, ())
