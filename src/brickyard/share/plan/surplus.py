"""What an earlier version of this pack has made and this one no longer lists."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.share.model.current import PipelineState, RecipientState, ShareState
from brickyard.share.model.steps import (
    ChangeRecipient,
    DeletePipeline,
    DeleteRecipient,
    DeleteShare,
    Loss,
    RemovePolicy,
)
from brickyard.share.plan import addresses
from brickyard.share.plan.case import Case, Do, Item, Mind, Stage, listed
from brickyard.share.plan.claims import object_name, policy_name
from brickyard.share.plan.naming import schedule_name
from brickyard.share.plan.objects import Difference, changes
from brickyard.share.plan.pipelines import unscheduled
from brickyard.share.plan.readers import revokes
from brickyard.share.plan.shapes import normal


def surplus(case: Case) -> Iterator[Item]:
    """Yield the end of it; a pack that lists no recipient, or no share, leaves those alone."""
    yield from _recipients(case)
    yield from _shares(case)
    yield from _pipelines(case)


# ── recipients ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _recipients(case: Case) -> Iterator[Item]:
    declared = {spec.name.lower() for spec in case.pack.recipient}
    read = {n.lower() for share in case.pack.share for n in (*share.recipients, *share.recipients_to_add)}
    touched = case.mine("recipient") | case.parents("address") | case.parents("property") | case.parents("policy")
    for name in sorted(touched - declared if declared else ()):
        state = case.current.recipients.get(name)
        if state is None:
            continue
        if name in case.mine("recipient") and name not in read:
            yield from ended_recipient(case, state)
        else:
            yield from _without_ours(case, state)


def ended_recipient(case: Case, state: RecipientState) -> Iterator[Item]:
    """Yield the end of a recipient, unless another pack needs it."""
    if others_need_recipient(case, state.name):
        yield Mind(f"The recipient {state.name} stays: another share pack needs it.")
        yield from _without_ours(case, state)
        return
    yield Do(Stage.NO_RECIPIENT, DeleteRecipient(state.name, state))
    yield Loss(
        what=f"the recipient {state.name} is deleted: its {_tokens(state)} and it reads nothing any more",
        who=(state.name,),
        irreversible=True,
    )


def _tokens(state: RecipientState) -> str:
    live = len(state.tokens)
    return f"{live} token(s) die" if live else "access ends"


def others_need_recipient(case: Case, name: str) -> bool:
    """Tell whether another pack has made the recipient, something in it, or lets it read."""
    folded = name.lower()
    return any(
        folded == parent
        if kind in ("address", "property", "policy")
        else kind in ("recipient", "reader") and folded in names
        for (kind, parent), names in case.others.items()
    )


def _without_ours(case: Case, state: RecipientState) -> Iterator[Item]:
    """Take from a recipient that stays what this pack has put into it."""
    present = addresses.canonicals(state.ip_addresses)
    ours = addresses.canonicals(case.mine("address", state.name) - case.theirs("address", state.name))
    keys = case.mine("property", state.name) - case.theirs("property", state.name)
    gone = {key for key in state.properties if key.lower() in keys}
    left = present - ours
    if gone or left != present:
        yield Do(
            Stage.RECIPIENT,
            ChangeRecipient(
                name=state.name,
                ip_addresses=tuple(sorted(left)) if left != present else None,
                properties={k: v for k, v in state.properties.items() if k not in gone} if gone else None,
                before=state,
            ),
        )
        yield from _change_losses(state, left, present, gone)
    for policy in sorted(state.policies, key=policy_name):
        name = policy_name(policy)
        if name in case.mine("policy", state.name) and name not in case.theirs("policy", state.name):
            yield Do(Stage.NO_POLICY, RemovePolicy(state.name, policy))
            yield Loss(
                what=f"{policy.subject} of {policy.issuer} can no longer read as {state.name}", who=(state.name,)
            )


def _change_losses(
    state: RecipientState, left: frozenset[str], present: frozenset[str], gone: set[str]
) -> Iterator[Item]:
    yield from addresses.losses(state.name, present, left)
    if gone:
        yield Loss(what=f"{state.name} loses {listed(gone)} and the rows shared by it", who=(state.name,))


# ── shares ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _shares(case: Case) -> Iterator[Item]:
    declared = {spec.name.lower() for spec in case.pack.share}
    touched = case.mine("share") | case.parents("object") | case.parents("reader")
    for name in sorted(touched - declared if declared else ()):
        state = case.current.shares.get(name)
        if state is None:
            continue
        if name in case.mine("share"):
            yield from ended_share(case, state)
        else:
            yield from _emptied(case, state)


def ended_share(case: Case, state: ShareState) -> Iterator[Item]:
    """Yield the end of a share, unless another pack has put something into it: then only of what is this pack's."""
    if others_need_share(case, state.name):
        yield Mind(f"The share {state.name} stays: another share pack needs it.")
        yield from _emptied(case, state)
        return
    yield Do(Stage.NO_SHARE, DeleteShare(state.name, state))
    holds = listed(one.name for one in state.objects) or "nothing"
    yield Loss(
        what=f"the share {state.name} is deleted, with {holds} in it",
        who=tuple(sorted(state.readers)),
        irreversible=True,
    )


