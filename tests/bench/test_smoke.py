"""The bench runs, and says what it measured in the words it promises."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.__main__ import main

ROOT = Path(__file__).parents[2]

WHOLE = {
    "turns_per_second",
    "server_cpu_ms",
    "postgres_cpu_ms",
    "valkey_cpu_ms",
    "client_cpu_ms",
    "of_the_floor",
    "of_the_floor_with_saver",
    "ack_ms_p50",
    "ack_ms_p99",
    "first_event_ms_p50",
    "first_event_ms_p99",
    "whole_ms_p50",
}


def run_bench(*arguments: str) -> dict[str, dict[str, Any]]:
    """Run it as a person does; return its figures by name."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--fast", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["figure"]: line for line in lines}


@pytest.fixture(scope="module")
def turn() -> dict[str, dict[str, Any]]:
    return run_bench("--only", "turn")


def test_a_turn_is_measured_beside_its_floor(turn: dict[str, dict[str, Any]]) -> None:
    for concurrency in (1, 16, 64):
        whole = turn[f"turn c{concurrency}"]
        assert whole.keys() >= WHOLE
        assert 0 < whole["of_the_floor"] < 1.5
        assert whole["frames"] >= 14  # the person's message, six steps, words, the end
        assert turn[f"graph c{concurrency}"]["turns_per_second"] > 0
        assert turn[f"graph+saver c{concurrency}"]["turns_per_second"] > 0


def test_every_figure_says_where_it_was_measured(turn: dict[str, dict[str, Any]]) -> None:
    for figure in turn.values():
        assert figure["machine"].keys() >= {"cpu", "cores", "load", "python"}
        assert figure["commit"]


def test_goals_are_named_with_what_became_of_them(turn: dict[str, dict[str, Any]]) -> None:
    goals = {one["of"]: one for one in turn["turn c16"]["goals"]}

    assert goals.keys() == {"turns_per_second", "server_cpu_of_the_floor", "first_event_ms_p50"}
    assert goals["turns_per_second"]["goal"] == "≥ 120"
    assert goals["server_cpu_of_the_floor"]["goal"] == "≤ 5"
    assert all(isinstance(one["met"], bool) for one in goals.values())


def test_checkpoints_kept_in_three_ways_are_measured_side_by_side() -> None:
    figures = run_bench("--only", "saving")

    for name, goals in (("", ["cpu_of_exit"]), ("graph, ", ["cpu_of_exit", "rate_of_stock"])):
        assert figures.keys() >= {f"{name}bounded", f"{name}exit", f"{name}stock"}
        ratios = figures[f"{name}bounded beside the others"]
        assert [one["of"] for one in ratios["goals"]] == goals
    assert (
        figures["graph, bounded beside the others"]["cpu_of_stock"] < 0.9
    )  # or what is called stock is not


def test_a_return_is_measured_in_short_and_in_long_chats() -> None:
    figures = run_bench("--only", "resume")

    chats = [one for name, one in figures.items() if name.endswith("messages")]
    assert len(chats) > 1
    assert all(one["missed"] == 500 < one["events"] for one in chats)
    assert {one["of"] for one in figures["resume, longest chat of shortest"]["goals"]} == {
        "server_cpu",
        "live_p50",
    }


def test_a_part_that_does_not_exist_is_refused() -> None:
    result = CliRunner().invoke(main, ["--only", "nonsense"])

    assert result.exit_code == 2
    assert "nonsense" in result.output
