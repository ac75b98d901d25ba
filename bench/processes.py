"""What a process costs, as Linux counts it: CPU seconds, resident memory, which core."""

import os
import resource
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = resource.getpagesize()


def pin(core: int) -> None:
    """Keep this process on one core; on a machine with fewer cores, on the last one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})


def allow_files(count: int) -> int:
    """Raise the limit of open files to ``count`` if that is allowed; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, of its children and of those it has buried."""
    total = sum(_stat(pid)[11:15])
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = _stat(int(entry.name))
            except OSError:  # it ended meanwhile
                continue
            if stat[1] == pid:
                total += sum(stat[11:13])
    return total / _TICK


def find(program: str, folder: Path) -> int:
    """Return the process of ``program`` whose command line names ``folder``.

    Raises:
        LookupError: there is none.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_text(errors="replace").split("\0")
            except OSError:  # it ended meanwhile
                continue
            if Path(arguments[0]).name == program and str(folder) in " ".join(arguments):
                return int(entry.name)
    raise LookupError(f"no {program} runs in {folder}")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _stat(pid: int) -> list[int]:
    """Return the numbers of proc(5)'s ``stat`` from the third field on, the state as 0."""
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return [0, *map(int, text.rpartition(")")[2].split()[1:])]
