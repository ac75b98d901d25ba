"""The graph's state. Plain JSON-like values: it is checkpointed after every step."""

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages

from app.supervisor.offline.types import Failure, Plan, TeamResult, Turn


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]  # the latest of the chat
    query: str
    plan: Plan
    plan_usage: dict[str, int]  # tokens the plan took, where a model made it
    loaded_memories: list[dict[str, Any]]
    memory_load_time: float  # seconds
    results: Annotated[list[TeamResult], operator.add]  # of this run's teams
    failed_teams: Annotated[list[Failure], operator.add]
    findings: list[TeamResult]  # the results in the order of the plan
    answer: dict[str, Any]  # text, citations, usage


class TeamTask(TypedDict):
    """What one team is sent."""

    team: str
    task: str
    language: str
    message: str  # the person's whole message
    history: list[Turn]
