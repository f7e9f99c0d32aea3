"""Faults that a test asks for, and the record of every request answered."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from brickyard.local.api.errors import default_code, invalid
from brickyard.local.api.routes import Answer, Call, Router, field_number, field_text

KINDS = ("fail_next", "drop_reply", "delay", "rate_limit", "empty_page")
ANSWERING = frozenset({"fail_next", "rate_limit", "empty_page"})  # instead of performing the call
_EXCERPT = 2000
_KEPT = 20_000


@dataclass(slots=True)
class Fault:
    """What to do to the next `times` calls of an operation whose body or path contains `matching`."""

    kind: str
    operation: str
    times: int = 1
    matching: str | None = None
    status: int = 500
    error_code: str = "INTERNAL_ERROR"
    message: str = "Injected fault."
    seconds: float = 0.0
    retry_after: int = 1

    def hits(self, operation: str, text: str) -> bool:
        """Whether the fault is meant for this call."""
        return self.times > 0 and operation == self.operation and (self.matching is None or self.matching in text)


class Faults:
    """The faults still to come."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Plan a fault."""
        with self._lock:
            self._pending.append(fault)

    def take(self, operation: str, text: str) -> tuple[Fault, ...]:
        """The faults of this call, each counted once; of those that answer in its stead only the first is taken."""
        taken: list[Fault] = []
        with self._lock:
            for fault in self._pending:
                if fault.hits(operation, text) and not (_answers(fault) and any(map(_answers, taken))):
                    fault.times -= 1
                    taken.append(fault)
            self._pending = [f for f in self._pending if f.times > 0]
        return tuple(taken)

    def pending(self) -> list[Fault]:
        """The faults not used up."""
        with self._lock:
            return list(self._pending)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._pending.clear()


def _answers(fault: Fault) -> bool:
    return fault.kind in ANSWERING


@dataclass(frozen=True, slots=True)
class Request:
    """One answered request; `status` 0 means that the reply was dropped on purpose."""

    operation: str
    method: str
    path: str
    query: str
    principal: str
    time: str
    seconds: float
    status: int
    body_sha256: str
    body: str


class RequestLog:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._rows: deque[Request] = deque(maxlen=_KEPT)

    def add(self, row: Request) -> None:
        """Remember a request."""
        self._rows.append(row)

    def rows(self, operation: str | None = None) -> tuple[Request, ...]:
        """All requests, or those of one operation."""
        return tuple(r for r in tuple(self._rows) if operation in (None, r.operation))

    def clear(self) -> None:
        """Forget all of them."""
        self._rows.clear()


def excerpt(path: str, body: bytes) -> str:
    """The part of a body that the request log keeps; secrets and file contents stay out."""
    secret = ("/api/2.0/secrets/put", "/api/2.0/fs/", "/api/2.0/token/", "/api/2.1/unity-catalog/providers")
    if path.startswith(secret):
        return ""
    return body[:_EXCERPT].decode("utf-8", "replace")


def body_digest(body: bytes) -> str:
    """SHA-256 of a body, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def timestamp() -> str:
    """The current time in ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Control:
    """What the owner's control routes work on."""

    faults: Faults
    requests: RequestLog


router: Router[Control] = Router()


@router.on("POST", "/api/local/faults", operation="local.add_fault")
def add_fault(control: Control, call: Call) -> Answer:
    """Plan a fault."""
    control.faults.add(parse_fault(call.body()))
    return {}


@router.on("GET", "/api/local/faults", operation="local.list_faults")
def list_faults(control: Control, call: Call) -> Answer:
    """List the faults not used up."""
    return {"faults": [asdict(f) for f in control.faults.pending()]}


@router.on("DELETE", "/api/local/faults", operation="local.clear_faults")
def clear_faults(control: Control, call: Call) -> Answer:
    """Forget all faults."""
    control.faults.clear()
    return {}


@router.on("GET", "/api/local/requests", operation="local.list_requests")
def list_requests(control: Control, call: Call) -> Answer:
    """List the recorded requests."""
    rows = control.requests.rows(call.query.get("operation"))
    return {"requests": [asdict(r) for r in rows]}


@router.on("DELETE", "/api/local/requests", operation="local.clear_requests")
def clear_requests(control: Control, call: Call) -> Answer:
    """Forget the recorded requests."""
    control.requests.clear()
    return {}


def parse_fault(body: Mapping[str, object]) -> Fault:
    """Read a fault from JSON."""
    kind = field_text(body, "kind")
    if kind not in KINDS:
        raise invalid(f"kind must be one of {', '.join(KINDS)}")
    status = 429 if kind == "rate_limit" else field_number(body, "status", 500)
    seconds = body.get("seconds") or 0
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise invalid("seconds must be a number")
    matching = body.get("matching")
    return Fault(
        kind=kind,
        operation=field_text(body, "operation"),
        times=field_number(body, "times", 1),
        matching=str(matching) if matching else None,
        status=status,
        error_code=field_text(body, "error_code", default_code(status)),
        message=field_text(body, "message", "Injected fault."),
        seconds=float(seconds),
        retry_after=field_number(body, "retry_after", 1),
    )
