"""Every test that the threat model names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
THREATS = PAGE.partition("## Threats")[2].partition("##")[0].strip().splitlines()[2:]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=str)
def test_every_named_test_exists(path: str, name: str) -> None:
    assert name in _functions(ROOT / path)


@pytest.mark.parametrize("line", THREATS, ids=lambda line: line.split("|")[1].strip())
def test_every_threat_names_a_test(line: str) -> None:
    assert "::test_" in line


def test_the_page_is_read() -> None:
    assert len(THREATS) >= 15
    assert len(NAMED) >= len(THREATS)


@cache
def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}
