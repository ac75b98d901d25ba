"""Calls of tools, none of which a crash repeats silently.

After a crash LangGraph runs an unfinished step again from its first line, and with it every
call of a tool that the step had made. So a call is noted before its tool starts and when it
has ended, and a call that an earlier attempt has noted is not made: it gets the result it
had, or the model is told that nobody knows. Tools that are declared idempotent go their way.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import structlog
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config, get_stream_writer
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt.tool_node import ToolCallRequest, ToolInvocationError
from langgraph.types import Command

from app.agents.buffered import BufferedSaver
from app.agents.errors import ToolInterrupted, ToolNotAwaited
from app.agents.fenced import lost
from app.agents.types import CallLog, PastCall, ToolCall
from app.kit.errors import AppError
from app.kit.ids import RunId
from app.kit.plain import storable

log = structlog.get_logger()

T = TypeVar("T")

# Our own word in a tool's metadata, and MCP's, which its adapters for LangChain put there.
_REPEATABLE = ("idempotent", "idempotentHint", "readOnlyHint")

_NAMESPACE = "langgraph_checkpoint_ns"
_BELOW = "|"

_UNKNOWN = (
    "The service restarted while this was being worked on. Whether this call took effect is"
    " not known, and it was not repeated."
)
_ENDED = "This call ended before the service restarted, and was not repeated. It returned:"
_NOT_KEPT = (
    "This call ended before the service restarted, but its result was lost. It was not repeated."
)


class Refused(ToolInvocationError):
    """A call may not be repeated. A ``ToolNode`` shows the model errors of this kind."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)
        self.message = text


class _Open(NamedTuple):
    call: ToolCall
    note: int | None  # its number; None for a tool that may be called again


