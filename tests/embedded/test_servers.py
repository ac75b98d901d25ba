"""The embedded servers as the processes that use them see them: started, shared, repaired."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from app.embedded import process, program
from app.embedded.errors import ServerFailed
from app.embedded.postgres import create_database
from app.embedded.servers import servers
from tests.embedded.conftest import Prepare
from tests.embedded.scene import (
    begin,
    kill_servers,
    leave,
    query,
    redis,
    remember,
    remembered,
    said,
    server_pids,
    until,
    user,
)


async def test_both_servers_answer_on_sockets_in_a_private_folder(folder: Path) -> None:
    data_dir = folder / "data"

    async with servers(data_dir) as addresses:
        listens = await query(addresses.database_url, "SHOW listen_addresses")
        async with redis(addresses.redis_url) as client:
            port = await client.config_get("port")
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in data_dir.iterdir()
            if path.is_dir()
        }

    assert (listens, port) == ("", {"port": "0"})
    assert modes == {"postgres": 0o700, "run": 0o700, "valkey": 0o700}


async def test_the_database_is_made_for_any_language_and_for_keeps(folder: Path) -> None:
    settings = ["server_encoding", "fsync", "max_connections", "timezone"]

    async with servers(folder / "data") as addresses:
        shown = [await query(addresses.database_url, f"SHOW {name}") for name in settings]
        locale = await query(
            addresses.database_url,
            "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'colloquy'",
        )
        async with redis(addresses.redis_url) as client:
            kept = await client.config_get("append*", "maxmemory-policy", "save")

    assert shown == ["UTF8", "on", "100", "UTC"]
    assert locale == "bC.UTF-8"
    assert (kept["appendonly"], kept["appendfsync"]) == ("yes", "everysec")
    assert (kept["maxmemory-policy"], kept["save"]) == ("noeviction", "")


async def test_data_survives_a_stop_and_a_start(data_dir: Path) -> None:
    async with servers(data_dir) as addresses:
        await remember(addresses, "대화")
    stopped = server_pids(data_dir)

    async with servers(data_dir) as addresses:
        kept = await remembered(addresses)

    assert stopped == (None, None)
    assert kept == ("대화", "대화")


async def test_a_second_process_joins_and_the_last_one_out_stops_both(
    data_dir: Path,
) -> None:
    async with user(data_dir) as first:
        pids = server_pids(data_dir)
        async with user(data_dir) as second:
            joined = server_pids(data_dir)
            await first.leave()
            after_the_first = await query(second.addresses.database_url, "SELECT 1")

    assert first.addresses == second.addresses
    assert joined == pids
    assert after_the_first == 1
    assert server_pids(data_dir) == (None, None)
    assert not any(process.is_alive(pid) for pid in pids if pid)


async def test_two_uses_in_one_process_count_twice(data_dir: Path) -> None:
    async with servers(data_dir) as outer:
        async with servers(data_dir):
            pass
        still_there = await query(outer.database_url, "SELECT 1")

    assert still_there == 1


async def test_two_first_starts_at_one_moment_make_one_database(folder: Path) -> None:
    data_dir = folder / "data"
    children = [await begin(data_dir) for _ in range(3)]

    answers = [await said(child) for child in children]
    cluster = await query(answers[0]["database_url"], "SELECT count(*) FROM pg_stat_activity")

    assert answers[0] == answers[1] == answers[2]
    assert cluster >= 1
    for child in children:
        await leave(child)
    assert server_pids(data_dir) == (None, None)


async def test_servers_left_by_a_killed_process_are_taken_over(data_dir: Path) -> None:
    async with user(data_dir) as killed:
        pids = server_pids(data_dir)
        await killed.kill()

    async with servers(data_dir) as addresses:
        taken_over = server_pids(data_dir)
        answer = await query(addresses.database_url, "SELECT 1")

    assert (taken_over, answer) == (pids, 1)
    assert server_pids(data_dir) == (None, None)


async def test_killed_servers_come_back_with_their_data(data_dir: Path) -> None:
    async with user(data_dir) as killed:
        await remember(killed.addresses, "kept")
        await killed.kill()
        kill_servers(data_dir)

    async with servers(data_dir) as addresses:
        kept = await remembered(addresses)

    assert kept == ("kept", "kept")


async def test_one_killed_server_is_started_again_for_who_comes_next(data_dir: Path) -> None:
    async with user(data_dir) as first:
        postgres, valkey = server_pids(data_dir)
        assert valkey is not None
        os.kill(valkey, 9)
        await until(lambda: not process.is_alive(valkey))

        async with servers(data_dir):
            now = server_pids(data_dir)

        assert now[0] == postgres
        assert now[1] not in {None, valkey}
        await first.leave()
    assert server_pids(data_dir) == (None, None)


async def test_an_initialisation_killed_half_way_is_made_again(folder: Path) -> None:
    data_dir = folder / "data"
    child = await begin(data_dir)
    await until((data_dir / ".postgres-half" / "base").exists)
    child.kill()
    await child.wait()
    unfinished = not (data_dir / "postgres").exists()

    async with servers(data_dir) as addresses:
        answer = await query(addresses.database_url, "SELECT 1")

    assert unfinished
    assert answer == 1
    assert not (data_dir / ".postgres-half").exists()


async def test_a_reused_process_number_does_not_stop_the_start(data_dir: Path) -> None:
    """After a power cut and a reboot another program may run under the old number."""
    left = f"{os.getpid()}\n{data_dir}/postgres\n1\n5432\n{data_dir}/run\n"
    (data_dir / "postgres" / "postmaster.pid").write_text(left)
    (data_dir / "run" / ".s.PGSQL.5432.lock").write_text(left)
    (data_dir / "postgres.pid").write_text(f"{os.getpid()}\n")

    async with servers(data_dir) as addresses:
        answer = await query(addresses.database_url, "SELECT 1")

    assert answer == 1


async def test_a_server_whose_number_cannot_be_kept_is_not_left_running(data_dir: Path) -> None:
    (data_dir / "valkey.pid").symlink_to("/dev/full")  # a disk without room

    with pytest.raises(ServerFailed, match=r"Valkey does not start: .*valkey\.pid could not"):
        async with servers(data_dir):
            pass

    (data_dir / "valkey.pid").unlink()
    async with servers(data_dir) as addresses:
        assert await query(addresses.database_url, "SELECT 1") == 1


async def test_the_terminals_interrupt_does_not_reach_the_servers(data_dir: Path) -> None:
    async with servers(data_dir):
        sessions = {os.getsid(pid) for pid in server_pids(data_dir) if pid}

    assert os.getsid(0) not in sessions


@pytest.mark.parametrize("name", ["a" * 90, "with a blank", "대화 '\"$(x)%20,;"])
async def test_any_name_of_a_directory_works(folder: Path, prepare: Prepare, name: str) -> None:
    data_dir = prepare(folder / name / "data")

    async with servers(data_dir) as addresses:
        await remember(addresses, "kept")
        sockets = Path(addresses.redis_url.removeprefix("unix://")).parent
        private = stat.S_IMODE(sockets.stat().st_mode)
    async with servers(data_dir) as addresses:
        kept = await remembered(addresses)

    assert kept == ("kept", "kept")
    assert private == 0o700
    assert len(str(sockets)) < 50
    assert not sockets.exists()


async def test_a_server_that_cannot_start_says_why_and_leaves_nothing(
    data_dir: Path,
) -> None:
    (data_dir / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")

    with pytest.raises(ServerFailed, match=r"Valkey does not start: .*(valkey\.log)"):
        async with servers(data_dir):
            pass

    assert server_pids(data_dir) == (None, None)


async def test_a_database_can_be_copied_from_another(data_dir: Path) -> None:
    async with servers(data_dir) as addresses:
        await query(addresses.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
        other = addresses.database_url.replace("/colloquy?", "/worker_1?")
        administration = addresses.database_url.replace("/colloquy?", "/postgres?")

        for _ in range(2):  # the second time it exists
            await create_database(administration, "worker_1", template="colloquy")

        assert await query(other, "SELECT number FROM kept") == 7


async def test_a_log_that_has_grown_is_put_aside(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with servers(data_dir):
        pass
    monkeypatch.setattr(program, "LOG_BYTES", 10)
    before = (data_dir / "postgres.log").read_text()

    async with servers(data_dir):
        pass

    assert (data_dir / "postgres.log.1").read_text() == before
    assert stat.S_IMODE((data_dir / "postgres.log").stat().st_mode) == 0o600


async def test_leaving_while_cancelled_still_stops_the_servers(data_dir: Path) -> None:
    inside = asyncio.Event()

    async def use() -> None:
        async with servers(data_dir):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert server_pids(data_dir) == (None, None)
