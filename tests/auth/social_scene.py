"""A browser that goes to a provider and comes back."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

from tests.support.client import Client
from tests.support.node import Node
from tests.support.provider import Provider


@dataclass
class Scene:
    node: Node
    provider: Provider

    async def begin(self, client: Client, name: str, **query: str) -> httpx.Response:
        """Ask to be sent to a provider."""
        return await client.http.get(f"/auth/{name}/login", params=query)

    async def at_provider(self, client: Client, name: str, **query: str) -> httpx.Request:
        """Go to a provider and say yes there; return the request that goes back from there."""
        begun = await self.begin(client, name, **query)
        assert begun.status_code == 302, begun.text
        page = await client.http.get(begun.headers["location"])
        if name != "apple":
            assert page.status_code == 307, page.text
            return client.http.build_request("GET", page.headers["location"])
        action = re.findall(r'action="([^"]+)"', page.text)[0]
        inputs = re.findall(r'name="([^"]+)" value="([^"]*)"', page.text)
        # A cookie that needs HTTPS: browsers, unlike this client, send it to loopback.
        cookie = begun.headers["set-cookie"].partition(";")[0]
        origin = {"origin": self.provider.url, "sec-fetch-site": "cross-site", "cookie": cookie}
        data = {field: unescape(value) for field, value in inputs}
        return client.http.build_request("POST", action, data=data, headers=origin)

    async def go(self, client: Client, name: str, **query: str) -> httpx.Response:
        """Sign in with a provider; return what the service answers in the end."""
        return await client.http.send(await self.at_provider(client, name, **query))

    async def signed_in(self, name: str, **query: str) -> Client:
        client = self.node.client()
        answer = await self.go(client, name, **query)
        assert answer.status_code == 303, answer.text
        return client

    async def me(self, client: Client) -> dict[str, Any]:
        answer = await client.http.get("/users/me")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
