"""The application: routes, middleware, lifespan."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from app.auth.routes import ENDPOINTS as AUTH
from app.auth.social_routes import ENDPOINTS as SOCIAL
from app.auth.social_routes import POSTED_ELSEWHERE
from app.chats.routes import ENDPOINTS as CHATS
from app.gateway.endpoint import Gateway
from app.kit.clock import SystemClock
from app.protocol import schemas
from app.runs.routes import ENDPOINTS as RUNS
from app.services import Services, build
from app.sessions.routes import ENDPOINTS as SESSIONS
from app.settings import Settings, load_settings
from app.web import health, static_files
from app.web.middleware import EdgeMiddleware
from app.web.openapi import document
from app.web.routing import HANDLERS, routes

ENDPOINTS = [*SESSIONS, *AUTH, *SOCIAL, *CHATS, *RUNS, *health.ENDPOINTS]
SOCKET_PATHS = ("/ws/{session_id}", "/api/v1/chat/ws/{session_id}")


def create_app(
    settings: Settings, opened: AbstractAsyncContextManager[Services] | None = None
) -> Starlette:
    """Return the ASGI application.

    Args:
        settings: the configuration.
        opened: the services it serves; by default they are built when the server starts
            and closed when it stops.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with opened or build(settings) as services:
            yield services.state()

    description = orjson.dumps(document(ENDPOINTS, version=_version()))

    async def openapi(_: Request) -> Response:
        return Response(description, media_type="application/json")

    async def protocol(_: Request) -> Response:
        return Response(orjson.dumps(schemas.document()), media_type="application/json")

    mounted: list[BaseRoute] = [
        *routes(ENDPOINTS),
        Route("/metrics", health.metrics),
        Route("/openapi.json", openapi),
        Route("/protocol.json", protocol),
        *(WebSocketRoute(path, _connect) for path in SOCKET_PATHS),
        *static_files.routes(),
    ]
    return Starlette(
        routes=mounted,
        lifespan=lifespan,
        exception_handlers=HANDLERS,
        middleware=[
            Middleware(
                EdgeMiddleware,
                origins=settings.server.origins,
                monotonic=SystemClock().monotonic,
                posted_elsewhere=POSTED_ELSEWHERE,
            )
        ],
    )


def from_environment() -> Starlette:
    """Return the application as the environment configures it, for any ASGI server:
    ``uvicorn --factory app.main:from_environment``.
    """
    return create_app(load_settings())


async def _connect(socket: WebSocket) -> None:
    gateway: Gateway = socket.state.gateway
    await gateway.connect(socket)


def _version() -> str:
    try:
        return version("colloquy")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
