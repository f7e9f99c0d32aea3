"""Files of money from outside: the lines of an invoice, and negotiated discounts; refused completely when one is wrong."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from brickyard.kernel.errors import Problem, SpecInvalid

EVERY = "*"  # every SKU
_MONTH = re.compile(r"(\d{4})-(\d{2})(?:-01)?\Z")
_NUMBER = re.compile(r"-?\d{1,28}(\.\d{1,10})?\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_LARGEST = 16 * 1024 * 1024
INVOICE = ("month", "sku_name", "amount")
DISCOUNTS = ("sku_name", "percent")

Row = Mapping[str, str]
Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What the bill says for a SKU in a month (its first day), and on which line of the file."""

    month: date
    sku_name: str
    amount: Decimal
    currency: str
    line: int


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage off the list price of a SKU (`*`: every one that has none of its own) in a cloud (empty: all).

    It holds from `valid_from` (None: always did) to before `valid_to` (None: still does).
    """

    sku_name: str
    cloud: str
    percent: Decimal
    valid_from: date | None
    valid_to: date | None
    line: int


def read_invoice(name: str, data: bytes) -> tuple[InvoiceLine, ...]:
    """Read `month, sku_name, amount[, currency]`, or raise SpecInvalid with every fault, its file and line."""
    found = _read(name, data, INVOICE, ("currency",), _invoice_line)
    return _once(name, found, lambda one: (one.month, one.sku_name), "stands twice for this month and SKU")


def read_discounts(name: str, data: bytes) -> tuple[Discount, ...]:
    """Read `sku_name, percent[, cloud, valid_from, valid_to]`, or raise SpecInvalid with every fault and its line."""
    found = _read(name, data, DISCOUNTS, ("cloud", "valid_from", "valid_to"), _discount)
    faults = [
        Problem(f"overlaps line {earlier.line}", f"{name}:{later.line}", "end one before the other begins")
        for at, later in enumerate(found)
        for earlier in found[:at]
        if (earlier.sku_name, earlier.cloud) == (later.sku_name, later.cloud) and _overlap(earlier, later)
    ]
    _refuse(name, faults)
    return found


def _overlap(one: Discount, other: Discount) -> bool:
    def before(end: date | None, begin: date | None) -> bool:
        return end is not None and begin is not None and end <= begin

    return not (before(one.valid_to, other.valid_from) or before(other.valid_to, one.valid_from))


def _once(
    name: str, found: tuple[InvoiceLine, ...], key: Callable[[InvoiceLine], object], why: str
) -> tuple[InvoiceLine, ...]:
    seen: dict[object, int] = {}
    faults = []
    for one in found:
        if key(one) in seen:
            faults.append(Problem(f"{why}, first on line {seen[key(one)]}", f"{name}:{one.line}"))
        seen.setdefault(key(one), one.line)
    _refuse(name, faults)
    return found


def _refuse(name: str, faults: Sequence[Problem]) -> None:
    if faults:
        raise SpecInvalid(f"{name} was not taken", code="health-file-invalid", problems=tuple(faults))


def _read(
    name: str,
    data: bytes,
    needed: Sequence[str],
    further: Sequence[str],
    make: Callable[[Row, int], Line],
) -> tuple[Line, ...]:
    found: list[Line] = []
    faults: list[Problem] = []
    for number, row in _rows(name, data, needed, further):
        if isinstance(row, str):
            faults.append(Problem(row, f"{name}:{number}"))
            continue
        try:
            found.append(make(row, number))
        except _Wrong as wrong:
            faults += [Problem(message, f"{name}:{number}") for message in wrong.messages]
    if not found and not faults:
        faults.append(Problem("the file has no lines", f"{name}:1"))
    _refuse(name, faults)
    return tuple(found)


def _rows(name: str, data: bytes, needed: Sequence[str], further: Sequence[str]) -> list[tuple[int, Row | str]]:
    if len(data) > _LARGEST:
        raise SpecInvalid(f"{name} is larger than {_LARGEST // 1024 // 1024} MB", code="health-file-invalid")
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if any(map(str.strip, line))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecInvalid(f"{name} is no CSV file: {error}", code="health-file-invalid") from error
    head = [cell.lower() for cell in lines[0][1]] if lines else []
    _refuse(name, list(_heads(name, head, needed, further)))
    return [(number, _row(head, cells)) for number, cells in lines[1:]]


def _row(head: Sequence[str], cells: Sequence[str]) -> Row | str:
    """Name the cells of a line, or say why they cannot be."""
    if len(cells) != len(head):
        return f"has {len(cells)} cells, not {len(head)}"
    return dict(zip(head, cells, strict=True))


def _heads(name: str, head: Sequence[str], needed: Sequence[str], further: Sequence[str]) -> Iterator[Problem]:
    where, known = f"{name}:1", ", ".join([*needed, *further])
    for column in needed:
        if column not in head:
            yield Problem(f"column {column} is missing", where, f"the first line names the columns: {known}")
    for column in head:
        if column not in (*needed, *further):
            yield Problem(f"column {column!r} is not known", where, f"known are {known}")
    if len(set(head)) < len(head):
        yield Problem("a column stands twice", where)


class _Wrong(Exception):
    """What is wrong with a line."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("; ".join(messages))
        self.messages = tuple(messages)


def _invoice_line(row: Row, line: int) -> InvoiceLine:
    wrong: list[str] = []
    month = _month(row["month"], wrong)
    amount = _number(row["amount"], "amount", wrong)
    currency = row.get("currency") or "USD"
    if not row["sku_name"]:
        wrong.append("sku_name is empty")
    if not _CURRENCY.match(currency):
        wrong.append(f"currency {currency!r} is no code such as USD")
    if wrong or month is None or amount is None:
        raise _Wrong(wrong)
    return InvoiceLine(month, row["sku_name"], amount, currency, line)


def _discount(row: Row, line: int) -> Discount:
    wrong: list[str] = []
    percent = _number(row["percent"], "percent", wrong)
    begin = _day(row.get("valid_from", ""), "valid_from", wrong)
    end = _day(row.get("valid_to", ""), "valid_to", wrong)
    if percent is not None and not 0 <= percent <= 100:
        wrong.append(f"percent {percent} is not between 0 and 100")
    if begin and end and end <= begin:
        wrong.append(f"valid_to {end} is not after valid_from {begin}")
    if not row["sku_name"]:
        wrong.append(f"sku_name is empty; {EVERY} is every SKU")
    if wrong or percent is None:
        raise _Wrong(wrong)
    return Discount(row["sku_name"], row.get("cloud", "").upper(), percent, begin, end, line)


def _month(value: str, wrong: list[str]) -> date | None:
    found = _MONTH.match(value)
    try:
        return date(int(found[1]), int(found[2]), 1) if found else _none(wrong, f"month {value!r} is not like 2026-04")
    except ValueError:
        return _none(wrong, f"month {value!r} does not exist")


def _none(wrong: list[str], message: str) -> None:
    wrong.append(message)


def _number(value: str, column: str, wrong: list[str]) -> Decimal | None:
    try:
        return Decimal(value) if _NUMBER.match(value) else _none(wrong, f"{column} {value!r} is no number like 1234.56")
    except InvalidOperation:
        return _none(wrong, f"{column} {value!r} is no number like 1234.56")


def _day(value: str, column: str, wrong: list[str]) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return _none(wrong, f"{column} {value!r} is no day like 2026-04-01")
