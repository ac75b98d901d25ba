"""A node of the fleet: what ``colloquy serve`` runs, with the scripted agent beside."""

import json
import os
import sys
import threading
from pathlib import Path

from app.cli import run
from app.observability import logs
from app.serving import serve_node
from app.settings import load_settings
from tests.faults.census import census
from tests.faults.script import script_agent
from tests.faults.wall import WallClock


def main(settings_json: str, folder: str, clock_file: str) -> None:
    """Serve until told to stop, or until whoever started this process is gone."""
    settings = load_settings({}, **json.loads(settings_json))
    logs.configure(settings.log)
    threading.Thread(target=_answer_parent, daemon=True).start()
    clock = WallClock(Path(clock_file))
    clock.rule()
    run(serve_node(settings, agents=[script_agent(Path(folder))], clock=clock))


def _answer_parent() -> None:
    """Count each time something is written to us, and end when nobody can any more."""
    while os.read(sys.stdin.fileno(), 1):  # not by sys.stdin: the interpreter's end needs its lock
        sys.stdout.write(f"{json.dumps(census())}\n")
        sys.stdout.flush()
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
