"""An update in its process: evaluate the flows of a graph in the order of their reads, and tell how it goes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from brickyard.kernel.names import quote
from brickyard.local.catalog.model import PIPELINE_ID, PIPELINE_KIND
from brickyard.local.kernel.control import NotServed
from brickyard.local.kernel.server import Server
from brickyard.local.pipelines import apply
from brickyard.local.pipelines.apply import Written
from brickyard.local.pipelines.graph import Dataset, Expectation, Flow, Graph, Kind, OnViolation
from brickyard.local.pipelines.order import UpdateOrder
from brickyard.local.pipelines.session import PipelineSession

POLL_SECONDS = 1.0
_ROUTE = "/api/local/pipelines"


class ExpectationFailed(Exception):
    """Rows broke an expectation that must hold."""


@dataclass(slots=True)
class FlowState:
    """The flow at work: which versions it has read, and whether it read a stream at all."""

    flow: Flow
    versions: dict[str, int] = field(default_factory=dict)
    frames: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = field(default_factory=dict)
    news: bool = False


class Updater:
    """Runs the flows of one update; the session asks it for the pipeline's own names and for streams."""

    def __init__(self, order: UpdateOrder, graph: Graph, spark: PipelineSession, server: Server) -> None:
        self.order = order
        self.graph = graph
        self.spark = spark
        self.server = server
        self._at_work: list[FlowState] = []
        self._done: set[str] = set()
        self._begun: list[str] = []
        self._refreshed: set[str] = set()
        self._sources: dict[str, int] = {}
        self._metrics: dict[str, list[dict[str, object]]] = {}

    def run(self) -> None:
        """Refresh the datasets once, or again whenever a source has a new version."""
        for flow in self.graph.flows.values():
            if self._find(flow.target) is None:
                raise ValueError(f"The flow '{flow.name}' writes '{flow.target}', which the pipeline does not declare.")
        self.tell_progress("SETTING_UP_TABLES")
        self.tell_progress("RUNNING")
        if self.order.validate_only:
            return
        self._refresh()
        while self.order.continuous:
            self._await_news()
            self._done.clear()
            self._refresh()

    def _refresh(self) -> None:
        chosen = {self.full_name(name).lower() for name in self.order.only}
        for dataset in list(self.graph.datasets.values()):
            if dataset.kind is not Kind.VIEW and (not chosen or self.full_name(dataset.name).lower() in chosen):
                self._materialize(dataset)

    def _await_news(self) -> None:
        """Wait until a source that was read has another version."""
        while True:
            time.sleep(POLL_SECONDS)
            found = self.server.post(f"{_ROUTE}/versions", {"sources": sorted(self._sources)})
            if found.get("versions") != self._sources:
                return

    # names

    def full_name(self, name: str) -> str:
        """`catalog.schema.name` of a dataset; `LIVE.` is the pipeline's own schema."""
        parts = [part for part in name.split(".") if part]
        if parts[0].upper() == "LIVE":
            parts = parts[1:]
        return ".".join([self.order.catalog, self.order.schema][: 3 - len(parts)] + parts)

    def _find(self, name: str) -> Dataset | None:
        view = self.graph.datasets.get(name.lower().removeprefix("live."))
        if view is not None and (view.kind is Kind.VIEW or "." not in name):
            return view
        wanted = self.full_name(name).lower()
        tables = (d for d in self.graph.datasets.values() if d.kind is not Kind.VIEW)
        return next((d for d in tables if self.full_name(d.name).lower() == wanted), None)

    def relation(self, name: str) -> str | None:
        """What SQL is to read for a name of the pipeline's own; what it names is up to date then."""
        dataset = self._find(name)
        if dataset is None:
            return None
        if dataset.kind is Kind.VIEW:
            return self.spark.view(self._query(self.graph.flows_into(dataset.name)[0]))
        if not self._at_work or self._find(self._at_work[-1].flow.target) is not dataset:
            self._materialize(dataset)
        return quoted(self.full_name(dataset.name))

    def increment(self, name: str, options: Mapping[str, str]) -> Any:
        """The rows of a source that the flow at work has not read yet."""
        if not self._at_work:
            raise NotServed("A stream is read inside of a flow's function, not while the pipeline is declared.")
        dataset, state = self._find(name), self._at_work[-1]
        if dataset is not None and dataset.kind is Kind.VIEW:
            return self._query(self.graph.flows_into(dataset.name)[0])
        if dataset is not None:
            self._materialize(dataset)
        key = (self.full_name(name), tuple(sorted(options.items())))
        if key not in state.frames:
            state.frames[key] = self._read(state, key[0], dict(options))
        return state.frames[key]

    def _read(self, state: FlowState, source: str, options: dict[str, str]) -> Any:
        body = {"flow": state.flow.name, "source": source, "options": options}
        answer = self.server.post(f"{_ROUTE}/read", body)
        state.versions[source] = self._sources[source] = int(str(answer["version"]))
        state.news = state.news or bool(answer["news"])
        if "arrow" in answer:
            return self.spark.read_arrow(str(answer["arrow"]))
        return self.spark.plain(str(answer["query"]))

    # datasets

    def _materialize(self, dataset: Dataset) -> None:
        if dataset.name in self._done:
            return
        if dataset.name in self._begun:
            circle = " -> ".join([*self._begun[self._begun.index(dataset.name) :], dataset.name])
            raise ValueError(f"The datasets read each other in a circle: {circle}.")
        self._begun.append(dataset.name)
        try:
            flows = [flow for flow in self.graph.flows.values() if self._find(flow.target) is dataset]
            if self._is_full(dataset):
                self._forget(dataset, flows)
            for flow in flows:
                self._run_flow(dataset, flow)
        finally:
            self._begun.pop()
        self._done.add(dataset.name)
        self._refreshed.add(dataset.name)

    def _is_full(self, dataset: Dataset) -> bool:
        """Whether a dataset is computed anew: once in an update that asks for it."""
        asked = {self.full_name(name).lower() for name in self.order.full if name != "*"}
        wanted = "*" in self.order.full or self.full_name(dataset.name).lower() in asked
        return wanted and dataset.name not in self._refreshed

    def _forget(self, dataset: Dataset, flows: list[Flow]) -> None:
        """Let the flows read from the beginning, and the table be made anew."""
        self.server.post(f"{_ROUTE}/reset", {"flows": [flow.name for flow in flows]})
        if dataset.kind is not Kind.MATERIALIZED_VIEW:
            apply.empty(self.spark, quoted(self.full_name(dataset.name)))

    def _run_flow(self, dataset: Dataset, flow: Flow) -> None:
        target = self.full_name(dataset.name)
        self._tell_flow(flow, target, "STARTING", {})
        try:
            written = self._write(dataset, flow, target)
        except Exception as error:
            self._tell_flow(flow, target, "FAILED", {}, error)
            raise
        self._tell_flow(flow, target, "COMPLETED", written.metrics())

    def _write(self, dataset: Dataset, flow: Flow, target: str) -> Written:
        state = FlowState(flow)
        self._at_work.append(state)
        try:
            frame = self._query(flow) if flow.query else self._changes(flow)
            if frame is None:
                raise TypeError(f"The function of the flow '{flow.name}' returned no DataFrame.")
            checked, self._metrics[flow.name] = self._expected(frame, dataset, flow)
            kind = _kind(dataset, flow, streamed=bool(state.versions))
            marks = {PIPELINE_ID: self.order.pipeline_id, PIPELINE_KIND: kind.value}
            job = apply.Job(self.spark, dataset, quoted(target), self._writer(flow, target, kind, state), marks)
            if kind is Kind.MATERIALIZED_VIEW:
                return apply.replace_all(job, checked)
            if state.versions and not state.news:
                return apply.nothing(job, checked, flow.cdc)
            return apply.append(job, checked) if flow.cdc is None else apply.apply_changes(job, checked, flow.cdc)
        finally:
            self._at_work.pop()

    def _writer(
        self, flow: Flow, target: str, kind: Kind, state: FlowState
    ) -> Callable[[Callable[[], Written]], Written]:
        """What wraps a write, so that it and the checkpoint cannot tell different stories after a crash."""

        def write(work: Callable[[], Written]) -> Written:
            body = {"flow": flow.name, "target": target, "kind": kind, "versions": state.versions}
            self.server.post(f"{_ROUTE}/begin", body)
            written = work()
            self.server.post(f"{_ROUTE}/commit", {"flow": flow.name})
            return written

        return write

    def _query(self, flow: Flow) -> Any:
        return None if flow.query is None else flow.query()

    def _changes(self, flow: Flow) -> Any:
        return None if flow.cdc is None else self.increment(flow.cdc.source, {})

    def _expected(self, frame: Any, dataset: Dataset, flow: Flow) -> tuple[Any, list[dict[str, object]]]:
        """The rows that may be written, and how many rows met each expectation."""
        if not dataset.expectations:
            return frame, []
        view = self.spark.view(frame)
        figures = [self._count(view, rule, dataset) for rule in dataset.expectations]
        for rule, figure in zip(dataset.expectations, figures, strict=True):
            if rule.action is OnViolation.FAIL and figure["failed_records"]:
                raise ExpectationFailed(
                    f"Flow '{flow.name}' failed to meet the expectation '{rule.name}': "
                    f"{figure['failed_records']} rows break {rule.condition}."
                )
        dropping = [f"({rule.condition})" for rule in dataset.expectations if rule.action is OnViolation.DROP]
        kept = f"SELECT * FROM {view} WHERE {' AND '.join(dropping)}" if dropping else f"SELECT * FROM {view}"
        return self.spark.plain(kept), figures

    def _count(self, view: str, rule: Expectation, dataset: Dataset) -> dict[str, object]:
        query = f"SELECT count_if({rule.condition}) AS passed, count(*) AS total FROM {view}"
        row = self.spark.plain(query).collect()[0]
        passed, total = int(row[0] or 0), int(row[1])
        return {"name": rule.name, "dataset": dataset.name, "passed_records": passed, "failed_records": total - passed}

    # telling

    def tell_progress(self, state: str) -> None:
        """Say how far the update is."""
        self._tell("update_progress", f"Update {self.order.update_id[:6]} is {state}.", {"state": state}, {})

    def _tell_flow(
        self, flow: Flow, target: str, status: str, metrics: Mapping[str, int], error: Exception | None = None
    ) -> None:
        origin = {"flow_id": str(uuid.uuid5(uuid.NAMESPACE_URL, flow.name)), "flow_name": flow.name}
        details: dict[str, object] = {"status": status}
        if metrics or status == "COMPLETED":
            details["metrics"] = dict(metrics)
        if figures := self._metrics.pop(flow.name, []):
            details["data_quality"] = {"expectations": figures}
        said = f"Flow '{flow.name}' is {status}." if error is None else f"Flow '{flow.name}' has FAILED: {error}"
        self._tell("flow_progress", said, details, {**origin, "dataset_name": target}, error)

    def _tell(
        self,
        event_type: str,
        message: str,
        details: Mapping[str, object],
        origin: Mapping[str, str],
        error: Exception | None = None,
    ) -> None:
        body: dict[str, object] = {"event_type": event_type, "message": message, "details": details, "origin": origin}
        if error is not None:
            body["error"] = {"class_name": type(error).__name__, "message": str(error)}
        self.server.post(f"{_ROUTE}/events", body)


def quoted(name: str) -> str:
    """A dotted name with every part quoted."""
    return ".".join(quote(part) for part in name.split("."))


def _kind(dataset: Dataset, flow: Flow, *, streamed: bool) -> Kind:
    if dataset.kind is Kind.TABLE:
        return Kind.STREAMING_TABLE if streamed or flow.cdc else Kind.MATERIALIZED_VIEW
    if dataset.kind is Kind.MATERIALIZED_VIEW and streamed:
        raise ValueError(f"The materialized view '{dataset.name}' reads a stream; declare a streaming table.")
    return dataset.kind
