"""What is kept about a person, until accounts bring tables: nothing, and that is said."""

import pytest

from app.kit.clock import SystemClock
from app.kit.ids import UserId
from app.memory.service import LongTermMemoryService


@pytest.mark.parametrize(("user_id", "status"), [(None, "anonymous"), (UserId(7), "ok")])
async def test_loading_says_what_was_found_and_why(user_id: UserId | None, status: str) -> None:
    memory = LongTermMemoryService(clock=SystemClock())

    loaded = await memory.load_recent_memories(user_id, 5, "what do I like?", "question")

    assert (loaded.memories, loaded.status) == ([], status)
    assert 0 <= loaded.seconds < 1
