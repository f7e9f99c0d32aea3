"""The names that every notebook finds: `spark`, `dbutils`, `display` and their like."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any, Protocol

from brickyard.local.kernel import display
from brickyard.local.kernel.control import Unserved
from brickyard.local.kernel.dbutils import DbUtils
from brickyard.local.kernel.python import Namespace
from brickyard.local.kernel.record import Recorder


class Spark(Protocol):
    """What the kernel itself needs of a Spark session."""

    def sql(self, sqlQuery: str, args: dict[str, str] | None = None) -> display.SparkFrame:  # noqa: N803 - Spark's spelling
        """Run one statement."""
        ...

    def table(self, tableName: str) -> display.SparkFrame:  # noqa: N803 - Spark's spelling
        """A table as a DataFrame."""
        ...


class LazySpark:
    """`spark`: a session that is opened when it is first used, so that a notebook without SQL does not wait for an engine."""

    def __init__(self, opened: Callable[[], Spark]) -> None:
        self._opened = opened

    def __getattr__(self, name: str) -> object:
        return getattr(self._opened(), name)

    def __repr__(self) -> str:
        return repr(self._opened())

    @property
    def __class__(self) -> type:  # type: ignore[override]  # what isinstance asks, answered for the session
        return type(self._opened())


def shower(recorder: Recorder) -> Callable[..., None]:
    """What `display` does; further arguments (stream names, triggers) mean nothing here."""
    return lambda value=None, *_, **__: recorder.output(display.shown(value))


def fill(dbutils: DbUtils, recorder: Recorder, spark: Callable[[], Spark]) -> Namespace:
    """Make the main module of this process and return its globals, the usual names in them."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    namespace: Namespace = main.__dict__
    namespace |= {
        "spark": LazySpark(spark),
        "sql": lambda query, *given, **named: spark().sql(query, *given, **named),
        "table": lambda name: spark().table(name),
        "udf": _udf,
        "dbutils": dbutils,
        "display": shower(recorder),
        "displayHTML": lambda html: recorder.output({"type": "html", "html": str(html)}),
        "getArgument": dbutils.widgets.getArgument,
        "sc": _absent("sc", "the SparkContext", "DataFrames and spark.createDataFrame"),
        "sqlContext": _absent("sqlContext", "the SQLContext", "spark.sql and spark.table"),
    }
    _offer_to_sdk(namespace)
    return namespace


def _udf(*given: Any, **named: Any) -> object:
    from pyspark.sql import functions

    return functions.udf(*given, **named)


def _absent(name: str, what: str, instead: str) -> Unserved:
    return Unserved(f"{name}: {what} does not exist under Spark Connect, as on serverless compute; use {instead}.")


def _offer_to_sdk(namespace: Namespace) -> None:
    """Make `from databricks.sdk.runtime import *` yield these very objects."""
    holder = types.SimpleNamespace(get_namespace_globals=lambda: namespace)
    module = types.ModuleType("dbruntime")
    module.__dict__["UserNamespaceInitializer"] = types.SimpleNamespace(getOrCreate=lambda: holder)
    sys.modules["dbruntime"] = module
