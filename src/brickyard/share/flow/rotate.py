"""A new token for one recipient, now: what would happen, and doing it."""

from __future__ import annotations

from datetime import datetime, timedelta

from brickyard.context import Context
from brickyard.kernel.errors import GuardRefused, NotFound
from brickyard.share import report
from brickyard.share.flow.direct import direct
from brickyard.share.flow.submit import require_hash
from brickyard.share.model.current import RecipientState, TokenState
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import RunRecord
from brickyard.share.model.steps import Loss, Plan, RotateToken
from brickyard.share.observe.recipients import recipient as look_at_recipient
from brickyard.share.plan import steps_hash
from brickyard.share.plan.lifetimes import newest


def preview_rotation(context: Context, recipient: str, overlap_seconds: int) -> Plan:
    """Plan a new token; the old one lives on for so long. Raises NotFound, and GuardRefused for a recipient without one."""
    state = look_at_recipient(context.workspaces.client(), recipient)
    if state is None:
        raise NotFound(f"there is no recipient {recipient}", remedy="`brickyard share access` lists who reads what")
    token = newest(state.tokens)
    if token is None:
        raise GuardRefused(
            f"the recipient {state.name} is {state.type} and has no token", remedy="only D2O recipients have tokens"
        )
    steps = (RotateToken(state.name, overlap_seconds, token.id),)
    losses = (_loss(state, token, overlap_seconds, context.clock()),)
    return Plan(strategy=Strategy.UPDATE, steps=steps, losses=losses, hash=steps_hash(steps))


def rotate(context: Context, recipient: str, overlap_seconds: int, *, plan_hash: str | None = None) -> RunRecord:
    """Issue a new token now and return the run; refuses another plan than *plan_hash*, and what `direct` refuses."""
    plan = preview_rotation(context, recipient, overlap_seconds)
    if plan_hash is not None:
        require_hash(plan, plan_hash)
    (step,) = plan.steps
    return direct(context, step)


def _loss(state: RecipientState, token: TokenState, seconds: int, now: datetime) -> Loss:
    ends = now + timedelta(seconds=seconds)
    if token.expires_at is not None and token.expires_at <= ends:
        return Loss(what=f"the token that {state.name} has ends as it would have", who=(state.name,))
    when = f"{report.after(seconds)}" if seconds else "at once"
    return Loss(what=f"the token that {state.name} has ends {when}", who=(state.name,), irreversible=True)
