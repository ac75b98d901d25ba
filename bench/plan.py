"""How long and how often things are measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int = 3
    floor_seconds: float = 1.0
    turn_seconds: float = 3.5
    lead_seconds: float = 1.0
    warm_seconds: float = 2.0
    saving_seconds: float = 2.5
    start_seconds: float = 1.5
    # turns, and events of progress in each: a turn has six more events, and two messages
    chats: tuple[tuple[int, int], ...] = ((5, 114), (100, 14), (500, 4))
    resumes: int = 40  # of each chat in each round
    resume_rounds: int = 3
    idle_connections: int = 5_000
    idle_warm_connections: int = 100
    quiet_seconds: float = 3.0
    idle_seconds: float = 22.0  # one heartbeat of the node, and most clients' pings


FULL = Plan()
FAST = Plan(
    rounds=1,
    floor_seconds=0.2,
    turn_seconds=0.7,
    lead_seconds=0.2,
    warm_seconds=0.5,
    saving_seconds=0.5,
    start_seconds=0.3,
    chats=((5, 114), (60, 4)),
    resumes=5,
    resume_rounds=1,
    idle_connections=100,
    idle_warm_connections=20,
    quiet_seconds=0.5,
    idle_seconds=1.0,
)
