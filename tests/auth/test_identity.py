"""Who a request is from, by its cookie and its bearer token."""

import pytest
from starlette.requests import HTTPConnection

from app.auth.errors import Unauthenticated
from app.auth.identity import SECURE_VISITOR_COOKIE, VISITOR_COOKIE, Identity
from app.auth.logins import Logins
from app.auth.tokens import Tokens
from app.auth.types import Caller
from app.kit.ids import new_session_id, new_visitor_id
from app.settings import AuthSettings
from app.storage.postgres import Postgres

TOKENS = Tokens(b"0123456789abcdef0123456789abcdef")


@pytest.fixture
def identity(postgres: Postgres) -> Identity:
    return Identity(TOKENS, Logins(postgres=postgres, settings=AuthSettings()))


def request(
    *, host: str = "localhost:8000", scheme: str = "http", **headers: str
) -> HTTPConnection:
    given = {"host": host, **headers}
    return HTTPConnection(
        {
            "type": "http",
            "scheme": scheme,
            "path": "/",
            "query_string": b"",
            "server": ("127.0.0.1", 8000),
            "client": ("10.0.0.7", 1),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items()],
        }
    )


async def test_without_credentials_a_caller_is_nobody_at_an_address(identity: Identity) -> None:
    caller = await identity.caller(request())

    assert caller == Caller(address="10.0.0.7")


async def test_cookie_and_token_each_prove_their_own(identity: Identity) -> None:
    visitor, session_id = new_visitor_id(), new_session_id()

    caller = await identity.caller(
        request(
            cookie=f"a=b; {VISITOR_COOKIE}={TOKENS.visitor_cookie(visitor)}; c=d",
            authorization=f"bearer  {TOKENS.session_token(session_id)} ",
        )
    )

    assert caller.owner is not None
    assert caller.owner.visitor_id == visitor
    assert caller.token == (session_id, None)


@pytest.mark.parametrize("value", ["Bearer x", "Bearer cst_", "Bearer clg_", "bearer \xe9"])
async def test_a_bearer_token_that_is_not_good_is_refused(identity: Identity, value: str) -> None:
    with pytest.raises(Unauthenticated):
        await identity.caller(request(authorization=value))


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dTpw", "Digest x"])
async def test_other_kinds_of_authorization_are_taken_for_none(
    identity: Identity, value: str
) -> None:
    assert (await identity.caller(request(authorization=value))).token is None


@pytest.mark.parametrize(
    ("host", "scheme", "secure"),
    [
        ("localhost:8000", "http", False),
        ("127.0.0.1:8000", "http", False),
        ("[::1]:8000", "http", False),
        ("localhost:8000", "ws", False),
        ("localhost", "https", True),
        ("localhost", "wss", True),
        ("chat.example.org", "http", True),
        ("localhost.example.org", "http", True),
        ("192.168.1.4:8000", "http", True),
    ],
)
def test_only_plain_http_on_loopback_does_without_https(
    identity: Identity, host: str, scheme: str, secure: bool
) -> None:
    assert identity.is_secure(request(host=host, scheme=scheme)) is secure


@pytest.mark.parametrize("secure", [True, False])
def test_a_setting_decides_over_all_of_that(postgres: Postgres, secure: bool) -> None:
    logins = Logins(postgres=postgres, settings=AuthSettings())
    identity = Identity(TOKENS, logins, secure_cookies=secure)

    for scheme in ("http", "https"):
        assert identity.is_secure(request(scheme=scheme)) is secure


@pytest.mark.parametrize(
    ("scheme", "read", "planted"),
    [
        ("https", SECURE_VISITOR_COOKIE, VISITOR_COOKIE),
        ("http", VISITOR_COOKIE, SECURE_VISITOR_COOKIE),
    ],
)
async def test_the_cookie_of_the_other_name_is_never_read(
    identity: Identity, scheme: str, read: str, planted: str
) -> None:
    """A page of a neighbouring host can plant a cookie for the whole domain, though not one
    named ``__Host-``: its visitors would have talked in the planter's name, and been read.
    """
    mine, theirs = new_visitor_id(), new_visitor_id()
    stray = f"{planted}={TOKENS.visitor_cookie(theirs)}"
    own = f"{read}={TOKENS.visitor_cookie(mine)}"

    assert (await identity.caller(request(scheme=scheme, cookie=stray))).owner is None
    for cookie in (f"{stray}; {own}", f"{own}; {stray}"):
        owner = (await identity.caller(request(scheme=scheme, cookie=cookie))).owner
        assert owner is not None
        assert owner.visitor_id == mine
