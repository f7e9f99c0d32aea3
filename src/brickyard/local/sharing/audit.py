"""Who read what when: the rows of `system.access.audit` that recipients leave."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Row = dict[str, object]


@dataclass(slots=True)
class Event:
    """A request on its way: what is known of it so far."""

    action: str
    address: str
    user_agent: str
    recipient: str = ""
    params: dict[str, str] = field(default_factory=dict)
    result: dict[str, object] = field(default_factory=dict)
    address_denied: bool = False


def row(event: Event, at: datetime, status: int, error: str | None) -> Row:
    """The audit row of an answered request."""
    return {
        "workspace_id": "0",
        "version": "2.0",
        "event_time": at,
        "event_date": at.date(),
        "source_ip_address": event.address,
        "user_agent": event.user_agent,
        "user_identity": {"email": None, "subject_name": None},
        "service_name": "unityCatalog",
        "action_name": event.action,
        "request_id": str(uuid.uuid4()),
        "request_params": dict(_params(event)),
        "response": {"status_code": status, "error_message": error, "result": _text(event.result)},
        "audit_level": "ACCOUNT_LEVEL",
        "event_id": str(uuid.uuid4()),
    }


def _params(event: Event) -> Mapping[str, str]:
    denied = str(event.address_denied).lower()
    return {**event.params, "recipient_name": event.recipient, "is_ip_access_denied": denied}


def _text(result: Mapping[str, object]) -> str | None:
    return json.dumps(result) if result else None
