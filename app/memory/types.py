"""Values of the memory room that other rooms see."""

from typing import Any, NamedTuple


class LoadedMemories(NamedTuple):
    """What was found for a query, and how the search went.

    ``status``: ``ok``, ``anonymous`` (nothing is kept about visitors), ``off`` (the person
    has paused it) or ``degraded`` (it did not answer in time).
    """

    memories: list[dict[str, Any]]
    status: str
    seconds: float
