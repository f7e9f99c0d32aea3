"""The guide to share leaves nothing out, promises nothing that is not there, and its examples work."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML
from typer.core import TyperGroup
from typer.main import get_command

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.share import flow, report
from brickyard.share.api import measured
from brickyard.share.cli import app
from brickyard.share.model.pack import Mode, RecipientType, Removal, SharePack, Strategy
from brickyard.share.model.parse import parse
from brickyard.share.model.records import NotificationType
from brickyard.share.model.runs import Change, DriftState, PackStatus, RunStatus, StepStatus, Upload, Verdict
from brickyard.share.model.samples import sample
from brickyard.share.model.tenants import COLUMNS
from brickyard.web.metrics import Metrics
from brickyard.workspace import Workspaces, run_sql

TOP = Path(__file__).parents[2]
GUIDE = (TOP / "docs" / "share.md").read_text(encoding="utf-8")
ALERTS = (TOP / "docs" / "alerts" / "share.yaml").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`\n]+)`")
METRIC = re.compile(r"\bbrickyard_[a-z_]+")


def section(heading: str) -> str:
    """The guide's text below a heading, up to the next one of the same height."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/share.md has no section {heading}"
    return found[2]


def written(text: str) -> set[str]:
    """The names that stand in code marks; `a`/`b` and `a b` alike."""
    return {name for code in CODE.findall(text) for name in (code, *re.findall(r"[\w-]+", code))}


def missing(names: Iterable[object], heading: str) -> list[str]:
    return sorted({str(name) for name in names} - written(section(heading)))


def example(heading: str, number: int = 0) -> str:
    return re.findall(r"^```yaml\n(.*?)^```", section(heading), re.MULTILINE | re.DOTALL)[number]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOP / "docs"))
    try:
        yield import_module("share_tables")
    finally:
        sys.modules.pop("share_tables", None)
        sys.modules.pop("generate", None)


def test_the_tables_say_what_the_code_says(tables: Any):
    assert tables.filled(GUIDE) == GUIDE, "docs/share.md is stale; run .venv/bin/python docs/share_tables.py"


def test_every_field_of_a_pack_has_its_rule_and_no_rule_is_left_over(tables: Any):
    assert {part: list(rules) for part, rules in tables.RULES.items()} == {
        part: list(model.model_fields) for part, model in tables.PARTS.items()
    }


def test_every_part_of_a_pack_has_its_table(tables: Any):
    assert set(models(SharePack)) - {SharePack, Removal} == set(tables.PARTS.values())


def models(model: Any) -> Iterator[Any]:
    """A model and all that stand in its fields."""
    yield model
    for info in model.model_fields.values():
        for inner in re.findall(r"brickyard\.share\.model\.pack\.(\w+)", str(info.annotation)):
            kind = getattr(sys.modules[SharePack.__module__], inner)
            if hasattr(kind, "model_fields"):
                yield from models(kind)


@pytest.mark.parametrize(
    ("values", "heading"),
    [
        (RunStatus, "The life of a pack"),
        (PackStatus, "The life of a pack"),
        (StepStatus, "When a step fails"),
        (Strategy, "Strategy"),
        (Mode, "Merge and exact"),
        (Verdict, "Verify as the recipient"),
        (DriftState, "Drift, rollback, import, access"),
        (Change, "Drift, rollback, import, access"),
        (NotificationType, "Notifications"),
        (RecipientType, "The pack format"),
    ],
)
def test_every_value_is_documented(values: type[StrEnum], heading: str):
    unsaid = {StepStatus.INTENDED}
    assert missing(set(values) - unsaid, heading) == []


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_and_option_is_documented():
    found = dict(commands(get_command(app)))
    options = {opt for c in found.values() for p in c.params for opt in (*p.opts, *p.secondary_opts) if opt[:2] == "--"}
    assert missing({*found, *options}, "Commands and options") == []


def test_the_columns_of_business_lines_are_documented():
    assert missing(COLUMNS, "Drift, rollback, import, access") == []


def test_a_pipeline_can_be_written_in_both_versions():
    head, _, _ = sample("yaml").decode().partition("    share_assets:")
    place = "    delta_share: {ext_catalog_name: partner_ext, ext_schema_name: commercial}"
    both = example("Versions").replace("\n", "\n    ").rstrip()
    pack = parse("pack.yaml", f"{head}{place}\n    {both}\n".encode()).pack
    assert [
        (p.name_prefix, p.source_asset, p.schedule.cron, p.schedule.continuous) for p in pack.share[0].pipelines
    ] == [
        ("orders_copy", "main.sales.orders", "0 30 6 * * ?", False),
        ("items_copy", "main.products.items", None, True),
    ]


