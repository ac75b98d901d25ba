"""What it costs that a client comes back, in chats that are short and in chats that are long."""

from bench.lab import Lab
from bench.plan import Plan
from bench.report import Figure, Goal, median, medians, percentile, print_table

_MISSED = 500
_COST_MS = 150
_GROWTH = 1.3  # of what ought to be 1: half of it is noise


def measure(lab: Lab, plan: Plan) -> list[Figure]:
    port = lab.server.port
    chats = [
        lab.load.do("fill", port=port, turns=turns, progress=progress, behind=_MISSED)
        for turns, progress in plan.chats
    ]
    places = [{"path": chat["path"], "after": chat["after"]} for chat in chats]
    for place in places:
        lab.load.do("resume", port=port, count=plan.resumes, **place)
    costs: list[list[dict[str, float]]] = [[] for _ in chats]
    times: list[list[float]] = [[] for _ in chats]
    for _ in range(plan.resume_rounds):
        for number, place in enumerate(places):
            lab.server.settle()
            before = lab.cpu()
            times[number] += lab.load.do("resume", port=port, count=plan.resumes, **place)
            lab.server.settle()
            after = lab.cpu()
            costs[number].append(
                {
                    f"{who}_cpu_ms": (after[who] - before[who]) * 1000 / plan.resumes
                    for who in ("server", "valkey", "postgres")
                }
            )
    figures = []
    for number, (turns, _) in enumerate(plan.chats):
        numbers = {
            "events": float(chats[number]["events"]),
            "messages": float(2 * turns),
            "missed": float(_MISSED),
            **medians(costs[number]),
            "live_ms_p50": percentile(times[number], 0.5),
            "live_ms_p99": percentile(times[number], 0.99),
        }
        goals = [Goal("server_cpu_ms", at_most=_COST_MS), Goal("live_ms_p99", at_most=_COST_MS)]
        figures.append(Figure(f"resume {2 * turns:,} messages", numbers, goals))
    title = f"A client comes back with {_MISSED} events to catch up on, until it is live again"
    print_table(title, figures)
    growth = [
        longest["server_cpu_ms"] / shortest["server_cpu_ms"]
        for shortest, longest in zip(costs[0], costs[-1], strict=True)
    ]
    of_shortest = Figure(
        "resume, longest chat of shortest",
        {
            "server_cpu": median(growth),
            "live_p50": percentile(times[-1], 0.5) / percentile(times[0], 0.5),
        },
        [Goal("server_cpu", at_most=_GROWTH), Goal("live_p50", at_most=_GROWTH)],
    )
    print_table("The longest of these chats beside the shortest", [of_shortest])
    return [*figures, of_shortest]
