"""The ``colloquy`` command: it looks whether ``app`` is Colloquy's before it imports it.

Colloquy's package is called ``app``, and so are many others. This module's name is its
own, so it is found whatever lies around, and can say in a sentence what hides what.
"""

import importlib.util
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
# Beside this file once installed; in a checkout, this file is in deploy/launcher.
_OURS = (_HERE if (_HERE / "app").is_dir() else _HERE.parents[1]) / "app"


def main() -> None:
    found = _found()
    if found != _OURS:
        sys.exit(
            f"{found} hides Colloquy's own package, which is called app, too; start colloquy "
            f"without {found.parent} in PYTHONPATH."
            if found
            else f"Colloquy's package {_OURS} is not installed."
        )
    if _another_one_here():
        sys.stderr.write(
            "Note: app in this directory is not used by colloquy, whose own package has that "
            "name; code of yours that imports app gets Colloquy's.\n"
        )
    from app.cli import main as command  # noqa: PLC0415  (now it is known to be ours)

    command()


def _found() -> Path | None:
    """Return the folder or file that ``import app`` would take."""
    spec = importlib.util.find_spec("app")
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]).resolve()
    return Path(spec.origin).resolve() if spec.origin else None


def _another_one_here() -> bool:
    try:
        here = Path.cwd() / "app"
    except FileNotFoundError:  # the directory was removed under us
        return False
    return here.resolve() != _OURS and (here.with_suffix(".py").is_file() or any(here.glob("*.py")))
