"""What is kept about a signed-in person across chats.

Nothing is kept about anonymous visitors. For signed-in people this room answers with what
its tables hold; until an account can be made there is nobody to keep anything about.
"""

from app.kit.clock import Clock
from app.kit.ids import UserId
from app.memory.types import LoadedMemories


class LongTermMemoryService:
    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def load_recent_memories(
        self,
        user_id: UserId | None,
        limit: int,  # noqa: ARG002 - for the tables that come with accounts
        query: str,  # noqa: ARG002
        intent: str,  # noqa: ARG002
    ) -> LoadedMemories:
        """Return up to ``limit`` memories that matter for ``query``, the best first."""
        began = self._clock.monotonic()
        status = "anonymous" if user_id is None else "ok"
        return LoadedMemories([], status, self._clock.monotonic() - began)
