"""A workspace of values: what each step makes of it, and packs and worlds to plan with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, assert_never

from brickyard.share.model.current import (
    Current,
    ObjectKind,
    PipelineState,
    RecipientState,
    ScheduleState,
    SharedObject,
    ShareState,
    Source,
    TokenState,
)
from brickyard.share.model.pack import (
    AssetSpec,
    Metadata,
    RecipientSpec,
    RecipientType,
    SharePack,
    ShareSpec,
)
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeObjects,
    ChangePipeline,
    ChangeRecipient,
    ChangeSchedule,
    ChangeShare,
    CreateCatalog,
    CreatePipeline,
    CreateRecipient,
    CreateSchedule,
    CreateSchema,
    CreateShare,
    DeletePipeline,
    DeleteRecipient,
    DeleteSchedule,
    DeleteShare,
    EnableChangeFeed,
    Grant,
    ImportLibrary,
    RemovePolicy,
    Revoke,
    RotateToken,
    StartUpdate,
    Step,
)
from brickyard.share.plan import claims_after
from brickyard.share.plan.claims import policy_name
from brickyard.share.plan.lifetimes import newest
from brickyard.share.plan.shapes import exposed, key

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ME = "robot@corp.com"
V = TypeVar("V")

METADATA: dict[str, Any] = {
    "contact_email": "a@corp.com",
    "business_line": "Sales",
    "delta_share_region": "AM",
    "configurator": "a@corp.com",
    "approver": "b@corp.com",
    "executive_team": "c@corp.com",
    "requestor": "a@corp.com",
    "workspace_url": "https://adb-1.azuredatabricks.net",
    "servicenow_ticket": "T1",
}


def pack(recipients: Iterable[RecipientSpec] = (), shares: Iterable[ShareSpec] = (), **metadata: Any) -> SharePack:
    return SharePack(metadata=Metadata(**{**METADATA, **metadata}), recipient=tuple(recipients), share=tuple(shares))


def d2o(name: str, **fields: Any) -> RecipientSpec:
    return RecipientSpec(name=name, type=RecipientType.D2O, **fields)


def assets(*names: str) -> tuple[AssetSpec, ...]:
    return tuple(AssetSpec(name=name) for name in names)


def table(name: str, **fields: Any) -> SharedObject:
    return SharedObject(name=name, kind=ObjectKind.TABLE, **fields)


def tables(*names: str) -> dict[str, Source]:
    columns = ("id", "day", "amount")
    return {
        n.lower(): Source(name=n, kind=ObjectKind.TABLE, columns=columns, partition_columns=("day",)) for n in names
    }


def world(**fields: Any) -> Current:
    return Current(**{"me": ME, "catalogs": frozenset({"main"}), "shipped": "new", "library_path": "/lib", **fields})


def recipient(name: str, **fields: Any) -> RecipientState:
    return RecipientState(**{"name": name, "type": RecipientType.D2O, "owner": ME, "mark": "p", **fields})


def share(name: str, **fields: Any) -> ShareState:
    return ShareState(**{"name": name, "owner": ME, "mark": "p", **fields})


def named(*states: RecipientState | ShareState) -> dict[str, Any]:
    return {state.name.lower(): state for state in states}


def after(current: Current, steps: Iterable[Step]) -> Current:
    """The world after some steps, each of which must be possible."""
    for step in steps:
        current = simulate(current, step)
    return current


def simulate(current: Current, step: Step) -> Current:  # noqa: C901 — one case for each kind of step
    """The world after one step, the claims of the pack that did it too."""
    current = replace(current, claims=claims_after(current.claims, step))
    match step:
        case CreateRecipient():
            assert step.name.lower() not in current.recipients
            return _with_recipient(current, _created(step))
        case ChangeRecipient():
            return _with_recipient(current, _changed(current.recipients[step.name.lower()], step))
        case AddPolicy(name, policy):
            state = current.recipients[name.lower()]
            assert policy_name(policy) not in map(policy_name, state.policies)
            policies = sorted((*state.policies, replace(policy, id=None)), key=policy_name)
            return _with_recipient(current, replace(state, policies=tuple(policies)))
        case RemovePolicy(name, policy):
            state = current.recipients[name.lower()]
            left = tuple(p for p in state.policies if policy_name(p) != policy_name(policy))
            assert len(left) == len(state.policies) - 1
            return _with_recipient(current, replace(state, policies=left))
        case DeleteRecipient(name):
            return _without_recipient(current, name.lower())
        case CreateShare(name, comment):
            assert name.lower() not in current.shares
            return _with_share(current, ShareState(name=name, owner=ME, comment=comment, mark="p"))
        case ChangeShare(name, comment):
            return _with_share(current, replace(current.shares[name.lower()], comment=comment))
        case ChangeObjects():
            return _with_share(current, _patched(current.shares[step.share.lower()], step))
        case Grant(name, readers):
            state = current.shares[name.lower()]
            assert all(reader.lower() in current.recipients for reader in readers)
            return _with_share(current, replace(state, readers=tuple(sorted({*state.readers, *readers}))))
        case Revoke(name, readers):
            state = current.shares[name.lower()]
            left = tuple(r for r in state.readers if r.lower() not in {n.lower() for n in readers})
            return _with_share(current, replace(state, readers=left))
        case DeleteShare(name):
            return replace(current, shares=_without(current.shares, name.lower()))
        case CreateCatalog() | StartUpdate():
            raise AssertionError("an upload makes no catalog and starts no pipeline")
        case CreateSchema(catalog, schema):
            return replace(current, schemas=current.schemas | {f"{catalog}.{schema}".lower()})
        case EnableChangeFeed(name):
            source = replace(current.sources[name.lower()], change_feed=True)
            return replace(current, sources={**current.sources, name.lower(): source})
        case ImportLibrary(_, digest):
            return replace(current, library=digest)
        case CreatePipeline(settings):
            assert settings.name.lower() not in current.pipelines
            made = PipelineState(id=f"id-{settings.name}", settings=settings, owner=ME, mark="p")
            return replace(current, pipelines={**current.pipelines, settings.name.lower(): made})
        case ChangePipeline(_, settings):
            state = current.pipelines[settings.name.lower()]
            return replace(
                current, pipelines={**current.pipelines, settings.name.lower(): replace(state, settings=settings)}
            )
        case DeletePipeline(before):
            return replace(current, pipelines=_without(current.pipelines, before.settings.name.lower()))
        case CreateSchedule(settings):
            assert settings.name.lower() not in current.schedules
            assert settings.pipeline.lower() in current.pipelines
            job = ScheduleState(job_id=len(current.schedules) + 1, settings=settings, owner=ME, mark="p")
            return replace(current, schedules={**current.schedules, settings.name.lower(): job})
        case ChangeSchedule(_, settings):
            job = current.schedules[settings.name.lower()]
            return replace(
                current, schedules={**current.schedules, settings.name.lower(): replace(job, settings=settings)}
            )
        case DeleteSchedule(before):
            return replace(current, schedules=_without(current.schedules, before.settings.name.lower()))
        case RotateToken():
            raise AssertionError("an upload rotates no token")
    assert_never(step)


def _without(things: Mapping[str, V], name: str) -> dict[str, V]:
    assert name in things
    return {k: v for k, v in things.items() if k != name}


def _with_recipient(current: Current, state: RecipientState) -> Current:
    return replace(current, recipients={**current.recipients, state.name.lower(): state})


def _with_share(current: Current, state: ShareState) -> Current:
    return replace(current, shares={**current.shares, state.name.lower(): state})


def _created(step: CreateRecipient) -> RecipientState:
    ends = [NOW + timedelta(days=step.expires_in_days)] if step.expires_in_days else []
    ends += [step.expires_at] if step.expires_at else []
    token = TokenState(id="t1", created_at=NOW, expires_at=min(ends, default=NOW + timedelta(days=365)))
    return RecipientState(
        name=step.name,
        type=step.type,
        owner=ME,
        comment=step.comment,
        metastore=step.metastore,
        ip_addresses=step.ip_addresses,
        properties=dict(step.properties),
        tokens=(token,) if step.type is RecipientType.D2O else (),
        mark="p",
    )


def _changed(state: RecipientState, step: ChangeRecipient) -> RecipientState:
    token, ends = newest(state.tokens), step.expires_at
    tokens = tuple(replace(t, expires_at=ends) if ends and t is token else t for t in state.tokens)
    return replace(
        state,
        comment=state.comment if step.comment is None else step.comment,
        ip_addresses=state.ip_addresses if step.ip_addresses is None else step.ip_addresses,
        properties=state.properties if step.properties is None else dict(step.properties),
        tokens=tokens,
    )


def _without_recipient(current: Current, name: str) -> Current:
    shares = {
        k: replace(s, readers=tuple(r for r in s.readers if r.lower() != name)) for k, s in current.shares.items()
    }
    return replace(current, recipients=_without(current.recipients, name), shares=shares)


def _patched(state: ShareState, step: ChangeObjects) -> ShareState:
    """A share after a PATCH, by the rules of Databricks."""
    named_ = [key(one) for one in (*step.add, *step.update, *step.remove)]
    assert len(named_) <= 100
    assert len(set(named_)) == len(named_)
    held = {(one.kind, exposed(one)): one for one in state.objects}
    for one in step.remove:
        del held[one.kind, exposed(one)]
    for one in step.update:
        assert (one.kind, exposed(one)) in held
        held[one.kind, exposed(one)] = one
    for one in step.add:
        assert (one.kind, exposed(one)) not in held
        held[one.kind, exposed(one)] = one
    return replace(state, objects=tuple(sorted(held.values(), key=lambda o: (o.kind, exposed(o)))))
