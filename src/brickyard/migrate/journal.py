"""One attempt of a run while it is being done: every step is written down before it is done, and what came of it after.

A worker that takes over finds the lines of the one before it. It does not repeat what is done, and before it repeats what
was only begun it looks whether the workspace has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from brickyard.context import Context
from brickyard.kernel.terminal import plain
from brickyard.migrate import apply, store, trail
from brickyard.migrate.model.runs import RunRequest, Step
from brickyard.migrate.observe import Eyes
from brickyard.migrate.store import Batch, Run
from brickyard.workspace import adopt_or_do, await_statement


@dataclass(frozen=True, slots=True)
class Performed:
    """A step that changed the workspace, now or in an earlier try that is adopted."""

    step: Step
    result: dict[str, Any]
    adopted: bool


@dataclass(frozen=True)
class Work:
    """One attempt of one run, while it is being done."""

    context: Context
    run: Run
    batch: Batch

    @property
    def request(self) -> RunRequest:
        """What was asked."""
        return self.batch.request

    @property
    def mark(self) -> str:
        """What everything made by this attempt carries."""
        return f"{self.run.id}/{self.run.attempt}"

    @cached_property
    def eyes(self) -> Eyes:
        """The workspace, looked at through this run's warehouse; statements are cancelled when the run is stopped."""
        return Eyes(self.context.workspaces.client(), self.request.warehouse, self.checkpoint)

    def checkpoint(self) -> None:
        """Raise Interrupted when the run is to stop, Conflict when another worker has it."""
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)

    def keep(self, **documents: Any) -> None:
        """Remember a document of the run."""
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)
            store.keep(tx, self.run.id, **plain(documents))

    def once(self, key: str, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do something that can be repeated, unless this attempt has its answer already.

        What the answer holds under `told` becomes a line of the timeline.
        """
        line = self._intend(key, key)
        if line.done_at:
            return line.result or {}
        result = do()
        self._done(key, result)
        return result

    def perform(self, step: Step) -> dict[str, Any]:
        """Do a step, or adopt what an earlier try of it has made; a statement still on its way is waited for first."""
        line = self._intend(step.key, type(step).__name__)
        if line.done_at:
            return line.result or {}
        if line.result:
            await_statement(self.eyes.client, line.result["statement"])
        eyes = replace(self.eyes, sent=partial(self._sent, step.key, set()))
        result, adopted = adopt_or_do(
            lambda: apply.look(eyes, step),
            lambda: apply.perform(eyes, step),
            look_first=not line.new,
            what=step.key,
        )
        told = {"told": f"{apply.words(step)}{' (found from before)' if adopted else ''}"}
        self._done(step.key, told | result, Performed(step, result, adopted))
        return result

    def _intend(self, key: str, kind: str) -> store.StoredStep:
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)
            return store.intend(tx, self.run, key, kind, self.context.clock())

    def _sent(self, key: str, known: set[str], statement: str) -> None:
        """Write down which statement does a step, so that whoever takes over can wait for it."""
        if statement in known:
            return
        known.add(statement)
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)
            store.sent(tx, self.run, key, statement)

    def _done(self, key: str, result: dict[str, Any], performed: Performed | None = None) -> None:
        at = self.context.clock()
        with self.context.metadata.transaction() as tx:
            self.context.queue.checkpoint(tx)
            store.done(tx, self.run, key, at, plain(result), adopted=performed is not None and performed.adopted)
            if "told" in result:
                store.tell(tx, self.run, at, key.partition(":")[0], result["told"])
            if performed:
                found = plain(performed.result)
                trail.step(tx, self.context, self.run, at, performed.step, found, adopted=performed.adopted)
