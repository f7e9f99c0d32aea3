"""`delta.tables` in a notebook: DeltaTable as a writer of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pyspark.errors import AnalysisException
from pyspark.sql.connect.column import Column
from pyspark.sql.connect.expressions import ColumnReference, LiteralExpression

from brickyard.dbsql.rewrite import literal
from brickyard.kernel.names import quote


class DeltaTable:
    """A Delta table by name or path."""

    spark: ClassVar[Any] = None

    def __init__(self, name: str, alias: str | None = None) -> None:
        self._name = name
        self._alias = alias

    @classmethod
    def forName(cls, sparkSession: Any, tableOrViewName: str) -> DeltaTable:  # noqa: N802, N803 - Delta's spelling
        """The table of this name; raises AnalysisException when there is none."""
        cls.spark.sql(f"DESCRIBE DETAIL {tableOrViewName}")
        return cls(tableOrViewName)

    @classmethod
    def forPath(cls, sparkSession: Any, path: str, hadoopConf: Any = None) -> DeltaTable:  # noqa: N802, N803
        """The table at this path; raises AnalysisException when there is none."""
        return cls.forName(sparkSession, f"delta.{quote(path)}")

    @classmethod
    def isDeltaTable(cls, sparkSession: Any, identifier: str) -> bool:  # noqa: N802, N803
        """Whether a Delta table lies at this path."""
        try:
            cls.forPath(sparkSession, identifier)
        except AnalysisException:
            return False
        return True

    def alias(self, aliasName: str) -> DeltaTable:  # noqa: N803
        """The table under another name for conditions."""
        return DeltaTable(self._name, aliasName)

    @property
    def _relation(self) -> str:
        return f"{self._name} AS {self._alias}" if self._alias else self._name

    def toDF(self) -> Any:  # noqa: N802
        """Its rows."""
        frame = self.spark.sql(f"SELECT * FROM {self._name}")
        return frame.alias(self._alias) if self._alias else frame

    def history(self, limit: int | None = None) -> Any:
        """DESCRIBE HISTORY."""
        return self.spark.sql(f"DESCRIBE HISTORY {self._name}{f' LIMIT {limit}' if limit else ''}")

    def detail(self) -> Any:
        """DESCRIBE DETAIL."""
        return self.spark.sql(f"DESCRIBE DETAIL {self._name}")

    def delete(self, condition: Any = None) -> Any:
        """DELETE FROM."""
        return self.spark.sql(f"DELETE FROM {self._relation}{_where(condition)}")

    def update(self, condition: Any = None, set: Mapping[str, Any] | None = None) -> Any:  # noqa: A002 - Delta's spelling
        """UPDATE … SET."""
        return self.spark.sql(f"UPDATE {self._relation} SET {_assignments(set or {})}{_where(condition)}")

    def merge(self, source: Any, condition: Any) -> MergeBuilder:
        """MERGE INTO, clause by clause."""
        return MergeBuilder(self.spark, self._relation, source, _sql(condition))

    def vacuum(self, retentionHours: float | None = None) -> Any:  # noqa: N803
        """VACUUM."""
        return self.spark.sql(
            f"VACUUM {self._name}{'' if retentionHours is None else f' RETAIN {retentionHours} HOURS'}"
        )

    def restoreToVersion(self, version: int) -> Any:  # noqa: N802
        """RESTORE."""
        return self.spark.sql(f"RESTORE TABLE {self._name} TO VERSION AS OF {version}")

    def optimize(self) -> Optimizer:
        """OPTIMIZE."""
        return Optimizer(self.spark, self._name)


class Optimizer:
    """What `optimize()` offers."""

    def __init__(self, spark: Any, name: str) -> None:
        self._spark = spark
        self._name = name

    def executeCompaction(self) -> Any:  # noqa: N802
        """Make large files of small ones."""
        return self._spark.sql(f"OPTIMIZE {self._name}")

    def executeZOrderBy(self, *columns: str) -> Any:  # noqa: N802
        """Make large files of small ones."""
        return self._spark.sql(f"OPTIMIZE {self._name} ZORDER BY ({', '.join(columns)})")


class MergeBuilder:
    """The clauses of a MERGE."""

    def __init__(self, spark: Any, target: str, source: Any, condition: str, clauses: tuple[str, ...] = ()) -> None:
        self._spark = spark
        self._target = target
        self._source = source
        self._condition = condition
        self._clauses = clauses

    def _with(self, when: str, condition: Any, then: str) -> MergeBuilder:
        clause = f"WHEN {when}{f' AND {_sql(condition)}' if condition is not None else ''} THEN {then}"
        return MergeBuilder(self._spark, self._target, self._source, self._condition, (*self._clauses, clause))

    def whenMatchedUpdate(self, condition: Any = None, set: Mapping[str, Any] | None = None) -> MergeBuilder:  # noqa: N802, A002
        """WHEN MATCHED THEN UPDATE SET …"""
        return self._with("MATCHED", condition, f"UPDATE SET {_assignments(set or {})}")

    def whenMatchedUpdateAll(self, condition: Any = None) -> MergeBuilder:  # noqa: N802
        """WHEN MATCHED THEN UPDATE SET *"""
        return self._with("MATCHED", condition, "UPDATE SET *")

    def whenMatchedDelete(self, condition: Any = None) -> MergeBuilder:  # noqa: N802
        """WHEN MATCHED THEN DELETE"""
        return self._with("MATCHED", condition, "DELETE")

    def whenNotMatchedInsert(self, condition: Any = None, values: Mapping[str, Any] | None = None) -> MergeBuilder:  # noqa: N802
        """WHEN NOT MATCHED THEN INSERT (…) VALUES (…)"""
        given = values or {}
        sources = ", ".join(map(_sql, given.values()))
        return self._with("NOT MATCHED", condition, f"INSERT ({', '.join(given)}) VALUES ({sources})")

    def whenNotMatchedInsertAll(self, condition: Any = None) -> MergeBuilder:  # noqa: N802
        """WHEN NOT MATCHED THEN INSERT *"""
        return self._with("NOT MATCHED", condition, "INSERT *")

    def whenNotMatchedBySourceUpdate(self, condition: Any = None, set: Mapping[str, Any] | None = None) -> MergeBuilder:  # noqa: N802, A002
        """WHEN NOT MATCHED BY SOURCE THEN UPDATE SET …"""
        return self._with("NOT MATCHED BY SOURCE", condition, f"UPDATE SET {_assignments(set or {})}")

    def whenNotMatchedBySourceDelete(self, condition: Any = None) -> MergeBuilder:  # noqa: N802
        """WHEN NOT MATCHED BY SOURCE THEN DELETE"""
        return self._with("NOT MATCHED BY SOURCE", condition, "DELETE")

    def execute(self) -> Any:
        """Run it."""
        from brickyard.local.kernel.spark import view_of

        name, alias = view_of(self._source)
        relation = f"{name} AS {alias}" if alias else name
        clauses = " ".join(self._clauses)
        return self._spark.sql(f"MERGE INTO {self._target} USING {relation} ON {self._condition} {clauses}")


def _where(condition: Any) -> str:
    return "" if condition is None else f" WHERE {_sql(condition)}"


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_sql(value)}" for name, value in values.items())


def _sql(value: Any) -> str:
    """The SQL of a condition: text as it is, a column by its name, a literal by its value."""
    if isinstance(value, str):
        return value
    expression = value._expr if isinstance(value, Column) else None
    if isinstance(expression, ColumnReference):
        return str(expression._unparsed_identifier)
    if isinstance(expression, LiteralExpression):
        return literal(expression._value)
    raise AnalysisException(f"[LOCAL_UNSUPPORTED] {value} is an expression of Columns: write it as SQL text.")
