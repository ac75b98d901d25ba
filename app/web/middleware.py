"""What applies to every HTTP request: security headers, origins, timings."""

import re
from collections.abc import Callable, Collection

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.origins import may_act
from app.kit.errors import AppError
from app.observability.metrics import HTTP_SECONDS
from app.web.errors import ForeignOrigin, error_response

log = structlog.get_logger()

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Not every browser takes 'self' to mean this server's WebSockets too, so they are named.
_CSP = (
    "default-src 'self'; img-src 'self' data:; connect-src 'self'{sockets}; object-src 'none';"
    " base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class EdgeMiddleware:
    """Plain ASGI: adds security headers, refuses unsafe requests that another site's page
    makes with this browser's cookie, answers for bugs, and measures.

    Args:
        app: what it wraps.
        origins: other sites' pages that may use this server.
        monotonic: the clock, in seconds.
        posted_elsewhere: paths to which other sites' pages post, and which bring a proof of
            their own that this browser wants it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: list[str],
        monotonic: Callable[[], float],
        posted_elsewhere: Collection[str] = (),
    ) -> None:
        self._app = app
        self._posted_elsewhere = posted_elsewhere
        self._origins = origins
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._monotonic()
        status = 500
        begun = False
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        listed = origin if origin in self._origins else None

        async def send_with_headers(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status = message["status"]
                begun = True
                answer = MutableHeaders(raw=message["headers"])
                answer.setdefault("content-security-policy", _policy(headers.get("host")))
                if self._origins:
                    answer.add_vary_header("origin")
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
                if listed is not None:
                    answer["access-control-allow-origin"] = listed
                    answer["access-control-allow-credentials"] = "true"
            await send(message)

        if scope["method"] == "OPTIONS" and listed is not None:
            await self._preflight(send_with_headers)
        elif self._is_foreign(scope["method"], scope["path"], headers, listed):
            refusal = error_response(ForeignOrigin("This page may not act here."))
            await refusal(scope, receive, send_with_headers)
        else:
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception:
                if begun:
                    raise
                log.exception("request_crashed", method=scope["method"])
                answer = error_response(AppError("Something went wrong on our side."))
                await answer(scope, receive, send_with_headers)
        route = scope.get("route")
        HTTP_SECONDS.labels(getattr(route, "path", "other"), str(status)).observe(
            self._monotonic() - began
        )

    def _is_foreign(self, method: str, path: str, headers: Headers, listed: str | None) -> bool:
        """Whether a browser says that another site's page makes an unsafe request.

        Clients that are no browsers send neither header, and bear no ambient cookies.
        """
        if method in _SAFE or listed is not None or path in self._posted_elsewhere:
            return False
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        origin = headers.get("origin")
        return origin is not None and not may_act(origin, headers.get("host"), ())

    async def _preflight(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 204,
                "headers": [
                    (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE"),
                    (
                        b"access-control-allow-headers",
                        b"authorization, content-type, idempotency-key",
                    ),
                    (b"access-control-max-age", b"600"),
                ],
            }
        )
        await send({"type": "http.response.body", "body": b""})


def _policy(host: str | None) -> str:
    named = host if host is not None and _HOST.fullmatch(host) else None
    return _CSP.format(sockets=f" ws://{named} wss://{named}" if named else "")
