"""How a question to Databricks is asked: only its own "does not exist" means absent, and questions go side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from brickyard.kernel.errors import NotFound, WorkspaceRefused
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

T = TypeVar("T")
V = TypeVar("V")

AT_ONCE = 8
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


def found(what: str, ask: Callable[[], T], *, absent: Iterable[str] = ()) -> T | None:
    """Return the answer, or None when Databricks says that this very thing does not exist.

    *absent* are the error codes that say so beside the general ones. Any other 404 (a missing metastore, an address
    that nobody serves) is an error like a 403 or a 5xx. Raises the errors of `brickyard.workspace.translated`.
    """
    from databricks.sdk.errors import DatabricksError

    try:
        with translated(what):
            return ask()
    except NotFound as error:
        cause = error.__cause__
        code = cause.error_code if isinstance(cause, DatabricksError) else None
        if code in (*_ABSENT, *absent):
            return None
        raise WorkspaceRefused(error.message, status=404, databricks_code=code) from error


def together(ask: Callable[[V], T], values: Iterable[V], at_once: int = AT_ONCE) -> list[T]:
    """Ask about each value, several at a time; the answers come in the order of the values, the first error is raised."""
    asked = list(values)
    if len(asked) < 2:
        return [ask(value) for value in asked]
    with ThreadPoolExecutor(min(at_once, len(asked))) as pool:
        return list(pool.map(ask, asked))


def whoami(client: WorkspaceClient) -> tuple[str, frozenset[str]]:
    """Return the name of the identity that the client runs as, and its groups."""
    with translated("ask who we are"):
        me = client.current_user.me()
    return me.user_name or "", frozenset(group.display for group in me.groups or () if group.display)
