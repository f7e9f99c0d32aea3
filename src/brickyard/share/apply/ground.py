"""What pipelines stand on: catalogs, schemas, change feeds and the notebook."""

from __future__ import annotations

import base64

from brickyard.kernel.assets import read_text
from brickyard.kernel.names import TableName
from brickyard.share.apply.hands import MARK, Hands, Result
from brickyard.share.model.steps import CreateCatalog, CreateSchema, EnableChangeFeed, ImportLibrary
from brickyard.share.observe.asking import found
from brickyard.share.observe.library import present
from brickyard.workspace import pick_warehouse, run_sql, translated

_FEED = "delta.enableChangeDataFeed"
_NO_CATALOG = ("CATALOG_DOES_NOT_EXIST",)


def create_catalog(hands: Hands, step: CreateCatalog) -> Result:
    """Make a catalog; Databricks refuses a name that is taken."""
    with translated(f"create catalog {step.name}"):
        hands.client.catalogs.create(
            step.name, comment=step.comment, storage_root=step.storage_root, properties={MARK: hands.mark}
        )
    return {}


def look_catalog(hands: Hands, step: CreateCatalog) -> Result | None:
    """Return the catalog that an earlier try has made: it carries our mark."""
    name = step.name
    there = found(f"read the catalog {name}", lambda: hands.client.catalogs.get(name), absent=_NO_CATALOG)
    return {} if there and (there.properties or {}).get(MARK) == hands.mark else None


def create_schema(hands: Hands, step: CreateSchema) -> Result:
    """Make a schema; one that somebody has made meanwhile is as good, and is theirs."""
    if there := look_schema(hands, step):
        return there
    comment = f"Made for share pack {hands.mark} [brickyard:{hands.mark}]"
    with translated(f"create schema {step.catalog}.{step.schema}"):
        hands.client.schemas.create(step.schema, step.catalog, comment=comment)
    return {"made": True}


def look_schema(hands: Hands, step: CreateSchema) -> Result | None:
    """Return whether the schema that is there was made by us."""
    name = f"{step.catalog}.{step.schema}"
    there = found(f"read the schema {name}", lambda: hands.client.schemas.get(name), absent=("SCHEMA_DOES_NOT_EXIST",))
    return {"made": f"[brickyard:{hands.mark}]" in (there.comment or "")} if there else None


def enable_change_feed(hands: Hands, step: EnableChangeFeed) -> Result:
    """Let a table keep its row changes, by SQL on a running warehouse, or on one that is started for it."""
    warehouse, started = _warehouse(hands)
    name = TableName.parse(step.table).sql
    run_sql(hands.client, f"ALTER TABLE {name} SET TBLPROPERTIES ('{_FEED}' = 'true')", warehouse_id=warehouse)
    return {"warehouse": warehouse, "warehouse_started": started}


def look_change_feed(hands: Hands, step: EnableChangeFeed) -> Result | None:
    """Tell whether the table keeps its row changes."""
    with translated(f"read the table {step.table}"):
        there = hands.client.tables.get(step.table)
    return {} if (there.properties or {}).get(_FEED, "").lower() == "true" else None


def import_library(hands: Hands, step: ImportLibrary) -> Result:
    """Put the pipelines' notebook where they look for it."""
    from databricks.sdk.service.workspace import ImportFormat, Language

    content = base64.b64encode(library().encode()).decode()
    with translated(f"import {step.path}"):
        hands.client.workspace.mkdirs(step.path.rsplit("/", 1)[0] or "/")
        hands.client.workspace.import_(
            step.path, content=content, format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True
        )
    return {}


def look_library(hands: Hands, step: ImportLibrary) -> Result | None:
    """Tell whether the notebook that is there is the one we ship."""
    return {} if present(hands.client, step.path) == step.digest else None


def library() -> str:
    """Return the pipelines' notebook."""
    return read_text("share", "pipeline.py")


def _warehouse(hands: Hands) -> tuple[str, bool]:
    """Return a warehouse that runs, and whether it had to be started."""
    from databricks.sdk.service.sql import State

    warehouse = pick_warehouse(hands.client)
    with translated(f"look at warehouse {warehouse}"):
        running = hands.client.warehouses.get(warehouse).state == State.RUNNING
    if not running:
        with translated(f"start warehouse {warehouse}"):
            hands.client.warehouses.start(warehouse)
    return warehouse, not running
