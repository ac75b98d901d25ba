"""Figures as people and as machines read them."""

import json

import pytest

from bench.report import Figure, Goal, percentile, print_goals, print_json, print_table

MET = Figure("turn c16", {"turns_per_second": 78.3456}, [Goal("turns_per_second", at_least=60)])
MISSED = Figure("idle", {"kib": 50.0, "held": 5_000.0}, [Goal("kib", at_most=48)])


def test_a_goal_stands_beside_its_number_met_or_missed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Figures", [MET, MISSED])

    printed = capsys.readouterr().out
    assert "78.3 (≥ 60 ok)" in printed
    assert "50 (≤ 48 MISSED)" in printed
    assert "5,000" in printed


def test_each_figure_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([MET, MISSED])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    assert [line["figure"] for line in lines] == ["turn c16", "idle"]
    assert lines[0]["turns_per_second"] == 78.3
    assert lines[1]["goals"] == [{"of": "kib", "goal": "≤ 48", "met": False}]
    assert all("cores" in line["machine"] for line in lines)


def test_what_was_asked_for_is_listed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    print_goals([MET, MISSED])

    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines == [
        ["Asked", "for:", "2,", "missed:", "1"],
        ["ok", "turn", "c16:", "turns_per_second", "78.3", "≥", "60"],
        ["MISSED", "idle:", "kib", "50", "≤", "48"],
    ]


def test_a_percentile_of_few_values_is_one_of_them() -> None:
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 3.0
    assert percentile([float(one) for one in range(100)], 0.99) == 99.0