def test_the_example_of_a_delete_pack_works():
    removal = parse("pack.yaml", example("Versions", 1).encode()).pack.removal
    assert removal is not None
    assert (removal.recipients, removal.shares, removal.pipelines) == (
        ("acme_retail",),
        ("product_catalogue", "commercial_sales"),
        {"commercial_sales": ("commercial_orders",)},
    )


@pytest.fixture
def context(metadata: Metadata, tmp_path: Path) -> Context:
    """A house with an Azure queue that does not answer."""
    settings = Settings(
        home=tmp_path,
        azure_queue_connection_string=SecretStr(
            "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;QueueEndpoint=http://127.0.0.1:9/a;"
        ),
    )
    return Context(Workspaces(host="http://127.0.0.1:9"), metadata, Queue(metadata, settings))


def exported(context: Context) -> set[str]:
    """What `/metrics` has, as its text names it."""
    return set(re.findall(r"^# TYPE (brickyard_\w+)", Metrics(measured).text(context).decode(), re.MULTILINE))


ONLY_WHEN_IT_ANSWERS = {"brickyard_share_azure_waiting", "brickyard_share_azure_poisoned"}
ONLY_WHEN_THERE_IS_SOMETHING = {"brickyard_share_outbox"}


def test_the_alerts_and_the_guide_name_metrics_that_there_are(context: Context):
    there = exported(context) | ONLY_WHEN_IT_ANSWERS | ONLY_WHEN_THERE_IS_SOMETHING
    assert set(METRIC.findall(ALERTS)) - there == set()
    ours = {name for name in there if name.startswith("brickyard_share_")}
    assert set(METRIC.findall(section("What to watch"))) == ours


def test_the_alerts_are_rules_that_the_guide_explains():
    rules = [rule for group in YAML(typ="safe").load(ALERTS)["groups"] for rule in group["rules"]]
    assert missing([rule["alert"] for rule in rules], "What to watch") == []
    assert {key for rule in rules for key in rule} == {"alert", "expr", "for", "labels", "annotations"}


def test_an_alert_asks_for_statuses_that_there_are(context: Context):
    asked = {word for group in re.findall(r'status=~?"([^"]+)"', ALERTS) for word in group.split("|")}
    assert asked <= {one.labels["status"] for one in measured(context) if "status" in one.labels}


TABLES = (
    "CREATE CATALOG IF NOT EXISTS main",
    "CREATE CATALOG IF NOT EXISTS partner_ext",
    "CREATE SCHEMA IF NOT EXISTS main.sales",
    "CREATE SCHEMA IF NOT EXISTS main.products",
    "CREATE TABLE main.sales.orders AS SELECT id AS order_id, id % 5 AS line_no FROM range(100)",
    "CREATE TABLE main.sales.customers AS SELECT id AS customer_id FROM range(7)",
    "CREATE TABLE main.products.items AS SELECT id AS item_id FROM range(20)",
)


def test_the_first_share_of_the_guide_works_and_its_plan_is_the_one_shown(metadata: Metadata, tmp_path: Path):
    with LocalWorkspace(tmp_path / "workspace") as workspace:
        for statement in TABLES:
            run_sql(workspace.client(), statement)
        (tmp_path / "token").write_text(workspace.token)
        workspaces = Workspaces(host=workspace.host, token_file=tmp_path / "token")
        house = Context(workspaces, metadata, Queue(metadata, Settings(home=tmp_path)), actor="rita@example.com")
        parsed = parse("pack.yaml", sample("yaml", workspace_url=workspace.host))
        upload = Upload(pack=parsed.pack, file_name="pack.yaml")
        plan = flow.preview(house, upload)
        printed = report.plan_text(plan, colour=False).splitlines()
        assert [line for line in shown_plan() if line not in printed] == []
        run = flow.submit(house, replace(upload, plan_hash=plan.hash)).run_id
        flow.provision(house, run)
        assert flow.run_of(house, run).message == "All steps completed successfully (13 created, 2 updated)"
        assert flow.deliver(house, "acme_retail").link.startswith(workspace.host)
        assert flow.preview(house, upload).steps == ()


def shown_plan() -> list[str]:
    """The lines of the guide's plan, the hash and what is left out aside."""
    found = re.search(r"```\n(NEW: .*?)```", section("Plans"), re.DOTALL)
    assert found
    return [line for line in found[1].splitlines() if not line.startswith("hash") and line.strip() != "…"]
