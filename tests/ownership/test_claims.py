"""What was said as a visitor becomes an account's: once, whole, and only with proof."""

import asyncio
from typing import Any

import pytest

from tests.auth.scene import PASSWORD, new_email, registered
from tests.support.answers import error_of
from tests.support.client import Client
from tests.support.node import Node
from tests.support.scripted import NAME


async def claimed(client: Client, session: dict[str, Any], token: str | None = None) -> Any:
    return await client.http.post(
        f"/chat/sessions/{session['session_id']}/claim",
        json={"token": session["token"] if token is None else token},
    )


async def test_the_token_of_an_anonymous_session_brings_its_chat_to_the_account(
    node: Node,
) -> None:
    visitor = node.client()
    session = await visitor.start()
    path = f"/chats/{session['chat_id']}"
    client, answer = await registered(node)

    done = await claimed(client, session)

    assert done.json()["user_id"] == answer["user"]["user_id"]
    assert (await client.http.get(path)).status_code == 200
    error_of(await visitor.http.get(path), 404, "chat_not_found")


async def test_a_second_claim_finds_nothing(node: Node) -> None:
    session = await node.client().start()
    first, _ = await registered(node)
    second, _ = await registered(node)

    assert (await claimed(first, session)).status_code == 200

    for client in (first, second):
        error_of(await claimed(client, session), 404, "session_not_found")


async def test_of_people_who_race_for_a_chat_one_wins(node: Node) -> None:
    session = await node.client().start()
    clients = [(await registered(node))[0] for _ in range(4)]

    answers = await asyncio.gather(*(claimed(client, session) for client in clients))

    assert sorted(one.status_code for one in answers) == [200, 404, 404, 404]
    chats = [await client.http.get(f"/chats/{session['chat_id']}") for client in clients]
    assert [one.status_code == 200 for one in chats] == [one.status_code == 200 for one in answers]


async def test_of_two_who_sign_in_on_one_browser_at_once_one_gets_its_chats(node: Node) -> None:
    visitor = node.client()
    sessions = [await visitor.start() for _ in range(3)]
    bodies = [(await registered(node))[1]["user"]["email"] for _ in range(2)]
    jar = dict(visitor.http.cookies)

    answers = await asyncio.gather(
        *(
            node.client().http.post(
                "/auth/login",
                json={"email": email, "password": PASSWORD},
                headers={"cookie": "; ".join(f"{k}={v}" for k, v in jar.items())},
            )
            for email in bodies
        )
    )

    assert sorted(one.json()["claimed_chats"] for one in answers) == [0, len(sessions)]


@pytest.mark.parametrize("token", ["", "cst_", "another's"])
async def test_without_its_own_token_a_session_is_nobodys_to_claim(node: Node, token: str) -> None:
    session = await node.client().start()
    if token == "another's":
        token = (await node.client().start())["token"]
    client, _ = await registered(node)

    error_of(await claimed(client, session, token), 404, "session_not_found")


async def test_only_who_is_signed_in_can_claim(node: Node) -> None:
    visitor = node.client()
    session = await visitor.start()

    error_of(await claimed(visitor, session), 401, "unauthenticated")


async def test_the_token_from_before_a_claim_opens_nothing_any_more(node: Node) -> None:
    """Whoever had planted or seen it would read on in the account's chat."""
    session = await node.client().start()
    client, _ = await registered(node)
    await claimed(client, session)
    token = {"authorization": f"Bearer {session['token']}"}

    for method, end in (("GET", ""), ("POST", "/ticket"), ("POST", "/extend"), ("DELETE", "")):
        answer = await node.client().http.request(
            method, f"/chat/sessions/{session['session_id']}{end}", headers=token
        )
        error_of(answer, 404, "session_not_found")


async def test_the_id_alone_opens_no_socket_after_a_claim(node: Node) -> None:
    session = await node.client().start()
    client, _ = await registered(node)
    await claimed(client, session)

    async with node.client().socket(session) as socket:
        await socket.send("hello")
        assert (await socket.closed())[0] == 4001


async def test_open_sockets_come_back_as_the_user_and_miss_nothing(node: Node) -> None:
    visitor = node.client()
    session = await visitor.start(agent=NAME)
    async with visitor.socket(session, hello={"tab": "t"}) as socket:
        assert socket.seen[0]["user_id"] is None
        await socket.ask("say:before")
        await socket.until_end()
        answer = await visitor.http.post(
            "/auth/register",
            json={"email": new_email(), "password": PASSWORD},
        )
        assert (await socket.closed())[0] == 4101

    events = socket.numbered()
    welcome = socket.seen[0]
    after = {"epoch": welcome["epoch"], "offset": events[-1]["offset"], "key": events[-1]["key"]}
    cookies = {"cookie": "; ".join(f"{k}={v}" for k, v in visitor.http.cookies.items())}
    async with visitor.socket(
        session, hello={"tab": "t", "after": after}, additional_headers=cookies
    ) as again:
        assert (again.seen[0]["resumed"], again.seen[0]["user_id"]) == (
            True,
            answer.json()["user"]["user_id"],
        )
        await again.ask("say:after")
        await again.until_end()
