"""The intelligence that needs no model: planning, writing, choosing passages."""
