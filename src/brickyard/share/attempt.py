"""Performing the steps of a run: each is written down before it is done and after, and undone when a later one fails.

A worker that takes over finds the lines of the one before it. It does not repeat what is done, and before it repeats
what was only begun it looks whether the workspace has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import BrickyardError, Interrupted, MetadataDown, WorkspaceDown, WorkspaceRefused
from brickyard.share import report
from brickyard.share.apply import Hands, Result, look, perform, undoing
from brickyard.share.model.records import TrailAction
from brickyard.share.model.runs import StepStatus
from brickyard.share.model.steps import DeletePipeline, DeleteRecipient, DeleteShare, Step
from brickyard.share.plan import claims_after
from brickyard.share.store import audit, claims, entities, links, runs, steps
from brickyard.share.store.runs import Run
from brickyard.share.store.sealing import sealed
from brickyard.share.store.steps import StoredStep
from brickyard.workspace import adopt_or_do

_BUSY = (429, 503)
_IRREVERSIBLE = "cannot be undone"
_NOTHING = "was not done"


@dataclass(frozen=True)
class Work:
    """One run while it is being done."""

    context: Context
    run: Run

    @property
    def owner(self) -> str:
        """The mark that everything made carries: the pack, or the run where no pack asked."""
        return str(self.run.pack_id or self.run.id)

    @cached_property
    def hands(self) -> Hands:
        """The door to the workspace."""
        library = self.context.queue.settings.share_library_path
        return Hands(self.context.workspaces.client(), self.owner, self._seal, self.context.clock, library)

    def checkpoint(self) -> None:
        """Raise Interrupted when the run is to stop, Conflict when another worker has it."""
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)

    def carry_out(self, planned: Sequence[Step]) -> None:
        """Do the steps in their order; those that are done already are passed over."""
        for position, step in enumerate(planned, 1):
            self._do(position, len(planned), step)

    def take_back(self, *, refused: bool = False, last: bool = False) -> None:
        """Undo, last one first, what this run has done, and write down how each undoing went.

        *refused* says that the step that failed has done nothing. Raises what `passes` unless this is the *last* try.
        """
        with self.context.metadata.read() as tx:
            lines = steps.journal(tx, self.run.id)
        for line in reversed(lines):
            if line.status in (StepStatus.INTENDED, StepStatus.DONE):
                self._undo(line, refused=refused, last=last)

    def _seal(self, recipient: str, token: str, link: str) -> None:
        """Keep the activation link of a new token where only its one delivery can read it."""
        text = sealed(self.context.queue.settings.home, link)
        with self.context.metadata.transaction() as tx:
            links.put(tx, self.run.workspace, recipient, token, text, self.context.clock())

    def _do(self, position: int, of: int, step: Step) -> None:
        key = f"{position:05d}"
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)
            line = steps.intend(tx, self.run.id, key, position, step, self.context.clock(), attempt=self.run.attempt)
        if line.status is not StepStatus.INTENDED:
            return
        result, adopted = self._adopt_or_do(step, look_first=not line.new)
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)
            at = self.context.clock()
            steps.done(tx, self.run.id, key, at, result, adopted=adopted)
            runs.progress(tx, self.run.id, at, position, of, report.words(step))
            self._remember(tx, step, result)

    def _adopt_or_do(self, step: Step, *, look_first: bool) -> tuple[Result, bool]:
        """Do a step, or adopt what an earlier try of it has left."""
        return adopt_or_do(
            lambda: look(self.hands, step),
            lambda: perform(self.hands, step),
            look_first=look_first,
            what=report.kind(step),
        )

    def _remember(self, tx: Connection, step: Step, result: Result | None) -> None:
        """Write what a step leaves behind: whose a thing is, that it is gone, and the line in the trail."""
        actor, at = self.context.actor, self.context.clock()
        if self.run.pack_id:
            self._claim(tx, self.run.pack_id, step)
        self._vanish(tx, step)
        entity, key = ("share_pack", self.run.pack_id) if self.run.pack_id else ("run", UUID(self.run.id))
        told = {"step": report.words(step), "run": self.run.id}
        audit.note(tx, entity, key, TrailAction.PROVISIONED, by=actor, new=told)
        audit.seal(
            tx, at=at, actor=actor, action=report.kind(step), subject=report.subject(step), after=result, detail=told
        )

    def _claim(self, tx: Connection, pack_id: UUID, step: Step) -> None:
        before = claims.of_pack(tx, pack_id)
        after = claims_after(before, step)
        claims.remove(tx, before - after, pack_id)
        claims.add(tx, pack_id, after - before, run_id=self.run.id, at=self.context.clock())

    def _vanish(self, tx: Connection, step: Step) -> None:
        """Forget a thing that is gone: other packs' claims on it, its row, its links."""
        by, reason = self.context.actor, f"run {self.run.id}"
        match step:
            case DeleteShare(name):
                claims.vanished(tx, "share", name)
                entities.forget(tx, "share", name, by=by, reason=reason)
            case DeleteRecipient(name):
                claims.vanished(tx, "recipient", name)
                entities.forget(tx, "recipient", name, by=by, reason=reason)
                links.erase(tx, self.run.workspace, name, by=by, at=self.context.clock())
            case DeletePipeline(before):
                entities.forget(tx, "pipeline", before.settings.name, by=by, reason=reason)

    # ── undoing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _undo(self, line: StoredStep, *, refused: bool, last: bool) -> None:
        """Undo one step and write down how that went."""
        back: Step | None = None
        try:
            outcome, back = self._undone(line, refused=refused)
        except (Interrupted, MetadataDown):
            raise
        except BrickyardError as error:
            if passes(error) and not (last and error.error_code != "job-taken-over"):
                raise
            outcome = f"could not be undone: {error.message}"
        undone = back is not None or outcome == _NOTHING
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)
            steps.compensated(tx, self.run.id, line.key, self.context.clock(), outcome, undone=undone)
            if back is not None:
                self._remember(tx, back, None)

    def _undone(self, line: StoredStep, *, refused: bool) -> tuple[str, Step | None]:
        """Take a step back; returns in words how, and the step that did it."""
        self.checkpoint()
        if line.status is StepStatus.INTENDED and (refused or look(self.hands, line.step) is None):
            return _NOTHING, None
        back = undoing(line.step, line.result or {})
        if back is None:
            return _IRREVERSIBLE, None
        self._adopt_or_do(back, look_first=True)
        return f"undone: {report.words(back)}", back


def passes(error: BrickyardError) -> bool:
    """Tell whether the cause of an error may be gone later, or is that another worker has the run."""
    busy = isinstance(error, WorkspaceRefused) and error.status in _BUSY
    return busy or isinstance(error, WorkspaceDown) or error.error_code == "job-taken-over"
