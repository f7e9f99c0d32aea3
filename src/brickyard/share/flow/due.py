"""What time brings: tokens to rotate, access that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.share.flow import relay
from brickyard.share.flow.submit import workspace_of
from brickyard.share.flow.wait import wait
from brickyard.share.model.pack import RecipientSpec, RecipientType, SharePack, Strategy
from brickyard.share.model.runs import PackStatus, RunKind, RunStatus
from brickyard.share.model.steps import Plan, Revoke, RotateToken, Step
from brickyard.share.observe.recipients import recipient as look_at_recipient
from brickyard.share.observe.shares import readers
from brickyard.share.plan.lifetimes import access_ended, newest
from brickyard.share.store import audit, claims, documents, packs, runs
from brickyard.share.store.packs import PackRecord

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_MAX_AGE_DAYS = 90
_OVERLAP_HOURS = 24

Find = Callable[[Context, "WorkspaceClient", PackRecord, SharePack], Iterator[tuple[str, Step]]]


def rotate_due(context: Context, *, follow: bool = False) -> tuple[str, ...]:
    """Rotate the tokens that their policy says are too old; returns the recipients.

    The runs are queued; with *follow* they are waited for. Only tokens of packs that were provisioned are looked at.
    """
    return _due(context, RunKind.ROTATION, _too_old, follow=follow)


def expire_due(context: Context, *, follow: bool = False) -> tuple[str, ...]:
    """Take the access from recipients whose `expires_on` is past; returns them."""
    return _due(context, RunKind.EXPIRY, _ended, follow=follow)


def _due(context: Context, kind: RunKind, find: Find, *, follow: bool) -> tuple[str, ...]:
    client = context.workspaces.client()
    made, names = [], set()
    for record, pack in _provisioned(context):
        found = list(find(context, client, record, pack))
        if found and (run_id := _queue(context, kind, record, tuple(step for _, step in found))):
            made.append(run_id)
            names |= {name for name, _ in found}
    for run_id in made if follow else ():
        wait(context, run_id)
    return tuple(sorted(names))


def _provisioned(context: Context) -> list[tuple[PackRecord, SharePack]]:
    """The packs whose current version is in effect here."""
    with context.metadata.read() as tx:
        found = packs.page(tx, status=PackStatus.COMPLETED, limit=None)
        return [(record, packs.config(tx, record.pack_id)) for record in found]


def _too_old(
    context: Context, client: WorkspaceClient, record: PackRecord, pack: SharePack
) -> Iterator[tuple[str, Step]]:
    for spec in pack.recipient:
        max_age = _max_age(spec)
        there = look_at_recipient(client, spec.name) if max_age else None
        token = newest(there.tokens) if there else None
        if token and max_age and context.clock() - token.created_at > max_age:
            yield spec.name, RotateToken(spec.name, _overlap(spec), token.id)


def _max_age(spec: RecipientSpec) -> timedelta | None:
    """How old a token may become; None where nothing rotates it."""
    policy = spec.token_policy
    if spec.type is not RecipientType.D2O or not (spec.token_rotation or (policy and policy.max_age_days)):
        return None
    days = policy.max_age_days if policy else None
    return timedelta(days=days or spec.token_expiry or _MAX_AGE_DAYS)


def _overlap(spec: RecipientSpec) -> int:
    hours = spec.token_policy.overlap_hours if spec.token_policy else _OVERLAP_HOURS
    return hours * 3600


def _ended(
    context: Context, client: WorkspaceClient, record: PackRecord, pack: SharePack
) -> Iterator[tuple[str, Step]]:
    over = {spec.name.lower(): spec.name for spec in pack.recipient if access_ended(spec, context.clock())}
    if not over:
        return
    with context.metadata.read() as tx:
        granted = {claim.parent for claim in claims.of_pack(tx, record.pack_id) if claim.kind == "reader"}
    for share in sorted(granted):
        for reader in readers(client, share):
            if reader.lower() in over:
                yield over[reader.lower()], Revoke(share, (reader,))


def _queue(context: Context, kind: RunKind, record: PackRecord, due: tuple[Step, ...]) -> str | None:
    """Queue a run of these steps, unless one of its kind is under way for the pack."""
    with context.metadata.transaction() as tx:
        if _under_way(tx, kind, record):
            return None
        at = context.clock()
        run = runs.create(
            tx,
            str(uuid4()),
            kind,
            at=at,
            by=context.actor,
            workspace=workspace_of(context),
            pack_id=record.pack_id,
            version=record.version,
            plan=documents.plan_document(Plan(strategy=Strategy.UPDATE, steps=due)),
        )
        relay.hand_over(tx, context, run.id)
        detail = {"run": run.id, "steps": len(due)}
        audit.seal(tx, at=at, actor=context.actor, action=kind.name.title(), subject=record.name, detail=detail)
    return run.id


def _under_way(tx: Connection, kind: RunKind, record: PackRecord) -> bool:
    runs_of_kind = (run for run in runs.of_pack(tx, record.pack_id) if run.kind is kind)
    return any(not run.status.final and run.status is not RunStatus.PENDING_APPROVAL for run in runs_of_kind)
