"""A client whose own clock is wrong, in a process of its own: ``python -m tests.faults.shifted``.

Its standard input is one line of JSON, its output the session it started, then, once a line
says that others watch, everything its tab wrote into a journal. Whatever this process asks for
the time of day, and sends, is off; ``time.monotonic`` is not, as on any machine.
"""

import asyncio
import json
import random
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx

from tests.faults.client import Tab
from tests.faults.journal import Frame, Journal
from tests.faults.pace import Pace
from tests.faults.script import NAME
from tests.faults.wall import WallClock


@dataclass(frozen=True)
class _Address:
    port: int


@dataclass(frozen=True)
class _Door:
    name: str
    front: Any


class _Person:
    """Somebody at that client.

    Args:
        given: ``ports`` of nodes, ``clock`` (its file), ``jumps`` (seconds off: once it has
            started, then in the middle of each answer), ``questions``, ``seed``, ``scale``,
            ``name``.
    """

    def __init__(self, given: Frame) -> None:
        self._given = given
        self._dice = random.Random(f"shifted/{given['seed']}/{given['name']}")
        self._doors = [_Door(name, _Address(port)) for name, port in given["ports"].items()]
        self._clock = WallClock(Path(given["clock"]))
        self._clock.rule()
        self._journal = Journal()

    async def run(self) -> None:
        session = await self._start()
        _say(session)
        await asyncio.to_thread(sys.stdin.readline)
        tab = Tab(
            name=self._given["name"],
            session=session,
            pick=lambda: self._dice.choice(self._doors),
            journal=self._journal,
            dice=self._dice,
            pace=Pace(self._given["scale"]),
        )
        tab.open()
        await tab.live()
        for off, question in zip(self._given["jumps"][1:], self._given["questions"], strict=True):
            turn = await tab.ask(
                question, client_message_id=self._dated_id(), sent_at=formatdate(usegmt=True)
            )
            await turn.acked()
            await tab.until(lambda turn=turn: len(tab.state.partial_of(turn.run_id)) > 0)  # type: ignore[misc]
            self._clock.move(off)
            before = tab.connections
            tab.drop()
            await tab.until(lambda before=before: tab.connections > before and tab.is_live)  # type: ignore[misc]
            await turn.ended()
        await tab.close()
        _say([asdict(entry) for entry in self._journal.entries])

    async def _start(self) -> Frame:
        """Start a session, then find it by the cookie alone, after the clock has jumped."""
        url = f"http://127.0.0.1:{self._doors[0].front.port}"
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            started = await http.post(
                f"{url}/chat/start", json={"agent": NAME}, headers=self._headers()
            )
            started.raise_for_status()
            session: Frame = started.json()
            self._clock.move(self._given["jumps"][0])
            listed = await http.get(f"{url}/chat/conversations", headers=self._headers())
            known = await http.get(
                f"{url}/chat/sessions/{session['session_id']}", headers=self._headers()
            )
        session["cookie"] = {"conversations": listed.status_code, "session": known.status_code}
        return session

    def _headers(self) -> dict[str, str]:
        """What a client may say about the time."""
        now = formatdate(usegmt=True)
        return {"date": now, "if-modified-since": now}

    def _dated_id(self) -> str:
        """Make a message's id as many clients do: UUIDv7, which begins with the time."""
        value = (int(time.time() * 1_000) << 80) | self._dice.getrandbits(80)
        value = value & ~(0xF << 76) | 7 << 76
        return str(uuid.UUID(int=value & ~(0x3 << 62) | 2 << 62))


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_Person(json.loads(sys.stdin.readline())).run())