class CallGuard:
    """The calls of one attempt of one run. Must be made on the loop that drives the graph.

    Args:
        calls: where they are noted.
        run_id: whose calls.
        fence: proves that the run is ours.
        saver: the run's; what led to a call is committed before the call.
        may_write: whether the run is still this process's.
    """

    def __init__(
        self,
        calls: CallLog,
        *,
        run_id: RunId,
        fence: int,
        saver: BufferedSaver,
        may_write: Callable[[], bool],
    ) -> None:
        self._calls = calls
        self._run_id = run_id
        self._fence = fence
        self._outlet = saver.outlet
        self._serde = saver.serde
        self._may_write = may_write
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._past: list[PastCall] | None = None
        self._new: set[ToolCall] = set()  # known to be no repetition
        self._open: dict[UUID, _Open] = {}
        self._has_notes = False

    async def answer(self, request: ToolCallRequest, config: RunnableConfig) -> Any:
        """Return what stands for a call that was made before; None: it is to be made."""
        tool = request.tool
        if tool is None or is_repeatable(tool.metadata):
            return None
        metadata = config.get("metadata", {})
        call = self.recognise(tool.name, metadata, request.tool_call["id"] or "")
        # What asks for the call was there before the step began: the id is the same again.
        is_certain = call.scope == metadata.get(_NAMESPACE)
        past = await self._past_of(call, by_name=not is_certain)
        if past is None:
            self._new.add(call)
            return None
        found = self._recall(past, call)
        self._tell_end(call, found)
        return found

    def recognise(self, tool: str, metadata: Mapping[str, Any] | None, call_id: str) -> ToolCall:
        """Say which call this is. A graph without checkpoints of its own begins anew with the
        step that calls it, and so do its steps.
        """
        scope, *rest = str((metadata or {}).get(_NAMESPACE, "")).split(_BELOW)
        for part in rest:
            if scope not in self._outlet.newest:
                break
            scope += _BELOW + part
        return ToolCall(scope, storable(call_id), storable(tool))

    async def begin(self, call: ToolCall) -> int:
        """Note that a call begins; only then may it.

        Raises:
            Refused: it was made before.
            StaleFence: the run is another process's.
            Unavailable: Postgres stays away.
        """
        past = await self._past_of(call, by_name=call not in self._new)
        if past is not None:
            self._tell("tool_failed", call, code=ToolInterrupted.code)
            raise Refused(_refusal(self._recall(past, call)))
        with self._fatal():
            if self._outlet.is_closed or not self._may_write():
                raise lost()
            # the call is known again by what the step began from: that has to be there
            await self._outlet.flush_from(_checkpoints())
            note = await self._calls.begin(self._run_id, self._fence, call)
        self._has_notes = True
        return note

    def opened(self, run_id: UUID, call: ToolCall, note: int | None) -> None:
        """Keep what ``closed`` will need, and tell the chat."""
        self._open[run_id] = _Open(call, note)
        self._tell("tool_started", call)

    def closed(self, run_id: UUID, output: Any) -> Coroutine[Any, Any, None] | None:
        """Tell the chat that a call has ended; return what is to be done about its note.

        Args:
            run_id: LangChain's, of the call.
            output: what the tool returned, or the error it raised.
        """
        found = self._open.pop(run_id, None)
        if found is None:
            return None
        call, note = found
        if isinstance(output, GraphBubbleUp):
            return None if note is None else self._withdraw(note)
        if isinstance(output, BaseException):
            output = _error_message(call, f"Error: {output!r}")
        self._tell_end(call, output)
        return None if note is None else self._end(note, output)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` on the loop and block this thread, which is not the loop's.

        Raises:
            ToolNotAwaited: it is.
        """
        if _runs_on(self._loop):
            work.close()
            raise ToolNotAwaited("The agent calls a tool in a way that blocks its server.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def is_here(self) -> bool:
        """Whether the caller runs on the graph's loop."""
        return _runs_on(self._loop)

    async def forget(self) -> None:
        """Drop the notes: all is committed that came of the calls. Never raises."""
        if not self._has_notes and not self._past:
            return
        with contextlib.suppress(AppError):  # they go with their run
            await self._calls.forget(self._run_id)

    async def _past_of(self, call: ToolCall, *, by_name: bool) -> PastCall | None:
        async with self._lock:
            if self._past is None:
                with self._fatal():
                    self._past = list(await self._calls.earlier(self._run_id, self._fence))
        near = [one for one in self._past if one.call.scope == call.scope]
        same = [one for one in near if one.call.call_id == call.call_id]
        if same:
            return same[-1]
        if by_name and any(one.call.tool == call.tool for one in near):
            return PastCall(call, has_ended=False, result=None)  # this one, or another
        return None

    @contextlib.contextmanager
    def _fatal(self) -> Iterator[None]:
        """End the attempt on an error, even if the agent takes it for the tool's own."""
        try:
            yield
        except AppError as error:
            self._outlet.fail(error)
            raise

    def _recall(self, past: PastCall, call: ToolCall) -> Any:
        if past.result is not None:
            try:
                found = self._serde.loads_typed(past.result)
            except Exception:  # a type that is no more; then its result is lost
                log.exception("tool_result_unreadable", tool=call.tool)
            else:
                if _is_answer(found):
                    return found
        return _error_message(call, _NOT_KEPT if past.has_ended else _UNKNOWN)

    async def _end(self, note: int, output: Any) -> None:
        result: tuple[str, bytes] | None = None
        try:
            result = self._serde.dumps_typed(output) if _is_answer(output) else None
        except Exception as error:  # noqa: BLE001 - anything may be an artifact
            log.warning("tool_result_not_kept", cause=type(error).__name__)
        try:
            await self._calls.end(note, result)
        except AppError as error:  # the result itself is there, and goes its way
            log.warning("tool_result_not_kept", code=error.code)

    async def _withdraw(self, note: int) -> None:
        with self._fatal():
            await self._calls.withdraw(note)

    def _tell_end(self, call: ToolCall, output: Any) -> None:
        if isinstance(output, ToolMessage) and output.status == "error":
            is_unknown = output.content in {_UNKNOWN, _NOT_KEPT}
            self._tell(
                "tool_failed", call, code=ToolInterrupted.code if is_unknown else "tool_failed"
            )
        else:
            self._tell("tool_completed", call)

    def _tell(self, name: str, call: ToolCall, **fields: str) -> None:
        payload = {"call_id": call.call_id, "tool": call.tool, **fields}
        with contextlib.suppress(RuntimeError, KeyError):  # a tool called outside of any step
            get_stream_writer()({"name": name, "payload": payload})


def is_repeatable(metadata: Mapping[str, Any] | None) -> bool:
    """Whether a tool is declared to do no more when it is called again."""
    return any((metadata or {}).get(name) is True for name in _REPEATABLE)


def _checkpoints() -> dict[str, str]:
    """Return which checkpoint each graph around the caller went on from, by namespace."""
    with contextlib.suppress(RuntimeError):
        return dict(get_config().get("configurable", {}).get("checkpoint_map", {}))
    return {}


def _is_answer(value: Any) -> bool:
    """Whether a ``ToolNode`` takes it for what a tool returned."""
    many = value if isinstance(value, list) else [value]
    return all(isinstance(one, ToolMessage | Command) for one in many)


def _error_message(call: ToolCall, text: str) -> ToolMessage:
    return ToolMessage(text, name=call.tool, tool_call_id=call.call_id, status="error")


def _refusal(found: Any) -> str:
    if not isinstance(found, ToolMessage):
        return _NOT_KEPT
    if found.content in {_UNKNOWN, _NOT_KEPT}:
        return str(found.content)
    return f"{_ENDED} {found.text}"


def _runs_on(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
