"""Who runs the servers: root never, an ordinary user itself."""

import os
from pathlib import Path

import pytest

from app.embedded.errors import DataDirUnreachable
from app.embedded.servers import servers
from tests.embedded.scene import (
    IS_ROOT,
    copy_packages,
    nobody,
    remember,
    remembered,
    server_pids,
    user,
)


def owner(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def copies_in(data_dir: Path) -> dict[str, int]:
    """Return the copies of the programs, and when each was made."""
    return {path.name: path.stat().st_mtime_ns for path in data_dir.glob("bin-*")}


if IS_ROOT:

    async def test_root_runs_the_servers_as_an_unprivileged_account(data_dir: Path) -> None:
        async with servers(data_dir):
            owners = {owner(pid) for pid in server_pids(data_dir)}

        assert owners == {(data_dir / "postgres").stat().st_uid}
        assert owners != {0}

    async def test_programs_the_account_cannot_reach_are_copied_once(
        folder: Path, data_dir: Path
    ) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        packages = copy_packages(closed)

        async with user(data_dir, packages=packages) as first:
            await remember(first.addresses, "kept")
        copies = copies_in(data_dir)
        async with user(data_dir, packages=packages) as second:
            kept = await remembered(second.addresses)

        assert len(copies) == 1
        assert kept == ("kept", "kept")
        assert copies_in(data_dir) == copies

    async def test_a_directory_the_account_cannot_enter_is_named(folder: Path) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)

        with pytest.raises(DataDirUnreachable, match=r"cannot enter .*--data-dir"):
            async with servers(closed / "data"):
                pass

    async def test_an_ordinary_user_runs_the_servers_itself(folder: Path) -> None:
        packages = copy_packages(folder / "packages")
        home = folder / "home"
        home.mkdir(mode=0o700)
        os.chown(home, nobody(), nobody())
        data_dir = home / "data"

        async with user(data_dir, uid=nobody(), packages=packages) as first:
            owners = {owner(pid) for pid in server_pids(data_dir)}
            await remember(first.addresses, "kept")
            async with user(data_dir, uid=nobody(), packages=packages) as second:
                kept = await remembered(second.addresses)

        assert owners == {nobody()}
        assert kept == ("kept", "kept")
        assert server_pids(data_dir) == (None, None)
