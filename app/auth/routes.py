"""HTTP: signing up, in and out, and one's own account."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request

from app.auth.errors import Unauthenticated
from app.auth.identity import LOGIN_COOKIE, VISITOR_COOKIE, Identity
from app.auth.local import LocalAuth
from app.auth.logins import Logins, SignedIn
from app.auth.schemas import (
    DoneView,
    ForgotBody,
    LoginBody,
    LogoutBody,
    PasswordBody,
    RegisterBody,
    ResetBody,
    SignedInView,
    SignedOutView,
    VerifyBody,
)
from app.auth.types import Caller, Login
from app.kit.clock import wire_time
from app.kit.endpoint import Endpoint, Reply
from app.kit.ids import LoginId, UserId, VisitorId
from app.users.schemas import DeleteBody, ProfileBody, UserView, user_view
from app.users.service import UserService
from app.users.types import Profile, User

SignedOut = Callable[[Sequence[LoginId]], Awaitable[None]]
ClaimVisitor = Callable[[VisitorId, UserId, str], Awaitable[int]]


async def register(request: Request, body: RegisterBody) -> Reply:
    local: LocalAuth = request.state.local_auth
    caller = await caller_of(request)
    signed_in = await local.register(
        body.email, body.password, display_name=body.display_name, address=caller.address
    )
    return await _signed_in(request, caller, signed_in, claim=body.claim)


async def login(request: Request, body: LoginBody) -> Reply:
    local: LocalAuth = request.state.local_auth
    caller = await caller_of(request)
    signed_in = await local.sign_in(body.email, body.password, address=caller.address)
    return await _signed_in(request, caller, signed_in, claim=body.claim)


async def logout(request: Request, body: LogoutBody | None) -> Reply:
    caller = await caller_of(request)
    headers = (cookie(request, LOGIN_COOKIE, "", 0),)
    if caller.login is None or caller.token is not None:  # nothing to end; a stale cookie goes
        return Reply(SignedOutView(ended=0), headers=headers)
    logins: Logins = request.state.logins
    everywhere = body is not None and body.everywhere
    ended = await logins.end(caller.login, everywhere=everywhere, address=caller.address)
    await _tell(request, ended)
    return Reply(SignedOutView(ended=len(ended)), headers=headers)


async def change_password(request: Request, body: PasswordBody) -> Reply:
    local: LocalAuth = request.state.local_auth
    caller = await caller_of(request)
    user, login = await me_of(request, caller)
    ended = await local.change_password(
        user, body.old, body.new, keep=login.id, address=caller.address
    )
    await _tell(request, ended)
    return Reply(DoneView())


async def forgot(request: Request, body: ForgotBody) -> Reply:
    local: LocalAuth = request.state.local_auth
    await local.ask_reset(body.email, address=address_of(request))
    return Reply(DoneView())


async def reset(request: Request, body: ResetBody) -> Reply:
    local: LocalAuth = request.state.local_auth
    ended = await local.reset(body.token, body.password, address=address_of(request))
    await _tell(request, ended)
    return Reply(DoneView())


async def verify(request: Request, body: VerifyBody) -> Reply:
    local: LocalAuth = request.state.local_auth
    await local.verify(body.token, address=address_of(request))
    return Reply(DoneView())


async def ask_verification(request: Request) -> Reply:
    local: LocalAuth = request.state.local_auth
    caller = await caller_of(request)
    user, _ = await me_of(request, caller)
    await local.ask_verification(user, address=caller.address)
    return Reply(DoneView())


async def get_me(request: Request) -> Reply:
    user, _ = await me_of(request, await caller_of(request))
    return Reply(user_view(user))


async def update_me(request: Request, body: ProfileBody) -> Reply:
    users: UserService = request.state.users
    user, _ = await me_of(request, await caller_of(request))
    return Reply(user_view(await users.update(user.id, Profile(**body.model_dump()))))


async def delete_me(request: Request, body: DeleteBody | None) -> Reply:
    """The account goes at once, and its sockets with it."""
    users: UserService = request.state.users
    local: LocalAuth = request.state.local_auth
    logins: Logins = request.state.logins
    caller = await caller_of(request)
    user, login = await me_of(request, caller)
    await local.check(user, body.password if body else "", address=caller.address)
    ended = await logins.end(login, everywhere=True, address=caller.address)
    await users.delete(user.id, actor="user", address=caller.address)
    await _tell(request, ended)
    return Reply(DoneView(), headers=(cookie(request, LOGIN_COOKIE, "", 0),))


async def caller_of(request: Request) -> Caller:
    identity: Identity = request.state.identity
    return await identity.caller(request)


async def me_of(request: Request, caller: Caller) -> tuple[User, Login]:
    if caller.login is None or caller.token is not None:  # a session's token is for the session
        raise Unauthenticated("Sign in first.")
    users: UserService = request.state.users
    return await users.get(caller.login.user_id), caller.login


async def take_in(
    request: Request, signed_in: SignedIn, *, visitor_id: VisitorId | None
) -> tuple[int, list[tuple[str, str]]]:
    """Give a browser its new sign-in, never one that was there before (no fixation), and make
    a visitor's chats the account's. Return how many those are, and the cookies.
    """
    headers = [cookie(request, LOGIN_COOKIE, signed_in.token, round(signed_in.login.seconds_left))]
    if visitor_id is None:
        return 0, headers
    claim_visitor: ClaimVisitor = request.state.claim_visitor
    claimed = await claim_visitor(visitor_id, signed_in.user.id, address_of(request))
    return claimed, [*headers, cookie(request, VISITOR_COOKIE, "", 0)]


async def _signed_in(
    request: Request, caller: Caller, signed_in: SignedIn, *, claim: bool
) -> Reply:
    visitor_id = caller.visitor_id if claim else None
    claimed, headers = await take_in(request, signed_in, visitor_id=visitor_id)
    body = SignedInView(
        user=user_view(signed_in.user),
        token=signed_in.token,
        expires_at=wire_time(signed_in.login.expires_at),
        claimed_chats=claimed,
    )
    return Reply(body, headers=tuple(headers))


async def _tell(request: Request, ended: Sequence[LoginId]) -> None:
    signed_out: SignedOut = request.state.signed_out
    await signed_out(ended)


def cookie(request: Request, name: str, value: str, seconds: int) -> tuple[str, str]:
    identity: Identity = request.state.identity
    return "set-cookie", identity.cookie(request, name, value, seconds=seconds)


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


ENDPOINTS = [
    Endpoint(
        "POST",
        "/auth/register",
        register,
        "Make an account and sign in.",
        body=RegisterBody,
        body_required=True,
        answer=SignedInView,
        status=201,
        errors=(401, 403, 409, 413, 422, 429, 503),
    ),
    Endpoint(
        "POST",
        "/auth/login",
        login,
        "Sign in.",
        body=LoginBody,
        body_required=True,
        answer=SignedInView,
        errors=(401, 403, 413, 422, 429, 503),
    ),
    Endpoint(
        "POST",
        "/auth/logout",
        logout,
        "Sign out, here or everywhere. Sockets that hang on it are closed with 4001.",
        body=LogoutBody,
        answer=SignedOutView,
        errors=(401, 403, 413, 422, 503),
    ),
    Endpoint(
        "POST",
        "/auth/password",
        change_password,
        "Change the password; every other sign-in ends.",
        body=PasswordBody,
        body_required=True,
        answer=DoneView,
        errors=(401, 403, 413, 422, 429, 503),
    ),
    Endpoint(
        "POST",
        "/auth/password/forgot",
        forgot,
        "Have a link mailed that lets one choose a new password. The answer is always the same.",
        body=ForgotBody,
        body_required=True,
        answer=DoneView,
        status=202,
        errors=(403, 413, 422, 429, 503),
    ),
    Endpoint(
        "POST",
        "/auth/password/reset",
        reset,
        "Choose a new password by such a link; every sign-in ends.",
        body=ResetBody,
        body_required=True,
        answer=DoneView,
        errors=(403, 413, 422, 503),
    ),
    Endpoint(
        "POST",
        "/auth/verify",
        verify,
        "Prove an e-mail address by the link that was mailed there.",
        body=VerifyBody,
        body_required=True,
        answer=DoneView,
        errors=(403, 413, 422, 503),
    ),
    Endpoint(
        "POST",
        "/auth/verify/mail",
        ask_verification,
        "Have that link mailed once more.",
        answer=DoneView,
        status=202,
        errors=(401, 403, 429, 503),
    ),
    Endpoint(
        "GET",
        "/users/me",
        get_me,
        "One's own account.",
        answer=UserView,
        errors=(401, 503),
    ),
    Endpoint(
        "PATCH",
        "/users/me",
        update_me,
        "Change one's profile.",
        body=ProfileBody,
        body_required=True,
        answer=UserView,
        errors=(401, 403, 413, 422, 503),
    ),
    Endpoint(
        "DELETE",
        "/users/me",
        delete_me,
        "Delete one's account with everything derived from it.",
        body=DeleteBody,
        answer=DoneView,
        errors=(401, 403, 413, 422, 429, 503),
    ),
]
