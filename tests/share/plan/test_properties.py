"""What holds of every plan, whatever the pack and the world."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.share.plan.simulated import ME, NOW, after, named, pack, simulate, tables, world

from brickyard.share.model.current import (
    Claim,
    Current,
    ObjectKind,
    OidcPolicy,
    PartitionValue,
    RecipientState,
    SharedObject,
    ShareState,
    TokenState,
)
from brickyard.share.model.pack import (
    AssetSpec,
    DeltaShareSpec,
    OidcSpec,
    PartitionSpec,
    PipelineSpec,
    RecipientSpec,
    RecipientType,
    ScheduleSpec,
    SharePack,
    ShareSpec,
)
from brickyard.share.model.steps import ChangeObjects, DeleteRecipient, DeleteShare, Revoke, Step
from brickyard.share.plan import inverse, plan
from brickyard.share.plan.claims import object_name, policy_name
from brickyard.share.plan.shapes import default_alias, exposed

NAMES = ("acme", "Beta", "gamma")
SHARES = ("sales", "Ops")
TABLES = tuple(f"main.s{n}.t{n}" for n in range(6))
ADDRESSES = ("10.0.0.1", "10.0.0.1/32", "192.168.0.0/24", "8.8.8.8")
ALIASES = ("x.one", "x.two")


def subset(values: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=len(values)).map(tuple)


@st.composite
def recipient_specs(draw: st.DrawFn) -> tuple[RecipientSpec, ...]:
    return tuple(draw(recipient_spec(name)) for name in draw(subset(NAMES)))


@st.composite
def recipient_spec(draw: st.DrawFn, name: str) -> RecipientSpec:
    fields: dict[str, Any] = {"name": name, "type": draw(st.sampled_from(list(RecipientType)))}
    fields["description"] = draw(st.sampled_from(("", "a partner")))
    fields["properties"] = draw(st.dictionaries(st.sampled_from(("region", "tier")), st.sampled_from(("1", "2"))))
    if fields["type"] is RecipientType.D2D:
        return RecipientSpec(**fields, recipient_databricks_org="aws:us:1")
    if fields["type"] is RecipientType.OIDC:
        fields["oidc"] = OidcSpec(issuer="https://i", subject_claim="sub", subject=draw(st.sampled_from(("s1", "S2"))))
        return RecipientSpec(**fields)
    if draw(st.booleans()):
        fields["recipient_ips"] = draw(subset(ADDRESSES))
    else:
        fields["recipient_ips_to_add"] = draw(subset(ADDRESSES[:2]))
        fields["recipient_ips_to_remove"] = draw(subset(ADDRESSES[2:]))
    fields["token_expiry"] = draw(st.sampled_from((0, 30, 400)))
    fields["expires_on"] = draw(st.sampled_from((None, "2026-06-10", "2026-01-01")))
    return RecipientSpec(**fields)


@st.composite
def asset_specs(draw: st.DrawFn, names: tuple[str, ...] = TABLES) -> tuple[AssetSpec, ...]:
    return tuple(draw(asset_spec(name)) for name in draw(subset(names)))


@st.composite
def asset_spec(draw: st.DrawFn, name: str) -> AssetSpec:
    cdf = draw(st.sampled_from((None, True, False)))
    return AssetSpec(
        name=name,
        cdf=cdf,
        history=None if cdf else draw(st.sampled_from((None, True, False))),
        shared_as=draw(st.sampled_from((None, None, f"y.{name[-1]}", default_alias(ObjectKind.TABLE, name)))),
        partitions=draw(st.sampled_from(((), ((PartitionSpec(name="day", value="1"),),)))),
    )


@st.composite
def share_specs(draw: st.DrawFn) -> tuple[ShareSpec, ...]:
    chosen = draw(subset(SHARES))
    return tuple(draw(share_spec(name)) for name in chosen)


@st.composite
def share_spec(draw: st.DrawFn, name: str) -> ShareSpec:
    fields: dict[str, Any] = {"name": name, "description": draw(st.sampled_from(("", "text")))}
    if draw(st.booleans()):
        fields["share_assets"] = draw(asset_specs())
    else:
        fields["share_assets_to_add"] = draw(asset_specs(TABLES[:3]))
        fields["share_assets_to_remove"] = tuple(AssetSpec(name=n) for n in draw(subset(TABLES[3:])))
    if draw(st.booleans()):
        fields["recipients"] = draw(subset(NAMES))
    else:
        fields["recipients_to_add"], fields["recipients_to_remove"] = ("acme",), ("Beta",)
    sources = [a.name for a in (*fields.get("share_assets", ()), *fields.get("share_assets_to_add", ()))]
    if sources and draw(st.booleans()):
        fields["delta_share"] = DeltaShareSpec(ext_catalog_name="main", ext_schema_name="ext", tags=("t",))
        fields["pipelines"] = (draw(pipeline_spec(name, sources[0])),)
    return ShareSpec(**fields)


@st.composite
def pipeline_spec(draw: st.DrawFn, share: str, source: str) -> PipelineSpec:
    schedule = draw(
        st.sampled_from(
            (ScheduleSpec(continuous=True), ScheduleSpec(cron="0 0 6 * * ?"), ScheduleSpec(cron="0 0 7 * * ?"))
        )
    )
    return PipelineSpec(
        name_prefix=f"{share}_{source.rpartition('.')[2]}",
        source_asset=source,
        schedule=schedule,
        key_columns=("id",),
        notification=draw(subset(("a@corp.com", "b@corp.com"))),
        serverless=draw(st.booleans()),
        scd_type=draw(st.sampled_from(("1", "2", "full_refresh"))),
    )


@st.composite
def packs(draw: st.DrawFn) -> SharePack:
    return pack(draw(recipient_specs()), draw(share_specs()), mode=draw(st.sampled_from(("merge", "exact"))))


@st.composite
def worlds(draw: st.DrawFn) -> Current:
    states = [
        draw(recipient_states(name)) for name in NAMES
    ]  # all exist or are declared, so that every grant can be done
    shares = [draw(share_states(name)) for name in draw(subset(SHARES))]
    return world(
        recipients=named(*states),
        shares=named(*shares),
        sources=tables(*TABLES),
        library=draw(st.sampled_from((None, "new"))),
    )


@st.composite
def recipient_states(draw: st.DrawFn, name: str) -> RecipientState:
    type_ = draw(st.sampled_from(list(RecipientType)))
    fields: dict[str, Any] = {"name": name, "type": type_, "owner": ME, "mark": "p"}
    fields["properties"] = draw(st.dictionaries(st.sampled_from(("region", "other")), st.sampled_from(("1", "2"))))
    if type_ is RecipientType.D2D:
        return RecipientState(**fields, metastore=draw(st.sampled_from(("aws:us:1", "aws:us:2"))))
    if type_ is RecipientType.OIDC:
        policies = draw(subset((OidcPolicy("https://i", "sub", "s1"), OidcPolicy("https://i", "sub", "s9"))))
        return RecipientState(**fields, policies=policies)
    token = TokenState(id="t", created_at=NOW, expires_at=draw(st.sampled_from((None, NOW.replace(year=2027)))))
    return RecipientState(**fields, tokens=(token,), ip_addresses=draw(subset(("8.8.8.8", "192.168.0.0/24"))))


@st.composite
def share_states(draw: st.DrawFn, name: str) -> ShareState:
    objects = [draw(shared_objects(n)) for n in draw(subset(TABLES))]
    seen = {(o.kind, exposed(o)): o for o in objects}
    ordered = tuple(sorted(seen.values(), key=lambda o: (o.kind, exposed(o))))
    return ShareState(name=name, owner=ME, objects=ordered, readers=tuple(sorted(draw(subset(NAMES)))), mark="p")


@st.composite
def shared_objects(draw: st.DrawFn, name: str) -> SharedObject:
    history = draw(st.booleans())
    return SharedObject(
        name=name,
        kind=draw(st.sampled_from((ObjectKind.TABLE, ObjectKind.VIEW))),
        shared_as=draw(st.sampled_from((None, f"z.{name[-1]}"))),
        history=history,
        cdf=not history and draw(st.booleans()),
        start_version=draw(st.sampled_from((None, 3))),
        partitions=draw(st.sampled_from(((), ((PartitionValue("day", "EQUAL", "2"),),)))),
    )


@st.composite
def claimed_worlds(draw: st.DrawFn) -> Current:
    """A world of which some parts were made by this pack and some by others."""
    current = draw(worlds())
    everything = sorted(all_claims(current), key=str)
    mine = frozenset(draw(st.lists(st.sampled_from(everything), unique=True)))
    theirs = frozenset(draw(st.lists(st.sampled_from(everything), unique=True, max_size=4)))
    return replace(current, claims=mine, others=theirs)


def all_claims(current: Current) -> set[Claim]:
    found = {Claim("recipient", "", name) for name in current.recipients}
    found |= {Claim("address", n, a) for n, s in current.recipients.items() for a in s.ip_addresses}
    found |= {Claim("property", n, k) for n, s in current.recipients.items() for k in s.properties}
    for name, state in current.shares.items():
        found.add(Claim("share", "", name))
        found |= {Claim("object", name, object_name(one)) for one in state.objects}
        found |= {Claim("reader", name, reader.lower()) for reader in state.readers}
    return found


Property = Callable[[SharePack, Current], None]
PROPERTIES: list[Property] = []


def holding(holds: Property) -> Property:
    PROPERTIES.append(holds)
    return holds


@holding
def after_a_plan_there_is_nothing_left_to_do(wanted: SharePack, current: Current):
    first = plan(wanted, current, now=NOW, replace=True)
    if first.refusals:
        return
    again = plan(wanted, after(current, first.steps), now=NOW, replace=True)
    assert (again.steps, again.losses, again.refusals) == ((), (), ())


@holding
def the_order_in_which_a_pack_lists_things_makes_no_difference(wanted: SharePack, current: Current) -> None:
    assert plan(shuffled(wanted, random.Random(1)), current, now=NOW) == plan(wanted, current, now=NOW)


def shuffled(wanted: SharePack, chance: random.Random) -> SharePack:
    def mixed(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(chance.sample(values, len(values)))

    lists = ("share_assets", "share_assets_to_add", "share_assets_to_remove", "recipients", "pipelines")
    shares = [s.model_copy(update={name: mixed(getattr(s, name)) for name in lists}) for s in wanted.share]
    recipients = [
        r.model_copy(update={"recipient_ips": mixed(r.recipient_ips)}) if "recipient_ips" in r.model_fields_set else r
        for r in wanted.recipient
    ]
    return wanted.model_copy(update={"share": mixed(tuple(shares)), "recipient": mixed(tuple(recipients))})


@holding
def an_inverse_gives_back_the_world_before_its_step(wanted: SharePack, current: Current):
    for step in plan(wanted, current, now=NOW).steps:
        later = simulate(current, step)
        undo = inverse(step)
        if undo is not None:
            assert forgetting(simulate(later, undo)) == forgetting(current)
        current = later


def forgetting(current: Current) -> Current:
    """The world without the claims, and with the ends of tokens that had none, which nothing gives back."""
    recipients = {
        name: replace(
            s,
            tokens=tuple(replace(t, expires_at=None) for t in s.tokens),
            policies=tuple(sorted(s.policies, key=policy_name)),
        )
        for name, s in current.recipients.items()
    }
    schedules = {name: replace(s, job_id=0) for name, s in current.schedules.items()}
    return replace(current, claims=frozenset(), recipients=recipients, schedules=schedules)


@holding
def what_others_claim_is_still_there(wanted: SharePack, current: Current):
    found = plan(wanted, current, now=NOW)
    if not found.refusals:
        assert current.others <= all_claims(after(current, found.steps))


@holding
def merge_takes_away_only_what_this_pack_made_or_is_told_to_remove(wanted: SharePack, current: Current):
    if wanted.metadata.mode == "exact":
        return
    found = plan(wanted, current, now=NOW)
    allowed = {(s.name.lower(), a.name.lower()) for s in wanted.share for a in s.share_assets_to_remove}
    ended = {r.name.lower() for r in wanted.recipient if r.expires_on == "2026-01-01"}
    told = {n.lower() for s in wanted.share for n in s.recipients_to_remove}
    for step in found.steps:
        match step:
            case ChangeObjects(share=share, remove=remove):
                for one in remove:
                    claim = Claim("object", share.lower(), object_name(one))
                    assert claim in current.claims or (share.lower(), one.name.lower()) in allowed
            case Revoke(share, readers):
                for reader in readers:
                    claim = Claim("reader", share.lower(), reader.lower())
                    assert claim in current.claims or reader.lower() in ended | told
            case DeleteShare(name):
                assert Claim("share", "", name.lower()) in current.claims
            case DeleteRecipient(name):
                assert Claim("recipient", "", name.lower()) in current.claims


@holding
def what_takes_away_comes_after_what_adds_and_what_cannot_be_undone_comes_last(wanted: SharePack, current: Current):
    steps = plan(wanted, current, now=NOW).steps
    gone = {one.name.lower() for s in steps if isinstance(s, ChangeObjects) for one in s.remove}
    ranks = [rank(step) for step in steps if not _comes_back(step, gone)]
    assert ranks == sorted(ranks)


def rank(step: Step) -> int:
    if inverse(step) is None and type(step).__name__.startswith(("Delete", "Rotate")):
        return 2
    taking = type(step).__name__ in ("Revoke", "RemovePolicy", "DeleteSchedule")
    return 1 if taking or (isinstance(step, ChangeObjects) and step.remove) else 0


def _comes_back(step: Step, gone: set[str]) -> bool:
    """Tell whether objects are added again under another alias, which must follow their removal."""
    return isinstance(step, ChangeObjects) and bool(gone & {one.name.lower() for one in step.add})


def check(holds: Property, examples: int) -> None:
    settings(max_examples=examples, deadline=None)(given(packs(), claimed_worlds())(holds))()


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda p: p.__name__)
def test_it_holds(holds: Property):
    check(holds, 60)


@pytest.mark.full
@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda p: p.__name__)
def test_it_holds_of_very_many(holds: Property):
    check(holds, 1000)
