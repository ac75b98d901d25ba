"""One client's engagement with a chat: start, find, extend, end, expire."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson
import structlog

from app.auth.tokens import Tokens
from app.auth.types import Caller
from app.chats.errors import ChatNotFound, IdempotencyConflict
from app.chats.repository import ChatRepository
from app.chats.service import ChatService
from app.chats.types import Conversation
from app.kit.ids import ChatId, SessionId, new_chat_id, new_session_id, new_visitor_id
from app.kit.paging import Cursor
from app.sessions.errors import BadRequest, SessionNotFound, UnknownAgent
from app.sessions.repository import KeyTaken, SessionRepository
from app.sessions.types import Activity, NewSession, Session
from app.settings import SessionSettings
from app.storage.batches import GroupWriter, WriteBehind
from app.storage.postgres import Postgres
from app.users.types import Owner

log = structlog.get_logger()

_BATCH = 200
_EXPIRE_AT_ONCE = 1_000
_LOOK_AT_ONCE = 1_000
_ACTIVITY_SECONDS = 1.0  # counters are this late at most
_KEY_TRIES = 3  # a key's session may end between two looks
# How long a start without a cookie can be repeated. The answer gives the cookie out, and
# nothing but the key and the address it comes from says that it is the same browser.
_COOKIELESS_REPEAT_SECONDS = 600


class Started(NamedTuple):
    """A session, its token, and the cookie of a visitor who had none."""

    session: Session
    token: str
    new_cookie: str | None


class SessionService:
    """Starts sessions and answers for them.

    Args:
        postgres: where they are kept.
        chats: the chats they talk to.
        tokens: makes their tokens and the visitors' cookies.
        settings: TTLs.
        has_agent: whether an agent of that name exists.
        default_agent: the agent of sessions on new chats that name none.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        chats: ChatService,
        tokens: Tokens,
        settings: SessionSettings,
        has_agent: Callable[[str], bool],
        default_agent: str,
    ) -> None:
        self._postgres = postgres
        self._chats = chats
        self._tokens = tokens
        self._settings = settings
        self._has_agent = has_agent
        self._default_agent = default_agent
        self._starts: GroupWriter[NewSession, Session | None] = GroupWriter(
            self._store, limit=_BATCH
        )
        self._activity: WriteBehind[Activity] = WriteBehind(
            "session_activity", self._record, seconds=_ACTIVITY_SECONDS
        )

    async def run(self) -> None:
        """Write what is waiting, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._starts.run())
            group.create_task(self._activity.run())

    async def flush(self) -> None:
        await self._activity.flush()

    async def start(
        self,
        caller: Caller,
        *,
        agent: str | None,
        chat_id: ChatId | None,
        metadata: dict[str, object] | None,
        idempotency_key: str | None,
    ) -> Started:
        """Begin a session, on a new chat unless ``chat_id`` names one of the caller's.

        The same caller with the same idempotency key gets the same session again.

        Raises:
            UnknownAgent: no such agent, or the chat is another's.
            ChatNotFound: the chat is not the caller's.
            IdempotencyConflict: the key was used for another agent, chat or metadata.
            BadRequest: the metadata is too large.
            Unavailable: the database does not answer; nothing was stored.
        """
        kept = orjson.dumps(metadata or {})
        if len(kept) > self._settings.metadata_bytes:
            raise BadRequest(f"metadata is larger than {self._settings.metadata_bytes} bytes.")
        if idempotency_key is not None:
            key_hash = self._key_hash(caller, idempotency_key)
            session = await self._start_once(caller, key_hash, agent, chat_id, kept)
        else:
            item = await self._new(caller, agent, chat_id, kept)
            session = _stored(await self._starts.submit(item))
        cookie = None
        if caller.owner is None and session.visitor_id is not None:
            cookie = self._tokens.visitor_cookie(session.visitor_id)
        # a caller with a session's own token starts as a visitor, whatever it hangs on
        login_id = caller.login.id if caller.login and session.user_id is not None else None
        token = self._tokens.session_token(session.session_id, login_id)
        return Started(session, token, cookie)

    async def get(self, session_id: SessionId) -> Session:
        """Return a session that has neither ended nor expired.

        Raises:
            SessionNotFound: there is none.
        """
        async with self._postgres.statement() as db:
            session = await SessionRepository(db).find_live(session_id)
        if session is None:
            raise SessionNotFound("There is no such session.")
        return session

    async def over_among(self, session_ids: Sequence[SessionId]) -> dict[SessionId, bool]:
        """Return those of the sessions that do not live, and whether they were ended.

        One statement for every thousand.
        """
        over: dict[SessionId, str | None] = {}
        for start in range(0, len(session_ids), _LOOK_AT_ONCE):
            async with self._postgres.statement() as db:
                some = session_ids[start : start + _LOOK_AT_ONCE]
                over |= await SessionRepository(db).over_among(some)
        return {session_id: status == "completed" for session_id, status in over.items()}

    async def get_of(self, session_id: SessionId, caller: Caller) -> Session:
        """Return a session, ended or not, to whoever owns it or holds its token.

        Raises:
            SessionNotFound: there is none, or it is somebody else's.
        """
        async with self._postgres.statement() as db:
            session = await SessionRepository(db).find(session_id)
        if session is None or not self.may_use(session, caller):
            raise SessionNotFound("There is no such session.")
        return session

    def may_use(self, session: Session, caller: Caller) -> bool:
        """Whether the caller has proved to be the session's owner or client."""
        if caller.token is not None and caller.token.session_id == session.session_id:
            # a visitor's token proves nothing any more when a user has claimed the session
            return session.user_id == (caller.login.user_id if caller.login else None)
        return caller.owner == session.owner

    async def list_of(
        self, owner: Owner, *, statuses: Sequence[str] | None, limit: int
    ) -> list[Session]:
        """Return an owner's sessions, newest first; of these statuses only, if any are given."""
        async with self._postgres.statement() as db:
            return await SessionRepository(db).list_of(owner, statuses=statuses, limit=limit)

    async def conversations(
        self, owner: Owner, *, after: Cursor | None, limit: int
    ) -> tuple[list[tuple[Conversation, SessionId | None]], str | None]:
        """Return a page of chats, most recent first, each with its newest session."""
        page, following = await self._chats.conversations(owner, after=after, limit=limit)
        if not page:
            return [], None
        async with self._postgres.statement() as db:
            newest = await SessionRepository(db).newest_of([one.chat_id for one in page], owner)
        return [(one, newest.get(one.chat_id)) for one in page], following

    async def extend(self, session_id: SessionId) -> Session:
        """Move the session's end as far as its TTL and its longest life allow.

        Raises:
            SessionNotFound: it has ended or expired.
        """
        async with self._postgres.statement() as db:
            session = await SessionRepository(db).extend(
                session_id,
                ttl_seconds=self._settings.ttl_seconds,
                max_seconds=self._settings.max_seconds,
            )
        if session is None:
            raise SessionNotFound("There is no such session.")
        return session

    async def end(self, session_id: SessionId) -> None:
        """Complete the session; ending one twice is harmless."""
        async with self._postgres.statement() as db:
            await SessionRepository(db).end(session_id)

    def note(self, activity: Activity) -> None:
        """Count what happened on a session. Written a little later; never waits."""
        self._activity.add(activity)

    async def expire(self) -> int:
        """Mark sessions whose time has passed; return how many."""
        async with self._postgres.statement() as db:
            return await SessionRepository(db).expire_for_system(limit=_EXPIRE_AT_ONCE)

    # Inside

    async def _start_once(
        self,
        caller: Caller,
        key_hash: bytes,
        agent: str | None,
        chat_id: ChatId | None,
        metadata: bytes,
    ) -> Session:
        max_age = None if caller.owner else _COOKIELESS_REPEAT_SECONDS
        wanted = agent or (None if chat_id else self._default_agent)
        for _ in range(_KEY_TRIES):
            async with self._postgres.statement() as db:
                found = await SessionRepository(db).find_started(key_hash, max_age_seconds=max_age)
            if found is not None:
                if (
                    wanted not in {None, found.agent}
                    or chat_id not in {None, found.chat_id}
                    or orjson.loads(metadata) != found.metadata
                ):
                    raise IdempotencyConflict("This Idempotency-Key began another session.")
                return found
            item = await self._new(caller, agent, chat_id, metadata)
            try:
                async with self._postgres.unit() as db:
                    repository = SessionRepository(db)
                    await repository.release_key(key_hash, max_age_seconds=max_age)
                    [session] = await repository.start(
                        [item._replace(idempotency_hash=key_hash)], ttl_seconds=self._first_ttl
                    )
                    return _stored(session)
            except KeyTaken:  # by a request at the same time: look again
                continue
        raise IdempotencyConflict("This Idempotency-Key is in use for other sessions.")

    async def _new(
        self, caller: Caller, agent: str | None, chat_id: ChatId | None, metadata: bytes
    ) -> NewSession:
        if agent is not None and not self._has_agent(agent):
            raise UnknownAgent("There is no agent of that name.")
        if chat_id is not None:
            agent = await self._agent_of(chat_id, caller.owner, agent)
        owner = caller.owner or Owner(None, new_visitor_id())
        cookie = self._tokens.visitor_cookie(owner.visitor_id) if owner.visitor_id else None
        return NewSession(
            session_id=new_session_id(),
            chat_id=chat_id or new_chat_id(),
            user_id=owner.user_id,
            visitor_id=owner.visitor_id,
            agent=agent or self._default_agent,
            metadata=metadata.decode(),
            new_chat=chat_id is None,
            visitor_hash=self._tokens.hash(cookie) if cookie else None,
            idempotency_hash=None,
        )

    @property
    def _first_ttl(self) -> float:
        return min(self._settings.ttl_seconds, self._settings.max_seconds)

    def _key_hash(self, caller: Caller, key: str) -> bytes:
        # A caller without a cookie is known by its address, so that a start whose answer,
        # cookie and all, was lost can be repeated.
        who = repr(caller.owner) if caller.owner else f"address {caller.address}"
        return self._tokens.hash(f"{who}\n{key}")

    async def _agent_of(self, chat_id: ChatId, owner: Owner | None, agent: str | None) -> str:
        chat = None
        if owner is not None:
            async with self._postgres.statement() as db:
                chat = await ChatRepository(db).find(chat_id, owner)
        if chat is None:
            raise ChatNotFound("There is no such chat.")
        if agent not in {None, chat.agent}:
            raise UnknownAgent("The chat belongs to another agent.")
        return chat.agent

    async def _store(self, items: Sequence[NewSession]) -> list[Session | None]:
        async with self._postgres.statement() as db:
            return await SessionRepository(db).start(items, ttl_seconds=self._first_ttl)

    async def _record(self, activities: Sequence[Activity]) -> None:
        totals: dict[SessionId, Activity] = {}
        for one in activities:
            so_far = totals.get(one.session_id, Activity(one.session_id))
            totals[one.session_id] = Activity(
                one.session_id,
                so_far.requests + one.requests,
                so_far.turns + one.turns,
                so_far.tokens + one.tokens,
                so_far.slides or one.slides,
            )
        async with self._postgres.statement() as db:
            await SessionRepository(db).record(
                list(totals.values()),
                ttl_seconds=self._settings.ttl_seconds,
                max_seconds=self._settings.max_seconds,
                slide_seconds=self._settings.slide_seconds,
            )


def _stored(session: Session | None) -> Session:
    if session is None:  # its chat went between the look at it and the session's row
        raise ChatNotFound("There is no such chat.")
    return session
