"""Any sequence of what people and workers do to packs, as a machine of rules, and what must be true after each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.share.flow.conftest import pack_of

from brickyard.context import Context
from brickyard.kernel.errors import BrickyardError, Conflict, GuardRefused, Interrupted, SpecInvalid
from brickyard.local import LocalWorkspace
from brickyard.metadata import METADATA
from brickyard.share import flow
from brickyard.share.model.current import Claim
from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.runs import PackStatus, RunStatus, Upload
from brickyard.share.store import audit, claims, packs, runs
from brickyard.share.store.runs import Run
from brickyard.share.tables import leases
from brickyard.share.tables import runs as run_table

VERSIONED = [table for table in METADATA.sorted_tables if "key" in table.info]
WRITES = (
    "recipients.create",
    "recipients.update",
    "recipients.delete",
    "shares.create",
    "shares.update",
    "shares.update_permissions",
    "shares.delete",
)
REFUSALS = {
    400: "INVALID_PARAMETER_VALUE",
    403: "PERMISSION_DENIED",
    409: "RESOURCE_CONFLICT",
    503: "TEMPORARILY_UNAVAILABLE",
}
PERSONS = ("one@house.com", "two@house.com", "up@loader.com")
WAYS = ("file", "file", "file", "one", "two")

_PARTNERS = ("acme", "beta")
_ASSETS = ("m.s.orders", "m.s.items", "m.s.feed")
_SHARES = ("sales", "stock")
Open = Callable[[str], AbstractContextManager[Context]]


@dataclass(frozen=True)
class Wanted:
    """A pack in few words: which project it is of, who reads which of the shares, and what they hold."""

    project: str
    partners: frozenset[str]
    shares: dict[str, tuple[frozenset[str], frozenset[str]]] = field(hash=False)
    mode: str = "merge"
    comment: str = ""
    addresses: frozenset[str] = frozenset()

    def pack(self, house: Context) -> SharePack:
        """The pack itself."""
        people = [
            {"name": name, "type": "D2O", "description": self.comment, "recipient_ips": sorted(self.addresses)}
            for name in sorted(self.partners)
        ]
        shares = [
            {"name": name, "share_assets": [{"name": one} for one in sorted(assets)], "recipients": sorted(readers)}
            for name, (assets, readers) in sorted(self.shares.items())
        ]
        return pack_of(
            house, metadata={"project_name": self.project, "mode": self.mode}, recipient=people, share=shares
        )


def _some(values: tuple[str, ...], least: int = 0) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), min_size=least)


@st.composite
def wanted(draw: st.DrawFn) -> Wanted:
    """Packs over few names, so that they meet."""
    partners = draw(_some(_PARTNERS, 1))
    readers = st.frozensets(st.sampled_from(sorted(partners)))
    shares = st.dictionaries(st.sampled_from(_SHARES), st.tuples(_some(_ASSETS), readers), min_size=1)
    return Wanted(
        project=draw(st.sampled_from(("north", "south"))),
        partners=partners,
        shares=draw(shares),
        mode=draw(st.sampled_from(("merge", "exact"))),
        comment=draw(st.sampled_from(("", "a partner"))),
        addresses=draw(_some(("10.0.0.1/32", "10.0.0.2/32"))),
    )


@dataclass(frozen=True)
class Course:
    """How a run fares: how often it is tried, and what the workspace does to one of its calls."""

    attempts: int = 1
    trouble: str = ""
    operation: str = ""
    status: int = 503

    def prepare(self, workspace: LocalWorkspace) -> None:
        """Plan what goes wrong."""
        match self.trouble:
            case "refused":
                workspace.fail_next(self.operation, self.status, REFUSALS[self.status])
            case "lost":
                workspace.drop_reply(self.operation)
            case "blind":
                workspace.fail_next("shares.get", self.status, REFUSALS[self.status], times=2)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Most runs are tried at once, half of them without trouble."""
    return Course(
        draw(st.sampled_from((1, 2, 1, 0))),
        draw(st.sampled_from(("", "", "", "refused", "lost", "blind"))),
        draw(st.sampled_from(WRITES)),
        draw(st.sampled_from(sorted(REFUSALS))),
    )


