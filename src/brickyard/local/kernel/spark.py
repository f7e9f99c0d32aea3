"""`spark` of a notebook: pyspark's own session, whose SQL, tables and writes go through the workspace first.

Statements that the workspace does itself come back as rows; a query comes back as SQL for this very session, so that
temp views, DataFrames and SQL see each other. DataFrames are written as SQL over a temp view.
"""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import json
import os
import sys
import types
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa
from pyspark.errors.exceptions.connect import AnalysisException, ParseException
from pyspark.sql.connect import dataframe as frames
from pyspark.sql.connect import readwriter, session
from pyspark.sql.connect.plan import SQL, LocalRelation, SubqueryAlias
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from brickyard.kernel.names import quote
from brickyard.local.engines.model import is_query
from brickyard.local.engines.retries import Never
from brickyard.local.kernel.spark_catalog import Catalog

S = TypeVar("S", bound="Session")
_TYPES = (
    (bool, "BOOLEAN"),
    (int, "BIGINT"),
    (float, "DOUBLE"),
    (Decimal, "DECIMAL(38,18)"),
    (dt.datetime, "TIMESTAMP"),
    (dt.date, "DATE"),
)


def connect(host: str, token: str) -> Session:
    """Open the session of a notebook and make `delta.tables` importable."""
    return open_session(host, token, Session)


def open_session(host: str, token: str, kind: type[S]) -> S:
    """Open a session of some kind and make `delta.tables` importable."""
    server = _Workspace(host, token, str(uuid.uuid4()))
    spark = kind(server)
    _install(spark)
    return spark


def on_demand(opened: Callable[[], Any], stand_in: Any) -> None:
    """Let code that asks Spark for its session, or imports `delta`, open one; until then *stand_in* is `delta`'s."""
    from brickyard.local.kernel import delta_tables

    found = session.SparkSession.__dict__["getActiveSession"]

    def first(cls: Any) -> Any:
        _put_method("getActiveSession", found)
        opened()
        return cls.getActiveSession()

    _put_method("getActiveSession", classmethod(first))
    os.environ["SPARK_REMOTE"] = "sc://on-demand"  # a builder wants an address before it asks for the session
    _publish(stand_in, delta_tables)


def _put_method(name: str, method: object) -> None:
    setattr(session.SparkSession, name, method)


