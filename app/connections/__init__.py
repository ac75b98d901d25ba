"""Open sockets on this node: send queue, hub, fan-out."""
