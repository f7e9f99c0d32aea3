"""Refusals of the REST face, in Databricks' own envelope."""

from __future__ import annotations

from collections.abc import Mapping

_STATUS_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
}


class ApiError(Exception):
    """A refusal: HTTP status, Databricks error code, message; `metadata` goes to the error details."""

    def __init__(
        self,
        status: int,
        error_code: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{error_code}: {message}")
        self.status = status
        self.error_code = error_code
        self.message = message
        self.metadata = metadata or {}
        self.headers = headers or {}

    def body(self) -> dict[str, object]:
        """The JSON envelope that the SDK decodes."""
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.error_code,
            "domain": "local.brickyard",
            "metadata": dict(self.metadata),
        }
        return {"error_code": self.error_code, "message": self.message, "details": [info]}


def default_code(status: int) -> str:
    """The error code that Databricks most often sends with an HTTP status."""
    return _STATUS_CODES.get(status, "UNKNOWN")


def invalid(message: str) -> ApiError:
    """The request itself is wrong."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def missing(message: str, code: str = "RESOURCE_DOES_NOT_EXIST") -> ApiError:
    """The thing named does not exist."""
    return ApiError(404, code, message)


def exists(message: str, code: str = "RESOURCE_ALREADY_EXISTS") -> ApiError:
    """The thing named exists already."""
    return ApiError(400, code, message)


def denied(message: str) -> ApiError:
    """The principal may not do this."""
    return ApiError(403, "PERMISSION_DENIED", message)


def unbuilt(what: str) -> ApiError:
    """Databricks has it; the local workspace does not."""
    return ApiError(501, "NOT_IMPLEMENTED", f"The local workspace does not serve {what}.")