class _Workspace:
    """The workspace's SQL routes."""

    def __init__(self, host: str, token: str, session_id: str) -> None:
        self.address = urlsplit(host).netloc
        self.token = token
        self.session_id = session_id
        self.temp_views: set[str] = set()

    def post(self, what: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Ask, and raise what Spark would raise when the answer is a refusal."""
        connection = http.client.HTTPConnection(self.address)  # no time limit: a statement may take long
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"/api/local/sql/{what}", json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
        finally:
            connection.close()
        if answer.status >= 400:
            raise AnalysisException(str(found.get("message")))
        if found.get("kind") == "error":
            is_syntax = found["error_class"] == "PARSE_SYNTAX_ERROR"
            refused = ParseException if is_syntax else AnalysisException
            raise refused(found["message"], errorClass=found["error_class"], sql_state=found["sql_state"])
        return found

    def prepare(self, statement: str, parameters: Sequence[Mapping[str, object]] = ()) -> dict[str, Any]:
        """Run a statement, or learn what to run."""
        body = {
            "session_id": self.session_id,
            "statement": statement,
            "parameters": list(parameters),
            "temp_views": sorted(self.temp_views),
        }
        return self.post("prepare", body)

    def locate(self, path: str) -> str:
        """The file of this machine that a path means."""
        found: str = self.post("locate", {"path": path})["path"]
        return found


class Session(session.SparkSession):
    """A Spark Connect session behind the workspace."""

    def __init__(self, workspace: _Workspace) -> None:
        url = workspace.post("session", {"session_id": workspace.session_id})["url"]
        super().__init__(connection=url)
        self.client.set_retry_policies([Never()])
        self.workspace = workspace
        os.environ["SPARK_REMOTE"] = url  # `SparkSession.builder.getOrCreate()` looks for it, then finds this session
        session.SparkSession._set_default_and_active_session(self)

    def sql(self, sqlQuery: str, args: Any = None, **kwargs: Any) -> Any:  # noqa: N803 - Spark's spelling
        """Run one statement; *kwargs* are DataFrames named in the text as `{name}`."""
        text = sqlQuery.format(**{name: _named(value) for name, value in kwargs.items()}) if kwargs else sqlQuery
        answer = self.workspace.prepare(text, _parameters(args))
        if answer["kind"] == "query":
            return self._later(answer["sql"])
        return self.told(answer["arrow"])

    def _later(self, sql: str) -> Any:
        """The rows of engine SQL; a query, which the workspace has checked, the engine sees when they are asked for."""
        return frames.DataFrame(SQL(sql), self) if is_query(sql) else super().sql(sql)

    def told(self, encoded: str) -> frames.DataFrame:
        """Rows of an answer of the workspace, an Arrow stream in base64."""
        with pa.ipc.open_stream(base64.b64decode(encoded)) as reader:
            return _Told(reader.read_all(), self)

    def table(self, tableName: str) -> Any:  # noqa: N803 - Spark's spelling
        """Read a table, a view or a temp view."""
        return self.sql(f"SELECT * FROM {tableName}")

    @property
    def catalog(self) -> Any:
        """The catalog functions."""
        return Catalog(self)

    def stop(self) -> None:
        """A notebook's session lives as long as the notebook."""


class _Told(frames.DataFrame):
    """Rows that came with the workspace's answer: collecting them asks nobody; all else is done by the engine as ever."""

    def __init__(self, rows: pa.Table, spark: Session) -> None:
        empty = LocalRelation(None, from_arrow_schema(rows.schema).json())  # without rows the engine asks for the types
        super().__init__(LocalRelation(rows) if rows.num_rows else empty, spark)
        self._rows = rows

    def _to_table(self) -> tuple[pa.Table, StructType | None]:
        return self._rows, None


def _named(value: object) -> object:
    return _view_of(value) if isinstance(value, frames.DataFrame) else value


def _parameters(args: Any) -> list[dict[str, object]]:
    if isinstance(args, Mapping):
        return [_parameter(name, value) for name, value in args.items()]
    return [_parameter("", value) for value in args or ()]


def _parameter(name: str, value: object) -> dict[str, object]:
    type_ = next((sql for class_, sql in _TYPES if isinstance(value, class_)), "STRING")
    return {"name": name, "value": None if value is None else _text(value), "type": type_}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- reading --------------------------------------------------------------------------------------------------------


def _options(reader: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in reader._options.items()}


def _read_table(reader: Any, tableName: str) -> Any:  # noqa: N803 - Spark's spelling
    return _read_delta(reader, tableName, tableName)


def _read_delta(reader: Any, relation: str, name: str) -> Any:
    options = _options(reader)
    if options.get("readchangefeed", options.get("readchangedata", "false")) == "true":
        return reader._client.sql(_changes(options, name))
    clause = ""
    if "versionasof" in options:
        clause = f" VERSION AS OF {int(options['versionasof'])}"
    elif "timestampasof" in options:
        clause = f" TIMESTAMP AS OF '{options['timestampasof']}'"
    return reader._client.sql(f"SELECT * FROM {relation}{clause}")


def _changes(options: Mapping[str, str], name: str) -> str:
    bounds = [
        options.get(f"{side}version") or f"'{options[f'{side}timestamp']}'"
        for side in ("starting", "ending")
        if f"{side}version" in options or f"{side}timestamp" in options
    ]
    return f"SELECT * FROM table_changes('{name}', {', '.join(bounds)})"


def _load(reader: Any, path: Any = None, format: str | None = None, schema: Any = None, **options: Any) -> Any:  # noqa: A002 - Spark's spelling
    if format is not None:
        reader.format(format)
    reader.options(**options)
    if (reader._format or "delta").lower() == "delta":
        return _read_delta(reader, f"delta.{quote(str(path))}", f"delta.`{path}`")
    paths = [path] if isinstance(path, str) else path
    located = [reader._client.workspace.locate(one) for one in paths] if paths else None
    return _ORIGINAL_LOAD(reader, located, None, schema)


_ORIGINAL_LOAD = readwriter.DataFrameReader.load


# --- writing --------------------------------------------------------------------------------------------------------


def _view_of(frame: Any) -> str:
    """Give a DataFrame a name that SQL can read."""
    name = f"_frame_{uuid.uuid4().hex}"
    frame.createOrReplaceTempView(name)
    return name


def view_of(frame: Any) -> tuple[str, str | None]:
    """Give a DataFrame a name that SQL can read, and tell the alias it has."""
    plan = frame._plan
    alias = plan._alias if isinstance(plan, SubqueryAlias) else None
    return _view_of(frame), alias


class _Source:
    """The plan of a writer as a temp view for the length of a block."""

    def __init__(self, writer: Any) -> None:
        self.spark: Session = writer._spark
        self.frame = frames.DataFrame(writer._df, writer._spark)

    def __enter__(self) -> str:
        self.name = _view_of(self.frame)
        return self.name

    def __exit__(self, *_: object) -> None:
        self.spark.sql(f"DROP VIEW IF EXISTS {self.name}")
        self.spark.workspace.temp_views.discard(self.name)


def _write_options(writer: Any) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in writer._write.options.items()}


