"""Reading what a pack shares as its recipients would, and trying what they must not get (any more)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from brickyard.context import Context
from brickyard.kernel.errors import Conflict
from brickyard.kernel.terminal import plural
from brickyard.share.apply import Hands
from brickyard.share.apply.probe import drop_leftovers
from brickyard.share.flow.probing import NOWHERE, Tried, positive, reading, refused, shut
from brickyard.share.model.current import Claim, RecipientState, ShareState
from brickyard.share.model.pack import SharePack
from brickyard.share.model.runs import Checked, RunStatus, StepStatus, Verdict
from brickyard.share.observe import verifying
from brickyard.share.observe.recipients import recipients
from brickyard.share.observe.shares import shares
from brickyard.share.observe.verifying import Credential, Got
from brickyard.share.plan import verifying as trying
from brickyard.share.plan.claims import object_name
from brickyard.share.plan.shapes import exposed
from brickyard.share.plan.verifying import EVERY, Audience, Taken
from brickyard.share.store import claims, packs, runs, steps

Rows = Literal["first", "all"]
_MOST_RUNS = 1_000
_OPEN = (RunStatus.QUEUED, RunStatus.WAITING, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What the database says of a pack: its version that was applied last, what was taken away, what others claim."""

    pack: SharePack
    key: str
    taken: Taken
    others: frozenset[Claim]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a verification looks at; keys are folded names."""

    known: _Remembered
    hands: Hands
    recipients: dict[str, RecipientState]
    shares: dict[str, ShareState]
    limit: int | None


def verify(context: Context, pack_id: str, *, rows: Rows = "first") -> tuple[Checked, ...]:
    """Read every table of a pack as each of its recipients, and try what was taken away, which must be refused.

    A probe takes the place of recipients with a token; those of other types are NOT_ASSESSED. With *rows* `all` every
    row is read and counted. Raises NotFound, Conflict while a run of the pack is under way, SpecInvalid without the
    Delta Sharing client, and the errors of the workspace.
    """
    scene = _scene(context, _remembered(context, pack_id), None if rows == "all" else verifying.FIRST_ROWS)
    drop_leftovers(scene.hands.client, context.clock())
    pairs = trying.wanted(scene.known.pack, context.clock())
    found = [
        *trying.unread(pairs, scene.recipients, scene.shares),
        *_read(scene, trying.audiences(pairs, scene.recipients, scene.shares)),
        *_taken(scene),
    ]
    found.sort(key=lambda one: (one.share.lower(), one.recipient.lower(), one.table))
    _tell(context, scene.known.key, found)
    return tuple(found)


def drop_probes(context: Context) -> tuple[str, ...]:
    """Drop the probes of verifications that were killed more than an hour ago; return their names."""
    return drop_leftovers(context.workspaces.client(), context.clock())


# ── what there is ────────────────────────────────────────────────────────────────────────────────────────────────────


def _remembered(context: Context, pack_id: str) -> _Remembered:
    with context.metadata.read() as tx:
        record = packs.get(tx, pack_id)
        mine = runs.of_pack(tx, record.pack_id, _MOST_RUNS)
        _refuse_under_way(mine)
        applied = (r.version for r in mine if r.status is RunStatus.COMPLETED and r.kind in runs.MIRRORED)
        done = [line for run in reversed(mine) for line in steps.journal(tx, run.id) if line.status is StepStatus.DONE]
        return _Remembered(
            pack=packs.config(tx, record.pack_id, next(applied, None)),
            key=str(record.pack_id),
            taken=trying.taken(line.step for line in done),
            others=claims.of_others(tx, record.pack_id),
        )


def _refuse_under_way(mine: Iterable[runs.Run]) -> None:
    for run in mine:
        if run.status in _OPEN:
            raise Conflict(
                f"run {run.id} of this share pack is {run.status}",
                code="share-run-under-way",
                remedy="wait for its end, then verify",
            )


def _scene(context: Context, known: _Remembered, limit: int | None) -> _Scene:
    client = context.workspaces.client()
    hands = Hands(client, known.key, _keep_nothing, context.clock)
    gone = {share for share, _ in (*known.taken.tables, *known.taken.readers)} - {EVERY}
    readers = {name for spec in known.pack.share for name in (*spec.recipients, *spec.recipients_to_add)}
    names = {spec.name.lower() for spec in known.pack.recipient} | {name.lower() for name in readers}
    return _Scene(
        known=known,
        hands=hands,
        recipients=recipients(client, names | {name for _, name in known.taken.readers}),
        shares=shares(client, {spec.name.lower() for spec in known.pack.share} | gone),
        limit=limit,
    )


def _keep_nothing(_recipient: str, _token: str, _link: str) -> None:
    """Keep no link: a probe keeps its own in memory."""


# ── what they get ────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(scene: _Scene, audiences: Iterable[Audience]) -> Iterator[Checked]:
    for audience in audiences:
        with reading(scene.hands, audience.shares, dict(audience.properties)) as (reader, credential):
            for share in audience.shares:
                for tried in _tried(scene, credential, share):
                    yield from _each(audience.recipients, share, tried)
            for share in audience.shares:
                reader.revoke(share)
                yield from _each(audience.recipients, share, shut(credential, share, "after its right was taken"))
        yield from _from_nowhere(scene, audience)


def _tried(scene: _Scene, credential: Credential, share: str) -> Iterator[Tried]:
    spec = next(spec for spec in scene.known.pack.share if spec.name.lower() == share.lower())
    state = scene.shares[share.lower()]
    yield from positive(credential, share, trying.expected(state, spec), scene.limit)
    for table in _removed(scene, state):
        yield refused(credential, share, table)


def _removed(scene: _Scene, state: ShareState) -> Iterator[str]:
    """The tables that were removed from a share, those aside that another pack has put there."""
    theirs = {exposed(one) for one in state.objects if _claimed(scene, "object", state.name, object_name(one))}
    for share, table in sorted(scene.known.taken.tables):
        if share == state.name.lower() and table not in theirs:
            yield table


def _from_nowhere(scene: _Scene, audience: Audience) -> Iterator[Checked]:
    """Read from an address that is off the list, in the place of those who have one."""
    if not audience.guarded:
        return
    with reading(scene.hands, audience.shares, dict(audience.properties)) as (reader, credential):
        reader.close_to((NOWHERE,))
        for share in audience.shares:
            yield from _each(audience.guarded, share, shut(credential, share, f"from an address outside {NOWHERE}"))


# ── what they must not get any more ──────────────────────────────────────────────────────────────────────────────────


def _taken(scene: _Scene) -> Iterator[Checked]:
    """Try what earlier versions gave: shares and recipients that are gone, rights that were revoked."""
    yield from _gone_recipients(scene)
    revoked = sorted(pair for pair in scene.known.taken.readers if pair[0] != EVERY and _revoked(scene, *pair))
    gone = sorted({share for share, _ in scene.known.taken.tables if share not in scene.shares})
    if not revoked and not gone:
        return
    with reading(scene.hands, ()) as (_, credential):
        for share in gone:
            yield from _each((EVERY,), share, shut(credential, share, "the share was deleted"))
        for share, name in revoked:
            yield from _each((name,), share, shut(credential, share, "without a right to it"))
    for share, name in revoked:
        yield from _still_reading(scene, share, name)


def _gone_recipients(scene: _Scene) -> Iterator[Checked]:
    for share, name in sorted(scene.known.taken.readers):
        if share == EVERY and not _claimed(scene, "recipient", "", name):
            there = name in scene.recipients
            got = Got(
                Verdict.FAILED if there else Verdict.REFUSED,
                message="it was deleted and is there again" if there else "it was deleted, its tokens with it",
            )
            yield from _each((name,), EVERY, Tried(EVERY, got, Verdict.REFUSED))


def _revoked(scene: _Scene, share: str, name: str) -> bool:
    return name in scene.recipients and share in scene.shares and not _claimed(scene, "reader", share, name)


def _still_reading(scene: _Scene, share: str, name: str) -> Iterator[Checked]:
    if name in {reader.lower() for reader in scene.shares[share].readers}:
        got = Got(Verdict.READ, message="its right was revoked, and it has one again")
        yield from _each((name,), share, Tried(EVERY, got, Verdict.REFUSED))


def _claimed(scene: _Scene, kind: str, parent: str, name: str) -> bool:
    return Claim(kind, parent.lower(), name) in scene.known.others


# ── what is said of it ───────────────────────────────────────────────────────────────────────────────────────────────


def _each(recipients: Iterable[str], share: str, tried: Tried) -> Iterator[Checked]:
    got = tried.got
    for recipient in recipients:
        yield Checked(
            share=share,
            table=tried.table,
            recipient=recipient,
            verdict=got.verdict,
            expected=got.verdict is tried.should,
            rows=got.rows,
            message=got.message,
        )


def _tell(context: Context, pack_id: str, found: list[Checked]) -> None:
    """Leave a line in the timeline of the pack's newest run."""
    wrong = sum(not one.expected for one in found)
    words = f"verified as the recipients: {plural(len(found), 'reading')}, {wrong} not as it should be"
    with context.metadata.transaction() as tx:
        run = runs.newest(tx, packs.get(tx, pack_id).pack_id)
        if run:
            runs.tell(tx, run, context.clock(), "verified", words, by=context.actor, detail={"wrong": wrong})
