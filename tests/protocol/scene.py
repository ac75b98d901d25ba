"""Words on their way to a client, and what a client makes of them."""

from typing import Any

from app.protocol.codec import decode, encode, numbered

Frame = dict[str, Any]


def delta(offset: int, chunk: int, text: str, *, message: str = "m", attempt: int = 1) -> bytes:
    return numbered(
        encode(
            {
                "type": "message_delta",
                "key": f"k{offset}",
                "timestamp": "t",
                "run_id": "r",
                "attempt": attempt,
                "message_id": message,
                "chunk": chunk,
                "text": text,
            }
        ),
        offset,
    )


def words(frames: list[bytes]) -> list[Any]:
    """Return what a client makes of frames: texts joined while they continue each other."""
    seen: list[Any] = []
    for frame in frames:
        value: Frame = decode(frame)
        if value.get("type") != "message_delta":
            seen.append(frame)
            continue
        first = value.get("from", value["offset"]), value.get("from_chunk", value["chunk"])
        last = seen[-1] if seen and isinstance(seen[-1], dict) else None
        same = last is not None and (last["message_id"], last["attempt"]) == (
            value["message_id"],
            value["attempt"],
        )
        if last and same and (last["offset"] + 1, last["chunk"] + 1) == first:
            seen[-1] = {
                **last,
                "offset": value["offset"],
                "chunk": value["chunk"],
                "key": value["key"],
                "text": last["text"] + value["text"],
            }
        else:
            seen.append({**value, "from": first[0], "from_chunk": first[1]})
    return seen
