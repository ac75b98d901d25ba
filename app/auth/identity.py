"""Who sends a request, from its cookie and its Authorization header."""

from starlette.requests import HTTPConnection

from app.auth.errors import Unauthenticated
from app.auth.tokens import Tokens
from app.auth.types import Caller
from app.users.types import Owner

VISITOR_COOKIE = "colloquy_visitor"
SECURE_VISITOR_COOKIE = f"__Host-{VISITOR_COOKIE}"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Identity:
    """Reads and checks credentials. Nothing is looked up: both kinds are signed.

    Args:
        tokens: checks them.
        secure_cookies: whether cookies need HTTPS; None: yes, except on plain-http loopback
            addresses.
    """

    def __init__(self, tokens: Tokens, *, secure_cookies: bool | None = None) -> None:
        self._tokens = tokens
        self._secure_cookies = secure_cookies

    def is_secure(self, request: HTTPConnection) -> bool:
        """Whether cookies of this request need HTTPS."""
        if self._secure_cookies is not None:
            return self._secure_cookies
        url = request.url
        return url.scheme in {"https", "wss"} or url.hostname not in _LOOPBACK

    def caller(self, request: HTTPConnection) -> Caller:
        """Return what the request proves about its sender.

        Raises:
            Unauthenticated: it carries a bearer token that is not good. A cookie that is
                not good is taken for none: browsers send what they have.
        """
        # Never the other one too: a page of a neighbouring host name may have planted it.
        name = SECURE_VISITOR_COOKIE if self.is_secure(request) else VISITOR_COOKIE
        cookie = request.cookies.get(name)
        visitor = self._tokens.check_visitor_cookie(cookie) if cookie else None
        session_id = None
        if token := bearer(request):
            session_id = self._tokens.check_session_token(token)
            if session_id is None:
                raise Unauthenticated("The token is not valid.")
        address = request.client.host if request.client else ""
        return Caller(Owner(None, visitor) if visitor else None, session_id, address)


def bearer(request: HTTPConnection) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header (RFC 6750), if there is one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
