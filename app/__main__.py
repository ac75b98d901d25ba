"""``python -m app`` is the command ``colloquy``."""

from app.cli import main

main()
