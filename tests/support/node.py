"""A whole node on a real port, inside the test's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

import uvicorn

from app.agents.types import Agent
from app.gateway.transport import AbortableProtocol
from app.main import create_app
from app.services import Services, build
from app.settings import Settings
from app.web.transport import BoundedHttp
from tests.support.client import Client
from tests.support.scripted import scripted_agent


@dataclass
class Node:
    """A running node: its address, its parts, and clients of it."""

    url: str
    services: Services
    clients: list[Client] = field(default_factory=list)

    def client(self) -> Client:
        """Return a new anonymous browser; it is closed with the node."""
        client = Client(self.url)
        self.clients.append(client)
        return client


@contextlib.asynccontextmanager
async def running_node(
    settings: Settings, *, agents: Sequence[Agent] | None = None, port: int = 0
) -> AsyncIterator[Node]:
    """Serve a node until the block ends, on a free port unless one is given."""
    listener = socket.create_server(("127.0.0.1", port))
    agents = [scripted_agent()] if agents is None else agents
    async with build(settings, agents=agents) as services:
        config = uvicorn.Config(
            create_app(settings, contextlib.nullcontext(services)),
            http=BoundedHttp,
            ws=AbortableProtocol,
            ws_max_size=settings.protocol.frame_bytes + 65_536,
            ws_per_message_deflate=False,
            log_config=None,
            timeout_graceful_shutdown=2,
        )
        server = _Server(config)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait on
                await asyncio.sleep(0.005)
            node = Node(f"http://127.0.0.1:{listener.getsockname()[1]}", services)
            try:
                yield node
            finally:
                for client in node.clients:
                    await client.close()
                server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
