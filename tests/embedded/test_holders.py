"""The list of processes that use a data directory."""

import asyncio
import dataclasses
import os
from pathlib import Path

import pytest

from app.embedded import holders
from app.embedded.errors import DataDirBusy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "holders.json"


def test_who_leaves_learns_who_is_left(path: Path) -> None:
    first, second = holders.myself(), holders.myself()
    holders.add(path, first)
    holders.add(path, second)

    assert holders.remove(path, first) == [second]
    assert holders.remove(path, second) == []


def test_a_dead_process_is_struck_off(path: Path) -> None:
    dead = dataclasses.replace(holders.myself(), pid=2**22 + 1)
    holders.add(path, dead)

    assert holders.living(path) == []


def test_a_later_process_with_the_same_number_is_no_holder(path: Path) -> None:
    before = dataclasses.replace(holders.myself(), started="another boot 12345")
    holders.add(path, before)

    assert holders.living(path) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"pid": 1}]', "7", "null"])
def test_an_unreadable_list_counts_as_empty(path: Path, text: str) -> None:
    path.write_text(text)

    holders.add(path, holders.myself())

    assert [holder.pid for holder in holders.living(path)] == [os.getpid()]


async def test_the_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []
    entered = asyncio.Event()

    async def second() -> None:
        await entered.wait()
        async with holders.locked(tmp_path / "lock"):
            order.append("second")

    async with asyncio.TaskGroup() as group:
        group.create_task(second())
        async with holders.locked(tmp_path / "lock"):
            entered.set()
            await asyncio.sleep(0)
            order.append("first")

    assert order == ["first", "second"]


async def test_a_lock_that_is_never_released_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "LOCK_SECONDS", 0.05)

    async with holders.locked(tmp_path / "lock"):
        with pytest.raises(DataDirBusy):
            async with holders.locked(tmp_path / "lock"):
                pass
