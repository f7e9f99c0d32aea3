"""The pages of the gold tables are those of the contracts, tell every column, and their links hold."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from brickyard.health.model.compiled import GoldTable
from brickyard.health.plan.compile import compile_all

TOP = Path(__file__).parents[2]
FOLDER = TOP / "docs" / "health"
GOLD = compile_all()
PAGES = sorted({"README.md", "lineage.md", *(f"{table.contract.domain}.md" for table in GOLD)})
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


@pytest.fixture(scope="module")
def generator() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOP / "docs"))
        yield import_module("health_pages")
    for name in ("health_pages", "generate"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def generated(generator: ModuleType) -> dict[str, str]:
    return generator.pages(GOLD)


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading}"
    return found[2]


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings: lower case, links as their text, no marks but - and _, spaces as -."""
    told = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(BLOCK.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in told}


def test_there_are_these_pages_and_no_others(generated: dict[str, str]):
    assert sorted(file.name for file in FOLDER.iterdir()) == PAGES == sorted(generated)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_contracts_say(name: str, generated: dict[str, str]):
    assert page(name) == generated[name], f"docs/health/{name} is stale; run .venv/bin/python docs/health_pages.py"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_to_a_heading(name: str):
    for target in LINK.findall(BLOCK.sub("", page(name))):
        file, _, anchor = target.partition("#")
        text = page(file or name)
        assert not anchor or anchor in anchors(text), f"{name} links to {target}"


@pytest.mark.parametrize("table", tuple(GOLD), ids=lambda table: table.table)
def test_a_table_and_its_lineage_tell_every_column_that_the_contract_has(table: GoldTable):
    told = section(page(f"{table.contract.domain}.md"), table.contract.name).partition("**Columns**")[2]
    wanted = [column.name for column in table.columns if column.origin != "audit"]
    assert CELL.findall(told)[: len(wanted)] == wanted
    lineage = section(page("lineage.md"), f"[{table.table}]({table.contract.domain}.md#{table.contract.name})")
    assert CELL.findall(lineage) == (wanted if table.source else [])


def test_every_kind_is_told_in_words(generator: ModuleType):
    assert set(generator.KINDS) == set(generator.Kind)


def test_the_graph_draws_every_table_below_its_source():
    graph = BLOCK.search(page("lineage.md"))
    assert graph
    drawn = set(re.findall(r"^  s_(\w+) --> t_(\w+)$", graph[0], re.MULTILINE))
    assert drawn == {(t.source.name.replace(".", "_"), t.table.replace(".", "_")) for t in GOLD if t.source}
