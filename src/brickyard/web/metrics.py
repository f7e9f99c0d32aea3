"""What the service counts, in Prometheus' format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPMethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

from brickyard.context import Context
from brickyard.kernel.measure import Measure

Look = Callable[[Context], Iterable[Measure]]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The counters of one application, and what its rooms measure when they are asked by *look*."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter(
            "brickyard_requests", "Requests answered.", (*labels, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "brickyard_request_seconds", "Time to answer.", labels, buckets=_BUCKETS, registry=self._registry
        )
        self._jobs = Gauge("brickyard_jobs", "Jobs in the queue, by state.", ("state",), registry=self._registry)
        self._workers = Gauge("brickyard_workers_alive", "Workers that take jobs.", registry=self._registry)

    def saw(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request under its route's template, so that ids in paths do not make series."""
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "other"
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, context: Context) -> bytes:
        """Return everything, the queue as it is now."""
        with context.metadata.read() as tx:
            depth, workers = context.queue.depth(tx), context.queue.workers_alive(tx)
        for state, count in depth.items():
            self._jobs.labels(state).set(count)
        self._workers.set(workers)
        return generate_latest(self._registry) + _measured(self._look(context))


def _measured(measures: Iterable[Measure]) -> bytes:
    """Return what the rooms told, each look anew, so that what is gone makes no series."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for measure in measures:
        labels = tuple(measure.labels)
        if measure.name not in gauges:
            gauges[measure.name] = Gauge(f"brickyard_{measure.name}", measure.help, labels, registry=registry)
        gauge = gauges[measure.name]
        (gauge.labels(**measure.labels) if labels else gauge).set(measure.value)
    return generate_latest(registry)
