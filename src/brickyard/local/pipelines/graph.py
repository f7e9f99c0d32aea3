"""What the code of a pipeline declares: datasets and the flows into them, by the modules `dlt` and `pyspark.pipelines`."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from brickyard.local.kernel.control import NotServed

Query = Callable[[], Any]


class Kind(StrEnum):
    """What sort of dataset it is; TABLE is told to be a streaming table or a materialized view by its query."""

    VIEW = "VIEW"
    TABLE = "TABLE"
    STREAMING_TABLE = "STREAMING_TABLE"
    MATERIALIZED_VIEW = "MATERIALIZED_VIEW"


class OnViolation(StrEnum):
    """What an expectation does with rows that break it."""

    KEEP = "ALLOW"
    DROP = "DROP"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A condition in SQL that the rows of a dataset should meet."""

    name: str
    condition: str
    action: OnViolation


@dataclass(frozen=True, slots=True)
class AutoCdc:
    """How a flow applies changes; *sequence_by*, *apply_as_deletes* are SQL text or Columns."""

    source: str
    keys: tuple[str, ...]
    sequence_by: Any
    apply_as_deletes: Any
    column_list: tuple[str, ...]
    except_column_list: tuple[str, ...]
    scd_type: int
    track_history: tuple[str, ...]
    track_history_except: tuple[str, ...]


