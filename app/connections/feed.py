"""One chat as this node sees it: who follows it here, and what they have been given."""

from collections.abc import Iterable, Sequence

from app.connections.connection import Connection
from app.events.log import Publication
from app.kit.ids import ChatId
from app.protocol.close import NO_CONTINUITY
from app.protocol.codec import decode, numbered
from app.protocol.replay import Entry, Top
from app.settings import EventSettings


class Feed:
    """Hands a chat's events to its members, each once and in order.

    Args:
        chat_id: which chat.
        settings: how much may wait here.
        now: the time, by the hub's clock.
    """

    __slots__ = (
        "_ahead",
        "_answered",
        "_key",
        "_last",
        "_settings",
        "chat_id",
        "checked_at",
        "doubts",
        "empty_since",
        "epoch",
        "heard_at",
        "joining",
        "members",
        "missed_at",
        "offset",
        "parked",
    )

    def __init__(self, chat_id: ChatId, *, settings: EventSettings, now: float) -> None:
        self.chat_id = chat_id
        self.epoch = ""
        self.offset = 0  # of the last event given to the members
        self.members: set[Connection] = set()
        # Those on their way in, and what arrived since they came, with its epoch.
        self.joining: dict[Connection, list[tuple[str, Entry]]] = {}
        self.parked: dict[int, bytes] = {}  # events beyond a gap, or held back by a doubt
        self.doubts = 0  # how often it became uncertain that nothing is missing
        self.heard_at = now
        self.checked_at = now
        self.missed_at: float | None = None  # when the log last told what nobody had said
        self.empty_since = now
        self._ahead: dict[int, str] = {}  # keys of events that were read before they were heard
        self._answered = 0  # of the doubts
        self._settings = settings
        self._key: str | None = None  # of the last event
        self._last = b""  # that event, if it passed through here

    @property
    def top(self) -> Top:
        """Where the log ends, if the members have all of it."""
        key = decode(self._last)["key"] if self._last else self._key
        return Top(self.epoch, self.offset, key)

    @property
    def doubtful(self) -> bool:
        """Whether nothing may go out until the log has been looked at."""
        return self.doubts > self._answered

    @property
    def is_abandoned(self) -> bool:
        return not self.members and not self.joining

    @property
    def must_be_checked(self) -> bool:
        """Whether only the log can tell how to go on."""
        return bool(self.members) and (self.doubtful or bool(self.parked))

    def reassure(self, doubts: int) -> None:
        """Take back the first ``doubts``: those from before the log was looked at."""
        self._answered = max(self._answered, doubts)

    def add(self, connection: Connection, top: Top) -> None:
        """Let a connection that has everything up to ``top`` follow from there."""
        if not self.members:
            self.epoch, self.offset, self._key = top
            self._last = b""
            self.parked.clear()
            self._ahead.clear()
        del self.joining[connection]
        self.members.add(connection)

    def deliver(self, publication: Publication, now: float) -> None:
        """Give an append to everyone. Never waits."""
        if self.joining:
            self._keep(publication)
        if not self.members:
            return
        self.heard_at = now
        for offset in [one for one in self._ahead if one < publication.first_offset]:
            del self._ahead[offset]  # they come in order: its publication was lost
        events = list(enumerate(publication.payloads, publication.first_offset))
        if publication.epoch != self.epoch or not self._agrees(events):
            self.end_members(now)
            return
        self.take(events)
        if len(self.parked) > self._settings.park_events:
            self.end_members(now)

    def take_read(self, entries: Sequence[Entry]) -> None:
        """Like ``take``, with what the log holds. It will be heard, too, on a busy node later."""
        for entry in entries:
            if entry.offset > self.offset and entry.offset not in self.parked:
                self._ahead[entry.offset] = entry.key
        for offset in list(self._ahead)[: -self._settings.replay_events]:
            del self._ahead[offset]
        self.take((entry.offset, entry.payload) for entry in entries)

    def take(self, events: Iterable[tuple[int, bytes]]) -> None:
        """Send what follows, keep what lies beyond a gap, ignore what was sent before."""
        for offset, payload in events:
            if offset > self.offset:
                self.parked[offset] = payload
        if self.doubtful:
            return
        while (payload := self.parked.pop(self.offset + 1, b"")) != b"":
            self._send(self.offset + 1, payload)

    def end_members(self, now: float) -> None:
        """End all that are live; those on their way in have a proof of their own to make."""
        for connection in self.members:
            connection.end(NO_CONTINUITY)
        self.members.clear()
        self.parked.clear()
        self._ahead.clear()
        self.empty_since = now

    def _keep(self, publication: Publication) -> None:
        entries = [
            (publication.epoch, Entry(offset, decode(payload)["key"], payload))
            for offset, payload in enumerate(publication.payloads, publication.first_offset)
        ]
        for connection, arrived in self.joining.items():
            if connection.ended is not None:
                continue
            arrived.extend(entries)
            if len(arrived) > self._settings.replay_events:
                connection.end(NO_CONTINUITY)
                arrived.clear()

    def _agrees(self, events: Sequence[tuple[int, bytes]]) -> bool:
        """Whether numbers that are known already come with the same events again.

        They may come again: what is read from the log is published, too. Of those and of the
        last event the keys are at hand; with older ones it is left to a look at the log.
        """
        for offset, payload in events:
            if offset in self._ahead:
                if decode(payload)["key"] != self._ahead.pop(offset):
                    return False
            elif offset == self.offset:
                if decode(payload)["key"] != self.top.key:
                    return False
            elif offset < self.offset:
                self.doubts += 1
        return True

    def _send(self, offset: int, payload: bytes) -> None:
        frame = numbered(payload, offset)
        self.offset, self._last = offset, payload
        for connection in self.members:
            if connection.offset == offset - 1:
                connection.offset = offset
                connection.offer(frame)
            elif connection.offset < offset:
                connection.end(NO_CONTINUITY)
