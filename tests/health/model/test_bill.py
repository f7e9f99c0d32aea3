"""Invoices and discounts from outside are taken whole or refused with every line that is wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from brickyard.health.model.bill import Discount, InvoiceLine, read_discounts, read_invoice
from brickyard.kernel.errors import SpecInvalid


def problems(refused: pytest.ExceptionInfo[SpecInvalid]) -> list[str]:
    return [str(problem) for problem in refused.value.problems]


def test_an_invoice_is_read_with_its_lines():
    text = "sku_name, Month ,amount,currency\nJOBS,2026-04,1234.56,USD\n\nSQL,2026-04-01,-0.10,\n"
    assert read_invoice("april.csv", text.encode("utf-8-sig")) == (
        InvoiceLine(date(2026, 4, 1), "JOBS", Decimal("1234.56"), "USD", 2),
        InvoiceLine(date(2026, 4, 1), "SQL", Decimal("-0.10"), "USD", 4),
    )


def test_every_fault_of_an_invoice_is_named_with_its_line():
    text = "month,sku_name,amount\n2026-13,JOBS,1\n2026-04,,abc\n2026-04,SQL\n2026-04,SQL,1,2\n"
    with pytest.raises(SpecInvalid) as refused:
        read_invoice("bad.csv", text.encode())
    assert problems(refused) == [
        "bad.csv:2: month '2026-13' does not exist",
        "bad.csv:3: amount 'abc' is no number like 1234.56",
        "bad.csv:3: sku_name is empty",
        "bad.csv:4: has 2 cells, not 3",
        "bad.csv:5: has 4 cells, not 3",
    ]


def test_a_sku_stands_once_in_a_month():
    with pytest.raises(SpecInvalid) as refused:
        read_invoice("twice.csv", b"month,sku_name,amount\n2026-04,JOBS,1\n2026-04,JOBS,2\n")
    assert problems(refused) == ["twice.csv:3: stands twice for this month and SKU, first on line 2"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ["x.csv:1: column month is missing", "x.csv:1: column sku_name is missing", "x.csv:1: column amount is missing"]),
        (b"month,sku_name,amount\n", ["x.csv:1: the file has no lines"]),
        (b"month,sku_name,amount,tax\n2026-04,A,1,2\n", ["x.csv:1: column 'tax' is not known"]),
        (b"month,month,sku_name,amount\n", ["x.csv:1: a column stands twice"]),
    ],
)  # fmt: skip
def test_a_file_without_the_right_columns_is_refused(data: bytes, said: list[str]):
    with pytest.raises(SpecInvalid) as refused:
        read_invoice("x.csv", data)
    assert problems(refused) == said


def test_what_is_no_text_is_no_csv():
    with pytest.raises(SpecInvalid, match=r"x\.csv is no CSV file"):
        read_invoice("x.csv", b"\xff\xfe\x00")


def test_discounts_are_read():
    text = "sku_name,cloud,percent,valid_from,valid_to\n*,,10,,\nJOBS,aws,12.5,2026-04-01,2027-04-01\n"
    assert read_discounts("d.csv", text.encode()) == (
        Discount("*", "", Decimal(10), None, None, 2),
        Discount("JOBS", "AWS", Decimal("12.5"), date(2026, 4, 1), date(2027, 4, 1), 3),
    )


def test_every_fault_of_discounts_is_named_with_its_line():
    text = "sku_name,percent,valid_from,valid_to\n,101,2026-02-30,\nJOBS,5,2026-05-01,2026-04-01\n"
    with pytest.raises(SpecInvalid) as refused:
        read_discounts("d.csv", text.encode())
    assert problems(refused) == [
        "d.csv:2: valid_from '2026-02-30' is no day like 2026-04-01",
        "d.csv:2: percent 101 is not between 0 and 100",
        "d.csv:2: sku_name is empty; * is every SKU",
        "d.csv:3: valid_to 2026-04-01 is not after valid_from 2026-05-01",
    ]


def test_two_discounts_of_a_sku_at_one_time_are_refused():
    text = "sku_name,percent,valid_from,valid_to\nJOBS,5,,2026-04-01\nJOBS,6,2026-04-01,\nJOBS,7,2026-06-01,\n"
    with pytest.raises(SpecInvalid) as refused:
        read_discounts("d.csv", text.encode())
    assert problems(refused) == ["d.csv:4: overlaps line 3"]
