"""How far the workspace is from what a pack applied last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from brickyard.context import Context
from brickyard.kernel.errors import BrickyardError, Interrupted, MetadataDown
from brickyard.share import report
from brickyard.share.flow.looking import Allowed, decide
from brickyard.share.model.pack import Mode, SharePack, Strategy
from brickyard.share.model.runs import Change, Difference, Drift, DriftState, RunStatus
from brickyard.share.model.steps import ChangeObjects, Grant, Plan, Revoke, Step
from brickyard.share.store import packs, runs
from brickyard.share.store.packs import PackRecord

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_BY_VERB = {"Create": Change.MISSING, "Add": Change.MISSING, "Import": Change.CHANGED, "Enable": Change.CHANGED}
_GONE = ("Delete", "Remove", "Revoke")


def drift(context: Context, pack_id: str | None = None) -> tuple[Drift, ...]:
    """Compare one pack, or all, with the workspace; what cannot be read is unknown, never missing."""
    with context.metadata.read() as tx:
        chosen = (packs.get(tx, pack_id),) if pack_id else packs.page(tx, limit=None)
        applied = [(record, _applied(context, record)) for record in chosen]
    client = context.workspaces.client()
    return tuple(_one(context, client, record, pack) for record, pack in applied if pack or pack_id)


def _applied(context: Context, record: PackRecord) -> SharePack | None:
    """The version that was applied last, or None where none is in effect."""
    with context.metadata.read() as tx:
        done = next(
            (r for r in runs.of_pack(tx, record.pack_id) if r.status is RunStatus.COMPLETED and r.version), None
        )
        if done is None or record.deleted:
            return None
        pack = packs.config(tx, record.pack_id, done.version)
    return None if pack.metadata.strategy is Strategy.DELETE else pack


def _one(context: Context, client: WorkspaceClient, record: PackRecord, pack: SharePack | None) -> Drift:
    if pack is None:
        return _drift(record, DriftState.NONE, "no version of it is in effect")
    exact = pack.model_copy(update={"metadata": pack.metadata.model_copy(update={"mode": Mode.EXACT})})
    try:  # in mode exact, so that what others added shows too
        plan = decide(context, client, exact, record.pack_id, Allowed(adopt=True))
    except (Interrupted, MetadataDown):
        raise
    except BrickyardError as error:
        return _drift(record, DriftState.UNKNOWN, error.message)
    found = tuple(_differences(plan))
    return _drift(record, DriftState.DRIFTED if found else DriftState.NONE, "", found)


def _drift(record: PackRecord, state: DriftState, message: str, found: tuple[Difference, ...] = ()) -> Drift:
    return Drift(pack_id=str(record.pack_id), pack_name=record.name, state=state, message=message, differences=found)


def _differences(plan: Plan) -> Iterator[Difference]:
    for step in plan.steps:
        yield from _of_step(step)
    for problem in plan.refusals:
        where = problem.where or ""
        yield Difference(
            change=Change.MISSING, kind="source", name=where, what=problem.message, verdicts=("adopt", "ignore")
        )


def _of_step(step: Step) -> Iterator[Difference]:
    match step:
        case ChangeObjects(share=share, add=add, update=update, remove=remove):
            listed = ((Change.MISSING, add), (Change.CHANGED, update), (Change.ADDED, remove))
            for change, objects in listed:
                for one in objects:
                    yield Difference(
                        change=change, kind="object", name=one.name, what=_says(change, f"{one.name} in {share}")
                    )
        case Grant(share, recipients):
            for one in recipients:
                what = _says(Change.MISSING, f"the right of {one} to read {share}")
                yield Difference(change=Change.MISSING, kind="reader", name=one, what=what)
        case Revoke(share, recipients):
            for one in recipients:
                what = _says(Change.ADDED, f"the right of {one} to read {share}")
                yield Difference(change=Change.ADDED, kind="reader", name=one, what=what)
        case _:
            kind, change = _thing(step), _change(step)
            yield Difference(
                change=change, kind=kind, name=report.subject(step), what=f"to mend it: {report.words(step)}"
            )


def _thing(step: Step) -> str:
    """Name what a step is about by its kind without the verb: the `recipient` of `ChangeRecipient`."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", report.kind(step)).lower().partition(" ")[2]


def _change(step: Step) -> Change:
    verb = report.kind(step)
    if verb.startswith(_GONE):
        return Change.ADDED
    return next((change for start, change in _BY_VERB.items() if verb.startswith(start)), Change.CHANGED)


def _says(change: Change, what: str) -> str:
    return f"{what} is {'there beyond the pack' if change is Change.ADDED else change}"
