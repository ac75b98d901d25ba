"""Accepts messages, stops runs, tells what a chat looks like now."""

import re
from collections.abc import Coroutine
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import structlog

from app.chats.errors import ChatNotFound, IdempotencyConflict
from app.chats.repository import ChatRepository
from app.events.outbox import Durable, EventPublisher, outgoing_events
from app.kit.clock import Clock, wire_time
from app.kit.errors import AppError
from app.kit.ids import ChatId, MessageId, NodeId, RunId, new_message_id, new_run_id
from app.protocol.events import Event, event
from app.runs.errors import QueueFull, RunInProgress, RunNotFound, TooManyRuns, WrongAgent
from app.runs.repository import RunRepository
from app.runs.signals import Signals
from app.runs.types import Accepted, Claim, NewMessage, OpenRun
from app.sessions.errors import SessionNotFound
from app.sessions.repository import SessionRepository
from app.sessions.service import SessionService
from app.sessions.types import Activity, Session
from app.settings import RunSettings
from app.storage.postgres import Db, Postgres
from app.users.types import Owner

log = structlog.get_logger()

T = TypeVar("T")
OnBusy = Literal["queue", "reject", "replace"]
_TITLE_CHARS = 80
_RETRY_MS = 5_000  # nobody knows when an answer will be complete


class Starter(Protocol):
    """What the service needs from the worker."""

    def has_agent(self, name: str) -> bool: ...

    def take_place(self) -> bool: ...

    def give_back(self) -> None: ...

    def start(self, run: Claim, first: Durable) -> None: ...

    def announce(self, durable: Durable) -> None: ...

    def cancel(self, run_id: RunId) -> bool: ...

    async def finish(self, work: Coroutine[Any, Any, T]) -> T: ...


class _Sent(Exception):
    """The chat has a message with this client message id already."""


class _Stored(NamedTuple):
    claim: Claim | None
    durable: Durable
    stopping: RunId | None


