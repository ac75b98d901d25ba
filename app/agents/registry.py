"""Which agents exist."""

from collections.abc import Iterable, Iterator

from app.agents.types import Agent


class AgentRegistry:
    def __init__(self, agents: Iterable[Agent]) -> None:
        self._agents = {agent.name: agent for agent in agents}

    def __contains__(self, name: object) -> bool:
        return name in self._agents

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    @property
    def names(self) -> list[str]:
        return list(self._agents)

    def get(self, name: str) -> Agent | None:
        return self._agents.get(name)