@dataclass(slots=True)
class Dataset:
    """A table or view of the pipeline; *expectations* fills while its decorators run."""

    name: str
    kind: Kind
    comment: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    partition_columns: tuple[str, ...] = ()
    expectations: list[Expectation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Flow:
    """A query, or a feed of changes, into a dataset."""

    name: str
    target: str
    query: Query | None = None
    cdc: AutoCdc | None = None


class Graph:
    """The datasets and flows of one pipeline, in the order of their declaration."""

    def __init__(self) -> None:
        self.datasets: dict[str, Dataset] = {}
        self.flows: dict[str, Flow] = {}

    def add(self, dataset: Dataset) -> None:
        """Declare a dataset; a second one of the same name is refused."""
        if dataset.name.lower() in self.datasets:
            raise ValueError(f"Cannot redefine dataset '{dataset.name}'.")
        self.datasets[dataset.name.lower()] = dataset

    def add_flow(self, flow: Flow) -> None:
        """Declare a flow; a second one of the same name is refused."""
        if flow.name.lower() in self.flows:
            raise ValueError(f"Cannot redefine flow '{flow.name}'.")
        self.flows[flow.name.lower()] = flow

    def flows_into(self, target: str) -> list[Flow]:
        """The flows that write a dataset."""
        return [flow for flow in self.flows.values() if flow.target.lower() == target.lower()]


@dataclass(frozen=True, slots=True)
class Door:
    """The functions of the modules, over one graph and the session that reads for them."""

    graph: Graph
    spark: Callable[[], Any]

    def dataset(self, kind: Kind) -> Callable[..., Any]:
        """The decorator that declares datasets of a kind; it is used with and without arguments."""

        def decorate(query: Query | None = None, **options: Any) -> Any:
            return self._declare(kind, query, options) if query else lambda q: self._declare(kind, q, options)

        return decorate

    def _declare(self, kind: Kind, query: Query, options: Mapping[str, Any]) -> Query:
        name = str(options.get("name") or getattr(query, "__name__", ""))
        self.graph.add(_dataset(name, kind, options, _expectations_of(query)))
        self.graph.add_flow(Flow(name, name, query))
        return query

    def create_streaming_table(self, name: str, **options: Any) -> None:
        """Declare a streaming table that flows write."""
        found = [
            Expectation(label, condition, action)
            for option, action in _EXPECT_OPTIONS.items()
            for label, condition in (options.get(option) or {}).items()
        ]
        self.graph.add(_dataset(name, Kind.STREAMING_TABLE, options, found))

    def append_flow(self, target: str, name: str | None = None, **options: Any) -> Callable[[Query], Query]:
        """The decorator of a query that appends to a streaming table."""

        def decorate(query: Query) -> Query:
            self.graph.add_flow(Flow(name or getattr(query, "__name__", ""), target, query))
            return query

        return decorate

    def create_auto_cdc_flow(
        self,
        target: str,
        source: str,
        keys: Sequence[Any],
        sequence_by: Any,
        where: Any = None,
        ignore_null_updates: bool = False,
        apply_as_deletes: Any = None,
        apply_as_truncates: Any = None,
        column_list: Sequence[Any] | None = None,
        except_column_list: Sequence[Any] | None = None,
        stored_as_scd_type: int | str = 1,
        track_history_column_list: Sequence[Any] | None = None,
        track_history_except_column_list: Sequence[Any] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        """Declare a flow that applies the changes of *source* to *target*."""
        unserved = {
            "where": where,
            "ignore_null_updates": ignore_null_updates,
            "apply_as_truncates": apply_as_truncates,
        }
        if given := [option for option, value in unserved.items() if value not in (None, False)]:
            raise NotServed(f"create_auto_cdc_flow({given[0]}=…) does not run in the local workspace.")
        if str(stored_as_scd_type) not in ("1", "2"):
            raise ValueError(f"stored_as_scd_type must be 1 or 2, not {stored_as_scd_type!r}")
        cdc = AutoCdc(
            source,
            _names(keys),
            sequence_by,
            apply_as_deletes,
            _names(column_list),
            _names(except_column_list),
            int(stored_as_scd_type),
            _names(track_history_column_list),
            _names(track_history_except_column_list),
        )
        self.graph.add_flow(Flow(name or str(options.get("flow_name") or target), target, None, cdc))

    def read(self, name: str) -> Any:
        """Read a dataset whole (`dlt.read`)."""
        return self.spark().table(name)

    def read_stream(self, name: str) -> Any:
        """Read what is new in a dataset (`dlt.read_stream`)."""
        return self.spark().readStream.table(name)


def install(door: Door) -> None:
    """Make `import dlt` and `from pyspark import pipelines` yield the graph's functions."""
    import pyspark

    common = {
        "table": door.dataset(Kind.TABLE),
        "materialized_view": door.dataset(Kind.MATERIALIZED_VIEW),
        "temporary_view": door.dataset(Kind.VIEW),
        "view": door.dataset(Kind.VIEW),
        "create_streaming_table": door.create_streaming_table,
        "append_flow": door.append_flow,
        "create_auto_cdc_flow": door.create_auto_cdc_flow,
        "apply_changes": door.create_auto_cdc_flow,
        "create_streaming_live_table": door.create_streaming_table,
        "read": door.read,
        "read_stream": door.read_stream,
        **{name: _expect(action) for name, action in _EXPECT.items()},
        **{f"expect_all{name.removeprefix('expect')}": _expect_all(action) for name, action in _EXPECT.items()},
    }
    for name in ("dlt", "pyspark.pipelines"):
        module = types.ModuleType(name)
        module.__dict__.update(common)
        sys.modules[name] = module
    setattr(pyspark, "pipelines", sys.modules["pyspark.pipelines"])  # noqa: B010 - a module's attribute, replaced


_EXPECT = {"expect": OnViolation.KEEP, "expect_or_drop": OnViolation.DROP, "expect_or_fail": OnViolation.FAIL}
_EXPECT_OPTIONS = {
    "expect_all": OnViolation.KEEP,
    "expect_all_or_drop": OnViolation.DROP,
    "expect_all_or_fail": OnViolation.FAIL,
}


def _expect(action: OnViolation) -> Callable[[str, str], Callable[[Query], Query]]:
    return lambda name, condition: _expecting([Expectation(name, condition, action)])


def _expect_all(action: OnViolation) -> Callable[[Mapping[str, str]], Callable[[Query], Query]]:
    return lambda rules: _expecting([Expectation(name, condition, action) for name, condition in rules.items()])


def _expecting(rules: Iterable[Expectation]) -> Callable[[Query], Query]:
    def decorate(query: Query) -> Query:
        _expectations_of(query).extend(rules)
        return query

    return decorate


def _expectations_of(query: Query) -> list[Expectation]:
    """The list that all decorators of one function share, whichever stands above."""
    found: list[Expectation] = query.__dict__.setdefault("expectations", [])
    return found


def _dataset(name: str, kind: Kind, options: Mapping[str, Any], expectations: list[Expectation]) -> Dataset:
    properties = {str(k): str(v) for k, v in (options.get("table_properties") or {}).items()}
    partitions = tuple(options.get("partition_cols") or ())
    return Dataset(name, kind, options.get("comment"), properties, partitions, expectations)


def _names(columns: Sequence[Any] | None) -> tuple[str, ...]:
    return tuple(column if isinstance(column, str) else _name_of(column) for column in columns or ())


def _name_of(column: Any) -> str:
    """The name of a Column such as `col("id")`."""
    return str(column).removeprefix("Column<'").removesuffix("'>")
