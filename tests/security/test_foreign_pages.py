"""Pages of other origins, in a real browser that holds a user's and a visitor's cookie.

An origin is more than a site: a page on another port of 127.0.0.1 is same-site, so that
``SameSite=Lax`` lets it send our cookies, and nothing but the check of ``Origin`` stands
against it. From another host name, ``localhost``, the cookies stay at home as well.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request

from app.auth.identity import LOGIN_COOKIE, VISITOR_COOKIE
from app.storage.postgres import Postgres
from tests.auth.scene import PASSWORD
from tests.browser.conftest import person
from tests.security.people import Account, People, Things
from tests.support.node import Node

# Simple requests, which a browser sends without asking us first.
_POST = """async ([url, text]) => {
  await fetch(url, {method: "POST", mode: "no-cors", credentials: "include", body: text,
    headers: {"content-type": "text/plain"}});
}"""
_FORM = """([url]) => new Promise((done) => {
  const frame = Object.assign(document.createElement("iframe"), {name: "f"});
  document.body.append(frame);
  const form = Object.assign(document.createElement("form"),
    {method: "POST", enctype: "text/plain", action: url, target: "f"});
  form.append(Object.assign(document.createElement("input"),
    {name: '{"everywhere":true,"x":"', value: '"}'}));
  document.body.append(form);
  frame.onload = () => done();
  frame.onerror = () => done();
  form.submit();
})"""
_ASKING = """async ([url, method]) => {
  try {
    const answer = await fetch(url, {method, credentials: "include", body: "{}",
      headers: {"content-type": "application/json"}});
    return `answered ${answer.status}`;
  } catch (error) { return "kept away"; }
}"""
_READ = """async ([url]) => {
  try { return await (await fetch(url, {credentials: "include"})).text(); }
  catch (error) { return "kept away"; }
}"""
_SOCKET = """([url]) => new Promise((done) => {
  const socket = new WebSocket(url, ["colloquy.v1"]);
  const heard = [];
  socket.onopen = () => socket.send('{"type":"hello"}');
  socket.onmessage = (event) => {
    heard.push(JSON.parse(event.data).type);
    if (heard.includes("live")) { done(heard); socket.close(); }
  };
  socket.onclose = (event) => done(event.code);
})"""


class Victim:
    """Somebody whose browser holds the cookies of a sign-in and of a visitor."""

    def __init__(self, page: Page, node: Node, people: People) -> None:
        self.page = page
        self.node = node
        self.people = people
        self.account: Account
        self.theirs: Things
        self.visitors: Things

    async def sit_down(self) -> None:
        self.account = await self.people.account()
        self.theirs = await self.people.things_of(self.account)
        self.visitors = await self.people.things_of(None)
        cookies = [one.cookie["cookie"].split("=", 1) for one in (self.theirs, self.visitors)]
        for name, value in cookies:
            await self.page.context.add_cookies(
                [
                    {
                        "name": name,
                        "value": value,
                        "url": self.node.url,
                        "httpOnly": True,
                        "sameSite": "Lax",
                    }
                ]
            )
        assert {name for name, _ in cookies} == {LOGIN_COOKIE, VISITOR_COOKIE}

    async def state(self) -> list[Any]:
        """Return everything that is theirs, on the server and in the browser."""
        kept = [await self.people.state(things) for things in (self.theirs, self.visitors)]
        chats = await self.people.http.get("/chat/conversations", headers=self.account.cookie)
        cookies = await self.page.context.cookies(self.node.url)
        jar = sorted((one.get("name"), one.get("value")) for one in cookies)
        return [*kept, len(chats.json()["conversations"]), jar]

    def socket_url(self, things: Things) -> str:
        return f"{self.node.url.replace('http', 'ws', 1)}{things.session['ws_path']}"


@contextlib.asynccontextmanager
async def page_elsewhere(head: bytes = b"") -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve an empty page on a port of its own; return the port, and what it is asked."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        body = b"<!doctype html><title>elsewhere</title><body></body>"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n")
        writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


@pytest.fixture
async def victim(browser: Browser, guarded: Node, postgres: Postgres) -> AsyncIterator[Victim]:
    async with person(browser) as page:
        found = Victim(page, guarded, People(guarded, postgres))
        await found.sit_down()
        yield found


@pytest.fixture(params=["another site", "another port", "no origin"])
async def stranger(request: pytest.FixtureRequest, victim: Victim) -> AsyncIterator[str]:
    """Bring the victim's browser to a page of somebody else; return whose."""
    kind: str = request.param
    host = "localhost" if kind == "another site" else "127.0.0.1"
    sandbox = b"content-security-policy: sandbox allow-scripts allow-forms\r\n"
    async with page_elsewhere(sandbox if kind == "no origin" else b"") as (port, _):
        await victim.page.goto(f"http://{host}:{port}/")
        yield kind


