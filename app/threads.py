"""Where a process runs what would hold up its event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """Gives each call a thread of its own, for which nobody waits at the end.

    An agent's synchronous nodes and tools run here, and one that hangs cannot be stopped. In
    asyncio's own pool it keeps a thread, of six on two cores, from the checkpoints and from
    every other run, and the process from ending.
    """

    # A pool only by name: asyncio's loop takes nothing else.

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                future.set_exception(error)

        threading.Thread(target=work, name=getattr(fn, "__name__", None), daemon=True).start()
        return future

    def shutdown(self, *_: Any, **__: Any) -> None:
        """Leave alone what still runs."""


def use_threads() -> None:
    """Have the running loop's ``to_thread``, and LangGraph, use threads of this kind."""
    asyncio.get_running_loop().set_default_executor(Threads())
