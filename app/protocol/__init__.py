"""The wire ``colloquy.v1``: pure data and pure functions; no network, no database, no clock."""
