"""Who a request is from, by its cookie and its bearer token."""

import pytest
from starlette.requests import HTTPConnection

from app.auth.errors import Unauthenticated
from app.auth.identity import SECURE_VISITOR_COOKIE, VISITOR_COOKIE, Identity
from app.auth.tokens import Tokens
from app.kit.ids import new_session_id, new_visitor_id

TOKENS = Tokens(b"0123456789abcdef0123456789abcdef")
IDENTITY = Identity(TOKENS)


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


def test_without_credentials_a_caller_is_nobody_at_an_address() -> None:
    caller = IDENTITY.caller(request())

    assert (caller.owner, caller.session_id, caller.address) == (None, None, "10.0.0.7")


def test_cookie_and_token_each_prove_their_own() -> None:
    visitor, session_id = new_visitor_id(), new_session_id()

    caller = IDENTITY.caller(
        request(
            cookie=f"a=b; {VISITOR_COOKIE}={TOKENS.visitor_cookie(visitor)}; c=d",
            authorization=f"bearer  {TOKENS.session_token(session_id)} ",
        )
    )

    assert caller.owner is not None
    assert caller.owner.visitor_id == visitor
    assert caller.session_id == session_id


@pytest.mark.parametrize("value", ["Bearer x", "Bearer cst_", "bearer \xe9"])
def test_a_bearer_token_that_is_not_good_is_refused(value: str) -> None:
    with pytest.raises(Unauthenticated):
        IDENTITY.caller(request(authorization=value))


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dTpw", "Digest x"])
def test_other_kinds_of_authorization_are_taken_for_none(value: str) -> None:
    assert IDENTITY.caller(request(authorization=value)).session_id is None


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
    host: str, scheme: str, secure: bool
) -> None:
    assert IDENTITY.is_secure(request(host=host, scheme=scheme)) is secure


@pytest.mark.parametrize("secure", [True, False])
def test_a_setting_decides_over_all_of_that(secure: bool) -> None:
    identity = Identity(TOKENS, secure_cookies=secure)

    for scheme in ("http", "https"):
        assert identity.is_secure(request(scheme=scheme)) is secure


@pytest.mark.parametrize(
    ("scheme", "read", "planted"),
    [
        ("https", SECURE_VISITOR_COOKIE, VISITOR_COOKIE),
        ("http", VISITOR_COOKIE, SECURE_VISITOR_COOKIE),
    ],
)
def test_the_cookie_of_the_other_name_is_never_read(scheme: str, read: str, planted: str) -> None:
    """A page of a neighbouring host can plant a cookie for the whole domain, though not one
    named ``__Host-``: its visitors would have talked in the planter's name, and been read.
    """
    mine, theirs = new_visitor_id(), new_visitor_id()
    stray = f"{planted}={TOKENS.visitor_cookie(theirs)}"
    own = f"{read}={TOKENS.visitor_cookie(mine)}"

    assert IDENTITY.caller(request(scheme=scheme, cookie=stray)).owner is None
    for cookie in (f"{stray}; {own}", f"{own}; {stray}"):
        owner = IDENTITY.caller(request(scheme=scheme, cookie=cookie)).owner
        assert owner is not None
        assert owner.visitor_id == mine
