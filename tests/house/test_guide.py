"""The guide and the README leave nothing out, promise nothing that is not there, and their examples work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

from brickyard.dbsql.model import Kind, Side
from brickyard.demo import files
from brickyard.demo.migrating import EXPECTED
from brickyard.kernel.explain import explanations
from brickyard.kernel.names import TableName
from brickyard.kernel.terminal import plain
from brickyard.migrate.api import RunRecord
from brickyard.migrate.cli import app
from brickyard.migrate.model.inputs import MAPPING_COLUMNS, PlanOptions, Source, parse_mapping
from brickyard.migrate.model.nouns import EditClass, Outcome, Plan, Readiness, Severity, Verdict
from brickyard.migrate.model.pack import (
    REWRITES,
    Compute,
    EmitterRule,
    Maintenance,
    MappingRule,
    PathRule,
    RewriteRule,
    RulePack,
    Widget,
    parse_pack,
)
from brickyard.migrate.model.runs import (
    CellDifference,
    Check,
    CheckRow,
    Confidence,
    NotebookSource,
    Preflight,
    RowDifference,
    RunRequest,
    RunStatus,
    Step,
    TableComparison,
    TaskResult,
)
from brickyard.migrate.plan import plan_notebooks
from brickyard.migrate.plan.document import plan_document
from brickyard.migrate.plan.worklist import worklist, worklist_csv
from brickyard.migrate.store import Event

TOP = Path(__file__).parents[2]
GUIDE = (TOP / "docs" / "migrate.md").read_text(encoding="utf-8")
README = (TOP / "README.md").read_text(encoding="utf-8")
PAGES = [TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "CHANGELOG.md", *sorted((TOP / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
BY_OUTCOME = ("outcomes", "findings")  # of the summary: their keys are values


def section(heading: str) -> str:
    """The guide's text below a heading, up to the next one of the same height."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/migrate.md has no section {heading}"
    return found[2]


def written(text: str) -> set[str]:
    """The names that stand in code marks; `a`: `b` and "a", "b" alike."""
    return {name for code in CODE.findall(text) for name in (code, *re.findall(r"[\w-]+", code))}


def missing(names: Iterable[str], heading: str) -> list[str]:
    return sorted(set(names) - written(section(heading)))


