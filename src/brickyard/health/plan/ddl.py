"""DDL: schemas, tables and views from contracts; never CREATE OR REPLACE of a table, only additions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from brickyard.health.model.compiled import GoldTable
from brickyard.health.model.contract import Kind
from brickyard.health.plan import bronze
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.checks import tables_in
from brickyard.health.plan.text import Places, names, quote, text

OPS: dict[str, str] = {
    "runs": "run bigint, run_id string, status string, source_catalog string, started_at timestamp, ended_at timestamp, message string",
    "lease": "name string, holder string, until timestamp",
    "batches": "layer string, table_name string, source string, first bigint, last bigint, rows_in bigint, inserted bigint, updated bigint, deleted bigint, quarantined bigint, contract string, run bigint, at timestamp, seconds double",
    "sources": "source string, presence string, reason string, remedy string, leaves string, run bigint, at timestamp",
    "failures": "table_name string, code string, message string, run bigint, at timestamp",
    "drift": "source string, leaf string, kind string, before string, after string, run bigint, at timestamp",
    "quarantine": "table_name string, reason string, row_hash string, row string, run bigint, at timestamp",
    "reconciliation": "table_name string, day date, measure string, bronze string, gold string, difference string, ok boolean, run bigint, at timestamp",
    "invoices": "invoice string, month date, sku_name string, currency string, amount decimal(38,10), line int, loaded_at timestamp",
    "discounts": "sku_name string, cloud string, percent decimal(9,6), valid_from date, valid_to date, loaded_at timestamp",
}


def schemas(domains: Iterable[str]) -> tuple[str, ...]:
    """Name the schemas of the gold catalog."""
    return ("bronze", "ops", *sorted(set(domains)))


def create_schema(places: Places, schema: str) -> str:
    """Make one schema."""
    return f"CREATE SCHEMA IF NOT EXISTS {quote(places.catalog)}.{quote(schema)}"


def create_ops(places: Places, table: str) -> str:
    """Make one table of our own records."""
    return f"CREATE TABLE IF NOT EXISTS {places.ops(table)} ({OPS[table]})"


def create_bronze(shape: Shape, places: Places) -> str:
    """Make the bronze table of a source."""
    columns = ", ".join(_column(*column) for column in bronze.columns(shape))
    about = f"{shape.source.description} Copied from {shape.source.name}, {shape.source.capture}."
    cluster = shape.source.watermark if shape.source.watermark and shape.source.capture == "append" else "_batch"
    return (
        f"CREATE TABLE IF NOT EXISTS {places.bronze(shape.source.bronze)} ({columns})"
        f" COMMENT {text(about)} CLUSTER BY ({quote(cluster)})"
    )


def create_gold(table: GoldTable, places: Places) -> str:
    """Make a gold table with comments, an informational primary key and clustering."""
    columns = ", ".join(_column(c.name, c.type, c.comment) for c in table.columns)
    first = [table.contract.prune] if table.contract.prune else []
    cluster = [*first, *(c for c in table.key if c not in first)][:2]
    return (
        f"CREATE TABLE IF NOT EXISTS {places.gold(table.table)} ({columns})"
        f" COMMENT {text(table.contract.description)} CLUSTER BY ({names(cluster)})"
    )


def _column(name: str, kind: str, comment: str) -> str:
    return f"{quote(name)} {kind}{' COMMENT ' + text(comment) if comment else ''}"


def add_columns(target: str, added: Iterable[tuple[str, str, str]]) -> str:
    """Add nullable columns."""
    return f"ALTER TABLE {target} ADD COLUMNS ({', '.join(_column(*column) for column in added)})"


def views(table: GoldTable, places: Places) -> Iterator[tuple[str, str]]:
    """Yield name and statement of every view beside a table: a history's current rows, and those the contract names."""
    contract = table.contract
    if contract.kind is Kind.DIM_SCD2:
        name = f"{contract.domain}.{contract.name}_current"
        body = f"SELECT * FROM {places.gold(table.table)} WHERE is_current"
        yield name, _view(places, name, f"The current rows of {table.table}", body)
    for view in contract.views:
        name = f"{contract.domain}.{view.name}"
        yield name, _view(places, name, view.comment, filled(view.sql, table, places))


def filled(sql: str, table: GoldTable, places: Places) -> str:
    """Put names of gold tables in the place of `{this}` and `{domain.table}`."""
    sql = sql.replace("{this}", places.gold(table.table))
    for other in tables_in(sql):
        sql = sql.replace("{" + other + "}", places.gold(other))
    return sql


def _view(places: Places, name: str, comment: str, body: str) -> str:
    return f"CREATE OR REPLACE VIEW {places.gold(name)} COMMENT {text(comment)} AS {body}"
