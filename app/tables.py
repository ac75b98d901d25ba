"""Imports every room's tables, so that the metadata is complete."""

import app.auth.models
import app.chats.models
import app.events.models
import app.knowledge.models
import app.ownership.models
import app.runs.models
import app.sessions.models
import app.users.models  # noqa: F401
from app.storage.base import Base

METADATA = Base.metadata

# LangGraph's own, made by a revision of ours and otherwise left alone.
CHECKPOINT_TABLES = frozenset(
    {"checkpoints", "checkpoint_blobs", "checkpoint_writes", "checkpoint_migrations"}
)
