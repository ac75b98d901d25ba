"""What is called again after a crash, and what is not, whoever calls it."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from app.agents.buffered import BufferedSaver
from app.agents.errors import NoAnswer, ToolInterrupted, ToolNotAwaited
from app.agents.executor import Executor
from app.agents.saver import Savers
from app.agents.tools import is_repeatable
from app.agents.types import Agent, Answer, PastCall, Progress, Step, Task, ToolCall
from app.events.errors import StaleFence
from app.kit.errors import Unavailable
from app.kit.ids import RunId, SessionId, new_chat_id, new_message_id, new_run_id
from tests.support import tools
from tests.support.scripted import GATES
from tests.support.tools import EFFECTS, agent, around, called_by, new_gate, with_node

UNKNOWN = "error: The service restarted while this was being worked on."


class Notes:
    """A log of calls in memory, with one row for each."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, PastCall] | None] = []
        self.error: Exception | None = None
        self.lookups = 0

    @property
    def kept(self) -> list[PastCall]:
        return [row[1] for row in self.rows if row is not None]

    async def earlier(self, run_id: RunId, fence: int) -> Sequence[PastCall]:
        self.lookups += 1
        return [row[1] for row in self.rows if row is not None and row[0] < fence]

    async def begin(self, run_id: RunId, fence: int, call: ToolCall) -> int:
        if self.error is not None:
            raise self.error
        self.rows.append((fence, PastCall(call, has_ended=False, result=None)))
        return len(self.rows) - 1

    async def end(self, note: int, result: tuple[str, bytes] | None) -> None:
        row = self.rows[note]
        assert row is not None
        self.rows[note] = row[0], row[1]._replace(has_ended=True, result=result)

    async def withdraw(self, note: int) -> None:
        self.rows[note] = None

    async def forget(self, run_id: RunId) -> None:
        self.rows = [None for _ in self.rows]


_CLAIM = """
WITH visitor AS (INSERT INTO visitors (id, secret_hash) SELECT %(chat_id)s, ''
        WHERE NOT EXISTS (SELECT 1 FROM visitors WHERE id = %(chat_id)s)),
    chat AS (INSERT INTO chats (id, agent, thread_id, visitor_id)
        SELECT %(chat_id)s, 'tools', %(thread_id)s, %(chat_id)s
        WHERE NOT EXISTS (SELECT 1 FROM chats WHERE id = %(chat_id)s))
INSERT INTO runs (id, chat_id, session_id, message_id, seq, answer_id, status, fence)
VALUES (%(run_id)s, %(chat_id)s, %(session_id)s, %(message_id)s, 1, %(message_id)s, 'running',
    %(fence)s)
ON CONFLICT (id) DO UPDATE SET fence = EXCLUDED.fence
"""


class Service:
    """One run of one agent, and what is left of it when its node dies."""

    def __init__(self, savers: Savers, one: Agent, question: str) -> None:
        self.notes = Notes()
        self.agent = one
        chat_id = new_chat_id()
        self.task = Task(
            new_run_id(), chat_id, SessionId("session-x"), None, chat_id, new_message_id(), question
        )
        self.fence = 0
        self._savers = savers
        self._executor = Executor(savers, self.notes)

    async def attempt(self, alive: list[bool] | None = None) -> list[Step]:
        self.fence += 1
        async with self._savers._pool.connection() as db:
            await db.execute(_CLAIM, {**self.task._asdict(), "fence": self.fence})
        stream = self._executor.stream(
            self.agent, self.task, fence=self.fence, may_write=lambda: alive is None or bool(alive)
        )
        async with contextlib.aclosing(stream):
            return [step async for step in stream]

    async def die_at(self, gate: str) -> None:
        """Make an attempt that ends at a gate, with nothing written any more."""
        alive = [True]
        attempt = asyncio.create_task(self.attempt(alive))
        reached = asyncio.create_task(GATES.wait_until_reached(gate))
        await asyncio.wait({attempt, reached}, return_when=asyncio.FIRST_COMPLETED)
        assert not attempt.done(), attempt
        alive.clear()
        attempt.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await attempt

    async def answer(self) -> list[str]:
        """Make an attempt and return what the model was told of each call."""
        *_, last = await self.attempt()
        assert isinstance(last, Answer)
        return last.text.split(" / ")


SHAPES: dict[str, Agent] = {
    "a tool node": agent(with_node()),
    "a subgraph": agent(around(with_node())),
    "a subgraph that a node calls": agent(around(called_by(with_node()))),
    "a subgraph without checkpoints": agent(around(with_node(checkpointer=False))),
}
EVERYWHERE = pytest.mark.parametrize("one", SHAPES.values(), ids=SHAPES.keys())


