"""The saver of a run at work: keeps the newest checkpoint for a moment, then writes it.

LangGraph's own saver commits once for each step and each node, which costs more than the
graph itself. Here most checkpoints are replaced by their successor before anybody writes
them, and what several runs have to write goes into one transaction.
"""

import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.types import INTERRUPT, _DeltaSnapshot

from app.agents.buffer import Blob, Point, Write
from app.agents.fenced import FencedSaver, Pool
from app.agents.outlet import Outlet

_PLAIN = (type(None), str, int, float)  # kept in the checkpoint itself, as LangGraph's saver does


class BufferedSaver(FencedSaver):
    """The saver of one run at work. What it is given is encoded at once, since the graph
    may go on to change it, and written a little later; an error then fails the run.

    What a run replaces within that moment is not kept: its history has gaps. What nobody
    says a run of (the metadata's ``run_id``) is kept whole.
    """

    def __init__(self, pool: Pool, may_write: Callable[[], bool], outlet: Outlet) -> None:
        super().__init__(pool, may_write)
        self.outlet = outlet

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        space = config["configurable"].get("checkpoint_ns", "")
        self.outlet.note(space)
        await self.outlet.make_readable(space)
        found = await super().aget_tuple(config)
        if found is not None:
            self.outlet.note(space, found.checkpoint["id"])
        return found

    async def alist(
        self, config: RunnableConfig | None, **given: Any
    ) -> AsyncIterator[CheckpointTuple]:
        await self.outlet.flush()
        async for found in super().alist(config, **given):
            yield found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        await self.outlet.flush()
        return await super().aget_delta_channel_history(config=config, channels=channels)

    async def adelete_thread(self, thread_id: str) -> None:
        await self.outlet.flush()  # it would come back after its thread is gone
        await super().adelete_thread(thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await self.outlet.flush()
        await super().aprune(thread_ids, strategy=strategy)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        at = config["configurable"]
        thread_id, space = at["thread_id"], at.get("checkpoint_ns", "")
        following: RunnableConfig = {
            "configurable": {
                "thread_id": thread_id,
                "checkpoint_ns": space,
                "checkpoint_id": checkpoint["id"],
            }
        }
        if not self._is_open():
            return following
        plain: dict[str, Any] = {}
        large: dict[str, Any] = {}
        for channel, value in checkpoint["channel_values"].items():
            if isinstance(value, _DeltaSnapshot):
                plain[channel], large[channel] = True, value
            elif isinstance(value, _PLAIN) and not (
                isinstance(value, float) and not math.isfinite(value)  # which JSON cannot say
            ):
                plain[channel] = value
            else:
                large[channel] = value
        blobs = {
            channel: Blob(
                thread_id, space, channel, str(version), *self.serde.dumps_typed(large[channel])
            )
            if channel in large
            else None
            for channel, version in new_versions.items()
        }
        kept: dict[str, Any] = {**get_serializable_checkpoint_metadata(config, metadata)}
        self.outlet.buffer.put(
            Point(
                thread_id,
                space,
                checkpoint["id"],
                at.get("checkpoint_id"),
                _json({**checkpoint, "channel_values": plain}),
                _json(kept),
            ),
            blobs,
            run=kept.get("run_id"),
            keeps_history="counters_since_delta_snapshot" in kept
            or any(isinstance(value, _DeltaSnapshot) for value in large.values()),
        )
        self.outlet.note(space, checkpoint["id"])
        self.outlet.changed()
        return following

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        at = config["configurable"]
        if not self._is_open():
            return
        under = at["thread_id"], at["checkpoint_ns"], at["checkpoint_id"]
        self.outlet.buffer.put_writes(
            [
                Write(
                    *under,
                    task_id,
                    task_path,
                    WRITES_IDX_MAP.get(channel, place),
                    channel,
                    *self.serde.dumps_typed(value),
                )
                for place, (channel, value) in enumerate(writes)
            ],
            replace=all(channel in WRITES_IDX_MAP for channel, _ in writes),
        )
        if any(channel == INTERRUPT for channel, _ in writes):
            await self.outlet.flush()  # a person may see the question from now on
        else:
            self.outlet.changed()

    def _is_open(self) -> bool:
        """Whether anything may still be kept. What a stopped run says late, nobody needs."""
        self._check()
        self.outlet.check()
        return not self.outlet.is_closed


def _json(value: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # numbers of more than 64 bits
        return json.dumps(value)
