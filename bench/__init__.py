"""Measures the service against its own floor: ``python -m bench``."""
