"""Embedded servers that die while they are used: somebody starts them again, once."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from app.embedded import process
from app.embedded import servers as watching
from app.embedded.program import Program
from app.embedded.servers import servers
from tests.embedded.scene import (
    SECONDS,
    kill_servers,
    query,
    remember,
    remembered,
    server_pids,
    until,
    user,
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.05)


async def insist(ask: Callable[[], Awaitable[object]]) -> object:
    """Return what ``ask`` does as soon as the servers answer."""
    async with asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, RedisError):
                return await ask()
            await asyncio.sleep(0.01)


def starts(data_dir: Path) -> tuple[int, int]:
    """Return how often each server has said that it begins."""
    return (
        (data_dir / "postgres.log").read_text().count("LOG:  starting PostgreSQL"),
        (data_dir / "valkey.log").read_text().count("Valkey is starting"),
    )


@pytest.mark.usefixtures("quick")
async def test_servers_that_are_killed_come_back_with_their_data(data_dir: Path) -> None:
    async with servers(data_dir) as addresses:
        await remember(addresses, "kept")
        old = server_pids(data_dir)

        kill_servers(data_dir)
        kept = await insist(lambda: remembered(addresses))
        new = server_pids(data_dir)

    assert kept == ("kept", "kept")
    assert None not in new
    assert not set(old) & set(new)
    assert server_pids(data_dir) == (None, None)


@pytest.mark.parametrize("which", [0, 1], ids=["postgres", "valkey"])
@pytest.mark.usefixtures("quick")
async def test_only_the_one_that_died_is_started(data_dir: Path, which: int) -> None:
    async with servers(data_dir):
        old = server_pids(data_dir)
        killed = old[which]
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await until(lambda: server_pids(data_dir)[which] not in {None, killed})
        new = server_pids(data_dir)

    assert new[1 - which] == old[1 - which]


@pytest.mark.usefixtures("quick")
async def test_of_several_who_notice_one_starts_them(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = watching._dead, Counter[int]()

    def counted(programs: Mapping[Program, Path]) -> Mapping[Program, Path]:
        if all(program.pid_file.parent == data_dir for program in programs):  # not other tests'
            looks[id(programs)] += 1
        return look(programs)

    monkeypatch.setattr(watching, "_dead", counted)
    async with user(data_dir), servers(data_dir), servers(data_dir) as addresses:
        before = starts(data_dir)
        kill_servers(data_dir)
        await insist(lambda: query(addresses.database_url, "SELECT 1"))
        await until(lambda: None not in server_pids(data_dir))
        looks.clear()
        await until(lambda: len(looks) == 2 and min(looks.values()) > 20)
        after = starts(data_dir)

    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]
    assert server_pids(data_dir) == (None, None)


async def test_a_process_of_its_own_starts_them_too(data_dir: Path) -> None:
    async with user(data_dir) as only:
        await remember(only.addresses, "kept")
        kill_servers(data_dir)

        kept = await insist(lambda: remembered(only.addresses))

    assert kept == ("kept", "kept")
    assert server_pids(data_dir) == (None, None)


@pytest.mark.usefixtures("quick")
async def test_one_that_cannot_start_is_tried_again_until_it_can(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LONGEST_PAUSE_SECONDS", 0.4)
    manifest = data_dir / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    async with servers(data_dir) as addresses:
        await remember(addresses, "kept")
        valkey = server_pids(data_dir)[1]
        assert valkey is not None
        whole = manifest.read_bytes()
        with capture_logs() as logs:
            manifest.write_bytes(b"nonsense\n")
            os.kill(valkey, signal.SIGKILL)
            await until(lambda: said(logs).count("embedded_server_not_restarted") >= 2)
            manifest.write_bytes(whole)
            kept = await insist(lambda: remembered(addresses))
            await until(lambda: "embedded_server_restarted" in said(logs))

    assert kept == ("kept", "kept")
    [reason, *_] = [one["reason"] for one in logs if "reason" in one]
    assert reason.startswith("Valkey does not start: ")


@pytest.mark.usefixtures("quick")
async def test_a_data_directory_that_was_taken_away_is_not_made_anew(data_dir: Path) -> None:
    """An empty database would be worse than none."""
    elsewhere = data_dir.with_name("elsewhere")
    async with servers(data_dir) as addresses:
        await remember(addresses, "kept")
        with capture_logs() as logs:
            (data_dir / "postgres").rename(elsewhere)
            kill_servers(data_dir)
            await until(lambda: "embedded_server_not_restarted" in said(logs))
            made = (data_dir / "postgres").exists()
            elsewhere.rename(data_dir / "postgres")
            kept = await insist(lambda: remembered(addresses))

    assert not made
    assert kept == ("kept", "kept")


@pytest.mark.usefixtures("quick")
async def test_leaving_while_a_server_is_being_started_leaves_nothing(data_dir: Path) -> None:
    async with servers(data_dir):
        pids = server_pids(data_dir)
        kill_servers(data_dir)
        await until(lambda: server_pids(data_dir)[0] not in {None, pids[0]})

    assert server_pids(data_dir) == (None, None)
    assert not any(process.is_alive(pid) for pid in pids if pid)


async def test_what_goes_wrong_in_the_block_comes_out_as_it_is(data_dir: Path) -> None:
    with pytest.raises(KeyError):
        async with servers(data_dir):
            raise KeyError

    assert server_pids(data_dir) == (None, None)


def said(logs: Sequence[MutableMapping[str, Any]]) -> list[str]:
    return [one["event"] for one in logs]
