"""Persistent conversations and their messages."""
