"""What is handed out or sent: approvals, sealed links, the outbox, notifications and kept answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from tests.share.store.samples import HOST, NOW, pack

from brickyard.kernel.errors import Conflict
from brickyard.metadata import Metadata
from brickyard.share.model.pack import Strategy
from brickyard.share.model.records import NotificationStatus, NotificationType
from brickyard.share.model.runs import ApproverStatus, RunKind
from brickyard.share.store import approvals, audit, idempotency, links, notices, outbox, packs, runs
from brickyard.share.tables import links as link_table

LATER = NOW + timedelta(minutes=5)


# ── approvals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_approval_is_for_one_plan_and_a_person_has_one(metadata: Metadata):
    with metadata.transaction() as tx:
        runs.create(tx, "r1", RunKind.DIRECT, at=NOW, by="ada", workspace=HOST)
        approvals.give(tx, "r1", by="bob", plan_hash="old", at=NOW)
        approvals.give(tx, "r1", by="bob", plan_hash="new", at=LATER, reason="fine")
        assert approvals.given(tx, "r1", "old") == ()
        assert approvals.given(tx, "r1", "new") == (approvals.Approval("bob", "new", LATER, "fine"),)


def test_a_decision_is_a_version_of_the_request_with_its_line(metadata: Metadata):
    with metadata.transaction() as tx:
        request = packs.save(tx, pack(), by="ada", strategy=Strategy.NEW).request_id
        assert request
        approvals.decide(tx, request, ApproverStatus.DECLINED, by="bob", at=NOW, reason="too wide")
        decided = approvals.request(tx, request)
        actions = [line["action"] for line in audit.of_entity(tx, "request", request)]
    assert decided and (decided.version, decided.change_reason) == (2, "too wide")
    assert (decided.fields["approved_by"], decided.fields["approver_status"]) == ("bob", "declined")
    assert actions == ["CREATED", "DECLINED"]


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_is_taken_once_whoever_comes_and_erased(metadata: Metadata):
    with metadata.transaction() as tx:
        links.put(tx, HOST, "Acme", "t1", b"sealed", NOW)
        links.put(tx, HOST, "acme", "t1", b"other", NOW)
        assert links.waiting(tx) == (links.Waiting(HOST, "acme", "t1", NOW),)

    def take(_: int) -> bytes | None:
        with metadata.transaction() as tx:
            return links.take(tx, HOST, "ACME", by="bob", at=LATER)

    with ThreadPoolExecutor(6) as pool:
        taken = [sealed for sealed in pool.map(take, range(12)) if sealed]
    assert taken == [b"sealed"]
    with metadata.read() as tx:
        assert tx.execute(sa.select(link_table.c.sealed, link_table.c.taken_by)).all() == [(None, "bob")]


def test_the_newest_link_is_handed_out_and_all_go_with_the_recipient(metadata: Metadata):
    with metadata.transaction() as tx:
        for token in ("t1", "t2", "t3"):
            links.put(tx, HOST, "acme", token, token.encode(), NOW)
        assert links.take(tx, HOST, "acme", by="bob", at=NOW) == b"t3"
        assert links.erase(tx, HOST, "acme", by="service", at=NOW) == 2
        assert links.take(tx, HOST, "acme", by="bob", at=NOW) is None


# ── outbox ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_thing_is_taken_by_one_sender(metadata: Metadata):
    with metadata.transaction() as tx:
        for number in range(40):
            outbox.put(tx, outbox.QUEUE, {"n": number}, NOW)

    def take(_: int) -> list[int]:
        with metadata.transaction() as tx:
            return [parcel.payload["n"] for parcel in outbox.take(tx, outbox.QUEUE, NOW, limit=5)]

    with ThreadPoolExecutor(8) as pool:
        taken = [number for group in pool.map(take, range(20)) for number in group]
    assert sorted(taken) == list(range(40))


def test_what_was_taken_and_not_sent_is_due_again_and_what_was_sent_is_not(metadata: Metadata):
    with metadata.transaction() as tx:
        outbox.put(tx, outbox.QUEUE, {"n": 1}, NOW)
        outbox.put(tx, outbox.NOTIFICATION, {"n": 2}, NOW)
        (first,) = outbox.take(tx, outbox.QUEUE, NOW)
        assert outbox.take(tx, outbox.QUEUE, NOW) == ()
        (again,) = outbox.take(tx, outbox.QUEUE, LATER)
        assert (first.attempts, again.attempts, again.id) == (1, 2, first.id)
        outbox.failed(tx, again.id, "refused", LATER)
        (third,) = outbox.take(tx, outbox.QUEUE, LATER)
        outbox.sent(tx, third.id, LATER)
        assert outbox.take(tx, outbox.QUEUE, LATER + timedelta(days=1)) == ()
        assert outbox.counts(tx) == {("queue", "sent"): 1, ("notification", "pending"): 1}


def test_what_is_rolled_back_is_never_sent(metadata: Metadata):
    with pytest.raises(RuntimeError), metadata.transaction() as tx:
        outbox.put(tx, outbox.QUEUE, {"n": 1}, NOW)
        raise RuntimeError
    with metadata.transaction() as tx:
        assert outbox.take(tx, outbox.QUEUE, NOW) == ()


# ── notifications ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_people_are_told_once_each_and_the_row_says_what_became_of_it(metadata: Metadata):
    people = ("Ada@acme.com", "ada@acme.com ", "bob@acme.com")
    with metadata.transaction() as tx:
        about = ("share_pack", uuid4())
        notices.notify(tx, NotificationType.PROVISION_SUCCESS, people, "Done", "It is done.", NOW, about=about)
        ada, bob = notices.take(tx, NOW)
        notices.sent(tx, ada, LATER)
        notices.failed(tx, bob, "no such mailbox", None)
        assert notices.take(tx, LATER) == ()
        counted = notices.counts(tx)
    assert (ada.to, ada.kind, ada.subject, ada.body) == ("ada@acme.com", "PROVISION_SUCCESS", "Done", "It is done.")
    assert counted == {NotificationStatus.SENT: 1, NotificationStatus.FAILED: 1}


# ── kept answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_repeated_request_gets_the_first_answer_and_another_one_is_refused(metadata: Metadata):
    with metadata.transaction() as tx:
        assert idempotency.recall(tx, "k", "ada", "h") is None
        idempotency.remember(tx, "k", "ada", "h", {"run": "r1"}, NOW)
        assert idempotency.recall(tx, "k", "ada", "h") == {"run": "r1"}
        assert idempotency.recall(tx, "k", "bob", "other") is None
        with pytest.raises(Conflict) as refused:
            idempotency.recall(tx, "k", "ada", "other")
        assert refused.value.error_code == "idempotency-key-reused"
        assert idempotency.prune(tx, LATER) == 1
        assert idempotency.recall(tx, "k", "ada", "other") is None


def test_of_equal_requests_at_once_one_is_the_first(metadata: Metadata):
    def ask(number: int) -> str:
        with metadata.transaction() as tx:
            answer = idempotency.recall(tx, "k", "ada", "h")
            if answer is None:
                answer = {"run": f"r{number}"}
                idempotency.remember(tx, "k", "ada", "h", answer, NOW)
            return answer["run"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
