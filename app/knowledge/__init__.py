"""Documents: what the operator ingests, and search over it."""
