"""What a run wants kept of its graph, and has not yet written. Pure: no I/O, no clock.

LangGraph makes a checkpoint after every step and a row for every node that ends. The next
checkpoint makes most of them pointless, and here it makes them vanish before they are
written: a checkpoint is replaced by its successor together with the writes that led to it,
with the blobs nobody refers to any more, and with the checkpoints of subgraphs that the
step had called. That is done to a run's own steps; what others put is kept as it comes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_CALL = ":"  # a subgraph's namespace has its task's id after this; one that outlives calls has not
_BELOW = "|"


class Blob(NamedTuple):
    """One version of one channel's value, encoded."""

    thread_id: str
    space: str
    channel: str
    version: str
    type: str
    data: bytes


class Point(NamedTuple):
    """One checkpoint. ``body`` and ``metadata`` are JSON."""

    thread_id: str
    space: str
    id: str
    parent: str | None
    body: str
    metadata: str


class Write(NamedTuple):
    """One value that one task wrote, under the checkpoint the task began from."""

    thread_id: str
    space: str
    point: str
    task_id: str
    task_path: str
    place: int  # among the task's writes; negative for what is not a value of the state
    channel: str
    type: str
    data: bytes


@dataclass(slots=True)
class Batch:
    """Rows that belong together: all of them are written, or none.

    ``firm`` writes yield to what is there already, ``latest`` ones replace it.
    """

    blobs: dict[tuple[str, ...], Blob] = field(default_factory=dict)
    points: dict[tuple[str, ...], Point] = field(default_factory=dict)
    firm: dict[tuple[object, ...], Write] = field(default_factory=dict)
    latest: dict[tuple[object, ...], Write] = field(default_factory=dict)

    def add(self, other: "Batch") -> None:
        """Take in what was put after this."""
        self.blobs |= other.blobs
        self.points |= other.points
        self.firm = other.firm | self.firm
        self.latest |= other.latest
        for key in self.latest:
            self.firm.pop(key, None)

    def holds(self, space: str) -> bool:
        """Whether there is a checkpoint or a write of one graph."""
        return any(
            key[1] == space for rows in (self.points, self.firm, self.latest) for key in rows
        )

    @property
    def threads(self) -> set[str]:
        """Whose rows they are."""
        parts = (self.blobs, self.points, self.firm, self.latest)
        return {str(key[0]) for part in parts for key in part}

    def __bool__(self) -> bool:
        return bool(self.blobs or self.points or self.firm or self.latest)


@dataclass(slots=True)
class _Space:
    """One graph's part: the run's own graph, or a subgraph of it."""

    newest: str | None = None  # the last checkpoint, kept here or handed over
    run: str | None = None  # whose it is
    point: Point | None = None  # the same, if it is kept here
    blobs: dict[str, Blob] = field(default_factory=dict)  # by channel
    firm: dict[tuple[object, ...], Write] = field(default_factory=dict)
    latest: dict[tuple[object, ...], Write] = field(default_factory=dict)

    def holds(self) -> bool:
        return bool(self.point or self.firm or self.latest)

    def forget_writes(self, point: str) -> None:
        for writes in (self.firm, self.latest):
            for key in [key for key, write in writes.items() if write.point == point]:
                del writes[key]


class Buffer:
    """The newest checkpoint of each graph of one run, and the writes since."""

    def __init__(self) -> None:
        self._spaces: dict[str, _Space] = {}
        self._settled = Batch()  # what no successor can make pointless
        self._passed: set[str] = set()  # checkpoints whose late writes nobody needs
        self._ended: set[str] = set()  # namespaces of subgraph calls that are over

    def put(
        self,
        point: Point,
        blobs: Mapping[str, Blob | None],
        *,
        run: str | None,
        keeps_history: bool,
    ) -> None:
        """Take a checkpoint.

        Args:
            point: the checkpoint; its parent is the one before it.
            blobs: of the channels that changed; None for one that needs no blob any more.
            run: whose step it is; of the steps of one run, only the last need be kept.
            keeps_history: whether it can be read only with its ancestors and their writes,
                so that none of them may vanish.
        """
        if self._is_over(point.space):
            return
        space = self._spaces.setdefault(point.space, _Space())
        if space.newest is None:
            # where the run began: it was written by another
            space.newest, space.run = point.parent, run
        is_next = point.parent is not None and point.parent == space.newest
        follows = is_next and run is not None and run == space.run
        if follows:
            self._end_calls(point.space)
        if space.point is not None and (not follows or keeps_history):
            self._settle(space)
        if space.point is not None:
            point = point._replace(parent=space.point.parent)
        if follows and not keeps_history and space.newest is not None:
            self._passed.add(space.newest)
            space.forget_writes(space.newest)
        for channel, blob in blobs.items():
            if blob is not None:
                space.blobs[channel] = blob
            else:
                space.blobs.pop(channel, None)
        space.point, space.newest, space.run = point, point.id, run

    def put_writes(self, writes: Iterable[Write], *, replace: bool) -> None:
        """Take what one task wrote; ``replace`` it if the same was written before."""
        for write in writes:
            if write.point in self._passed or self._is_over(write.space):
                continue
            space = self._spaces.setdefault(write.space, _Space())
            key = (write.thread_id, write.space, write.point, write.task_id, write.place)
            if replace:
                space.firm.pop(key, None)
                space.latest[key] = write
            elif key not in space.latest:
                space.firm.setdefault(key, write)

    def holds(self, name: str) -> bool:
        """Whether something of this graph waits here."""
        space = self._spaces.get(name)
        return self._settled.holds(name) or (space is not None and space.holds())

    @property
    def is_waiting(self) -> bool:
        """Whether something of any graph waits here."""
        return bool(self._settled) or any(space.holds() for space in self._spaces.values())

    def take(self) -> Batch:
        """Return everything, to be written as one; it may be nothing."""
        for space in self._spaces.values():
            self._settle(space)
            self._settled.firm |= space.firm
            self._settled.latest |= space.latest
            space.firm.clear()
            space.latest.clear()
        taken, self._settled = self._settled, Batch()
        return taken

    def put_back(self, batch: Batch) -> None:
        """Take what was taken and could not be written; it goes with the next."""
        batch.add(self._settled)
        self._settled = batch

    def _settle(self, space: _Space) -> None:
        if space.point is None:
            return
        self._settled.points[space.point[:3]] = space.point
        self._settled.blobs |= {blob[:4]: blob for blob in space.blobs.values()}
        space.point = None
        space.blobs.clear()

    def _end_calls(self, caller: str) -> None:
        """Forget the subgraphs that a step called: its results are in the next checkpoint."""
        below = caller + _BELOW if caller else ""
        over = [
            name
            for name in self._spaces
            if name != caller and name.startswith(below) and _CALL in name[len(below) :]
        ]
        for name in over:
            del self._spaces[name]
            self._ended.add(name)

    def _is_over(self, name: str) -> bool:
        return any(name == one or name.startswith(one + _BELOW) for one in self._ended)
