"""Messages that are sent many times, and by two people at once."""

import asyncio
from collections.abc import Iterable

from tests.faults.client import Refused, Tab, Turn
from tests.faults.journal import Frame
from tests.faults.rows import RunRow
from tests.faults.scenario import Context, Result, scenario
from tests.support.proxy import HELD
from tests.support.until import until
from tests.support.waiting import eventually

_COPIES = 50
_TABS = 9
_POLICIES = ("queue", "reject", "replace")


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
    """The order is the one in which the chat's row was locked: the messages' own numbers."""
    rounds = 6 * context.size
    for _ in range(rounds):
        for policy in _POLICIES:
            session = await context.start()
            tabs = [await context.tab(session, on=node) for node in context.fleet.nodes[:2]]
            turns = await asyncio.gather(
                *(tab.ask(context.script("say:30", pace=0.005), on_busy=policy) for tab in tabs)
            )
            outcomes = await asyncio.gather(*(_outcome(turn) for turn in turns))
            rows = await context.rows()
            runs = [run for run in rows.runs if run.chat_id == session["chat_id"]]
            _judge(context, policy, outcomes, runs)
            for tab in tabs:
                await tab.close()
    return await context.finish(rounds=rounds * len(_POLICIES), ends=("completed", "cancelled"))


def _judge(context: Context, policy: str, outcomes: list[str], runs: list[RunRow]) -> None:
    """``runs`` are in the order of their messages."""
    ends = [run.status for run in runs]
    match policy:
        case "queue":
            right = ends == ["completed", "completed"]
        case "reject":
            first_done = outcomes.count("run_in_progress") == 0  # it had ended in between
            right = ends == ["completed"] * (2 if first_done else 1)
        case _:
            right = ends in (["cancelled", "completed"], ["completed", "completed"])
    context.check("I8", right, f"{policy}: the tabs saw {outcomes}, the runs in order are {ends}")


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