@EVERYWHERE
async def test_a_call_that_was_interrupted_is_not_repeated_and_the_model_is_told(
    savers: Savers, one: Agent
) -> None:
    gate = new_gate()
    service = Service(savers, one, f"charge:{gate}")
    await service.die_at(gate)

    [told] = await service.answer()

    assert told.startswith(UNKNOWN)
    assert EFFECTS[gate] == 1


@pytest.mark.parametrize("shape", ["a tool node", "a subgraph"])
async def test_a_call_that_had_ended_gets_its_result_again(savers: Savers, shape: str) -> None:
    done, gate = new_gate(is_open=True), new_gate()
    service = Service(savers, SHAPES[shape], f"charge:{done} charge:{gate}")
    await service.die_at(gate)

    told = await service.answer()

    assert told[0] == f"success: charged {done}"
    assert told[1].startswith(UNKNOWN)
    assert (EFFECTS[done], EFFECTS[gate]) == (1, 1)


async def test_where_no_answer_can_be_given_the_model_is_told_what_the_result_was(
    savers: Savers,
) -> None:
    """The node's own graph is not ours to see: a call of it can only be refused."""
    done, gate = new_gate(is_open=True), new_gate()
    inner = [with_node()]  # in a list, LangGraph does not find it either

    async def work(state: tools.State) -> Any:
        return await inner[0].ainvoke(state)

    service = Service(savers, agent(around(work)), f"charge:{done} charge:{gate}")
    await service.die_at(gate)

    first, second = await service.answer()

    assert f"was not repeated. It returned: charged {done}" in first
    assert "is not known, and it was not repeated" in second
    assert (EFFECTS[done], EFFECTS[gate]) == (1, 1)


@pytest.mark.parametrize("shape", list(SHAPES)[:3])
async def test_steps_that_had_ended_leave_no_doubt_about_later_calls(
    savers: Savers, shape: str
) -> None:
    first, gate, after = new_gate(is_open=True), new_gate(), new_gate(is_open=True)
    question = f"charge:{first} | look:{gate} | charge:{after}"
    service = Service(savers, SHAPES[shape], question)
    await service.die_at(gate)
    GATES.open(gate)

    told = await service.answer()

    assert told == [
        f"success: charged {first}",
        f"success: saw {gate}",
        f"success: charged {after}",
    ]
    assert (EFFECTS[first], EFFECTS[gate], EFFECTS[after]) == (1, 2, 1)


@EVERYWHERE
async def test_an_idempotent_tool_is_called_again_and_leaves_no_note(
    savers: Savers, one: Agent
) -> None:
    gate = new_gate()
    service = Service(savers, one, f"look:{gate}")
    await service.die_at(gate)
    GATES.open(gate)

    assert await service.answer() == [f"success: saw {gate}"]
    assert EFFECTS[gate] == 2
    assert (service.notes.rows, service.notes.lookups) == ([], 0)


async def test_calls_that_had_not_begun_are_made(savers: Savers) -> None:
    """Two calls of one tool in one message: the node died before the second."""
    gate, other = new_gate(), new_gate(is_open=True)

    async def one_by_one(request: Any, execute: Any) -> Any:
        async with lock:
            return await execute(request)

    lock = asyncio.Lock()
    node = ToolNode(tools.TOOLS, awrap_tool_call=one_by_one)
    service = Service(savers, agent(with_node(node)), f"charge:{gate} charge:{other}")
    await service.die_at(gate)
    lock = asyncio.Lock()

    told = await service.answer()

    assert told[0].startswith(UNKNOWN)
    assert told[1] == f"success: charged {other}"


async def test_an_error_is_a_result_too(savers: Savers) -> None:
    failed, gate = new_gate(is_open=True), new_gate()
    service = Service(savers, SHAPES["a tool node"], f"decline:{failed} charge:{gate}")
    await service.die_at(gate)

    told = await service.answer()

    assert told[0].startswith("error: Error: ValueError")
    assert failed in told[0]
    assert EFFECTS[failed] == 1


async def test_a_result_that_writes_to_the_state_writes_again(savers: Savers) -> None:
    noted, gate = new_gate(is_open=True), new_gate()
    service = Service(savers, SHAPES["a tool node"], f"note:{noted} charge:{gate}")
    await service.die_at(gate)

    assert (await service.answer())[0] == "success: noted"
    assert EFFECTS[noted] == 1


