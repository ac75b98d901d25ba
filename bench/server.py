"""The service under load: what ``colloquy serve`` runs, with the bench's agent."""

import sys

from app.agents.types import Agent
from app.cli import run, settings_from
from app.observability import logs
from app.serving import serve_node
from bench import graph
from bench.processes import pin


def main() -> None:
    pin(int(sys.argv[1]))
    settings = settings_from(port=0, data_dir=sys.argv[2])
    logs.configure(settings.log)
    agent = Agent(graph.NAME, "Costs nothing.", graph.build(), closing_node="respond")
    run(serve_node(settings, agents=[agent]))


if __name__ == "__main__":
    main()