class Sequences(RuleBasedStateMachine):
    """Uploads, decisions, attempts that go well or not, ways back and ends, in any order."""

    workspace: LocalWorkspace
    opened: Open

    @initialize(way=st.sampled_from(WAYS), first=st.lists(st.tuples(wanted(), courses()), min_size=2, max_size=4))
    def begin(self, way: str, first: list[tuple[Wanted, Course]]) -> None:
        """Open a house with an empty database and an empty workspace, and upload some packs."""
        self.stack = ExitStack()
        self.house = self.stack.enter_context(self.opened(way))
        self.sent: list[SharePack] = []
        for what, course in first:
            self._send(what.pack(self.house), course)

    def teardown(self) -> None:
        """Close the house."""
        if hasattr(self, "stack"):
            self.stack.close()

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(what=wanted(), adopt=st.booleans(), course=courses())
    def upload(self, what: Wanted, adopt: bool, course: Course) -> None:
        """Somebody uploads a pack."""
        self._send(what.pack(self.house), course, adopt=adopt)

    @rule(data=st.data(), course=courses())
    def upload_again(self, data: st.DataObject, course: Course) -> None:
        """Somebody uploads once more what was uploaded before."""
        self._send(data.draw(st.sampled_from(self.sent)), course, again=True)

    @rule(data=st.data(), course=courses())
    def upload_the_end(self, data: st.DataObject, course: Course) -> None:
        """Somebody asks for the end of what a pack named."""
        given_ = data.draw(st.sampled_from(self.sent))
        if given_.removal:
            return
        about = given_.metadata.model_copy(update={"strategy": Strategy.DELETE})
        names = {"recipients": [one.name for one in given_.recipient], "shares": [one.name for one in given_.share]}
        pack = SharePack.model_validate({"metadata": about, "removal": names})
        self._send(pack, course)

    @rule(data=st.data(), course=courses())
    def work(self, data: st.DataObject, course: Course) -> None:
        """A worker takes a run; what does not answer is tried again later, or given up."""
        if not (open_ := self._runs(RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)):
            return
        run_id = data.draw(st.sampled_from(open_)).id
        self._follow(run_id, course)

    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """The queue gives up on a run."""
        if open_ := self._runs(RunStatus.RUNNING):
            run = data.draw(st.sampled_from(open_))
            flow.gave_up(self.house, run.id, BrickyardError("too many attempts", code="internal-error"))

    @rule(data=st.data(), person=st.sampled_from(PERSONS), stale=st.booleans())
    def approve(self, data: st.DataObject, person: str, stale: bool) -> None:
        """A person approves the plan as it is now, or an old one."""
        if waiting := self._runs(RunStatus.PENDING_APPROVAL):
            run = data.draw(st.sampled_from(waiting))
            pack_id = str(run.pack_id)
            self._quietly(lambda: flow.approve(self._as(person), pack_id, plan_hash=self._hash(pack_id, stale)))
            self._attempt(run.id)

    @rule(data=st.data(), person=st.sampled_from(PERSONS))
    def decline(self, data: st.DataObject, person: str) -> None:
        """A person declines what waits."""
        if waiting := self._runs(RunStatus.PENDING_APPROVAL):
            pack_id = str(data.draw(st.sampled_from(waiting)).pack_id)
            self._quietly(lambda: flow.decline(self._as(person), pack_id))

    @rule(data=st.data(), course=courses())
    def roll_back(self, data: st.DataObject, course: Course) -> None:
        """Somebody goes back to an earlier version of a pack."""
        if made := self._versions():
            pack_id, version = data.draw(st.sampled_from(made))
            self._quietly(lambda: self._follow(flow.rollback(self.house, pack_id, version).run_id, course))

    # ── what must be true ────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def each_entity_has_one_current_version_and_no_gap(self) -> None:
        """Versions are 1, 2, 3 … whose times touch; the last one is the current one."""
        if not hasattr(self, "house"):
            return
        with self.house.metadata.read() as tx:
            for table in VERSIONED:
                assert _broken(tx, table) == [], table.name

    @invariant()
    def the_trail_is_whole(self) -> None:
        """Nothing was taken out of the audit trail, nothing was put in."""
        if hasattr(self, "house"):
            with self.house.metadata.read() as tx:
                assert audit.verify(tx) == ()

    @invariant()
    def only_runs_under_way_hold_leases(self) -> None:
        """A lease belongs to a run that has begun and is not over; each pack has at most one such run."""
        if not hasattr(self, "house"):
            return
        with self.house.metadata.read() as tx:
            held = sa.select(run_table.c.status).join(leases, leases.c.run_id == run_table.c.id).distinct()
            assert set(tx.scalars(held)) <= {RunStatus.RUNNING}
            of_pack = sa.select(run_table.c.pack_id).where(run_table.c.status == RunStatus.RUNNING)
            under_way = tx.scalars(of_pack).all()
            assert len(under_way) == len(set(under_way))

    @invariant()
    def each_pack_says_how_its_newest_run_fares(self) -> None:
        """The status of a pack is its newest run's."""
        if not hasattr(self, "house"):
            return
        with self.house.metadata.read() as tx:
            for one in packs.page(tx, limit=100):
                run = runs.newest(tx, one.pack_id)
                assert run is not None
                assert run.version == one.version
                assert one.status is _fares(run), (one, run)

    @invariant()
    def what_is_claimed_is_there(self) -> None:
        """Where no run is under way, everything that a pack claims is in the workspace."""
        if hasattr(self, "house") and not self._runs(RunStatus.RUNNING):
            with self.house.metadata.read() as tx:
                claimed = claims.of_others(tx, None)
            if claimed:
                assert claimed <= set(_there(self.workspace))

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, pack: SharePack, course: Course, **options: Any) -> None:
        self.sent.append(pack)
        self._follow(flow.submit(self.house, Upload(pack=pack, file_name="pack.yaml", **options)).run_id, course)

    def _follow(self, run_id: str, course: Course) -> None:
        """Let the workers have a run as often as its course says, with what goes wrong on it."""
        course.prepare(self.workspace)
        for _ in range(course.attempts):
            self._attempt(run_id)
        self._calm()

    def _calm(self) -> None:
        self.workspace.parts.control.faults.clear()

    def _attempt(self, run_id: str) -> None:
        """Do a run; where it comes to its end, a second plan has nothing to do."""
        try:
            flow.provision(self.house, run_id)
        except Interrupted:
            raise
        except BrickyardError:
            return
        run = flow.run_of(self.house, run_id)
        if run.status is RunStatus.COMPLETED and run.pack_id:
            self._calm()
            assert flow.plan_of(self.house, run.pack_id).steps == ()

    def _quietly(self, do: Callable[[], object]) -> None:
        """Do what may be refused, with the workspace well."""
        self._calm()
        try:
            do()
        except (Conflict, GuardRefused, SpecInvalid):
            return

    def _as(self, person: str) -> Context:
        return replace(self.house, actor=person)

    def _hash(self, pack_id: str, stale: bool) -> str:
        return "0" * 64 if stale else flow.plan_of(self.house, pack_id).hash

    def _runs(self, *statuses: RunStatus) -> list[Run]:
        with self.house.metadata.read() as tx:
            return list(reversed(runs.listed(tx, statuses=statuses, limit=1000)))

    def _versions(self) -> list[tuple[str, int]]:
        return [
            (one.pack_id, version.version)
            for one in reversed(flow.standings(self.house, limit=100))
            for version in flow.history(self.house, one.pack_id)
        ]


