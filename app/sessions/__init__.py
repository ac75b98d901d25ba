"""One client's engagement with a chat: start, extend, end, expire."""