async def test_a_call_that_ended_without_a_result_that_was_kept_is_told_so(savers: Savers) -> None:
    done, gate = new_gate(is_open=True), new_gate()
    service = Service(savers, SHAPES["a tool node"], f"charge:{done} charge:{gate}")
    await service.die_at(gate)
    await service.notes.end(0, None)

    assert (await service.answer())[0].startswith("error: This call ended before the service")
    assert EFFECTS[done] == 1


async def test_a_third_attempt_knows_what_the_first_one_did(savers: Savers) -> None:
    charged, gate = new_gate(), new_gate()
    service = Service(savers, SHAPES["a tool node"], f"charge:{charged} look:{gate}")
    await service.die_at(charged)
    GATES.reached[gate].clear()
    await service.die_at(gate)
    GATES.open(gate)

    told = await service.answer()

    assert told[0].startswith(UNKNOWN)
    assert (EFFECTS[charged], EFFECTS[gate]) == (1, 3)


# Tools that nodes call by themselves


async def test_a_tool_called_by_hand_ends_the_run_rather_than_be_repeated(savers: Savers) -> None:
    gate = new_gate()
    service = Service(savers, agent(with_node(tools.by_hand)), f"charge:{gate}")
    await service.die_at(gate)

    with pytest.raises(ToolInterrupted):
        await service.attempt()
    assert EFFECTS[gate] == 1


async def test_a_tool_called_in_a_thread_is_noted_and_not_repeated(savers: Savers) -> None:
    """A synchronous node: LangChain tells us of its tools in another way."""
    gate = new_gate(is_open=True)
    service = Service(savers, agent(with_node(tools.in_thread)), f"charge_in_thread:{gate}")

    assert await service.answer() == [f"success: charged {gate}"]
    assert len(service.notes.rows) == 1

    stuck = Service(savers, agent(with_node(tools.in_thread)), f"charge_in_thread:{gate}")
    await _leave_behind(stuck)
    with pytest.raises(ToolInterrupted):
        await stuck.attempt()
    assert EFFECTS[gate] == 2


async def _leave_behind(service: Service) -> None:
    """Make an attempt that dies when its call has ended."""
    alive = [True]

    class Dying(Exception):
        pass

    end = service.notes.end

    async def die(note: int, result: tuple[str, bytes] | None) -> None:
        await end(note, result)
        alive.clear()
        raise Dying

    service.notes.end = die  # type: ignore[method-assign]
    with pytest.raises((Dying, StaleFence)):
        await service.attempt(alive)
    service.notes.end = end  # type: ignore[method-assign]


async def test_a_sync_graph_in_a_thread_is_guarded_as_well(savers: Savers) -> None:
    gate = new_gate(is_open=True)
    inner = with_node()

    def work(state: tools.State) -> Any:
        return inner.invoke(state)

    service = Service(savers, agent(around(work)), f"charge_in_thread:{gate}")
    await _leave_behind(service)

    assert await service.answer() == [f"success: charged {gate}"]
    assert EFFECTS[gate] == 1


