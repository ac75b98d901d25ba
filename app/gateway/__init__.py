"""The WebSocket edge: handshake, reader, writer, dispatch."""
