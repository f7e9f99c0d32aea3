"""Packs in Excel: the three layouts as people write them, and every fault at its cell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from tests.share.model.packs import PACK, read

from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.share.model.pack import AssetSpec, Removal, SharePack
from brickyard.share.model.parse import Parsed, parse

METADATA = {key: str(value) for key, value in read(PACK).pack.metadata.model_dump(exclude_unset=True).items()}
A = {
    "Metadata": [["Field", "Value"], *map(list, METADATA.items())],
    "Recipients": [
        ["name", "type", "recipient", "recipient_databricks_org", "recipient_ips", "token_expiry", "token_rotation"],
        ["acme", "D2O", None, None, "203.0.113.7", 30, False],
    ],
    "Shares": [
        ["share_name", "asset", "recipient", "ext_catalog_name", "ext_schema_name", "prefix_assetname", "share_tags"],
        ["sales", "main.s.orders", "acme", "ext", "acme", None, None],
    ],
    "Pipelines": [
        [
            "share_name",
            "name_prefix",
            "source_asset",
            "asset_name",
            "schedule_type",
            "cron",
            "timezone",
            "notification",
            "tags",
            "serverless",
            "scd_type",
            "key_columns",
        ],
        ["sales", "orders", "main.s.orders", None, "CRON", "0 30 6 * * ?", "UTC", None, None, False, 2, "id"],
    ],
}
B = {
    "metadata": A["Metadata"],
    "recipient": [
        ["name", "type", "recipient_ips", "recipient_ips_to_add", "recipient_ips_to_remove", "token_expiry", "comment"],
        ["acme", "D2O", "203.0.113.7", None, None, "30", None],
    ],
    "share": [
        ["name", "comment", "recipients", "share_assets", "ext_catalog_name", "ext_schema_name", "tags"],
        ["sales", None, "acme", "main.s.orders", "ext", "acme", None],
    ],
    "pipelines": [
        [
            "share_name",
            "name_prefix",
            "source_asset",
            "target_asset",
            "schedule_cron",
            "schedule_timezone",
            "serverless",
            "scd_type",
            "key_columns",
        ],
        ["sales", "orders", "main.s.orders", None, "0 30 6 * * ?", "UTC", "FALSE", "2", "id"],
    ],
}
C = {
    "metadata": [list(METADATA), list(METADATA.values())],
    "recipient": [["name", "type", "recipient_ips", "token_expiry"], ["acme", "D2O", "203.0.113.7", 30.0]],
    "share": [
        ["name", "comment", "recipients", "share_assets", "ext_catalog_name", "ext_schema_name", "tags"],
        ["sales", None, "acme", "main.s.orders", "ext", "acme", None],
    ],
    "pipelines": [
        ["share_name", "name_prefix", "source_asset", "schedule_type", "cron_expression", "timezone", "key_columns"],
        ["sales", "orders", "main.s.orders", "cron", "0 30 6 * * ?", "UTC", "id"],
    ],
}
Book = dict[str, list[list[Any]]]


def workbook(book: Book, change: Callable[[Workbook], object] = lambda book: None) -> bytes:
    made = Workbook()
    made.remove(made.worksheets[0])
    for title, rows in book.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    change(made)
    stream = BytesIO()
    made.save(stream)
    return stream.getvalue()


def read_book(book: Book, change: Callable[[Workbook], object] = lambda book: None) -> Parsed:
    return parse("pack.xlsx", workbook(book, change))


def faults(book: Book, change: Callable[[Workbook], object] = lambda book: None) -> tuple[Problem, ...]:
    with pytest.raises(SpecInvalid) as caught:
        read_book(book, change)
    return caught.value.problems


def cell(sheet: str, address: str, value: Any) -> Callable[[Workbook], object]:
    def change(book: Workbook) -> None:
        book[sheet][address] = value

    return change


def pack_with(book: Book, sheet: str, address: str, value: Any) -> SharePack:
    return read_book(book, cell(sheet, address, value)).pack


@pytest.mark.parametrize("book", [A, B, C], ids="ABC")
def test_every_layout_gives_the_pack_of_the_yaml(book: Book):
    parsed = read_book(book)
    assert (parsed.pack, parsed.content_hash, parsed.warnings) == (read(PACK).pack, read(PACK).content_hash, ())


def test_the_case_of_sheets_and_columns_does_not_matter():
    shouted = {title.upper(): [[str(name).upper() for name in rows[0]], *rows[1:]] for title, rows in A.items()}
    shouted["METADATA"] = A["Metadata"]
    assert read_book(shouted).pack == read(PACK).pack


def test_an_empty_token_expiry_is_0_as_in_yaml():
    assert pack_with(A, "Recipients", "F2", None).recipient[0].token_expiry == 0


@pytest.mark.parametrize("mark", [", ", ",", "|", "; ", "\n"])
def test_lists_may_be_separated_in_every_way(mark: str):
    pack = pack_with(A, "Recipients", "E2", mark.join(["203.0.113.7", "10.0.0.0/24"]))
    assert pack.recipient[0].recipient_ips == ("203.0.113.7", "10.0.0.0/24")


@pytest.mark.parametrize("tags", ["team:a, cost:4711", "team:a,", "team:a;cost:4711", "team=a|cost=4711"])
def test_tags_may_be_written_in_every_way(tags: str):
    found = pack_with(A, "Pipelines", "I2", tags).share[0].pipelines[0].tags
    assert found == ({"team": "a", "cost": "4711"} if "4711" in tags else {"team": "a"})


@pytest.mark.parametrize("value", [True, "TRUE", "yes", "Y", 1])
def test_booleans_are_native_or_words(value: Any):
    assert pack_with(A, "Pipelines", "J2", value).share[0].pipelines[0].serverless is True


def test_dates_and_numbers_become_the_texts_they_are():
    def change(book: Workbook) -> None:
        book["Metadata"].append(["last_updated", datetime(2026, 11, 20)])
        book["Metadata"].append(["version", 2.0])
        book["Metadata"].append(["description", 4711])

    metadata = read_book(A, change).pack.metadata
    assert (metadata.last_updated, metadata.version, metadata.description) == ("2026-11-20", "2", "4711")


def test_rows_of_one_share_are_its_assets_and_say_shared_things_once_or_alike():
    rows = [
        ["share_name", "asset", "recipient", "shared_as", "cdf", "comment"],
        ["sales", "main.s.a", "acme", "x.a", True, "Sales"],
        ["Sales", "main.s.b", "acme, globex", None, None, None],
        ["sales", "main.s.b", "globex", None, None, None],
        ["other", "main.t", None, None, None, None],
    ]
    book = {key: rows for key, rows in A.items() if key != "Pipelines"} | {"Shares": rows}
    first, second = read_book(book).pack.share
    assert first.share_assets == (AssetSpec(name="main.s.a", shared_as="x.a", cdf=True), AssetSpec(name="main.s.b"))
    assert (first.name, first.recipients, first.description, second.name) == (
        "sales",
        ("acme", "globex"),
        "Sales",
        "other",
    )
    rows[2][5] = "Other"
    assert [p.where for p in faults(book)] == ["pack.xlsx Shares!F3"]


@pytest.mark.parametrize("written", [("CONTINUOUS", None), (None, "continuous")])
def test_a_pipeline_may_run_all_the_time(written: tuple[str | None, str | None]):
    def change(book: Workbook) -> None:
        book["Pipelines"]["E2"], book["Pipelines"]["F2"] = written

    assert read_book(A, change).pack.share[0].pipelines[0].schedule.continuous


def test_the_asset_stands_in_for_a_source_that_is_not_said():
    def change(book: Workbook) -> None:
        book["Pipelines"]["C2"], book["Pipelines"]["D2"] = None, "main.s.orders"

    assert read_book(A, change).pack == read(PACK).pack


def test_a_workbook_may_delete_by_names():
    book = {"Metadata": [*A["Metadata"], ["strategy", "DELETE"]], "Recipients": [["name"], ["acme"]]}
    book |= {"Shares": [["share_name"], ["sales"]], "Pipelines": [["share_name", "name_prefix"], ["sales", "orders"]]}
    removal = Removal(recipients=("acme",), shares=("sales",), pipelines={"sales": ("orders",)})
    assert read_book(book).pack.removal == removal


def test_sheets_that_are_no_part_of_a_pack_are_left_out_with_a_warning():
    notes = read_book(A | {"Remarks": [["hello"]]})
    assert notes.warnings == ("pack.xlsx Remarks: the sheet 'Remarks' is not part of a pack and was not read",)
    assert notes.pack == read(PACK).pack


# Faults


@pytest.mark.parametrize(
    ("sheet", "address", "value", "message"),
    [
        ("Pipelines", "J2", "perhaps", "share[0].pipelines[0].serverless: 'perhaps' is neither true nor false"),
        ("Pipelines", "F2", "banana x", "'banana x' is not a Quartz cron expression"),
        ("Pipelines", "F2", None, "schedule.cron: is missing, and the schedule is not continuous"),
        ("Pipelines", "G2", "Mars/Phobos", "the zone 'Mars/Phobos' is not known"),
        ("Pipelines", "I2", "team", "'team' is not a key and a value"),
        ("Pipelines", "I2", "a:1,a:2", "the key 'a' stands twice"),
        ("Pipelines", "A2", "sale", "there is no share 'sale' in the pack"),
        ("Pipelines", "A2", None, "share_name is empty"),
        ("Pipelines", "E2", "SOMETIMES", "the schedule_type 'sometimes' is not known"),
        ("Pipelines", "B2", None, "name_prefix: is missing"),
        ("Pipelines", "L2", None, "key_columns: is missing, and scd_type 2 needs it"),
        ("Pipelines", "M2", "x", "the column has no name in row 1"),
        ("Recipients", "A2", None, "recipient[0].name: is missing"),
        ("Recipients", "B2", "D2X", "'D2X' is not accepted"),
        ("Recipients", "E2", "10.0.0.0/33", "'10.0.0.0/33' is not an IP address"),
        ("Recipients", "F2", "soon", "'soon' is not a whole number"),
        ("Recipients", "F2", 30.5, "'30.5' is not a whole number"),
        ("Recipients", "F2", "=15*2", "holds a formula, whose value cannot be trusted"),
        ("Recipients", "F2", "#REF!", "holds the error #REF!"),
        ("Recipients", "F2", time(6, 30), "holds a time or a length of time"),
        ("Recipients", "F2", timedelta(days=3), "holds a time or a length of time"),
        ("Recipients", "F2", datetime(2026, 1, 1), "is not a whole number"),
        ("Recipients", "B1", "name", "the column 'name' stands twice"),
        ("Shares", "B2", "main..x", "share[0].share_assets[0].name"),
        ("Shares", "A2", None, "share[0].name: is missing"),
        ("Metadata", "B2", None, "metadata.contact_email: is missing"),
        ("Metadata", "B3", "=A1", "holds a formula"),
        ("Metadata", "A4", "delta_share_regoin", "the key 'delta_share_regoin' is not known"),
    ],
)
def test_a_fault_is_told_at_its_cell(sheet: str, address: str, value: Any, message: str):
    found = faults(A, cell(sheet, address, value))
    assert [p.where for p in found if message in p.message] == [f"pack.xlsx {sheet}!{address}"]


def test_text_in_a_date_cell_is_refused():
    def change(book: Workbook) -> None:
        book["Recipients"]["H1"], book["Recipients"]["H2"] = "expires_on", "next week"
        book["Recipients"]["H2"].number_format = "yyyy-mm-dd"

    (problem,) = faults(A, change)
    assert (problem.where, problem.message) == (
        "pack.xlsx Recipients!H2",
        "recipient[0].expires_on: 'next week' is not a date",
    )


def test_merged_cells_are_refused():
    (problem,) = faults(A, lambda book: book["Recipients"].merge_cells("C2:D2"))
    assert (problem.where, problem.message) == ("pack.xlsx Recipients!C2", "the cells C2:D2 are merged")


def test_a_cached_value_of_a_formula_is_not_trusted():
    data = workbook(A, cell("Recipients", "F2", "=15*2"))
    assert load_workbook(BytesIO(data))["Recipients"]["F2"].value == "=15*2"
    with pytest.raises(SpecInvalid) as caught:
        parse("pack.xlsx", data)
    assert len(caught.value.problems) == 1


def test_a_sheet_with_a_name_near_a_missing_one_is_refused_with_it():
    book = {("Reciepients" if title == "Recipients" else title): rows for title, rows in A.items()}
    found = faults(book)
    assert (found[0].where, found[0].remedy) == ("pack.xlsx Reciepients", "did you mean 'Recipients'?")
    assert faults({"Sheet1": [["a"]]})[0].message == "the sheet 'Metadata' is missing"


def test_two_sheets_that_say_the_same_are_refused():
    assert faults(A | {"recipient": A["Recipients"]})[0].where == "pack.xlsx recipient"


def test_a_hidden_sheet_of_the_pack_is_refused_and_a_hidden_row_is_told():
    def hide_sheet(book: Workbook) -> None:
        book["Recipients"].sheet_state = "hidden"

    def hide_row(book: Workbook) -> None:
        book["Recipients"].row_dimensions[2].hidden = True

    assert [p.where for p in faults(A, hide_sheet)] == ["pack.xlsx Recipients"]
    assert read_book(A, hide_row).warnings == (
        "pack.xlsx Recipients!A2: the row or column is hidden, and was read all the same",
    )


@pytest.mark.parametrize("address", ["A6000", "DA1"])
def test_a_sheet_that_is_too_large_is_refused(address: str):
    assert "are read" in faults(A, cell("Recipients", address, "x"))[0].message


def test_more_than_twenty_sheets_are_refused():
    assert "at most 20 are read" in faults(A | {f"s{n}": [["x"]] for n in range(20)})[0].message


def test_an_unknown_column_is_a_warning_where_compatible():
    data = workbook(A, cell("Recipients", "H1", "tokn_expiry"))
    assert parse("pack.xlsx", data).pack == read(PACK).pack
    filled = workbook({**A, "Recipients": [[*A["Recipients"][0], "tokn_expiry"], [*A["Recipients"][1], 3]]})
    with pytest.raises(SpecInvalid) as caught:
        parse("pack.xlsx", filled)
    problem = Problem("the key 'tokn_expiry' is not known", "pack.xlsx Recipients!H1", "did you mean 'token_expiry'?")
    assert caught.value.problems == (problem,)
    assert len(parse("pack.xlsx", filled, compat=True).warnings) == 1
