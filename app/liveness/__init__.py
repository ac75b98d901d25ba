"""Heartbeats in Redis: which nodes, sessions and tabs are there now."""
