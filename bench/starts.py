"""Sessions started in a second, beside plain INSERTs of such rows."""

from bench.lab import Lab
from bench.plan import Plan
from bench.report import Figure, Goal, medians, percentile, print_table

_CONCURRENCY = (1, 16, 64)
_PER_SECOND = 1_000


def measure(lab: Lab, plan: Plan) -> list[Figure]:
    rounds: dict[int, list[dict[str, float]]] = {one: [] for one in _CONCURRENCY}
    port = lab.server.port
    lab.load.do("starts", port=port, concurrency=16, seconds=0.3)
    for _ in range(plan.rounds):
        for concurrency in _CONCURRENCY:
            given = {"concurrency": concurrency, "seconds": plan.start_seconds}
            before = lab.cpu()
            times = lab.load.do("starts", port=port, **given)["ms"]
            after = lab.cpu()
            plain = lab.floor.do("inserts", database_url=lab.database_url, **given)
            rate = len(times) / plan.start_seconds
            rounds[concurrency].append(
                {
                    "starts_per_second": rate,
                    **{
                        f"{who}_cpu_ms": (after[who] - before[who]) * 1000 / len(times)
                        for who in after
                    },
                    "ms_p50": percentile(times, 0.5),
                    "ms_p99": percentile(times, 0.99),
                    "inserts_per_second": plain["per_second"],
                    "of_plain_inserts": rate / plain["per_second"],
                }
            )
    figures = [
        Figure(
            f"start c{concurrency}",
            medians(some),
            [Goal("starts_per_second", at_least=_PER_SECOND)] if concurrency > 1 else (),
        )
        for concurrency, some in rounds.items()
    ]
    print_table("POST /chat/start, beside plain INSERTs of one such row through asyncpg", figures)
    return figures
