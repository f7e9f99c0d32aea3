"""Commands about the bill: an invoice as the third side, negotiated discounts, the FOCUS export."""

from __future__ import annotations

import csv
import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.health.cli.options import DONE, FINDINGS, AsOf, Catalog, SourceCatalog, door, output
from brickyard.kernel.terminal import emit, note, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from brickyard.health.flow.billing import Discounted, MonthStatement
    from brickyard.health.plan.discounts import Price


class Format(StrEnum):
    """What `export` can write."""

    FOCUS = "focus"


def invoice(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="month, sku_name, amount[, currency].")
    ] = None,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
    as_of: AsOf = None,
) -> None:
    """Set the invoice beside gold, and beside costs computed again from bronze: the tie-out statement of each month.

    Without a file, the statement of what is there. A file replaces what was loaded under its name before; one with a
    fault is refused whole. Exit code 1 where something differs.

    Example: brickyard health invoice april.csv
    """
    from brickyard.health.flow import billing

    lines = _invoice_lines(file) if file else None
    opened = door(ctx, catalog, source_catalog, as_of)
    found = billing.load_invoice(opened, file.name, lines) if file and lines else billing.statement(opened)
    emit({"months": plain(found)}, output(ctx), lambda: statement_text(found))
    raise typer.Exit(DONE if all(month.ties for month in found) else FINDINGS)


def _invoice_lines(file: Path) -> tuple[Any, ...]:
    from brickyard.health.flow.billing import CURRENCY
    from brickyard.health.model.bill import read_invoice
    from brickyard.kernel.errors import Problem, SpecInvalid

    lines = read_invoice(file.name, _bytes(file))
    other = [Problem(f"gold's costs are in {CURRENCY}, not {one.currency}", f"{file.name}:{one.line}") for one in lines if one.currency != CURRENCY]  # fmt: skip
    if other:
        raise SpecInvalid(f"{file.name} was not taken", code="health-file-invalid", problems=tuple(other))
    return lines


def _bytes(file: Path) -> bytes:
    from brickyard.kernel.errors import SpecInvalid

    try:
        return file.read_bytes()
    except OSError as error:
        raise SpecInvalid(f"{file} cannot be read: {error.strerror}", code="health-file-invalid") from error


def statement_text(months: Sequence[MonthStatement]) -> str:
    """Show the tie-out of months: totals, then what differs, SKU by SKU and day by day."""
    lines = []
    for month in months:
        word = "ties out" if month.ties else "DIFFERS"
        lines.append(f"{month.month:%Y-%m} {word}  gold {_money(month.gold)}  bronze {_money(month.bronze)}"
                     f"  invoice {_money(month.invoice)}  list {_money(month.list_cost)}  hash {month.hash}")  # fmt: skip
        wrong = [one for one in month.skus if not one.ties]
        if wrong:
            rows = [
                (o.sku_name, _money(o.gold), _money(o.bronze), _money(o.invoice), _money(o.difference)) for o in wrong
            ]
            lines.append(
                table(("  SKU", "GOLD", "BRONZE", "INVOICE", "DIFFERENCE"), [(f"  {r[0]}", *r[1:]) for r in rows])
            )
        lines += [f"  {day.day} gold {day.gold_hash} bronze {day.bronze_hash}" for day in month.days if not day.ties]
        if unpriced := sum(one.unpriced for one in month.skus):
            lines.append(f"  {unpriced} records have no price and count as nothing")
    return "\n".join(lines) or "no usage, no invoice"


def _money(amount: Any) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def discounts(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="sku_name, percent[, cloud, valid_from, valid_to].")],
    dry_run: Annotated[bool, typer.Option("--plan", help="Only show the prices that it would make.")] = False,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
    as_of: AsOf = None,
) -> None:
    """Price usage by negotiated percentages, where the account has no price table of its own.

    The file replaces all earlier discounts; `*` is every SKU. One with a fault is refused whole.

    Example: brickyard health discounts negotiated.csv --plan
    """
    from brickyard.health.flow import billing
    from brickyard.health.model.bill import read_discounts

    found = read_discounts(file.name, _bytes(file))
    opened = door(ctx, catalog, source_catalog, as_of)
    if dry_run:
        prices = billing.preview_discounts(opened, found)
        emit({"prices": plain(prices)}, output(ctx), lambda: _prices_text(prices))
        return
    done = billing.load_discounts(opened, found)
    emit(plain(done), output(ctx), lambda: _discounted_text(done))


def _prices_text(prices: Sequence[Price]) -> str:
    rows = [(p.series[1], p.series[2], p.series[3], f"{p.start:%Y-%m-%d}", f"{p.end:%Y-%m-%d}" if p.end else "", p.price) for p in prices]  # fmt: skip
    return table(("SKU", "CLOUD", "CURRENCY", "FROM", "TO", "PRICE"), rows) if rows else "no SKU has a discount"


def _discounted_text(done: Discounted) -> str:
    if not done.used:
        return f"kept {done.discounts} discounts; the account's own price table is there and counts before them"
    return "\n".join([f"{done.discounts} discounts make {done.prices} prices", *done.told])


def export(
    ctx: typer.Context,
    format: Annotated[Format, typer.Option("--format", help="focus: the columns of FOCUS 1.0.")] = Format.FOCUS,  # noqa: A002 — the option's name
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to this file, not to stdout.")
    ] = None,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
) -> None:
    """Write usage and cost by day as CSV; a column that nothing here tells truthfully stays empty and is named.

    Example: brickyard health export --format focus --out focus.csv
    """
    from brickyard.health.flow import billing
    from brickyard.health.plan.billing import EMPTY
    from brickyard.kernel.files import write_whole

    rows = list(billing.focus(door(ctx, catalog, source_catalog)))
    text = _csv(rows)
    note(f"empty: {', '.join(EMPTY)}")
    if out is None:
        emit({"format": format.value, "empty": EMPTY, "rows": plain(rows)}, output(ctx), text)
        return
    write_whole({out: text.encode()})
    emit({"format": format.value, "empty": EMPTY, "written": str(out), "rows": len(rows)}, output(ctx), f"{len(rows):,} rows in {out}")  # fmt: skip


def _csv(rows: Iterable[Mapping[str, Any]]) -> str:
    from brickyard.health.plan.billing import FOCUS

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FOCUS)
    writer.writerows([_cell(row[name]) for name in FOCUS] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    from datetime import datetime
    from decimal import Decimal

    match value:
        case None:
            return ""
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case Decimal():
            return f"{value.normalize():f}"
    return str(value)
