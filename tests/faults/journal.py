"""What clients saw and did, in order, for the checker and for whoever reads a failure."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.protocol.close import NO_CONTINUITY

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to one tab, or (``tab`` empty) to the fleet.

    ``kind`` and what ``data`` holds then:

    - ``dial`` the node; ``welcome``, ``snapshot``, ``live``: the frame
    - ``applied`` the event, which followed what was held; ``old``: one held already;
      ``gap``: one that did not follow
    - ``sent`` the frame; ``ack``, ``error``: the frame and ``client_message_id``
    - ``closed`` ``code``, ``reason``; ``left``: by the page itself, which was closed
    - ``fault`` what the scenario did
    """

    at: float
    """Seconds, monotonic."""
    chat: str
    tab: str
    kind: str
    data: Frame


class Journal:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def note(self, kind: str, data: Frame, *, chat: str = "", tab: str = "") -> Entry:
        entry = Entry(time.monotonic(), chat, tab, kind, data)
        self.entries.append(entry)
        return entry

    def fault(self, what: str, **details: Any) -> float:
        """Note what is done to the fleet; return when."""
        return self.note("fault", {"what": what, **details}).at

    def by_tab(self) -> dict[str, list[Entry]]:
        tabs: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.tab:
                tabs[entry.tab].append(entry)
        return dict(tabs)

    def of(self, kind: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.kind == kind)

    def held(self, tab: str) -> list[Frame]:
        """Return the events a tab has applied since its last snapshot."""
        events: list[Frame] = []
        for entry in self.entries:
            if entry.tab == tab and entry.kind == "snapshot":
                events.clear()
            elif entry.tab == tab and entry.kind == "applied":
                events.append(entry.data)
        return events

    def absences(self) -> Iterator[float]:
        """Yield the seconds from each end of a connection until the tab was live again."""
        gone: dict[str, float] = {}
        for entry in self.entries:
            if entry.kind == "closed":
                gone.setdefault(entry.tab, entry.at)
            elif entry.kind == "live" and entry.tab in gone:
                yield entry.at - gone.pop(entry.tab)

    def refusals(self) -> Iterator[Entry]:
        """Yield the frames and closes that did not let a client continue where it was."""
        asked: set[str] = set()
        for entry in self.entries:
            match entry.kind:
                case "sent" if entry.data["type"] == "hello":
                    (asked.add if "after" in entry.data else asked.discard)(entry.tab)
                case "welcome" if entry.tab in asked and not entry.data["resumed"]:
                    yield entry
                case "closed" if entry.data["code"] == NO_CONTINUITY.code:
                    yield entry
                case _:
                    pass

    def dump(self, path: Path, **head: Any) -> None:
        """Write one line of JSON for each entry, after one with ``head``."""
        with path.open("w", encoding="utf-8") as out:
            for line in (head, *map(asdict, self.entries)):
                out.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
