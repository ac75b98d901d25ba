"""A person signs in by the word of a provider, which for the browser is another site."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from app.embedded.servers import Addresses
from tests.auth.social_scene import Scene
from tests.browser.conftest import ask, person
from tests.conftest import make_settings
from tests.support.node import running_node
from tests.support.provider import free_port, running_provider
from tests.support.scripted import NAME


@pytest.fixture(scope="module")
async def social(stores: Addresses) -> AsyncIterator[Scene]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with running_provider(url) as provider:
        settings = make_settings(
            stores, agent=NAME, server={"public_url": url}, social=provider.settings()
        )
        async with running_node(settings, port=port) as node:
            yield Scene(node, provider)


async def go(page: Page, social: Scene, name: str) -> None:
    """Go to a provider, say yes there, and come back."""
    await page.goto(f"{social.node.url}/auth/{name}/login?next=/%3Fback=1")
    assert page.url.startswith(social.provider.url)
    await page.get_by_text("Continue").click()
    await page.wait_for_url(f"{social.node.url}/?back=1")


async def me(page: Page, social: Scene) -> dict[str, object]:
    found: dict[str, object] = await page.evaluate("async () => (await fetch('/users/me')).json()")
    return found


@pytest.mark.parametrize("name", ["work", "apple"])
async def test_a_visitor_signs_in_and_their_chat_is_still_there(
    browser: Browser, social: Scene, name: str
) -> None:
    someone = social.provider.somebody()
    async with person(browser) as page:
        await page.goto(social.node.url)
        await ask(page, "say:before")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("before")

        await go(page, social, name)

        assert (await me(page, social))["email"] == someone["email"]
        names = [one["name"] for one in await page.context.cookies(social.node.url)]
        assert "colloquy_login" in names
        assert not {"colloquy_visitor", "colloquy_attempt"} & set(names)
        chats = await page.evaluate(
            "async () => (await (await fetch('/chat/conversations')).json()).conversations"
        )
        assert len(chats) == 1
        assert "before" in chats[0]["last_message"]


@pytest.mark.parametrize("name", ["work", "apple"])
async def test_an_answer_from_elsewhere_signs_nobody_in(
    browser: Browser, social: Scene, name: str
) -> None:
    """Another site's page sends a victim to the callback with an answer of the attacker's."""
    social.provider.somebody()
    request = await social.at_provider(social.node.client(), name)
    async with person(browser) as page:
        await page.goto(f"{social.provider.url}/work/keys")
        if request.method == "GET":
            await page.evaluate(f"location = {str(request.url)!r}")
        else:
            await page.evaluate(
                """([url, text]) => {
                    const form = document.createElement("form");
                    form.method = "post"; form.action = url;
                    for (const [name, value] of new URLSearchParams(text)) {
                        const input = document.createElement("input");
                        input.name = name; input.value = value; form.append(input);
                    }
                    document.body.append(form); form.submit();
                }""",
                [str(request.url), request.content.decode()],
            )
        await page.wait_for_url("**/callback*")

        await expect(page.locator("body")).to_contain_text("sign_in_expired")
        names = [one["name"] for one in await page.context.cookies(social.node.url)]
        assert "colloquy_login" not in names
