"""Databricks' errors as ours, with its own words; a thing we may not see is never a thing that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from brickyard.kernel.errors import BrickyardError, NotFound, Unauthorized, WorkspaceDown, WorkspaceRefused

if TYPE_CHECKING:
    from databricks.sdk.errors import DatabricksError


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise ours for an error of the SDK in the block, saying *what* was tried ("read table a.b.c").

    NotFound, Unauthorized (401), WorkspaceRefused (anything else Databricks said, 403 among it) or WorkspaceDown.
    Works as a decorator too.
    """
    from databricks.sdk.errors import DatabricksError  # whoever holds a client has paid for this import
    from requests import RequestException

    try:
        yield
    except DatabricksError as error:
        raise refusal(what, error) from error
    except (RequestException, TimeoutError) as error:
        raise WorkspaceDown(
            f"{what}: the workspace did not answer: {error}", remedy="check its address and the network, then try again"
        ) from error


def refusal(what: str, error: DatabricksError) -> BrickyardError:
    """Return our error for one of the SDK's."""
    from databricks.sdk.errors import platform

    status = status_of(error)
    message = f"{what}: {error.kwargs.get('own_words') or error}"
    if status == 401:
        return Unauthorized(message, code="workspace-unauthorized", remedy="check the workspace's token")
    if status == 403:
        return forbidden(message, error.error_code)
    if isinstance(error, platform.NotFound):
        return NotFound(message)
    return WorkspaceRefused(message, status=status, databricks_code=error.error_code)


def forbidden(message: str, databricks_code: str | None) -> WorkspaceRefused:
    """Return the error for a thing that this user may not see or change."""
    return WorkspaceRefused(
        message,
        status=403,
        databricks_code=databricks_code,
        code="workspace-forbidden",
        remedy="ask for the privilege that the message names",
    )


def status_of(error: DatabricksError) -> int | None:
    """Return the HTTP status of an error, from the reply or, for a plain client, from the error's class."""
    from databricks.sdk.errors import platform

    known = error.kwargs.get("http_status")
    by_class = (status for status, kind in platform.STATUS_CODE_MAPPING.items() if isinstance(error, kind))
    return known if known is not None else next(by_class, None)
