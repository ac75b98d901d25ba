"""What a run tells its chat: collects steps, coalesces words, appends in batches.

The graph never waits for Redis. Whatever came while one append was under way goes with
the next; words are sent at once when they begin, and then collected for a moment.
"""

import asyncio
from collections.abc import Callable

import structlog

from app.events.errors import StaleFence
from app.events.log import AlreadySaid, Outgoing
from app.events.outbox import Durable, EventPublisher
from app.kit.clock import Clock, wire_time
from app.kit.errors import AppError
from app.protocol.codec import encode
from app.protocol.events import Event, event
from app.runs.errors import AnswerTooLong
from app.runs.types import Claim
from app.settings import RunSettings

log = structlog.get_logger()

_RETRY_SECONDS = 0.5
_PENDING_EVENTS = 1_000  # kept while Redis is away; older progress is dropped
_WHOLE_EVERY = 1_000  # chunks; fewer than any log keeps, so a snapshot can always be made


class Emitter:
    """The events of one attempt of one run. ``pump`` must be running.

    Args:
        run: whose events.
        first: what its claim committed; published before everything else.
        publisher: their way into the log.
        settings: how words are coalesced.
        clock: for timestamps and pauses.
        on_stale: called when a newer owner has the run: nothing more may be written.
    """

    def __init__(
        self,
        run: Claim,
        *,
        first: Durable,
        publisher: EventPublisher,
        settings: RunSettings,
        clock: Clock,
        on_stale: Callable[[], None],
    ) -> None:
        self._run = run
        self._run_id = str(run.run_id)  # every event has them
        self._answer_id = str(run.answer_id)
        self._first = first
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._on_stale = on_stale
        self._pending: list[Event] = []
        self._words: list[str] = []  # not yet in an event
        self._words_chars = 0
        self._text: list[str] = []  # everything said in this attempt
        self._text_chars = 0
        self._chunk = 0
        self._whole_at = 0  # the chunk after which the log last got the whole text
        self._sent_words_at = 0.0
        self._said = 0  # how many events of ours are in the log, as far as is known
        self._unsettled: list[Event] = []  # an append that failed, and may have been done
        self._resend = False  # the log may have lost words: send the whole text
        self._closing = False
        self._is_dead = False  # nothing more may be or can be appended
        self._wake = asyncio.Event()

    @property
    def text(self) -> str:
        """What has been said so far."""
        return "".join(self._text)

    def make(self, type_: str, /, **fields: object) -> Event:
        """Make an event of this attempt."""
        return event(
            type_,
            timestamp=wire_time(self._clock.now()),
            run_id=self._run_id,
            attempt=self._run.attempt,
            **fields,
        )

    def emit(self, type_: str, /, **fields: object) -> None:
        """Say something about the run. Never waits; after the close, nobody hears it."""
        if self._closing or self._is_dead:
            return
        self._cut_words()
        self._pending.append(self.make(type_, **fields))
        if len(self._pending) > _PENDING_EVENTS:  # Redis is away, and the graph goes on
            del self._pending[:-_PENDING_EVENTS]
            self._resend = bool(self._text)
        self._wake.set()

    def say(self, words: str) -> None:
        """Add to the answer. Never waits.

        Raises:
            AnswerTooLong: it has grown past the limit.
        """
        if not words or self._closing:
            return
        if not self._text:
            self.emit("message_started", message_id=self._answer_id)
        self._text_chars += len(words)
        if self._text_chars > self._settings.answer_chars:
            raise AnswerTooLong("The answer grew too long.")
        self._text.append(words)
        if self._is_dead:
            return
        self._words.append(words)
        self._words_chars += len(words)
        self._wake.set()

    def close(self) -> None:
        """Let ``pump`` send what is left and return."""
        self._cut_words()
        self._closing = True
        self._wake.set()

    async def pump(self) -> None:
        """Append what is emitted until closed. While Redis is away, words keep piling up and
        are then sent as one text.
        """
        try:
            await self._publisher.publish_durable(self._first)
            await self._publish_rest()
        except StaleFence:
            self._die()
            self._on_stale()
        except Exception:  # the answer can still be stored
            log.exception("events_crashed", run_id=str(self._run.run_id))
            self._die()

    async def _publish_rest(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            wait = self._words_wait()
            if self._words and wait <= 0:
                self._cut_words()
            if self._pending or self._unsettled or self._resend:
                await self._append()
            elif self._closing:
                return
            elif self._words:
                await self._pause(wait)
                self._wake.set()

    def _die(self) -> None:
        self._is_dead = True
        self._pending.clear()
        self._words.clear()

    def _words_wait(self) -> float:
        """Seconds until collected words are due; 0 or less when they are."""
        if self._chunk == 0 or self._words_chars >= self._settings.delta_chars:
            return 0
        due = self._sent_words_at + self._settings.delta_ms / 1000
        return due - self._clock.monotonic()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _cut_words(self) -> None:
        if not self._words:
            return
        words = "".join(self._words)
        self._words.clear()
        self._words_chars = 0
        self._sent_words_at = self._clock.monotonic()
        self._pending.append(
            self.make(
                "message_delta",
                message_id=self._answer_id,
                chunk=self._chunk,
                text=words,
            )
        )
        self._chunk += 1
        if self._chunk - self._whole_at >= _WHOLE_EVERY:
            self._resend = True  # before the log forgets how the answer began

    async def _append(self) -> None:
        batch = self._unsettled or self._next_batch()
        outgoing = [Outgoing(encode(one), one["key"]) for one in batch]
        try:
            appended = await self._publisher.publish(
                self._run.chat_id, outgoing, fence=self._run.fence, said=self._said
            )
        except AlreadySaid as error:  # what failed had been done; anything else is tried again
            self._unsettled = [] if self._unsettled else batch
            self._said = error.said
        except StaleFence:
            raise
        except AppError as error:
            log.warning("events_delayed", run_id=self._run_id, code=error.code)
            if self._closing:  # durable events follow, and the snapshot has the rest
                self._unsettled, self._resend = [], False
                self._pending.clear()  # else words would follow without those before them
            else:
                self._unsettled, self._resend = batch, bool(self._text)
                await asyncio.sleep(_RETRY_SECONDS)
        else:
            self._unsettled = []
            if self._said != appended.said - len(batch):
                self._resend = bool(self._text)  # the log was lost under us, or its end was
            self._said = appended.said
        self._wake.set()

    def _next_batch(self) -> list[Event]:
        batch, self._pending = self._pending, []
        if self._resend:
            self._resend = False
            batch = [one for one in batch if one["type"] != "message_delta"]
            batch.append(self._whole_text())
        return batch

    def _whole_text(self) -> Event:
        self._words.clear()
        self._words_chars = 0
        self._sent_words_at = self._clock.monotonic()
        self._chunk += 1
        self._whole_at = self._chunk
        return self.make(
            "message_text",
            message_id=self._answer_id,
            text=self.text,
            chunk=self._chunk - 1,
        )
