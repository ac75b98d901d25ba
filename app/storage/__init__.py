"""Postgres and Redis: connections, units of work, the declarative base."""
