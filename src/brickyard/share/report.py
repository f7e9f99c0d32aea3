"""Plans, runs and looks in words: for the terminal, for JSON, and for the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never

from brickyard.kernel.terminal import plain, plural, table
from brickyard.share.model.current import ScheduleSettings, SharedObject
from brickyard.share.model.runs import Access, Checked, Drift, PackRecord, PackVersion, RunRecord, StepRecord
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
    Loss,
    Plan,
    Refusal,
    RemovePolicy,
    Revoke,
    RotateToken,
    StartUpdate,
    Step,
)

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_DESTRUCTIVE = (RemovePolicy, RotateToken, DeleteRecipient, Revoke, DeleteShare, DeletePipeline, DeleteSchedule)
_CREATES = (
    CreateRecipient,
    CreateShare,
    CreateCatalog,
    CreateSchema,
    CreatePipeline,
    CreateSchedule,
    AddPolicy,
    Grant,
    ImportLibrary,
)
_NAMES = 3  # objects or readers that a line names before it counts the rest


def kind(step: Step) -> str:
    """Return a step's kind, which is its class."""
    return type(step).__name__


def subject(step: Step) -> str:
    """Return what a step changes: a recipient, share, catalog, schema, table, pipeline, schedule or path."""
    match step:
        case CreateRecipient() | ChangeRecipient() | DeleteRecipient() | CreateShare() | ChangeShare() | DeleteShare():
            return step.name
        case AddPolicy() | RemovePolicy() | RotateToken():
            return step.recipient
        case ChangeObjects() | Grant() | Revoke():
            return step.share
        case CreateCatalog() | StartUpdate():
            return step.name
        case CreateSchema():
            return f"{step.catalog}.{step.schema}"
        case EnableChangeFeed():
            return step.table
        case ImportLibrary():
            return step.path
        case CreatePipeline() | ChangePipeline() | CreateSchedule() | ChangeSchedule():
            return step.settings.name
        case DeletePipeline() | DeleteSchedule():
            return step.before.settings.name
    assert_never(step)


def words(step: Step) -> str:
    """Say in a line what a step does; no secret is in it."""
    match step:
        case CreateShare():
            return f"create share {step.name}"
        case ChangeShare():
            return f"change share {step.name}: comment"
        case ChangeObjects():
            return f"change share {step.share}: {_object_changes(step)}"
        case Grant():
            return f"let {_some(step.recipients)} read {step.share}"
        case Revoke():
            return f"let {_some(step.recipients)} no longer read {step.share}"
        case DeleteShare():
            return f"delete share {step.name} with {plural(len(step.before.objects), 'object')}"
        case CreateRecipient() | ChangeRecipient() | AddPolicy() | RemovePolicy() | RotateToken() | DeleteRecipient():
            return _recipient_words(step)
        case _:
            return _feeding_words(step)


def _recipient_words(
    step: CreateRecipient | ChangeRecipient | AddPolicy | RemovePolicy | RotateToken | DeleteRecipient,
) -> str:
    match step:
        case CreateRecipient():
            return f"create recipient {step.name} ({step.type}{_life(step)}{_addresses(step.ip_addresses)})"
        case ChangeRecipient():
            return f"change recipient {step.name}: {_recipient_changes(step)}"
        case AddPolicy():
            return f"let {step.policy.subject} of {step.policy.issuer} speak for {step.recipient}"
        case RemovePolicy():
            return f"let {step.policy.subject} of {step.policy.issuer} no longer speak for {step.recipient}"
        case RotateToken():
            return f"rotate the token of {step.recipient}; the old one ends {after(step.overlap_seconds)}"
        case DeleteRecipient():
            return f"delete recipient {step.name} and its tokens"
    assert_never(step)


def _feeding_words(
    step: CreateCatalog
    | CreateSchema
    | EnableChangeFeed
    | ImportLibrary
    | CreatePipeline
    | ChangePipeline
    | DeletePipeline
    | StartUpdate
    | CreateSchedule
    | ChangeSchedule
    | DeleteSchedule,
) -> str:
    match step:
        case CreateCatalog():
            return f"create catalog {step.name}"
        case CreateSchema():
            return f"create schema {step.catalog}.{step.schema}"
        case EnableChangeFeed():
            return f"turn the change feed of {step.table} on"
        case ImportLibrary():
            return f"put the pipelines' notebook at {step.path}"
        case CreatePipeline():
            return f"create pipeline {step.settings.name}: {step.settings.source} to {step.settings.target}"
        case ChangePipeline():
            return f"change pipeline {step.settings.name}: {_differing(step.before, step.settings)}"
        case DeletePipeline():
            return f"delete pipeline {step.before.settings.name}"
        case StartUpdate():
            return f"run pipeline {step.name}{' over all of its data anew' if step.full_refresh else ''}"
        case CreateSchedule():
            return f"schedule {step.settings.pipeline}: {_when(step.settings)}"
        case ChangeSchedule():
            return f"change the schedule of {step.settings.pipeline}: {_when(step.settings)}"
        case DeleteSchedule():
            return f"delete the schedule of {step.before.settings.pipeline}"
    assert_never(step)


