"""Documentation that can be checked is checked."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WALK = (ROOT / "docs" / "walk.md").read_text("utf-8")
NAMES = re.findall(r"`(app\.[a-z_.]+):([A-Za-z_.]+)`", WALK)


def test_the_tables_made_from_code_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_walk_names_its_steps() -> None:
    assert len(NAMES) >= 12


@pytest.mark.parametrize(("module", "name"), NAMES, ids=str)
def test_every_step_of_the_walk_exists(module: str, name: str) -> None:
    found = importlib.import_module(module)

    for part in name.split("."):
        found = getattr(found, part)

    assert callable(found)


def test_links_between_documents_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)")

    broken = [
        f"{path.relative_to(ROOT)} → {target}"
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in link.findall(path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]

    assert broken == []
