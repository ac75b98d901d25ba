"""What spans rooms: deleting a chat with all that hangs on it, and when that is done."""