def keys(document: Any, name: str = "") -> Iterator[str]:
    if isinstance(document, list):
        for item in document:
            yield from keys(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from () if name in BY_OUTCOME else (key,)
            yield from keys(value, key)


def planned(pack: str = "") -> Plan:
    """The plan of the demonstration's notebooks, one of which is no notebook."""
    sources = [Source(path, data) for path, data in files.notebooks()]
    text = pack or files.text_of("rules.yaml")
    return plan_notebooks([*sources, Source("x.dbc", b"PK\3\4")], PlanOptions(parse_pack("rules.yaml", text)))


def test_every_key_of_the_plans_json_is_documented():
    plan = planned()
    refused = {"code": "", "message": "", "remedy": "", "path": ""}
    whole = plan_document(replace(plan, summary={**plan.summary, "refused": [refused]}))
    document = whole | {"worklist": plain(list(worklist(plan.notebooks)))}
    assert missing(keys(document), "The plan as JSON") == []


def test_every_field_of_a_runs_record_is_documented():
    parts = (CellDifference, Check, CheckRow, Event, Preflight, RowDifference, TableComparison, TaskResult)
    names = [*RunRecord.model_fields, *(field.name for part in parts for field in fields(part))]
    assert missing(names, "The record of a run as JSON") == []


def test_every_field_of_a_request_is_documented():
    assert missing([*RunRequest.model_fields, *NotebookSource.model_fields], "Over HTTP") == []


def test_every_key_of_a_rule_pack_is_documented():
    models: tuple[type[BaseModel], ...] = (
        RulePack, MappingRule, PathRule, Widget, RewriteRule, EmitterRule, Compute, Maintenance,
    )  # fmt: skip
    names = [field.alias or name for model in models for name, field in model.model_fields.items()]
    assert missing(names, "Rule packs") == []


def test_every_rewrite_is_documented():
    assert missing(REWRITES, "Rewrites") == []


def test_every_option_is_documented():
    group: Any = get_command(app)
    options = {opt for c in group.commands.values() for p in c.params for opt in p.opts if opt.startswith("--")}
    assert missing(options, "Commands and options") == []


def test_the_columns_of_the_csv_files_are_documented():
    assert missing(MAPPING_COLUMNS, "Mapping files") == []
    assert missing(worklist_csv(()).strip().split(","), "Commands and options") == []


@pytest.mark.parametrize(
    ("values", "heading"),
    [
        (EditClass, "Edits: classes and verdicts"),
        (Verdict, "Edits: classes and verdicts"),
        (Severity, "Findings"),
        (Readiness, "Outcomes and exit codes"),
        (Outcome, "Outcomes and exit codes"),
        (Kind, "The plan as JSON"),
        (Side, "The plan as JSON"),
        (RunStatus, "The record of a run as JSON"),
        (Confidence, "The eight steps"),
    ],
)
def test_every_value_is_documented(values: type[StrEnum], heading: str):
    assert missing(map(str, values), heading) == []


def test_every_code_is_in_the_reference():
    reference = written((TOP / "docs" / "reference.md").read_text(encoding="utf-8"))
    assert sorted(explanations().keys() - reference) == []


def test_the_findings_that_the_guide_names_exist():
    named = {code for line in section("Findings").splitlines() if line.startswith("|") for code in CODE.findall(line)}
    assert sorted(name for name in named if not name.startswith("--") and name not in explanations()) == []


def test_the_example_pack_works():
    example = re.search(r"```yaml\n(.*?)```", section("Rule packs"), re.DOTALL)
    assert example
    pack = parse_pack("example.yaml", example[1])
    text = b"SELECT * FROM sales.stg_a JOIN sales.north_2024 JOIN sales_old.b"
    found = plan_notebooks([Source("x.sql", text)], PlanOptions(pack)).notebooks[0]
    assert [row.refactored for row in found.references] == [
        "main.sales_staging.a",
        "archive.north.north_2024",
        "main.sales.b",
    ]


def test_the_example_mapping_works():
    example = re.search(r"```csv\n(.*?)```", section("Mapping files"), re.DOTALL)
    assert example
    assert [row.target for row in parse_mapping("todo.csv", example[1]).values()] == [
        TableName("main", "sales", "orders"),
        TableName("main", "archive", "orders_2019"),
    ]


def test_the_example_of_a_silenced_finding_works():
    example = re.search(r"```sql\n(.*?)```", section("Findings"), re.DOTALL)
    assert example
    options = PlanOptions(parse_pack("rules.yaml", files.text_of("rules.yaml")))
    loud, quiet = (
        {finding.code for finding in plan_notebooks([Source("x.sql", text.encode())], options).notebooks[0].findings}
        for text in (example[1].split("--")[0], example[1])
    )
    assert loud - quiet == {"select-star"}


def test_what_is_said_to_have_no_effect_has_none():
    text = files.text_of("rules.yaml")
    bare = re.sub(r"default: \w+", "default: other", text).replace("kind: serverless", "kind: cluster")
    assert "kind: cluster" in bare
    assert "default: other" in bare
    assert planned(bare).hash == planned(text).hash


def test_the_readme_tells_how_each_notebook_of_the_demonstration_ends():
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| (?:`([\w-]+)`)?", README, re.MULTILINE)
    assert {path: (outcome, code or None) for path, outcome, code in rows} == EXPECTED


def test_the_readme_names_every_benchmark():
    assert set(re.findall(r"bench/\w+\.py", README)) == {f"bench/{file.name}" for file in (TOP / "bench").glob("*.py")}


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        yield from ((page, link) for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "link"), [*links()], ids=str)
def test_a_link_leads_somewhere(page: Path, link: str):
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


def test_pictures_are_small():
    assert {
        p.name: p.stat().st_size // 1024 for p in (TOP / "docs/images").iterdir() if p.stat().st_size > 400_000
    } == {}


def test_the_guide_names_every_step_of_the_audit_trail():
    assert missing((step.__name__ for step in get_args(Step)), "The audit trail") == []
