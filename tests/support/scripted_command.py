"""The command ``colloquy``, whose nodes have the tests' agents beside the built-in one."""

import functools

from app import serving, working
from app.cli import main
from tests.support.scripted import hanging_agent, scripted_agent

AGENTS = [scripted_agent(), hanging_agent()]
serving.serve_node = functools.partial(serving.serve_node, agents=AGENTS)
working.work_node = functools.partial(working.work_node, agents=AGENTS)

if __name__ == "__main__":
    main()