def _prepare_writer(writer: Any, format_: str | None, mode: str | None, by: Any, options: Mapping[str, Any]) -> str:
    writer.mode(mode).options(**options)
    if by is not None:
        writer.partitionBy(by)
    if format_ is not None:
        writer.format(format_)
    return (writer._write.mode or "error").lower()


def _save_as_table(
    writer: Any,
    name: str,
    format: str | None = None,  # noqa: A002 - Spark's spelling
    mode: str | None = None,
    partitionBy: Any = None,  # noqa: N803 - Spark's spelling
    **options: Any,
) -> None:
    mode = _prepare_writer(writer, format, mode, partitionBy, options)
    _save(writer, name, writer._spark.catalog.tableExists(name), mode)


def _save(writer: Any, name: str, exists: bool, mode: str) -> None:
    options = _write_options(writer)
    with _Source(writer) as view:
        for statement in _save_statements(writer, name, view, exists, mode, options):
            writer._spark.sql(statement)


def _save_statements(
    writer: Any, name: str, view: str, exists: bool, mode: str, options: Mapping[str, str]
) -> list[str]:
    columns = writer._write.partitioning_cols
    partitions = f" PARTITIONED BY ({', '.join(map(quote, columns))})" if columns else ""
    if mode == "overwrite" and "replacewhere" in options and exists:
        return [f"INSERT INTO {name} REPLACE WHERE {options['replacewhere']} SELECT * FROM {view}"]
    if mode == "overwrite" and exists and options.get("overwriteschema", "false").lower() != "true":
        return [*_new_columns(writer, name, view, options), f"INSERT OVERWRITE {name} BY NAME SELECT * FROM {view}"]
    if mode == "overwrite":
        return [f"CREATE OR REPLACE TABLE {name}{partitions} AS SELECT * FROM {view}"]
    if mode == "append" and exists:
        return [*_new_columns(writer, name, view, options), f"INSERT INTO {name} BY NAME SELECT * FROM {view}"]
    if mode == "ignore" and exists:
        return []
    return [f"CREATE TABLE {name}{partitions} AS SELECT * FROM {view}"]


def _new_columns(writer: Any, name: str, view: str, options: Mapping[str, str]) -> list[str]:
    """With mergeSchema, the statement that adds what the table lacks."""
    if options.get("mergeschema", "false").lower() != "true":
        return []
    known = {column.lower() for column in writer._spark.table(name).columns}
    fields = [f for f in writer._spark.table(view).schema.fields if f.name.lower() not in known]
    added = ", ".join(f"{quote(f.name)} {f.dataType.simpleString()}" for f in fields)
    return [f"ALTER TABLE {name} ADD COLUMNS ({added})"] if added else []