def others_need_share(case: Case, name: str) -> bool:
    """Tell whether another pack has made the share or anything in it."""
    folded = name.lower()
    return any(
        folded == parent or (kind == "share" and folded in names) for (kind, parent), names in case.others.items()
    )


def _emptied(case: Case, state: ShareState) -> Iterator[Item]:
    """Take from a share that stays what this pack has put into it."""
    mine = case.mine("object", state.name) - case.theirs("object", state.name)
    gone = tuple(one for one in map(normal, state.objects) if object_name(one) in mine)
    yield from changes(state.name, Difference(remove=gone))
    if gone:
        names = listed(f"{one.kind} {one.name}" for one in gone)
        yield Loss(what=f"the share {state.name} no longer has {names}", who=tuple(sorted(state.readers)))
    present = {name.lower(): name for name in state.readers}
    yield from revokes(case, state.name, present, {n for n in present if n in case.mine("reader", state.name)})


# ── pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pipelines(case: Case) -> Iterator[Item]:
    declared = {p.name_prefix.lower() for share in case.pack.share for p in share.pipelines}
    for parent in sorted(case.parents("pipeline") | case.parents("schedule")):
        for name in sorted(case.mine("pipeline", parent) - declared):
            state = case.current.pipelines.get(name)
            if state is not None and _has_lost_its_asset(case, parent, state):
                yield from ended_pipeline(case, state, parent)
        yield from _orphans(case, parent, declared)


def _orphans(case: Case, parent: str, declared: set[str]) -> Iterator[Item]:
    """The jobs of this pack whose pipelines are gone already."""
    known = {schedule_name(name).lower() for name in {*declared, *case.current.pipelines}}
    for name in sorted(case.mine("schedule", parent) - known):
        state = case.current.schedules.get(name)
        if state is not None:
            yield from unscheduled(case, state, parent)


def _has_lost_its_asset(case: Case, parent: str, state: PipelineState) -> bool:
    """Tell whether a pipeline that is not declared goes: its share goes, lists others, or no longer has its source."""
    share = next((s for s in case.pack.share if s.name.lower() == parent), None)
    if share is None:
        return bool(case.pack.share)
    source = state.settings.source.lower()
    removed = source in {a.name.lower() for a in share.share_assets_to_remove}
    listed_ = {a.name.lower() for a in (*share.share_assets, *share.share_assets_to_add)}
    return bool(share.pipelines) or removed or (bool(share.share_assets) and source not in listed_)


def ended_pipeline(case: Case, state: PipelineState, share: str) -> Iterator[Item]:
    """Yield the end of a pipeline and of the job that starts it, unless another pack has made it."""
    name = state.settings.name
    if any(name.lower() in names for (kind, _), names in case.others.items() if kind == "pipeline"):
        yield Mind(f"The pipeline {name} stays: another share pack needs it.")
        return
    job = case.current.schedules.get(schedule_name(name).lower())
    if job is not None:
        yield from unscheduled(case, job, share)
    yield Do(Stage.NO_PIPELINE, DeletePipeline(state, share))
    yield pipeline_loss(case, state, share)


def pipeline_loss(case: Case, state: PipelineState, share: str) -> Loss:
    """Say what ends with a pipeline: Databricks drops the table that it has made with it."""
    made = state.settings
    there = case.current.shares.get(share.lower())
    return Loss(
        what=f"the pipeline {made.name} is deleted, and with it the table {made.catalog}.{made.schema}.{made.target}",
        who=tuple(sorted(there.readers)) if there else (),
        irreversible=True,
    )
