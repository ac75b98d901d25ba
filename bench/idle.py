"""What a connection costs while nobody says anything."""

import time

from bench.lab import Lab
from bench.plan import Plan
from bench.processes import cpu_seconds, resident_bytes
from bench.report import Figure, Goal, print_table

_KIB = 48
_HELD = 5_000


def measure(lab: Lab, plan: Plan) -> list[Figure]:
    """Open live connections of real sessions on a fresh process, and keep them a while."""
    load = lab.load
    with lab.fresh_server() as server:
        load.do("turns", port=server.port, concurrency=4, seconds=0.5, lead=0)
        load.do("open_idle", port=server.port, count=plan.idle_warm_connections)
        server.settle()
        before = resident_bytes(server.pid)
        began = time.perf_counter()
        load.do("open_idle", port=server.port, count=plan.idle_connections)
        opening = time.perf_counter() - began
        load.do("hold_idle", seconds=plan.quiet_seconds)
        per_connection = (resident_bytes(server.pid) - before) / plan.idle_connections
        cpu, began = cpu_seconds(server.pid), time.perf_counter()
        held = load.do("hold_idle", seconds=plan.idle_seconds)
        share = (cpu_seconds(server.pid) - cpu) / (time.perf_counter() - began)
        resident = resident_bytes(server.pid)
        load.do("close_idle")
    goals = [Goal("kib_per_connection", at_most=_KIB)]
    if plan.idle_connections >= _HELD:
        goals.append(Goal("held", at_least=_HELD))
    figure = Figure(
        "idle connections",
        {
            "held": held,
            "kib_per_connection": per_connection / 1024,
            "process_mib": resident / 2**20,
            "cpu_percent": share * 100,
            "opened_per_second": plan.idle_connections / opening,
        },
        goals,
    )
    print_table("Idle live connections of one process", [figure])
    return [figure]
