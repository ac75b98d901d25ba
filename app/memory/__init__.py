"""Long-term memory: load before a run, save after it."""
