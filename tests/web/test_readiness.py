"""Readiness is answered in time, whatever what it asks about does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

import pytest

from app.background import running
from app.kit.errors import Unavailable
from app.web import readiness as module
from app.web.readiness import Readiness, Verdict

SECONDS = 0.1


class Store:
    """Answers, refuses, or hangs: so well that it cannot even be cancelled."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def ask(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        while not self.is_open.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.is_open.wait()


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", SECONDS)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = Store()
    yield store
    store.is_open.set()


@contextlib.asynccontextmanager
async def asking(store: Store, workers: Collection[str] | None = None) -> AsyncIterator[Readiness]:
    async def there() -> Collection[str]:
        return workers or []

    other = Store()
    readiness = Readiness(
        stores={"it": store.ask, "other": other.ask}, workers=None if workers is None else there
    )
    async with running([readiness.run]):
        await asyncio.sleep(0)
        yield readiness
        store.is_open.set()


async def test_one_that_hangs_and_cannot_be_cancelled_is_not_waited_for(store: Store) -> None:
    store.is_open.clear()
    async with asking(store) as readiness, asyncio.timeout(SECONDS * 5):
        verdict = await readiness.check()

    assert verdict == Verdict(False, {"it": "timeout", "other": "ok"})


async def test_many_who_want_to_know_ask_once(store: Store) -> None:
    store.is_open.clear()
    async with asking(store) as readiness:
        verdicts = await asyncio.gather(*[readiness.check() for _ in range(50)])

    assert {verdict.is_ready for verdict in verdicts} == {False}
    assert store.asked == 1


async def test_who_comes_later_does_not_wait_for_an_old_question(store: Store) -> None:
    store.is_open.clear()
    async with asking(store) as readiness:
        await readiness.check()
        again = await readiness.check()
        store.is_open.set()
        at_last = await readiness.check()

    assert (again.is_ready, at_last.is_ready) == (False, True)
    assert store.asked == 3


@pytest.mark.parametrize(
    ("error", "says"), [(Unavailable("gone"), "unavailable"), (OSError(), "timeout")]
)
async def test_one_that_refuses_is_told(store: Store, error: Exception, says: str) -> None:
    store.error = error
    async with asking(store) as readiness:
        verdict = await readiness.check()

    assert verdict == Verdict(False, {"it": says, "other": "ok"})


@pytest.mark.parametrize(("workers", "says"), [(["one"], "ok"), ([], "none")])
async def test_without_workers_a_node_says_so_and_is_ready(
    store: Store, workers: list[str], says: str
) -> None:
    async with asking(store, workers) as readiness:
        verdict = await readiness.check()

    assert verdict == Verdict(True, {"it": "ok", "other": "ok", "workers": says})
