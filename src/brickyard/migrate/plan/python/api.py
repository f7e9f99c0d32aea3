"""The calls by which Python names tables, files and notebooks, as data."""

from __future__ import annotations

from dataclasses import dataclass

from brickyard.dbsql.model import Kind, Side
from brickyard.migrate.plan.python.values import Function, Handle, Method, Namespace, Value

SHORTHANDS = {"sql": "spark.sql", "table": "spark.table"}
"""Methods of the session that a notebook may call by their bare name."""

SESSION_NAMES = frozenset({"spark", "sqlContext", "sqlc", "hiveContext"})
BUILTINS = frozenset(
    [
        "str",
        "int",
        "float",
        "bool",
        "len",
        "range",
        "list",
        "tuple",
        "set",
        "frozenset",
        "dict",
        "sorted",
        "reversed",
        "enumerate",
        "zip",
        "map",
        "filter",
        "print",
        "open",
        "isinstance",
        "any",
        "all",
        "min",
        "max",
        "sum",
        "repr",
        "format",
    ]
)
GLOBALS = BUILTINS | {"dbutils", "DeltaTable", "getArgument", "display", "displayHTML", "sc", "SparkSession"}


@dataclass(frozen=True, slots=True)
class Naming:
    """A call whose argument names an object: its position or keywords, and what is done with it."""

    index: int
    keywords: tuple[str, ...]
    side: Side = Side.READ
    kind: Kind = Kind.RELATION


_READ_TABLE = Naming(0, ("tableName", "name"))
JAVA_CATALOG = "spark._jsparkSession.catalog"
_CATALOG = Naming(0, ("tableName", "name"))
NAMING: dict[str, Naming] = {
    "spark.table": _READ_TABLE,
    "spark.read.table": _READ_TABLE,
    "spark.readStream.table": _READ_TABLE,
    "spark.catalog.tableExists": _CATALOG,
    "spark.catalog.refreshTable": _CATALOG,
    "spark.catalog.cacheTable": _CATALOG,
    "spark.catalog.uncacheTable": _CATALOG,
    "spark.catalog.isCached": _CATALOG,
    "spark.catalog.listColumns": _CATALOG,
    "spark.catalog.getTable": _CATALOG,
    "spark.catalog.recoverPartitions": Naming(0, ("tableName",), Side.WRITE, Kind.TABLE),
    "spark.catalog.createTable": Naming(0, ("tableName",), Side.WRITE, Kind.TABLE),
    "spark.catalog.createExternalTable": Naming(0, ("tableName",), Side.WRITE, Kind.TABLE),
    "spark.catalog.functionExists": Naming(0, ("functionName",), Side.READ, Kind.FUNCTION),
    "spark.catalog.getFunction": Naming(0, ("functionName",), Side.READ, Kind.FUNCTION),
    f"{JAVA_CATALOG}.tableExists": _CATALOG,
    f"{JAVA_CATALOG}.refreshTable": _CATALOG,
    "spark.cacheTable": _CATALOG,
    "spark.refreshTable": _CATALOG,
    "spark.uncacheTable": _CATALOG,
    "pyspark.pandas.read_table": Naming(0, ("name",)),
    "DeltaTable.forName": Naming(1, ("tableOrViewName",), Side.READ, Kind.TABLE),
    "DeltaTableBuilder.tableName": Naming(0, ("identifier",), Side.WRITE, Kind.TABLE),
}
"""Calls on objects of the API, by their path."""

TAKE_SCHEMA = frozenset(path for path in NAMING if path.startswith("spark.catalog.")) - {"spark.catalog.createTable"}
"""Calls that take the name's schema as a second argument."""

WRITING: dict[str, Naming] = {
    "saveAsTable": Naming(0, ("name",), Side.WRITE, Kind.TABLE),
    "insertInto": Naming(0, ("tableName",), Side.WRITE, Kind.TABLE),
    "writeTo": Naming(0, ("table",), Side.WRITE, Kind.TABLE),
    "toTable": Naming(0, ("tableName",), Side.WRITE, Kind.TABLE),
    "to_table": Naming(0, ("name",), Side.WRITE, Kind.TABLE),
}
"""Methods that name what they write, whatever they are called on."""

VIEWS = frozenset(
    [
        "createOrReplaceTempView",
        "createTempView",
        "createGlobalTempView",
        "createOrReplaceGlobalTempView",
        "registerTempTable",
    ]
)
"""Methods that make a temporary view."""

READ_FORMATS = frozenset(["load", "parquet", "csv", "json", "orc", "text", "textFile", "delta", "xml", "binaryFile"])
WRITE_FORMATS = frozenset(["save", "parquet", "csv", "json", "orc", "text", "delta", "xml", "start"])
NO_FILES = frozenset(
    [
        "jdbc",
        "snowflake",
        "net.snowflake.spark.snowflake",
        "mongo",
        "mongodb",
        "kafka",
        "eventhubs",
        "bigquery",
        "redshift",
        "com.databricks.spark.sqldw",
        "sqldw",
        "cosmos.oltp",
        "org.elasticsearch.spark.sql",
        "cassandra",
        "rate",
        "socket",
        "sqlserver",
        "postgresql",
        "mysql",
        "oracle",
    ]
)
"""Formats whose `load` and `save` name no file."""