def takes_away(step: Step) -> bool:
    """Tell whether a step takes something from somebody."""
    return isinstance(step, _DESTRUCTIVE) or (isinstance(step, ChangeObjects) and bool(step.remove))


def _life(step: CreateRecipient) -> str:
    if step.expires_at is not None:
        return f", until {step.expires_at:%Y-%m-%d}"
    return f", token lives {plural(step.expires_in_days, 'day')}" if step.expires_in_days else ""


def _addresses(addresses: Sequence[str]) -> str:
    return f", from {_some(addresses)}" if addresses else ""


def _recipient_changes(step: ChangeRecipient) -> str:
    parts = []
    if step.comment is not None:
        parts.append("comment")
    if step.ip_addresses is not None:
        parts.append(f"addresses {_some(step.ip_addresses)}" if step.ip_addresses else "open to all addresses")
    if step.properties is not None:
        parts.append(f"properties {_some(sorted(step.properties))}" if step.properties else "no properties")
    if step.expires_at is not None:
        parts.append(f"token ends {step.expires_at:%Y-%m-%d %H:%M}")
    return ", ".join(parts)


def _object_changes(step: ChangeObjects) -> str:
    parts = (("add", step.add), ("alter", step.update), ("remove", step.remove))
    return ", ".join(f"{verb} {_some([_object(o) for o in objects])}" for verb, objects in parts if objects)


def _object(shared: SharedObject) -> str:
    return f"{shared.name} as {shared.shared_as}" if shared.shared_as else shared.name


def _differing(before: Any, after: Any) -> str:
    old, new = plain(before), plain(after)
    return ", ".join(name for name in new if old[name] != new[name])


def _when(settings: ScheduleSettings) -> str:
    return f"{settings.cron} {settings.timezone}" + (" (paused)" if settings.paused else "")


def after(seconds: int) -> str:
    """Say how much later something is."""
    return f"after {plural(seconds // 3600, 'hour')}" if seconds >= 3600 else f"after {plural(seconds, 'second')}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES])
    return shown if len(names) <= _NAMES else f"{shown} and {len(names) - _NAMES} more"


# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return what `plan --output json` prints."""
    return {
        "strategy": plan.strategy.value,
        "hash": plan.hash,
        "steps": [step_document(step) for step in plan.steps],
        "losses": plain(plan.losses),
        "warnings": list(plan.warnings),
        "refusals": plain(plan.refusals),
    }


def step_document(step: Step) -> dict[str, Any]:
    """Return a step as JSON: what it is, what it does in words, and its own fields under `detail`."""
    head = {"kind": kind(step), "subject": subject(step), "words": words(step), "takes_away": takes_away(step)}
    return head | {"detail": plain(step)}


def plan_text(plan: Plan, *, colour: bool = False) -> str:
    """Return the plan for a terminal: what is added, changed and removed, in red what dies."""
    lines = [f"{plan.strategy}: {plural(len(plan.steps), 'step')}" if plan.steps else f"{plan.strategy}: nothing to do"]
    lines += [_red(f"  {_sign(step)} {words(step)}", colour and takes_away(step)) for step in plan.steps]
    lines += [_red(f"  ! {_loss(loss)}", colour) for loss in plan.losses]
    lines += [f"warning: {warning}" for warning in plan.warnings]
    lines += _refusal_lines(plan.refusals)
    return "\n".join([*lines, f"hash {plan.hash}"])


def _refusal_lines(refusals: Iterable[Refusal]) -> Iterator[str]:
    for refusal in refusals:
        yield f"refused: {refusal} ({refusal.code})"
        if refusal.remedy:
            yield f"  to do: {refusal.remedy}"


def _sign(step: Step) -> str:
    if takes_away(step):
        return "-"
    return "+" if isinstance(step, _CREATES) else "~"


def _loss(loss: Loss) -> str:
    who = f" ({_some(loss.who)})" if loss.who else ""
    return f"{loss.what}{who}" + ("; this cannot be undone" if loss.irreversible else "")


