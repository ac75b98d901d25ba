"""A server that speaks the wire formats of language-model providers, and says what it is told."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

IN, OUT = 11, 7  # the tokens every call costs


@dataclass
class Provider:
    """What the model will say, and what it was asked.

    A request that streams is the answer's; one that does not is the plan's.
    """

    url: str = ""
    plan: str = "no plan"
    words: list[str] = field(default_factory=lambda: ["Hel", "lo ", "there."])
    status: int = 200  # of every answer
    broken_after: int | None = None  # words, after which the connection is lost
    held: asyncio.Event | None = None  # waits here before the last word
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def openai(self, request: Request) -> Response:
        body = await self._read(request)
        if self.status != 200:
            return self._refused({"error": {"message": "secret reason", "type": "x"}})
        if not body.get("stream"):
            message = {"role": "assistant", "content": self.plan}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return JSONResponse({**_CHAT, "choices": [choice], "usage": _OPENAI_USAGE})

        def deltas() -> Iterator[dict[str, Any]]:
            yield {**_CHUNK, "choices": [_choice({"role": "assistant", "content": ""})]}
            for word in self.words:
                yield {**_CHUNK, "choices": [_choice({"content": word})]}
            yield {**_CHUNK, "choices": [{**_choice({}), "finish_reason": "stop"}]}
            if (body.get("stream_options") or {}).get("include_usage"):
                yield {**_CHUNK, "choices": [], "usage": _OPENAI_USAGE}

        return self._events([(None, one) for one in deltas()], last="[DONE]")

    async def anthropic(self, request: Request) -> Response:
        body = await self._read(request)
        if self.status != 200:
            return self._refused({"type": "error", "error": {"type": "x", "message": "secret"}})
        message = {**_MESSAGE, "usage": {"input_tokens": IN, "output_tokens": 1}}
        if not body.get("stream"):
            content = [{"type": "text", "text": self.plan}]
            usage = {"input_tokens": IN, "output_tokens": OUT}
            return JSONResponse({**message, "content": content, "usage": usage})
        block = {"type": "content_block_start", "index": 0}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": message},
            {**block, "content_block": {"type": "text", "text": ""}},
            *(
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": word},
                }
                for word in self.words
            ),
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"input_tokens": IN, "output_tokens": OUT},
            },
            {"type": "message_stop"},
        ]
        return self._events([(one["type"], one) for one in events])

    async def ollama(self, request: Request) -> Response:
        body = await self._read(request)
        if self.status != 200:
            return self._refused({"error": "secret reason"})
        # it streams in every case, so the kind of request shows in the system prompt
        is_plan = "You plan" in json.dumps(body["messages"][0])
        words = [self.plan] if is_plan else self.words
        head = {"model": "test", "created_at": "2026-01-01T00:00:00Z", "done": False}
        lines = [{**head, "message": {"role": "assistant", "content": word}} for word in words]
        end = {"message": {"role": "assistant", "content": ""}, "done": True}
        counts = {"done_reason": "stop", "prompt_eval_count": IN, "eval_count": OUT}
        lines.append({**head, **end, **counts})
        data = "".join(f"{json.dumps(line)}\n" for line in lines)
        return Response(data, media_type="application/x-ndjson")

    async def _read(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.asked.append(body)
        return body

    def _refused(self, body: dict[str, Any]) -> Response:
        return JSONResponse(body, status_code=self.status)

    def _events(
        self, events: list[tuple[str | None, dict[str, Any]]], *, last: str | None = None
    ) -> Response:
        async def stream() -> AsyncIterator[str]:
            for number, (name, event) in enumerate(events):
                if self.broken_after == number:
                    raise ConnectionError("the line is cut")
                if self.held is not None and number == len(self.words):
                    await self.held.wait()
                head = f"event: {name}\n" if name else ""
                yield f"{head}data: {json.dumps(event)}\n\n"
            if last is not None:
                yield f"data: {last}\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")


_CHAT = {"id": "c1", "object": "chat.completion", "created": 1, "model": "test"}
_CHUNK = {**_CHAT, "object": "chat.completion.chunk"}
_OPENAI_USAGE = {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": IN + OUT}
_MESSAGE: dict[str, Any] = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "test",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}


def _choice(delta: dict[str, str]) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": None}


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Serve a model on a free port until the block ends."""
    one = Provider()
    routes = [
        Route("/v1/chat/completions", one.openai, methods=["POST"]),
        Route("/v1/messages", one.anthropic, methods=["POST"]),
        Route("/api/chat", one.ollama, methods=["POST"]),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # clients keep no connection that nobody would close
        headers = [("Connection", "close")]
        app = Starlette(routes=routes)
        server = _Server(uvicorn.Config(app, log_config=None, lifespan="off", headers=headers))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait on
                await asyncio.sleep(0.005)
            try:
                yield one
            finally:
                server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
