"""The command ``colloquy``, whose nodes have the scripted agent beside the built-in one."""

import functools

from app import serving, working
from app.cli import main
from tests.support.scripted import scripted_agent

serving.serve_node = functools.partial(serving.serve_node, agents=[scripted_agent()])
working.work_node = functools.partial(working.work_node, agents=[scripted_agent()])

if __name__ == "__main__":
    main()
