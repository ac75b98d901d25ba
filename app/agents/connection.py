"""The checkpointer's connection to Postgres, which does not wait for ever."""

import asyncio
import os
import socket
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow

# Postgres itself gives up a statement first, if it can say so.
_GRACE_SECONDS = 1


class NoReply(OperationalError):
    """Postgres has not answered in time, and the connection was given up."""


class Connection(AsyncConnection[DictRow]):
    """A connection that breaks when Postgres does not answer.

    psycopg has no limit of its own, and TCP's does not help where a pooler in between
    acknowledges what it cannot pass on.
    """

    statement_seconds: float = 10
    """How long a statement may take; Postgres has been told the same."""
    _is_given_up = False

    async def wait(self, *given: Any, **named: Any) -> Any:
        alarm = asyncio.get_running_loop().call_later(
            self.statement_seconds + _GRACE_SECONDS, self._hang_up
        )
        try:
            return await super().wait(*given, **named)
        except OperationalError as error:
            if self._is_given_up:
                raise NoReply("Postgres does not answer.") from error
            raise
        finally:
            alarm.cancel()

    def _hang_up(self) -> None:
        if self.closed:
            return
        self._is_given_up = True
        # Not closed: psycopg is waiting for this descriptor, which another might get.
        with socket.socket(fileno=os.dup(self.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)
