"""Merging waiting words: the same text in the same order, and nothing else touched."""

import time

from hypothesis import given
from hypothesis import strategies as st

from app.protocol.codec import decode, encode, numbered
from app.protocol.deltas import merge_deltas
from tests.protocol.scene import delta, words

others = st.sampled_from(
    [
        encode({"type": "ping"}),
        encode({"type": "ack", "id": '"type":"message_delta"', "run_id": "r"}),
        encode({"x": {"type": "message_delta"}}),
        numbered(encode({"type": "team_started", "key": "k", "team": "a"}), 7),
        numbered(encode({"type": "message_completed", "message_id": "m", "text": "t"}), 8),
    ]
)


@st.composite
def queues(draw: st.DrawFn) -> list[bytes]:
    """Frames as they wait: runs of deltas, with lost numbers, restarts and other frames."""
    frames: list[bytes] = []
    offset, chunks = 0, dict.fromkeys("ab", 0)
    for _ in range(draw(st.integers(0, 12))):
        offset += draw(st.sampled_from([1, 1, 1, 1, 2]))
        message = draw(st.sampled_from("aaab"))
        what = draw(st.integers(0, 9))
        if what == 0:
            frames.append(draw(others))
        else:
            chunks[message] += 2 if what == 1 else 1
            attempt = 2 if what == 2 else 1
            text = draw(st.text(st.characters(codec="utf-8"), max_size=3))
            frames.append(delta(offset, chunks[message], text, message=message, attempt=attempt))
    return frames


@given(queues())
def test_merging_changes_nothing_a_client_can_see(frames: list[bytes]) -> None:
    assert words(merge_deltas(frames)) == words(frames)


@given(queues())
def test_merging_merges_all_that_can_be_merged(frames: list[bytes]) -> None:
    merged = merge_deltas(frames)

    assert len(merged) == len(words(frames))
    assert merge_deltas(merged) == merged


@given(queues())
def test_other_frames_keep_their_bytes_and_their_places(frames: list[bytes]) -> None:
    def rest(some: list[bytes]) -> list[bytes]:
        return [one for one in some if decode(one).get("type") != "message_delta"]

    assert rest(merge_deltas(frames)) == rest(frames)


@given(queues(), st.integers(0, 12))
def test_it_does_not_matter_how_often_the_queue_was_full(frames: list[bytes], cut: int) -> None:
    twice = merge_deltas([*merge_deltas(frames[:cut]), *frames[cut:]])

    assert twice == merge_deltas(frames)


def test_a_merged_delta_names_its_first_and_its_last() -> None:
    [merged] = merge_deltas([delta(4, 0, "Hel"), delta(5, 1, "lo"), delta(6, 2, "!")])

    value = decode(merged)
    assert (value["from"], value["offset"]) == (4, 6)
    assert (value["from_chunk"], value["chunk"]) == (0, 2)
    assert (value["text"], value["key"]) == ("Hello!", "k6")


def test_a_delta_alone_keeps_its_bytes() -> None:
    frames = [delta(4, 0, "가"), delta(9, 5, "나")]

    assert merge_deltas(frames) == frames


def test_a_long_text_is_merged_in_linear_time() -> None:
    """Each text was once joined to all that came before it: as many copies of a megabyte."""
    frames = [delta(1, 0, "가" * 1_000_000)]
    frames += [delta(offset, offset - 1, "x" * 10) for offset in range(2, 20_000)]
    began = time.process_time()

    [merged] = merge_deltas(frames)

    assert time.process_time() - began < 0.25
    assert len(decode(merged)["text"]) == 1_000_000 + 19_998 * 10
