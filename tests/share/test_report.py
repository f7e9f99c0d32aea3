"""Steps, plans and runs in words."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import get_args

import pytest

from brickyard.share import report
from brickyard.share.model.current import (
    ObjectKind,
    OidcPolicy,
    PipelineSettings,
    PipelineState,
    RecipientState,
    ScheduleSettings,
    ScheduleState,
    SharedObject,
    ShareState,
)
from brickyard.share.model.pack import RecipientType, Strategy
from brickyard.share.model.runs import PackRecord, PackStatus, RunKind, RunRecord, RunStatus, StepRecord, StepStatus
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

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACME = RecipientState(name="acme", type=RecipientType.D2O, owner="me")
SALES = ShareState(name="sales", owner="me", objects=(SharedObject(name="c.s.a", kind=ObjectKind.TABLE),))
COPY = PipelineSettings(name="copy", source="c.s.a", target="c.t.a", catalog="c", schema="t")
DAILY = ScheduleSettings(name="copy_schedule", pipeline="copy", cron="0 0 6 * * ?")
POLICY = OidcPolicy("https://login", "sub", "robot")
TABLES = tuple(SharedObject(name=f"c.s.t{n}", kind=ObjectKind.TABLE) for n in range(5))

WORDS: list[tuple[Step, str]] = [
    (CreateRecipient(name="acme", type=RecipientType.D2O, expires_in_days=30), "create recipient acme (D2O, token lives 30 days)"),
    (ChangeRecipient(name="acme", ip_addresses=(), before=ACME), "change recipient acme: open to all addresses"),
    (AddPolicy("acme", POLICY), "let robot of https://login speak for acme"),
    (RemovePolicy("acme", POLICY), "let robot of https://login no longer speak for acme"),
    (RotateToken("acme", 86400, "t1"), "rotate the token of acme; the old one ends after 24 hours"),
    (DeleteRecipient("acme", ACME), "delete recipient acme and its tokens"),
    (CreateShare("sales"), "create share sales"),
    (ChangeShare("sales", "new", "old"), "change share sales: comment"),
    (ChangeObjects(share="sales", add=TABLES, remove=TABLES[:1]), "change share sales: add c.s.t0, c.s.t1, c.s.t2 and 2 more, remove c.s.t0"),
    (Grant("sales", ("acme", "umbrella")), "let acme, umbrella read sales"),
    (Revoke("sales", ("acme",)), "let acme no longer read sales"),
    (DeleteShare("sales", SALES), "delete share sales with 1 object"),
    (CreateCatalog("c"), "create catalog c"),
    (CreateSchema("c", "t"), "create schema c.t"),
    (EnableChangeFeed("c.s.a"), "turn the change feed of c.s.a on"),
    (ImportLibrary("/Shared/x", "d"), "put the pipelines' notebook at /Shared/x"),
    (CreatePipeline(COPY), "create pipeline copy: c.s.a to c.t.a"),
    (ChangePipeline("1", PipelineSettings(name="copy", source="c.s.a", target="c.t.b", catalog="c", schema="t"), COPY), "change pipeline copy: target"),
    (DeletePipeline(PipelineState(id="1", settings=COPY)), "delete pipeline copy"),
    (StartUpdate("1", "copy"), "run pipeline copy"),
    (StartUpdate("1", "copy", True), "run pipeline copy over all of its data anew"),
    (CreateSchedule(DAILY), "schedule copy: 0 0 6 * * ? UTC"),
    (ChangeSchedule(1, DAILY, DAILY), "change the schedule of copy: 0 0 6 * * ? UTC"),
    (DeleteSchedule(ScheduleState(job_id=1, settings=DAILY)), "delete the schedule of copy"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "words"), WORDS, ids=lambda value: type(value).__name__)
def test_a_step_is_said_in_words(step: Step, words: str):
    assert report.words(step) == words


def test_every_kind_of_step_has_words_and_a_subject():
    assert {type(step) for step, _ in WORDS} == set(get_args(Step))
    assert all(report.subject(step) and report.step_document(step)["kind"] == type(step).__name__ for step, _ in WORDS)


def test_a_plan_shows_what_dies_in_red_and_ends_with_its_hash():
    plan = Plan(
        strategy=Strategy.UPDATE,
        steps=(CreateShare("sales"), DeleteRecipient("acme", ACME)),
        warnings=("beware",),
        losses=(Loss(what="acme can read nothing any more", who=("acme",), irreversible=True),),
        refusals=(Refusal("not yours", where="share sales", remedy="--adopt", code="share-someone-elses"),),
        hash="abc",
    )
    assert report.plan_text(plan, colour=True).splitlines() == [
        "UPDATE: 2 steps",
        "  + create share sales",
        "\x1b[31m  - delete recipient acme and its tokens\x1b[0m",
        "\x1b[31m  ! acme can read nothing any more (acme); this cannot be undone\x1b[0m",
        "warning: beware",
        "refused: share sales: not yours (share-someone-elses)",
        "  to do: --adopt",
        "hash abc",
    ]
    assert "\x1b" not in report.plan_text(plan)
    assert list(report.plan_document(plan)) == ["strategy", "hash", "steps", "losses", "warnings", "refusals"]


def test_an_empty_plan_says_that_nothing_is_to_do():
    assert report.plan_text(Plan(strategy=Strategy.NEW, hash="abc")) == "NEW: nothing to do\nhash abc"


def test_a_run_tells_its_steps_and_why_it_ended():
    step = StepRecord(
        position=1, kind="CreateShare", subject="sales", words="create share sales", status=StepStatus.DONE, intended_at=NOW,
        adopted=True,
    )  # fmt: skip
    run = RunRecord(
        id="r", kind=RunKind.APPLY, status=RunStatus.FAILED, version=2, strategy=Strategy.NEW, code="workspace-refused",
        message="no", created_at=NOW, steps=(step,), warnings=("beware",),
    )  # fmt: skip
    assert report.run_text(run).splitlines() == [
        "run r (apply, version 2, NEW): failed",
        "  done            create share sales (was there)",
        "workspace-refused: no",
        "warning: beware",
    ]


@pytest.mark.parametrize(
    ("where", "message", "said"),
    [
        ("share s: m.s.t", "m.s.t does not exist", "share s: m.s.t does not exist"),
        ("share s: m.s.t", "m.s.t2 does not exist", "share s: m.s.t: m.s.t2 does not exist"),
        ("recipient acme", "the recipient acme is not ours", "the recipient acme is not ours"),
        ("share s: pipeline p", "there is no catalog c", "share s: pipeline p: there is no catalog c"),
        (None, "too many", "too many"),
    ],
)
def test_a_refusal_names_its_place_once(where: str | None, message: str, said: str):
    assert str(Refusal(message, where=where, code="share-limit")) == said


def test_a_run_that_is_refused_has_a_line_and_a_code_for_each_refusal_and_says_nothing_twice():
    refusal = Refusal("m.s.t is gone", where="share s: m.s.t", remedy="name another", code="share-source-missing")
    message = "the pack cannot be provisioned: 1 fault(s); share s: m.s.t is gone"
    run = RunRecord(
        id="r", kind=RunKind.APPLY, status=RunStatus.VALIDATION_FAILED, code="share-refused", message=message,
        refusals=(refusal,), created_at=NOW,
    )  # fmt: skip
    pack = PackRecord(
        pack_id="p", name="P", version=1, status=PackStatus.VALIDATION_FAILED, strategy=Strategy.NEW,
        provisioning_status="", error_message=message, requested_by="ada", created_at=NOW, last_updated=NOW,
        workspace_url="u", business_line="b", project="j", run=run,
    )  # fmt: skip
    assert report.pack_text(pack).splitlines() == [
        "P version 1: VALIDATION_FAILED",
        f"  id p · NEW · by ada · {NOW:%Y-%m-%d %H:%M}",
        "run r (apply): validation-failed",
        "refused: share s: m.s.t is gone (share-source-missing)",
        "  to do: name another",
        "share-refused: the pack cannot be provisioned: 1 fault(s)",
    ]


def test_the_document_of_a_step_holds_all_its_fields():
    for step, _ in WORDS:
        assert set(report.step_document(step)["detail"]) == {field.name for field in fields(step)}