async def test_a_tool_that_holds_up_the_loop_is_refused_unless_it_is_idempotent(
    savers: Savers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = new_gate(is_open=True)
    one = agent(with_node(tools.blocking))

    with pytest.raises(ToolNotAwaited):
        await Service(savers, one, f"charge_in_thread:{gate}").attempt()
    assert EFFECTS[gate] == 0

    monkeypatch.setattr(tools.charge_in_thread, "metadata", {"idempotent": True})
    assert await Service(savers, one, f"charge_in_thread:{gate}").answer() == [
        f"success: charged {gate}"
    ]


@tool
async def errand(gate: str) -> str:
    """Do something that may be done again, but for the charge."""
    return str(await tools.charge.ainvoke({"gate": gate}))


async def test_what_an_idempotent_tool_calls_need_not_be_idempotent(
    savers: Savers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errand, "metadata", {"idempotent": True})
    gate = new_gate()
    node = ToolNode([errand], handle_tool_errors=True)
    service = Service(savers, agent(with_node(node)), f"errand:{gate}")
    await service.die_at(gate)

    [told] = await service.answer()

    assert "is not known, and it was not repeated" in told
    assert EFFECTS[gate] == 1


# What may go wrong


@pytest.mark.parametrize("node", [None, tools.by_hand], ids=["tool node", "by hand"])
@pytest.mark.parametrize("error", [StaleFence("gone"), Unavailable("away")], ids=lambda e: e.code)
async def test_no_tool_starts_that_cannot_be_noted(
    savers: Savers, error: Exception, node: Any
) -> None:
    """The tool node takes every error for the tool's, and would tell the model of it."""
    gate = new_gate(is_open=True)
    service = Service(savers, agent(with_node(node)), f"charge:{gate}")
    service.notes.error = error

    with pytest.raises(type(error)):
        await service.attempt()
    assert EFFECTS[gate] == 0

    service.notes.error = None
    assert await service.answer() == [f"success: charged {gate}"]


async def test_what_asks_for_a_call_is_kept_before_the_call_begins(
    savers: Savers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else the model is asked again, and its new call is not known to be the old one.
    LangGraph goes on while a checkpoint is on its way to us, in a thread for quite a while.
    """
    put = BufferedSaver.aput

    async def put_late(*given: Any) -> Any:
        for _ in range(200):
            await asyncio.sleep(0)
        return await put(*given)

    monkeypatch.setattr(BufferedSaver, "aput", put_late)
    gate = new_gate()
    service = Service(savers, SHAPES["a tool node"], f"charge:{gate}")
    await service.die_at(gate)

    [told] = await service.answer()

    assert told.startswith(UNKNOWN)
    assert EFFECTS[gate] == 1


async def test_a_run_that_was_lost_starts_no_tool(savers: Savers) -> None:
    gate, charged = new_gate(), new_gate(is_open=True)
    alive = [True]
    service = Service(savers, SHAPES["a tool node"], f"look:{gate} | charge:{charged}")
    attempt = asyncio.create_task(service.attempt(alive))
    await GATES.wait_until_reached(gate)

    alive.clear()
    GATES.open(gate)

    with pytest.raises(StaleFence):
        await attempt
    assert EFFECTS[charged] == 0
    assert service.notes.rows == []


@tool
async def ask_first(gate: str) -> str:
    """Ask a person, then charge a card."""
    EFFECTS[gate] += 1
    return str(interrupt({"question": gate}))


async def test_a_call_that_asks_a_person_is_made_again_and_those_beside_it_are_not(
    savers: Savers,
) -> None:
    """LangGraph repeats the step when it has the answer: that is no crash."""
    gate, charged = new_gate(), new_gate(is_open=True)
    node = ToolNode([tools.charge, ask_first])
    service = Service(savers, agent(with_node(node)), f"charge:{charged} ask_first:{gate}")

    for times in (1, 2):
        with pytest.raises(NoAnswer):
            await service.attempt()
        assert (EFFECTS[gate], EFFECTS[charged]) == (times, 1)
        assert [one.call.tool for one in service.notes.kept] == ["charge"]


async def test_a_call_by_hand_that_asks_a_person_is_made_again(
    savers: Savers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "TOOLS", [ask_first])
    gate = new_gate()
    service = Service(savers, agent(with_node(tools.by_hand)), f"ask_first:{gate}")

    for times in (1, 2):
        with pytest.raises(NoAnswer):
            await service.attempt()
        assert (EFFECTS[gate], service.notes.kept) == (times, [])


async def test_the_chat_is_told_of_each_call(savers: Savers) -> None:
    done, failed, gate = new_gate(is_open=True), new_gate(is_open=True), new_gate()
    question = f"charge:{done} decline:{failed} charge:{gate}"
    service = Service(savers, SHAPES["a tool node"], question)
    await service.die_at(gate)
    begun = [one.call.call_id for one in service.notes.kept]

    told = [step for step in await service.attempt() if isinstance(step, Progress)]

    names = [(one.name, one.payload["tool"], one.payload.get("code")) for one in told]
    assert names == [
        ("tool_completed", "charge", None),
        ("tool_failed", "decline", "tool_failed"),
        ("tool_failed", "charge", "tool_interrupted"),
    ]
    assert [one.payload["call_id"] for one in told] == begun


async def test_notes_are_dropped_when_nothing_can_be_repeated_any_more(savers: Savers) -> None:
    gate = new_gate(is_open=True)
    service = Service(savers, SHAPES["a tool node"], f"charge:{gate}")

    steps = await service.attempt()

    assert [(one.name, one.payload["tool"]) for one in steps if isinstance(one, Progress)] == [
        ("tool_started", "charge"),
        ("tool_completed", "charge"),
    ]
    assert (len(service.notes.rows), service.notes.kept) == (1, [])


@pytest.mark.parametrize(
    ("metadata", "may"),
    [
        (None, False),
        ({}, False),
        ({"idempotent": True}, True),
        ({"idempotent": "yes"}, False),
        ({"readOnlyHint": True, "destructiveHint": None}, True),
        ({"idempotentHint": True}, True),
        ({"readOnlyHint": False, "idempotentHint": None}, False),
    ],
)
def test_only_what_is_declared_may_be_repeated(metadata: dict[str, Any] | None, may: bool) -> None:
    assert is_repeatable(metadata) is may
