"""Colloquy: a real-time conversation service for LangGraph agents.

Importing this package does one thing, and nothing else does anything on import: it
tells LangGraph's serialiser to rebuild only known types from checkpoints, so that
whoever can write the checkpoint tables cannot run code here. The serialiser reads
the variable when it is imported, hence here.
"""

import os

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
