"""Passwords become hashes, slowly and beside the event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.auth.errors import TooBusy

_WAITING = 64  # more than this would wait for longer than anybody does


class Passwords:
    """Hashes and checks with argon2id (RFC 9106), in the parameters of its section 4.

    One hash takes about 50 ms of a core and 64 MiB, so few are made at once and the rest wait.

    Args:
        at_once: how many are made at the same time.
    """

    def __init__(self, *, at_once: int) -> None:
        self._hasher = PasswordHasher()
        self._places = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._nobodys = self._hasher.hash("the password of no account")

    async def hash(self, password: str) -> str:
        """Return what may be stored.

        Raises:
            TooBusy: too many wait already.
        """
        async with self._place():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def check(self, password: str, stored: str | None) -> bool:
        """Whether the password is the one of ``stored``. It takes as long if there is none.

        Raises:
            TooBusy: too many wait already.
        """
        async with self._place():
            given = self._nobodys if stored is None else stored
            right = await asyncio.to_thread(self._verify, given, password)
        return right and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING:
            raise TooBusy("Too many people sign in at this moment.", retry_after_ms=2_000)
        self._waiting += 1
        try:
            async with self._places:
                yield
        finally:
            self._waiting -= 1
