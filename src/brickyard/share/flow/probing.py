"""What a probe finds: readings that must succeed and readings that must be refused, given time to take effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from brickyard.kernel import stop
from brickyard.kernel.errors import NotFound, WorkspaceDown
from brickyard.share.apply import Hands
from brickyard.share.apply.probe import Probe, probe
from brickyard.share.model.runs import Verdict
from brickyard.share.observe import verifying
from brickyard.share.observe.asking import together
from brickyard.share.observe.verifying import Credential, Got
from brickyard.share.plan.verifying import EVERY, Expected

NOWHERE = "192.0.2.0/24"  # kept for documentation (RFC 5737): no reader has such an address
_ABSENT = "brickyard_not_shared"
_SETTLE_SECONDS = 20.0  # for a grant, a revoke or a list of addresses to reach the sharing server
_PAUSE_SECONDS = 0.25
_AT_ONCE = 4
_ACTIVATIONS = 2  # the second after a lost reply: a link works once


@dataclass(frozen=True, slots=True)
class Tried:
    """One reading of a share: of which table, what was got, and which verdict is as it should be."""

    table: str
    got: Got
    should: Verdict = Verdict.READ


@contextmanager
def reading(
    hands: Hands, shares: tuple[str, ...], properties: Mapping[str, str] | None = None
) -> Iterator[tuple[Probe, Credential]]:
    """Make a probe, activate it by its own link, and drop it whatever happens."""
    for left in reversed(range(_ACTIVATIONS)):
        with probe(hands, shares, properties=properties or {}) as reader:
            try:
                credential = verifying.activate(hands.client, reader.link)
            except (NotFound, WorkspaceDown):
                if not left:
                    raise
                continue
            yield reader, credential
            return


def positive(credential: Credential, share: str, wanted: Expected, limit: int | None) -> Iterator[Tried]:
    """Yield a reading of every table that must be there, and one of a table that never was."""
    listing = settled(lambda: verifying.listed(credential, share), Verdict.READ)
    if listing.verdict is not Verdict.READ:
        yield Tried(EVERY, listing)
        return
    shown = {table.lower(): table for table in listing.tables}
    yield from _unread(wanted, shown)
    beyond = {name for name, _ in wanted.beyond}
    yield from together(
        lambda table: _read(credential, share, table, limit, feed=table.lower() in wanted.feeds),
        [table for folded, table in sorted(shown.items()) if folded not in beyond],
        _AT_ONCE,
    )
    schema = listing.tables[0].partition(".")[0] if listing.tables else "default"
    yield refused(credential, share, f"{schema}.{_ABSENT}")


def _unread(wanted: Expected, shown: Mapping[str, str]) -> Iterator[Tried]:
    for name in wanted.missing:
        yield Tried(name, Got(Verdict.FAILED, message="the pack declares it, and it is not in the share"))
    for name in wanted.tables:
        if name not in shown:
            yield Tried(name, Got(Verdict.FAILED, message="it is in the share, and recipients do not see it"))
    for name, why in wanted.beyond:
        yield Tried(name, Got(Verdict.NOT_ASSESSED, message=why), Verdict.NOT_ASSESSED)
    for schema in wanted.schemas:
        if not any(name.partition(".")[0] == schema for name in shown):
            empty = Got(Verdict.NOT_ASSESSED, message="the shared schema has no table that recipients see")
            yield Tried(f"{schema}.{EVERY}", empty, Verdict.NOT_ASSESSED)


def _read(credential: Credential, share: str, table: str, limit: int | None, *, feed: bool) -> Tried:
    stop.check()
    return Tried(table, verifying.read(credential, share, table, limit=limit, feed=feed))


def refused(credential: Credential, share: str, table: str) -> Tried:
    """Try a table that must not be there."""
    return Tried(table, verifying.touched(credential, share, table), Verdict.REFUSED)


def shut(credential: Credential, share: str, why: str) -> Tried:
    """Try a share that must not open (any more): *why* is the reason that ought to keep it shut."""
    got = settled(lambda: verifying.listed(credential, share), Verdict.REFUSED)
    return Tried(EVERY, Got(got.verdict, message=f"{why}: {got.message or 'its tables were listed'}"), Verdict.REFUSED)


def settled(ask: Callable[[], Got], should: Verdict) -> Got:
    """Ask until the answer is as it should be, for as long as a change of rights may take."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (got := ask()).verdict is not should and got.verdict is not Verdict.FAILED and time.monotonic() < deadline:
        stop.pause(_PAUSE_SECONDS)
    return got
