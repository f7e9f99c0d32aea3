"""The record of a run as text and as one HTML file."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from brickyard.migrate import report

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NASTY = "<script>alert('x')</script>&\"'"

BEFORE = """TRUNCATE TABLE velocity_analytics_foundation.rpt_member_summary;

INSERT INTO velocity_analytics_foundation.rpt_member_summary
SELECT state, tier, COUNT(*) AS members, SUM(points) AS points
FROM summary_source
GROUP BY 1, 2;
a
b
c
d
e
f
SELECT 1 FROM velocity_analytics_foundation.member_profile"""
AFTER = """INSERT OVERWRITE TABLE wb_velocityanalytics_prd.reporting_loyalty.rpt_member_summary
SELECT state, tier, COUNT(*) AS members, SUM(points) AS points
FROM summary_source
GROUP BY state, tier;
a
b
c
d
e
f
SELECT 1 FROM wb_velocityanalytics_prd.loyalty.member_profile"""


def edit(line: int, rule: str, before: str, after: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"e{line}",
        "rule": rule,
        "class": "conditional",
        "verdict": "proven",
        "applied": True,
        "proof": None,
        "reason": f"because of {rule}",
        "before": before,
        "after": after,
        "cell": 4,
        "line": line,
        **fields,
    }


def finding(code: str, severity: str, message: str) -> dict[str, Any]:
    return {"code": code, "severity": severity, "message": message, "remedy": "mend it", "cell": None, "line": None}


def document(path: str, outcome: str, **fields: Any) -> dict[str, Any]:
    plan = {
        "cells": [
            {"index": 1, "language": "md", "line": 2, "before": "# title", "after": "# title"},
            {"index": 4, "language": "sql", "line": 33, "before": BEFORE, "after": AFTER},
        ],
        "edits": [
            edit(33, "truncate-insert", "TRUNCATE…", "INSERT OVERWRITE"),
            edit(38, "ordinals", "1, 2", "state, tier", verdict="unproved"),
            edit(45, "null-literals", "1", "NULL", applied=False, **{"class": "advice"}),
        ],
        "references": [
            {
                "original": "foreign_edp_prd_hive.velocity_analytics_foundation.rpt_member_summary",
                "refactored": "wb_velocityanalytics_prd.reporting_loyalty.rpt_member_summary",
                "kind": "table",
                "side": "write",
                "rule": "reports",
                "text": "velocity_analytics_foundation.rpt_member_summary",
                "cell": 4,
                "line": 33,
            },
            {
                "original": None,
                "refactored": None,
                "kind": "table",
                "side": "read",
                "rule": None,
                "text": "{db}.x",
                "cell": 4,
                "line": 45,
            },
        ],
        "findings": [finding("reference-unknown", "warn", NASTY)],
        "maintenance": [
            {
                "statement": "OPTIMIZE velocity_analytics_foundation.rpt_member_summary",
                "table": "rpt_member_summary",
                "proposal": "CLUSTER BY (state)",
            }
        ],
    }
    preflight_rows = [
        {
            "name": "wb_velocityanalytics_prd.loyalty.member_profile",
            "original": "foreign_edp_prd_hive.velocity_analytics_foundation.member_profile",
            "side": "source",
            "type": "MANAGED",
            "owner": "ada@example.com",
            "created_at": None,
            "modified_at": None,
            "rows": 40000,
            "original_rows": 40000,
            "version": 3,
            "original_version": 7,
            "confidence": "HIGH",
            "findings": [],
            "producers": ["job foundation_load (17)"],
            "fresh_at": "2026-11-20T10:00:00+00:00",
            "original_fresh_at": "2026-11-20T10:00:00+00:00",
        },
    ]
    return {
        "id": "3f2a9c1d",
        "batch": "b1",
        "path": path,
        "status": "finished",
        "outcome": outcome,
        "code": None,
        "message": None,
        "attempt": 1,
        "workspace": "http://127.0.0.1:8090",
        "created_at": "2026-11-20T11:00:00+00:00",
        "started_at": "2026-11-20T11:00:00+00:00",
        "finished_at": "2026-11-20T11:00:12.500000+00:00",
        "run_page_url": None,
        "not_proved": [],
        "findings": [],
        "rows_compared": 28,
        "plan": plan,
        "preflight": {"rows": preflight_rows, "findings": []},
        "tasks": [
            {
                "key": "original",
                "state": "SUCCESS",
                "message": None,
                "error": None,
                "cell": None,
                "trace": None,
                "output": "28 groups",
            },
            {
                "key": "refactored",
                "state": "SUCCESS",
                "message": None,
                "error": None,
                "cell": None,
                "trace": None,
                "output": None,
            },
        ],
        "reconciliation": [],
        "steps": [
            step("create schema", "11:00:00", "11:00:01"),
            step("clone rpt_member_summary", "11:00:01", "11:00:04", adopted=True),
            step("submit and wait", "11:00:04", "11:00:12"),
        ],
        "timeline": [
            {"attempt": 1, "at": "2026-11-20T11:00:00+00:00", "kind": "started", "message": "started"},
            {"attempt": 1, "at": "2026-11-20T11:00:12+00:00", "kind": "finished", "message": f"finished: {outcome}"},
        ],
        **fields,
    }


def step(title: str, begin: str, end: str, *, adopted: bool = False) -> dict[str, Any]:
    day = "2026-11-20T"
    return {"title": title, "intended_at": f"{day}{begin}+00:00", "done_at": f"{day}{end}+00:00", "adopted": adopted}


def comparison(outcome: str, **fields: Any) -> dict[str, Any]:
    return {
        "original": "foreign_edp_prd_hive.va.t",
        "refactored": "wb.loyalty.t",
        "outcome": outcome,
        "reason": None,
        "rows": [28, 28],
        "checks": [
            {"kind": "schema", "equal": True, "detail": "4 columns"},
            {"kind": "rows", "equal": outcome == "reconciled", "detail": "x"},
        ],
        "key": ["member_id"],
        "cells": [],
        "only": [],
        "differing_rows": 0,
        "samples_complete": True,
        "tied": 0,
        **fields,
    }


DIFFERING = comparison(
    "differs",
    cells=[{"key": [["member_id", "7"]], "column": "points", "original": None, "refactored": ""}],
    only=[{"values": [["member_id", "9"], ["note", NASTY]], "original": 2, "refactored": 1}],
    differing_rows=2,
    samples_complete=False,
)

BATCH = [
    document("01_member_summary.sql", "reconciled", reconciliation=[comparison("reconciled")]),
    document(
        "07_flight_recap.py", "differs", code="rows-differ", message="1 of 1 tables differ", reconciliation=[DIFFERING]
    ),
    document(
        "04_campaign_uplift.ipynb",
        "halted",
        code="source-stale",
        message="wb.loyalty.campaign_response is stale",
        findings=[
            finding("source-stale", "halt", "wb.loyalty.campaign_response is stale: job capture (9) never wrote it")
        ],
        tasks=[],
        rows_compared=None,
        not_proved=["nothing was run: wb.loyalty.campaign_response is stale"],
    ),
    document(
        "03_points_balance.py",
        "failed",
        code="notebook-failed",
        message="the refactored notebook failed in cell 5",
        tasks=[
            {
                "key": "refactored",
                "state": "FAILED",
                "message": None,
                "error": "TABLE_OR_VIEW_NOT_FOUND",
                "cell": 5,
                "trace": f"Traceback {NASTY}",
                "output": None,
            }
        ],
        not_proved=[f"{NASTY} was not compared"],
    ),
]


class Page(HTMLParser):
    """What a browser would be asked to do: tags left open, addresses loaded, ids and the links to them."""

    VOID = ("meta", "col", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [str(found[name]) for name in ("src", "srcset", "data") if name in found]
        self.loads += [tag] if tag in ("script", "link", "iframe", "object", "img") else []
        self.handlers += [name for name in found if name.startswith("on") or name == "style"]
        self.ids += [str(found["id"])] if "id" in found else []
        self.links += [str(found["href"])[1:] for _ in [0] if str(found.get("href", "")).startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def test_the_page_says_first_what_was_not_proved_then_the_outcomes():
    page = Page(report.html("demo", BATCH, NOW))
    assert page.headings == ["demo", "What was not proved", "Outcome by notebook", *(d["path"] for d in BATCH)]


def test_the_page_loads_nothing_and_runs_nothing():
    text = report.html("demo", BATCH, NOW)
    page = Page(text)
    assert (page.open, page.loads, page.handlers) == ([], [], [])
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_of_the_page_allows_its_own_style_sheet():
    text = report.html("demo", BATCH, NOW)
    assert re.findall(r"style-src '([^']+)'", text) == [report.style_hash()]
    assert report.style_hash() in report.policy()


def test_whatever_comes_from_outside_is_escaped():
    text = report.html(NASTY, BATCH, NOW)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6


def test_every_link_in_the_page_leads_somewhere_and_no_id_stands_twice():
    page = Page(report.html("demo", BATCH, NOW))
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)


def test_a_single_run_that_proved_everything_says_so():
    text = report.html("demo", BATCH[:1], NOW)
    assert "Nothing is left open" in text


def test_null_and_the_empty_string_look_different():
    text = report.html("demo", BATCH, NOW)
    assert '<span class="null">NULL</span></td><td><span class="null">empty</span>' in text


def test_the_diff_sets_changed_lines_side_by_side_with_the_edits_of_each_line():
    (cell,) = report.diff(BATCH[0]["plan"])
    shown = [
        (row.number, row.new_number, [e["rule"] for e in row.edits]) if isinstance(row, report.Line) else row
        for row in cell.rows
    ]
    assert shown == [
        (33, 33, ["truncate-insert"]),
        (34, None, []),
        (35, None, []),
        (36, 34, []),
        (37, 35, []),
        (38, 36, ["ordinals"]),
        (39, 37, []),
        (40, 38, []),
        (41, 39, []),
        (42, 40, []),
        (43, 41, []),
        (44, 42, []),
        (45, 43, ["null-literals"]),
    ]


def test_equal_lines_far_from_a_change_are_folded():
    lines = "\n".join(f"line {n}" for n in range(30))
    plan = {
        "cells": [
            {"index": 1, "language": "sql", "line": 1, "before": lines, "after": lines.replace("line 15", "row 15")}
        ],
        "edits": [],
    }
    (cell,) = report.diff(plan)
    assert [row.lines if isinstance(row, report.Fold) else row.number for row in cell.rows] == [
        12,
        13,
        14,
        15,
        16,
        17,
        18,
        19,
        11,
    ]


def test_words_that_changed_are_marked_and_the_pieces_make_up_the_line():
    plan = {
        "cells": [
            {"index": 1, "language": "sql", "line": 1, "before": "SELECT a FROM old.t", "after": "SELECT a FROM new.t"}
        ],
        "edits": [],
    }
    (cell,) = report.diff(plan)
    (row,) = cell.rows
    assert isinstance(row, report.Line)
    assert row.before == (report.Piece("SELECT a FROM ", False), report.Piece("old", True), report.Piece(".t", False))


def test_steps_share_one_time_line():
    assert report.bars(BATCH[0]["steps"]) == (
        report.Bar("create schema", 0, 83, 1.0, False),
        report.Bar("clone rpt_member_summary", 83, 250, 3.0, True),
        report.Bar("submit and wait", 333, 667, 8.0, False),
    )


def test_outcomes_are_counted_the_worst_first():
    assert report.tally(BATCH) == (("differs", 1), ("failed", 1), ("halted", 1), ("reconciled", 1))


def test_the_text_says_what_was_not_proved_before_anything_else():
    lines = report.text(BATCH).splitlines()
    assert lines[:3] == [
        "Not proved:",
        "  04_campaign_uplift.ipynb: nothing was run: wb.loyalty.campaign_response is stale",
        f"  03_points_balance.py: {NASTY} was not compared",
    ]
    assert lines[-1] == "1 differs, 1 failed, 1 halted, 1 reconciled"
    assert "      member_id=7: points NULL → ''" in lines
