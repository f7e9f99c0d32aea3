"""Recipients: what is made, what is changed, what is lost, what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.share.plan.simulated import NOW, assets, d2o, named, pack, recipient, share, tables, world

from brickyard.share.model.current import Claim, OidcPolicy, TokenState
from brickyard.share.model.pack import OidcSpec, RecipientSpec, RecipientType, ShareSpec, TokenPolicy
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeRecipient,
    CreateRecipient,
    DeleteRecipient,
    Grant,
    Loss,
    RemovePolicy,
    Revoke,
    RotateToken,
)
from brickyard.share.plan import plan

TOKEN = TokenState(id="t", created_at=NOW - timedelta(days=10), expires_at=NOW + timedelta(days=355))


def of(*specs: RecipientSpec, **metadata: str):
    return pack(specs, **metadata)


def test_a_new_recipient_is_made_with_all_that_is_said_of_it():
    spec = d2o(
        "acme",
        description="A",
        recipient_ips=("10.0.0.1/32",),
        recipient_ips_to_add=("8.8.8.8",),
        properties={"region": "eu"},
        token_expiry=30,
        expires_on="2026-06-09",
    )
    assert plan(of(spec), world(), now=NOW).steps == (
        CreateRecipient(
            name="acme",
            type=RecipientType.D2O,
            comment="A",
            ip_addresses=("10.0.0.1", "8.8.8.8"),
            properties={"region": "eu"},
            expires_in_days=30,
            expires_at=NOW.replace(day=10),
        ),
    )


def test_declared_addresses_replace_what_this_pack_had_declared_and_keep_what_others_added():
    there = recipient("acme", ip_addresses=("1.1.1.1", "2.2.2.2", "3.3.3.3"))
    mine, theirs = Claim("address", "acme", "1.1.1.1"), Claim("address", "acme", "3.3.3.3")
    now = world(recipients=named(there), claims=frozenset({mine}), others=frozenset({theirs}))
    wanted = d2o("acme", recipient_ips=("8.8.8.8",))
    (merged,) = plan(of(wanted), now, now=NOW).steps
    (exact,) = plan(of(wanted, mode="exact"), now, now=NOW).steps
    assert merged == ChangeRecipient(name="acme", ip_addresses=("2.2.2.2", "3.3.3.3", "8.8.8.8"), before=there)
    assert exact == ChangeRecipient(name="acme", ip_addresses=("3.3.3.3", "8.8.8.8"), before=there)


def test_the_same_network_in_another_spelling_is_no_difference():
    now = world(recipients=named(recipient("acme", ip_addresses=("10.0.0.1/32", "10.1.0.0/24"))))
    assert plan(of(d2o("Acme", recipient_ips=("10.0.0.1", "10.1.0.9/24"))), now, now=NOW).steps == ()


def test_no_list_of_addresses_leaves_alone_and_an_empty_one_in_exact_mode_opens_with_a_loss():
    there = recipient("acme", ip_addresses=("1.1.1.1",))
    now = world(recipients=named(there))
    assert plan(of(d2o("acme"), mode="exact"), now, now=NOW).steps == ()
    assert plan(of(d2o("acme", recipient_ips=())), now, now=NOW).steps == ()
    opened = plan(of(d2o("acme", recipient_ips=()), mode="exact"), now, now=NOW)
    text = "acme can read from every address: its list of addresses becomes empty"
    assert opened.steps == (ChangeRecipient(name="acme", ip_addresses=(), before=there),)
    assert (opened.losses, opened.warnings[-1]) == ((Loss(what=text, who=("acme",)),), f"{text}.")


def test_removing_the_last_address_is_said_to_open_the_recipient():
    now = world(recipients=named(recipient("acme", ip_addresses=("1.1.1.1",))))
    found = plan(of(d2o("acme", recipient_ips_to_remove=("1.1.1.1",))), now, now=NOW)
    assert [loss.what for loss in found.losses] == [
        "acme can read from every address: its list of addresses becomes empty"
    ]


def test_more_than_a_hundred_addresses_are_refused():
    many = tuple(f"10.0.{n // 200}.{n % 200}" for n in range(101))
    (problem,) = plan(of(d2o("acme", recipient_ips=many)), world(), now=NOW).refusals
    assert problem.message == "acme would have 101 addresses; Databricks takes 100"


def test_a_token_gets_the_end_that_its_age_says_and_only_when_it_differs_by_more_than_a_minute():
    ends = TOKEN.created_at + timedelta(days=30)
    there = recipient("acme", tokens=(TOKEN,))
    close = recipient("acme", tokens=(TokenState(id="t", created_at=TOKEN.created_at, expires_at=ends),))
    wanted = of(d2o("acme", token_expiry=30))
    found = plan(wanted, world(recipients=named(there)), now=NOW)
    assert found.steps == (ChangeRecipient(name="acme", expires_at=ends, before=there),)
    assert found.losses == (Loss(what="the token of acme ends earlier, on 2026-06-21 00:00 UTC", who=("acme",)),)
    assert plan(wanted, world(recipients=named(close)), now=NOW).steps == ()


def test_a_token_older_than_its_expiry_is_left_and_said():
    now = world(recipients=named(recipient("acme", tokens=(TOKEN,))))
    found = plan(of(d2o("acme", token_expiry=5)), now, now=NOW)
    assert found.steps == ()
    assert "older than its token_expiry of 5 days" in found.warnings[-1]


def test_access_that_ends_before_the_token_ends_the_token():
    there = recipient("acme", tokens=(TOKEN,))
    found = plan(of(d2o("acme", expires_on="2026-06-14")), world(recipients=named(there)), now=NOW)
    assert found.steps == (ChangeRecipient(name="acme", expires_at=NOW.replace(day=15), before=there),)


def test_who_has_no_access_any_more_is_granted_nothing_and_loses_what_the_pack_has_granted():
    wanted = pack(
        [d2o("acme", expires_on="2026-05-31")],
        [ShareSpec(name="old", recipients=("acme",)), ShareSpec(name="new", recipients=("acme",))],
    )
    old = share("old", readers=("acme",))
    now = world(recipients=named(recipient("acme")), shares=named(old, share("new")))
    assert plan(wanted, now, now=NOW).steps == (Revoke("old", ("acme",)),)


@pytest.mark.parametrize("again", range(3))
def test_an_upload_never_rotates_a_token(again: int):
    old = TokenState(id="t", created_at=NOW - timedelta(days=500))
    now = world(recipients=named(recipient("acme", tokens=(old,))))
    wanted = d2o("acme", token_rotation=True, token_policy=TokenPolicy(max_age_days=1))
    assert not [s for s in plan(of(wanted), now, now=NOW).steps if isinstance(s, RotateToken)]


def test_properties_are_joined_and_what_this_pack_no_longer_says_goes():
    there = recipient("acme", properties={"mine": "1", "human": "2", "theirs": "3"})
    claims = {"claims": frozenset({Claim("property", "acme", "mine")})}
    others = {"others": frozenset({Claim("property", "acme", "theirs")})}
    now = world(recipients=named(there), **claims, **others)
    wanted = d2o("acme", properties={"new": "4"})
    (merged,) = plan(of(wanted), now, now=NOW).steps
    (exact,) = plan(of(wanted, mode="exact"), now, now=NOW).steps
    assert merged == ChangeRecipient(name="acme", properties={"human": "2", "new": "4", "theirs": "3"}, before=there)
    assert exact == ChangeRecipient(name="acme", properties={"new": "4", "theirs": "3"}, before=there)


def test_reserved_properties_are_refused():
    (problem,) = plan(of(d2o("acme", properties={"brickyard.pack": "x"})), world(), now=NOW).refusals
    assert problem.message == "the property brickyard.pack of acme is reserved"


def test_policies_are_compared_by_what_they_say():
    spec = RecipientSpec(
        name="acme",
        type=RecipientType.OIDC,
        oidc=OidcSpec(issuer="https://i", subject_claim="sub", subject="new", audiences=("b", "a")),
    )
    new, old = OidcPolicy("https://i", "sub", "new", ("a", "b")), OidcPolicy("https://i", "sub", "old", (), "7")
    there = recipient("acme", type=RecipientType.OIDC, policies=(old,))
    claims = frozenset({Claim("policy", "acme", "https://i sub old")})
    assert plan(of(spec), world(), now=NOW).steps[1:] == (AddPolicy("acme", new),)
    assert plan(of(spec), world(recipients=named(there)), now=NOW).steps == (AddPolicy("acme", new),)
    assert plan(of(spec), world(recipients=named(there), claims=claims), now=NOW).steps == (
        AddPolicy("acme", new),
        RemovePolicy("acme", old),
    )


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (
            RecipientSpec(name="acme", type="D2D", recipient_databricks_org="aws:us:2"),
            "it is for the metastore aws:us:1 and the pack says aws:us:2",
        ),
        (d2o("acme"), "it is D2D and the pack says D2O"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_with_replace_made_anew_at_the_very_end(spec: RecipientSpec, reason: str):
    there = recipient("acme", type=RecipientType.D2D, metastore="aws:us:1")
    now = world(recipients=named(there), shares=named(share("s", readers=("acme",))))
    wanted = pack([spec], [ShareSpec(name="s", recipients=("acme",))])
    (problem,) = plan(wanted, now, now=NOW).refusals
    assert problem.message == f"the recipient acme cannot be changed: {reason}"
    found = plan(wanted, now, now=NOW, replace=True)
    assert found.refusals == ()
    assert found.steps == (
        DeleteRecipient("acme", there),
        CreateRecipient(name="acme", type=spec.type, metastore=spec.recipient_databricks_org or None),
        Grant("s", ("acme",)),
    )
    assert [(loss.who, loss.irreversible) for loss in found.losses] == [(("acme",), True)]


def test_somebody_elses_recipient_is_refused_adopted_or_taken_over():
    wanted = of(d2o("acme"))
    theirs = world(recipients=named(recipient("acme", mark=None, owner="jo@corp.com")))
    grouped = world(recipients=named(recipient("acme", mark=None, owner="Admins")), groups=frozenset({"admins"}))
    recorded = world(
        recipients=named(recipient("acme", mark=None, owner="jo@corp.com")),
        recorded=frozenset({Claim("recipient", "", "acme")}),
    )
    (problem,) = plan(wanted, theirs, now=NOW).refusals
    assert problem.message == "the recipient acme exists and belongs to jo@corp.com"
    adopted = plan(wanted, theirs, now=NOW, adopt=True)
    assert (adopted.refusals, "is adopted" in adopted.warnings[-1]) == ((), True)
    assert plan(wanted, grouped, now=NOW).warnings[-1].endswith("it is ours (Admins) and is taken over.")
    assert (plan(wanted, recorded, now=NOW).refusals, len(plan(wanted, recorded, now=NOW).warnings)) == ((), 1)


def test_a_recipient_of_this_pack_that_is_no_longer_listed_is_deleted_as_a_loss_unless_others_need_it():
    there = named(recipient("acme", tokens=(TOKEN,)), recipient("beta"))
    mine = frozenset({Claim("recipient", "", "acme"), Claim("recipient", "", "beta")})
    wanted = of(d2o("beta"))
    found = plan(wanted, world(recipients=there, claims=mine), now=NOW)
    assert found.steps == (DeleteRecipient("acme", there["acme"]),)
    assert [(loss.who, loss.irreversible) for loss in found.losses] == [(("acme",), True)]
    needed = world(recipients=there, claims=mine, others=frozenset({Claim("reader", "s", "acme")}))
    kept = plan(wanted, needed, now=NOW)
    assert (kept.steps, kept.warnings[-1]) == ((), "The recipient acme stays: another share pack needs it.")


def test_a_pack_that_lists_no_recipients_leaves_those_it_made_alone():
    now = world(
        recipients=named(recipient("acme")),
        shares=named(share("s")),
        sources=tables("main.s.a"),
        claims=frozenset({Claim("recipient", "", "acme")}),
    )
    found = plan(pack([], [ShareSpec(name="s", share_assets=assets("main.s.a"))]), now, now=NOW)
    assert [type(step).__name__ for step in found.steps] == ["ChangeObjects"]