def _insert_into(writer: Any, tableName: str, overwrite: bool | None = None) -> None:  # noqa: N803 - Spark's spelling
    is_overwrite = overwrite if overwrite is not None else writer._write.mode == "overwrite"
    with _Source(writer) as view:
        writer._spark.sql(f"INSERT {'OVERWRITE' if is_overwrite else 'INTO'} {tableName} SELECT * FROM {view}")


def _save_path(
    writer: Any,
    path: str | None = None,
    format: str | None = None,  # noqa: A002 - Spark's spelling
    mode: str | None = None,
    partitionBy: Any = None,  # noqa: N803 - Spark's spelling
    **options: Any,
) -> None:
    mode = _prepare_writer(writer, format, mode, partitionBy, options)
    source = (writer._write.source or "delta").lower()
    path = path or _write_options(writer).get("path")
    if path is None:
        raise AnalysisException("save() needs a path")
    if source == "delta":
        name = f"delta.{quote(path)}"
        _save(writer, name, _is_delta(writer._spark, name), mode)
        return
    _ORIGINAL_SAVE(writer, writer._spark.workspace.locate(path))


_ORIGINAL_SAVE = readwriter.DataFrameWriter.save


def _is_delta(spark: Session, name: str) -> bool:
    try:
        spark.workspace.prepare(f"DESCRIBE DETAIL {name}")
    except AnalysisException:
        return False
    return True


def _write_to(kind: str) -> Any:
    """One of the verbs of `df.writeTo(table)`."""

    def write(writer: Any) -> None:
        columns = [str(c._expr) for c in writer._write.partitioning_columns or ()]
        by = f" PARTITIONED BY ({', '.join(map(quote, columns))})" if columns else ""
        properties = ", ".join(f"'{k}' = '{v}'" for k, v in writer._write.table_properties.items())
        made = f"{writer._table_name}{by}{f' TBLPROPERTIES ({properties})' if properties else ''}"
        with _Source(writer) as view:
            writer._spark.sql(
                {
                    "create": f"CREATE TABLE {made} AS SELECT * FROM {view}",
                    "replace": f"CREATE OR REPLACE TABLE {made} AS SELECT * FROM {view}",
                    "append": f"INSERT INTO {writer._table_name} BY NAME SELECT * FROM {view}",
                    "overwrite_partitions": f"INSERT OVERWRITE {writer._table_name} BY NAME SELECT * FROM {view}",
                }[kind]
            )

    return write


# --- temp views -----------------------------------------------------------------------------------------------------


def _noted(original: Any) -> Any:
    """A method that makes a temp view, which the workspace must then leave alone."""

    def make(frame: Any, name: str) -> None:
        original(frame, name)
        frame._session.workspace.temp_views.add(name.lower())

    return make


def _install(spark: Session) -> None:
    """Make pyspark's readers and writers go through the workspace, and `delta.tables` importable."""
    from brickyard.local.kernel import delta_tables

    patches = {
        readwriter.DataFrameReader: {"table": _read_table, "load": _load},
        readwriter.DataFrameWriter: {"saveAsTable": _save_as_table, "insertInto": _insert_into, "save": _save_path},
        readwriter.DataFrameWriterV2: {
            "create": _write_to("create"),
            "replace": _write_to("replace"),
            "createOrReplace": _write_to("replace"),
            "append": _write_to("append"),
            "overwritePartitions": _write_to("overwrite_partitions"),
        },
        frames.DataFrame: {
            name: _noted(getattr(frames.DataFrame, name)) for name in ("createOrReplaceTempView", "createTempView")
        },
    }
    for class_, methods in patches.items():
        for name, method in methods.items():
            setattr(class_, name, method)
    _publish(spark, delta_tables)


def _publish(spark: Any, module: types.ModuleType) -> None:
    package = types.ModuleType("delta")
    setattr(package, "tables", module)  # noqa: B010 - a module's attribute, unknown to the checker
    setattr(package, "DeltaTable", module.DeltaTable)  # noqa: B010
    sys.modules["delta"] = package
    sys.modules["delta.tables"] = module
    module.DeltaTable.spark = spark
