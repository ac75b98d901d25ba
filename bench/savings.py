"""What it costs that a run survives its process: the same run, its checkpoints kept in
three ways, through the whole service and as the graph alone.
"""

from bench.lab import Lab
from bench.plan import Plan
from bench.report import Figure, Goal, median, medians, print_table
from bench.savers import Saving
from bench.turns import floor_numbers, served_turns

_CONCURRENCY = 16
_CPU_OF_EXIT = Goal("cpu_of_exit", at_most=1.3)
# Asked of the graph alone: beside all else that a turn costs in the service, not even a
# saver that costs nothing would double the rate.
_RATE_OF_STOCK = Goal("rate_of_stock", at_least=2)

Rounds = dict[Saving, list[dict[str, float]]]


def measure(lab: Lab, plan: Plan) -> list[Figure]:
    """Take turns, each round in another order, and compare within the rounds."""
    ways = list(Saving)
    served: Rounds = {one: [] for one in ways}
    alone: Rounds = {one: [] for one in ways}
    for saving in ways:  # the first turns of a process are dear
        _alone(lab, saving, plan.floor_seconds / 2)
        served_turns(lab, plan, _CONCURRENCY, saving)
    for _ in range(plan.rounds):
        for saving in ways:
            served[saving].append(served_turns(lab, plan, _CONCURRENCY, saving)["numbers"])
            alone[saving].append(_alone(lab, saving, plan.saving_seconds))
        ways = ways[1:] + ways[:1]
    return [
        *_figures("through the whole service", "", served, "server_cpu_ms", [_CPU_OF_EXIT]),
        *_figures("of the graph alone", "graph, ", alone, "cpu_ms", [_CPU_OF_EXIT, _RATE_OF_STOCK]),
    ]


def _alone(lab: Lab, saving: Saving, seconds: float) -> dict[str, float]:
    before = lab.cpu()["postgres"]
    turns = lab.floor.do(
        "saved_turns",
        concurrency=_CONCURRENCY,
        seconds=seconds,
        database_url=lab.database_url,
        saving=saving,
    )
    postgres = (lab.cpu()["postgres"] - before) * 1000 / turns["count"]
    return {**floor_numbers(turns), "postgres_cpu_ms": postgres}


def _figures(title: str, name: str, rounds: Rounds, cpu: str, goals: list[Goal]) -> list[Figure]:
    figures = [Figure(f"{name}{saving}", medians(some)) for saving, some in rounds.items()]
    print_table(f"Checkpoints {title}, {_CONCURRENCY} at once, kept in three ways", figures)
    ratio = Figure(
        f"{name}bounded beside the others",
        {
            "cpu_of_exit": _ratio(rounds, Saving.EXIT, cpu),
            "rate_of_exit": _ratio(rounds, Saving.EXIT, "turns_per_second"),
            "cpu_of_stock": _ratio(rounds, Saving.STOCK, cpu),
            "rate_of_stock": _ratio(rounds, Saving.STOCK, "turns_per_second"),
            "postgres_cpu_of_stock": _ratio(rounds, Saving.STOCK, "postgres_cpu_ms"),
        },
        goals,
    )
    print_table(
        "A run that survives its process, of one that does not, and of LangGraph's", [ratio]
    )
    return [*figures, ratio]


def _ratio(rounds: Rounds, of: Saving, number: str) -> float:
    pairs = zip(rounds[Saving.BOUNDED], rounds[of], strict=True)
    return median([ours[number] / theirs[number] for ours, theirs in pairs])
