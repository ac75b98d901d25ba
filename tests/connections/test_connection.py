"""The send queue: bounded, in order, and the end of it."""

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.connections.connection import Connection
from app.kit.ids import new_chat_id
from app.protocol.close import DONE, SESSION_ENDED, TOO_SLOW, ConnectionEnded
from app.protocol.codec import decode, encode
from tests.connections.scene import new_connection
from tests.protocol.scene import delta, words

FRAMES, BYTES = 8, 1_500


@pytest.fixture
def connection() -> Connection:
    return new_connection(new_chat_id(), queue_frames=FRAMES, queue_bytes=BYTES)


async def drain(connection: Connection) -> list[bytes]:
    frames: list[bytes] = []
    while connection._queue or connection._backlog:
        frames.append(await connection.take())
    return frames


def waiting(connection: Connection) -> tuple[int, int]:
    """Frames and bytes in the queue."""
    return len(connection._queue), connection._bytes


async def test_frames_leave_in_the_order_they_came(connection: Connection) -> None:
    for n in range(5):
        connection.offer(b"%d" % n)

    assert await drain(connection) == [b"0", b"1", b"2", b"3", b"4"]
    assert waiting(connection) == (0, 0)
    assert connection.sent_bytes == 5


async def test_what_was_missed_goes_before_what_is_new(connection: Connection) -> None:
    connection.offer(b"new")
    connection.offer_backlog([b"old 1", b"old 2"])
    connection.offer(b"newer")

    assert await drain(connection) == [b"old 1", b"old 2", b"new", b"newer"]


async def test_a_long_replay_does_not_count_as_slowness(connection: Connection) -> None:
    connection.offer_backlog([b"x" * BYTES] * FRAMES * 2)
    connection.offer(b"new")

    assert connection.ended is None
    assert waiting(connection) == (1, 3)


async def test_taking_waits_for_the_next_frame(connection: Connection) -> None:
    taken = asyncio.create_task(connection.take())
    await asyncio.sleep(0)
    waited = not taken.done()

    connection.offer(b"x")

    assert await taken == b"x"
    assert waited


@pytest.mark.parametrize(
    ("size", "fits"),
    [(1, FRAMES), (BYTES // 2, 3), (BYTES, 2), (BYTES + 1, 1)],
    ids=["frames", "bytes", "full", "larger than all that may wait"],
)
async def test_one_frame_too_many_ends_the_connection_as_too_slow(
    connection: Connection, size: int, fits: int
) -> None:
    for _ in range(fits):
        connection.offer(b"x" * size)
    was_open = connection.ended is None

    connection.offer(b"x" * size)

    assert was_open
    assert connection.ended == TOO_SLOW
    with pytest.raises(ConnectionEnded) as caught:
        await connection.take()
    assert caught.value.close == TOO_SLOW
    assert waiting(connection) == (0, 0)


async def test_a_frame_larger_than_all_that_may_wait_is_sent_among_others(
    connection: Connection,
) -> None:
    """The whole text of a long answer closed every socket of its chat as too slow."""
    frames = [b"before", b"x" * BYTES * 3, b"after"]

    for frame in frames:
        connection.offer(frame)

    assert await drain(connection) == frames


async def test_a_slow_reader_of_words_gets_fewer_and_longer_ones(connection: Connection) -> None:
    sent = [delta(n + 1, n, f"{n} ") for n in range(100)]

    for frame in sent:
        connection.offer(frame)

    assert connection.ended is None
    received = await drain(connection)
    assert len(received) <= FRAMES
    assert words(received) == words(sent)


async def test_an_end_drops_what_waits_and_wakes_the_sender(connection: Connection) -> None:
    taken = asyncio.create_task(connection.take())
    await asyncio.sleep(0)

    connection.end(SESSION_ENDED)
    connection.offer(b"late")
    connection.offer_backlog([b"late"])

    with pytest.raises(ConnectionEnded):
        await taken
    with pytest.raises(ConnectionEnded):
        await connection.take()


async def test_a_finish_sends_what_waits_first(connection: Connection) -> None:
    connection.offer_backlog([b"1"])
    connection.offer(b"2")

    connection.finish(SESSION_ENDED)
    connection.offer(b"late")

    assert await drain(connection) == [b"1", b"2"]
    with pytest.raises(ConnectionEnded):
        await connection.take()


async def test_the_first_reason_to_end_is_the_one_that_is_told(connection: Connection) -> None:
    connection.finish(SESSION_ENDED)
    connection.end(TOO_SLOW)
    connection.finish(DONE)

    with pytest.raises(ConnectionEnded) as caught:
        await connection.take()
    assert caught.value.close == SESSION_ENDED


async def test_a_full_queue_ends_that_connection_only(connection: Connection) -> None:
    other = new_connection(new_chat_id())

    for _ in range(FRAMES + 1):
        connection.offer(b"x")
        other.offer(b"x")

    assert connection.ended == TOO_SLOW
    assert other.ended is None
    assert waiting(other) == (FRAMES + 1, FRAMES + 1)


class Queue(RuleBasedStateMachine):
    """Frames come and go in any order: the bounds hold and nothing is lost, moved or doubled."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.connection = new_connection(new_chat_id(), queue_frames=FRAMES, queue_bytes=BYTES)
        self.offered: list[bytes] = []
        self.taken: list[bytes] = []
        self.offset = 0

    @property
    def is_open(self) -> bool:
        return self.connection.ended is None

    def offer(self, frame: bytes) -> None:
        was_empty = not self.connection._queue
        self.connection.offer(frame)
        if self.is_open:
            self.offered.append(frame)
        assert self.is_open or not was_empty

    @precondition(lambda self: self.is_open)
    @rule(text=st.text("ab가", max_size=200), lost=st.booleans())
    def say(self, text: str, lost: bool) -> None:
        self.offset += 2 if lost else 1
        self.offer(delta(self.offset, self.offset, text))

    @precondition(lambda self: self.is_open)
    @rule(size=st.integers(0, 600) | st.just(BYTES * 2))
    def tell(self, size: int) -> None:
        self.offer(encode({"type": "custom", "payload": "x" * size}))

    @precondition(lambda self: self.is_open)
    @rule(count=st.integers(1, 4))
    def take(self, count: int) -> None:
        for _ in range(min(count, waiting(self.connection)[0])):
            coroutine = self.connection.take()
            try:
                coroutine.send(None)
            except StopIteration as done:
                self.taken.append(done.value)

    @precondition(lambda self: not self.is_open)
    @rule()
    def come_back(self) -> None:
        self.begin()

    @invariant()
    def bounds_hold(self) -> None:
        frames, size = waiting(self.connection)
        assert frames == len(self.connection._queue) <= FRAMES
        sizes = [len(frame) for frame in self.connection._queue]
        assert size == sum(sizes) <= BYTES + max(sizes, default=0)

    @invariant()
    def nothing_is_lost_moved_or_doubled(self) -> None:
        if self.is_open:
            assert words([*self.taken, *self.connection._queue]) == words(self.offered)

    @invariant()
    def only_a_queue_that_cannot_be_merged_ends(self) -> None:
        if not self.is_open:
            assert self.connection.ended == TOO_SLOW


TestQueue = Queue.TestCase


def test_a_taken_frame_is_json_a_client_can_read(connection: Connection) -> None:
    for n in range(FRAMES + 3):
        connection.offer(delta(n + 1, n, '"\\ \n가'))

    assert [decode(frame)["type"] for frame in connection._queue] == ["message_delta"] * len(
        connection._queue
    )
