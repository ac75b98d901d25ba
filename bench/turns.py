"""A turn through the whole service, beside the same graph alone, in the same minutes."""

from collections import defaultdict
from typing import Any

from bench import graph
from bench.lab import Lab
from bench.plan import Plan
from bench.report import Figure, Goal, medians, percentile, print_table
from bench.savers import Saving

_CONCURRENCY = (1, 16, 64)
_TURNS_PER_SECOND = {16: 120, 64: 60}
_CPU_OF_FLOOR = {16: 5}
_FIRST_EVENT_MS = {1: 5, 16: 40}
_MARKS = ("ack", "first_event", "first_progress", "first_words", "end", "whole")

Rounds = defaultdict[int, list[dict[str, float]]]


def measure_floor(lab: Lab, plan: Plan) -> list[Figure]:
    """The graph in process, without and with LangGraph's own saver."""
    alone, saved = Rounds(list), Rounds(list)
    _warm_floor(lab)
    for _ in range(plan.rounds):
        _floor_round(lab, plan, alone, saved)
    return _floor_figures(alone, saved)


def measure(lab: Lab, plan: Plan) -> list[Figure]:
    """The floor and the service, round by round, and what one is of the other."""
    alone, saved, served = Rounds(list), Rounds(list), Rounds(list)
    times: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    port = lab.server.port
    first = lab.load.do("turns", port=port, concurrency=1, seconds=0.01, lead=0)
    _warm_floor(lab)
    lab.load.do("turns", port=port, concurrency=16, seconds=plan.warm_seconds, lead=0)
    for _ in range(plan.rounds):
        _floor_round(lab, plan, alone, saved)
        for concurrency in _CONCURRENCY:
            turns = served_turns(lab, plan, concurrency)
            served[concurrency].append(turns["numbers"])
            for mark in _MARKS:
                times[concurrency, mark] += turns["ms"][mark]
    floor_figures = _floor_figures(alone, saved)
    figures = [
        _figure(concurrency, served[concurrency], times, floor_figures)
        for concurrency in _CONCURRENCY
    ]
    print_table("A turn through the whole service", figures)
    cold = Figure("first turn of a fresh process", {"end_ms": first["cold_ms"]})
    return [*floor_figures, *figures, cold]


def served_turns(
    lab: Lab, plan: Plan, concurrency: int, saving: Saving = Saving.BOUNDED
) -> dict[str, Any]:
    """Hold conversations of one turn each; return what they cost, and how long things took."""
    server = lab.server_with(saving)
    before = lab.cpu(server)
    turns = lab.load.do(
        "turns",
        port=server.port,
        agent=f"{graph.TURN}-{saving}",
        concurrency=concurrency,
        seconds=plan.turn_seconds,
        lead=plan.lead_seconds,
    )
    server.settle()  # what a turn leaves to be done after it is a part of it
    after = lab.cpu(server)
    numbers = {"turns_per_second": turns["counted"] / plan.turn_seconds}
    for who, seconds in after.items():
        numbers[f"{who}_cpu_ms"] = (seconds - before[who]) * 1000 / turns["turns"]
    # what one core does that nobody else uses: on a busy machine the steadier figure
    numbers["turns_per_cpu_second"] = 1000 / numbers["server_cpu_ms"]
    numbers["frames"] = turns["frames"] / turns["turns"]
    return {"numbers": numbers, "ms": turns["ms"]}


def _floor_round(lab: Lab, plan: Plan, alone: Rounds, saved: Rounds) -> None:
    for concurrency in _CONCURRENCY:
        given = {"concurrency": concurrency, "seconds": plan.floor_seconds}
        alone[concurrency].append(floor_numbers(lab.floor.do("turns", **given)))
        turns = lab.floor.do(
            "saved_turns", **given, database_url=lab.database_url, saving=Saving.STOCK
        )
        saved[concurrency].append(floor_numbers(turns))


def _warm_floor(lab: Lab) -> None:
    lab.floor.do("turns", concurrency=4, seconds=0.2)
    given = {"database_url": lab.database_url, "saving": Saving.STOCK}
    lab.floor.do("saved_turns", concurrency=16, seconds=0.2, **given)


def floor_numbers(turns: dict[str, Any]) -> dict[str, float]:
    return {
        "turns_per_second": turns["per_second"],
        "cpu_ms": turns["cpu_ms"],
        "whole_ms_p50": percentile(turns["ms"], 0.5),
    }


def _floor_figures(alone: Rounds, saved: Rounds) -> list[Figure]:
    without = [Figure(f"graph c{c}", medians(alone[c])) for c in _CONCURRENCY]
    withit = [Figure(f"graph+saver c{c}", medians(saved[c])) for c in _CONCURRENCY]
    print_table("The floor: the graph in process, no saver, no socket", without)
    print_table("The same with LangGraph's own saver, durability async", withit)
    return [*without, *withit]


def _figure(
    concurrency: int,
    rounds: list[dict[str, float]],
    times: dict[tuple[int, str], list[float]],
    floor: list[Figure],
) -> Figure:
    numbers = medians(rounds)
    by_name = {figure.name: figure.numbers for figure in floor}
    rate = numbers["turns_per_second"]
    for name, of in (("of_the_floor", "graph"), ("of_the_floor_with_saver", "graph+saver")):
        numbers[name] = rate / by_name[f"{of} c{concurrency}"]["turns_per_second"]
    numbers["server_cpu_of_the_floor"] = (
        numbers["server_cpu_ms"] / by_name[f"graph c{concurrency}"]["cpu_ms"]
    )
    for mark in _MARKS:
        numbers[f"{mark}_ms_p50"] = percentile(times[concurrency, mark], 0.5)
        numbers[f"{mark}_ms_p99"] = percentile(times[concurrency, mark], 0.99)
    goals = []
    if concurrency in _TURNS_PER_SECOND:
        goals.append(Goal("turns_per_second", at_least=_TURNS_PER_SECOND[concurrency]))
    if concurrency in _CPU_OF_FLOOR:
        goals.append(Goal("server_cpu_of_the_floor", at_most=_CPU_OF_FLOOR[concurrency]))
    if concurrency in _FIRST_EVENT_MS:
        goals.append(Goal("first_event_ms_p50", at_most=_FIRST_EVENT_MS[concurrency]))
    return Figure(f"turn c{concurrency}", numbers, goals)
