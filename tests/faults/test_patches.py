import ast
import shutil
from pathlib import Path

import pytest

from tests.faults.nodes import ROOT
from tests.faults.patches import DoesNotFit, Mutation, load_mutations, parse
from tests.faults.report import INVARIANTS
from tests.faults.scenario import load_scenarios

MUTATIONS = load_mutations()

PATCH = """\
I1: It counts
on its fingers.

Scenarios: R1 R2

--- a/count.py
+++ b/count.py
@@ -7,3 +7,3 @@
 def count():
-    return 2
+    return 3

"""


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in MUTATIONS])
def test_each_break_of_the_code_still_fits_it(one: Mutation, tmp_path: Path) -> None:
    for hunk in one.hunks:
        copy = tmp_path / hunk.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / hunk.path, copy)

    one.apply(tmp_path)

    for hunk in one.hunks:
        if hunk.path.endswith(".py"):
            ast.parse((tmp_path / hunk.path).read_text("utf-8"))


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in MUTATIONS])
def test_each_break_names_what_it_breaks_and_who_should_notice(one: Mutation) -> None:
    assert one.invariant in INVARIANTS
    assert one.name.startswith(f"{one.invariant}-")
    assert {scenario.number for scenario in load_scenarios()}.issuperset(one.numbers)


def test_what_must_be_noticed_is_broken_at_least_once() -> None:
    broken = {one.invariant for one in MUTATIONS}

    assert broken >= {"I1", "I2", "I6", "I7", "I9", "I11"}


def test_a_patch_is_applied_wherever_its_lines_have_gone(tmp_path: Path) -> None:
    one = parse("x", PATCH)
    (tmp_path / "count.py").write_text("import this\n\n\ndef count():\n    return 2\n\nmore = 1\n")

    one.apply(tmp_path)

    assert (one.invariant, one.what) == ("I1", "It counts on its fingers.")
    assert one.numbers == ["R1", "R2"]
    text = (tmp_path / "count.py").read_text()
    assert text == "import this\n\n\ndef count():\n    return 3\n\nmore = 1\n"


@pytest.mark.parametrize(
    "text", ["", "def count():\n    return 3\n\n", 2 * "def count():\n    return 2\n\n"]
)
def test_a_patch_that_has_no_place_or_two_is_not_applied(text: str, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(text)

    with pytest.raises(DoesNotFit):
        parse("x", PATCH).apply(tmp_path)

    assert (tmp_path / "count.py").read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        PATCH.replace("I1: ", ""),
        PATCH.replace("Scenarios: R1 R2\n", ""),
        PATCH.partition("---")[0],
    ],
)
def test_a_patch_must_say_what_it_breaks_and_who_should_notice(text: str) -> None:
    with pytest.raises(DoesNotFit):
        parse("x", text)
