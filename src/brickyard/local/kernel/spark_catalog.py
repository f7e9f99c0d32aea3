"""`spark.catalog` of a notebook, asked of the workspace."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException

from brickyard.kernel.names import quote

if TYPE_CHECKING:
    from brickyard.local.kernel.spark import Session


class Catalog:
    """`spark.catalog`, asked of the workspace."""

    def __init__(self, spark: Session) -> None:
        self._spark = spark

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._spark.sql(statement).toArrow().to_pylist()
        return rows

    def currentCatalog(self) -> str:  # noqa: N802 - Spark's spelling
        """The catalog of names with two parts."""
        return str(self._rows("SELECT current_catalog() AS name")[0]["name"])

    def currentDatabase(self) -> str:  # noqa: N802
        """The schema of names with one part."""
        return str(self._rows("SELECT current_schema() AS name")[0]["name"])

    def setCurrentCatalog(self, catalogName: str) -> None:  # noqa: N802, N803
        """USE CATALOG."""
        self._spark.sql(f"USE CATALOG {quote(catalogName)}")

    def setCurrentDatabase(self, dbName: str) -> None:  # noqa: N802, N803
        """USE SCHEMA."""
        self._spark.sql(f"USE SCHEMA {dbName}")

    def tableExists(self, tableName: str, dbName: str | None = None) -> bool:  # noqa: N802, N803
        """Whether a table, view or temp view has this name."""
        name = f"{dbName}.{tableName}" if dbName else tableName
        try:
            self._spark.workspace.prepare(f"DESCRIBE TABLE {name}")
        except AnalysisException as error:
            if "_NOT_FOUND" in str(error):
                return False
            raise
        return True

    def databaseExists(self, dbName: str) -> bool:  # noqa: N802, N803
        """Whether a schema has this name."""
        try:
            self._spark.workspace.prepare(f"DESCRIBE SCHEMA {dbName}")
        except AnalysisException as error:
            if "_NOT_FOUND" in str(error):
                return False
            raise
        return True

    def listCatalogs(self, pattern: str | None = None) -> list[Any]:  # noqa: N802
        """The catalogs."""
        return [types.SimpleNamespace(name=r["catalog"]) for r in self._rows(f"SHOW CATALOGS{_like(pattern)}")]

    def listDatabases(self, pattern: str | None = None) -> list[Any]:  # noqa: N802
        """The schemas of the current catalog."""
        return [types.SimpleNamespace(name=r["databaseName"]) for r in self._rows(f"SHOW SCHEMAS{_like(pattern)}")]

    def listTables(self, dbName: str | None = None, pattern: str | None = None) -> list[Any]:  # noqa: N802, N803
        """The tables and temp views of a schema."""
        rows = self._rows(f"SHOW TABLES{f' IN {dbName}' if dbName else ''}{_like(pattern)}")
        return [
            types.SimpleNamespace(
                name=r["tableName"],
                namespace=[r["database"]] if r["database"] else [],
                database=r["database"] or None,
                isTemporary=r["isTemporary"],
                tableType="TEMPORARY" if r["isTemporary"] else "MANAGED",
            )
            for r in rows
        ]

    def listColumns(self, tableName: str, dbName: str | None = None) -> list[Any]:  # noqa: N802, N803
        """The columns of a table."""
        name = f"{dbName}.{tableName}" if dbName else tableName
        rows = self._rows(f"DESCRIBE TABLE {name}")
        return [
            types.SimpleNamespace(name=r["col_name"], dataType=r["data_type"], description=r["comment"]) for r in rows
        ]

    def dropTempView(self, viewName: str) -> bool:  # noqa: N802, N803
        """Drop a temp view; False when there was none."""
        known = viewName.lower() in {t.name for t in self.listTables() if t.isTemporary}
        if known:
            self._spark.sql(f"DROP VIEW {quote(viewName)}")
            self._spark.workspace.temp_views.discard(viewName.lower())
        return known

    def refreshTable(self, tableName: str) -> None:  # noqa: N802, N803
        """Nothing is cached here."""

    def cacheTable(self, tableName: str, storageLevel: Any = None) -> None:  # noqa: N802, N803
        """Nothing is cached here."""

    def uncacheTable(self, tableName: str) -> None:  # noqa: N802, N803
        """Nothing is cached here."""

    def clearCache(self) -> None:  # noqa: N802
        """Nothing is cached here."""


def _like(pattern: str | None) -> str:
    return f" LIKE '{pattern}'" if pattern else ""
