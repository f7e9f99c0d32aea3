"""Page tokens: an offset, opaque to the client."""

from __future__ import annotations

import base64

from brickyard.local.api.errors import invalid
from brickyard.local.api.routes import Call, JsonObject

_PAGE = 1000


def page_token(start: int) -> str:
    """The token of the page that begins at *start*."""
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def page_start(call: Call) -> int:
    """Where the page that a request asks for begins."""
    token = call.query.get("page_token")
    if not token:
        return 0
    try:
        return max(int(base64.urlsafe_b64decode(token.encode())), 0)
    except ValueError as error:
        raise invalid("page_token is not one that this workspace gave.") from error


def page(call: Call, field: str, rows: list[JsonObject], size_name: str = "max_results") -> JsonObject:
    """One page of a list; a size of 0 or none is the server's own."""
    start, size = page_start(call), call.number(size_name, 0)
    if size < 0:
        raise invalid(f"{size_name} must not be negative.")
    end = start + min(size or _PAGE, _PAGE)
    answer: JsonObject = {field: rows[start:end]}
    return {**answer, "next_page_token": page_token(end)} if end < len(rows) else answer
