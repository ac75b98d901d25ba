"""Deletes what has been kept long enough: visitors' chats, and sessions."""

import asyncio
import contextlib
import datetime as dt
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import structlog

from app.chats.repository import ChatRepository
from app.kit.ids import ChatId
from app.kit.paging import Cursor
from app.observability.metrics import RETENTION_DELETED
from app.ownership.forgetting import Forgetting, delete_rows
from app.ownership.repository import OwnershipRepository
from app.ownership.types import Counts
from app.runs.repository import RunRepository
from app.sessions.repository import SessionRepository
from app.settings import RetentionSettings, SessionSettings
from app.storage.postgres import Db, Postgres

log = structlog.get_logger()

_BEGINNING = Cursor(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), UUID(int=0))

_MESSAGES_AT_ONCE = 10_000  # a fraction of a second; of one chat, all go at once


class _AnotherIsAtIt(Exception):
    """Another node sweeps at this moment."""


class Retention:
    """Sweeps in short transactions. Every node may; at any moment, one does.

    A visitor's chat goes when its last session ran out long enough ago and nobody works in
    it; which is decided while its row is locked, so that it cannot be used meanwhile: a new
    session on it waits, and then finds it gone or keeps it. Chats of users stay. Sessions go
    by themselves, whoever's they are.

    Args:
        postgres: where chats and sessions are.
        forgetting: deletes chats.
        settings: how long what is kept, and the pace.
        sessions: how long sessions live.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        forgetting: Forgetting,
        settings: RetentionSettings,
        sessions: SessionSettings,
    ) -> None:
        self._postgres = postgres
        self._forgetting = forgetting
        self._settings = settings
        # A chat is last used in a session that lives at least this long from then on, so
        # younger chats need no look.
        self._ttl = min(sessions.ttl_seconds, sessions.max_seconds)

    async def sweep(self) -> None:
        """Delete everything that is due, and log how much that was, if it was anything.

        Raises:
            Unavailable: a store does not answer; what is left to do is done next time.
        """
        counts: Counts = Counter()
        kept = self._settings
        try:
            if kept.empty_seconds:
                await self._sweep_chats(counts, empty=True, seconds=kept.empty_seconds)
            if kept.anonymous_seconds:
                await self._sweep_chats(counts, empty=False, seconds=kept.anonymous_seconds)
            await self._sweep_sessions(counts)
            await self._clear(counts)
        except _AnotherIsAtIt:
            pass  # it does the rest, too
        finally:
            _tell(counts)

    async def _sweep_chats(self, counts: Counts, *, empty: bool, seconds: int) -> None:
        """Delete, page by page, visitors' chats whose last session ran out that long ago."""
        after = _BEGINNING
        while True:
            deleted: Counts = Counter()
            async with self._turn() as db:
                found = await ChatRepository(db).lock_anonymous_for_system(
                    empty=empty,
                    seconds=seconds + self._ttl,
                    after=after,
                    limit=self._settings.batch,
                )
                page = _not_too_much(found)
                due = await _unused(db, [ChatId(one.id) for one in page], seconds=seconds)
                await delete_rows(db, due, deleted)
            counts.update(deleted)
            if len(page) < self._settings.batch and len(page) == len(found):
                return
            after = page[-1]
            await asyncio.sleep(self._settings.pause_seconds)

    async def _sweep_sessions(self, counts: Counts) -> None:
        kept = self._settings
        seconds = max(kept.session_seconds, kept.anonymous_seconds, kept.empty_seconds)
        while True:
            async with self._turn() as db:
                deleted = await SessionRepository(db).delete_over_for_system(
                    seconds=seconds, limit=kept.batch
                )
            counts["sessions"] += deleted
            if deleted < kept.batch:
                return
            await asyncio.sleep(kept.pause_seconds)

    async def _clear(self, counts: Counts) -> None:
        """Do what is left to do of chats that were deleted, by whomever."""
        while True:
            async with self._turn() as db:
                notes = await self._forgetting.take_due(db, limit=self._settings.batch)
            if notes:
                await self._forgetting.clear(notes, counts)
            if len(notes) < self._settings.batch:
                return
            await asyncio.sleep(self._settings.pause_seconds)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[Db]:
        async with self._postgres.unit() as db:
            if not await OwnershipRepository(db).take_turn():
                raise _AnotherIsAtIt
            yield db


def _not_too_much(found: Sequence[tuple[Cursor, int]]) -> list[Cursor]:
    """Return the first chats, as many as have few enough messages together; at least one."""
    so_far = itertools.accumulate(messages for _, messages in found)
    fit = sum(messages <= _MESSAGES_AT_ONCE for messages in so_far)
    return [place for place, _ in found[: max(fit, 1)]]


async def _unused(db: Db, chat_ids: Sequence[ChatId], *, seconds: float) -> list[ChatId]:
    """Return those of the locked chats that nobody uses or has used for ``seconds``."""
    if not chat_ids:
        return []
    used = await SessionRepository(db).used_since(chat_ids, seconds=seconds)
    used |= await RunRepository(db).under_way(chat_ids)
    return [one for one in chat_ids if one not in used]


def _tell(counts: Counts) -> None:
    found = {what: count for what, count in counts.items() if count}
    for what, count in found.items():
        RETENTION_DELETED.labels(what).inc(count)
    if found:
        log.info("retention_swept", **found)
