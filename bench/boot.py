"""How long until a person can begin: the first start, and the next one."""

from pathlib import Path

from bench.lab import Server
from bench.report import Figure, Goal, print_table

_SECOND_START_SECONDS = 3


def measure(folder: Path) -> list[Figure]:
    """Start ``colloquy serve`` with its own stores in an empty folder, and start it again."""
    seconds = []
    for _ in range(2):
        command = ("app", "serve", "--port", "0", "--data-dir", str(folder / "boot"))
        server = Server(*command, log=folder / "boot.log")
        seconds.append(server.ready_seconds)
        server.close()
    figure = Figure(
        "boot",
        {"first_start_seconds": seconds[0], "second_start_seconds": seconds[1]},
        [Goal("second_start_seconds", at_most=_SECOND_START_SECONDS)],
    )
    print_table("From nothing, and again, to a service that answers, its stores included", [figure])
    return [figure]