def _red(line: str, wanted: bool) -> str:
    return f"{_RED}{line}{_PLAIN}" if wanted else line


# ── what is remembered ───────────────────────────────────────────────────────────────────────────────────────────────


def run_text(run: RunRecord) -> str:
    """Return a run for a terminal: its status, what it did, and why it ended as it did."""
    about = [
        run.kind.value,
        *([f"version {run.version}"] if run.version else []),
        *([run.strategy] if run.strategy else []),
    ]
    lines = [f"run {run.id} ({', '.join(about)}): {run.status}"]
    lines += [f"  {_step_line(step)}" for step in run.steps]
    lines += _refusal_lines(run.refusals)
    if message := _message(run):
        lines.append(f"{run.code}: {message}" if run.code else message)
    return "\n".join([*lines, *(f"warning: {warning}" for warning in run.warnings)])


def _message(run: RunRecord) -> str:
    """Why a run ended as it did, without the refusals, which have lines of their own."""
    said = "; ".join(["", *map(str, run.refusals)])
    return (run.message or "").replace(said, "") if run.refusals else run.message or ""


def _step_line(step: StepRecord) -> str:
    outcome = f": {step.outcome}" if step.outcome else ""
    return f"{step.status:<15} {step.words}{' (was there)' if step.adopted else ''}{outcome}"


def pack_text(pack: PackRecord) -> str:
    """Return a pack for a terminal; what its newest run says too is said once."""
    said = (pack.run.message or "") if pack.run else ""
    lines = [
        f"{pack.name} version {pack.version}: {pack.status}{' (deleted)' if pack.deleted else ''}",
        f"  id {pack.pack_id} · {pack.strategy} · by {pack.requested_by} · {_moment(pack.last_updated)}",
        f"  {pack.provisioning_status}" if pack.provisioning_status not in said else "",
        f"  error: {pack.error_message}" if pack.error_message not in said else "",
        f"  request {pack.request_status}{f', approved by {pack.approved_by}' if pack.approved_by else ''}"
        if pack.request_status
        else "",
        run_text(pack.run) if pack.run else "",
    ]
    return "\n".join(line for line in lines if line)


def packs_text(packs: Sequence[PackRecord]) -> str:
    """Return packs as a table."""
    rows = [(p.pack_id, p.name, p.version, p.status, p.strategy, _moment(p.last_updated)) for p in packs]
    return (
        table(("ID", "PACK", "VERSION", "STATUS", "STRATEGY", "UPDATED (UTC)"), rows) if rows else "no share pack yet"
    )


def history_text(versions: Sequence[PackVersion]) -> str:
    """Return a pack's versions as a table."""
    rows = [
        (v.version, v.status, _moment(v.effective_from), _moment(v.effective_to), v.changed_by, v.change_reason or "-")
        for v in versions
    ]
    return table(("VERSION", "STATUS", "FROM (UTC)", "TO (UTC)", "BY", "WHY"), rows)


def drift_text(found: Sequence[Drift]) -> str:
    """Return how far the workspace is from what packs applied."""
    lines: list[str] = []
    for drift in found:
        lines.append(f"{drift.pack_name}: {drift.state}" + (f" ({drift.message})" if drift.message else ""))
        lines += [f"  {d.change} {d.kind} {d.name}: {d.what} [{' | '.join(d.verdicts)}]" for d in drift.differences]
    return "\n".join(lines) or "no share pack yet"


def access_text(found: Sequence[Access]) -> str:
    """Return who can read what as a table."""
    rows = [
        (a.recipient, a.share, len(a.objects), a.type, a.state, _moment(a.since), _moment(a.expires_at)) for a in found
    ]
    headers = ("RECIPIENT", "SHARE", "OBJECTS", "TYPE", "STATE", "SINCE (UTC)", "UNTIL (UTC)")
    return table(headers, rows) if rows else "nobody can read anything"


def checked_text(found: Sequence[Checked]) -> str:
    """Return what a recipient got of each table as a table."""
    rows = [
        (
            c.share,
            c.table,
            c.recipient,
            c.verdict,
            "as it should be" if c.expected else "NOT AS IT SHOULD BE",
            "-" if c.rows is None else c.rows,
            c.message,
        )
        for c in found
    ]
    return (
        table(("SHARE", "TABLE", "RECIPIENT", "VERDICT", "EXPECTED", "ROWS", "MESSAGE"), rows)
        if rows
        else "nothing to read"
    )


def problems_text(problems: Iterable[Any]) -> list[str]:
    """Return problems as lines, each with its place and what to do."""
    return [f"{problem} ({problem.remedy})" if problem.remedy else str(problem) for problem in problems]


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"