PATHS: dict[str, tuple[tuple[int, Side], ...]] = {
    "dbutils.fs.ls": ((0, Side.READ),),
    "dbutils.fs.head": ((0, Side.READ),),
    "dbutils.fs.rm": ((0, Side.WRITE),),
    "dbutils.fs.mkdirs": ((0, Side.WRITE),),
    "dbutils.fs.put": ((0, Side.WRITE),),
    "dbutils.fs.cp": ((0, Side.READ), (1, Side.WRITE)),
    "dbutils.fs.mv": ((0, Side.READWRITE), (1, Side.WRITE)),
    "dbutils.fs.unmount": ((0, Side.READ),),
    "dbutils.fs.mount": ((1, Side.READ),),
    "DeltaTable.forPath": ((1, Side.READWRITE),),
    "DeltaTable.isDeltaTable": ((1, Side.READ),),
    "DeltaTableBuilder.location": ((0, Side.WRITE),),
    "sc.textFile": ((0, Side.READ),),
    "sc.wholeTextFiles": ((0, Side.READ),),
    "spark.sparkContext.textFile": ((0, Side.READ),),
    "os.listdir": ((0, Side.READ),),
    "os.remove": ((0, Side.WRITE),),
    "os.makedirs": ((0, Side.WRITE),),
    "os.mkdir": ((0, Side.WRITE),),
    "os.path.exists": ((0, Side.READ),),
    "os.path.isfile": ((0, Side.READ),),
    "os.path.isdir": ((0, Side.READ),),
    "os.rename": ((0, Side.READWRITE), (1, Side.WRITE)),
    "shutil.copy": ((0, Side.READ), (1, Side.WRITE)),
    "shutil.copyfile": ((0, Side.READ), (1, Side.WRITE)),
    "shutil.copytree": ((0, Side.READ), (1, Side.WRITE)),
    "shutil.move": ((0, Side.READWRITE), (1, Side.WRITE)),
    "shutil.rmtree": ((0, Side.WRITE),),
    "glob.glob": ((0, Side.READ),),
}
"""Calls that name files, with the positions of the names."""

FILE_READERS = frozenset(
    [
        "read_csv",
        "read_parquet",
        "read_excel",
        "read_json",
        "read_pickle",
        "read_table",
        "read_fwf",
        "read_orc",
        "read_delta",
    ]
)
FILE_WRITERS = frozenset(["to_csv", "to_parquet", "to_excel", "to_json", "to_pickle", "to_orc", "to_html", "savefig"])
FILE_MODULES = frozenset({"pandas", "polars", "pyspark.pandas"})

WIDGETS = frozenset(f"dbutils.widgets.{kind}" for kind in ("text", "dropdown", "combobox", "multiselect"))
HARMLESS = frozenset(
    [
        "print",
        "display",
        "displayHTML",
        "info",
        "warning",
        "warn",
        "debug",
        "error",
        "exception",
        "critical",
        "log",
        "exit",
        "show",
    ]
)
"""Calls that only show what they are given."""

DELTA_WRITES = {
    "merge": (Side.READWRITE, "MERGE"),
    "update": (Side.READWRITE, "UPDATE"),
    "delete": (Side.READWRITE, "DELETE"),
    "vacuum": (Side.WRITE, "VACUUM"),
    "optimize": (Side.WRITE, "OPTIMIZE"),
    "restoreToVersion": (Side.WRITE, "RESTORE"),
    "restoreToTimestamp": (Side.WRITE, "RESTORE"),
    "upgradeTableProtocol": (Side.WRITE, "ALTER"),
    "generate": (Side.WRITE, "GENERATE"),
}
WRITE_TO = {
    "append": "writeTo append",
    "overwrite": "writeTo overwrite",
    "overwritePartitions": "writeTo overwrite",
    "create": "writeTo create",
    "replace": "writeTo replace",
    "createOrReplace": "writeTo replace",
}


def attribute(owner: Value, name: str) -> Value:
    """What `owner.name` is."""
    if isinstance(owner, Namespace):
        value = owner.get(name)
        return value if value is not None and not isinstance(value, Function) else Method(owner, name)
    if isinstance(owner, Handle) and name == "DeltaTable":
        return Handle("DeltaTable")
    if isinstance(owner, Handle):
        return Handle(f"{owner.path}.{name}", owner.options, owner.uses)
    if name in ("write", "writeStream"):
        return Handle("write")
    if name in ("spark", "sparkSession", "sql_ctx"):
        return Handle("spark")
    return Handle("DeltaTable") if name == "DeltaTable" else Method(owner, name)
