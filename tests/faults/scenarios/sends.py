"""Messages that are sent many times, and by two people at once."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterable

from tests.faults.client import Refused, Tab, Turn
from tests.faults.journal import Frame
from tests.faults.rows import Rows
from tests.faults.scenario import Context, Result, scenario
from tests.support.proxy import HELD
from tests.support.until import until
from tests.support.waiting import eventually

_COPIES = 50
_TABS = 9
_STOP_SECONDS = 5.0
_POLICIES: dict[str, tuple[list[str], list[str]]] = {
    "queue": (["completed", "completed"], []),
    "reject": (["completed"], ["run_in_progress"]),
    "replace": (["cancelled", "completed"], []),
}
"""How the runs end, in the order of their messages; with what the other message is refused."""


@scenario("R14", "one message sent fifty times at once through three nodes")
async def sent_again_and_again(context: Context) -> Result:
    """And again after its ack was lost on the way, and with another text under its id."""
    rounds = 3 * context.size
    for number in range(rounds):
        nodes = context.fleet.nodes
        session = await context.start()
        tabs = [await context.tab(session, on=nodes[place % len(nodes)]) for place in range(_TABS)]
        await _all_at_once(context, tabs, f"copy-{number}")
        await _ack_lost(context, tabs[0])
    return await context.finish(rounds=rounds)


async def _all_at_once(context: Context, tabs: list[Tab], key: str) -> None:
    text = context.script("say:10").question
    ids = {f"{key}-{copy}": tabs[copy % len(tabs)] for copy in range(_COPIES)}
    async with asyncio.TaskGroup() as group:
        for id_, tab in ids.items():
            group.create_task(tab.send("query", id=id_, query=text, client_message_id=key))
    acks = await _answers(context, ids)
    context.check("I6", all(one["type"] == "ack" for one in acks), f"{key} was refused: {acks}")
    places = {(one.get("message_id"), one.get("run_id")) for one in acks}
    context.check("I6", len(places) == 1, f"copies of {key} became {places}")
    firsts = sum(not one.get("duplicate") for one in acks)
    context.check("I6", firsts == 1, f"{firsts} copies of {key} were taken for the first")

    await tabs[1].send("query", id=f"{key}-other", query="another", client_message_id=key)
    [answer] = await _answers(context, [f"{key}-other"])
    refused = answer.get("code") == "idempotency_conflict"
    context.check("I6", refused, f"another text under the id {key} gave {answer}")


async def _ack_lost(context: Context, tab: Tab) -> None:
    """Cut the connection when the message is stored and its ack is not yet there."""
    assert tab.link is not None
    tab.link.fault(down=HELD)
    turn = await tab.ask(context.script("say:10"))

    async def is_stored() -> bool:
        return any(
            row.client_message_id == turn.client_message_id
            for row in (await context.rows()).messages
        )

    await eventually(is_stored)
    context.journal.fault("ack lost", tab=tab.name)
    tab.link.cut()
    ack = await turn.acked()
    context.check("I6", ack["duplicate"], "a message that was stored was taken for a new one")
    await turn.ended()


@scenario("R15", "two tabs sending at once, by each policy for busy chats")
async def two_at_once(context: Context) -> Result:
    """No run may go on until both tabs have their answer, so it is certain what must become of
    each. The order is the one in which the chat's row was locked: the messages' own numbers.
    In it both messages are told and both runs work, and none begins before the other's end.
    """
    rounds, at_once = 20 * context.size**2, asyncio.Semaphore(4)

    async def in_turn(policy: str, gate: str) -> None:
        async with at_once:
            await _meet(context, policy, gate)

    async with asyncio.TaskGroup() as group:
        for number in range(rounds):
            for policy in _POLICIES:
                group.create_task(in_turn(policy, f"r15-{context.seed}-{number}-{policy}"))
    return await context.finish(rounds=rounds * len(_POLICIES), ends=("completed", "cancelled"))


async def _meet(context: Context, policy: str, gate: str) -> None:
    """Have two tabs on two nodes send at once into a new chat."""
    began, session = len(context.journal.entries), await context.start()
    places = context.dice.sample(context.fleet.nodes, 2)
    tabs = [await context.tab(session, on=node) for node in places]
    scripts = [context.script(f"wait:{gate} say:5") for _ in tabs]
    turns = await asyncio.gather(
        *(tab.ask(script, on_busy=policy) for tab, script in zip(tabs, scripts, strict=True))
    )
    await asyncio.gather(*(_is_answered(turn) for turn in turns))
    if policy == "replace":
        with contextlib.suppress(TimeoutError):  # and it is judged that it went on
            await tabs[0].until(lambda: bool(tabs[0].state.ends), _STOP_SECONDS)
    context.fleet.signs.open(gate)
    outcomes = await asyncio.gather(*(_outcome(turn) for turn in turns))
    rows = await context.fleet.rows([session["chat_id"]])
    for tab in tabs:
        await tab.until(lambda tab=tab: tab.state.ends.keys() >= {run.id for run in rows.runs})  # type: ignore[misc]
        await tab.close()
    ends, refusals = _POLICIES[policy]
    found = [run.status for run in rows.runs]
    what = f"{policy}: the tabs saw {outcomes}, the runs in order are {found}"
    context.check("I8", found == ends and sorted(outcomes) == sorted(ends + refusals), what)
    told = [entry for entry in context.journal.entries[began:] if entry.kind == "applied"]
    for tab in tabs:
        events = [entry.data for entry in told if entry.tab == tab.name]
        _check_order(context, f"{policy}: {tab.name}", rows, events)


def _check_order(context: Context, who: str, rows: Rows, events: Iterable[Frame]) -> None:
    """Judge the order in which a tab was told of messages, and of what their runs did."""
    numbered = [row.run_id for row in rows.messages if row.role == "user"]
    said, worked = [], []
    for event in events:
        if event["type"] == "user_message":
            said.append(event["run_id"])
        elif "attempt" in event:
            worked.append(event["run_id"])
    context.check("I1", said == numbered, f"{who} was told of {said}, their order is {numbered}")
    turns = [run_id for run_id, _ in itertools.groupby(worked)]
    context.check("I1", turns == numbered, f"{who} saw runs in the order {turns}, not {numbered}")


async def _is_answered(turn: Turn) -> None:
    await turn.tab.until(lambda: turn.ack is not None or turn.error is not None)


async def _outcome(turn: Turn) -> str:
    """Return how a question ended: its run's status, or the code it was refused with."""
    try:
        return await turn.ended()
    except Refused:
        assert turn.error is not None
        return str(turn.error["code"])


async def _answers(context: Context, ids: Iterable[str]) -> list[Frame]:
    """Wait until each of these frames is answered; return the answers."""
    wanted = set(ids)

    def found() -> dict[str, Frame]:
        return {
            entry.data["id"]: {"type": entry.kind, **entry.data}
            for kind in ("ack", "error")
            for entry in context.journal.of(kind)
            if entry.data.get("id") in wanted
        }

    await until(lambda: found().keys() == wanted)
    return list(found().values())
