"""Processes as the operating system knows them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.embedded import process
from tests.embedded.scene import SECONDS, until


def test_a_process_has_one_beginning() -> None:
    assert process.started(os.getpid()) == process.started(os.getpid())
    assert process.started(os.getpid()) != process.started(1)


def test_a_process_that_ended_counts_as_gone_though_nobody_waited_for_it() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "echo"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()  # to its end: the process ends at the same time
        deadline = time.monotonic() + SECONDS
        while process.started(child.pid) is not None:
            assert time.monotonic() < deadline

        assert child.returncode is None  # nobody has waited for it yet
    assert process.command(child.pid) == ""


async def test_a_program_is_run_with_none_of_our_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGDATA", "/elsewhere")

    done = await process.run(["/usr/bin/env"], None)

    assert done.returncode == 0
    assert "PGDATA" not in done.output


async def test_a_spawned_program_is_no_child_of_ours_and_its_words_are_kept(
    tmp_path: Path,
) -> None:
    argv = [sys.executable, "-c", "import sys; print('이름', flush=True); sys.exit('end')", "$x; '"]

    with (tmp_path / "lock").open("w") as lock:
        pid = process.spawn(
            argv, None, lock=lock.fileno(), log=tmp_path / "log", pid_file=tmp_path / "pid"
        )

    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222  (it does not wait)
    await until(lambda: not process.is_alive(pid))
    assert "end" in (tmp_path / "log").read_text(errors="replace")
