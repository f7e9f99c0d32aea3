"""What a recipient lists: pages, aliases, whole schemas, live."""

from __future__ import annotations

from typing import Any

import delta_sharing
import httpx
import pytest
from delta_sharing.protocol import Table

from .conftest import Partner, Sales, path_of, refusal


@pytest.fixture(scope="module", autouse=True)
def stock(sales: Sales) -> None:
    """A schema that is shared whole and three tables of another one."""
    sales.client.schemas.create("whole", "m")
    sales.sql("CREATE TABLE m.whole.first AS SELECT 1 AS id")
    sales.add("m.whole", "SCHEMA")
    for name in ("a", "b", "c"):
        sales.make(name, "AS SELECT 1 AS id")
    sales.add("m.s.a", shared_as="Other.Twin")


def names(answer: httpx.Response, *fields: str) -> list[Any]:
    """The names in a page."""
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return [
        tuple(item[field] for field in fields) if len(fields) > 1 else item[fields[0]]
        for item in answer.json()["items"]
    ]


def test_tables_stand_under_the_names_that_the_share_gives_them(acme: Partner):
    found = delta_sharing.SharingClient(str(acme.profile)).list_all_tables()
    expected = ("Other.Twin", "s.a", "s.b", "s.c", "whole.first")
    assert found == [Table(name=n.split(".")[1], share="sales", schema=n.split(".")[0]) for n in expected]


def test_a_schema_that_is_shared_whole_follows_what_is_made_and_dropped(sales: Sales, acme: Partner):
    sales.sql("CREATE TABLE m.whole.second AS SELECT 2 AS id")
    assert names(acme.ask("/shares/sales/schemas/WHOLE/tables"), "name") == ["first", "second"]
    assert acme.read("whole.second") == [(2,)]
    sales.sql("DROP TABLE m.whole.second")
    assert names(acme.ask("/shares/sales/schemas/whole/tables"), "name") == ["first"]
    assert refusal(acme.query("whole.second")) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_an_empty_schema_is_listed_with_no_tables(sales: Sales, acme: Partner):
    sales.client.schemas.create("empty", "m")
    sales.add("m.empty", "SCHEMA")
    assert "empty" in names(acme.ask("/shares/sales/schemas"), "name")
    assert names(acme.ask("/shares/sales/schemas/empty/tables"), "name") == []
    sales.remove("m.empty", "SCHEMA")


def test_a_table_that_was_dropped_is_still_in_the_share_and_cannot_be_read(sales: Sales, acme: Partner):
    name = sales.make("doomed", "AS SELECT 1 AS id")
    sales.sql("DROP TABLE m.s.doomed")
    assert ("s", "doomed") in names(acme.ask("/shares/sales/all-tables"), "schema", "name")
    assert refusal(acme.query(name)) == (404, "RESOURCE_DOES_NOT_EXIST")
    sales.remove("m.s.doomed")


def test_names_are_found_without_case(acme: Partner):
    answer = acme.ask("/shares/SALES/schemas/OTHER/tables/TWIN/metadata")
    assert (answer.status_code, answer.headers["delta-table-version"]) == (200, "0")


@pytest.mark.parametrize(
    "path", ["/shares/sales/all-tables", "/shares/sales/schemas/s/tables", "/shares/sales/schemas", "/shares"]
)
@pytest.mark.parametrize("size", [1, 2, 500])
def test_pages_put_together_are_the_whole(acme: Partner, path: str, size: int):
    whole, found, token = acme.ask(path).json()["items"], [], ""
    while True:
        page = acme.ask(path, params={"maxResults": size, "pageToken": token}).json()
        assert len(page["items"]) <= size
        found += page["items"]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert found == whole


def test_a_page_of_none_has_nothing_and_goes_on(acme: Partner):
    page = acme.ask("/shares", params={"maxResults": 0}).json()
    assert page["items"] == []
    after = acme.ask("/shares", params={"pageToken": page["nextPageToken"]}).json()
    assert [share["name"] for share in after["items"]] == ["sales"]


def test_what_comes_and_goes_between_two_pages_shifts_nothing(sales: Sales, acme: Partner):
    first = acme.ask("/shares/sales/schemas/s/tables", params={"maxResults": 2}).json()
    sales.remove("m.s.b")
    rest = acme.ask("/shares/sales/schemas/s/tables", params={"pageToken": first["nextPageToken"]}).json()
    assert [table["name"] for table in first["items"] + rest["items"]] == ["a", "b", "c"]
    sales.add("m.s.b")


@pytest.mark.parametrize("wrong", [{"maxResults": -1}, {"maxResults": "x"}, {"pageToken": "x"}, {"pageToken": "eA=="}])
def test_wrong_pages_are_refused(acme: Partner, wrong: dict[str, Any]):
    assert refusal(acme.ask("/shares", params=wrong)) == (400, "INVALID_PARAMETER_VALUE")


def test_ids_stay_the_same(acme: Partner):
    (share,) = acme.ask("/shares").json()["items"]
    assert acme.ask("/shares/sales").json() == {"share": share}
    assert {item["shareId"] for item in acme.ask("/shares/sales/all-tables").json()["items"]} == {share["id"]}


def test_volumes_and_functions_are_no_tables(sales: Sales, acme: Partner):
    sales.sql("CREATE VOLUME m.s.files")
    sales.add("m.s.files", "VOLUME")
    assert refusal(acme.ask(path_of("s.files", "metadata"))) == (404, "RESOURCE_DOES_NOT_EXIST")
