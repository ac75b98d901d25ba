"""The built-in graph: initialize, plan, teams in parallel, aggregate, respond, remember."""

from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send

from app.supervisor.context import Context
from app.supervisor.nodes.aggregate import aggregate
from app.supervisor.nodes.initialize import history, initialize
from app.supervisor.nodes.plan import plan
from app.supervisor.nodes.remember import remember
from app.supervisor.nodes.respond import respond
from app.supervisor.nodes.team import team
from app.supervisor.state import State, TeamTask

NAME = "supervisor"
DESCRIPTION = "Plans, lets specialists work in parallel, and answers with sources."
CLOSING_NODE = "remember"

_SETTLING_SECONDS = 5  # grace beyond a team's own limit, before its node is cut off


def build(
    *, plan_seconds: float, team_seconds: float, respond_seconds: float
) -> CompiledStateGraph[State, Context, Any, Any]:
    """Compile the graph. Each run gives it its own checkpointer."""
    graph = StateGraph(State, context_schema=Context)
    graph.add_node("initialize", initialize)
    graph.add_node("plan", plan, timeout=plan_seconds)
    graph.add_node("team", team, input_schema=TeamTask, timeout=team_seconds + _SETTLING_SECONDS)
    graph.add_node("aggregate", aggregate)
    graph.add_node("respond", respond, timeout=respond_seconds)
    graph.add_node("remember", remember)
    graph.add_edge(START, "initialize")
    graph.add_edge("initialize", "plan")
    graph.add_conditional_edges("plan", _teams, ["team", "respond"])
    graph.add_edge("team", "aggregate")
    graph.add_edge("aggregate", "respond")
    graph.add_edge("respond", "remember")
    graph.add_edge("remember", END)
    return graph.compile(name=NAME)


def _teams(state: State) -> Sequence[Send] | str:
    """Send each step of the plan to its team; without steps, answer at once."""
    made = state["plan"]
    if not made["steps"]:
        return "respond"
    before = history(state["messages"])
    return [
        Send(
            "team",
            TeamTask(
                team=step["team"],
                task=step["task"],
                language=made["language"],
                message=state["query"],
                history=before if step["team"] != "search" else [],
            ),
        )
        for step in made["steps"]
    ]