async def test_a_foreign_page_posts_without_effect(victim: Victim, stranger: str) -> None:
    before = await victim.state()
    attacker = await victim.people.account()
    login = f'{{"email":"{attacker.email}","password":"{PASSWORD}"}}'

    for path, body in [
        ("/auth/logout", ""),
        ("/auth/logout", '{"everywhere":true}'),
        ("/auth/login", login),  # or the victim would go on as the attacker
        ("/chat/start", "{}"),
        (f"/chat/sessions/{victim.theirs.session['session_id']}/extend", ""),
        ("/auth/verify/mail", ""),
    ]:
        answers = await _statuses(victim, _POST, [victim.node.url + path, body])
        assert answers == [403], path

    assert await victim.state() == before


async def test_a_form_on_a_foreign_page_posts_without_effect(victim: Victim, stranger: str) -> None:
    before = await victim.state()

    assert await _statuses(victim, _FORM, [victim.node.url + "/auth/logout"]) == [403]

    assert await victim.state() == before


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_what_a_browser_asks_about_first_is_not_allowed_to_a_foreign_page(
    victim: Victim, stranger: str, method: str
) -> None:
    before = await victim.state()

    said = await victim.page.evaluate(_ASKING, [victim.node.url + "/users/me", method])

    assert said == "kept away"
    assert await victim.state() == before


async def test_a_foreign_page_reads_nothing(victim: Victim, stranger: str) -> None:
    for path in ("/chat/conversations", "/users/me", victim_chat(victim)):
        assert await victim.page.evaluate(_READ, [victim.node.url + path]) == "kept away"


async def test_a_foreign_page_opens_no_socket(victim: Victim, stranger: str) -> None:
    """Not even when it knows the sessions' ids."""
    for things in (victim.theirs, victim.visitors):
        heard = await victim.page.evaluate(_SOCKET, [victim.socket_url(things)])
        assert heard == 1006


@pytest.mark.parametrize(("host", "sent"), [("localhost", False), ("127.0.0.1", True)])
async def test_another_port_is_the_same_site_and_gets_the_cookies_sent(
    victim: Victim, host: str, sent: bool
) -> None:
    """Why ``SameSite`` alone is no fence. (Cookies know no ports: any server on ours gets them.)"""
    async with page_elsewhere() as (port, _), page_elsewhere() as (target, heads):
        await victim.page.goto(f"http://{host}:{port}/")
        await victim.page.evaluate(_POST, [f"http://127.0.0.1:{target}/", ""])

    assert (LOGIN_COOKIE.encode() in heads[0]) is sent


async def test_the_same_things_work_from_the_servers_own_page(victim: Victim) -> None:
    """Otherwise the attacks above would prove nothing."""
    await victim.page.goto(victim.node.url)

    for things in (victim.theirs, victim.visitors):
        heard = await victim.page.evaluate(_SOCKET, [victim.socket_url(things)])
        assert heard == ["welcome", "snapshot", "live"]
    assert victim.theirs.title in await victim.page.evaluate(
        _READ, [victim.node.url + victim_chat(victim)]
    )
    assert await _statuses(victim, _POST, [victim.node.url + "/auth/logout", ""]) == [200]
    assert await victim.page.evaluate(_READ, [victim.node.url + "/users/me"]) != "kept away"


def victim_chat(victim: Victim) -> str:
    return f"/chats/{victim.theirs.session['chat_id']}"


async def _requests(victim: Victim, script: str, given: list[str]) -> list[Request]:
    """Run a script on the page; return the requests that it made of our node."""
    made: list[Request] = []

    def note(request: Request) -> None:
        if request.url.startswith(victim.node.url):
            made.append(request)

    victim.page.on("request", note)
    await victim.page.evaluate(script, given)
    victim.page.remove_listener("request", note)
    return made


async def _statuses(victim: Victim, script: str, given: list[str]) -> list[int | None]:
    answers = [await one.response() for one in await _requests(victim, script, given)]
    return [one.status if one else None for one in answers]
