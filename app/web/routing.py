"""Serves endpoints: body in as a model, answer out as JSON, errors in one shape."""

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import parse_qsl

import structlog
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from app.kit.endpoint import Endpoint, Reply
from app.kit.errors import AppError
from app.web.errors import (
    BodyTooLarge,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    error_response,
)

log = structlog.get_logger()


def routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Return Starlette's routes for ``endpoints`` and their aliases."""
    return [
        Route(path, _served(endpoint), methods=[endpoint.method])
        for endpoint in endpoints
        for path in (endpoint.path, *endpoint.aliases)
    ]


def _served(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        if endpoint.body is None:
            reply = await endpoint.handler(request)
        else:
            reply = await endpoint.handler(request, await _body(request, endpoint))
        return _response(endpoint, reply)

    return serve


async def _body(request: Request, endpoint: Endpoint) -> object:
    limit: int = request.state.body_bytes
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise BodyTooLarge(f"A request has at most {limit} bytes.")
    if not data and not endpoint.body_required:
        return None
    if endpoint.body is None:
        raise RuntimeError("an endpoint without a body has nothing to read")
    try:
        if endpoint.is_form:
            return endpoint.body.model_validate(dict(parse_qsl(data.decode("utf-8", "replace"))))
        return endpoint.body.model_validate_json(bytes(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise MalformedBody("The body is not valid JSON.") from error
        where = ".".join(str(part) for part in first["loc"]) or "body"
        says = first["msg"].removeprefix("Value error, ")
        raise MalformedBody(f"{where}: {says}.") from error


def _response(endpoint: Endpoint, reply: Reply) -> Response:
    content = b"" if reply.body is None else reply.body.model_dump_json().encode()
    response = Response(
        content,
        status_code=reply.status or endpoint.status,
        media_type="application/json",
        headers={"cache-control": "no-store"},  # tokens and chats: for this reader, now
    )
    for name, value in reply.headers:
        response.raw_headers.append((name.encode("latin-1"), value.encode("latin-1")))
    return response


async def on_app_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, AppError):
        raise error
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, in our shape."""
    if isinstance(error, HTTPException) and error.status_code == 405:  # noqa: PLR2004
        answer = error_response(
            MethodNotAllowed("This address does not have that method."), status=405
        )
        answer.headers["allow"] = ", ".join(sorted(_methods_here(request)))
        return answer
    return error_response(NotFound("There is nothing at this address."))


def _methods_here(request: Request) -> set[str]:
    """Return the methods of all routes of the address: each route has but its own."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


async def on_disconnect(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it


HANDLERS = {
    AppError: on_app_error,
    HTTPException: on_http_error,
    ClientDisconnect: on_disconnect,
}
