"""The numbered event log of a chat, in Redis: append, read, follow; and its outbox."""
