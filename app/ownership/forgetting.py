"""Deletes chats for good: their rows, then what they leave in other tables and stores."""

from collections import Counter
from collections.abc import Sequence

from app.agents.saver import Savers
from app.chats.repository import ChatRepository
from app.events.log import EventLog
from app.kit.ids import ChatId
from app.ownership.repository import OwnershipRepository
from app.ownership.types import Counts, Forgotten
from app.storage.postgres import Db, Postgres

_AGAIN_SECONDS = 60.0  # after this, what a node took and did not finish is anybody's


class Forgetting:
    """Deletes chats in an order that leaves nothing behind, wherever it is interrupted.

    1. The chat's row goes, and by cascade its sessions, messages, runs and outbox. From then
       on nobody can reach it. The same transaction notes what it had elsewhere.
    2. What is noted goes: checkpoints, then Redis keys, then a visitor with nothing left. All
       of it can be repeated.
    3. The note stays for ``late_seconds``, then all is looked for once more: a run that was
       stopped may have written late. Then the note goes, too.

    Only threads of noted chats are touched: other applications of LangGraph may keep theirs
    in the same tables, and a chat that is just beginning was never noted.

    Args:
        postgres: where chats and notes are.
        savers: where checkpoints are.
        event_log: where Redis keys are.
        late_seconds: how long after a chat's deletion its runs might still write.
    """

    def __init__(
        self, *, postgres: Postgres, savers: Savers, event_log: EventLog, late_seconds: float
    ) -> None:
        self._postgres = postgres
        self._savers = savers
        self._event_log = event_log
        self._late_seconds = late_seconds

    async def forget_chats(self, chat_ids: Sequence[ChatId]) -> Counts:
        """Delete chats at once, whoever's they are: that they may go is the caller's to know.

        Best after their runs were stopped. One that is at work all the same loses its lease
        at the next heartbeat, and what it writes until then is found by the last look.

        Returns what was deleted. Doing it twice is harmless.

        Raises:
            Unavailable: a store does not answer. Once the rows are gone, retention does the
                rest.
        """
        counts: Counts = Counter()
        async with self._postgres.unit() as db:
            await delete_rows(db, chat_ids, counts)
            notes = await OwnershipRepository(db).take_of(chat_ids, again_seconds=_AGAIN_SECONDS)
        await self.clear(notes, counts)
        return counts

    async def take_due(self, db: Db, *, limit: int) -> list[Forgotten]:
        """Take some of the notes whose time has come, within the caller's transaction."""
        return await OwnershipRepository(db).take_due(limit=limit, again_seconds=_AGAIN_SECONDS)

    async def clear(self, notes: Sequence[Forgotten], counts: Counts) -> None:
        """Delete what is left of the noted chats, and count it.

        Raises:
            Unavailable: a store does not answer; the notes come back by themselves.
        """
        gone = [note for note in notes if not note.is_back]
        first = [note for note in gone if not note.is_cleared]
        last = [note for note in gone if note.is_cleared]
        await self._clear_stores(first, "checkpoints", counts)
        await self._clear_stores(last, "orphans", counts)
        async with self._postgres.unit() as db:
            repository = OwnershipRepository(db)
            visitor_ids = {note.visitor_id for note in first if note.visitor_id is not None}
            visitors = await repository.delete_visitors(sorted(visitor_ids))
            await repository.look_again(_ids(first), later_seconds=self._late_seconds)
            await repository.drop(_ids([note for note in notes if note not in first]))
        counts["visitors"] += visitors

    async def _clear_stores(self, notes: Sequence[Forgotten], what: str, counts: Counts) -> None:
        if not notes:
            return
        rows = await self._savers.forget([note.thread_id for note in notes])
        counts[what] += rows
        keys = await self._event_log.forget(*_ids(notes))
        counts["keys"] += keys


async def delete_rows(db: Db, chat_ids: Sequence[ChatId], counts: Counts) -> None:
    """Delete the rows of chats within the caller's transaction, and count them.

    The rest of them is retention's, or ``Forgetting``'s to do at once after the commit.
    """
    messages = await ChatRepository(db).delete_for_system(chat_ids)
    counts["chats"] += len(messages)
    counts["messages"] += sum(messages)


def _ids(notes: Sequence[Forgotten]) -> list[ChatId]:
    return [note.chat_id for note in notes]
