"""Which agents exist, and running any graph: stream, saver, models."""
