"""Where a run's guard meets the tools that a graph calls.

LangChain's callbacks see every call, whoever makes it, and can refuse it. Only a ``ToolNode``
can be given an answer in a call's place.
"""

import inspect
import weakref
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.pregel import Pregel

from app.agents.tools import CallGuard, is_repeatable

_known: weakref.WeakSet[ToolNode] = weakref.WeakSet()


def handlers(guard: CallGuard) -> list[BaseCallbackHandler]:
    """Return what LangChain is to tell of tools. It tells both, in any order; the one does all
    where a call is awaited, the other where it is not.
    """
    return [_Awaited(guard), _Blocking(guard)]


class _ToolsOnly:
    """What makes a handler cost next to nothing for everything but tools."""

    run_inline = True
    raise_error = True
    ignore_llm = ignore_chat_model = ignore_chain = ignore_retriever = True
    ignore_retry = ignore_custom_event = True

    def __init__(self, guard: CallGuard) -> None:
        self.guard = guard


class _Awaited(_ToolsOnly, AsyncCallbackHandler):
    """For calls that are awaited. For others, LangChain runs it on a loop made for the purpose
    and ignores its errors.
    """

    async def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,  # noqa: ARG002 - the library's signature
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **given: Any,
    ) -> None:
        if self.guard.is_here():
            call = self.guard.recognise(
                serialized["name"], metadata, given.get("tool_call_id") or str(run_id)
            )
            note = None if is_repeatable(metadata) else await self.guard.begin(call)
            self.guard.opened(run_id, call, note)

    async def on_tool_end(self, output: Any, *, run_id: UUID, **_given: Any) -> None:
        if self.guard.is_here() and (work := self.guard.closed(run_id, output)):
            await work

    async def on_tool_error(self, error: BaseException, *, run_id: UUID, **_given: Any) -> None:
        if self.guard.is_here() and (work := self.guard.closed(run_id, error)):
            await work


class _Blocking(_ToolsOnly, BaseCallbackHandler):
    """For calls that are not awaited: their thread waits."""

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,  # noqa: ARG002 - the library's signature
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **given: Any,
    ) -> None:
        if not _is_awaited():
            call = self.guard.recognise(
                serialized["name"], metadata, given.get("tool_call_id") or str(run_id)
            )
            note = None if is_repeatable(metadata) else self.guard.wait(self.guard.begin(call))
            self.guard.opened(run_id, call, note)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_given: Any) -> None:
        if not _is_awaited() and (work := self.guard.closed(run_id, output)):
            self.guard.wait(work)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_given: Any) -> None:
        if not _is_awaited() and (work := self.guard.closed(run_id, error)):
            self.guard.wait(work)


def _is_awaited() -> bool:
    """Whether what calls our caller is a coroutine: then LangChain awaits its handlers, and
    else it does not, whatever thread this is.
    """
    frame = inspect.currentframe()
    caller = frame and frame.f_back and frame.f_back.f_back
    return caller is not None and bool(caller.f_code.co_flags & inspect.CO_COROUTINE)


def prepare(graph: Pregel[Any, Any, Any, Any]) -> None:
    """Let the tool nodes of a graph, and of the subgraphs it names, ask its run's guard first.

    Nothing changes for runs that have none. May be called again.
    """
    seen: list[Any] = []
    ahead: list[Any] = [graph]
    while ahead:
        one = ahead.pop()
        if one in seen or not isinstance(one, Pregel):
            continue
        seen.append(one)
        for node in one.nodes.values():
            ahead += [node.bound, *node.subgraphs]
            if isinstance(node.bound, ToolNode) and node.bound not in _known:
                _known.add(node.bound)
                _prepare(node.bound)


def _prepare(node: ToolNode) -> None:
    """Put the question before each call, inside of what wrappers the node has.

    As a wrapper of its own it would change what the node makes of errors.
    """
    call, acall = node._execute_tool_sync, node._execute_tool_async  # noqa: SLF001

    def ask(request: ToolCallRequest, input_type: Any, config: RunnableConfig) -> Any:
        guard = _guard_of(config)
        found = guard and guard.wait(guard.answer(request, config))
        return call(request, input_type, config) if found is None else found

    async def aask(request: ToolCallRequest, input_type: Any, config: RunnableConfig) -> Any:
        guard = _guard_of(config)
        found = guard and await guard.answer(request, config)
        return await acall(request, input_type, config) if found is None else found

    node.__dict__ |= {"_execute_tool_sync": ask, "_execute_tool_async": aask}


def _guard_of(config: RunnableConfig) -> CallGuard | None:
    known = getattr(config.get("callbacks"), "handlers", ())
    return next((one.guard for one in known if isinstance(one, _Awaited)), None)
