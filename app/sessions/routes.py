"""HTTP: sessions, and the history list that shows the chats behind them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request

from app.auth.errors import Forbidden, Unauthenticated
from app.auth.identity import VISITOR_COOKIE, Identity
from app.auth.routes import caller_of
from app.auth.tickets import TICKET_SECONDS, TicketStore
from app.auth.types import Caller
from app.chats.schemas import ConversationsView, conversation_view
from app.kit.clock import wire_time
from app.kit.endpoint import Endpoint, Reply
from app.kit.errors import AppError
from app.kit.ids import ChatId, SessionId, UserId, parse_session_id
from app.kit.paging import MAX_LIMIT, parse_cursor, parse_limit
from app.limits.places import place_of
from app.limits.rates import Rates
from app.liveness.store import LivenessStore, Presence
from app.protocol.events import PROTOCOL
from app.sessions.errors import BadRequest, SessionNotFound
from app.sessions.schemas import (
    ClaimBody,
    ConnectionView,
    EndedView,
    SessionStateView,
    SessionsView,
    SessionView,
    StartBody,
    StartedView,
    TicketView,
    session_fields,
)
from app.sessions.service import SessionService
from app.sessions.types import Session

ClaimSession = Callable[[SessionId, UserId, str], Awaitable[None]]

_STATUSES = ("active", "paused", "completed", "expired")
_OPEN = ("active", "paused")
_KEY_CHARS = 255
_LATELY_SECONDS = 60  # a session used this lately is active, connected or not
_COOKIE_SECONDS = 400 * 86_400  # what browsers keep at most


async def start(request: Request, body: StartBody | None) -> Reply:
    sessions: SessionService = request.state.sessions
    rates: Rates = request.state.rates
    caller = await caller_of(request)
    await rates.count("starts", place_of(caller.address))
    body = body or StartBody()
    user_id = caller.owner.user_id if caller.owner else None
    if body.user_id is not None and body.user_id != user_id:
        raise Forbidden("user_id is not the signed-in user.")
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _KEY_CHARS:
        raise BadRequest(f"Idempotency-Key has 1 to {_KEY_CHARS} characters.")
    started = await sessions.start(
        caller,
        agent=body.agent,
        chat_id=ChatId(body.chat_id) if body.chat_id else None,
        metadata=body.metadata,
        idempotency_key=key,
    )
    session = started.session
    headers: tuple[tuple[str, str], ...] = ()
    if started.new_cookie:
        identity: Identity = request.state.identity
        cookie = identity.cookie(
            request, VISITOR_COOKIE, started.new_cookie, seconds=_COOKIE_SECONDS
        )
        headers = (("set-cookie", cookie),)
    return Reply(
        StartedView(
            session_id=session.session_id,
            chat_id=str(session.chat_id),
            agent=session.agent,
            user_id=session.user_id,
            created_at=wire_time(session.created_at),
            expires_at=wire_time(session.expires_at),
            ttl_seconds=round(session.seconds_left),
            ws_path=f"/ws/{session.session_id}",
            token=started.token,
            protocol=PROTOCOL,
        ),
        headers=headers,
    )


async def list_sessions(request: Request) -> Reply:
    sessions: SessionService = request.state.sessions
    status = request.query_params.get("status")
    if status is not None and status not in _STATUSES:
        raise BadRequest(f"status is one of {', '.join(_STATUSES)}.")
    limit = parse_limit(request.query_params.get("limit"), default=50)
    owner = (await caller_of(request)).owner
    if owner is None:
        return Reply(SessionsView(sessions=[]))
    if status in _OPEN:  # which of both it is depends on who is connected
        found = await sessions.list_of(owner, statuses=_OPEN, limit=MAX_LIMIT)
    else:
        found = await sessions.list_of(owner, statuses=[status] if status else None, limit=limit)
    live = await _live(request, [one.session_id for one in found if one.status in _OPEN])
    views = []
    for one in found:
        here = None if live is None else one.session_id in live
        views.append(SessionView(**{**session_fields(one), "status": _status(one, here)}))
    if status is not None:
        views = [view for view in views if view.status == status]
    return Reply(SessionsView(sessions=views[:limit]))


async def get_session(request: Request) -> Reply:
    sessions: SessionService = request.state.sessions
    session = await sessions.get_of(*await _session_of(request))
    return Reply(await _state_view(request, session))


async def extend(request: Request) -> Reply:
    sessions: SessionService = request.state.sessions
    session = await sessions.get_of(*await _session_of(request))
    extended = await sessions.extend(session.session_id)
    notify: Callable[..., Any] = request.state.session_changed
    await notify("extended", extended)
    return Reply(await _state_view(request, extended))


async def heartbeat(request: Request) -> Reply:
    """For clients without a socket: says they are there. Does not move the session's end."""
    sessions: SessionService = request.state.sessions
    session = await sessions.get_of(*await _session_of(request))
    if session.status not in _OPEN:
        raise SessionNotFound("There is no such session.")
    liveness: LivenessStore = request.state.liveness
    await liveness.beat_client(session.session_id)
    return Reply(await _state_view(request, session))


async def ticket(request: Request) -> Reply:
    sessions: SessionService = request.state.sessions
    session_id, caller = await _session_of(request)
    session = await sessions.get_of(session_id, caller)
    if session.status not in _OPEN:
        raise SessionNotFound("There is no such session.")
    tickets: TicketStore = request.state.tickets
    issued = await tickets.issue(session.session_id, caller.login)
    return Reply(TicketView(ticket=issued, expires_in=TICKET_SECONDS))


