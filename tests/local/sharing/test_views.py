"""Shared views: recipients read their rows as a table that follows what the view reads."""

from __future__ import annotations

import os

import pytest

from .conftest import Partner, Sales, lines, path_of, refusal

FORMATS = pytest.mark.parametrize("delta", [False, True], ids=["parquet", "delta"])


@pytest.fixture(scope="module")
def doubled(sales: Sales) -> str:
    """A view on a view on a table."""
    sales.sql("CREATE TABLE m.s.numbers AS SELECT 1 AS id")
    sales.sql("CREATE VIEW m.s.inner_view AS SELECT id, id * 2 AS twice FROM m.s.numbers")
    sales.sql("CREATE VIEW m.s.doubled AS SELECT twice, 'x' AS mark FROM m.s.inner_view WHERE id > 0")
    sales.add("m.s.doubled", "VIEW")
    return "s.doubled"


@FORMATS
def test_a_view_of_views_follows_its_tables(sales: Sales, acme: Partner, doubled: str, delta: bool):
    before = acme.read(doubled, delta)
    sales.sql("INSERT INTO m.s.numbers VALUES (50)")
    assert acme.read(doubled, delta) == sorted([*before, (100, "x")], key=repr)


def test_a_view_follows_its_own_text_and_that_of_the_views_below(sales: Sales, acme: Partner, doubled: str):
    sales.sql("ALTER VIEW m.s.inner_view AS SELECT id, id * 3 AS twice FROM m.s.numbers")
    assert (3, "x") in acme.read(doubled)
    sales.sql("CREATE OR REPLACE VIEW m.s.inner_view AS SELECT id, id * 2 AS twice FROM m.s.numbers")
    assert (2, "x") in acme.read(doubled)


def test_a_view_whose_sources_stand_still_is_not_made_again(acme: Partner, doubled: str):
    assert acme.read(doubled)
    versions = {acme.ask(path_of(doubled, what)).headers["delta-table-version"] for what in ("metadata", "version")}
    assert versions == {acme.query(doubled).headers["delta-table-version"]}


@pytest.mark.parametrize(
    "query", ["SELECT current_timestamp() AS at", "SELECT count(*) AS n FROM m.information_schema.tables"]
)
def test_a_view_that_depends_on_more_than_tables_is_always_made_again(sales: Sales, acme: Partner, query: str):
    sales.sql(f"CREATE OR REPLACE VIEW m.s.moving AS {query}")
    if not acme.ask(path_of("s.moving", "version")).is_success:
        sales.add("m.s.moving", "VIEW")
    first, second = (int(acme.query("s.moving").headers["delta-table-version"]) for _ in range(2))
    assert second > first


def test_a_view_is_read_with_the_rights_of_the_shares_owner_and_shows_no_table(acme: Partner, doubled: str):
    answer = lines(acme.query(doubled))
    assert [field for field in ("numbers", "inner_view") if field in str(answer)] == []


def test_a_view_whose_table_is_gone_is_an_error(sales: Sales, acme: Partner):
    sales.sql("CREATE TABLE m.s.brief AS SELECT 1 AS id")
    sales.sql("CREATE VIEW m.s.orphan AS SELECT * FROM m.s.brief")
    sales.add("m.s.orphan", "VIEW")
    assert acme.read("s.orphan") == [(1,)]
    sales.sql("DROP TABLE m.s.brief")
    assert refusal(acme.query("s.orphan")) == (400, "INVALID_STATE")


@pytest.mark.parametrize(
    "path", ["query", "changes?startingVersion=0", "version?startingTimestamp=2020-01-01T00:00:00Z"]
)
def test_a_view_has_no_past(acme: Partner, doubled: str, path: str):
    is_query = path == "query"
    answer = acme.query(doubled, version=0) if is_query else acme.ask(path_of(doubled, path))
    assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")


@FORMATS
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # the client leaves its folder when empty
def test_a_view_without_rows_has_its_columns(sales: Sales, acme: Partner, delta: bool):
    sales.sql(f"CREATE VIEW m.s.none_{delta} AS SELECT 1 AS id, 'x' AS name WHERE false")
    sales.add(f"m.s.none_{delta}".lower(), "VIEW")
    assert acme.read(f"s.none_{delta}", delta) == []


def test_a_view_tells_each_recipient_its_own_rows(sales: Sales, acme: Partner):
    sales.sql("CREATE TABLE m.s.regions AS SELECT * FROM VALUES (1, 'EU'), (2, 'US'), (3, 'O''Hare') AS t(id, region)")
    sales.sql("CREATE VIEW m.s.mine AS SELECT id FROM m.s.regions WHERE region = current_recipient('region')")
    sales.add("m.s.mine", "VIEW")
    found = {
        region: sales.partner(f"in_{region[0]}", region=region).read("s.mine") for region in ("EU", "US", "O'Hare")
    }
    assert found == {"EU": [(1,)], "US": [(2,)], "O'Hare": [(3,)]}
    assert acme.read("s.mine") == []


def test_nobody_but_a_recipient_reads_a_view_for_recipients(sales: Sales):
    with pytest.raises(AssertionError, match="42887"):
        sales.sql("SELECT * FROM m.s.mine")


def test_recipients_for_whom_a_view_is_the_same_share_its_rows(sales: Sales, acme: Partner, doubled: str):
    folder = sales.workspace.home / "sharing"
    acme.read(doubled)
    before = set(folder.iterdir())
    sales.partner("same", region="EU").read(doubled)
    assert set(folder.iterdir()) == before


def test_files_to_which_no_link_leads_are_removed(sales: Sales, acme: Partner):
    sales.sql("CREATE TABLE m.s.base AS SELECT 1 AS id")
    sales.sql("CREATE VIEW m.s.tidy AS SELECT id FROM m.s.base")
    sales.add("m.s.tidy", "VIEW")
    before = set((sales.workspace.home / "sharing").rglob("*.parquet"))
    acme.read("s.tidy")
    (first,) = set((sales.workspace.home / "sharing").rglob("*.parquet")) - before
    sales.sql("INSERT INTO m.s.base VALUES (2)")
    assert (acme.read("s.tidy"), first.exists()) == ([(1,), (2,)], True)
    os.utime(first, (0, 0))
    sales.sql("INSERT INTO m.s.base VALUES (3)")
    assert (acme.read("s.tidy"), first.exists()) == ([(1,), (2,), (3,)], False)


def test_shared_views_are_read_after_a_restart(sales: Sales, acme: Partner, doubled: str):
    before = acme.read(doubled)
    sales.workspace.stop()
    sales.workspace.start()
    assert acme.read(doubled) == before
