"""The connection by which a node hears what Redis publishes, and ways to make it deaf."""

import contextlib
import re
import uuid
from collections.abc import AsyncIterator, Callable

from redis.asyncio import Redis

from app.events.follower import SIGNALS
from app.events.log import Publication, channel, parse_publication
from app.kit.ids import ChatId
from tests.faults.nodes import Node
from tests.support.proxy import LOST, Link
from tests.support.waiting import eventually

_NOBODY_KNOWS_THIS = b'{"kind":"can_you_hear_me"}'
_MESSAGE = re.compile(
    rb"[>*]3\r\n\$7\r\nmessage\r\n\$\d+\r\n([^\r]+)\r\n\$\d+\r\n(.*)\r\n", re.DOTALL
)
_LINES = b"+-:_#,("
_BLOBS = b"$=!"
_LISTS = b"*>~"
_END = b"\r\n"

Loses = Callable[[Publication], bool]


class Ear:
    """One connection from Redis to a node, and which publications are lost on it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.lost: list[Publication] = []
        self.has_heard = False
        """Whether anything was published here: then it is the node's ear indeed."""
        self._loses: dict[bytes, Loses] = {}
        self._rest = b""  # the beginning of a reply
        link.server.way.sieve = self._sieve

    @property
    def is_open(self) -> bool:
        """Whether the node still listens here."""
        return self.link in self.link.proxy.links and not self.link.client.way.is_done

    def lose(self, chat_id: str, which: Loses = lambda _: True) -> None:
        """Have publications of a chat lost, from now on; everything else passes."""
        self._loses[channel(ChatId(uuid.UUID(chat_id)))] = which

    def stop(self) -> None:
        """Have nothing come any more, not even answers; what the node sends gets through."""
        self.link.fault(down=LOST)

    def release(self) -> None:
        """Have everything come again, if it is still listened to."""
        self._loses.clear()
        self.link.fault()
        if not self._rest:
            self.link.server.way.sieve = None

    def _sieve(self, data: bytes) -> bytes:
        self._rest += data
        begin = end = 0
        passed: list[bytes] = []
        with contextlib.suppress(_Unfinished):
            while end < len(self._rest):
                end = _end_of(self._rest, begin)
                reply, begin = self._rest[begin:end], end
                if not self._is_lost(reply):
                    passed.append(reply)
        self._rest = self._rest[begin:]
        return b"".join(passed)

    def _is_lost(self, reply: bytes) -> bool:
        message = _MESSAGE.fullmatch(reply)
        if message is None:
            return False
        self.has_heard = True
        name, data = message.groups()
        loses = self._loses.get(name)
        if loses is None or not loses(publication := parse_publication(data)):
            return False
        self.lost.append(publication)
        return True


@contextlib.asynccontextmanager
async def ear_of(node: Node, redis: Redis) -> AsyncIterator[Ear]:
    """Find a node's ear by what it hears; it is well again after the block.

    Args:
        node: whose connections are looked at.
        redis: a way to Redis that passes no proxy.
    """
    ears: dict[Link, Ear] = {}

    async def found() -> list[Ear]:
        for link in node.redis.links - ears.keys():
            ears[link] = Ear(link)
        await redis.publish(SIGNALS, _NOBODY_KNOWS_THIS)
        return [ear for ear in ears.values() if ear.has_heard and ear.is_open]

    try:
        [ear] = await eventually(found)
        for other in ears.values():
            if other is not ear:
                other.release()
        yield ear
    finally:
        for one in ears.values():
            one.release()


class _Unfinished(Exception):
    """The rest of a reply has yet to come."""


def _end_of(data: bytes, begin: int) -> int:
    """Return where the Redis reply ends that begins at ``begin``."""
    line_end = data.find(_END, begin)
    if line_end < 0:
        raise _Unfinished
    kind, after = data[begin], line_end + len(_END)
    if kind in _LINES:
        return after
    size = int(data[begin + 1 : line_end])
    if kind in _BLOBS:
        after += 0 if size < 0 else size + len(_END)
        if after > len(data):
            raise _Unfinished
        return after
    assert kind in _LISTS or kind == ord("%"), f"{data[begin:][:50]!r} is no reply"
    for _ in range(size * 2 if kind == ord("%") else size):
        after = _end_of(data, after)
    return after
