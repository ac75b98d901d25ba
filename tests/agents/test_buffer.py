"""What may vanish before it is written, and what must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.agents.buffer import Batch, Blob, Buffer, Point, Write

ROOT = ""


def put(
    buffer: Buffer,
    id_: str,
    parent: str | None = None,
    *,
    space: str = ROOT,
    changed: tuple[str, ...] = (),
    gone: tuple[str, ...] = (),
    run: str | None = "run",
    keeps_history: bool = False,
) -> None:
    blobs: dict[str, Blob | None] = {
        channel: Blob("t", space, channel, id_, "msgpack", id_.encode()) for channel in changed
    }
    blobs |= dict.fromkeys(gone)
    point = Point("t", space, id_, parent, "{}", "{}")
    buffer.put(point, blobs, run=run, keeps_history=keeps_history)


def write(
    buffer: Buffer,
    point: str,
    value: str = "v",
    *,
    space: str = ROOT,
    place: int = 0,
    replace: bool = False,
) -> None:
    row = Write("t", space, point, "task", "", place, "channel", "msgpack", value.encode())
    buffer.put_writes([row], replace=replace)


def points(batch: Batch) -> list[tuple[str, str, str | None]]:
    return [(one.space, one.id, one.parent) for one in batch.points.values()]


def writes(batch: Batch) -> list[tuple[str, str]]:
    rows = [*batch.firm.values(), *batch.latest.values()]
    return [(one.point, one.data.decode()) for one in rows]


def blobs(batch: Batch) -> set[tuple[str, str]]:
    return {(one.channel, one.version) for one in batch.blobs.values()}


def test_a_checkpoint_vanishes_with_its_writes_when_its_successor_comes() -> None:
    buffer = Buffer()
    put(buffer, "1")
    write(buffer, "1")

    put(buffer, "2", "1")
    write(buffer, "2", "kept")

    batch = buffer.take()
    assert points(batch) == [(ROOT, "2", None)]
    assert writes(batch) == [("2", "kept")]


def test_the_parent_of_what_is_written_is_what_was_written_before() -> None:
    buffer = Buffer()
    put(buffer, "1")
    buffer.take()

    put(buffer, "2", "1")
    put(buffer, "3", "2")

    assert points(buffer.take()) == [(ROOT, "3", "1")]


def test_a_value_that_did_not_change_since_a_vanished_checkpoint_is_written() -> None:
    buffer = Buffer()
    put(buffer, "1", changed=("messages", "plan"))

    put(buffer, "2", "1", changed=("plan",))

    assert blobs(buffer.take()) == {("messages", "1"), ("plan", "2")}


def test_a_value_is_written_once_however_many_checkpoints_refer_to_it() -> None:
    buffer = Buffer()
    put(buffer, "1", changed=("messages",))
    buffer.take()

    put(buffer, "2", "1", changed=("plan",))

    assert blobs(buffer.take()) == {("plan", "2")}


def test_a_value_that_is_gone_is_not_written() -> None:
    buffer = Buffer()
    put(buffer, "1", changed=("plan",))

    put(buffer, "2", "1", gone=("plan",))

    assert not blobs(buffer.take())


def test_writes_that_come_after_their_checkpoint_has_vanished_are_dropped() -> None:
    buffer = Buffer()
    put(buffer, "1")
    put(buffer, "2", "1")

    write(buffer, "1")

    assert not writes(buffer.take())


def test_writes_that_come_before_their_checkpoint_are_kept() -> None:
    buffer = Buffer()
    put(buffer, "1")

    write(buffer, "2")
    put(buffer, "2", "1")

    assert writes(buffer.take()) == [("2", "v")]


def test_writes_on_the_checkpoint_a_run_went_on_from_are_kept_until_the_next_one() -> None:
    resumed, stepped = Buffer(), Buffer()
    for buffer in (resumed, stepped):
        write(buffer, "0")

    put(stepped, "1", "0")

    assert writes(resumed.take()) == [("0", "v")]
    assert not writes(stepped.take())


def test_the_first_of_two_equal_writes_counts_unless_it_is_to_be_replaced() -> None:
    buffer = Buffer()
    write(buffer, "1", "first")
    write(buffer, "1", "second")
    write(buffer, "1", "old error", place=-1, replace=True)
    write(buffer, "1", "new error", place=-1, replace=True)

    batch = buffer.take()

    assert [one.data for one in batch.firm.values()] == [b"first"]
    assert [one.data for one in batch.latest.values()] == [b"new error"]


def test_a_write_that_replaces_another_in_a_later_batch_is_written_once() -> None:
    buffer, together = Buffer(), Batch()
    write(buffer, "1", "first")
    together.add(buffer.take())
    write(buffer, "1", "second", replace=True)

    together.add(buffer.take())

    assert writes(together) == [("1", "second")]


def test_what_a_step_called_vanishes_with_the_step() -> None:
    buffer = Buffer()
    put(buffer, "1")
    put(buffer, "a", space="team:task")
    put(buffer, "b", space="team:task|inner:task")
    write(buffer, "a", space="team:task")

    put(buffer, "2", "1")
    write(buffer, "a", "late", space="team:task")
    put(buffer, "c", "b", space="team:task|inner:task")

    batch = buffer.take()
    assert points(batch) == [(ROOT, "2", None)]
    assert not writes(batch)


def test_what_is_still_being_called_is_written() -> None:
    buffer = Buffer()
    put(buffer, "1")
    put(buffer, "a", space="team:task")

    put(buffer, "b", "a", space="team:task")

    assert set(points(buffer.take())) == {(ROOT, "1", None), ("team:task", "b", None)}


def test_a_subgraph_that_remembers_outlives_the_step_that_called_it() -> None:
    buffer = Buffer()
    put(buffer, "1")
    put(buffer, "a", space="team")

    put(buffer, "2", "1")

    assert set(points(buffer.take())) == {(ROOT, "2", None), ("team", "a", None)}


def test_a_step_of_a_subgraph_ends_only_what_it_called_itself() -> None:
    buffer = Buffer()
    put(buffer, "1")
    put(buffer, "a", space="team:x")
    put(buffer, "i", space="team:x|inner:y")
    put(buffer, "o", space="other:z")

    put(buffer, "b", "a", space="team:x")

    assert {space for space, _, _ in points(buffer.take())} == {ROOT, "team:x", "other:z"}


def test_nothing_vanishes_where_checkpoints_are_read_with_their_ancestors() -> None:
    buffer = Buffer()
    put(buffer, "1", changed=("log",), keeps_history=True)
    write(buffer, "1")

    put(buffer, "2", "1", changed=("log",), keeps_history=True)

    batch = buffer.take()
    assert points(batch) == [(ROOT, "1", None), (ROOT, "2", "1")]
    assert writes(batch) == [("1", "v")]
    assert blobs(batch) == {("log", "1"), ("log", "2")}


def test_a_checkpoint_beside_the_newest_does_not_replace_it() -> None:
    buffer = Buffer()
    put(buffer, "1")
    buffer.take()
    put(buffer, "2", "1")

    put(buffer, "3", "1")

    assert set(points(buffer.take())) == {(ROOT, "2", "1"), (ROOT, "3", "1")}


@pytest.mark.parametrize(("first", "second"), [("one", "two"), ("one", None), (None, None)])
def test_only_steps_of_one_run_replace_each_other(first: str | None, second: str | None) -> None:
    buffer = Buffer()
    put(buffer, "1", run=first, changed=("plan",))
    write(buffer, "1")
    put(buffer, "a", space="team:task", run=first)

    put(buffer, "2", "1", run=second)

    batch = buffer.take()
    assert set(points(batch)) == {
        (ROOT, "1", None),
        (ROOT, "2", "1"),
        ("team:task", "a", None),
    }
    assert writes(batch) == [("1", "v")]
    assert blobs(batch) == {("plan", "1")}


def test_what_came_back_goes_with_what_was_put_since() -> None:
    buffer = Buffer()
    put(buffer, "1", changed=("messages",))
    write(buffer, "1", "first")
    batch = buffer.take()
    put(buffer, "2", "1", changed=("plan",))
    write(buffer, "1", "second")

    buffer.put_back(batch)

    again = buffer.take()
    assert points(again) == [(ROOT, "1", None), (ROOT, "2", "1")]
    assert writes(again) == [("1", "first")]
    assert blobs(again) == {("messages", "1"), ("plan", "2")}


def test_nothing_waits_in_a_buffer_until_something_is_put_or_put_back() -> None:
    buffer = Buffer()
    write(buffer, "1", space="team")
    waiting = [(buffer.is_waiting, buffer.holds("team"), buffer.holds(ROOT))]
    batch = buffer.take()
    waiting.append((buffer.is_waiting, buffer.holds("team"), buffer.holds(ROOT)))

    buffer.put_back(batch)

    waiting.append((buffer.is_waiting, buffer.holds("team"), buffer.holds(ROOT)))
    assert waiting == [(True, True, False), (False, False, False), (True, True, False)]


def test_everything_is_taken_once() -> None:
    buffer = Buffer()
    put(buffer, "1", changed=("plan",))
    write(buffer, "1")

    assert buffer.take()
    assert not buffer.take()


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("abc")), st.booleans(), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_whenever_it_is_written_the_newest_checkpoint_can_be_read(
    steps: list[tuple[set[str], bool, bool]],
) -> None:
    """A step changes some channels, may end a task before it, may be followed by a write-out."""
    buffer, stored = Buffer(), Batch()
    versions: dict[str, str] = {}
    previous: str | None = None
    for number, (changed, task_ends, is_written) in enumerate(steps):
        id_ = f"{number:04}"
        put(buffer, id_, previous, changed=tuple(changed))
        versions |= dict.fromkeys(changed, id_)
        previous = id_
        if task_ends:
            write(buffer, id_)
        if not is_written:
            continue

        stored.add(buffer.take())

        assert max(key[2] for key in stored.points) == id_
        assert versions.items() <= blobs(stored)
        assert (id_, "v") in writes(stored) or not task_ends
        parents = {one.parent for one in stored.points.values()} - {None}
        assert parents <= {one.id for one in stored.points.values()}