class RunService:
    """A message in, a run begun. What is acknowledged is committed.

    Args:
        node: this process.
        worker: executes runs here.
        signals: tells the other nodes.
        chats_at_once: how many of a user's are answered at the same time; 0: any number.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        publisher: EventPublisher,
        sessions: SessionService,
        worker: Starter,
        signals: Signals,
        settings: RunSettings,
        chats_at_once: int,
        clock: Clock,
        node: NodeId,
    ) -> None:
        self._postgres = postgres
        self._publisher = publisher
        self._sessions = sessions
        self._worker = worker
        self._signals = signals
        self._settings = settings
        self._chats_at_once = chats_at_once
        self._clock = clock
        self._node = node

    async def accept(
        self,
        session: Session,
        text: str,
        *,
        client_message_id: str | None = None,
        agent: str | None = None,
        on_busy: OnBusy = "queue",
    ) -> Accepted:
        """Store a message and the run that will answer it, in one transaction.

        Sent again with the same ``client_message_id``, it changes nothing and returns what
        it returned at first.

        Raises:
            SessionNotFound: the session has ended or expired.
            WrongAgent: the chat belongs to another agent.
            RunInProgress: the chat is busy and ``on_busy`` is ``reject``.
            TooManyRuns: too many other chats of the user are being answered.
            QueueFull: too many messages wait already.
            IdempotencyConflict: the id was used for another text.
            Unavailable: the database does not answer; nothing was stored.
        """
        if agent is not None and agent != session.agent:
            raise WrongAgent(f"This chat talks to {session.agent}; start a session for another.")
        # A client that leaves now must not leave a run behind that is stored and not begun.
        return await self._worker.finish(
            self._accept(session, text, client_message_id=client_message_id, on_busy=on_busy)
        )

    async def _accept(
        self, session: Session, text: str, *, client_message_id: str | None, on_busy: OnBusy
    ) -> Accepted:
        message_id, run_id = new_message_id(), new_run_id()
        has_place = self._worker.has_agent(session.agent) and self._worker.take_place()
        claim: Claim | None = None
        try:
            stored = await self._store(
                session,
                text,
                message_id=message_id,
                run_id=run_id,
                client_message_id=client_message_id,
                on_busy=on_busy,
                has_place=has_place,
            )
            claim = stored.claim
        except _Sent:
            return await self._sent_before(session, text, client_message_id or "")
        finally:
            if has_place and claim is None:
                self._worker.give_back()
        if claim is not None:
            self._worker.start(claim, stored.durable)
        else:
            self._worker.announce(stored.durable)
        if stored.stopping is not None:
            await self._stop(stored.stopping)
        self._sessions.note(Activity(session.session_id, requests=1, turns=1, slides=True))
        return Accepted(message_id, run_id, duplicate=False)

    async def cancel(self, chat_id: ChatId, owner: Owner, run_id: RunId | None) -> RunId:
        """Note durably that a run is to stop, and tell whoever executes it.

        Without ``run_id`` the chat's active run is meant, else the first that waits. The
        run's end is an event of its own, when its work has really stopped.

        Raises:
            RunNotFound: nothing is there to stop.
            ChatNotFound: the chat is not this owner's.
            Unavailable: the database does not answer.
        """
        return await self._worker.finish(self._cancel(chat_id, owner, run_id))

    # Inside

    async def _cancel(self, chat_id: ChatId, owner: Owner, run_id: RunId | None) -> RunId:
        durable: Durable | None = None
        async with self._postgres.unit() as db:
            runs = RunRepository(db)
            chats = ChatRepository(db)
            if await chats.advance(chat_id, owner) is None:  # only to lock it
                raise ChatNotFound("There is no such chat.")
            stopping = await runs.wish_cancel(chat_id, run_id)
            dropped: OpenRun | None = None
            if stopping is None:
                waiting = [one for one in await runs.open_of(chat_id) if one.status != "running"]
                wanted = [one for one in waiting if run_id in {None, one.run_id}]
                dropped = await runs.drop_one(wanted[0].run_id) if wanted else None
            if dropped is not None:
                numbers = await chats.advance(chat_id, owner, events=1)
                if numbers is not None:
                    durable = await self._publisher.store(
                        db, chat_id, [self._cancelled(dropped)], last_seq=numbers.outbox_seq
                    )
        if durable is not None and dropped is not None:
            self._worker.announce(durable)
            return dropped.run_id
        if stopping is None:
            raise RunNotFound("Nothing is running that could be stopped.")
        await self._stop(stopping)
        return stopping

    async def _store(
        self,
        session: Session,
        text: str,
        *,
        message_id: MessageId,
        run_id: RunId,
        client_message_id: str | None,
        on_busy: OnBusy,
        has_place: bool,
    ) -> _Stored:
        chat_id, owner = session.chat_id, session.owner
        async with self._postgres.unit() as db:
            chats, runs = ChatRepository(db), RunRepository(db)
            numbers = await chats.advance(
                chat_id, owner, messages=1, events=2, claims=1, title=_title(text)
            )
            if numbers is None:
                if await SessionRepository(db).is_live(session.session_id):
                    raise ChatNotFound("There is no such chat.")
                raise _no_session()
            stopping: RunId | None = None
            ended: list[Event] = []
            last_seq = numbers.outbox_seq
            if on_busy != "queue":
                if client_message_id and await chats.find_sent(chat_id, owner, client_message_id):
                    raise _Sent
                stopping, ended = await self._make_way(db, chat_id, on_busy)
            if ended:
                more = await chats.advance(chat_id, owner, events=len(ended))
                last_seq = more.outbox_seq if more else last_seq
            message = NewMessage(
                message_id=message_id,
                chat_id=chat_id,
                session_id=session.session_id,
                seq=numbers.message_seq,
                text=text,
                client_message_id=client_message_id,
                run_id=run_id,
                answer_id=new_message_id(),
            )
            said = self._user_message(message_id, client_message_id, text, run_id)
            told = outgoing_events([*ended, said], last_seq=last_seq - 1)
            begun = {
                status: outgoing_events(
                    [self._begun(run_id, message_id, status)], last_seq=last_seq
                )[0]
                for status in ("running", "queued")
            }
            stored = await runs.accept(
                message,
                room=has_place,
                node=self._node,
                fence=numbers.fence,
                lease_seconds=self._settings.lease_seconds,
                most=self._settings.queued_per_chat,
                user_id=owner.user_id if self._chats_at_once else None,
                events=[*(("any", event) for event in told), *begun.items()],
            )
            if not stored.is_live:
                raise _no_session()
            if not stored.is_new:
                raise _Sent
            if stored.elsewhere >= self._chats_at_once > 0:
                raise TooManyRuns(
                    f"{stored.elsewhere} of your other chats are being answered already.",
                    retry_after_ms=_RETRY_MS,
                )
            if stored.status is None:
                raise QueueFull(
                    f"{self._settings.queued_per_chat} messages wait already.",
                    retry_after_ms=_RETRY_MS,
                )
        claim = None
        if stored.status == "running":
            claim = Claim(
                run_id=run_id,
                chat_id=chat_id,
                session_id=session.session_id,
                message_id=message_id,
                answer_id=message.answer_id,
                agent=numbers.agent,
                thread_id=numbers.thread_id,
                text=text,
                owner=owner,
                attempt=1,
                fence=numbers.fence,
            )
        durable = Durable(chat_id, 0, [*told, begun[stored.status]])
        return _Stored(claim, durable, stopping)

    async def _make_way(
        self, db: Db, chat_id: ChatId, on_busy: OnBusy
    ) -> tuple[RunId | None, list[Event]]:
        runs = RunRepository(db)
        if on_busy == "reject":
            if await runs.open_of(chat_id):
                raise RunInProgress("The chat is answering another message.")
            return None, []
        ended = [self._cancelled(run) for run in await runs.drop_waiting(chat_id)]
        return await runs.wish_cancel(chat_id, None), ended

    async def _sent_before(self, session: Session, text: str, client_id: str) -> Accepted:
        async with self._postgres.statement() as db:
            found = await ChatRepository(db).find_sent(session.chat_id, session.owner, client_id)
        if found is None:
            raise ChatNotFound("There is no such chat.")
        message_id, sent_text, run_id = found
        if sent_text != text:
            raise IdempotencyConflict("This client_message_id was used for another text.")
        return Accepted(message_id, run_id, duplicate=True)

    async def _stop(self, run_id: RunId) -> None:
        if self._worker.cancel(run_id):
            return
        try:
            await self._signals.send("cancel", run_id=str(run_id))
        except AppError as error:  # its owner sees the wish at its next heartbeat
            log.warning("cancel_signal_failed", run_id=str(run_id), code=error.code)

    def _user_message(
        self, message_id: MessageId, client_message_id: str | None, text: str, run_id: RunId
    ) -> Event:
        return event(
            "user_message",
            timestamp=wire_time(self._clock.now()),
            message_id=str(message_id),
            client_message_id=client_message_id,
            text=text,
            run_id=str(run_id),
        )

    def _begun(self, run_id: RunId, message_id: MessageId, status: str) -> Event:
        timestamp = wire_time(self._clock.now())
        if status == "queued":
            return event("run_queued", timestamp=timestamp, run_id=str(run_id))
        return event(
            "run_started",
            timestamp=timestamp,
            run_id=str(run_id),
            attempt=1,
            message_id=str(message_id),
        )

    def _cancelled(self, run: OpenRun) -> Event:
        return event(
            "run_cancelled",
            timestamp=wire_time(self._clock.now()),
            run_id=str(run.run_id),
            attempt=run.attempt,
        )


def _no_session() -> SessionNotFound:
    return SessionNotFound("There is no such session.")


def _title(text: str) -> str:
    """Return a chat's first title: its first message's first words, on one line."""
    line = re.sub(r"\s+", " ", text[: _TITLE_CHARS * 4]).strip()
    if len(line) <= _TITLE_CHARS:
        return line
    return line[: _TITLE_CHARS - 1].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"
