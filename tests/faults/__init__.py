"""What must hold under faults, shown on real processes. How to run it: ``__main__.py``."""
