"""The limits of people, for tests that are thousands of people at one address."""

import random
from typing import Any

UNLIMITED: dict[str, Any] = {
    "starts": "off",
    "handshakes": "off",
    "queries": "off",
    "anonymous_queries": "off",
    "sockets_per_user": 0,
    "sockets_per_address": 0,
    "runs_per_user": 0,
}


def new_address() -> dict[str, str]:
    """Return the header by which a proxy on this machine says whom it speaks for: somebody
    nobody has counted yet.
    """
    return {"x-forwarded-for": f"10.{random.randrange(1 << 8)}.{random.randrange(1 << 8)}.7"}