def _fares(run: Run) -> PackStatus:
    if not run.status.final:
        return PackStatus.IN_PROGRESS
    known = {
        RunStatus.COMPLETED: PackStatus.COMPLETED,
        RunStatus.VALIDATION_FAILED: PackStatus.VALIDATION_FAILED,
    }
    return known.get(run.status, PackStatus.FAILED)


def _broken(tx: sa.Connection, table: sa.Table) -> list[Any]:
    """The entities of a table whose versions are not as they must be."""
    key, later = table.c[table.info["key"]], table.alias("later")
    counted = sa.select(key).group_by(key)
    gap = (sa.func.min(table.c.version) != 1) | (sa.func.max(table.c.version) != sa.func.count())
    current = sa.func.count().filter(table.c.is_current) != 1
    next_ = (later.c[table.info["key"]] == key) & (later.c.version == table.c.version + 1)
    apart = sa.select(key).join(later, next_).where(table.c.effective_to != later.c.effective_from)
    return [*tx.scalars(counted.having(gap | current)), *tx.scalars(apart)]


def _there(workspace: LocalWorkspace) -> Iterator[Claim]:
    """Everything in the workspace that a pack of these can claim."""
    client = workspace.client()
    for found in client.recipients.list():
        name = (found.name or "").lower()
        yield Claim("recipient", "", name)
        addresses = found.ip_access_list.allowed_ip_addresses if found.ip_access_list else None
        yield from (Claim("address", name, one) for one in addresses or ())
    for share in client.shares.list_shares():
        name = (share.name or "").lower()
        yield Claim("share", "", name)
        objects = client.shares.get(name, include_shared_data=True).objects or ()
        yield from (Claim("object", name, one.name.lower()) for one in objects)
        readers = client.shares.share_permissions(name).privilege_assignments or ()
        yield from (Claim("reader", name, (one.principal or "").lower()) for one in readers)
