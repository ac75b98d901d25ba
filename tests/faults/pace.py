"""How fast everything goes: the real settings, or all of them scaled down by one number."""

from dataclasses import dataclass
from typing import Any

from app.settings import EventSettings, LivenessSettings, ProtocolSettings, RunSettings

_SCALED: dict[str, dict[str, float]] = {
    "runs": {
        name: getattr(RunSettings(), name)
        for name in ("lease_seconds", "heartbeat_seconds", "poll_seconds", "drain_seconds")
    },
    "events": {
        name: getattr(EventSettings(), name)
        for name in ("tick_active_seconds", "tick_idle_seconds", "relay_seconds")
    },
    "protocol": {
        name: getattr(ProtocolSettings(), name) for name in ("heartbeat_seconds", "pong_seconds")
    },
    "liveness": {
        name: getattr(LivenessSettings(), name) for name in ("beat_seconds", "ttl_seconds")
    },
}


@dataclass(frozen=True)
class Pace:
    """Attributes:
    scale: 1 for the settings people run with; 0.1 makes all waits ten times shorter.
    """

    scale: float = 0.1

    def seconds(self, real: float) -> float:
        """Return what ``real`` seconds are at this pace."""
        return real * self.scale

    @property
    def lease(self) -> float:
        """Seconds after which a dead owner's run may be taken."""
        return self.seconds(RunSettings().lease_seconds)

    @property
    def takeover(self) -> float:
        """Longest time from an owner's death until another node has its run."""
        return self.lease + self.seconds(RunSettings().poll_seconds)

    @property
    def backoff(self) -> tuple[float, float]:
        """A client's first and longest wait before it comes back."""
        return self.seconds(0.5), self.seconds(20)

    @property
    def silence(self) -> float:
        """After so much of it a client thinks the connection dead. Nodes look each second
        whom to ping, whatever the scale.
        """
        return 1.4 * self.seconds(ProtocolSettings().heartbeat_seconds) + (1 - self.scale) * 2

    def settings(self) -> dict[str, dict[str, Any]]:
        """Return groups of settings for a node."""
        groups: dict[str, dict[str, Any]] = {
            group: {name: value * self.scale for name, value in fields.items()}
            for group, fields in _SCALED.items()
        }
        if self.scale < 1:
            # What stands for "this store hangs" stays well above what a busy machine needs.
            groups["runs"]["delta_ms"] = 10
            groups["redis"] = {"command_seconds": max(1.0, self.seconds(5))}
            groups["database"] = {
                "connect_seconds": max(1.0, self.seconds(5)),
                "statement_seconds": max(2.0, self.seconds(10)),
            }
        return groups
