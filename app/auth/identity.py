"""Who sends a request, from its cookies and its Authorization header."""

from starlette.requests import HTTPConnection

from app.auth.errors import Unauthenticated
from app.auth.external import ExternalAuth, is_jwt
from app.auth.logins import LOGIN_PREFIX, Logins
from app.auth.tokens import Tokens
from app.auth.types import Caller, Login, SessionToken
from app.kit.ids import SessionId
from app.users.types import Owner

VISITOR_COOKIE = "colloquy_visitor"
LOGIN_COOKIE = "colloquy_login"
_SECURE_PREFIX = "__Host-"
SECURE_VISITOR_COOKIE = f"{_SECURE_PREFIX}{VISITOR_COOKIE}"
SECURE_LOGIN_COOKIE = f"{_SECURE_PREFIX}{LOGIN_COOKIE}"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Identity:
    """Reads and checks credentials.

    Visitors' cookies and sessions' tokens are signed, and nothing is looked up for them.
    A sign-in is looked up at each request, so that one which was ended is good for nothing.

    Args:
        tokens: checks what is signed.
        logins: finds sign-ins.
        external: checks tokens of the operator's own login, if there is one.
        secure_cookies: whether cookies need HTTPS; None: yes, except on plain-http loopback
            addresses.
    """

    def __init__(
        self,
        tokens: Tokens,
        logins: Logins,
        *,
        external: ExternalAuth | None = None,
        secure_cookies: bool | None = None,
    ) -> None:
        self._external = external
        self._tokens = tokens
        self._logins = logins
        self._secure_cookies = secure_cookies

    def is_secure(self, request: HTTPConnection) -> bool:
        """Whether cookies of this request need HTTPS."""
        if self._secure_cookies is not None:
            return self._secure_cookies
        url = request.url
        return url.scheme in {"https", "wss"} or url.hostname not in _LOOPBACK

    def cookie(
        self,
        request: HTTPConnection,
        name: str,
        value: str,
        *,
        seconds: int,
        cross_site: bool = False,
    ) -> str:
        """Return a ``Set-Cookie`` for this request's browser; 0 seconds take it away.

        Args:
            request: whose browser.
            name: which cookie.
            value: what it holds.
            seconds: how long it is kept.
            cross_site: whether it comes along when another site's page posts something here,
                which browsers allow to secure cookies only (on loopback, without HTTPS, too).
        """
        secure = self.is_secure(request)
        name = f"{_SECURE_PREFIX}{name}" if secure else name
        tail = "SameSite=None" if cross_site else "SameSite=Lax"
        if secure or cross_site:
            tail += "; Secure"
        return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; {tail}"

    def proves(self, token: str, session_id: SessionId) -> bool:
        """Whether a token is the one an anonymous session was given at its start."""
        return self._tokens.check_session_token(token) == (session_id, None)

    async def caller(self, request: HTTPConnection) -> Caller:
        """Return what the request proves about its sender.

        Raises:
            Unauthenticated: it carries a bearer token that is not good. A cookie that is
                not good is taken for none: browsers send what they have.
            Unavailable: a sign-in cannot be looked up for the moment.
        """
        cookie = self.read(request, VISITOR_COOKIE)
        visitor = self._tokens.check_visitor_cookie(cookie) if cookie else None
        token, login = None, None
        if given := bearer(request):
            token, login = await self._check_bearer(given)
        elif (given := self.read(request, LOGIN_COOKIE)) is not None:
            login = await self._logins.find(given)
        owner = Owner(None, visitor) if visitor else None
        if login is not None and token is None:
            owner = Owner(login.user_id, None)
        address = request.client.host if request.client else ""
        return Caller(owner, token, address, visitor, login)

    async def _check_bearer(self, given: str) -> tuple[SessionToken | None, Login | None]:
        if given.startswith(LOGIN_PREFIX):
            token, login = None, await self._logins.find(given)
            is_good = login is not None
        elif self._external is not None and is_jwt(given):
            token, login = None, await self._external.sign_in(given)
            is_good = True
        else:
            token, login = self._tokens.check_session_token(given), None
            is_good = token is not None
            if token is not None and token.login_id is not None:
                login = await self._logins.find_by_id(token.login_id)
                is_good = login is not None
        if not is_good:
            raise Unauthenticated("The token is not valid.")
        return token, login

    def read(self, request: HTTPConnection, name: str) -> str | None:
        """Return a cookie of ours."""
        # Never the other one too: a page of a neighbouring host name may have planted it.
        found = request.cookies.get(f"{_SECURE_PREFIX}{name}" if self.is_secure(request) else name)
        return found or None


def bearer(request: HTTPConnection) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header (RFC 6750), if there is one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