async def claim(request: Request, body: ClaimBody) -> Reply:
    """The chat of an anonymous session, which its token proves, becomes the caller's."""
    identity: Identity = request.state.identity
    session_id = parse_session_id(request.path_params["session_id"])
    caller = await caller_of(request)
    if caller.login is None or caller.token is not None:
        raise Unauthenticated("Sign in first.")
    if session_id is None or not identity.proves(body.token, session_id):
        raise SessionNotFound("There is no such session.")
    claim_session: ClaimSession = request.state.claim_session
    await claim_session(session_id, caller.login.user_id, caller.address)
    sessions: SessionService = request.state.sessions
    return Reply(await _state_view(request, await sessions.get_of(session_id, caller)))


async def end(request: Request) -> Reply:
    sessions: SessionService = request.state.sessions
    session = await sessions.get_of(*await _session_of(request))
    await sessions.end(session.session_id)
    notify: Callable[..., Any] = request.state.session_changed
    await notify("ended", session)
    ended = await sessions.get_of(*await _session_of(request))
    return Reply(EndedView(session_id=ended.session_id, status=ended.status))


async def conversations(request: Request) -> Reply:
    sessions: SessionService = request.state.sessions
    caller = await caller_of(request)
    wanted = request.query_params.get("user_id")
    if wanted is not None:
        user_id = caller.owner.user_id if caller.owner else None
        if user_id is None or wanted != str(user_id):
            raise Forbidden("user_id is not the signed-in user.")
    if caller.owner is None:
        return Reply(ConversationsView(conversations=[], next=None))
    page, following = await sessions.conversations(
        caller.owner,
        after=parse_cursor(request.query_params.get("cursor")),
        limit=parse_limit(request.query_params.get("limit"), default=30),
    )
    return Reply(
        ConversationsView(
            conversations=[conversation_view(chat, session_id) for chat, session_id in page],
            next=following,
        )
    )


async def _session_of(request: Request) -> tuple[SessionId, Caller]:
    session_id = parse_session_id(request.path_params["session_id"])
    caller = await caller_of(request)
    if session_id is None:
        raise SessionNotFound("There is no such session.")
    if caller.owner is None and caller.token is None:
        raise Unauthenticated("Give the session's token, or the cookie it was started with.")
    return session_id, caller


async def _state_view(request: Request, session: Session) -> SessionStateView:
    liveness: LivenessStore = request.state.liveness
    present: list[Presence] | None
    try:
        present = await liveness.present(session.session_id)
    except AppError:
        present = None  # a hint that cannot be had is no reason to refuse the rest
    live = None if present is None else bool(present)
    return SessionStateView(
        **{**session_fields(session), "status": _status(session, live)},
        connections=[
            ConnectionView(connection_id=one.connection_id, node=one.node, tab=one.tab)
            for one in present or []
        ],
        live=live,
    )


def _status(session: Session, live: bool | None) -> str:
    """Return a session's status: one that nobody is connected to, or was lately, is paused."""
    if session.status not in _OPEN:
        return session.status
    idle = live is False and session.idle_seconds > _LATELY_SECONDS
    return "paused" if idle else "active"


async def _live(request: Request, session_ids: Sequence[SessionId]) -> set[SessionId] | None:
    """Return those sessions that somebody is connected to; None if that is not known."""
    liveness: LivenessStore = request.state.liveness
    try:
        return await liveness.live_among(session_ids)
    except AppError:
        return None


_LIMIT = {"limit": {"type": "integer", "minimum": 1, "maximum": 200}}
_SESSION = "/chat/sessions/{session_id}"

ENDPOINTS = [
    Endpoint(
        "POST",
        "/chat/start",
        start,
        "Begin a session, on a new chat or on one of the caller's.",
        body=StartBody,
        answer=StartedView,
        status=201,
        headers={"Idempotency-Key": "The same caller with the same key gets the same session."},
        errors=(401, 403, 404, 409, 413, 422, 429, 503),
        aliases=("/api/v1/chat/start",),
    ),
    Endpoint(
        "GET",
        "/chat/sessions",
        list_sessions,
        "The caller's sessions, newest first.",
        answer=SessionsView,
        query={"status": {"type": "string", "enum": list(_STATUSES)}, **_LIMIT},
        errors=(401, 422, 503),
    ),
    Endpoint(
        "GET",
        _SESSION,
        get_session,
        "A session and who is connected to it.",
        answer=SessionStateView,
        errors=(401, 404, 503),
    ),
    Endpoint(
        "POST",
        f"{_SESSION}/heartbeat",
        heartbeat,
        "Say that a client without a socket is there.",
        answer=SessionStateView,
        errors=(401, 404, 503),
    ),
    Endpoint(
        "POST",
        f"{_SESSION}/extend",
        extend,
        "Move the session's end.",
        answer=SessionStateView,
        errors=(401, 404, 503),
    ),
    Endpoint(
        "POST",
        f"{_SESSION}/ticket",
        ticket,
        "A single-use credential for one socket.",
        answer=TicketView,
        errors=(401, 404, 503),
    ),
    Endpoint(
        "POST",
        f"{_SESSION}/claim",
        claim,
        "Make the chat of an anonymous session, proved by its token, the signed-in user's.",
        body=ClaimBody,
        body_required=True,
        answer=SessionStateView,
        errors=(401, 403, 404, 413, 422, 503),
    ),
    Endpoint(
        "DELETE",
        _SESSION,
        end,
        "End the session. Its chat stays.",
        answer=EndedView,
        errors=(401, 404, 503),
    ),
    Endpoint(
        "GET",
        "/chat/conversations",
        conversations,
        "The caller's chats, most recent first.",
        answer=ConversationsView,
        query={"cursor": {"type": "string"}, "user_id": {"type": "string"}, **_LIMIT},
        errors=(401, 403, 422, 503),
        aliases=("/api/v1/chat/conversations",),
    ),
]
