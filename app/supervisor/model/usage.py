"""The tokens a model says it took."""

from collections import Counter

from langchain_core.messages import BaseMessage


def counts(message: BaseMessage | None) -> dict[str, int]:
    """Return the totals of a model's message, such as ``total_tokens``; empty if it has none."""
    usage = getattr(message, "usage_metadata", None) or {}
    return {name: count for name, count in usage.items() if isinstance(count, int)}


def added(*usages: dict[str, int]) -> dict[str, int]:
    """Return the sum of several calls."""
    total: Counter[str] = Counter()
    for usage in usages:
        total.update(usage)
    return dict(total)
