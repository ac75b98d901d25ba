"""Errors as HTTP answers: one shape for all of them."""

from typing import Any

import orjson
from starlette.responses import Response

from app.kit.errors import AppError, Kind


class BodyTooLarge(AppError):
    """The request's body is larger than the server takes."""

    code = "body_too_large"
    kind = Kind.TOO_LARGE


class HeadTooLarge(AppError):
    """The request's address and headers are longer than 64 KiB."""

    code = "head_too_large"
    kind = Kind.TOO_LARGE


class MalformedBody(AppError):
    """The request's body is not JSON of the documented shape."""

    code = "malformed_body"
    kind = Kind.INVALID


class NotFound(AppError):
    """There is nothing at this address."""

    code = "not_found"
    kind = Kind.NOT_FOUND


class MethodNotAllowed(AppError):
    """The address exists, but not with this method."""

    code = "method_not_allowed"
    kind = Kind.INVALID


class ForeignOrigin(AppError):
    """A page of another site tried to act with this browser's cookie."""

    code = "foreign_origin"
    kind = Kind.FORBIDDEN


STATUS = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.LIMITED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.INTERNAL: 500,
}


def error_body(error: AppError, details: Any = None) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.retry_after_ms is not None:
        body["retry_after_ms"] = error.retry_after_ms
    if details is not None:
        body["details"] = details
    return {"error": body}


def error_response(error: AppError, *, status: int | None = None, details: Any = None) -> Response:
    headers = {"cache-control": "no-store"}
    if error.retry_after_ms is not None:
        headers["retry-after"] = str(-(-error.retry_after_ms // 1000))
    if error.kind is Kind.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return Response(
        orjson.dumps(error_body(error, details)),
        status_code=status or STATUS[error.kind],
        media_type="application/json",
        headers=headers,
    )
