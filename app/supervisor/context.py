"""What the graph's nodes may use. Made anew for each attempt, never stored."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from langchain_core.language_models import BaseChatModel

from app.kit.clock import Clock
from app.kit.ids import UserId
from app.knowledge.service import KnowledgeService
from app.memory.service import LongTermMemoryService

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """
    Attributes:
        user_id: who asks; None for an anonymous visitor.
        memory: what is kept about them.
        knowledge: the ingested documents.
        model: the language model, or None for the offline assistant.
        clock: for "today".
        team_seconds: longest one team may take.
        search_results: passages a search gives.
        history_messages: messages of the chat that are kept in the graph's state.
        turns: how many computations there may be at once, of all runs.
    """

    user_id: UserId | None
    memory: LongTermMemoryService
    knowledge: KnowledgeService
    model: BaseChatModel | None
    clock: Clock
    team_seconds: float
    search_results: int
    history_messages: int
    turns: asyncio.Semaphore

    async def compute(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do in a thread what takes the processor for a while.

        A few at once: each further one lets the event loop, and so everybody, wait longer.
        """
        async with self.turns:
            return await asyncio.to_thread(work, *args, **kwargs)


def say(writer: Callable[[object], None], name: str, **payload: object) -> None:
    """Tell the run's chat something: it becomes an event of that name."""
    writer({"name": name, "payload": payload})
