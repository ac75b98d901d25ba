"""The specialists of a run: search, document and analysis."""
