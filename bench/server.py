"""The service under load: what ``colloquy serve`` runs, with the bench's agents."""

import sys

from app.agents.types import Agent
from app.cli import run, settings_from
from app.observability import logs
from app.serving import serve_node
from bench import graph
from bench.processes import pin
from bench.savers import Saving, use

UNLIMITED = {  # the load is thousands of people, and comes from one address
    **dict.fromkeys(("starts", "handshakes", "queries", "anonymous_queries"), "off"),
    **dict.fromkeys(("sockets_per_user", "sockets_per_address", "runs_per_user"), 0),
}


def main() -> None:
    core, data_dir, saving = sys.argv[1:]
    pin(int(core))
    settings = settings_from(port=0, data_dir=data_dir, limits=UNLIMITED)
    logs.configure(settings.log)
    turn = graph.build()
    use(Saving(saving), turn)
    agents = [
        # names of its own: no other server takes its runs
        Agent(f"{graph.TURN}-{saving}", "Costs nothing.", turn, closing_node="respond"),
        Agent(f"{graph.TALK}-{saving}", "Says much.", graph.build_talker(), closing_node="talk"),
    ]
    run(serve_node(settings, agents=agents))


if __name__ == "__main__":
    main()
