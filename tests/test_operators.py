"""What operators do to accounts reaches every node."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.auth.errors import BadEmail, BadPassword
from app.operators import Operators, operating
from app.settings import Settings
from app.storage.postgres import Postgres
from app.users.errors import EmailTaken, UserNotFound
from tests.auth.scene import PASSWORD, new_email, registered, signed_in
from tests.support.answers import error_of
from tests.support.node import Node


@pytest.fixture
async def operators(settings: Settings) -> AsyncIterator[Operators]:
    async with operating(settings) as operators:
        yield operators


async def test_an_account_that_was_added_can_sign_in(node: Node, operators: Operators) -> None:
    email = new_email()

    user_id = await operators.add(email.upper(), PASSWORD, display_name="Ann")

    client = await signed_in(node, email)
    me = (await client.http.get("/users/me")).json()
    expected = {"user_id": user_id, "email_verified": True, "display_name": "Ann"}
    assert expected.items() <= me.items()


async def test_what_cannot_be_an_account_is_not_added(operators: Operators) -> None:
    email = new_email()
    await operators.add(email, PASSWORD, display_name=None)

    with pytest.raises(EmailTaken):
        await operators.add(email, PASSWORD, display_name=None)
    with pytest.raises(BadEmail):
        await operators.add("nobody", PASSWORD, display_name=None)
    with pytest.raises(BadPassword):
        await operators.add(new_email(), "short", display_name=None)


async def test_a_disabled_account_loses_its_sockets_and_sign_ins_at_once(
    node: Node, operators: Operators, postgres: Postgres
) -> None:
    client, answer = await registered(node)
    email = answer["user"]["email"]
    session = await client.start()
    cookies = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
    async with client.socket(session, hello={}, additional_headers={"cookie": cookies}) as socket:
        await operators.set_active(email, is_active=False)
        assert (await socket.closed())[0] == 4003

    error_of(await client.http.get("/users/me"), 401, "unauthenticated")
    body = {"email": email, "password": PASSWORD}
    error_of(await node.client().http.post("/auth/login", json=body), 403, "account_disabled")

    await operators.set_active(email, is_active=True)
    await signed_in(node, email)
    async with postgres.statement() as db:
        told = await db.execute(
            text("SELECT actor, action FROM audit_log WHERE user_id = :id ORDER BY id"),
            {"id": answer["user"]["user_id"]},
        )
        assert [tuple(row) for row in told] == [
            ("user", "registered"),
            ("operator", "disabled"),
            ("operator", "enabled"),
            ("user", "signed_in"),
        ]


async def test_nobody_can_be_disabled_who_is_not_there(operators: Operators) -> None:
    with pytest.raises(UserNotFound):
        await operators.set_active(new_email(), is_active=False)


async def test_every_account_is_listed_however_many_there_are(
    operators: Operators, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.operators._PAGE", 2)
    added = [await operators.add(new_email(), PASSWORD, display_name=None) for _ in range(5)]

    listed = [user.id async for user in operators.all()]

    assert listed == sorted(set(listed))
    assert set(added) <= set(listed)
